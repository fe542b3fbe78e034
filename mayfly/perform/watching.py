"""Takes ECS task events: what is billed, who crashed, and that a pool may be ready to close."""

import contextlib
import datetime
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from mayfly.core import brake, commands, events, limits, naming, release
from mayfly.core.brake import WorkerStopped
from mayfly.core.changes import Absent, Put, Update
from mayfly.core.pool import has_twin
from mayfly.core.rows import (
    TaskRow,
    billed_key,
    first_act_key,
    from_item,
    out_tasks_partition,
)
from mayfly.perform import engine, planning, waiting
from mayfly.perform.ports import Conflict, Temporary
from mayfly.perform.world import World

log = logging.getLogger("mayfly")

#: Tasks of a broken pool whose jobs one event fails, of each tenant and of those that are out; the
#: tick sees to the rest.
_BROKEN_TASKS_MAX = 100


def take_task_event(world: World, detail: Mapping[str, Any]) -> Sequence[commands.Command]:
    """One `ECS Task State Change`. Duplicates do the same again. Raises Temporary."""
    service = str(detail.get("group")).removeprefix("service:")
    pool = naming.pool_of_service(service)
    if pool is None:
        return ()  # a task of somebody else in our cluster
    worker = str(detail["taskArn"]).rpartition("/")[2]
    _bill(world, detail, service, worker)
    if detail.get("lastStatus") == "RUNNING" and detail.get("desiredStatus") != "STOPPED":
        return _welcome(world, pool)
    if detail.get("lastStatus") != "STOPPED":
        return ()
    stop = WorkerStopped(
        worker=worker,
        service=service,
        pool=pool,
        stop_code=str(detail.get("stopCode", "")),
        reason=str(detail.get("stoppedReason", "")),
        exit_code=_exit_code(detail),
    )
    return (*_judge(world, stop), commands.SeeToPool(pool=pool))


def _welcome(world: World, pool: str) -> Sequence[commands.Command]:
    """Spot may be back: the on-demand twin need not wait for the tick to leave."""
    if not has_twin(planning.read_pool(world, pool)[0]):
        return ()
    return (commands.SeeToPool(pool=pool, settled=True),)


def take_service_action(
    world: World, detail: Mapping[str, Any], resources: Sequence[str]
) -> Sequence[commands.Command]:
    """One `ECS Service Action`: why nothing runs although there is work. Told, not acted on."""
    pools = [naming.pool_of_service(arn.rpartition("/")[2]) for arn in resources]
    for pool in filter(None, pools):
        log.warning(
            "ECS could not do what a service needs.",
            extra={"action": "placement", "pool": pool, "reason": str(detail.get("reason", ""))}
            | {"event": str(detail.get("eventName", ""))},
        )
        world.tally.add("PlacementFailures", pool=pool)
    return ()


def break_pool(world: World, pool: str) -> Sequence[commands.Command]:
    """Fails the open jobs of a pool whose brake is pulled. Raises Temporary."""
    items = world.table.index(out_tasks_partition(pool), limit=_BROKEN_TASKS_MAX)
    rows = [from_item(TaskRow, item) for item in items]
    for some in release.looked_at(waiting.tenants(world, pool), rows)[:1]:
        for line in waiting.lines(world, pool, some, _BROKEN_TASKS_MAX):
            rows += line.tasks
    todo: list[commands.Command] = []
    for job_id in dict.fromkeys(row.job_id for row in rows):
        broke = events.PoolBroke(at=world.clock.now())
        todo.extend(engine.apply(world, broke, job_id).commands)
    return todo


def _judge(world: World, stop: WorkerStopped) -> Sequence[commands.Command]:
    if not brake.is_crash(stop):
        return ()
    log.warning(
        "A worker stopped of itself.",
        extra={"action": "brake", "pool": stop.pool, "stop_code": stop.stop_code}
        | {"exit_code": stop.exit_code, "reason": stop.reason[:200], "worker": stop.worker},
    )
    _count(world, stop)
    row, _ = planning.read_pool(world, stop.pool)
    pulled = brake.pulled(row, world.clock.now())
    if pulled is None:
        return ()
    try:
        world.table.commit([pulled])
    except Conflict:
        return ()  # another event pulled it
    world.tally.add("BrakePulled", pool=stop.pool)
    return break_pool(world, stop.pool)


def _count(world: World, stop: WorkerStopped) -> None:
    try:
        world.table.commit(brake.counted(stop, world.clock.now()))
    except Conflict:
        if world.table.get(first_act_key(stop.service, stop.worker)) == [None]:
            raise Temporary("A crash could not be counted.") from None


def _bill(world: World, detail: Mapping[str, Any], service: str, worker: str) -> None:
    """ECS tells a life in any order: what came before the stop adds nothing to it."""
    stopped = _seconds(detail["stoppedAt"]) if detail.get("stoppedAt") else None
    began_at = _seconds(detail.get("pullStartedAt") or detail.get("createdAt"))
    facts = {
        "worker": worker,
        "began_at": began_at,
        "vcpu": int(detail.get("cpu", 0)) / 1024,
        "memory_gib": int(detail.get("memory", 0)) / 1024,
        "spot": detail.get("capacityProviderName") == "FARGATE_SPOT",
        "stop_code": str(detail.get("stopCode", "")),
        "expires_at": int(began_at) + limits.RECORD_SECONDS,
    }
    key = billed_key(service, worker)
    if stopped is not None:
        try:
            world.table.commit([Put(key=key, item={**facts, "stopped_at": stopped})])
        except Conflict:  # it requires nothing, so another transaction was under way
            raise Temporary("A worker's end could not be written down.") from None
        return
    lives = Update(key=key, set=facts, require={"stopped_at": Absent()}, upsert=True)
    with contextlib.suppress(Conflict):
        world.table.commit([lives])


def _exit_code(detail: Mapping[str, Any]) -> int | None:
    codes = [c.get("exitCode") for c in detail.get("containers", []) if c.get("exitCode")]
    if codes:
        return int(codes[0])
    told = [c["exitCode"] for c in detail.get("containers", []) if "exitCode" in c]
    return int(told[0]) if told and told[0] is not None else None


def _seconds(stamp: Any) -> float:
    if isinstance(stamp, int | float):
        return float(stamp)
    return datetime.datetime.fromisoformat(str(stamp)).timestamp()
