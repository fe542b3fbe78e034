"""What a job cost: the billed seconds of its services, split among their jobs by busy seconds. And
what its pictures took beside what was predicted of them.

Pure arithmetic on facts that were recorded when workers stopped. Prices are list prices of
Fargate, x86-64, us-east-1; they move slowly. Each worker is priced by the capacity that ECS says it
ran on, and a receipt says how much of it was on-demand.
"""

import dataclasses
from collections.abc import Iterable

from mayfly.contract.outcome import Receipt, WorkDone
from mayfly.core.rows import JobHead

#: Fargate Spot, Linux x86-64, per vCPU-hour and GB-hour (AWS's price list, read in November 2026).
VCPU_HOUR_DOLLARS = 0.01334053
GIB_HOUR_DOLLARS = 0.00146489

#: The same on-demand (same list).
ON_DEMAND_VCPU_HOUR_DOLLARS = 0.04048
ON_DEMAND_GIB_HOUR_DOLLARS = 0.004445

#: A task with a public address pays for it (VPC pricing, since February 2024).
IPV4_HOUR_DOLLARS = 0.005

#: Fargate bills from image pull to stop, by the second, a minute at least.
BILLED_SECONDS_MIN = 60.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Billed:
    """One worker's life as ECS told it."""

    #: Image pull began, else the task was created.
    began_at: float
    #: None while it lives.
    stopped_at: float | None
    vcpu: float
    memory_gib: float
    #: On Fargate Spot; else it is on-demand.
    spot: bool = True

    def seconds(self, now: float) -> float:
        """What AWS bills, so far."""
        end = self.stopped_at if self.stopped_at is not None else now
        return max(BILLED_SECONDS_MIN, end - self.began_at)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Busy:
    """One attempt's work on a worker of the service."""

    job_id: str
    seconds: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ServiceLedger:
    """All that is known of one service."""

    billed: tuple[Billed, ...]
    busy: tuple[Busy, ...]


def dollars(seconds: float, vcpu: float, memory_gib: float, *, spot: bool = True) -> float:
    """Fargate's price of a worker with a public address."""
    vcpu_dollars = VCPU_HOUR_DOLLARS if spot else ON_DEMAND_VCPU_HOUR_DOLLARS
    gib_dollars = GIB_HOUR_DOLLARS if spot else ON_DEMAND_GIB_HOUR_DOLLARS
    hourly = vcpu * vcpu_dollars + memory_gib * gib_dollars + IPV4_HOUR_DOLLARS
    return seconds / 3600 * hourly


def receipt(job_id: str, ledgers: Iterable[ServiceLedger], now: float) -> Receipt:
    """The job's share of every service that worked for it."""
    billed_seconds = busy_seconds = on_demand_seconds = cost = 0.0
    vcpu = memory_gib = 0.0
    final = True
    for ledger in ledgers:
        ours = sum(busy.seconds for busy in ledger.busy if busy.job_id == job_id)
        everybody = sum(busy.seconds for busy in ledger.busy)
        share = ours / everybody if everybody else 0.0
        busy_seconds += ours
        for worker in ledger.billed:
            seconds = worker.seconds(now) * share
            billed_seconds += seconds
            on_demand_seconds += 0.0 if worker.spot else seconds
            cost += dollars(seconds, worker.vcpu, worker.memory_gib, spot=worker.spot)
            vcpu, memory_gib = worker.vcpu, worker.memory_gib
            final = final and worker.stopped_at is not None
        final = final and bool(ledger.billed)
    return Receipt(
        billed_seconds=round(billed_seconds, 3),
        busy_seconds=round(busy_seconds, 3),
        vcpu=vcpu,
        memory_gib=memory_gib,
        dollars=round(cost, 6),
        final=final,
        on_demand_seconds=round(on_demand_seconds, 3),
    )


def work_done(head: JobHead) -> WorkDone | None:
    """What a job's pictures took so far; None where nothing was predicted."""
    if not head.plan_ms and not head.done_ms:
        return None
    return WorkDone(
        planned_seconds=head.plan_ms / 1e3,
        predicted_seconds=head.done_ms / 1e3,
        measured_seconds=head.took_ms / 1e3,
    )
