"""How the rows of a plan's tasks are made: until all are there, and no longer."""

from typing import Any

import msgspec
import pytest

from mayfly.core import commands, events, limits
from mayfly.core.changes import Create
from mayfly.core.decision import Decision
from mayfly.core.rows import PlanRow, plan_key, to_item
from mayfly.memory.world import MemoryWorld
from mayfly.perform import opening
from tests.unit.given import PLAN
from tests.unit.splitting import plan_of

MORE = commands.OpenTasks(job_id="job1")
SEE = commands.SeeToPool(pool="standard")


class Opened:
    """The engine, whose answers are these."""

    def __init__(self, *answers: tuple[commands.Command, ...]) -> None:
        self.asked: list[tuple[Any, str]] = []
        self._answers = list(answers)

    def __call__(self, world: Any, event: Any, job_id: str, *given: Any, **named: Any) -> Decision:
        self.asked.append((event, job_id))
        return Decision(commands=self._answers.pop(0) if self._answers else (MORE,))


def planned(w: MemoryWorld, plan: Any = PLAN) -> None:
    row = PlanRow(plan=msgspec.json.encode(plan).decode())
    w.table.commit([Create(key=plan_key("job1"), item=to_item(row))])


def test_rows_are_made_batch_by_batch_until_something_else_is_to_be_done(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned(w)
    drawn = iter(range(99))
    monkeypatch.setattr(w.world.dice, "token", lambda: f"t{next(drawn)}")
    apply = Opened((MORE,), (MORE,), (SEE, MORE))
    assert opening.open_tasks(w.world, "job1", apply) == (SEE, MORE)
    at = w.clock.now()
    assert apply.asked == [
        (
            events.TokensDrawn(
                at=at, plan=PLAN, tokens=tuple(f"t{4 * batch + n}" for n in range(4))
            ),
            "job1",
        )
        for batch in range(3)
    ]


def test_a_batch_is_what_a_transaction_takes_and_there_are_no_more_than_tasks(
    w: MemoryWorld,
) -> None:
    planned(w, plan_of(limits.ROWS_PER_TRANSACTION + 1, audio_tracks=0))
    apply = Opened()
    assert opening.open_tasks(w.world, "job1", apply) == ()
    assert len(apply.asked[0][0].tokens) == limits.ROWS_PER_TRANSACTION
    assert len(apply.asked) == limits.ROWS_PER_TRANSACTION + 1


def test_a_job_without_a_plan_has_nothing_to_open(w: MemoryWorld) -> None:
    apply = Opened()
    assert opening.open_tasks(w.world, "job1", apply) == () and apply.asked == []
