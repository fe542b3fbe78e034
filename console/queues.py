"""The commands about the flow of work: queues, pause."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from console import options, reach
from console.ends import speaking

if TYPE_CHECKING:
    from mayfly.perform.world import World

#: Waiting tasks are counted up to here; a person need not know more.
_COUNT_MAX = 1000


def queues(stack: options.StackName = None, as_json: options.AsJson = False) -> None:
    """Show every queue's depth, and the backlog that waits in the table behind it.

    JSON: {"stack", "where", "paused", "queues": [name, dead, visible, in_flight, delayed],
    "pools": [pool, open_jobs, waiting_tasks, out_tasks, tenants [tenant, open_jobs, waiting_tasks],
    services [name, asked, capacity_provider], broken]}. SQS's counts lag by up to a minute; tasks
    are counted up to 1000 a tenant, tenants up to 100.
    """
    with speaking(as_json) as voice:
        at = reach.reach(stack)
        depths = queue_documents(at)
        backlog = [_pool_document(at.world, pool.name) for pool in at.world.settings.pools]
        paused = is_paused(at.world)
        voice.document(
            {"stack": at.name, "where": at.where, "paused": paused}
            | {"queues": depths, "pools": backlog}
        )
        voice.table(
            ("QUEUE", "WAITING", "IN FLIGHT", "DELAYED"),
            [
                (one["name"], *(str(one[key]) for key in ("visible", "in_flight", "delayed")))
                for one in depths
            ],
        )
        voice.say("")
        voice.table(
            ("POOL", "OPEN JOBS", "WAITING TASKS", "OUT", "SERVICES"),
            [_pool_row(one) for one in backlog],
        )
        if paused:
            voice.say("Paused: no workers are hatched. `mayfly pause --off` ends it.")


def queue_documents(at: reach.Stack) -> list[dict[str, Any]]:
    """Each queue, each followed by its dead letters."""
    return [
        {
            "name": name,
            "dead": name.endswith("-dead"),
            "visible": depth.visible,
            "in_flight": depth.in_flight,
            "delayed": depth.delayed,
        }
        for name, depth in ((name, queue.depth()) for name, queue in at.queues.items())
    ]


def is_paused(world: "World") -> bool:
    """Whether planners are stopped."""
    from mayfly.core.rows import PAUSED_KEY

    return world.table.get(PAUSED_KEY)[0] is not None


def _pool_document(world: "World", name: str) -> dict[str, Any]:
    from mayfly.core.rows import out_tasks_partition
    from mayfly.perform import planning, waiting

    row, _ = planning.read_pool(world, name)
    tenants = [
        {
            "tenant": tenant.tenant,
            "open_jobs": tenant.open_jobs,
            "waiting_tasks": len(waiting.head_of_line(world, name, tenant.tenant, _COUNT_MAX)),
        }
        for tenant in waiting.tenants(world, name)
        if tenant.open_jobs > 0
    ]
    out = world.table.index(out_tasks_partition(name), limit=_COUNT_MAX)
    return {
        "pool": name,
        "open_jobs": row.open_jobs,
        "waiting_tasks": sum(tenant["waiting_tasks"] for tenant in tenants),
        "out_tasks": len(out),
        "tenants": tenants,
        "services": [
            {"name": s.name, "asked": s.asked, "capacity_provider": s.capacity_provider}
            for s in row.services.values()
        ],
        "broken": row.broken_at is not None,
    }


def _pool_row(one: dict[str, Any]) -> tuple[str, ...]:
    services = ", ".join(map(_service, one["services"])) or "none"
    waiting = one["waiting_tasks"]
    return (
        one["pool"] + (" (closed by the brake)" if one["broken"] else ""),
        str(one["open_jobs"]),
        f"{waiting}+" if waiting >= _COUNT_MAX else str(waiting),
        str(one["out_tasks"]),
        services,
    )


def _service(one: dict[str, Any]) -> str:
    """Spot is the rule and needs no word."""
    on_demand = one["capacity_provider"] == "FARGATE"
    return f"{one['name']} ({one['asked']}{' on-demand' if on_demand else ''})"


def pause(
    off: Annotated[bool, typer.Option("--off", help="Go on again.")] = False,
    stack: options.StackName = None,
    as_json: options.AsJson = False,
) -> None:
    """Stop hatching workers, for maintenance; requests are still taken and wait.

    Running workers finish what they do and leave. JSON: {"stack", "paused"}.
    """
    with speaking(as_json) as voice:
        from mayfly.core.changes import Delete, Put
        from mayfly.core.rows import PAUSED_KEY

        at = reach.reach(stack)
        now = at.world.clock.now()
        change = Delete(key=PAUSED_KEY) if off else Put(key=PAUSED_KEY, item={"paused_at": now})
        at.world.table.commit([change])
        voice.document({"stack": at.name, "paused": not off})
        if off:
            voice.say(f"{at.name} goes on: workers hatch with the next tick, within a minute.")
        else:
            voice.say(f"{at.name} is paused: no workers are hatched. End it: mayfly pause --off")
