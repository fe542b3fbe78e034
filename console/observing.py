"""Sees a whole run at one moment: the rows, the queues, what ECS runs. For the demo.

Nothing here remembers or concludes; `narrating` tells what is new.
"""

import dataclasses
from collections.abc import Mapping, Sequence

from console import following, reach
from mayfly.aws.census import TaskSeen
from mayfly.core.rows import PoolRow
from mayfly.perform import planning
from mayfly.perform.ports import Depth, ServiceSeen


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One moment."""

    at: float
    #: None until the dispatcher has opened it.
    job: following.Look | None
    pool: PoolRow | None
    services: Sequence[ServiceSeen]
    workers: Sequence[TaskSeen]
    #: By the queue's short name.
    depths: Mapping[str, Depth]


def observe(at: reach.Stack, job_id: str, known: set[str]) -> Seen:
    """Everything, looked up now. `known` gathers the names of services that were seen.

    Effects before their causes: a look takes a second on a busy machine, and what shows a worker
    must show its service and its job too, or the story is told in the wrong order.
    """
    world = at.world
    workers = at.census.tasks()
    depths = {name: queue.depth() for name, queue in at.queues.items()}
    known.update(service.name for service in world.services.tagged())
    standing = world.services.describe(sorted(known)) if known else []
    job = following.look(world, job_id)
    pool = planning.read_pool(world, job.head.pool)[0] if job and job.head.pool else None
    known.update(pool.services if pool else ())
    return Seen(
        at=world.clock.now(),
        job=job,
        pool=pool,
        services=[service for service in standing if service.status != "INACTIVE"],
        workers=workers,
        depths=depths,
    )


def messages(depth: Depth) -> int:
    """All that is on a queue, whatever its state."""
    return depth.visible + depth.in_flight + depth.delayed


def left(seen: Seen) -> dict[str, int]:
    """What is still there, by name: services, tasks, and the messages on every queue."""
    queues = {f"messages on {name}": messages(depth) for name, depth in seen.depths.items()}
    return {"services": len(seen.services), "tasks": len(seen.workers), **queues}
