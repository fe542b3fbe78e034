"""The transitions of tasks, one function each; which applies when stands in `machine.py`.

Each takes the head and the task as they were read and an event. A worker may be late, twice, or
long believed dead: whoever brings proven outputs first is taken, everybody else changes nothing.
"""

import dataclasses

from mayfly.contract.failure import Failure, failure
from mayfly.core import commands, events, limits, release
from mayfly.core.attempts import LastWord, busy, ended, first_word, late, measured, seen
from mayfly.core.decision import (
    Decision,
    after_end,
    head_running,
    head_update,
    job_ends,
    task_left,
    task_update,
)
from mayfly.core.of_backups import beside, one_left, over
from mayfly.core.rows import JobHead, JobState, TaskRow, TaskState

#: How many of its dead letters a task remembers.
_LETTERS_MAX = 8


def open_on_task_released(head: JobHead, task: TaskRow, event: events.TaskReleased) -> Decision:
    """It is this Lambda's to send; a crash before that is healed by `enqueued` being false."""
    released = task_update(task, event, TaskState.RELEASED, released_at=event.at, enqueued=False)
    return Decision(changes=(released,))


def released_on_task_enqueued(head: JobHead, task: TaskRow, event: events.TaskEnqueued) -> Decision:
    """Nobody need send it again."""
    if (task.released_at or 0.0) != event.released_at:
        return Decision(ignored="it was given back and chosen anew meanwhile")
    return Decision(changes=(task_update(task, event, TaskState.RELEASED, enqueued=True),))


def waiting_on_task_started(head: JobHead, task: TaskRow, event: events.TaskStarted) -> Decision:
    """A worker has begun. Also when the task was taken back meanwhile: somebody is at it."""
    if event.attempt in task.ended_attempts:
        return Decision(ignored="the attempt has ended already")
    first = first_word(task, event)
    # Beside one that lags it is the second, and the first is as far as it was.
    fraction = task.fraction if task.lagging else 0.0
    at_work = {"fraction": fraction, "stage": "started", **seen(task, event), **first.task}
    return Decision(
        changes=(
            task_update(task, event, TaskState.RUNNING, **at_work),
            head_running(head, event, **first.head),
            *first.changes,
        ),
        commands=first.commands,
    )


def running_on_task_started(head: JobHead, task: TaskRow, event: events.TaskStarted) -> Decision:
    """Another worker has begun: the first one vanished, or its message was delivered twice."""
    if event.attempt == task.attempt:
        return Decision(ignored="the attempt is known")
    return waiting_on_task_started(head, task, event)


def working_on_task_progressed(
    head: JobHead, task: TaskRow, event: events.TaskProgressed
) -> Decision:
    """The attempt got on. Another attempt's slower progress does not turn the bar back."""
    if event.attempt in task.ended_attempts:
        return Decision(ignored="the attempt has ended already")
    first = first_word(task, event)
    on = task_update(
        task,
        event,
        TaskState.RUNNING,
        fraction=max(task.fraction, min(event.fraction, 1.0)),
        stage=event.stage,
        speed=event.speed,
        **seen(task, event),
        **first.task,
    )
    # The head is left alone by all but the first: it is one row, and has many tasks.
    heads = (head_running(head, event, **first.head),) if first.head else ()
    return Decision(changes=(on, *heads, *first.changes), commands=first.commands)


def working_on_task_encoded(head: JobHead, task: TaskRow, event: events.TaskEncoded) -> Decision:
    """The outputs are stored and proven: the first who says so is taken, if it is what the task
    is. A chunk of a task that nobody is known to have cut came before its plan."""
    if event.scope != task.scope:
        if task.kind == "encode" and not head.adopted:
            return Decision(too_early="a chunk was done of which no plan is known")
        return _strayed(head, task, event)
    if task.kind in ("chunk", "audio") and any(made.pieces for made in event.artifacts):
        return _strayed(head, task, event)  # whoever joins the parts reads each as one object
    first = first_word(task, event)
    return Decision(
        changes=(
            task_update(
                task,
                event,
                TaskState.DONE,
                artifacts=event.artifacts,
                note=event.note,
                proof=event.proof,
                fraction=1.0,
                stage="done",
                worker=event.worker,
                busy_seconds=task.busy_seconds + event.busy_seconds,
                **over(task),
                **ended(task, event),
                **first.task,
            ),
            head_running(head, event, open_tasks=-1, **measured(task, event), **first.head),
            *busy(task, event),
            *first.changes,
        ),
        commands=(
            commands.CountTasks(job_id=head.job_id),
            commands.ReleaseTasks(pool=task.pool),
            # Else the other attempt would hear of it after its own next word.
            *(_stopped(head, task) if task.lagging else ()),
            *first.commands,
        ),
    )


def _strayed(head: JobHead, task: TaskRow, event: events.TaskEncoded) -> Decision:
    """A chunk of another plan, in pieces, or the whole of what is a chunk by now: work that fits
    nowhere. Its message is gone, so who held the task has given it back."""
    if task.state is TaskState.OPEN or event.attempt in task.ended_attempts:
        return Decision(changes=busy(task, event), ignored="it is not what the task is")
    if _is_anothers(task, event):
        return Decision(changes=busy(task, event), ignored="another attempt is at work")
    why = failure("worker_failed", "it brought something else than its task")
    if head.adopted or task.failures + 1 >= limits.UNKNOWN_TRIES_MAX:
        given_up = _given_up(head, task, event, why)
        return dataclasses.replace(given_up, changes=(*given_up.changes, *busy(task, event)))
    failed = {"failures": task.failures + 1, "last_failure": why, "stage": "not what the task is"}
    return _given_back(head, task, event, **failed)


def out_on_task_interrupted(
    head: JobHead, task: TaskRow, event: events.TaskInterrupted
) -> Decision:
    """Back into the table and out again to another worker. Nobody's fault; counted."""
    if event.attempt in task.ended_attempts:
        return Decision(ignored="the attempt has ended already")
    if _is_anothers(task, event):
        return Decision(changes=busy(task, event), ignored="another attempt is at work")
    return _given_back(head, task, event, stage=event.reason)


def _is_anothers(task: TaskRow, event: LastWord) -> bool:
    """Whether the task's only message, as far as anybody knows, is in somebody else's hands."""
    others = task.attempt not in ("", event.attempt)
    return others and task.state is TaskState.RUNNING and not task.lagging


def _given_back(
    head: JobHead,
    task: TaskRow,
    event: events.TaskInterrupted | events.TaskEncoded,
    **fields: object,
) -> Decision:
    """An attempt has ended without outputs and deleted its message: the task is released anew,
    unless a second message is out."""
    first = first_word(task, event)
    target, left = one_left(task, event.attempt) if task.lagging else (_back(head), {})
    return Decision(
        changes=(
            task_update(
                task,
                event,
                target,
                interruptions=task.interruptions + 1,
                busy_seconds=task.busy_seconds + event.busy_seconds,
                **ended(task, event),
                **first.task,
                **left,
                **fields,
            ),
            head_running(head, event, interruptions=1, **first.head),
            *busy(task, event),
            *first.changes,
        ),
        commands=(*(() if task.lagging else _released_anew(head, task)), *first.commands),
    )


def working_on_task_refused(head: JobHead, task: TaskRow, event: events.TaskRefused) -> Decision:
    """Bad input: tried once. A source that was replaced meanwhile is not a failure."""
    replaced = event.failure.code == "source_replaced"
    target = JobState.SUPERSEDED if replaced else JobState.FAILED
    first = first_word(task, event)
    return Decision(
        changes=(
            task_left(
                task,
                event,
                last_failure=event.failure,
                busy_seconds=task.busy_seconds + event.busy_seconds,
                **ended(task, event),
                **first.task,
            ),
            *job_ends(head, event, target, event.failure, **first.head),
            *busy(task, event),
            *first.changes,
        ),
        commands=(*after_end(head, event.failure), *first.commands),
    )


def working_on_task_failed(head: JobHead, task: TaskRow, event: events.TaskFailed) -> Decision:
    """Nobody knows why. Its message is back on the queue, whether or not another one is out; after
    the last try it is dead-lettered, and the letter ends the job."""
    if event.attempt in task.ended_attempts:
        return Decision(ignored="the attempt has ended already")
    first = first_word(task, event)
    other = beside(task, event.attempt) if task.lagging else ""
    return Decision(
        changes=(
            task_update(
                task,
                event,
                TaskState.RUNNING if other else TaskState.RELEASED,
                failures=task.failures + 1,
                last_failure=event.failure,
                stage="failed, waiting for another try",
                busy_seconds=task.busy_seconds + event.busy_seconds,
                **ended(task, event),
                **first.task,
                **({"attempt": other} if other else {}),
            ),
            head_running(head, event, **first.head),
            *busy(task, event),
            *first.changes,
        ),
        commands=first.commands,
    )


def working_on_renewal_wanted(
    head: JobHead, task: TaskRow, event: events.RenewalWanted
) -> Decision:
    """The worker finds new URLs in its control object."""
    return Decision(commands=(commands.RenewGrants(job_id=head.job_id, task_id=task.task_id),))


def open_on_task_dead_lettered(
    head: JobHead, task: TaskRow, event: events.TaskDeadLettered
) -> Decision:
    """The task will be released anew; the letter is remembered, lest it count against that."""
    return Decision(
        changes=(task_update(task, event, TaskState.OPEN, letters=_letters(task, event)),),
        ignored="the task will be released anew",
    )


def out_on_task_dead_lettered(
    head: JobHead, task: TaskRow, event: events.TaskDeadLettered
) -> Decision:
    """Judged by its attempts: failures end the job, vanished workers are forgiven once.

    A task that a user brought is not forgiven: its URLs have died with its message.
    """
    if event.letter and event.letter in task.letters:
        return Decision(ignored="the letter was judged before")
    letters = _letters(task, event)
    if task.failures >= limits.UNKNOWN_TRIES_MAX:
        return _given_up(head, task, event, task.last_failure or failure("worker_failed"))
    if head.adopted:
        return _given_up(head, task, event, task.last_failure or failure("worker_lost"))
    return _lost_again(
        head, task, event, limits.RECEIVES_MAX, is_left=bool(task.lagging), letters=letters
    )


def running_on_task_went_silent(
    head: JobHead, task: TaskRow, event: events.TaskWentSilent
) -> Decision:
    """Its worker vanished and its message with it."""
    if not release.is_overdue(task, event.at):
        return Decision(ignored="the task was heard of meanwhile")
    return _lost_again(head, task, event, 1)


def released_on_message_vanished(
    head: JobHead, task: TaskRow, event: events.MessageVanished
) -> Decision:
    """A report was lost with its message, or somebody emptied the queue: it is sent again."""
    if not release.is_overdue(task, event.at):
        return Decision(ignored="the task was sent or heard of meanwhile")
    if head.adopted:
        # Nobody can send it again; its last report may be hidden behind an invocation that died.
        return _lost_again(head, task, event, 1)
    return Decision(
        changes=(task_update(task, event, TaskState.OPEN, **over(task)), head_update(head, event)),
        commands=_released_anew(head, task),
    )


def done_on_task_encoded(head: JobHead, task: TaskRow, event: events.TaskEncoded) -> Decision:
    """Told twice: whether it was the last task may have gone unasked in a crash."""
    return Decision(
        changes=late(task, event),
        commands=(commands.CountTasks(job_id=head.job_id),),
        ignored="the task is done",
    )


def done_on_last_word(head: JobHead, task: TaskRow, event: LastWord) -> Decision:
    """Another attempt was first; what this one cost is still the job's."""
    return Decision(changes=late(task, event), ignored="another attempt was first")


def ended_on_last_word(head: JobHead, task: TaskRow, event: LastWord) -> Decision:
    """Too late to matter, but the task leaves its pool's index, and its cost is the job's."""
    left = task_left(task, event, **ended(task, event))
    return Decision(changes=(left, *busy(task, event)), ignored="the job has ended")


def ended_on_nothing_to_do(head: JobHead, task: TaskRow, event: events.TaskEvent) -> Decision:
    """Ending a job touches its head alone; its tasks leave the index when somebody meets them."""
    return Decision(changes=(task_left(task, event),), ignored="the job has ended")


def done_on_word_of_a_worker(head: JobHead, task: TaskRow, event: events.TaskEvent) -> Decision:
    """Somebody works on what is done or ended: it is told to stop."""
    reason = head.failure.code if head.failure else "done"
    return Decision(
        commands=_stopped(head, task, reason), ignored="the task is done or its job has ended"
    )


def _stopped(head: JobHead, task: TaskRow, reason: str = "done") -> tuple[commands.Command, ...]:
    return (commands.StopWorkers(job_id=head.job_id, task_id=task.task_id, reason=reason),)


def _released_anew(head: JobHead, task: TaskRow) -> tuple[commands.Command, ...]:
    opened = frozenset({(head.job_id, task.task_id)})
    return (
        commands.ReleaseTasks(pool=task.pool, opened=opened),
        commands.SeeToPool(pool=task.pool),
    )


def _letters(task: TaskRow, event: events.TaskDeadLettered) -> tuple[str, ...]:
    return (*task.letters, event.letter)[-_LETTERS_MAX:]


def _lost_again(
    head: JobHead,
    task: TaskRow,
    event: events.TaskEvent,
    workers: int,
    *,
    is_left: bool = False,
    **fields: object,
) -> Decision:
    """`is_left`: a second message of the task is out, or about to be sent."""
    if task.lost + workers >= limits.LOST_WORKERS_MAX:
        return _given_up(head, task, event, task.last_failure or failure("worker_lost"))
    # A user's own task cannot be sent again; it waits for its message, which comes back by itself.
    known = {"lost": task.lost + workers, "stage": "worker lost", "reported_at": event.at}
    target = _back(head)
    if is_left:
        target = task.state if task.enqueued else TaskState.RELEASED
    return Decision(
        changes=(
            task_update(task, event, target, **known, **over(task), **fields),
            head_update(head, event),
        ),
        commands=() if is_left else _released_anew(head, task),
    )


def _back(head: JobHead) -> TaskState:
    """Where a task waits for its next worker: in the table, or by a message that only its user
    could write."""
    return TaskState.RELEASED if head.adopted else TaskState.OPEN


def _given_up(head: JobHead, task: TaskRow, event: events.TaskEvent, why: Failure) -> Decision:
    return Decision(
        changes=(task_left(task, event), *job_ends(head, event, JobState.FAILED, why)),
        commands=after_end(head, why),
    )
