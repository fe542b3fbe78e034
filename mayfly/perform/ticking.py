"""The tick: once a minute, everything that a lost event or a crash may have left undone.

It asks the same questions as the events do and holds no logic of its own.
"""

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from mayfly.core import commands, events, limits, pool, release
from mayfly.core.pool import ServiceSeen
from mayfly.core.rows import OPEN_JOBS, JobHead, PoolRow, from_item
from mayfly.perform import engine, planning, reconciling, releasing, sweeping, waiting, watching
from mayfly.perform.world import World

log = logging.getLogger("mayfly")

#: Unfinished jobs looked at in one tick, oldest first.
_JOBS_MAX = 500


class _Looks:
    """What the looks of one tick found to do. One that fails stops no other."""

    def __init__(self, world: World) -> None:
        self.todo: list[commands.Command] = []
        self.failed: Exception | None = None
        self._world = world

    def at(self, look: Callable[..., Sequence[commands.Command]], *given: Any) -> bool:
        """Whether it could be looked at."""
        try:
            self.todo.extend(look(self._world, *given))
        except Exception as error:
            self.failed = self.failed or error
            log.warning("A look of the tick failed.", exc_info=True)
            self._world.tally.add("LooksFailed")
            return False
        return True


def tick(world: World) -> Sequence[commands.Command]:
    """What there is to do. What cannot be looked at now is looked at by the next tick.

    Raises Temporary when nothing could be looked at.
    """
    looks = _Looks(world)
    looks.at(_look_at_jobs, looks)
    known: set[str] = set()
    pools = [settings.name for settings in world.settings.pools]
    read = [looks.at(_look_at_pool, name, looks, known) for name in pools]
    if all(read):
        looks.at(_look_at_services, looks, frozenset(known))
    looks.at(reconciling.reconcile, looks.at)
    if looks.failed is not None and not looks.todo:
        raise looks.failed
    return looks.todo


def _look_at_jobs(world: World, looks: _Looks) -> Sequence[commands.Command]:
    now = world.clock.now()
    heads = [from_item(JobHead, item) for item in world.table.index(OPEN_JOBS, limit=_JOBS_MAX)]
    for state, count in Counter(head.state.value for head in heads).items():
        world.tally.add("JobsByState", count, state=state)
    for head in heads:
        # A job whose first parts are being done moves all the time, and may lack the others.
        if head.opened < head.parts or now - head.updated_at > limits.HEAL_SECONDS:
            looks.at(_look_at_job, head)
    return ()


def _look_at_job(world: World, head: JobHead) -> Sequence[commands.Command]:
    now = world.clock.now()
    passed = engine.apply(world, events.TickPassed(at=now), head.job_id).commands
    if head.pool in ("", *(settings.name for settings in world.settings.pools)):
        return passed
    missing = events.PoolBroke(at=now, detail=f"the stack has no pool {head.pool}")
    return (*passed, *engine.apply(world, missing, head.job_id).commands)


def _look_at_pool(
    world: World, name: str, looks: _Looks, known: set[str]
) -> Sequence[commands.Command]:
    row, paused = planning.read_pool(world, name)
    known.update(row.services)
    if row.open_jobs <= 0:
        looked = looks.at(_look_at_leftovers, row)
        if row.foreign and not looked:
            return ()  # their tasks may be gone by now, and would hatch a worker for nothing
    else:
        looks.at(_look_at_tasks, row)
        if not paused and row.broken_at is None:
            looks.at(_look_at_stragglers, row)
        looks.todo.append(commands.ReleaseTasks(pool=name))
    if row.broken_at is not None:
        looks.at(watching.break_pool, name)
    looks.at(_see_tenants_out, name)
    looks.at(_measure, row)
    return (commands.SeeToPool(pool=name, settled=True),)


def _look_at_leftovers(world: World, row: PoolRow) -> Sequence[commands.Command]:
    """Without open jobs nothing should be in the index, nor on the queue."""
    releasing.drop_ended(world, releasing.stranded_tasks(world, row.pool), engine.apply)
    return sweeping.sweep(world, row)


def _see_tenants_out(world: World, name: str) -> Sequence[commands.Command]:
    waiting.see_out(world, name)
    return ()


def _look_at_tasks(world: World, row: PoolRow) -> Sequence[commands.Command]:
    todo: list[commands.Command] = []
    releasing.send_again(world, row.pool, engine.apply)
    out = releasing.drop_ended(world, releasing.out_tasks(world, row.pool), engine.apply)
    now = world.clock.now()
    if not pool.may_judge_silence(row, now):
        return ()
    for task in release.silent(out, now):
        silent = events.TaskWentSilent(at=now)
        todo.extend(engine.apply(world, silent, task.job_id, task.task_id).commands)
    for task in releasing.vanished(world, row.pool, out):
        vanished = events.MessageVanished(at=now)
        todo.extend(engine.apply(world, vanished, task.job_id, task.task_id).commands)
    return todo


def _look_at_stragglers(world: World, row: PoolRow) -> Sequence[commands.Command]:
    releasing.back_up(world, row, engine.apply)
    return ()


def _measure(world: World, row: PoolRow) -> Sequence[commands.Command]:
    policy = world.policy(row.pool)
    tasks = planning.open_task_count(world, row.pool, policy.workers_max) if row.open_jobs else 0
    seen = world.services.describe(list(row.services)) if row.services else []
    running = sum(service.running for service in seen)
    world.tally.add("OpenJobs", row.open_jobs, pool=row.pool)
    world.tally.add("OpenTasks", tasks, pool=row.pool)
    world.tally.add("WorkersRunning", running, pool=row.pool)
    on_demand = pool.on_demand_running(row, seen)
    if on_demand:
        world.tally.add("OnDemandWorkers", on_demand, pool=row.pool)
    if running and row.open_jobs <= 0:
        world.tally.add("IdleWorkers", running, pool=row.pool)
    return ()


def _look_at_services(
    world: World, looks: _Looks, known: frozenset[str]
) -> Sequence[commands.Command]:
    """Unknown services that outlived their tag leave as any other does: busy workers finish. Known
    ones never go for that reason."""
    for service in world.services.tagged():
        if pool.is_orphan(service, known, world.clock.now()):
            log.warning(
                "An unknown service outlived its tag.", extra={"service_name": service.name}
            )
            looks.at(_dismiss, service)
    return ()


def _dismiss(world: World, service: ServiceSeen) -> Sequence[commands.Command]:
    if service.desired > 0:
        planning.done(lambda: world.services.resize(service.name, 0))
    elif service.running + service.pending == 0 and planning.done(
        lambda: world.services.delete(service.name)
    ):
        world.tally.add("UnknownServicesDeleted")
    return ()
