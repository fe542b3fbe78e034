"""How many workers a pool shall have, and when its service goes.

Level-triggered: every planner compares what is open with what runs, whatever event brought it
here; a lost event is healed by the next look. Theory of operation:

- The target is the number of open tasks, at most `workers_max`, and 0 without open jobs, when
  paused or when the brake is pulled. So idle workers leave while a straggler runs. Users' own tasks
  on the queue, which nobody counts yet, are good for one worker.
- One service of the current task definition serves the pool; it is resized, never re-created,
  while there is work. Its name carries an opaque id, since a DRAINING name cannot be created again.
- Closing is a drain: desired 0, wait until nothing runs, delete without force. New work meanwhile
  raises the desired count of what still stands.
- ECS is called only when the target differs from what was asked last: Create, Update and
  DeleteService share 5 calls/s in an account. More workers are asked for at once, none at once,
  and fewer with the tick: a worker is billed a minute anyway.

An intent is written before its call, so a crash between the two is found by the next planner.
"""

import dataclasses
from collections.abc import Mapping, Sequence

import msgspec

from mayfly.core import limits
from mayfly.core.rows import PoolRow, ServiceRow


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSeen:
    """A service as DescribeServices tells it."""

    name: str
    #: ACTIVE, DRAINING or INACTIVE.
    status: str
    desired: int
    running: int
    pending: int
    tags: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PoolPolicy:
    """What the stack says about a pool."""

    workers_max: int
    task_definition: str
    capacity_provider: str = "FARGATE_SPOT"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What a planner knows. `services` are those of the row that ECS still knows."""

    row: PoolRow
    #: Open and released tasks as the index tells them, counted up to `workers_max`.
    open_tasks: int
    services: Sequence[ServiceSeen]
    paused: bool = False
    #: The tick looks: now is the time to ask for fewer workers.
    settled: bool = True


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CreateService:
    """Hatch a service."""

    name: str
    desired: int
    capacity_provider: str
    task_definition: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ResizeService:
    """Ask for another number of workers."""

    name: str
    desired: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DeleteService:
    """Nothing runs in it and nothing is wanted: it goes."""

    name: str


ServiceCommand = CreateService | ResizeService | DeleteService


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PoolPlan:
    """What to write, then what to call."""

    services: dict[str, ServiceRow]
    commands: tuple[ServiceCommand, ...]
    #: The brake is released: the pool is empty and may try anew.
    mend: bool = False


def target_of(row: PoolRow, open_tasks: int, paused: bool, policy: PoolPolicy) -> int:
    """The number of workers wanted now.

    An open job has at least one open task, even when the index does not show it yet.
    """
    if paused or row.broken_at is not None or (row.open_jobs <= 0 and not row.foreign):
        return 0
    return min(policy.workers_max, max(open_tasks, row.open_jobs, 1))


def is_idle(row: PoolRow) -> bool:
    """Nothing open, nothing standing, nothing to mend: an idle stack writes no row."""
    return row.open_jobs <= 0 and not row.services and not row.foreign and row.broken_at is None


def not_fewer(row: PoolRow, target: int) -> int:
    """The target, or as many as were asked for, if that is more and there is work."""
    asked = max((service.asked for service in row.services.values()), default=0)
    return max(target, asked) if target > 0 else 0


def needs_a_look(row: PoolRow, target: int) -> bool:
    """Whether ECS must be asked at all."""
    if not row.services:
        return target > 0 or row.broken_at is not None
    if len(row.services) > 1:
        return True
    (service,) = row.services.values()
    return target == 0 or service.asked != target or not service.created


def plan_pool(observed: Observed, policy: PoolPolicy, now: float, new_name: str) -> PoolPlan:
    """What the pool needs. `new_name` is for a service, should one be hatched."""
    row = observed.row
    target = target_of(row, observed.open_tasks, observed.paused, policy)
    if not observed.settled:
        target = not_fewer(row, target)
    seen = {service.name: service for service in observed.services}
    kept: dict[str, ServiceRow] = {}
    calls: list[ServiceCommand] = []
    serving = False
    for service in sorted(row.services.values(), key=lambda s: s.created_at):
        current = service.task_definition == policy.task_definition and not serving
        wanted = target if current else 0
        after, call = _see_to_service(service, seen.get(service.name), wanted, now)
        if after is not None:
            kept[after.name] = after
        if call is not None:
            calls.append(call)
        serving = serving or (current and after is not None and _can_serve(seen, after))
    if target > 0 and not serving:
        hatched = ServiceRow(
            name=new_name,
            asked=target,
            created_at=now,
            capacity_provider=policy.capacity_provider,
            task_definition=policy.task_definition,
        )
        kept[new_name] = hatched
        calls.append(_create(hatched))
    mend = row.broken_at is not None and row.open_jobs <= 0 and not kept
    return PoolPlan(services=kept, commands=tuple(calls), mend=mend)


def _can_serve(seen: Mapping[str, ServiceSeen], service: ServiceRow) -> bool:
    """ACTIVE, or asked for and not seen yet."""
    status = seen[service.name].status if service.name in seen else "ACTIVE"
    return status == "ACTIVE"


def _see_to_service(
    service: ServiceRow, seen: ServiceSeen | None, wanted: int, now: float
) -> tuple[ServiceRow | None, ServiceCommand | None]:
    if seen is None:
        return _see_to_unseen(service, wanted, now)
    if seen.status == "INACTIVE":
        return None, None
    if seen.status == "DRAINING":
        return service, None
    known = msgspec.structs.replace(service, created=True, asked=wanted)
    if service.asked != wanted or seen.desired != wanted:
        return known, ResizeService(name=service.name, desired=wanted)
    if wanted == 0 and seen.running == 0 and seen.pending == 0:
        return known, DeleteService(name=service.name)
    return known, None


def _see_to_unseen(
    service: ServiceRow, wanted: int, now: float
) -> tuple[ServiceRow | None, ServiceCommand | None]:
    """Never created, not visible yet, or purged after its deletion."""
    late = now - service.created_at > limits.CREATE_GRACE_SECONDS
    if service.created and late:
        return None, None
    if wanted == 0:
        return (None if late else service), None
    if service.created:
        return service, None
    # The grace counts from this call; an older one would make it forgotten before it is seen.
    again = msgspec.structs.replace(service, asked=wanted, created_at=now)
    return again, _create(again)


def _create(service: ServiceRow) -> CreateService:
    return CreateService(
        name=service.name,
        desired=service.asked,
        capacity_provider=service.capacity_provider,
        task_definition=service.task_definition,
    )


def is_orphan(service: ServiceSeen, known: frozenset[str], now: float) -> bool:
    """An unknown service of our stack that outlived its tag. A known one never is."""
    if service.name in known:
        return False
    expires = service.tags.get("mayfly:expires", "")
    return not expires.isdigit() or int(expires) < now
