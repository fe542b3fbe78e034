"""An attempt counts at the first word of it that is heard, whichever that is.

SQS keeps no order, and an invocation that starts cold is slow: `started` may come last.
"""

import dataclasses
from typing import Any

import msgspec
import pytest

from mayfly.contract.report import Started
from mayfly.core import commands, machine
from mayfly.core import events as e
from mayfly.core.attempts import Word, first_word
from mayfly.core.changes import Update
from mayfly.core.decision import Decision
from mayfly.core.rows import JobState, TaskRow, TaskState, task_key
from mayfly.memory.world import MemoryWorld
from tests.unit.acting import dispatch, encoded, heads, outcomes, receive, report, said, upload
from tests.unit.given import AT, PLAN, a_job, a_task, every_event
from tests.unit.written import BEGAN, HEAD

EVENTS = every_event()
WORDS = [
    e.TaskStarted,
    e.TaskProgressed,
    e.TaskPlanned,
    e.TaskEncoded,
    e.TaskInterrupted,
    e.TaskRefused,
    e.TaskFailed,
]
NOTED = commands.NoteWorkerStarted(pool="standard")


def a_new_task(**fields: Any) -> TaskRow:
    return a_task(TaskState.RELEASED, heard_attempts=(), attempts=0, **fields)


def on(decision: Decision, key: object) -> Update:
    (found,) = [c for c in decision.changes if isinstance(c, Update) and c.key == key]
    return found


def counts(decision: Decision) -> tuple[Any, ...]:
    """What is counted: of the task, of its job, of the brake; and what is asked for."""
    task, head = on(decision, task_key("job1", "encode")).set, on(decision, HEAD)
    return (
        task.get("attempts"),
        task.get("heard_attempts"),
        head.add.get("attempts"),
        BEGAN in decision.changes,
        NOTED in decision.commands,
    )


@pytest.mark.parametrize("kind", WORDS)
def test_the_first_word_counts_the_attempt_whichever_it_is(kind: type[Any]) -> None:
    decision = machine.advance(a_job(), a_new_task(), EVENTS[kind])
    assert counts(decision) == (1, ("nonce1",), 1, True, True)


@pytest.mark.parametrize("kind", [kind for kind in WORDS if kind is not e.TaskProgressed])
def test_what_is_said_after_that_counts_nothing(kind: type[Any]) -> None:
    decision = machine.advance(a_job(), a_task(TaskState.RELEASED), EVENTS[kind])
    assert counts(decision) == (None, None, None, False, False)


def test_what_fits_nowhere_counts_its_attempt_too() -> None:
    cut = a_new_task(kind="chunk", scope=PLAN.scope(0))
    decision = machine.advance(a_job(), cut, EVENTS[e.TaskEncoded])
    assert counts(decision) == (1, ("nonce1",), 1, True, True)


@pytest.mark.parametrize("kind", [k for k in WORDS if k is not e.TaskRefused])
def test_the_first_word_makes_a_queued_job_run(kind: type[Any]) -> None:
    decision = machine.advance(a_job(JobState.QUEUED), a_new_task(), EVENTS[kind])
    assert on(decision, HEAD).set["state"] == "running"


def test_the_progress_of_an_attempt_that_is_known_leaves_the_head_alone() -> None:
    (moved,) = machine.advance(a_job(), a_task(), EVENTS[e.TaskProgressed]).changes
    assert moved.key == task_key("job1", "encode")


def test_the_last_eight_attempts_are_known() -> None:
    heard = tuple(f"n{n}" for n in range(8))
    task = a_task(heard_attempts=heard, attempts=8)
    first = first_word(task, EVENTS[e.TaskStarted])
    known = (*heard[1:], "nonce1")
    assert first.task == {"attempts": 9, "heard_attempts": known, "began_at": AT}
    for name in heard:
        word: Word = dataclasses.replace(EVENTS[e.TaskStarted], attempt=name)
        assert not first_word(task, word).task


def test_a_start_that_is_heard_last_is_counted_and_its_worker_known(w: MemoryWorld) -> None:
    """A demo told of a job that no worker had taken: `started` went to a function that started
    cold, and the encode was over before it was read."""
    dispatch(w, upload(w))
    task, _ = receive(w)
    report(w, encoded(w, task), Started(**said(task)))
    (row,) = w.table.rows(f"job#{task.job_id}", "task#")
    assert (row["attempts"], row["worker"]) == (1, "w1")
    (head,) = heads(w)
    assert head.attempts == 1
    assert [outcome.attempts for outcome in outcomes(w)] == [1]


def test_the_attempt_of_a_users_own_task_is_counted() -> None:
    (head, _, task, *_) = machine.advance(None, None, EVENTS[e.TaskAdopted]).changes
    for row in (head, task):
        assert msgspec.to_builtins(row)["item"]["attempts"] == 1
