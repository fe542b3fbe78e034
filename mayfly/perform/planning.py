"""Sees to a pool: one planner at a time, level-triggered, ECS asked as little as possible.

A planner that finds the lease taken leaves a mark and goes; the one that holds it looks again
before it lets go, so nothing that was opened meanwhile waits for the tick.
"""

import logging
from collections.abc import Callable

from mayfly.core import limits, naming, pool, release
from mayfly.core.changes import Below, Update
from mayfly.core.rows import (
    PAUSED_KEY,
    PoolRow,
    from_item,
    out_tasks_partition,
    pool_key,
    to_item,
)
from mayfly.perform import waiting
from mayfly.perform.ports import Conflict, Gone, ServiceWanted, Temporary
from mayfly.perform.world import World

log = logging.getLogger("mayfly")

#: Looks within one lease; what is still unseen then, the tick sees.
_LOOKS_MAX = 4


def see_to_pool(world: World, name: str, *, settled: bool) -> None:
    """Plans and acts until what was planned for is what is. Raises Temporary."""
    if not name:
        return  # a refused request never had a pool
    if pool.is_idle(read_pool(world, name)[0]):
        return
    owner = world.dice.token()
    if not _take_lease(world, name, owner):
        return
    try:
        for _ in range(_LOOKS_MAX):
            row = _look_and_act(world, name, owner, settled)
            if _let_go(world, name, owner, row.looks_wanted):
                return
    except Conflict:
        log.info("The lease ended under its planner.", extra={"action": "plan_pool"})
    except Temporary:
        _let_go(world, name, owner, None)
        raise
    _let_go(world, name, owner, None)


def open_task_count(world: World, name: str, workers_max: int) -> int:
    """Open and released tasks, counted up to `workers_max`."""
    if not workers_max:
        return 0  # the stack no longer has this pool
    count = len(world.table.index(out_tasks_partition(name), limit=workers_max))
    if count >= workers_max:
        return count
    for row in release.looked_at(waiting.tenants(world, name)):
        count += len(waiting.head_of_line(world, name, row.tenant, workers_max - count))
        if count >= workers_max:
            break
    return count


def read_pool(world: World, name: str) -> tuple[PoolRow, bool]:
    """The pool's row, and whether planners are paused."""
    item, paused = world.table.get(pool_key(name), PAUSED_KEY)
    return from_item(PoolRow, {"pool": name, **(item or {})}), paused is not None


def _look_and_act(world: World, name: str, owner: str, settled: bool) -> PoolRow:
    policy = world.policy(name)
    row, paused = read_pool(world, name)
    tasks = open_task_count(world, name, policy.workers_max) if row.open_jobs > 0 else 0
    target = pool.target_of(row, tasks, paused, policy)
    # The tick looks whatever was asked for: a call may have failed after its intent was written.
    if not (settled and row.services) and not pool.needs_a_look(row, pool.not_fewer(row, target)):
        return row
    seen = world.services.describe(list(row.services)) if row.services else []
    plan = pool.plan_pool(
        pool.Observed(row=row, open_tasks=tasks, services=seen, paused=paused, settled=settled),
        policy,
        world.clock.now(),
        naming.service_name(name, world.dice.token()[:10]),
    )
    _write_services(world, name, owner, plan)
    for command in plan.commands:
        _perform(world, name, command)
    created = [c.name for c in plan.commands if isinstance(c, pool.CreateService)]
    if created:
        _mark_created(world, name, owner, plan, created)
    return row


def _perform(world: World, name: str, command: pool.ServiceCommand) -> None:
    log.info(
        "%s",
        f"{type(command).__name__} {command.name}",
        extra={"action": "plan_pool", "pool": name, "service_name": command.name},
    )
    match command:
        case pool.CreateService():
            world.services.create(_wanted(world, name, command))
        case pool.ResizeService():
            _if_it_may(lambda: world.services.resize(command.name, command.desired))
        case pool.DeleteService():
            _if_it_may(lambda: world.services.delete(command.name))


def _wanted(world: World, name: str, command: pool.CreateService) -> ServiceWanted:
    expires = int(world.clock.now()) + limits.SERVICE_EXPIRES_SECONDS
    return ServiceWanted(
        name=command.name,
        pool=name,
        task_definition=command.task_definition,
        desired=command.desired,
        capacity_provider=command.capacity_provider,
        client_token=command.name[-36:],
        tags={
            "mayfly:stack": world.settings.stack,
            "mayfly:pool": name,
            "mayfly:expires": str(expires),
        },
    )


def _if_it_may(call: Callable[[], None]) -> None:
    """The world moved on between look and call; the next look sees how."""
    try:
        call()
    except (Gone, Conflict) as refused:
        log.info("%s", refused, extra={"action": "plan_pool"})


def _take_lease(world: World, name: str, owner: str) -> bool:
    now = world.clock.now()
    lease = Update(
        key=pool_key(name),
        set={"pool": name, "lease_owner": owner, "lease_until": now + limits.LEASE_SECONDS},
        require={"lease_until": Below(now)},
        upsert=True,
    )
    try:
        world.table.commit([lease])
        return True
    except Conflict:
        mark = Update(key=pool_key(name), add={"looks_wanted": 1})
        world.table.commit([mark])
        return False


def _let_go(world: World, name: str, owner: str, looks: int | None) -> bool:
    """Frees the lease; with `looks`, only if nobody wanted a look since that count was read."""
    require: dict[str, object] = {"lease_owner": owner}
    if looks is not None:
        require["looks_wanted"] = looks
    try:
        world.table.commit(
            [
                Update(
                    key=pool_key(name),
                    set={"lease_owner": "", "lease_until": 0.0},
                    require=require,
                )
            ]
        )
        return True
    except Conflict:
        return False


def _write_services(world: World, name: str, owner: str, plan: pool.PoolPlan) -> None:
    mended = ("broken_at",) if plan.mend else ()
    fields: dict[str, object] = {"services": _plain(plan)}
    if plan.mend:
        fields["crashes"] = 0
    world.table.commit(
        [
            Update(
                key=pool_key(name),
                set=fields,
                remove=mended,
                require={"lease_owner": owner},
            )
        ]
    )


def _mark_created(
    world: World, name: str, owner: str, plan: pool.PoolPlan, created: list[str]
) -> None:
    services = _plain(plan)
    for service in created:
        services[service]["created"] = True
    world.table.commit(
        [Update(key=pool_key(name), set={"services": services}, require={"lease_owner": owner})]
    )


def _plain(plan: pool.PoolPlan) -> dict[str, dict[str, object]]:
    return {service: to_item(row) for service, row in plan.services.items()}
