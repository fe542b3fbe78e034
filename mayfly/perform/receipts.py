"""Reads what is known of a job's services and works out its receipt."""

from typing import Any

from mayfly.contract.outcome import Receipt
from mayfly.core.receipt import Billed, Busy, ServiceLedger, receipt
from mayfly.core.rows import TaskRow, from_item
from mayfly.perform.ports import Item
from mayfly.perform.world import World


def receipt_of(world: World, job_id: str) -> Receipt:
    """The job's cost so far; final when its workers have stopped."""
    tasks = [from_item(TaskRow, row) for row in world.table.rows(f"job#{job_id}", "task#")]
    services = sorted({service for task in tasks for service in task.services})
    ledgers = [_ledger(world.table.rows(f"service#{name}")) for name in services]
    return receipt(job_id, ledgers, world.clock.now())


def _ledger(items: list[Item]) -> ServiceLedger:
    billed = [_billed(item) for item in items if str(item["sk"]).startswith("billed#")]
    busy = [
        Busy(job_id=str(item["job_id"]), seconds=float(item["seconds"]))
        for item in items
        if str(item["sk"]).startswith("busy#")
    ]
    return ServiceLedger(billed=tuple(billed), busy=tuple(busy))


def _billed(item: Item) -> Billed:
    stopped: Any = item.get("stopped_at")
    return Billed(
        began_at=float(item["began_at"]),
        stopped_at=None if stopped is None else float(stopped),
        vcpu=float(item["vcpu"]),
        memory_gib=float(item["memory_gib"]),
        spot=bool(item.get("spot", True)),
    )
