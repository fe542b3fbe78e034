"""Puts the next waiting tasks on a pool's queue.

Chosen first (a conditional change, so that two Lambdas choose it once), sent then, marked last: a
crash in between leaves a chosen task without its mark, which the tick sends again. A worker that
gets a message twice changes nothing that is committed.
"""

from collections.abc import Callable, Sequence

from mayfly.contract import wire
from mayfly.core import events, release
from mayfly.core.decision import Decision
from mayfly.core.events import Event
from mayfly.core.rows import (
    JobSpec,
    TaskRow,
    from_item,
    open_tasks_partition,
    out_tasks_partition,
    spec_key,
    task_key,
)
from mayfly.perform import signing
from mayfly.perform.world import World

#: `engine.apply`, handed in because the engine runs this module.
Apply = Callable[[World, Event, str, str | None], Decision]

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
    for row in release.release(waiting, out, workers_max):
        _choose_and_send(world, row, apply)


def send_again(world: World, pool: str, apply: Apply) -> None:
    """Sends what a crash left chosen but unsent."""
    for row in release.unsent(out_tasks(world, pool), world.clock.now()):
        _send(world, row)
        apply(world, events.TaskEnqueued(at=world.clock.now()), row.job_id, row.task_id)


def out_tasks(world: World, pool: str) -> list[TaskRow]:
    """Tasks on the queue or in work, as far as they matter for the measure."""
    items = world.table.index(out_tasks_partition(pool), limit=_LOOK_MAX)
    return [from_item(TaskRow, item) for item in items]


def _opened_just_now(world: World, unseen: Sequence[tuple[str, str]]) -> list[TaskRow]:
    if not unseen:
        return []
    items = world.table.get(*(task_key(job_id, task_id) for job_id, task_id in unseen))
    return [from_item(TaskRow, item) for item in items if item]


def _choose_and_send(world: World, row: TaskRow, apply: Apply) -> None:
    released = events.TaskReleased(at=world.clock.now())
    if not apply(world, released, row.job_id, row.task_id).changes:
        return  # somebody else chose it, or the index was behind
    _send(world, row)
    apply(world, events.TaskEnqueued(at=world.clock.now()), row.job_id, row.task_id)


def _send(world: World, row: TaskRow) -> None:
    (item,) = world.table.get(spec_key(row.job_id))
    if item is None:
        return
    message = signing.task_message(world, row, from_item(JobSpec, item))
    world.jobs_queues[row.pool].send(wire.encode(message))
