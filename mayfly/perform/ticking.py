"""The tick: once a minute, everything that a lost event or a crash may have left undone.

It asks the same questions as the events do and holds no logic of its own.
"""

import logging
from collections import Counter
from collections.abc import Sequence

from mayfly.core import commands, events, limits, pool, release
from mayfly.core.rows import OPEN_JOBS, JobHead, PoolRow, from_item
from mayfly.perform import engine, planning, releasing, sweeping, watching
from mayfly.perform.world import World

log = logging.getLogger("mayfly")

#: Unfinished jobs looked at in one tick, oldest first.
_JOBS_MAX = 500


def tick(world: World) -> Sequence[commands.Command]:
    """What there is to do. Raises Temporary."""
    todo: list[commands.Command] = list(_look_at_jobs(world))
    known: set[str] = set()
    for settings in world.settings.pools:
        row, _ = planning.read_pool(world, settings.name)
        known.update(row.services)
        todo.extend(_look_at_pool(world, row))
    _delete_orphans(world, frozenset(known))
    return todo


def _look_at_jobs(world: World) -> Sequence[commands.Command]:
    now = world.clock.now()
    heads = [from_item(JobHead, item) for item in world.table.index(OPEN_JOBS, limit=_JOBS_MAX)]
    for state, count in Counter(head.state.value for head in heads).items():
        world.tally.add("JobsByState", count, state=state)
    todo: list[commands.Command] = []
    for head in heads:
        if now - head.updated_at > limits.HEAL_SECONDS:
            passed = events.TickPassed(at=now)
            todo.extend(engine.apply(world, passed, head.job_id).commands)
    return todo


def _look_at_pool(world: World, row: PoolRow) -> Sequence[commands.Command]:
    name = row.pool
    todo: list[commands.Command] = []
    if row.open_jobs <= 0:
        todo.extend(sweeping.sweep(world, row))
    else:
        releasing.send_again(world, name, engine.apply)
        out = releasing.drop_ended(world, releasing.out_tasks(world, name), engine.apply)
        for task in release.silent(out, world.clock.now()):
            silent = events.TaskWentSilent(at=world.clock.now())
            todo.extend(engine.apply(world, silent, task.job_id, task.task_id).commands)
        for task in releasing.vanished(world, name, out):
            vanished = events.MessageVanished(at=world.clock.now())
            todo.extend(engine.apply(world, vanished, task.job_id, task.task_id).commands)
        todo.append(commands.ReleaseTasks(pool=name))
    if row.broken_at is not None:
        todo.extend(watching.break_pool(world, name))
    _measure(world, row)
    todo.append(commands.SeeToPool(pool=name, settled=True))
    return todo


def _measure(world: World, row: PoolRow) -> None:
    policy = world.policy(row.pool)
    tasks = planning.open_task_count(world, row.pool, policy.workers_max) if row.open_jobs else 0
    seen = world.services.describe(list(row.services)) if row.services else []
    running = sum(service.running for service in seen)
    world.tally.add("OpenJobs", row.open_jobs, pool=row.pool)
    world.tally.add("OpenTasks", tasks, pool=row.pool)
    world.tally.add("WorkersRunning", running, pool=row.pool)
    if running and row.open_jobs <= 0:
        world.tally.add("IdleWorkers", running, pool=row.pool)


def _delete_orphans(world: World, known: frozenset[str]) -> None:
    """Unknown services that outlived their tag. Known ones never go for that reason."""
    for service in world.services.tagged():
        if pool.is_orphan(service, known, world.clock.now()):
            log.warning(
                "An unknown service outlived its tag.", extra={"service_name": service.name}
            )
            if service.desired > 0:
                world.services.resize(service.name, 0)
            elif service.running == 0:
                world.services.delete(service.name)
                world.tally.add("UnknownServicesDeleted")
