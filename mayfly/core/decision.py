"""What the core answers: changes to rows and commands. Also how rows and their index move together.

Shared by the transitions of jobs and of tasks; it holds no transition itself.
"""

import dataclasses
from typing import Any

import msgspec

from mayfly.contract.failure import Failure
from mayfly.core import commands, limits
from mayfly.core.changes import Change, OneOf, Update
from mayfly.core.commands import Command
from mayfly.core.events import Event
from mayfly.core.rows import (
    JobHead,
    JobState,
    TaskRow,
    TaskState,
    head_key,
    open_tasks_partition,
    out_tasks_partition,
    pool_key,
    task_key,
    task_order,
    to_item,
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Changes happen together or not at all; commands are run after them."""

    changes: tuple[Change, ...] = ()
    commands: tuple[Command, ...] = ()
    #: Why nothing changed, when nothing did.
    ignored: str = ""


#: States in which a job still has work for its pool.
WORKING = OneOf((JobState.QUEUED.value, JobState.RUNNING.value))

#: States of a job whose outcome is yet to come.
UNFINISHED = OneOf((*WORKING.values, JobState.PUBLISHING.value))


def told(event: Event, source: str | None, target: str) -> str:
    """One entry of a story."""
    return f"{type(event).__name__}: {source or 'nothing'} -> {target}"


def task_update(task: TaskRow, event: Event, target: TaskState, **fields: Any) -> Update:
    """The task moves to `target`; the row must be as it was when the decision was made."""
    story = task.story
    if target is not task.state:
        story = (*story, told(event, task.state, target))[-limits.STORY_MAX :]
    index = {
        TaskState.OPEN: open_tasks_partition(task.pool),
        TaskState.RELEASED: out_tasks_partition(task.pool),
        TaskState.RUNNING: out_tasks_partition(task.pool),
    }.get(target)
    placed = {"gpk": index, "gsk": _order(task)} if index else {}
    values = {"state": target.value, "version": task.version + 1, "story": list(story)}
    return Update(
        key=task_key(task.job_id, task.task_id),
        set={**values, **placed, **_plain(fields)},
        remove=() if index else ("gpk", "gsk"),
        require={"version": task.version},
    )


def task_left(task: TaskRow, event: Event, **fields: Any) -> Update:
    """The task leaves the index because its job ends; its state stays: how far it was."""
    story = (*task.story, told(event, task.state, TaskState.ENDED))[-limits.STORY_MAX :]
    values = {"version": task.version + 1, "story": list(story)}
    return Update(
        key=task_key(task.job_id, task.task_id),
        set={**values, **_plain(fields)},
        remove=("gpk", "gsk"),
        require={"version": task.version},
    )


def head_update(head: JobHead, event: Event, target: JobState, **added: int) -> Update:
    """A working job gets on: counters are added, its state is set."""
    moved = target is not head.state
    return Update(
        key=head_key(head.job_id),
        set={"state": target.value, "updated_at": event.at},
        add=added,
        require={"state": WORKING},
        append={"story": (told(event, head.state, target),)} if moved else {},
    )


def pool_count(pool: str, jobs: int) -> Update:
    """The pool has more or fewer open jobs."""
    return Update(key=pool_key(pool), set={"pool": pool}, add={"open_jobs": jobs}, upsert=True)


def job_ends(
    head: JobHead, event: Event, target: JobState, failure: Failure | None = None
) -> tuple[Update, ...]:
    """The job reaches its end; a working job also leaves its pool's count.

    It stays in the index of open jobs until its outcome is announced.
    """
    end: dict[str, Any] = {
        "state": target.value,
        "updated_at": event.at,
        "ended_at": event.at,
        "expires_at": int(event.at) + limits.RECORD_SECONDS,
    }
    if failure is not None:
        end["failure"] = to_item(failure)
    update = Update(
        key=head_key(head.job_id),
        set=end,
        append={"story": (told(event, head.state, target),)},
        require={"state": head.state.value if head.state is JobState.PUBLISHING else WORKING},
    )
    if head.state is JobState.PUBLISHING:
        return (update,)
    return (update, pool_count(head.pool, -1))


def after_end(head: JobHead) -> tuple[Command, ...]:
    """What follows every end."""
    return (
        commands.AnnounceOutcome(job_id=head.job_id),
        commands.SeeToPool(pool=head.pool),
    )


def _order(task: TaskRow) -> str:
    return task_order(task.priority, task.created_at, task.job_id, task.task_id)


def _plain(fields: dict[str, Any]) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(fields)
    return plain
