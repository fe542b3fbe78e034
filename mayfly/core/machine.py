"""The machine of jobs and tasks: one table, total over (state, event).

Rules of this file:
1. All that decides which transition applies stands in TRANSITIONS and IGNORED, nowhere else.
2. Every pair of a state and an event of its kind is a transition, ignored with a reason, or
   illegal. A test walks the product.
3. An illegal event raises and changes nothing.

Theory of operation. A job is QUEUED when it is accepted, RUNNING when a worker has begun,
FINISHING when it was cut into parts and the last of them is done, PUBLISHING when its last task is
done, and then it ends. A task is OPEN in the table, RELEASED when
its message is on the queue, RUNNING when a worker said so, DONE when its outputs are proven. SQS
delivers twice, late and in any order, and a worker believed dead may come back. Hence:

- A report says which attempt speaks. Words of an attempt that has ended are stale.
- Whoever brings proven outputs first is taken (OPEN, RELEASED and RUNNING alike); later ones change
  nothing, for a DONE task ignores them.
- A task that lags may have two messages out. One is enough: when an attempt gives its message
  back, the task waits for the other and is not released once more.
- A task's row carries a version: two Lambdas cannot both act on what they read.
- A worker that cuts a long source says so, and the first plan wins. Of what a task is from then on
  nothing else is taken: not another plan's chunk, nor the whole.
- "Was that the last task?" is asked after the change, of the head, and by every tick.
- When a job has ended, each of its tasks counts as ENDED, whatever its row says: ending a job of
  10,000 tasks costs one write.
"""

from collections.abc import Callable
from typing import Any, get_args

from mayfly.core import events as e
from mayfly.core import of_backups as backup
from mayfly.core import of_jobs as job
from mayfly.core import of_plans as plan
from mayfly.core import of_reruns as rerun
from mayfly.core import of_tasks as task
from mayfly.core.decision import Decision
from mayfly.core.rows import ENDS, JobHead, JobState, TaskRow, TaskState

State = JobState | TaskState | None
Pair = tuple[State, type[Any]]

_Q, _R = JobState.QUEUED, JobState.RUNNING
_F, _P = JobState.FINISHING, JobState.PUBLISHING
_OPEN, _OUT, _RUN = TaskState.OPEN, TaskState.RELEASED, TaskState.RUNNING
_DONE, _ENDED = TaskState.DONE, TaskState.ENDED


def _each(states: tuple[State, ...], table: dict[type[Any], Any]) -> dict[Pair, Any]:
    return {(state, event): what for state in states for event, what in table.items()}


_END_STATES: tuple[State, ...] = tuple(sorted(ENDS))

TRANSITIONS: dict[Pair, Callable[..., Decision]] = {
    # --- jobs ---
    (None, e.RequestAccepted): job.nothing_on_request_accepted,
    (None, e.RequestRefused): job.nothing_on_request_refused,
    (None, e.TaskAdopted): job.nothing_on_task_adopted,
    **_each(
        (_Q, _R, _F),
        {
            e.RequestAccepted: job.working_on_request_accepted,
            e.TasksCounted: job.working_on_tasks_counted,
            e.TokensDrawn: plan.working_on_tokens_drawn,
            e.CancelRequested: job.working_on_cancel_requested,
            e.PoolBroke: job.working_on_pool_broke,
            e.TickPassed: job.working_on_tick_passed,
        },
    ),
    (_P, e.RequestAccepted): job.working_on_request_accepted,
    (_P, e.OutputsPublished): job.publishing_on_outputs_published,
    (_P, e.PublishFailed): job.publishing_on_publish_failed,
    (_P, e.TickPassed): job.publishing_on_tick_passed,
    **_each(
        _END_STATES,
        {
            e.RequestAccepted: rerun.ended_on_request_accepted,
            e.RequestRefused: job.ended_on_request_refused,
            e.RerunRequested: rerun.ended_on_rerun_requested,
            e.RequestRedriven: rerun.ended_on_request_redriven,
            e.OutcomeAnnounced: job.ended_on_outcome_announced,
            e.TickPassed: job.ended_on_tick_passed,
        },
    ),
    # --- tasks ---
    (_OPEN, e.TaskReleased): task.open_on_task_released,
    (_OUT, e.TaskEnqueued): task.released_on_task_enqueued,
    (_OPEN, e.TaskStarted): task.waiting_on_task_started,
    (_OUT, e.TaskStarted): task.waiting_on_task_started,
    (_RUN, e.TaskStarted): task.running_on_task_started,
    (_OUT, e.TaskInterrupted): task.out_on_task_interrupted,
    (_RUN, e.TaskInterrupted): task.out_on_task_interrupted,
    (_OPEN, e.TaskDeadLettered): task.open_on_task_dead_lettered,
    (_OUT, e.TaskDeadLettered): task.out_on_task_dead_lettered,
    (_RUN, e.TaskDeadLettered): task.out_on_task_dead_lettered,
    (_OUT, e.MessageVanished): task.released_on_message_vanished,
    (_RUN, e.TaskWentSilent): task.running_on_task_went_silent,
    (_RUN, e.TaskLagged): backup.running_on_task_lagged,
    (_RUN, e.TaskEnqueued): backup.running_on_task_enqueued,
    (_OUT, e.TaskProgressed): task.working_on_task_progressed,
    (_RUN, e.TaskProgressed): task.working_on_task_progressed,
    **_each(
        (_OPEN, _OUT, _RUN),
        {
            e.TaskPlanned: plan.working_on_task_planned,
            e.TaskEncoded: task.working_on_task_encoded,
            e.TaskRefused: task.working_on_task_refused,
            e.RenewalWanted: task.working_on_renewal_wanted,
        },
    ),
    (_OUT, e.TaskFailed): task.working_on_task_failed,
    (_RUN, e.TaskFailed): task.working_on_task_failed,
    (_DONE, e.TaskPlanned): plan.done_on_task_planned,
    (_DONE, e.TaskEncoded): task.done_on_task_encoded,
    **_each(
        (_DONE,),
        {
            e.TaskInterrupted: task.done_on_last_word,
            e.TaskRefused: task.done_on_last_word,
            e.TaskFailed: task.done_on_last_word,
        },
    ),
    **_each(
        (_ENDED,),
        {
            e.TaskEncoded: task.ended_on_last_word,
            e.TaskInterrupted: task.ended_on_last_word,
            e.TaskRefused: task.ended_on_last_word,
            e.TaskFailed: task.ended_on_last_word,
            e.TaskReleased: task.ended_on_nothing_to_do,
            e.TaskDropped: task.ended_on_nothing_to_do,
            e.TaskDeadLettered: task.ended_on_nothing_to_do,
            e.TaskWentSilent: task.ended_on_nothing_to_do,
            e.TaskLagged: task.ended_on_nothing_to_do,
            e.MessageVanished: task.ended_on_nothing_to_do,
        },
    ),
    (_ENDED, e.TaskPlanned): task.done_on_word_of_a_worker,
    **_each(
        (_DONE, _ENDED),
        {
            e.TaskStarted: task.done_on_word_of_a_worker,
            e.TaskProgressed: task.done_on_word_of_a_worker,
            e.RenewalWanted: task.done_on_word_of_a_worker,
        },
    ),
}

_LATE = "the job has ended"
_NO_JOB = "there is no such job"

IGNORED: dict[Pair, str] = {
    # --- jobs ---
    **_each(
        (None,),
        {
            e.RerunRequested: _NO_JOB,
            e.RequestRedriven: _NO_JOB,
            e.TasksCounted: _NO_JOB,
            e.TokensDrawn: _NO_JOB,
            e.CancelRequested: _NO_JOB,
            e.PoolBroke: _NO_JOB,
            e.TickPassed: _NO_JOB,
        },
    ),
    **_each(
        (_Q, _R, _F, _P, *_END_STATES),
        {e.TaskAdopted: "the task was adopted before"},
    ),
    **_each(
        (_Q, _R, _F, _P),
        {
            e.RequestRefused: "the job is known, and goes on",
            e.RerunRequested: "the job has not ended: it may still succeed",
            e.RequestRedriven: "the job is no dead request",
        },
    ),
    **_each(
        (_P,),
        {
            e.TasksCounted: "the job is being published already",
            e.TokensDrawn: "every task was opened, and is done",
            e.CancelRequested: "too late: every output is made",
            e.PoolBroke: "the job needs no worker any more",
        },
    ),
    **_each(
        _END_STATES,
        {
            e.TasksCounted: _LATE,
            e.TokensDrawn: _LATE,
            e.OutputsPublished: "published twice, by a redelivery",
            e.PublishFailed: _LATE,
            e.CancelRequested: _LATE,
            e.PoolBroke: _LATE,
        },
    ),
    # --- tasks ---
    (_OPEN, e.TaskProgressed): "the task was taken back from this attempt",
    (_OPEN, e.TaskInterrupted): "the task is back already",
    (_OPEN, e.TaskFailed): "the task was taken back from this attempt",
    (_OPEN, e.TaskWentSilent): "the task waits in the table, where silence is right",
    (_OPEN, e.TaskEnqueued): "a worker had it and gave it back meanwhile",
    (_OUT, e.TaskReleased): "somebody else released it",
    (_RUN, e.TaskReleased): "somebody else released it, and a worker has begun",
    (_OUT, e.TaskWentSilent): "the task waits on the queue, where silence is right",
    **_each((_OPEN, _OUT), {e.TaskLagged: "nobody is at it any more: it waits for a worker"}),
    **_each((_OPEN, _RUN, _DONE), {e.MessageVanished: "the task needs no message any more"}),
    **_each((_OPEN, _OUT, _RUN, _DONE), {e.TaskDropped: "its job goes on"}),
    **_each(
        (_DONE,),
        {
            e.TaskReleased: "released while it was being finished",
            e.TaskDeadLettered: "a spare copy of its message died",
            e.TaskWentSilent: "there is nothing left to say",
            e.TaskLagged: "it was quicker than the look",
        },
    ),
    **_each((_DONE, _ENDED), {e.TaskEnqueued: "sent while it was being finished"}),
}

_OF_TASKS = get_args(e.TaskEvent)


class IllegalEvent(Exception):
    """An event that cannot happen in this state: a bug, not a fault of the world."""

    def __init__(self, event: e.Event, state: State, story: tuple[str, ...]) -> None:
        self.event = event
        self.state = state
        told = "; ".join(story) or "nothing"
        super().__init__(f"{type(event).__name__} cannot happen to {state}. Its story: {told}.")


def state_of(head: JobHead | None, row: TaskRow | None, event: e.Event) -> State:
    """The state that an event meets: the task's for task events, the job's for job events."""
    if isinstance(event, _OF_TASKS):
        if head is None or row is None:
            raise IllegalEvent(event, None, ())
        return TaskState.ENDED if head.state in ENDS else row.state
    return head.state if head else None


def advance(head: JobHead | None, row: TaskRow | None, event: e.Event) -> Decision:
    """What an event means: changes to rows, and commands. Raises IllegalEvent."""
    state = state_of(head, row, event)
    pair = (state, type(event))
    if reason := IGNORED.get(pair):
        return Decision(ignored=reason)
    transition = TRANSITIONS.get(pair)
    if transition is None:
        raise IllegalEvent(event, state, (row.story if row else head.story if head else ()))
    if isinstance(event, _OF_TASKS):
        return transition(head, row, event)
    return transition(head, event)
