"""How many workers a pool shall have, and when its services go.

Level-triggered: every planner compares what is open with what runs, whatever event brought it
here; a lost event is healed by the next look. Theory of operation:

- The target is the number of open tasks, or what `sizing.py` makes of them where work was
  predicted; at most what the pool may have, and 0 without open jobs, when paused or when the brake
  is pulled. A backup attempt counts as one. So idle workers leave while a straggler runs, but for
  its backup's. Users' own tasks on the queue, which nobody counts yet, are good for one worker.
- One service of the current task definition on Spot serves the pool; it is resized, never
  re-created, while there is work. Its name carries an opaque id, since a DRAINING name cannot be
  created again. Beside it there may be an on-demand twin (`twin.py`). Every other service leaves:
  it is asked for none, and what still works there is not asked for a second time.
- Closing is a drain: desired 0, wait until nothing runs, delete without force. New work meanwhile
  raises the desired count of what still stands, until DeleteService was decided.
- ECS is called only when the target differs from what was asked last: Create, Update and
  DeleteService share 5 calls/s in an account. More workers are asked for at once, none at once,
  and fewer with the tick: a worker is billed a minute anyway.

Everything may come late. An intent is written before its call, so a crash between the two is found
by the next planner. A call of a planner that has lost its lease may reach ECS for as long as an
invocation lives: a service that was asked for is not forgotten before, and one whose deletion was
decided is not lowered before, for ECS refuses to delete what shall run tasks. What ECS does not
show (any more) serves no longer, but is watched for a while, lest it come back unknown.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import msgspec

from mayfly.core import limits, sizing, twin
from mayfly.core.rows import PoolRow, ServiceRow
from mayfly.core.sizing import Remaining

#: The two capacity providers of our cluster. (A `launchType` of FARGATE would be on-demand, too.)
SPOT, ON_DEMAND = "FARGATE_SPOT", "FARGATE"


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
    """What the stack says about a pool; what it shares with others, as they leave it now."""

    workers_max: int
    task_definition: str
    #: On-demand stands in for Spot after this; 0 is never.
    on_demand_after_seconds: float = 0.0
    #: On-demand workers; None: as many as on Spot.
    on_demand_max: int | None = None
    #: Long jobs should be done so long after their acceptance; 0: each task gets a worker.
    finish_seconds: float = 0.0
    #: Workers that are called for a large source before anybody has looked at it.
    foreseen_workers_max: int = 0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What a planner knows. `services` are those of the row that ECS still knows."""

    row: PoolRow
    #: Open and released tasks and backup attempts: of planned jobs all, of others as the index
    #: tells them, counted up to `COUNTED` times `workers_max`.
    open_tasks: int
    services: Sequence[ServiceSeen]
    #: The jobs among them whose work was predicted.
    planned: Sequence[Remaining] = ()
    paused: bool = False
    #: The tick looks: now is the time to ask for fewer workers, or for on-demand.
    settled: bool = True
    #: When the released task that waits longest last moved, where somebody looked.
    moved_at: float | None = None


#: Workers on services that leave hold tasks, so more is counted than a pool may have workers.
COUNTED = 2


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
    """What to write, then what to call, in this order."""

    services: dict[str, ServiceRow]
    commands: tuple[ServiceCommand, ...]
    #: The brake is released: the pool is empty and may try anew.
    mend: bool = False
    short_since: float | None = None
    held_at: float = 0.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """Workers of each kind, and since when Spot gives fewer than asked for."""

    spot: int = 0
    twin: int = 0
    short_since: float | None = None


def work_of(row: PoolRow, open_tasks: int, paused: bool) -> int:
    """How much there is for workers to do now.

    An open job has at least one open task, even when the index does not show it yet.
    """
    if paused or row.broken_at is not None or (row.open_jobs <= 0 and not row.foreign):
        return 0
    return max(open_tasks, row.open_jobs, 1)


def is_idle(row: PoolRow) -> bool:
    """Nothing open, nothing standing, nothing to mend: an idle stack writes no row."""
    return row.open_jobs <= 0 and not row.services and not row.foreign and row.broken_at is None


def needs_a_look(
    row: PoolRow, work: int, policy: PoolPolicy, planned: Sequence[Remaining] = ()
) -> bool:
    """Whether an event must ask ECS at all. What is too much, and what leaves, waits for the tick,
    so it does not matter how many jobs come and go meanwhile."""
    if work == 0:
        return bool(row.services) or row.broken_at is not None
    serving = _newest(row, SPOT, lambda s: _is_current(s, policy) and s.missed_at is None)
    if serving is None or not serving.created:
        return True
    return serving.asked < min(policy.workers_max, sizing.workers(work, planned, serving.asked))


def may_want_twin(row: PoolRow, policy: PoolPolicy, now: float) -> bool:
    """Whether it is worth looking when the open tasks last moved."""
    after = policy.on_demand_after_seconds
    return after > 0 and row.short_since is not None and now - row.short_since >= after


def has_twin(row: PoolRow) -> bool:
    """Whether on-demand workers are asked for."""
    return any(s.capacity_provider == ON_DEMAND and s.asked > 0 for s in row.services.values())


def on_demand_running(row: PoolRow, services: Sequence[ServiceSeen]) -> int:
    """Workers at the full price."""
    twins = {s.name for s in row.services.values() if s.capacity_provider == ON_DEMAND}
    return sum(service.running for service in services if service.name in twins)


def may_judge_silence(row: PoolRow, now: float) -> bool:
    """Nobody can speak while no worker runs, or may: a silence counts from when that ended."""
    return now - row.held_at > limits.SILENCE_SECONDS


def plan_pool(observed: Observed, policy: PoolPolicy, now: float, new_name: str) -> PoolPlan:
    """What the pool needs. `new_name` is for a service, should one be hatched."""
    row = observed.row
    seen = {service.name: service for service in observed.services}
    spot = _newest(row, SPOT, lambda s: _can_serve(s, seen.get(s.name), policy, now))
    stand_in = _newest(row, ON_DEMAND, lambda s: _can_serve(s, seen.get(s.name), policy, now))
    wanted = _wanted(observed, policy, now, spot, stand_in)
    kept: dict[str, ServiceRow] = {}
    calls: list[ServiceCommand] = []
    for service in row.services.values():
        count = wanted.spot if service is spot else wanted.twin if service is stand_in else 0
        after, call = _see_to_service(service, seen.get(service.name), count, now)
        if after is not None:
            kept[after.name] = after
        if call is not None:
            calls.append(call)
    hatched = []
    if wanted.spot > 0 and spot is None:
        hatched.append((new_name, wanted.spot, SPOT))
    if wanted.twin > 0 and stand_in is None:
        hatched.append((f"{new_name}-on-demand", wanted.twin, ON_DEMAND))
    for name, count, provider in hatched:
        kept[name] = ServiceRow(
            name=name,
            asked=count,
            created_at=now,
            capacity_provider=provider,
            task_definition=policy.task_definition,
        )
        calls.append(_create(kept[name]))
    return PoolPlan(
        services=kept,
        commands=tuple(sorted(calls, key=lambda call: _turn(call, stand_in))),
        mend=row.broken_at is not None and row.open_jobs <= 0 and not kept,
        short_since=wanted.short_since,
        held_at=now if _is_held(observed) else row.held_at,
    )


def _wanted(
    observed: Observed,
    policy: PoolPolicy,
    now: float,
    spot: ServiceRow | None,
    stand_in: ServiceRow | None,
) -> _Wanted:
    """How many workers of each kind; fewer than were asked for only if the look is settled."""
    row = observed.row
    work = work_of(row, observed.open_tasks, observed.paused)
    if work == 0:
        return _Wanted()
    runs = {service.name: service.running for service in observed.services}
    spot_runs = runs.pop(spot.name, 0) if spot else 0
    twin_runs = runs.pop(stand_in.name, 0) if stand_in else 0
    paying = sizing.workers(work, observed.planned, spot.asked if spot else 0)
    needed = min(paying, _beside(sum(runs.values()), work, policy))
    spot_asked, twin_asked = spot.asked if spot else needed, stand_in.asked if stand_in else 0
    if not observed.settled:
        return _Wanted(spot=max(needed, spot_asked), twin=twin_asked, short_since=row.short_since)
    missing = max(0, min(spot_asked, needed) - spot_runs)
    if not missing:
        surplus = sum(runs.values()) + twin_runs
        return _Wanted(spot=min(paying, _beside(surplus, work, policy)))
    since = now if row.short_since is None else row.short_since
    moved_at = observed.moved_at if observed.moved_at is not None else since
    shortage = twin.Shortage(missing=missing, for_seconds=now - since, still_seconds=now - moved_at)
    count = twin.workers(shortage, twin_asked, policy.on_demand_after_seconds)
    if policy.on_demand_max is not None:
        count = min(count, policy.on_demand_max)
    return _Wanted(spot=needed, twin=count, short_since=since)


def _beside(leaving: int, work: int, policy: PoolPolicy) -> int:
    """Workers for the work that is not in the hands of those who leave. At least one, since one
    who leaves may hold nothing and not know how to go."""
    return min(policy.workers_max, max(1, work - leaving))


def _newest(row: PoolRow, provider: str, serves: Callable[[ServiceRow], bool]) -> ServiceRow | None:
    """The newest, since an older one comes back only from having been missed."""
    found = [s for s in row.services.values() if s.capacity_provider == provider and serves(s)]
    return max(found, key=lambda service: (service.created_at, service.name), default=None)


def _is_current(service: ServiceRow, policy: PoolPolicy) -> bool:
    return service.task_definition == policy.task_definition and service.deleted_at is None


def _can_serve(
    service: ServiceRow, seen: ServiceSeen | None, policy: PoolPolicy, now: float
) -> bool:
    """ACTIVE, or asked for and not seen yet."""
    if not _is_current(service, policy):
        return False
    if seen is not None:
        return seen.status == "ACTIVE"
    return not service.created or now - service.created_at <= limits.CREATE_GRACE_SECONDS


def _is_held(observed: Observed) -> bool:
    """Whether open work waits through no fault of its own: paused, or not one worker runs."""
    nobody = not any(service.running for service in observed.services)
    return observed.settled and observed.row.open_jobs > 0 and (observed.paused or nobody)


def _see_to_service(
    service: ServiceRow, seen: ServiceSeen | None, wanted: int, now: float
) -> tuple[ServiceRow | None, ServiceCommand | None]:
    if seen is None:
        return _see_to_unseen(service, wanted, now)
    if seen.status == "INACTIVE":
        return None, None
    if seen.status == "DRAINING":
        gone_since = now if service.deleted_at is None else service.deleted_at
        return msgspec.structs.replace(service, asked=0, deleted_at=gone_since), None
    if _may_be_deleted_late(service, now) and seen.desired > 0:
        return service, None
    raised = wanted > 0 and service.asked == 0
    known = msgspec.structs.replace(
        service,
        created=True,
        missed_at=None,
        asked=wanted,
        raised_at=now if raised else service.raised_at,
    )
    if service.asked != wanted or seen.desired != wanted:
        return known, ResizeService(name=service.name, desired=wanted)
    # A description from before the last raise would show none running, too.
    if wanted == 0 and not seen.running + seen.pending and not _is_raised_lately(service, now):
        return msgspec.structs.replace(known, deleted_at=now), DeleteService(name=service.name)
    return known, None


def _may_be_deleted_late(service: ServiceRow, now: float) -> bool:
    """DeleteService was decided, and may be under way still. Should a late raise have brought
    workers back, they may be busy; ECS refuses the deletion for as long as they are desired."""
    return service.deleted_at is not None and now - service.deleted_at <= limits.CALL_SECONDS_MAX


def _is_raised_lately(service: ServiceRow, now: float) -> bool:
    return now - service.raised_at <= limits.CREATE_GRACE_SECONDS


def _see_to_unseen(
    service: ServiceRow, wanted: int, now: float
) -> tuple[ServiceRow | None, ServiceCommand | None]:
    """Never created, not visible yet, deleted by hand, or purged after its deletion."""
    if not service.created and wanted > 0:
        # Patience counts from this call; from an older one it would end before it is seen.
        again = msgspec.structs.replace(service, asked=wanted, created_at=now, missed_at=None)
        return again, _create(again)
    since = now if service.missed_at is None else service.missed_at
    patience = limits.CREATE_GRACE_SECONDS
    if not service.created:
        patience += limits.CALL_SECONDS_MAX
        since = service.created_at
    if now - since > patience:
        return None, None
    return msgspec.structs.replace(service, missed_at=since), None


def _create(service: ServiceRow) -> CreateService:
    return CreateService(
        name=service.name,
        desired=service.asked,
        capacity_provider=service.capacity_provider,
        task_definition=service.task_definition,
    )


def _turn(call: ServiceCommand, stand_in: ServiceRow | None) -> int:
    """The twin makes room first; then what is wanted comes, and what is not goes."""
    if stand_in is not None and call.name == stand_in.name:
        return 0
    match call:
        case CreateService():
            return 1
        case ResizeService(desired=desired):
            return 1 if desired > 0 else 2
        case DeleteService():
            return 3


def is_orphan(service: ServiceSeen, known: frozenset[str], now: float) -> bool:
    """An unknown service of our stack that outlived its tag. A known one never is."""
    if service.name in known:
        return False
    expires = service.tags.get("mayfly:expires", "")
    return not expires.isdigit() or int(expires) < now
