"""What each tick looks at, in which order, and what it asks for."""

from typing import Any

import pytest

from mayfly.contract.failure import failure
from mayfly.core import commands, limits
from mayfly.core import events as e
from mayfly.core.changes import Create
from mayfly.core.commands import Command
from mayfly.core.decision import Decision
from mayfly.core.rows import JobState, TaskRow, TaskState, head_key, pool_key, task_key, to_item
from mayfly.memory.world import MemoryWorld
from mayfly.perform import (
    engine,
    planning,
    reconciling,
    releasing,
    sweeping,
    ticking,
    waiting,
    watching,
)
from mayfly.perform.ports import Gone, ServiceSeen
from tests.unit.given import a_job, a_task
from tests.unit.test_pool import seen

SETTLED = commands.SeeToPool(pool="standard", settled=True)
RELEASE = commands.ReleaseTasks(pool="standard")


class Applied:
    """The engine; each event leads to a command of its own."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.asked: list[tuple[Any, ...]] = []
        patch.setattr(engine, "apply", self.apply)

    def apply(self, world: Any, event: e.Event, *given: Any, known: Any = None) -> Decision:
        self.asked.append((event, *given))
        return Decision(commands=(commands.CountTasks(job_id=f"{type(event).__name__}"),))


@pytest.fixture
def applied(monkeypatch: pytest.MonkeyPatch) -> Applied:
    return Applied(monkeypatch)


def a_head(w: MemoryWorld, state: JobState = JobState.RUNNING, **fields: Any) -> None:
    head = a_job(state, **({"updated_at": w.clock.now() - limits.HEAL_SECONDS - 1} | fields))
    item = {**to_item(head), "gpk": "jobs#open", "gsk": head.job_id}
    w.table.commit([Create(key=head_key(head.job_id), item=item)])


def a_pool(w: MemoryWorld, **fields: Any) -> None:
    w.table.commit([Create(key=pool_key("standard"), item={"pool": "standard", **fields})])


def then(*events: type[Any]) -> list[Command]:
    return [commands.CountTasks(job_id=event.__name__) for event in events]


def test_an_idle_stack_is_looked_at_once_and_its_tasks_are_not_counted(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[Any] = []
    monkeypatch.setattr(planning, "open_task_count", lambda *given: counted.append(given))
    assert ticking.tick(w.world) == [SETTLED]
    assert counted == []


def test_a_job_that_has_not_moved_for_a_while_is_looked_at(
    w: MemoryWorld, applied: Applied
) -> None:
    a_head(w)
    a_head(w, job_id="young", updated_at=w.clock.now() - limits.HEAL_SECONDS)
    a_head(w, job_id="whole", updated_at=w.clock.now(), parts=3, opened=3)
    a_head(w, job_id="unopened", updated_at=w.clock.now(), parts=3, opened=2)
    assert ticking.tick(w.world) == [*then(e.TickPassed, e.TickPassed), SETTLED]
    passed = e.TickPassed(at=w.clock.now())
    assert applied.asked == [(passed, "job1"), (passed, "unopened")]


def test_a_job_of_a_pool_that_is_no_more_is_ended_and_a_refused_one_has_none(
    w: MemoryWorld, applied: Applied
) -> None:
    a_head(w, pool="gone")
    a_head(w, JobState.FAILED, job_id="refused", pool="")
    now = w.clock.now()
    assert ticking.tick(w.world) == [*then(e.TickPassed, e.PoolBroke, e.TickPassed), SETTLED]
    broke = e.PoolBroke(at=now, detail="the stack has no pool gone")
    passed = e.TickPassed(at=now)
    assert applied.asked == [(passed, "job1"), (broke, "job1"), (passed, "refused")]


def test_five_hundred_jobs_are_looked_at_in_one_tick(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[tuple[str, int]] = []

    def index(gpk: str, *, limit: int, after: str = "") -> list[Any]:
        read.append((gpk, limit))
        return []

    monkeypatch.setattr(w.table, "index", index)
    ticking.tick(w.world)
    assert read[0] == ("jobs#open", 500)


class Looks:
    """The looks at a pool; each leads to a command of its own."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.made: list[tuple[Any, ...]] = []
        rooms = [
            (releasing, "send_again"),
            (releasing, "stranded_tasks"),
            (releasing, "out_tasks"),
            (releasing, "vanished"),
            (releasing, "back_up"),
            (sweeping, "sweep"),
            (waiting, "see_out"),
            (watching, "break_pool"),
        ]
        for room, name in rooms:
            patch.setattr(room, name, self.noted(name))
        patch.setattr(releasing, "drop_ended", self.drop_ended)
        patch.setattr(reconciling, "reconcile", lambda world, look: ())

    def noted(self, name: str) -> Any:
        def look(world: Any, *given: Any) -> tuple[Any, ...]:
            self.made.append((name, *given))
            return (commands.OpenTasks(job_id=name),) if name in ("sweep", "break_pool") else ()

        return look

    def drop_ended(self, world: Any, rows: Any, apply: Any) -> Any:
        assert apply is engine.apply
        self.made.append(("drop_ended", rows))
        return rows


def test_a_pool_with_open_jobs_is_looked_at_for_its_tasks_and_released(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = Looks(monkeypatch)
    a_pool(w, open_jobs=1)
    row, _ = planning.read_pool(w.world, "standard")
    monkeypatch.setattr(planning, "open_task_count", lambda *given: 0)
    assert ticking.tick(w.world) == [RELEASE, SETTLED]
    assert looks.made == [
        ("send_again", "standard", engine.apply),
        ("out_tasks", "standard"),
        ("drop_ended", ()),
        ("vanished", "standard", ()),
        ("back_up", row, engine.apply),
        ("see_out", "standard"),
    ]


def test_a_pool_without_open_jobs_is_looked_at_for_what_was_left(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = Looks(monkeypatch)
    a_pool(w, broken_at=5.0)
    row, _ = planning.read_pool(w.world, "standard")
    swept, broke = (commands.OpenTasks(job_id=name) for name in ("sweep", "break_pool"))
    assert ticking.tick(w.world) == [swept, broke, SETTLED]
    assert looks.made == [
        ("stranded_tasks", "standard"),
        ("drop_ended", ()),
        ("sweep", row),
        ("break_pool", "standard"),
        ("see_out", "standard"),
    ]


@pytest.mark.parametrize(("held", "judged"), [(0, False), (1, True)])
def test_silences_and_vanished_messages_are_told_to_their_jobs_when_somebody_could_speak(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch, applied: Applied, held: int, judged: bool
) -> None:
    Looks(monkeypatch)
    now = w.clock.now()
    a_pool(w, open_jobs=1, held_at=now - limits.SILENCE_SECONDS - held)
    old: dict[str, Any] = {"created_at": 0.0, "released_at": 0.0}
    silent = a_task(job_id="a", **old)
    gone = a_task(TaskState.RELEASED, job_id="b", **old)
    asked: list[Any] = []

    def vanished(world: Any, pool: str, out: Any) -> list[TaskRow]:
        asked.append((pool, out))
        return [gone]

    monkeypatch.setattr(releasing, "out_tasks", lambda world, pool: [silent, gone])
    monkeypatch.setattr(releasing, "vanished", vanished)
    monkeypatch.setattr(planning, "open_task_count", lambda *given: 0)
    todo = ticking.tick(w.world)
    if not judged:
        assert (todo, applied.asked, asked) == ([RELEASE, SETTLED], [], [])
        return
    assert todo == [*then(e.TaskWentSilent, e.MessageVanished), RELEASE, SETTLED]
    assert applied.asked == [
        (e.TaskWentSilent(at=now), "a", "encode"),
        (e.MessageVanished(at=now), "b", "encode"),
    ]
    assert asked == [("standard", [silent, gone])]


def orphan(**fields: Any) -> ServiceSeen:
    return seen("mayfly-standard-x", **({"tags": {"mayfly:expires": "5"}} | fields))


@pytest.mark.parametrize(
    ("service", "calls"),
    [
        (orphan(desired=1), [("resize", "mayfly-standard-x", 0)]),
        (orphan(desired=0, running=1), []),
        (orphan(desired=0, running=0, pending=1), []),
        (orphan(desired=0, running=1, pending=1), []),
        (orphan(desired=0, running=0), [("delete", "mayfly-standard-x")]),
        (orphan(tags={"mayfly:expires": "9999999999"}), []),
    ],
)
def test_an_unknown_service_leaves_as_any_other_does(
    w: MemoryWorld,
    monkeypatch: pytest.MonkeyPatch,
    service: ServiceSeen,
    calls: list[tuple[Any, ...]],
) -> None:
    made: list[tuple[Any, ...]] = []
    monkeypatch.setattr(w.services, "tagged", lambda: [service])
    for name in ("resize", "delete"):
        monkeypatch.setattr(w.services, name, lambda *given, name=name: made.append((name, *given)))
    ticking.tick(w.world)
    assert made == calls
    told = [one.name for one in w.world.tally.take()]
    assert ("UnknownServicesDeleted" in told) is (calls[:1] == [("delete", service.name)])


def test_a_service_of_a_pool_is_never_unknown(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = {"name": "mayfly-standard-x", "asked": 0, "created_at": 1.0}
    row |= {"capacity_provider": "FARGATE_SPOT", "task_definition": "worker:1"}
    a_pool(w, services={"mayfly-standard-x": row})
    monkeypatch.setattr(w.services, "tagged", lambda: [orphan(desired=0, running=0)])

    def deleted(name: str) -> None:
        raise AssertionError("it is known")

    monkeypatch.setattr(w.services, "delete", deleted)
    assert ticking.tick(w.world) == [SETTLED]
    assert [one.name for one in w.world.tally.take()].count("LooksFailed") == 0


def test_an_unknown_service_that_has_gone_meanwhile_is_counted_by_nobody(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*given: Any) -> None:
        raise Gone("not there")

    monkeypatch.setattr(w.services, "tagged", lambda: [orphan(desired=0, running=0)])
    monkeypatch.setattr(w.services, "delete", gone)
    ticking.tick(w.world)
    told = [one.name for one in w.world.tally.take()]
    assert "UnknownServicesDeleted" not in told and "LooksFailed" not in told


def test_the_measure_of_a_pool_counts_its_tasks_up_to_its_workers(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[Any, ...]] = []

    def count(world: Any, *given: Any) -> int:
        asked.append(given)
        return 7

    monkeypatch.setattr(planning, "open_task_count", count)

    def described(names: Any) -> Any:
        raise AssertionError("there is nothing to describe")

    monkeypatch.setattr(w.services, "describe", described)
    a_pool(w, open_jobs=1)
    ticking.tick(w.world)
    figures = {one.name: one.value for one in w.world.tally.take()}
    assert figures["OpenTasks"] == 7 and asked == [("standard", 3)]
    assert "LooksFailed" not in figures


def test_a_job_whose_outcome_is_to_be_told_is_looked_at_by_the_real_engine(
    w: MemoryWorld,
) -> None:
    a_head(w, JobState.FAILED, pool="", failure=failure("request_refused"))
    assert ticking.tick(w.world) == [commands.AnnounceOutcome(job_id="job1"), SETTLED]
    assert w.table.get(task_key("job1", "encode")) == [None]
