"""What each event of a task writes and asks for, to the letter."""

import dataclasses
from typing import Any

import msgspec
import pytest

from mayfly.contract.failure import failure
from mayfly.core import commands, limits, machine
from mayfly.core import events as e
from mayfly.core.changes import Key, Update
from mayfly.core.decision import Decision
from mayfly.core.rows import JobState, TaskRow, TaskState
from tests.unit.given import ARTIFACT, AT, PLAN, a_job, a_task, every_event
from tests.unit.written import (
    AT_WORK,
    BEGAN,
    HEAD,
    SERVICE,
    cost,
    counted,
    ends,
    failed,
    head,
    leaves,
    moves,
)

EVENTS = every_event()
RELEASE = commands.ReleaseTasks(pool="standard")
AGAIN = (
    commands.ReleaseTasks(pool="standard", opened=frozenset({("job1", "encode")})),
    commands.SeeToPool(pool="standard"),
)
COUNT = commands.CountTasks(job_id="job1")
TOLD = (commands.AnnounceOutcome(job_id="job1"), RELEASE, commands.SeeToPool(pool="standard"))
#: Who has spoken for the last time.
LAST = {"ended_attempts": ("nonce1",), "services": (SERVICE,), "reported_at": AT}
LATE = a_job(JobState.FAILED, failure=failure("not_media"))


def decide(task: TaskRow, event: Any, **job: Any) -> Decision:
    return machine.advance(a_job(**job), task, event)


def ignored(task: TaskRow, event: Any, reason: str, **job: Any) -> bool:
    return decide(task, event, **job) == Decision(ignored=reason)


def test_a_task_that_is_chosen_is_marked_as_not_sent_and_then_as_sent() -> None:
    waits, out = a_task(TaskState.OPEN), a_task(TaskState.RELEASED, released_at=AT)
    chosen = moves(waits, e.TaskReleased, "released", released_at=AT, enqueued=False)
    assert decide(waits, EVENTS[e.TaskReleased]) == Decision(changes=(chosen,))
    sent = moves(out, e.TaskEnqueued, "released", enqueued=True)
    assert decide(out, EVENTS[e.TaskEnqueued]) == Decision(changes=(sent,))
    late = e.TaskEnqueued(at=AT, released_at=AT - 1)
    assert ignored(out, late, "it was given back and chosen anew meanwhile")


def test_a_release_that_was_never_timed_is_of_the_beginning_of_time() -> None:
    out = a_task(TaskState.RELEASED)
    sent = decide(out, e.TaskEnqueued(at=AT, released_at=0.0))
    assert sent.changes == (moves(out, e.TaskEnqueued, "released", enqueued=True),)


@pytest.mark.parametrize("state", [TaskState.OPEN, TaskState.RELEASED])
def test_a_worker_that_begins_has_the_task_the_job_and_no_crash(state: TaskState) -> None:
    waits = a_task(state, attempts=1, heard_attempts=("nonce0",), fraction=0.4)
    started = EVENTS[e.TaskStarted]
    counted = {"attempts": 2, "heard_attempts": ("nonce0", "nonce1"), "began_at": AT}
    said = {"fraction": 0.0, "stage": "started", **AT_WORK}
    at_work = moves(waits, e.TaskStarted, "running", **said, **counted)
    noted = (commands.NoteWorkerStarted(pool="standard"),)
    assert decide(waits, started) == Decision(
        changes=(at_work, head(attempts=1), BEGAN), commands=noted
    )
    begins = Update(
        key=HEAD,
        set={"state": "running", "updated_at": AT},
        add={"attempts": 1},
        require={"state": "queued"},
        append={"story": ("TaskStarted: queued -> running",)},
    )
    queued = decide(waits, started, state=JobState.QUEUED)
    assert queued.changes == (at_work, begins, BEGAN)


def test_a_worker_that_is_believed_dead_and_begins_again_is_at_work_and_counted_once() -> None:
    waits = a_task(TaskState.OPEN)
    at_work = moves(waits, e.TaskStarted, "running", fraction=0.0, stage="started", **AT_WORK)
    assert decide(waits, EVENTS[e.TaskStarted]) == Decision(changes=(at_work, head()))


def test_a_worker_that_began_before_is_known_and_another_one_takes_over() -> None:
    task = a_task()
    assert ignored(task, EVENTS[e.TaskStarted], "the attempt is known")
    other = dataclasses.replace(EVENTS[e.TaskStarted], attempt="nonce2")
    (moved, *_) = decide(task, other).changes
    taken = {"fraction": 0.0, "stage": "started", **AT_WORK, "attempt": "nonce2"}
    counted = {"attempts": 2, "heard_attempts": ("nonce1", "nonce2"), "began_at": AT}
    assert moved == moves(task, e.TaskStarted, "running", **taken, **counted)


def test_progress_is_who_how_far_where_and_how_fast() -> None:
    task = a_task(TaskState.RELEASED, services=(SERVICE,))
    (moved,) = decide(task, EVENTS[e.TaskProgressed]).changes
    said = {"fraction": 0.5, "stage": "encoding", "speed": 2.0, **AT_WORK}
    assert moved == moves(task, e.TaskProgressed, "running", **said)
    beyond = dataclasses.replace(EVENTS[e.TaskProgressed], fraction=7.0)
    (moved,) = decide(task, beyond).changes
    assert moved == moves(task, e.TaskProgressed, "running", **said | {"fraction": 1.0})


@pytest.mark.parametrize("kind", [e.TaskStarted, e.TaskProgressed, e.TaskInterrupted, e.TaskFailed])
def test_words_of_an_attempt_that_has_ended_are_stale(kind: type[Any]) -> None:
    task = a_task(TaskState.RELEASED, ended_attempts=("nonce1",))
    assert ignored(task, EVENTS[kind], "the attempt has ended already")


def test_outputs_end_the_task_and_their_cost_is_kept() -> None:
    task = a_task(busy_seconds=3.0, services=("other",), ended_attempts=("nonce0",))
    done = moves(
        task,
        e.TaskEncoded,
        "done",
        artifacts=(msgspec.to_builtins(ARTIFACT),),
        note="",
        proof=None,
        fraction=1.0,
        stage="done",
        worker="w1",
        busy_seconds=13.0,
        ended_attempts=("nonce0", "nonce1"),
        services=("other", SERVICE),
        reported_at=AT,
    )
    assert decide(task, EVENTS[e.TaskEncoded]) == Decision(
        changes=(done, head(open_tasks=-1), cost(10.0)), commands=(COUNT, RELEASE)
    )


def test_a_word_from_no_service_costs_nobody() -> None:
    task = a_task()
    encoded = dataclasses.replace(EVENTS[e.TaskEncoded], service="")
    done, _ = decide(task, encoded).changes
    assert isinstance(done, Update) and done.set["services"] == ()


#: The task was cut, and its worker did not hear so: it brings the whole.
SCOPE = PLAN.scope(0)
WHOLE = EVENTS[e.TaskEncoded]
STRAY = failure("worker_failed", "it brought something else than its task")


def a_chunk(state: TaskState = TaskState.RUNNING, **fields: Any) -> TaskRow:
    return a_task(state, **({"kind": "chunk", "scope": SCOPE} | fields))


@pytest.mark.parametrize("attempt", ["nonce1", ""])
def test_what_fits_nowhere_is_a_failure_and_the_task_goes_out_again(attempt: str) -> None:
    task = a_chunk(attempt=attempt, busy_seconds=1.0, failures=limits.UNKNOWN_TRIES_MAX - 2)
    again = moves(
        task,
        e.TaskEncoded,
        "open",
        interruptions=1,
        failures=limits.UNKNOWN_TRIES_MAX - 1,
        last_failure=msgspec.to_builtins(STRAY),
        stage="not what the task is",
        busy_seconds=11.0,
        **LAST,
    )
    assert decide(task, WHOLE) == Decision(
        changes=(again, head(interruptions=1), cost(10.0)), commands=AGAIN
    )


def test_what_fits_nowhere_too_often_ends_the_job() -> None:
    task = a_chunk(failures=limits.UNKNOWN_TRIES_MAX - 1)
    assert decide(task, WHOLE) == Decision(
        changes=(leaves(task, e.TaskEncoded), *failed("TaskEncoded", STRAY), cost(10.0)),
        commands=TOLD,
    )


def test_what_fits_nowhere_from_one_who_has_the_task_no_more_only_costs() -> None:
    lost = "it is not what the task is"
    waits = a_chunk(TaskState.OPEN)
    assert decide(waits, WHOLE) == Decision(changes=(cost(10.0),), ignored=lost)
    ended = a_chunk(TaskState.RELEASED, ended_attempts=("nonce1",))
    assert decide(ended, WHOLE) == Decision(changes=(cost(10.0),), ignored=lost)
    taken = a_chunk(attempt="nonce2")
    assert decide(taken, WHOLE) == Decision(
        changes=(cost(10.0),), ignored="another attempt is at work"
    )


def test_a_chunk_of_which_no_plan_is_known_is_told_again_later() -> None:
    chunk = dataclasses.replace(WHOLE, scope=SCOPE)
    early = Decision(too_early="a chunk was done of which no plan is known")
    assert decide(a_task(), chunk) == early


@pytest.mark.parametrize("attempt", ["nonce1", ""])
def test_an_interruption_is_counted_and_the_task_goes_out_again(attempt: str) -> None:
    task = a_task(attempt=attempt, interruptions=1, busy_seconds=1.0)
    back = {"interruptions": 2, "stage": "spot_interruption", "busy_seconds": 6.0, **LAST}
    assert decide(task, EVENTS[e.TaskInterrupted]) == Decision(
        changes=(
            moves(task, e.TaskInterrupted, "open", **back),
            head(interruptions=1),
            cost(5.0),
        ),
        commands=AGAIN,
    )
    own = decide(task, EVENTS[e.TaskInterrupted], adopted=True).changes[0]
    assert own == moves(task, e.TaskInterrupted, "released", **back)


def test_an_interruption_of_another_attempt_takes_nothing_from_who_is_at_work() -> None:
    other = Decision(changes=(cost(5.0),), ignored="another attempt is at work")
    assert decide(a_task(attempt="nonce2"), EVENTS[e.TaskInterrupted]) == other
    late = a_task(TaskState.RELEASED, attempt="nonce2")
    assert decide(late, EVENTS[e.TaskInterrupted]).ignored == ""


@pytest.mark.parametrize(
    ("code", "state"), [("not_media", "failed"), ("source_replaced", "superseded")]
)
def test_bad_input_ends_the_job_with_what_it_cost(code: str, state: str) -> None:
    task = a_task(busy_seconds=1.0)
    why = failure(code)
    said = msgspec.to_builtins(why)
    event = dataclasses.replace(EVENTS[e.TaskRefused], failure=why)
    left = leaves(task, e.TaskRefused, last_failure=said, busy_seconds=2.0, **LAST)
    end = ends(state, f"TaskRefused: running -> {state}", failure=said)
    assert decide(task, event) == Decision(
        changes=(left, end, *counted(-1), cost(1.0)), commands=TOLD
    )


def test_a_failure_that_nobody_knows_leaves_the_task_on_its_queue() -> None:
    task = a_task(failures=1, busy_seconds=1.0)
    waits = moves(
        task,
        e.TaskFailed,
        "released",
        failures=2,
        last_failure=msgspec.to_builtins(failure("encoder_failed")),
        stage="failed, waiting for another try",
        busy_seconds=2.0,
        **LAST,
    )
    assert decide(task, EVENTS[e.TaskFailed]) == Decision(changes=(waits, head(), cost(1.0)))


def test_a_worker_that_outlives_its_grants_gets_new_ones() -> None:
    renewed = commands.RenewGrants(job_id="job1", task_id="encode")
    assert decide(a_task(), EVENTS[e.RenewalWanted]) == Decision(commands=(renewed,))


LETTER = e.TaskDeadLettered(at=AT, letter="l9")
LONG_AGO: dict[str, Any] = {"created_at": AT - limits.SILENCE_SECONDS - 1}


def lost(workers: int) -> dict[str, Any]:
    """Of the task, after so many vanished."""
    return {"lost": workers, "stage": "worker lost", "reported_at": AT}


def test_a_letter_of_a_task_that_waits_is_remembered_among_the_last_eight() -> None:
    task = a_task(TaskState.OPEN, letters=tuple(f"l{n}" for n in range(1, 9)))
    kept = moves(task, e.TaskDeadLettered, "open", letters=tuple(f"l{n}" for n in range(2, 10)))
    assert decide(task, LETTER) == Decision(
        changes=(kept,), ignored="the task will be released anew"
    )


def test_a_letter_that_no_failure_explains_is_as_many_lost_workers_as_it_was_received() -> None:
    task = a_task(TaskState.RELEASED)
    back = moves(task, e.TaskDeadLettered, "open", **lost(3), letters=("l9",))
    assert decide(task, LETTER) == Decision(changes=(back, head()), commands=AGAIN)
    judged = a_task(TaskState.RELEASED, letters=("l9",))
    assert ignored(judged, LETTER, "the letter was judged before")
    unnamed = a_task(TaskState.RELEASED, letters=("",))
    assert decide(unnamed, e.TaskDeadLettered(at=AT)).ignored == ""


@pytest.mark.parametrize(
    ("fields", "adopted", "code"),
    [
        ({"failures": limits.UNKNOWN_TRIES_MAX}, False, "worker_failed"),
        ({"lost": limits.LOST_WORKERS_MAX - limits.RECEIVES_MAX}, False, "worker_lost"),
        ({}, True, "worker_lost"),
    ],
)
def test_a_letter_ends_the_job_with_the_last_failure_or_what_it_stands_for(
    fields: dict[str, Any], adopted: bool, code: str
) -> None:
    for known in (None, failure("encoder_failed")):
        task = a_task(TaskState.RELEASED, **fields, last_failure=known)
        gone = (
            leaves(task, e.TaskDeadLettered),
            *failed("TaskDeadLettered", known or failure(code)),
        )
        assert decide(task, LETTER, adopted=adopted) == Decision(changes=gone, commands=TOLD)


def test_a_silent_worker_is_lost_and_one_that_was_heard_is_not() -> None:
    silent = a_task(**LONG_AGO, lost=4)
    back = moves(silent, e.TaskWentSilent, "open", **lost(5))
    assert decide(silent, EVENTS[e.TaskWentSilent]) == Decision(
        changes=(back, head()), commands=AGAIN
    )
    last = a_task(**LONG_AGO, lost=limits.LOST_WORKERS_MAX - 1)
    why = failure("worker_lost")
    ended = (leaves(last, e.TaskWentSilent), *failed("TaskWentSilent", why))
    assert decide(last, EVENTS[e.TaskWentSilent]) == Decision(changes=ended, commands=TOLD)
    heard = a_task(reported_at=AT - 1)
    assert ignored(heard, EVENTS[e.TaskWentSilent], "the task was heard of meanwhile")


def test_a_message_that_vanished_is_sent_again_unless_only_its_user_could() -> None:
    gone = a_task(TaskState.RELEASED, **LONG_AGO)
    back = moves(gone, e.MessageVanished, "open")
    assert decide(gone, EVENTS[e.MessageVanished]) == Decision(
        changes=(back, head()), commands=AGAIN
    )
    waits = moves(gone, e.MessageVanished, "released", **lost(1))
    assert decide(gone, EVENTS[e.MessageVanished], adopted=True).changes == (waits, head())
    for known in (None, failure("encoder_failed")):
        lost_all_but_one = limits.LOST_WORKERS_MAX - 1
        own = msgspec.structs.replace(gone, last_failure=known, lost=lost_all_but_one)
        why = known or failure("worker_lost")
        ended = (leaves(own, e.MessageVanished), *failed("MessageVanished", why))
        assert decide(own, EVENTS[e.MessageVanished], adopted=True).changes == ended
    sent = a_task(TaskState.RELEASED, released_at=AT - 1)
    reason = "the task was sent or heard of meanwhile"
    assert ignored(sent, EVENTS[e.MessageVanished], reason)


def test_last_words_about_a_task_that_is_done_only_cost() -> None:
    done = a_task(TaskState.DONE, services=("other",))
    known = Update(
        key=Key("job#job1", "task#encode"),
        set={"services": ("other", SERVICE), "version": 4},
        require={"version": 3},
    )
    assert decide(done, WHOLE) == Decision(
        changes=(cost(10.0), known), commands=(COUNT,), ignored="the task is done"
    )
    done = a_task(TaskState.DONE, services=(SERVICE,))
    assert decide(done, WHOLE) == Decision(
        changes=(cost(10.0),), commands=(COUNT,), ignored="the task is done"
    )
    for kind, seconds in ((e.TaskInterrupted, 5.0), (e.TaskRefused, 1.0), (e.TaskFailed, 1.0)):
        assert decide(done, EVENTS[kind]) == Decision(
            changes=(cost(seconds),), ignored="another attempt was first"
        )


def test_last_words_about_a_task_of_an_ended_job_cost_and_clear_the_index() -> None:
    task = a_task()
    assert machine.advance(LATE, task, EVENTS[e.TaskFailed]) == Decision(
        changes=(leaves(task, e.TaskFailed, **LAST), cost(1.0)), ignored="the job has ended"
    )
    for kind in (e.TaskReleased, e.TaskDropped, e.TaskWentSilent):
        assert machine.advance(LATE, task, EVENTS[kind]) == Decision(
            changes=(leaves(task, kind),), ignored="the job has ended"
        )


def test_a_worker_at_what_is_done_or_ended_is_told_why_it_shall_stop() -> None:
    reason = "the task is done or its job has ended"

    def told(code: str) -> Decision:
        stop = commands.StopWorkers(job_id="job1", task_id="encode", reason=code)
        return Decision(commands=(stop,), ignored=reason)

    assert decide(a_task(TaskState.DONE), EVENTS[e.TaskProgressed]) == told("done")
    assert machine.advance(LATE, a_task(), EVENTS[e.TaskProgressed]) == told("not_media")


def test_a_task_remembers_its_last_eight_attempts_and_its_last_turns() -> None:
    attempts = tuple(f"a{n}" for n in range(8))
    story = tuple(f"turn {n}" for n in range(limits.STORY_MAX))
    task = a_task(ended_attempts=attempts, story=story)
    (moved, *_) = decide(task, EVENTS[e.TaskFailed]).changes
    assert isinstance(moved, Update)
    assert moved.set["ended_attempts"] == (*attempts[1:], "nonce1")
    assert moved.set["story"] == [*story[1:], "TaskFailed: running -> released"]
    (left, *_) = decide(task, EVENTS[e.TaskRefused]).changes
    assert isinstance(left, Update)
    assert left.set["story"] == [*story[1:], "TaskRefused: running -> ended"]
