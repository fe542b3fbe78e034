"""The transition table is total, and each thing that can happen means what the design says."""

import dataclasses
from itertools import product
from typing import get_args

import msgspec
import pytest

from mayfly.contract.failure import failure
from mayfly.core import commands, limits, machine
from mayfly.core import events as e
from mayfly.core.changes import Create, Put, Update
from mayfly.core.decision import Decision
from mayfly.core.rows import ENDS, OPEN_JOBS, JobState, TaskState, head_key, pool_key, task_key
from tests.unit.given import AT, a_job, a_task, every_event

EVENTS = every_event()
JOB_PAIRS = list(product([None, *JobState], get_args(e.JobEvent)))
TASK_PAIRS = list(product(TaskState, get_args(e.TaskEvent)))


def the(decision: Decision, key: object) -> Update:
    (found,) = [c for c in decision.changes if c.key == key]
    assert isinstance(found, Update)
    return found


def test_every_event_kind_is_in_the_walk() -> None:
    assert set(EVENTS) == set(get_args(e.JobEvent)) | set(get_args(e.TaskEvent))


@pytest.mark.parametrize(("state", "kind"), JOB_PAIRS + TASK_PAIRS, ids=str)
def test_every_pair_of_state_and_event_is_decided(state: object, kind: type) -> None:
    pair = (state, kind)
    decided = (pair in machine.TRANSITIONS) + (pair in machine.IGNORED)
    impossible = pair in IMPOSSIBLE
    assert decided + impossible == 1, f"{pair} is decided {decided} times"


#: Events that our own code makes only when the state is another one.
IMPOSSIBLE = {
    (None, e.OutputsPublished),
    (None, e.PublishFailed),
    (None, e.OutcomeAnnounced),
    (JobState.QUEUED, e.OutputsPublished),
    (JobState.QUEUED, e.PublishFailed),
    (JobState.QUEUED, e.OutcomeAnnounced),
    (JobState.RUNNING, e.OutputsPublished),
    (JobState.RUNNING, e.PublishFailed),
    (JobState.RUNNING, e.OutcomeAnnounced),
    (JobState.FINISHING, e.OutputsPublished),
    (JobState.FINISHING, e.PublishFailed),
    (JobState.FINISHING, e.OutcomeAnnounced),
    (JobState.PUBLISHING, e.OutcomeAnnounced),
}


@pytest.mark.parametrize("pair", sorted(machine.TRANSITIONS, key=str), ids=str)
def test_every_transition_can_be_taken(pair: machine.Pair) -> None:
    state, kind = pair
    event = EVENTS[kind]
    if isinstance(state, TaskState):
        head = a_job(JobState.FAILED if state is TaskState.ENDED else JobState.RUNNING)
        task = a_task(TaskState.RUNNING if state is TaskState.ENDED else state)
        decision = machine.advance(head, task, event)
    else:
        job = a_job(state, open_tasks=0) if state else None
        decision = machine.advance(job, None, event)
    assert decision.changes or decision.commands or decision.ignored


@pytest.mark.parametrize("pair", sorted(IMPOSSIBLE, key=str), ids=str)
def test_an_impossible_event_raises_with_the_story_and_changes_nothing(
    pair: machine.Pair,
) -> None:
    state, kind = pair
    assert not isinstance(state, TaskState)
    head = a_job(state, story=("RequestAccepted: nothing -> queued",)) if state else None
    with pytest.raises(machine.IllegalEvent, match="queued" if state else "nothing"):
        machine.advance(head, None, EVENTS[kind])


def test_a_request_opens_a_job_with_one_task_and_counts_it_in_its_pool() -> None:
    decision = machine.advance(None, None, EVENTS[e.RequestAccepted])
    kinds = {c.key.sk: type(c) for c in decision.changes if c.key.pk == "job#job1"}
    assert kinds == {"head": Create, "spec": Create, "task#encode": Create}
    assert the(decision, pool_key("standard")).add == {"open_jobs": 1}
    assert decision.commands == (
        commands.ReleaseTasks(pool="standard", opened=frozenset({("job1", "encode")})),
        commands.SeeToPool(pool="standard"),
    )


def test_the_same_request_twice_is_one_job_and_asks_again_for_what_may_be_undone() -> None:
    decision = machine.advance(a_job(JobState.QUEUED), None, EVENTS[e.RequestAccepted])
    assert decision.changes == ()
    assert commands.SeeToPool(pool="standard") in decision.commands


def test_a_request_after_the_end_is_answered_with_the_outcome_if_it_has_a_name() -> None:
    named = EVENTS[e.RequestAccepted]
    silent = machine.advance(a_job(JobState.SUCCEEDED), None, named)
    assert silent.ignored and not silent.commands
    asked = dataclasses.replace(named, request_id="mine")
    answered = machine.advance(a_job(JobState.SUCCEEDED), None, asked)
    assert answered.commands == (commands.AnnounceOutcome(job_id="job1"),)
    assert isinstance(answered.changes[0], Put)


def test_a_started_report_makes_job_and_task_run_and_counts_the_attempt() -> None:
    task_row = a_task(TaskState.RELEASED, heard_attempts=())
    decision = machine.advance(a_job(JobState.QUEUED), task_row, EVENTS[e.TaskStarted])
    task, head = the(decision, task_key("job1", "encode")), the(decision, head_key("job1"))
    assert task.set["state"] == "running" and task.set["attempts"] == 1
    assert task.require == {"version": 3}
    assert head.set["state"] == "running" and head.add == {"attempts": 1}


def test_the_first_proven_output_is_taken_even_from_a_worker_believed_dead() -> None:
    for state in (TaskState.OPEN, TaskState.RELEASED, TaskState.RUNNING):
        decision = machine.advance(a_job(), a_task(state), EVENTS[e.TaskEncoded])
        assert the(decision, task_key("job1", "encode")).set["state"] == "done"
        assert the(decision, head_key("job1")).add == {"open_tasks": -1}
        assert commands.CountTasks(job_id="job1") in decision.commands


def test_a_second_encoded_report_changes_no_state_and_asks_the_count_again() -> None:
    encoded = EVENTS[e.TaskEncoded]
    done = a_task(TaskState.DONE, services=(encoded.service,))
    decision = machine.advance(a_job(), done, encoded)
    assert [type(change) for change in decision.changes] == [Put]  # what it cost, again the same
    assert decision.commands == (commands.CountTasks(job_id="job1"),)


def test_a_spot_interruption_returns_the_task_to_the_table_and_is_counted() -> None:
    decision = machine.advance(a_job(), a_task(), EVENTS[e.TaskInterrupted])
    task = the(decision, task_key("job1", "encode"))
    assert task.set["state"] == "open" and task.set["interruptions"] == 1
    assert task.set["gpk"] == "tasks#standard#open#default"
    assert the(decision, head_key("job1")).add == {"interruptions": 1}
    assert (
        commands.ReleaseTasks(pool="standard", opened=frozenset({("job1", "encode")}))
        in decision.commands
    )


def test_an_interruption_told_twice_puts_the_task_back_once() -> None:
    released_again = a_task(TaskState.RELEASED, ended_attempts=("nonce1",))
    decision = machine.advance(a_job(), released_again, EVENTS[e.TaskInterrupted])
    assert decision.ignored and not decision.changes


def test_an_interrupted_attempt_does_not_take_the_task_from_another_at_work() -> None:
    decision = machine.advance(a_job(), a_task(attempt="other"), EVENTS[e.TaskInterrupted])
    assert decision.ignored
    assert [type(change) for change in decision.changes] == [Put]  # what it cost


def test_a_late_started_of_an_ended_attempt_is_stale() -> None:
    task = a_task(TaskState.RELEASED, ended_attempts=("nonce1",))
    assert machine.advance(a_job(), task, EVENTS[e.TaskStarted]).ignored


def test_bad_input_ends_the_job_at_once_with_its_code() -> None:
    decision = machine.advance(a_job(), a_task(), EVENTS[e.TaskRefused])
    head = the(decision, head_key("job1"))
    assert head.set["state"] == "failed" and head.set["failure"]["code"] == "not_media"
    assert the(decision, pool_key("standard")).add == {"open_jobs": -1}
    assert commands.AnnounceOutcome(job_id="job1") in decision.commands


def test_a_replaced_source_supersedes_the_job() -> None:
    event = e.TaskRefused(at=AT, attempt="nonce1", failure=failure("source_replaced"))
    decision = machine.advance(a_job(), a_task(), event)
    assert the(decision, head_key("job1")).set["state"] == "superseded"


def test_an_unknown_failure_leaves_the_task_on_the_queue() -> None:
    decision = machine.advance(a_job(), a_task(), EVENTS[e.TaskFailed])
    task = the(decision, task_key("job1", "encode"))
    assert task.set["state"] == "released" and task.set["failures"] == 1
    assert not [c for c in decision.commands if isinstance(c, commands.AnnounceOutcome)]


def test_the_dead_letter_after_three_failures_ends_the_job_with_the_last_code() -> None:
    task = a_task(
        TaskState.RELEASED,
        failures=limits.UNKNOWN_TRIES_MAX,
        last_failure=failure("encoder_failed"),
    )
    decision = machine.advance(a_job(), task, EVENTS[e.TaskDeadLettered])
    head = the(decision, head_key("job1"))
    assert head.set["state"] == "failed" and head.set["failure"]["code"] == "encoder_failed"


def test_vanished_workers_are_forgiven_one_dead_letter_and_not_two() -> None:
    first = machine.advance(a_job(), a_task(TaskState.RELEASED), EVENTS[e.TaskDeadLettered])
    assert the(first, task_key("job1", "encode")).set["state"] == "open"
    lost = a_task(TaskState.RELEASED, lost=limits.RECEIVES_MAX)
    second = machine.advance(a_job(), lost, EVENTS[e.TaskDeadLettered])
    assert the(second, head_key("job1")).set["failure"]["code"] == "worker_lost"


def test_a_job_is_published_only_when_its_last_task_is_done() -> None:
    waiting = machine.advance(a_job(open_tasks=1), None, EVENTS[e.TasksCounted])
    assert waiting.ignored
    done = machine.advance(a_job(open_tasks=0), None, EVENTS[e.TasksCounted])
    head = the(done, head_key("job1"))
    assert head.require == {"state": "running", "open_tasks": 0}
    assert commands.PublishOutputs(job_id="job1") in done.commands


def test_an_adopted_job_has_nothing_to_publish() -> None:
    decision = machine.advance(a_job(open_tasks=0, adopted=True), None, EVENTS[e.TasksCounted])
    assert the(decision, head_key("job1")).set["state"] == "succeeded"


def test_a_job_leaves_its_pool_once_however_it_ends() -> None:
    published = machine.advance(a_job(JobState.PUBLISHING), None, EVENTS[e.OutputsPublished])
    assert [c.key for c in published.changes] == [head_key("job1")]
    cancelled = machine.advance(a_job(JobState.RUNNING), None, EVENTS[e.CancelRequested])
    assert the(cancelled, pool_key("standard")).add == {"open_jobs": -1}


def test_an_ended_job_stays_among_the_open_until_its_outcome_is_announced() -> None:
    ended = machine.advance(a_job(JobState.PUBLISHING), None, EVENTS[e.OutputsPublished])
    assert "gpk" not in the(ended, head_key("job1")).set
    again = machine.advance(a_job(JobState.SUCCEEDED), None, EVENTS[e.TickPassed])
    assert again.commands == (commands.AnnounceOutcome(job_id="job1"),)
    announced = machine.advance(a_job(JobState.SUCCEEDED), None, EVENTS[e.OutcomeAnnounced])
    assert the(announced, head_key("job1")).set["gpk"] != OPEN_JOBS


@pytest.mark.parametrize("state", sorted(ENDS))
def test_a_worker_busy_for_an_ended_job_is_told_to_stop(state: JobState) -> None:
    decision = machine.advance(a_job(state), a_task(), EVENTS[e.TaskProgressed])
    assert [type(c) for c in decision.commands] == [commands.StopWorkers]
    assert decision.changes == ()


def test_progress_never_goes_back() -> None:
    decision = machine.advance(a_job(), a_task(fraction=0.7), EVENTS[e.TaskProgressed])
    assert the(decision, task_key("job1", "encode")).set["fraction"] == 0.7


def test_ending_a_job_costs_the_same_however_many_tasks_it_has() -> None:
    small = machine.advance(a_job(open_tasks=1), None, EVENTS[e.CancelRequested])
    large = machine.advance(a_job(open_tasks=10_000), None, EVENTS[e.CancelRequested])
    assert len(small.changes) == len(large.changes)


def test_the_head_stays_below_a_kilobyte_through_a_whole_life() -> None:
    story = tuple(f"SomeEventName{n}: running -> publishing" for n in range(6))
    head = a_job(story=story, failure=failure("source_truncated"), source="s3://b/" + "k" * 200)
    assert len(msgspec.json.encode(head)) < 1024
