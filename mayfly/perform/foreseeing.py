"""Reads what a planner must know before it knows how many workers pay: open tasks, what was
predicted of their jobs, and what the other pools of the stack leave.

A look costs the same however much there is to do: so many tasks are read as the pool may have
workers, twice, and the heads of those jobs among them that were cut. That sees all of them sooner
or later, for tasks are released fairly: tenants in turns, and jobs of one tenant in rounds. It
decides nothing; `core/sizing.py` and `core/pool.py` do.
"""

import dataclasses
from collections.abc import Iterable

from mayfly.core import limits, pool, release, sizing
from mayfly.core.pool import PoolPolicy
from mayfly.core.rows import (
    JobHead,
    PoolRow,
    TaskRow,
    TaskState,
    from_item,
    head_key,
    out_tasks_partition,
    pool_key,
)
from mayfly.core.sizing import Neighbour, Remaining, Share, Size
from mayfly.perform import waiting
from mayfly.perform.world import World

#: Tasks that were opened just now, by job and name.
Opened = frozenset[tuple[str, str]]

#: Kinds of tasks that only a job has that was cut.
_PARTS = ("chunk", "audio")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What is open in a pool."""

    tasks: int = 0
    planned: tuple[Remaining, ...] = ()


NOTHING = Work()


def open_work(world: World, name: str, policy: PoolPolicy, opened: Opened) -> Work:
    """Open tasks, those of planned jobs and those that a large source will surely have included."""
    rows = open_tasks(world, name, pool.COUNTED * policy.workers_max)
    if not policy.finish_seconds:
        return Work(tasks=release.tries(rows))
    found = {(row.job_id, row.task_id): row for row in rows}
    for row in waiting.named(world, sorted(opened)):
        if row.pool == name and row.state is not TaskState.DONE:
            found[row.job_id, row.task_id] = row
    now, finish = world.clock.now(), policy.finish_seconds
    planned = {
        head.job_id: left
        for head in _heads(world, found.values())
        if (left := sizing.remaining(head, finish, now)) is not None
    }
    loose = [row for row in found.values() if row.job_id not in planned]
    extra = sum(sizing.foreseen(row, finish, policy.foreseen_workers_max, now) for row in loose)
    parts = sum(left.tasks for left in planned.values())
    backups = release.tries(list(found.values())) - len(found)
    return Work(tasks=len(loose) + extra + parts + backups, planned=tuple(planned.values()))


def open_tasks(world: World, name: str, most: int) -> list[TaskRow]:
    """Open and released tasks as the index tells them, so many at most; a backup attempt counts as
    one."""
    if not most:
        return []  # the stack no longer has this pool
    items = world.table.index(out_tasks_partition(name), limit=most)
    out = [from_item(TaskRow, item) for item in items]
    free = most - release.tries(out)
    return out + waiting.first_tasks(world, name, out, free) if free > 0 else out


def policy_of(world: World, name: str) -> PoolPolicy:
    """What a pool may have now, beside the stack's other pools."""
    others = [settings for settings in world.settings.pools if settings.name != name]
    if not others or not world.means.bounded:
        return world.policy(name)
    items = world.table.get(*(pool_key(other.name) for other in others))
    rows = [
        from_item(PoolRow, {"pool": other.name, **(item or {})})
        for other, item in zip(others, items, strict=True)
    ]
    sizes = [Size(vcpu=other.vcpu, memory_gib=other.memory_mib / 1024) for other in others]
    return world.policy(name, [_neighbour(*pair) for pair in zip(sizes, rows, strict=True)])


def _neighbour(size: Size, row: PoolRow) -> Neighbour:
    asked = {pool.SPOT: 0, pool.ON_DEMAND: 0}
    for service in row.services.values():
        asked[service.capacity_provider] += service.asked
    works = (row.open_jobs > 0 or row.foreign) and row.broken_at is None
    share = Share(spot=asked[pool.SPOT], on_demand=asked[pool.ON_DEMAND])
    return Neighbour(size=size, asked=share, works=works)


def _heads(world: World, rows: Iterable[TaskRow]) -> list[JobHead]:
    """Of the jobs among them that were cut, a batch of reads at most."""
    cut = dict.fromkeys(row.job_id for row in rows if row.kind in _PARTS)
    names = list(cut)[: limits.ROWS_PER_TRANSACTION]
    items = world.table.get(*map(head_key, names)) if names else []
    return [from_item(JobHead, item) for item in items if item]
