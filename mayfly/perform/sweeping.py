"""Looks at what lies on a jobs queue although the pool has no open work.

Three things can lie there: messages of jobs that have ended meanwhile (cancelled, failed by the
brake), which are thrown away; garbage, whose outcome is its refusal; and tasks that users put there
with URLs of their own, for which a worker must be hatched. Without this look, leftovers would hatch
workers again and again.
"""

import contextlib
from collections.abc import Sequence

from mayfly.contract import wire
from mayfly.contract.task import Task
from mayfly.contract.wire import Refusal
from mayfly.core.changes import Update
from mayfly.core.commands import Command
from mayfly.core.rows import ENDS, JobHead, PoolRow, from_item, head_key, pool_key
from mayfly.perform import letters
from mayfly.perform.ports import Conflict, HandleLost, Message, Queue, Temporary
from mayfly.perform.world import World

#: Messages looked at in one go; SQS hands out ten at most.
_LOOK_MAX = 10


def sweep(world: World, row: PoolRow) -> Sequence[Command]:
    """Called by the tick for a pool without open jobs. Raises Temporary.

    A look counts as a receive of the message, so it is taken once until a worker has come.
    """
    depth = world.jobs_queues[row.pool].depth()
    if row.foreign:
        if not depth.visible + depth.in_flight + depth.delayed:
            _mark(world, row.pool, foreign=False)
        return ()
    if not depth.visible:
        return ()
    todo: list[Command] = []
    foreign = False
    for message in world.jobs_queues[row.pool].receive(wait_seconds=0, limit=_LOOK_MAX):
        theirs, commands = _look_at(world, row.pool, message)
        todo.extend(commands)
        foreign = foreign or theirs
    if foreign:
        _mark(world, row.pool, foreign=True)
    return todo


def _look_at(world: World, pool: str, message: Message) -> tuple[bool, Sequence[Command]]:
    """Whether it is a user's own task, and what follows."""
    queue = world.jobs_queues[pool]
    try:
        task = wire.decode(Task, message.body)
    except Refusal:
        commands = letters.take_dead_task(world, message.body, message.message_id)
        _let_go(queue, message, back=False)
        return False, commands
    if task.job_id is None:
        _let_go(queue, message, back=True)
        return True, ()
    (item,) = world.table.get(head_key(task.job_id))
    ended = item is None or from_item(JobHead, item).state in ENDS
    _let_go(queue, message, back=not ended)  # opened since the pool was read
    return False, ()


def _let_go(queue: Queue, message: Message, *, back: bool) -> None:
    """Somebody else may have the message by now: then it is theirs to judge."""
    with contextlib.suppress(HandleLost):
        if back:
            queue.extend(message.handle, 0)
        else:
            queue.delete(message.handle)


def _mark(world: World, pool: str, *, foreign: bool) -> None:
    change = Update(key=pool_key(pool), set={"pool": pool, "foreign": foreign}, upsert=True)
    try:
        world.table.commit([change])
    except Conflict:  # it requires nothing, so another transaction was under way
        raise Temporary("A mark could not be written.") from None
