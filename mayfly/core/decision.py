"""What the core answers: changes to rows and commands. Also how rows and their index move together.

Shared by the transitions of jobs and of tasks; it holds no transition itself.
"""

import dataclasses
from typing import Any

import msgspec

from mayfly.contract.failure import Failure
from mayfly.core import commands, limits, release
from mayfly.core.changes import Change, Create, OneOf, Update
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
    tenant_key,
    tenant_order,
    tenants_partition,
    to_item,
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Changes happen together or not at all; commands are run after them."""

    changes: tuple[Change, ...] = ()
    commands: tuple[Command, ...] = ()
    #: Why nothing changed, when nothing did.
    ignored: str = ""
    #: The job that the same request means by now: a later run.
    later: str = ""
    #: What must be heard before this event: it shall be delivered again.
    too_early: str = ""


#: States in which a job still has work for its pool.
WORKING = OneOf((JobState.QUEUED.value, JobState.RUNNING.value, JobState.FINISHING.value))

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
    placed = _placed(task, target)
    values = {"state": target.value, "version": task.version + 1, "story": list(story)}
    return Update(
        key=task_key(task.job_id, task.task_id),
        set={**values, **placed, **_plain(fields)},
        remove=() if placed else ("gpk", "gsk"),
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


def head_update(head: JobHead, event: Event, **added: float) -> Update:
    """A working job gets on: counters are added. Its state stays, whatever it is by now."""
    return Update(
        key=head_key(head.job_id),
        set={"updated_at": event.at},
        add=added,
        require={"state": WORKING},
    )


def head_moved(
    head: JobHead, event: Event, target: JobState, require: dict[str, Any], **added: float
) -> Update:
    """The job goes from the state that was read to another."""
    return Update(
        key=head_key(head.job_id),
        set={"state": target.value, "updated_at": event.at},
        add=added,
        require={"state": head.state.value, **require},
        append={"story": (told(event, head.state, target),)},
    )


def head_running(head: JobHead, event: Event, **added: float) -> Update:
    """A worker is at it."""
    if head.state is JobState.QUEUED:
        return head_moved(head, event, JobState.RUNNING, {}, **added)
    return head_update(head, event, **added)


def task_created(head: JobHead, task: TaskRow) -> Create:
    """A new task, in its place in the index. Ending a job touches its head alone, so what lies
    beside it knows its end from the beginning."""
    placed = {**_placed(task, task.state), "expires_at": fades_at(head)}
    return Create(key=task_key(task.job_id, task.task_id), item={**to_item(task), **placed})


def new_task(head: JobHead, event: Event, state: TaskState, task_id: str, token: str) -> TaskRow:
    """A task of the job. What says when it is its turn is the job's."""
    return TaskRow(
        job_id=head.job_id,
        task_id=task_id,
        state=state,
        pool=head.pool,
        tenant=head.tenant,
        token=token,
        priority=head.priority,
        accepted_at=head.accepted_at,
        deadline_at=head.deadline_at,
        created_at=event.at,
        story=(told(event, None, state),),
    )


def fades_at(head: JobHead) -> int:
    """When what lies beside a head may go (DynamoDB's TTL)."""
    return int(head.accepted_at) + 2 * limits.RECORD_SECONDS


def pool_count(head: JobHead, event: Event, jobs: int) -> tuple[Update, Update]:
    """The pool has more or fewer open jobs, and so has the job's tenant there. A tenant that is new
    to the pool has its turn after all who wait; one that comes back keeps its place."""
    tenant: dict[str, Any] = {"tenant": head.tenant, "changed_at": event.at}
    place = {}
    if jobs > 0:
        tenant["gpk"] = tenants_partition(head.pool)
        place["gsk"] = tenant_order(event.at, head.tenant)
    return (
        Update(
            key=pool_key(head.pool), set={"pool": head.pool}, add={"open_jobs": jobs}, upsert=True
        ),
        Update(
            key=tenant_key(head.pool, head.tenant),
            set=tenant,
            initial=place,
            add={"open_jobs": jobs},
            upsert=True,
        ),
    )


def job_ends(
    head: JobHead,
    event: Event,
    target: JobState,
    failure: Failure | None = None,
    **added: float,
) -> tuple[Update, ...]:
    """The job reaches its end; a working job also leaves its pool's count. Counters are added.

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
        add=added,
        append={"story": (told(event, head.state, target),)},
        require={"state": head.state.value if head.state is JobState.PUBLISHING else WORKING},
    )
    if head.state is JobState.PUBLISHING:
        return (update,)
    return (update, *pool_count(head, event, -1))


def after_end(head: JobHead, failure: Failure | None = None) -> tuple[Command, ...]:
    """What follows every end. One that comes before all is done leaves room for other tasks."""
    freed = (commands.ReleaseTasks(pool=head.pool),) if failure is not None else ()
    return (*outcome_told(head, failure), *freed, commands.SeeToPool(pool=head.pool))


def outcome_told(head: JobHead, failure: Failure | None) -> tuple[Command, ...]:
    """The outcome of a job is told; that of one whose other tasks go on, when these are stopped."""
    if failure is not None and head.parts > 1 and not head.announced:
        return (commands.StopWorkers(job_id=head.job_id, reason=failure.code),)
    return (commands.AnnounceOutcome(job_id=head.job_id),)


def _placed(task: TaskRow, state: TaskState) -> dict[str, str]:
    """Where a task in this state stands in the index; nowhere when nothing is left to do."""
    match state:
        case TaskState.OPEN:
            partition = open_tasks_partition(task.pool, task.tenant)
        case TaskState.RELEASED | TaskState.RUNNING:
            partition = out_tasks_partition(task.pool)
        case _:
            return {}
    return {"gpk": partition, "gsk": release.order_of(task)}


def _plain(fields: dict[str, Any]) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(fields)
    return plain
