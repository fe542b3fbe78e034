"""What a task knows of the attempts at it: who was heard of, who has ended, what each cost.

SQS keeps no order, and an invocation that starts cold is slow: `started` may be the last word of an
attempt that anybody hears. So an attempt counts at the first of its words, whichever that is.
"""

import dataclasses
from collections.abc import Mapping

from mayfly.core import brake, commands, events, limits
from mayfly.core.changes import Change, Put, Update
from mayfly.core.commands import Command
from mayfly.core.rows import TaskRow, busy_key, task_key

#: How an attempt ends.
LastWord = events.TaskEncoded | events.TaskInterrupted | events.TaskRefused | events.TaskFailed

#: What an attempt may say of its work.
Word = events.TaskStarted | events.TaskProgressed | events.TaskPlanned | LastWord

#: How many attempts a task remembers in order to know their late words.
_REMEMBERED_MAX = 8


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FirstWord:
    """What a decision adds when an attempt was not heard of before; else all of it is empty."""

    task: Mapping[str, object] = dataclasses.field(default_factory=dict)
    head: Mapping[str, int] = dataclasses.field(default_factory=dict)
    changes: tuple[Change, ...] = ()
    commands: tuple[Command, ...] = ()


def first_word(task: TaskRow, event: Word) -> FirstWord:
    """One more attempt, a job that runs, and a worker that is no crash loop."""
    if event.attempt in task.heard_attempts:
        return FirstWord()
    heard = (*task.heard_attempts, event.attempt)[-_REMEMBERED_MAX:]
    return FirstWord(
        task={
            "attempts": task.attempts + 1,
            "heard_attempts": heard,
            "began_at": event.at,
        },
        head={"attempts": 1},
        changes=brake.begun(event.service, event.worker, event.at),
        commands=(commands.NoteWorkerStarted(pool=task.pool),),
    )


def seen(
    task: TaskRow, event: events.TaskStarted | events.TaskProgressed | events.TaskPlanned
) -> dict[str, object]:
    """Who is at work, as heard just now."""
    return {"attempt": event.attempt, "worker": event.worker, **_heard_from(task, event)}


def ended(task: TaskRow, event: LastWord) -> dict[str, object]:
    """Who is at work no more, as heard just now."""
    over = (*task.ended_attempts, event.attempt)[-_REMEMBERED_MAX:]
    return {"ended_attempts": over, **_heard_from(task, event)}


def busy(task: TaskRow, event: LastWord) -> tuple[Change, ...]:
    """What the attempt cost, once however often it is told."""
    if not event.service:
        return ()
    item = {
        "job_id": task.job_id,
        "seconds": event.busy_seconds,
        "expires_at": int(event.at) + limits.RECORD_SECONDS,
    }
    return (Put(key=busy_key(event.service, task.job_id, event.attempt), item=item),)


def measured(task: TaskRow, event: events.TaskEncoded) -> dict[str, int]:
    """What the task took beside what was predicted of it, for the head to add up. Of other parts of
    a plan than its chunks nothing is predicted."""
    if task.kind != "chunk" and not event.predicted_seconds:
        return {}
    took = {"done_ms": _ms(event.predicted_seconds), "took_ms": _ms(event.busy_seconds)}
    return {"chunks": 1, **took} if task.kind == "chunk" else took


def _ms(seconds: float) -> int:
    """Bounded: one worker that lies must not outweigh all others."""
    return round(min(max(seconds, 0.0), limits.HOLD_SECONDS_MAX) * 1000)


def late(task: TaskRow, event: LastWord) -> tuple[Change, ...]:
    """The same of an attempt at a task that is done. Its service may be one that nobody knew."""
    services = _heard_from(task, event)["services"]
    if services == task.services:
        return busy(task, event)
    known = Update(
        key=task_key(task.job_id, task.task_id),
        set={"services": services, "version": task.version + 1},
        require={"version": task.version},
    )
    return (*busy(task, event), known)


def _heard_from(task: TaskRow, event: Word) -> dict[str, object]:
    services = task.services
    if event.service and event.service not in services:
        services = (*services, event.service)
    return {"services": services, "reported_at": event.at}
