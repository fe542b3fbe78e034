"""A task that lags has two messages out: the first commit wins, and whatever becomes of the other,
the task is neither stranded nor released a third time."""

import dataclasses
from typing import Any

import msgspec
import pytest

from mayfly.contract.failure import failure
from mayfly.core import commands, limits, machine, release
from mayfly.core import events as e
from mayfly.core.changes import Update
from mayfly.core.decision import Decision
from mayfly.core.of_backups import beside
from mayfly.core.rows import TaskRow, TaskState, head_key, task_key
from tests.unit.given import ARTIFACT, AT, PLAN, a_job, a_task, every_event

EVENTS = every_event()
PLANNED = a_job(parts=4, opened=4, open_tasks=1, chunks=3, took_ms=30_000)


def chunk(state: TaskState = TaskState.RUNNING, **fields: Any) -> TaskRow:
    """One whose first attempt has begun long ago, and has not moved."""
    given: dict[str, Any] = {"kind": "chunk", "scope": PLAN.scope(0), "began_at": AT - 300}
    return a_task(state, **(given | {"reported_at": AT, "enqueued": True} | fields))


def two(state: TaskState = TaskState.RUNNING, **fields: Any) -> TaskRow:
    """One with two messages out, and a worker at each."""
    heard = ("nonce0", "nonce1", "nonce2")
    given: dict[str, Any] = {"lagging": "nonce1", "backups": 1, "heard_attempts": heard}
    return chunk(state, **(given | fields))


def decide(task: TaskRow, event: Any) -> Decision:
    return machine.advance(PLANNED, task, event)


def by(kind: type[Any], attempt: str) -> Any:
    return dataclasses.replace(EVENTS[kind], attempt=attempt)


def after(task: TaskRow, event: Any) -> TaskRow:
    """The row as the decision leaves it."""
    found = [c for c in decide(task, event).changes if c.key == task_key("job1", "encode")]
    change = found[0]
    assert isinstance(change, Update)
    known = {name: change.set[name] for name in change.set if name not in ("gpk", "gsk")}
    return msgspec.convert({**msgspec.to_builtins(task), **known}, TaskRow)


LAGGED = e.TaskLagged(at=AT, attempt="nonce1", start_seconds=5.0)


# --- the second message ------------------------------------------------------------------------


def test_a_chunk_that_lags_is_marked_before_its_second_message_is_sent_and_after() -> None:
    lagging = after(chunk(), LAGGED)
    assert (lagging.state, lagging.lagging, lagging.backups) == (TaskState.RUNNING, "nonce1", 1)
    assert (lagging.released_at, lagging.enqueued) == (AT, False)
    sent = after(lagging, e.TaskEnqueued(at=AT, released_at=AT))
    assert sent.enqueued and sent.state is TaskState.RUNNING
    stale = e.TaskEnqueued(at=AT, released_at=AT - 1)
    assert decide(lagging, stale) == Decision(ignored="a worker was quicker than the mark")
    alone = chunk(released_at=AT, enqueued=False)
    assert decide(alone, e.TaskEnqueued(at=AT, released_at=AT)).changes == ()


@pytest.mark.parametrize(
    ("told", "kept_ms"), [(1.23449, 1234), (0.00049, 0), (-5.0, 0), (9e9, 41_400_000)]
)
def test_what_a_chunk_took_is_the_pace_of_the_others(told: float, kept_ms: int) -> None:
    """Whatever a stolen worker says of itself."""
    done = dataclasses.replace(EVENTS[e.TaskEncoded], scope=PLAN.scope(0), busy_seconds=told)
    (head,) = (c for c in decide(chunk(), done).changes if c.key == head_key("job1"))
    assert isinstance(head, Update)
    assert head.add == {"open_tasks": -1, "chunks": 1, "done_ms": 0, "took_ms": kept_ms}


def test_nothing_is_sent_beside_another_attempt_or_one_that_got_on() -> None:
    other = "another attempt was heard of meanwhile"
    assert decide(chunk(attempt="nonce2"), LAGGED) == Decision(ignored=other)
    on = "it got on, or its backup is out"
    assert decide(chunk(fraction=0.99), LAGGED) == Decision(ignored=on)
    assert decide(two(attempt="nonce1"), LAGGED) == Decision(ignored=on)
    cold = dataclasses.replace(LAGGED, start_seconds=300.0)
    assert decide(chunk(fraction=0.6), cold) == Decision(ignored=on)
    for state in (TaskState.OPEN, TaskState.RELEASED, TaskState.DONE):
        assert decide(chunk(state), LAGGED).ignored


def test_a_crash_before_the_second_message_is_sent_is_found() -> None:
    late = AT + limits.HEAL_SECONDS + 1
    unsent = two(released_at=AT, enqueued=False)
    assert release.unsent([unsent], late) == (unsent,)
    assert release.unsent([unsent], late - 1) == ()
    assert release.unsent([two(released_at=AT)], late) == ()
    assert release.unsent([chunk(released_at=AT, enqueued=False)], late) == ()


def test_a_second_worker_that_begins_does_not_turn_the_bar_back() -> None:
    begun = after(two(heard_attempts=("nonce1",), fraction=0.4), by(e.TaskStarted, "nonce2"))
    assert (begun.fraction, begun.attempt, begun.lagging) == (0.4, "nonce2", "nonce1")
    assert begun.heard_attempts == ("nonce1", "nonce2")


def test_the_second_message_counts_as_work_and_takes_its_place() -> None:
    assert release.tries([two(), chunk()]) == 3
    assert release.room([two(), chunk()], 2) == 1


def test_the_second_message_does_not_stand_for_one_that_vanished() -> None:
    old = {"created_at": 0.0, "released_at": 0.0, "reported_at": None}
    gone = a_task(TaskState.RELEASED, job_id="job2", enqueued=True, **old)
    for free, held in ((0, 2), (1, 1)):  # both in work; one of them back on the queue
        assert release.vanished([two(), gone], free, held, AT) == (gone,)
        assert release.vanished([two(), gone], free + 1, held, AT) == ()
        assert release.vanished([two(enqueued=False), gone], free, held, AT) == ()
    assert release.vanished([chunk(), gone], 0, 1, AT) == (gone,)


# --- how the two end ---------------------------------------------------------------------------


@pytest.mark.parametrize("attempt", ["nonce1", "nonce2"])
def test_the_first_commit_wins_and_the_other_worker_is_told_at_once(attempt: str) -> None:
    event = dataclasses.replace(by(e.TaskEncoded, attempt), scope=PLAN.scope(0))
    decision = decide(two(), event)
    done = after(two(), event)
    assert (done.state, done.artifacts, done.lagging) == (TaskState.DONE, (ARTIFACT,), "")
    stop = commands.StopWorkers(job_id="job1", task_id="encode", reason="done")
    assert stop in decision.commands
    assert stop not in decide(chunk(), event).commands
    for late in (e.TaskInterrupted, e.TaskFailed, e.TaskEncoded):
        other = by(late, "nonce2" if attempt == "nonce1" else "nonce1")
        assert decide(done, other).ignored
        assert {type(change).__name__ for change in decide(done, other).changes} == {"Put"}


@pytest.mark.parametrize(("gone", "left"), [("nonce1", "nonce2"), ("nonce2", "nonce1")])
@pytest.mark.parametrize("heard_last", ["nonce1", "nonce2"])
def test_when_one_of_two_is_interrupted_the_other_keeps_the_task(
    gone: str, left: str, heard_last: str
) -> None:
    task = two(attempt=heard_last)
    event = by(e.TaskInterrupted, gone)
    kept = after(task, event)
    assert (kept.state, kept.attempt, kept.lagging) == (TaskState.RUNNING, left, "")
    assert (kept.interruptions, kept.ended_attempts) == (1, (gone,))
    assert decide(task, event).commands == ()
    back = by(e.TaskInterrupted, left)
    assert after(kept, back).state is TaskState.OPEN
    assert commands.SeeToPool(pool="standard") in decide(kept, back).commands


@pytest.mark.parametrize("enqueued", [False, True])
def test_when_the_first_is_interrupted_before_the_second_begins_the_message_is_waited_for(
    enqueued: bool,
) -> None:
    """And sent, if a crash came before that."""
    task = two(heard_attempts=("nonce0", "nonce1"), released_at=AT, enqueued=enqueued)
    waits = after(task, by(e.TaskInterrupted, "nonce1"))
    assert (waits.state, waits.lagging) == (TaskState.RELEASED, "")
    assert decide(task, by(e.TaskInterrupted, "nonce1")).commands == ()
    late = AT + limits.HEAL_SECONDS + 1
    assert release.unsent([waits], late) == (() if enqueued else (waits,))
    begun = after(waits, by(e.TaskStarted, "nonce2"))
    assert (begun.state, begun.attempt) == (TaskState.RUNNING, "nonce2")


def test_a_second_worker_that_goes_before_it_begins_leaves_the_task_to_the_first() -> None:
    task = two(heard_attempts=("nonce1",), attempt="nonce1")
    kept = after(task, by(e.TaskInterrupted, "nonce2"))
    assert (kept.state, kept.attempt, kept.lagging) == (TaskState.RUNNING, "nonce1", "")
    assert kept.attempts == task.attempts + 1


def test_one_who_lost_the_task_before_it_lagged_is_not_taken_for_at_work() -> None:
    task = two(heard_attempts=("nonce0", "nonce1"))
    assert beside(task, "nonce1") == ""
    assert after(task, by(e.TaskInterrupted, "nonce1")).state is TaskState.RELEASED


def test_of_eight_attempts_and_more_the_one_that_lagged_is_still_known() -> None:
    heard = tuple(f"later{n}" for n in range(8))
    task = two(heard_attempts=heard, ended_attempts=heard)
    assert after(task, by(e.TaskInterrupted, "later9")).attempt == "nonce1"


def test_what_fits_nowhere_leaves_the_task_to_the_other() -> None:
    stray = dataclasses.replace(by(e.TaskEncoded, "nonce1"), scope=PLAN.scope(1))
    kept = after(two(), stray)
    assert (kept.state, kept.attempt, kept.lagging) == (TaskState.RUNNING, "nonce2", "")
    assert (kept.failures, kept.stage) == (1, "not what the task is")
    assert decide(two(), stray).commands == ()


@pytest.mark.parametrize("gone", ["nonce1", "nonce2"])
def test_a_failure_gives_its_message_back_and_the_other_goes_on(gone: str) -> None:
    failed = after(two(), by(e.TaskFailed, gone))
    left = "nonce2" if gone == "nonce1" else "nonce1"
    assert (failed.state, failed.attempt, failed.lagging) == (TaskState.RUNNING, left, "nonce1")
    assert failed.failures == 1
    both = after(failed, by(e.TaskFailed, left))
    assert (both.state, both.lagging, both.failures) == (TaskState.RELEASED, "nonce1", 2)
    one = after(failed, by(e.TaskInterrupted, left))
    assert (one.state, one.lagging) == (TaskState.RELEASED, "")


def test_without_a_second_message_a_failure_leaves_the_task_to_nobody_who_was_heard_of() -> None:
    lone = chunk(heard_attempts=("nonce0", "nonce1"))
    failed = after(lone, by(e.TaskFailed, "nonce1"))
    assert (failed.state, failed.attempt) == (TaskState.RELEASED, "nonce1")


def test_a_failure_before_the_second_begins_waits_for_either_message() -> None:
    failed = after(two(heard_attempts=("nonce1",)), by(e.TaskFailed, "nonce1"))
    assert (failed.state, failed.lagging) == (TaskState.RELEASED, "nonce1")
    begun = after(failed, by(e.TaskStarted, "nonce3"))
    assert (begun.state, begun.attempt, begun.lagging) == (TaskState.RUNNING, "nonce3", "nonce1")


LETTER = e.TaskDeadLettered(at=AT, letter="l9")


@pytest.mark.parametrize(
    ("state", "enqueued", "then"),
    [
        (TaskState.RUNNING, True, TaskState.RUNNING),
        (TaskState.RELEASED, True, TaskState.RELEASED),
        (TaskState.RUNNING, False, TaskState.RELEASED),
    ],
)
def test_a_letter_of_one_message_leaves_the_task_to_the_other(
    state: TaskState, enqueued: bool, then: TaskState
) -> None:
    task = two(state, enqueued=enqueued)
    left = after(task, LETTER)
    assert (left.state, left.lagging, left.lost) == (then, "", limits.RECEIVES_MAX)
    assert left.letters == ("l9",)
    assert decide(task, LETTER).commands == ()
    again = dataclasses.replace(LETTER, letter="l10")
    assert decide(left, again).commands == (
        commands.StopWorkers(job_id="job1", reason="worker_lost"),
        commands.ReleaseTasks(pool="standard"),
        commands.SeeToPool(pool="standard"),
    )


def test_three_failures_end_the_job_with_a_letter_whichever_messages_they_came_by() -> None:
    task = two(failures=limits.UNKNOWN_TRIES_MAX, last_failure=failure("encoder_failed"))
    stop = commands.StopWorkers(job_id="job1", reason="encoder_failed")
    assert stop in decide(task, LETTER).commands


def test_silence_and_a_message_that_vanished_begin_with_one_message_again() -> None:
    long_ago: dict[str, Any] = {"created_at": AT - limits.SILENCE_SECONDS - 1, "reported_at": None}
    silent = after(two(**long_ago), EVENTS[e.TaskWentSilent])
    assert (silent.state, silent.lagging, silent.lost) == (TaskState.OPEN, "", 1)
    gone = after(two(TaskState.RELEASED, **long_ago), EVENTS[e.MessageVanished])
    assert (gone.state, gone.lagging) == (TaskState.OPEN, "")


def test_no_way_of_two_attempts_leaves_a_task_to_one_who_has_ended() -> None:
    """Every row that three attempts and their words can lead to, whatever comes when."""
    seen: set[Any] = set()
    todo = [two(heard_attempts=("nonce1",), attempt="nonce1")]
    while todo:
        task = todo.pop()
        row = (task.state, task.lagging, task.attempt, task.heard_attempts, task.ended_attempts)
        if row in seen:
            continue
        seen.add(row)
        if task.state is TaskState.RUNNING:
            assert task.attempt not in task.ended_attempts
        if task.state is TaskState.OPEN:
            assert not task.lagging
        for kind in (e.TaskStarted, e.TaskProgressed, e.TaskInterrupted, e.TaskFailed):
            events = (by(kind, attempt) for attempt in ("nonce1", "nonce2", "nonce3"))
            todo += [after(task, event) for event in events if not decide(task, event).ignored]
    assert len(seen) > 100
