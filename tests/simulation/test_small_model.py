"""The small model is searched to its end, finds nothing, and finds what is planted."""

import dataclasses
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from mayfly.core import commands, decision, events, machine, of_jobs, of_plans, of_tasks, release
from mayfly.core.changes import Update
from mayfly.core.decision import Decision
from mayfly.core.rows import JobState, TaskState
from mayfly.perform import announcing, engine, joining, releasing
from tests.simulation.small.invocations import Grain
from tests.simulation.small.main import explore
from tests.simulation.small.model import Config, Model
from tests.simulation.small.search import Search
from tests.simulation.small.states import Budget

Plant = Callable[[pytest.MonkeyPatch], None]
TRANSITIONS: dict[Any, Any] = machine.TRANSITIONS


@pytest.mark.parametrize(
    ("budget", "states"),
    [
        (Budget(), 30),
        (Budget(kills=1), 300),
        (Budget(losses=1), 400),
        (Budget(ticks=1), 900),
        (Budget(spares=1), 100),
        (Budget(losses=1, spares=1), 1_500),
    ],
)
def test_no_misfortune_of_the_small_model_loses_anything(budget: Budget, states: int) -> None:
    """A search that sees far fewer states than it did proves less than it did."""
    result = explore(Config(budget=budget))
    assert (result.violation, result.complete) == ("", True)
    assert result.states >= states


@pytest.mark.parametrize(
    ("budget", "states"),
    [
        (Budget(ticks=1), 950),
        (Budget(ticks=1, spares=1), 5_000),
        (Budget(kills=1, ticks=1), 15_000),
    ],
)
def test_a_chunk_that_is_given_to_a_second_worker_is_lost_by_neither(
    budget: Budget, states: int
) -> None:
    model = Model(Config(budget=budget, lags=True))
    search = Search(model)
    *_, result = search.run()
    assert (result.violation, result.complete) == ("", True)
    assert result.states >= states
    assert any(model.memories.facts(memory).is_lagging for memory in search.memories())


def test_two_functions_at_once_lose_nothing() -> None:
    result = explore(Config(budget=Budget(), grain=Grain.COMMITS))
    assert (result.violation, result.complete) == ("", True)
    assert result.states >= 5_000


@pytest.mark.parametrize(
    "config",
    [
        Config(budget=Budget(kills=1)),
        Config(budget=Budget(losses=1)),
        Config(budget=Budget(spares=1)),
        Config(budget=Budget(ticks=1), lags=True),
    ],
    ids=str,
)
def test_what_states_forget_is_missed_by_nobody(config: Config) -> None:
    """Without forgetting anything there are twenty times as many states, which differ in nothing
    that matters."""
    short, long = (_seen(dataclasses.replace(config, forgetting=on)) for on in (True, False))
    assert short == long


def _seen(config: Config) -> set[Any]:
    """What was stored at some time or other: states, counts, orders for workers, outcomes."""
    model = Model(config)
    search = Search(model)
    *_, result = search.run()
    assert (result.violation, result.complete) == ("", True)
    seen = set()
    for memory in search.memories():
        facts = model.memories.facts(memory)
        workers = sorted(model.memories.services(memory).values())
        told = map(_without_times, model.memories.told(memory))
        tasks = sorted(facts.tasks.items())
        seen.add((facts.job, facts.is_lagging, *tasks, *workers, *told))
    return seen


def _without_times(outcome: bytes) -> bytes:
    """How late it was asked or told is what states forget of ages."""
    said = msgspec.json.decode(outcome)
    return msgspec.json.encode(
        {name: held for name, held in said.items() if name not in ("accepted_at", "ended_at")}
    )


def _commits_without_a_condition(patch: pytest.MonkeyPatch) -> None:
    update = decision.task_update

    def careless(*args: Any, **fields: Any) -> Update:
        return msgspec.structs.replace(update(*args, **fields), require={})

    patch.setattr(of_tasks, "task_update", careless)


def _commits_a_second_time(patch: pytest.MonkeyPatch) -> None:
    pair = (TaskState.DONE, events.TaskEncoded)
    patch.setitem(TRANSITIONS, pair, of_tasks.working_on_task_encoded)


def _marks_the_outcome_before_it_is_told(patch: pytest.MonkeyPatch) -> None:
    perform = engine._perform

    def hasty(world: Any, command: Any) -> Any:
        if isinstance(command, commands.AnnounceOutcome):
            told = events.OutcomeAnnounced(at=world.clock.now())
            engine.apply(world, told, command.job_id)
            announcing.announce(world, command.job_id)
            return ()
        return perform(world, command)

    patch.setattr(engine, "_perform", hasty)


def _tells_the_outcome_before_the_end(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(announcing, "ENDS", frozenset(JobState))
    patch.setitem(announcing._NAMES, JobState.PUBLISHING, "succeeded")
    count = of_jobs.working_on_tasks_counted

    def early(head: Any, event: Any) -> Decision:
        told = count(head, event)
        announce = commands.AnnounceOutcome(job_id=head.job_id)
        return dataclasses.replace(told, commands=(announce, *told.commands))

    pair = (JobState.FINISHING, events.TasksCounted)
    patch.setitem(TRANSITIONS, pair, early)


def _never_sends_again(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(releasing, "send_again", lambda *_: None)


def _takes_running_tasks_back_blindly(patch: pytest.MonkeyPatch) -> None:
    def running(out: Any, now: float) -> tuple[Any, ...]:
        return tuple(row for row in out if row.state is TaskState.RUNNING)

    patch.setattr(release, "silent", running)
    patch.setattr(release, "is_overdue", lambda *_: True)


def _opens_the_finish_again(patch: pytest.MonkeyPatch) -> None:
    pair = (JobState.FINISHING, events.TasksCounted)
    patch.setitem(TRANSITIONS, pair, of_plans.joined)


def _joins_parts_as_they_come(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(joining, "sorted", lambda rows, **_: [*rows][::1], raising=False)


def _forgets_the_pools_count(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(of_jobs, "pool_count", lambda *_: ())


def _never_asks_again_whether_it_was_the_last(patch: pytest.MonkeyPatch) -> None:
    for pair in ((JobState.RUNNING, events.TickPassed), (TaskState.DONE, events.TaskEncoded)):
        patch.setitem(TRANSITIONS, pair, lambda *_: Decision(ignored="not now"))


@pytest.mark.parametrize(
    ("plant", "config", "found"),
    [
        (_commits_a_second_time, Config(budget=Budget(spares=1)), "is committed again"),
        (
            _commits_without_a_condition,
            Config(budget=Budget(spares=1), grain=Grain.COMMITS),
            "is committed again",
        ),
        (_marks_the_outcome_before_it_is_told, Config(budget=Budget(losses=1)), "was not told"),
        (_tells_the_outcome_before_the_end, Config(budget=Budget()), "OutcomeAnnounced cannot"),
        (_never_sends_again, Config(budget=Budget(losses=1)), "the job is queued"),
        (_takes_running_tasks_back_blindly, Config(budget=Budget(ticks=1)), "heard of lately"),
        (_opens_the_finish_again, Config(budget=Budget()), "the job is finishing"),
        (_joins_parts_as_they_come, Config(budget=Budget()), "made of something else"),
        (_forgets_the_pools_count, Config(budget=Budget()), "the pool counts"),
        (
            _never_asks_again_whether_it_was_the_last,
            Config(budget=Budget(losses=1)),
            "the job is running",
        ),
    ],
)
def test_what_is_planted_is_found(
    plant: Plant, config: Config, found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)
    result = explore(config)
    assert found in result.violation
    assert result.trace
