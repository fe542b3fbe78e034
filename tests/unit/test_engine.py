"""How events reach the core and commands reach the world: what is read, tried again, told and run
in which order."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from mayfly.contract.failure import failure
from mayfly.core import commands, events, limits
from mayfly.core.changes import Change, Create
from mayfly.core.rows import JobState, TaskState, head_key, pool_key, task_key, to_item
from mayfly.memory.world import MemoryWorld
from mayfly.perform import announcing, control, engine, opening, planning, releasing
from mayfly.perform.ports import Conflict, Temporary
from tests.unit.given import AT, PLAN, a_job, a_task, every_event

EVENTS = every_event()
PROGRESS = EVENTS[events.TaskProgressed]


def stands(w: MemoryWorld, *rows: Any) -> None:
    """These are in the table."""
    keys = [
        task_key(row.job_id, row.task_id) if hasattr(row, "task_id") else head_key(row.job_id)
        for row in rows
    ]
    w.table.commit(
        [Create(key=key, item=to_item(row)) for key, row in zip(keys, rows, strict=True)]
    )


class Asked:
    """Watches a table, and refuses the first commits if it shall."""

    def __init__(self, w: MemoryWorld, patch: pytest.MonkeyPatch, conflicts: int = 0) -> None:
        self.read: list[tuple[Any, ...]] = []
        self.slept: list[float] = []
        self._get, self._commit, self._left = w.table.get, w.table.commit, conflicts
        patch.setattr(w.table, "get", self.get)
        patch.setattr(w.table, "commit", self.commit)
        patch.setattr(w.world.dice, "jitter", lambda seconds: seconds)
        patch.setattr(w.clock, "sleep", self.slept.append)

    def get(self, *keys: Any) -> Any:
        self.read.append(keys)
        return self._get(*keys)

    def commit(self, changes: Sequence[Change]) -> None:
        if self._left:
            self._left -= 1
            raise Conflict("TransactionConflict")
        self._commit(changes)


def test_what_is_asked_for_is_read_and_nothing_else(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    stands(w, a_job(), a_task())
    asked = Asked(w, monkeypatch)
    assert engine.load(w.world, "job1", None) == (a_job(), None)
    assert engine.load(w.world, "job1", "encode") == (a_job(), a_task())
    assert engine.load(w.world, "other", "encode") == (None, None)
    head, task = head_key("job1"), task_key("job1", "encode")
    assert asked.read[:2] == [(head,), (head, task)]


def test_rows_that_are_known_are_not_read(w: MemoryWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    stands(w, a_job(), a_task())
    asked = Asked(w, monkeypatch)
    engine.apply(w.world, PROGRESS, "job1", "encode", known=(a_job(), a_task()))
    assert asked.read == []


def test_a_wrong_guess_costs_a_read_and_no_time(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    stands(w, a_job(), a_task())
    asked = Asked(w, monkeypatch)
    guess = (a_job(), a_task(version=1))
    decision = engine.apply(w.world, PROGRESS, "job1", "encode", known=guess)
    assert decision.changes and len(asked.read) == 1 and asked.slept == []


@pytest.mark.parametrize(
    ("known", "waits"), [(None, [0.05, 0.1, 0.2]), ((a_job(), a_task()), [0.1, 0.2])]
)
def test_who_meets_others_waits_longer_each_time(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch, known: engine.Rows | None, waits: list[float]
) -> None:
    stands(w, a_job(), a_task())
    asked = Asked(w, monkeypatch, conflicts=3)
    engine.apply(w.world, PROGRESS, "job1", "encode", known=known)
    assert asked.slept == waits


def test_who_always_meets_others_gives_up(w: MemoryWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    stands(w, a_job(), a_task())
    Asked(w, monkeypatch, conflicts=limits.CONFLICT_TRIES_MAX)
    tries = limits.CONFLICT_TRIES_MAX
    with pytest.raises(Temporary, match=f"^Job job1 is too busy: {tries} tries met another.$"):
        engine.apply(w.world, PROGRESS, "job1", "encode")


def test_what_cannot_be_applied_says_why(w: MemoryWorld) -> None:
    unknown = r"^TaskProgressed for job job1, which is not known \(yet\)\.$"
    with pytest.raises(engine.UnknownJob, match=unknown):
        engine.apply(w.world, PROGRESS, "job1", "encode")
    stands(w, a_job())
    with pytest.raises(engine.UnknownJob, match=unknown):
        engine.apply(w.world, PROGRESS, "job1", "encode")
    stands(w, a_task())
    with pytest.raises(engine.WrongToken, match=r"^A report on job job1 came with a wrong token.$"):
        engine.apply(w.world, PROGRESS, "job1", "encode", token="other")
    assert engine.apply(w.world, PROGRESS, "job1", "encode", token="token1").changes
    chunk = events.TaskEncoded(
        at=AT, attempt="nonce1", artifacts=(), busy_seconds=1.0, scope=PLAN.scope(1)
    )
    early = "^TaskEncoded for job job1: a chunk was done of which no plan is known.$"
    with pytest.raises(engine.TooEarly, match=early):
        engine.apply(w.world, chunk, "job1", "encode")


def test_a_word_of_a_job_that_was_refused_is_ignored(w: MemoryWorld) -> None:
    stands(w, a_job(JobState.FAILED, failure=failure("request_refused")))
    decision = engine.apply(w.world, PROGRESS, "job1", "encode")
    assert decision.ignored == "the job was refused and never had a task"


class Performed:
    """What commands reached the rooms that perform them."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.did: list[tuple[Any, ...]] = []
        told = {
            (releasing, "release_tasks"): (),
            (planning, "see_to_pool"): (),
            (opening, "open_tasks"): (),
            (announcing, "announce"): (),
            (control, "renew_grants"): (),
            (control, "stop_worker"): (),
        }
        for (room, name), answer in told.items():
            patch.setattr(room, name, self.noted(name, answer))

    def noted(self, name: str, answer: object) -> Any:
        def call(world: Any, *given: Any, **named: Any) -> object:
            kept = [one for one in given if one is not engine.apply]
            self.did.append((name, *kept, *named.values()))
            return answer

        return call


A, B = ("job1", "encode"), ("job2", "encode")


def test_commands_are_arranged_so_that_pools_are_seen_to_once_and_last(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    performed = Performed(monkeypatch)
    engine.run(
        w.world,
        [
            commands.OpenTasks(job_id="job1"),
            commands.SeeToPool(pool="p", settled=True),
            commands.SeeToPool(pool="p"),
            commands.SeeToPool(pool="q"),
            commands.ReleaseTasks(pool="p", opened=frozenset({A})),
            commands.RenewGrants(job_id="job1", task_id="encode"),
            commands.ReleaseTasks(pool="p", opened=frozenset({B})),
            commands.ReleaseTasks(pool="q"),
            commands.RenewGrants(job_id="job1", task_id="encode"),
        ],
    )
    assert performed.did == [
        ("renew_grants", "job1", "encode"),
        ("release_tasks", "p", frozenset({A, B})),
        ("release_tasks", "q", frozenset()),
        ("see_to_pool", "p", True, frozenset({A, B})),
        ("see_to_pool", "q", False, frozenset()),
        ("open_tasks", "job1"),
    ]


def test_the_first_error_is_raised_when_all_else_is_done(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    performed = Performed(monkeypatch)

    def fails(world: Any, name: str, *rest: Any, **named: Any) -> None:
        raise Temporary(f"{name} failed")

    monkeypatch.setattr(releasing, "release_tasks", fails)
    todo = [commands.ReleaseTasks(pool="p"), commands.ReleaseTasks(pool="q")]
    with pytest.raises(Temporary, match=r"^p failed$"):
        engine.run(w.world, [*todo, commands.SeeToPool(pool="p")])
    assert performed.did == [("see_to_pool", "p", False, frozenset())]


def test_commands_that_lead_to_commands_for_ever_are_a_bug(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    rounds = []
    more = commands.OpenTasks(job_id="job1")

    def again(world: Any, job_id: str, apply: Any) -> tuple[commands.Command, ...]:
        rounds.append(job_id)
        return (more,)

    monkeypatch.setattr(opening, "open_tasks", again)
    with pytest.raises(RuntimeError, match=r"^Commands lead to commands without end: .*OpenTasks"):
        engine.run(w.world, [more])
    assert len(rounds) == 32


def test_to_count_is_to_draw_a_token_and_ask_the_job_now(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    real = engine.apply

    def noted(world: Any, event: Any, *given: Any, **named: Any) -> Any:
        asked.append((event, *given))
        return real(world, event, *given, **named)

    monkeypatch.setattr(engine, "apply", noted)
    monkeypatch.setattr(w.world.dice, "token", lambda: "t")
    stands(w, a_job())
    engine.run(w.world, [commands.CountTasks(job_id="job1")])
    assert asked == [(events.TasksCounted(at=w.clock.now(), token="t"), "job1")]


def test_what_is_announced_is_marked_so_now(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    performed = Performed(monkeypatch)
    stands(w, a_job(JobState.SUCCEEDED))
    w.clock.sleep(60)
    engine.run(w.world, [commands.AnnounceOutcome(job_id="job1")])
    assert performed.did == [("announce", "job1")]
    (item,) = w.table.get(head_key("job1"))
    assert item is not None and item["announced"] is True
    assert item["gsk"] == f"{w.clock.now():017.3f}#job1"


def test_one_worker_is_stopped_and_its_task_let_go_only_if_its_job_has_ended(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    performed = Performed(monkeypatch)
    stands(w, a_job(JobState.CANCELLED), a_task())
    w.clock.sleep(60)
    engine.run(w.world, [commands.StopWorkers(job_id="job1", task_id="encode", reason="r")])
    assert performed.did == [("stop_worker", "job1", "encode", "r")]
    (item,) = w.table.get(task_key("job1", "encode"))
    assert item is not None and item["story"] == ["TaskDropped: running -> ended"]


def test_all_workers_of_an_ended_job_are_stopped_its_tasks_let_go_and_then_it_is_told(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = limits.ROWS_PER_TRANSACTION + 1
    tasks = [
        a_task(TaskState.OPEN, task_id=f"chunk-{n:05d}", kind="chunk", number=n)
        for n in range(count)
    ]
    stands(w, a_job(JobState.CANCELLED))
    for task in tasks:
        placed = {**to_item(task), "gpk": "tasks#standard#open#default", "gsk": task.task_id}
        w.table.commit([Create(key=task_key("job1", task.task_id), item=placed)])
    performed = Performed(monkeypatch)
    asked = Asked(w, monkeypatch)
    commits: list[int] = []
    inner = w.table.commit

    def counted(changes: Sequence[Change]) -> None:
        commits.append(len(changes))
        inner(changes)

    monkeypatch.setattr(w.table, "commit", counted)
    engine.run(w.world, [commands.StopWorkers(job_id="job1", reason="cancelled")])
    assert commits == [limits.ROWS_PER_TRANSACTION, 1, 1]  # the last is that it was told
    assert performed.did == [("announce", "job1")]
    assert asked.read.count((head_key("job1"),)) == 2
    left = w.table.rows("job#job1", "task#")
    assert [row["story"] for row in left] == [["TaskDropped: open -> ended"]] * count


def test_a_batch_in_which_one_task_has_moved_is_let_go_one_by_one(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    stands(w, a_job(JobState.CANCELLED))
    for n in range(2):
        task = to_item(a_task(TaskState.OPEN, task_id=f"chunk-{n:05d}"))
        placed = {**task, "gpk": "tasks#standard#open#default", "gsk": str(n)}
        w.table.commit([Create(key=task_key("job1", f"chunk-{n:05d}"), item=placed)])
    Performed(monkeypatch)
    Asked(w, monkeypatch, conflicts=1)
    w.clock._now += 60
    engine.run(w.world, [commands.StopWorkers(job_id="job1", reason="cancelled")])
    left = w.table.rows("job#job1", "task#")
    assert ["gpk" in row for row in left] == [False, False]


def test_a_worker_that_begins_sets_the_brake_of_its_pool_back(w: MemoryWorld) -> None:
    w.table.commit([Create(key=pool_key("p"), item={"pool": "p", "crashes": 2})])
    engine.run(w.world, [commands.NoteWorkerStarted(pool="p")])
    assert w.table.get(pool_key("p")) == [{"pool": "p", "crashes": 0}]
    engine.run(w.world, [commands.NoteWorkerStarted(pool="p")])
    engine.run(w.world, [commands.NoteWorkerStarted(pool="never seen")])
    assert w.table.get(pool_key("never seen")) == [None]


def test_the_log_says_what_happened_to_which_job_and_in_which_state(
    w: MemoryWorld, caplog: pytest.LogCaptureFixture
) -> None:
    stands(w, a_job(), a_task())
    caplog.set_level("INFO", "mayfly")
    engine.apply(w.world, PROGRESS, "job1", "encode")
    engine.apply(w.world, EVENTS[events.TaskStarted], "job1", "encode")
    engine.apply(w.world, every_event()[events.CancelRequested], "nobody")
    told = [
        (one.getMessage(), *(one.__dict__[key] for key in ("event", "job_id", "task_id", "state")))
        for one in caplog.records
    ]
    assert told == [
        ("TaskProgressed", "TaskProgressed", "job1", "encode", "running"),
        (
            "TaskStarted ignored: the attempt is known",
            *("TaskStarted", "job1", "encode", "running"),
        ),
        (
            "CancelRequested ignored: there is no such job",
            *("CancelRequested", "nobody", None, None),
        ),
    ]


def test_the_log_says_which_command_failed_and_how(
    w: MemoryWorld, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = Temporary("not now")

    def fails(*given: Any, **named: Any) -> None:
        raise error

    monkeypatch.setattr(control, "renew_grants", fails)
    with pytest.raises(Temporary):
        engine.run(w.world, [commands.RenewGrants(job_id="job1", task_id="encode")])
    (record,) = caplog.records
    assert record.getMessage() == "RenewGrants failed: Temporary"
    assert record.__dict__["job_id"] == "job1"
    assert record.exc_info is not None and record.exc_info[1] is error


def test_workers_of_an_ended_job_are_told_why(w: MemoryWorld) -> None:
    stands(w, a_job(JobState.CANCELLED), a_task())
    engine.run(w.world, [commands.StopWorkers(job_id="job1", reason="cancelled")])
    found = w.store.get("media", "work/job1/encode/control.json")
    assert found is not None and json.loads(found.body)["reason"] == "cancelled"
    assert (found.content_type, json.loads(found.body)["order"]) == ("application/json", "stop")
