"""Reads who waits in a pool, and keeps that short: what ended jobs left behind is let go.

A pool's tenants stand in the index in the order of their last turns, and each tenant's waiting
tasks in the order in which they are due. So a look costs the same however much waits. It chooses
nothing; `core/release.py` does.
"""

import contextlib
import itertools
from collections.abc import Iterable, Sequence

from mayfly.core import events, limits, machine, release
from mayfly.core.changes import Change, Delete, Update
from mayfly.core.release import Line
from mayfly.core.rows import (
    ENDS,
    JobHead,
    TaskRow,
    TenantRow,
    from_item,
    head_key,
    idle_tenants_partition,
    open_tasks_partition,
    task_key,
    tenant_key,
    tenant_order,
    tenants_partition,
)
from mayfly.perform.ports import Conflict
from mayfly.perform.world import World

#: Rows of one look at a tenant's line, and of the transaction that lets them go.
_PAGE = limits.ROWS_PER_TRANSACTION


def tenants(world: World, pool: str) -> list[TenantRow]:
    """Those with open jobs, and some that had; the longest without a turn first."""
    items = world.table.index(tenants_partition(pool), limit=limits.TENANTS_READ_MAX)
    return [from_item(TenantRow, item) for item in items]


def head_of_line(world: World, pool: str, tenant: str, limit: int) -> list[TaskRow]:
    """The first tasks that wait for their turn among a tenant's."""
    items = world.table.index(open_tasks_partition(pool, tenant), limit=limit)
    return [from_item(TaskRow, item) for item in items]


def lines(world: World, pool: str, some: Sequence[TenantRow], limit: int) -> list[Line]:
    """The heads of these tenants' lines."""
    return [release.line(row.tenant, head_of_line(world, pool, row.tenant, limit)) for row in some]


def first_tasks(world: World, pool: str, out: Sequence[TaskRow], enough: int) -> list[TaskRow]:
    """Tasks that wait, whosever they are, until there are enough."""
    found: list[TaskRow] = []
    for row in itertools.chain(*release.looked_at(tenants(world, pool), out)):
        found += head_of_line(world, pool, row.tenant, enough - len(found))
        if len(found) >= enough:
            break
    return found


def with_opened(
    world: World, known: Sequence[Line], opened: Iterable[tuple[str, str]]
) -> list[Line]:
    """The lines with tasks that were opened just now, which the index may not know yet."""
    found = {line.tenant: list(line.tasks) for line in known}
    seen = {(row.job_id, row.task_id) for rows in found.values() for row in rows}
    for row in named(world, sorted(set(opened) - seen)):
        found.setdefault(row.tenant, []).append(row)
    return [release.line(tenant, rows) for tenant, rows in found.items()]


def end_turns(world: World, pool: str, known: Sequence[TenantRow], served: Iterable[str]) -> None:
    """Those who had their turn go to the end, and those who want none any more go aside. Unless
    somebody changes one of them at the same time: then the next look does it."""
    now = world.clock.now()
    changes: list[Change] = [
        Update(key=tenant_key(pool, tenant), set={"gsk": tenant_order(now, tenant)})
        for tenant in served
    ]
    aside = {"gpk": idle_tenants_partition(pool)}
    changes += [
        Update(key=tenant_key(pool, row.tenant), set=aside, require={"open_jobs": 0})
        for row in known
        if row.open_jobs <= 0
    ]
    if changes:
        with contextlib.suppress(Conflict):
            world.table.commit(changes[: limits.ROWS_PER_TRANSACTION])


def past_ended(
    world: World, pool: str, tenant: str, *, wanted: int, pages: int
) -> tuple[list[TaskRow], int]:
    """The first tasks of a tenant whose jobs go on, and how many pages were looked at for them.
    What is in their way is let go."""
    found: list[TaskRow] = []
    after = ""
    for page in range(pages):
        items = world.table.index(open_tasks_partition(pool, tenant), limit=_PAGE, after=after)
        rows = [from_item(TaskRow, item) for item in items]
        heads = _heads(world, rows)
        if heads:
            drop(world, [(heads[row.job_id], row) for row in rows if row.job_id in heads])
        found += [row for row in rows if row.job_id not in heads]
        if len(found) >= wanted or len(items) < _PAGE:
            return found, page + 1
        after = items[-1]["gsk"]
    return found, pages


def drop(world: World, ended: Sequence[tuple[JobHead, TaskRow]]) -> bool:
    """Lets go of tasks of ended jobs, all or none: one that has moved meanwhile stops it."""
    dropped = events.TaskDropped(at=world.clock.now())
    decided = [machine.advance(head, row, dropped) for head, row in ended]
    try:
        world.table.commit([change for decision in decided for change in decision.changes])
        return True
    except Conflict:
        return False


def see_out(world: World, pool: str) -> None:
    """Forgets tenants without open jobs, when nothing of theirs is left in the index."""
    end_turns(world, pool, tenants(world, pool), ())
    pages = limits.PAGES_PER_TICK_MAX
    partition = idle_tenants_partition(pool)
    for item in world.table.index(partition, limit=limits.TENANTS_LOOKED_AT_MAX):
        row = from_item(TenantRow, item)
        if head_of_line(world, pool, row.tenant, 1):
            _, looked = past_ended(world, pool, row.tenant, wanted=1, pages=pages)
            pages -= looked
        elif world.clock.now() - row.changed_at > limits.HEAL_SECONDS:
            gone = Delete(key=tenant_key(pool, row.tenant), require={"open_jobs": 0})
            with contextlib.suppress(Conflict):
                world.table.commit([gone])


def named(world: World, names: Sequence[tuple[str, str]]) -> list[TaskRow]:
    """Tasks by job and name, a page of them: as they are, whatever the index knows."""
    keys = [task_key(job_id, task_id) for job_id, task_id in names[:_PAGE]]
    items = world.table.get(*keys) if keys else []
    return [from_item(TaskRow, item) for item in items if item]


def _heads(world: World, rows: Sequence[TaskRow]) -> dict[str, JobHead]:
    """The heads of those of their jobs that have ended."""
    names = list(dict.fromkeys(row.job_id for row in rows))
    items = world.table.get(*(head_key(name) for name in names)) if names else []
    heads = [from_item(JobHead, item) for item in items if item]
    return {head.job_id: head for head in heads if head.state in ENDS}
