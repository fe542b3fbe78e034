"""Puts the next waiting tasks on a pool's queue.

Chosen first (a conditional change, so that two Lambdas choose it once), sent then, marked last: a
crash in between leaves a chosen task without its mark, which the tick sends again. A worker that
gets a message twice changes nothing that is committed.
"""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from mayfly.contract import wire
from mayfly.core import events, limits, release, straggler
from mayfly.core.decision import Decision
from mayfly.core.events import Event
from mayfly.core.rows import (
    ENDS,
    JobHead,
    JobSpec,
    PoolRow,
    TaskRow,
    TaskState,
    from_item,
    head_key,
    out_tasks_partition,
    spec_key,
    task_key,
)
from mayfly.perform import foreseeing, signing, waiting
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

#: Rows of the index that one look of the tick lets go one by one.
_LOOK_MAX = 100


def release_tasks(
    world: World, pool: str, opened: frozenset[tuple[str, str]], apply: Apply
) -> None:
    """Fills the pool's queue up to its measure. Raises Temporary."""
    out = out_tasks(world, pool)
    room = min(release.room(out, world.policy(pool).workers_max), limits.RELEASES_MAX)
    if not room:
        return
    tenants = waiting.tenants(world, pool)
    lines: list[release.Line] = []
    for some in release.looked_at(tenants, out):
        lines += waiting.lines(world, pool, some, room)
        if sum(len(line.tasks) for line in lines) >= room:
            break
    lines = waiting.with_opened(world, lines, opened - _names(out))
    chosen = release.release(lines, out, room)
    waiting.end_turns(world, pool, tenants, release.turned(tenants, lines, chosen))
    found = _read(world, chosen)
    sent = _choose_and_send(world, found, apply)
    if len(sent) < len(found):
        # Tasks of ended jobs were in the way of others.
        behind = _behind_ended(world, pool, lines, found)
        chosen = release.release(behind, (*out, *sent), room - len(sent))
        _choose_and_send(world, _read(world, chosen), apply)


def send_again(world: World, pool: str, apply: Apply) -> None:
    """Sends what a crash left chosen but unsent, unless the index was behind."""
    now = world.clock.now()
    for head, row, spec in _read(world, release.unsent(out_tasks(world, pool), now)):
        if head.state in ENDS or not release.unsent((row,), now):
            continue
        _send(world, row, spec)
        sent = events.TaskEnqueued(at=world.clock.now(), released_at=row.released_at or 0.0)
        apply(world, sent, row.job_id, row.task_id)


def back_up(world: World, row: PoolRow, apply: Apply) -> None:
    """Sends tasks that lag a second time, if nothing else waits for a worker. Raises Temporary."""
    out, now = out_tasks(world, row.pool), world.clock.now()
    free = straggler.free(out, foreseeing.policy_of(world, row.pool).workers_max)
    slow = [task for task in out if straggler.may_lag(task, now)]
    if not free or not slow or waiting.first_tasks(world, row.pool, out, 1):
        return
    start_seconds = straggler.start_seconds(row, out)
    found = _read(world, slow)
    heads = [(head, task) for head, task, _ in found]
    worst = straggler.worst(heads, free, now, start_seconds)
    for _, task, spec in found:
        if task in worst:
            lagged = events.TaskLagged(at=now, attempt=task.attempt, start_seconds=start_seconds)
            _back_up_one(world, task, spec, lagged, apply)


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


def stranded_tasks(world: World, pool: str) -> list[TaskRow]:
    """Tasks on the queue or in work of a pool that has no open jobs."""
    items = world.table.index(out_tasks_partition(pool), limit=_LOOK_MAX)
    return [from_item(TaskRow, item) for item in items]


def out_tasks(world: World, pool: str) -> list[TaskRow]:
    """Tasks on the queue or in work, as far as they matter for the measure."""
    measure = release.room((), world.policy(pool).workers_max)
    if not measure:
        return []  # the stack no longer has this pool
    items = world.table.index(out_tasks_partition(pool), limit=measure)
    return [from_item(TaskRow, item) for item in items]


def _behind_ended(
    world: World, pool: str, lines: Sequence[release.Line], found: Sequence[_Found]
) -> list[release.Line]:
    """What is left of the lines, and of those in which ended jobs stood, what stands behind."""
    looked = {(row.job_id, row.task_id) for _, row, _ in found}
    stopped = {row.tenant for head, row, _ in found if head.state in ENDS}
    pages = limits.PAGES_PER_RELEASE_MAX
    behind: list[release.Line] = []
    for line in lines:
        rows: Sequence[TaskRow] = line.tasks
        if line.tenant in stopped and pages:
            wanted = len(line.tasks)
            rows, seen = waiting.past_ended(world, pool, line.tenant, wanted=wanted, pages=pages)
            pages -= seen
        left = [row for row in rows if (row.job_id, row.task_id) not in looked]
        behind.append(release.line(line.tenant, left))
    return behind


def _names(rows: Sequence[TaskRow]) -> frozenset[tuple[str, str]]:
    return frozenset((row.job_id, row.task_id) for row in rows)


def _choose_and_send(world: World, found: Sequence[_Found], apply: Apply) -> list[TaskRow]:
    """Sends those whose jobs go on. One that fails stops no other: its error is raised when the
    others are sent."""
    failed: Exception | None = None
    live = [one for one in found if one[0].state not in ENDS]
    for head, row, spec in live:
        try:
            _choose_and_send_one(world, head, row, spec, apply)
        except Exception as error:  # noqa: BLE001 - raised below, after the others
            failed = failed or error
    if failed is not None:
        raise failed
    return [row for _, row, _ in live]


def _choose_and_send_one(
    world: World, head: JobHead, row: TaskRow, spec: JobSpec, apply: Apply
) -> None:
    released = events.TaskReleased(at=world.clock.now())
    if apply(world, released, row.job_id, row.task_id, known=(head, row)).ignored:
        return  # somebody else chose it, its job has ended, or the index was behind
    _send(world, row, spec)
    chosen = msgspec.structs.replace(
        row, state=TaskState.RELEASED, version=row.version + 1, released_at=released.at
    )
    sent = events.TaskEnqueued(at=world.clock.now(), released_at=released.at)
    apply(world, sent, row.job_id, row.task_id, known=(head, chosen))


def _back_up_one(
    world: World, row: TaskRow, spec: JobSpec, lagged: events.TaskLagged, apply: Apply
) -> None:
    if apply(world, lagged, row.job_id, row.task_id).ignored:
        return
    _send(world, row, spec)
    world.tally.add("BackupAttempts", pool=row.pool)
    sent = events.TaskEnqueued(at=world.clock.now(), released_at=lagged.at)
    apply(world, sent, row.job_id, row.task_id)


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
