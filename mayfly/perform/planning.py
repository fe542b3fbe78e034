"""Sees to a pool: one planner at a time, level-triggered, ECS asked as little as possible.

A planner that finds the lease taken leaves a mark and goes; the one that holds it looks again
before it lets go, so nothing that was opened meanwhile waits for the tick.
"""

import contextlib
import logging
from collections.abc import Callable

from mayfly.core import limits, naming, pool, release
from mayfly.core.rows import PAUSED_KEY, PoolRow, from_item, pool_key, to_item
from mayfly.perform import foreseeing, lease, releasing
from mayfly.perform.foreseeing import Opened
from mayfly.perform.lease import Lease
from mayfly.perform.ports import Conflict, Gone, ServiceWanted, Temporary
from mayfly.perform.world import World

log = logging.getLogger("mayfly")

#: Looks within one lease; what is still unseen then, the tick sees.
_LOOKS_MAX = 4


def see_to_pool(world: World, name: str, *, settled: bool, opened: Opened = frozenset()) -> None:
    """Plans and acts until what was planned for is what is; `opened` are tasks that the index may
    not know yet. Raises Temporary."""
    if not name:
        return  # a refused request never had a pool
    if pool.is_idle(read_pool(world, name)[0]):
        return
    held = lease.take(world, name, settled=settled)
    if held is None:
        return
    refused = False
    try:
        for _ in range(_LOOKS_MAX):
            row, refused = _look_and_act(world, held, opened, settled=settled, refused=refused)
            if not refused and lease.let_go(world, held, row):
                return
    except lease.Ended as ended:
        log.info("%s", ended, extra={"action": "plan_pool"})
    except Exception:
        with contextlib.suppress(Temporary):
            lease.let_go(world, held, None)
        raise
    else:
        lease.let_go(world, held, None)


def open_task_count(world: World, name: str, workers_max: int) -> int:
    """Open and released tasks, and backup attempts at them, counted up to `workers_max`."""
    return min(release.tries(foreseeing.open_tasks(world, name, workers_max)), workers_max)


def read_pool(world: World, name: str) -> tuple[PoolRow, bool]:
    """The pool's row, and whether planners are paused."""
    item, paused = world.table.get(pool_key(name), PAUSED_KEY)
    return from_item(PoolRow, {"pool": name, **(item or {})}), paused is not None


def _look_and_act(
    world: World, held: Lease, opened: Opened, *, settled: bool, refused: bool
) -> tuple[PoolRow, bool]:
    """The row that was looked at, and whether ECS refused what followed from it, as it may have
    `refused` what followed from the look before."""
    name = held.pool
    row, paused = read_pool(world, name)
    settled = settled or row.settled_wanted
    policy = foreseeing.policy_of(world, name)
    open_work = foreseeing.NOTHING
    if row.open_jobs > 0:
        open_work = foreseeing.open_work(world, name, policy, opened)
    # The tick looks whatever was asked for: a call may have failed after its intent was written.
    must = settled or refused
    work = pool.work_of(row, open_work.tasks, paused)
    if not must and not pool.needs_a_look(row, work, policy, open_work.planned):
        return row, False
    seen = world.services.describe(list(row.services)) if row.services else []
    now = world.clock.now()
    plan = pool.plan_pool(
        pool.Observed(
            row=row,
            open_tasks=open_work.tasks,
            planned=open_work.planned,
            services=seen,
            paused=paused,
            settled=settled,
            moved_at=_moved_at(world, row, policy, now) if settled else None,
        ),
        policy,
        now,
        naming.service_name(name, world.dice.token()[:10]),
    )
    _write(world, held, plan)
    return row, _perform(world, held, plan)


def _moved_at(world: World, row: PoolRow, policy: pool.PoolPolicy, now: float) -> float | None:
    """When the released task that waits longest last moved, if that may matter."""
    if not pool.may_want_twin(row, policy, now):
        return None
    return min(map(release.last_moved, releasing.out_tasks(world, row.pool)), default=None)


def _perform(world: World, held: Lease, plan: pool.PoolPlan) -> bool:
    """Makes every call, also after one that failed: its error, the first of them, is raised when
    the others are made. Answers whether the world had moved on."""
    failed: Exception | None = None
    refused = False
    created: list[str] = []
    for command in plan.commands:
        lease.check(world, held)
        try:
            refused = not _call(world, held.pool, command) or refused
            if isinstance(command, pool.CreateService):
                created.append(command.name)
        except Exception as error:  # noqa: BLE001 - raised below, after the others
            failed = failed or error
    if created:
        services = {
            name: {**row, "created": True} if name in created else row
            for name, row in _plain(plan).items()
        }
        lease.write(world, held, {"services": services})
    if failed is not None:
        raise failed
    return refused


def _call(world: World, name: str, command: pool.ServiceCommand) -> bool:
    """Whether ECS did it."""
    log.info(
        "%s",
        f"{type(command).__name__} {command.name}",
        extra={"action": "plan_pool", "pool": name, "service_name": command.name},
    )
    match command:
        case pool.CreateService():
            world.services.create(_wanted(world, name, command))
            return True
        case pool.ResizeService():
            return done(lambda: world.services.resize(command.name, command.desired))
        case pool.DeleteService():
            return done(lambda: world.services.delete(command.name))


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


def done(call: Callable[[], None]) -> bool:
    """False when the world moved on between look and call; the next look sees how."""
    try:
        call()
        return True
    except (Gone, Conflict) as refused:
        log.info("%s", refused, extra={"action": "plan_pool"})
        return False


def _write(world: World, held: Lease, plan: pool.PoolPlan) -> None:
    fields: dict[str, object] = {
        "services": _plain(plan),
        "short_since": plan.short_since,
        "held_at": plan.held_at,
    }
    if plan.mend:
        # Who knows what still lies on the queue: the next tick looks at it anew.
        fields["crashes"], fields["foreign"] = 0, False
    lease.write(world, held, fields, remove=("broken_at",) if plan.mend else ())


def _plain(plan: pool.PoolPlan) -> dict[str, dict[str, object]]:
    return {service: to_item(row) for service, row in plan.services.items()}
