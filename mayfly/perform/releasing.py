"""Puts the next waiting tasks on a pool's queue.

Chosen first (a conditional change, so that two Lambdas choose it once), sent then, marked last: a
crash in between leaves a chosen task without its mark, which the tick sends again. A worker that
gets a message twice changes nothing that is committed.
"""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from mayfly.contract import wire
from mayfly.core import events, release
from mayfly.core.decision import Decision
from mayfly.core.events import Event
from mayfly.core.rows import (
    ENDS,
    JobHead,
    JobSpec,
    TaskRow,
    TaskState,
    from_item,
    head_key,
    open_tasks_partition,
    out_tasks_partition,
    spec_key,
    task_key,
)
from mayfly.perform import signing
from mayfly.perform.world import World


class Apply(Protocol):
    """`engine.apply`, handed in because the engine runs this module."""

    def __call__(
        self,
        world: World,
        event: Event,
        job_id: str,
        task_id: str | None = None,
        *,
        known: tuple[JobHead | None, TaskRow | None] | None = None,
    ) -> Decision:
        """See `engine.apply`."""


_Found = tuple[JobHead, TaskRow, JobSpec]

#: Three rows a task; BatchGetItem reads 100.
_READ_MAX = 33

#: Waiting tasks looked at in one go: the index is ordered, so the best come first.
_LOOK_MAX = 100


def release_tasks(
    world: World, pool: str, opened: frozenset[tuple[str, str]], apply: Apply
) -> None:
    """Fills the pool's queue up to its measure. Raises Temporary."""
    workers_max = world.policy(pool).workers_max
    out = out_tasks(world, pool)
    waiting = [
        from_item(TaskRow, item)
        for item in world.table.index(open_tasks_partition(pool), limit=_LOOK_MAX)
    ]
    seen = {(row.job_id, row.task_id) for row in (*waiting, *out)}
    waiting += _opened_just_now(world, sorted(opened - seen))
    for found in _read(world, release.release(waiting, out, workers_max)):
        _choose_and_send(world, found, apply)


def send_again(world: World, pool: str, apply: Apply) -> None:
    """Sends what a crash left chosen but unsent, unless the index was behind."""
    now = world.clock.now()
    for head, row, spec in _read(world, release.unsent(out_tasks(world, pool), now)):
        if head.state in ENDS or not release.unsent((row,), now):
            continue
        _send(world, row, spec)
        sent = events.TaskEnqueued(at=world.clock.now(), released_at=row.released_at or 0.0)
        apply(world, sent, row.job_id, row.task_id)


def drop_ended(world: World, rows: Sequence[TaskRow], apply: Apply) -> list[TaskRow]:
    """Lets go of tasks whose jobs have ended without a last word of their workers. Answers with
    the others, as they are now."""
    live: list[TaskRow] = []
    for head, row, _ in _read(world, rows):
        if head.state in ENDS:
            dropped = events.TaskDropped(at=world.clock.now())
            apply(world, dropped, row.job_id, row.task_id, known=(head, row))
        else:
            live.append(row)
    return live


def vanished(world: World, pool: str, out: Sequence[TaskRow]) -> Sequence[TaskRow]:
    """Tasks that wait on the queue although their message is not there. Raises Temporary."""
    now = world.clock.now()
    if not release.vanished(out, 0, 0, now):
        return ()  # none has waited for long enough to ask
    depth = world.jobs_queues[pool].depth()
    return release.vanished(out, depth.visible + depth.delayed, depth.in_flight, now)


def all_tasks(world: World, pool: str) -> list[TaskRow]:
    """Whatever the pool's index shows, as far as one look goes."""
    partitions = (out_tasks_partition(pool), open_tasks_partition(pool))
    items = [item for name in partitions for item in world.table.index(name, limit=_LOOK_MAX)]
    return [from_item(TaskRow, item) for item in items]


def out_tasks(world: World, pool: str) -> list[TaskRow]:
    """Tasks on the queue or in work, as far as they matter for the measure."""
    measure = release.room((), world.policy(pool).workers_max)
    if not measure:
        return []  # the stack no longer has this pool
    items = world.table.index(out_tasks_partition(pool), limit=measure)
    return [from_item(TaskRow, item) for item in items]


def _opened_just_now(world: World, unseen: Sequence[tuple[str, str]]) -> list[TaskRow]:
    if not unseen:
        return []
    keys = [task_key(job_id, task_id) for job_id, task_id in unseen[:_LOOK_MAX]]
    return [from_item(TaskRow, item) for item in world.table.get(*keys) if item]


def _choose_and_send(world: World, found: _Found, apply: Apply) -> None:
    head, row, spec = found
    released = events.TaskReleased(at=world.clock.now())
    if apply(world, released, row.job_id, row.task_id, known=(head, row)).ignored:
        return  # somebody else chose it, its job has ended, or the index was behind
    _send(world, row, spec)
    chosen = msgspec.structs.replace(
        row, state=TaskState.RELEASED, version=row.version + 1, released_at=released.at
    )
    sent = events.TaskEnqueued(at=world.clock.now(), released_at=released.at)
    apply(world, sent, row.job_id, row.task_id, known=(head, chosen))


def _read(world: World, rows: Sequence[TaskRow]) -> list[_Found]:
    """Head, task and spec of each row, many at once; what has vanished is left out."""
    found: list[_Found] = []
    for start in range(0, len(rows), _READ_MAX):
        some = rows[start : start + _READ_MAX]
        keys = [
            key
            for row in some
            for key in (
                head_key(row.job_id),
                task_key(row.job_id, row.task_id),
                spec_key(row.job_id),
            )
        ]
        items = world.table.get(*keys)
        for head, task, spec in zip(items[::3], items[1::3], items[2::3], strict=True):
            if head and task and spec:
                found.append(
                    (from_item(JobHead, head), from_item(TaskRow, task), from_item(JobSpec, spec))
                )
    return found


def _send(world: World, row: TaskRow, spec: JobSpec) -> None:
    if spec.source is None:
        return  # an adopted task came by its own message, which comes back by itself
    message = signing.task_message(world, row, spec)
    world.jobs_queues[row.pool].send(wire.encode(message))
