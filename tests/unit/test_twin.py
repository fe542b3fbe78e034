"""On-demand stands in for Spot by one rule, for what Spot lacks, and leaves first."""

import dataclasses
import itertools
from typing import Any

import msgspec
import pytest

from mayfly.contract.report import Started
from mayfly.core import limits, pool, twin
from mayfly.core.pool import Observed, PoolPolicy, plan_pool
from mayfly.memory.world import SETTINGS, MemoryWorld, memory_world
from mayfly.perform import planning
from tests.unit.acting import (
    dispatch,
    ecs_says,
    encoded,
    outcomes,
    receive,
    report,
    said,
    tick,
    upload,
)
from tests.unit.test_pool import NOW, a_pool, a_service, seen

AFTER = float(limits.TWIN_AFTER_SECONDS)
POLICY = PoolPolicy(workers_max=3, task_definition="worker:7", on_demand_after_seconds=AFTER)
SHORT = {"short_since": NOW - AFTER}


def plan(row: Any, *services: Any, tasks: int = 3, **fields: Any) -> pool.PoolPlan:
    told: dict[str, Any] = {"moved_at": NOW - AFTER, **fields}
    return plan_pool(
        Observed(row=row, open_tasks=tasks, services=services, **told), POLICY, NOW, "new"
    )


def a_twin(**fields: object) -> Any:
    return a_service("t1", capacity_provider="FARGATE", **fields)


def asked(plan: pool.PoolPlan) -> dict[str, int]:
    return {name: row.asked for name, row in plan.services.items()}


def test_on_demand_stands_in_for_exactly_the_workers_that_spot_does_not_give() -> None:
    row = a_pool(a_service(asked=3), open_jobs=3, **SHORT)
    result = plan(row, seen(desired=3, running=1, pending=2))
    assert result.commands == (
        pool.CreateService(
            name="new-on-demand", desired=2, capacity_provider="FARGATE", task_definition="worker:7"
        ),
    )
    assert asked(result) == {"s1": 3, "new-on-demand": 2}


def test_spot_must_have_been_short_for_long_and_the_oldest_task_still_for_as_long() -> None:
    fresh = a_pool(a_service(asked=3), open_jobs=3)
    assert plan(fresh, seen(desired=3, running=1)).short_since == NOW
    assert plan(fresh, seen(desired=3, running=1)).commands == ()
    lately = a_pool(a_service(asked=3), open_jobs=3, short_since=NOW - AFTER + 1)
    assert plan(lately, seen(desired=3, running=1)).commands == ()
    long = a_pool(a_service(asked=3), open_jobs=3, **SHORT)
    assert plan(long, seen(desired=3, running=1), moved_at=NOW - AFTER + 1).commands == ()


def test_spot_is_not_short_of_workers_that_it_was_not_asked_for_yet() -> None:
    row = a_pool(a_service(asked=1), open_jobs=3, **SHORT)
    result = plan(row, seen(desired=1, running=1))
    assert asked(result) == {"s1": 3} and result.short_since is None


def test_a_pool_may_never_buy_on_demand() -> None:
    row = a_pool(a_service(asked=3), open_jobs=3, **SHORT)
    never = dataclasses.replace(POLICY, on_demand_after_seconds=0)
    observed = Observed(
        row=row, open_tasks=3, services=[seen(desired=3, running=0)], moved_at=NOW - 9999
    )
    assert plan_pool(observed, never, NOW, "new").commands == ()
    assert not pool.may_want_twin(row, never, NOW)
    assert pool.may_want_twin(row, POLICY, NOW)


def test_an_event_between_ticks_never_buys_on_demand() -> None:
    row = a_pool(a_service(asked=3), open_jobs=3, **SHORT)
    between = plan(row, seen(desired=3, running=0), settled=False)
    assert between.commands == () and between.short_since == NOW - AFTER


def test_the_twin_leaves_first_when_spot_runs_what_is_wanted() -> None:
    row = a_pool(a_service(asked=3), a_twin(asked=2), open_jobs=9, **SHORT)
    result = plan(row, seen(desired=3, running=3), seen("t1", desired=2, running=2), tasks=6)
    assert result.commands == (pool.ResizeService(name="t1", desired=0),)
    assert asked(result) == {"s1": 3, "t1": 0} and result.short_since is None


def test_the_twin_makes_room_for_each_worker_that_spot_gives() -> None:
    row = a_pool(a_service(asked=3), a_twin(asked=2), open_jobs=3, **SHORT)
    result = plan(row, seen(desired=3, running=2), seen("t1", desired=2, running=2), moved_at=NOW)
    assert asked(result) == {"s1": 3, "t1": 1}
    assert result.commands == (pool.ResizeService(name="t1", desired=1),)


def test_the_twin_shrinks_first_when_less_is_wanted() -> None:
    row = a_pool(a_service(asked=3), a_twin(asked=2), open_jobs=2, **SHORT)
    services = seen(desired=3, running=1), seen("t1", desired=2, running=2)
    result = plan(row, *services, tasks=2, moved_at=NOW)
    assert result.commands == (
        pool.ResizeService(name="t1", desired=1),
        pool.ResizeService(name="s1", desired=2),
    )


def test_the_twin_stays_while_spot_is_short_although_work_goes_on_again() -> None:
    row = a_pool(a_service(asked=3), a_twin(asked=2), open_jobs=3, **SHORT)
    services = seen(desired=3, running=1), seen("t1", desired=2, running=2)
    assert plan(row, *services, moved_at=NOW).commands == ()


def test_the_twin_grows_only_for_its_reason() -> None:
    row = a_pool(a_service(asked=3), a_twin(asked=1), open_jobs=3, **SHORT)
    services = seen(desired=3, running=0), seen("t1", desired=1, running=1)
    assert plan(row, *services, moved_at=NOW).commands == ()
    assert plan(row, *services).commands == (pool.ResizeService(name="t1", desired=3),)


def test_workers_in_the_hands_of_a_leaving_twin_are_not_hatched_twice() -> None:
    """Three tasks: two on the twin that leaves, one on Spot, which is back with three workers."""
    row = a_pool(a_service(asked=3), a_twin(asked=0), open_jobs=3)
    services = seen(desired=3, running=3), seen("t1", desired=0, running=2)
    assert asked(plan(row, *services, tasks=3)) == {"s1": 1, "t1": 0}
    assert asked(plan(row, *services, tasks=6)) == {"s1": 3, "t1": 0}


def test_the_twin_closes_as_any_service_does() -> None:
    row = a_pool(a_service(asked=0), a_twin(asked=0))
    services = seen(desired=0, running=0), seen("t1", desired=0, running=1)
    assert plan(row, *services, tasks=0).commands == (pool.DeleteService(name="s1"),)


def test_pause_brake_and_a_new_revision_send_the_twin_away() -> None:
    row = a_pool(a_service(asked=3), a_twin(asked=2), open_jobs=3, **SHORT)
    services = seen(desired=3, running=1), seen("t1", desired=2, running=2)
    for result in (
        plan(row, *services, paused=True),
        plan(msgspec.structs.replace(row, broken_at=NOW), *services),
    ):
        assert asked(result) == {"s1": 0, "t1": 0} and result.short_since is None
    old = a_pool(a_service(asked=3), a_twin(asked=2, task_definition="worker:6"), open_jobs=3)
    assert asked(plan(old, *services))["t1"] == 0


def test_a_spot_service_that_somebody_deleted_does_not_send_the_twin_away() -> None:
    row = a_pool(a_service(asked=3), a_twin(asked=3), open_jobs=3, **SHORT)
    gone = seen(status="DRAINING", desired=0, running=0)
    result = plan(row, gone, seen("t1", desired=3, running=3), moved_at=NOW)
    assert asked(result) == {"s1": 0, "t1": 3, "new": 3}


def test_what_is_asked_of_the_twin_never_exceeds_what_spot_lacks() -> None:
    every = itertools.product(range(5), range(4), range(4), range(1, 7), (0.0, AFTER))
    for spot_runs, spot_asked, twin_asked, tasks, still in every:
        row = a_pool(a_service(asked=spot_asked), a_twin(asked=twin_asked), open_jobs=1, **SHORT)
        services = (
            seen(desired=spot_asked, running=spot_runs),
            seen("t1", desired=twin_asked, running=twin_asked),
        )
        counts = asked(plan(row, *services, tasks=tasks, moved_at=NOW - still))
        target = min(POLICY.workers_max, tasks)
        assert 1 <= counts["s1"] <= target
        assert counts["t1"] <= max(0, target - spot_runs)


def test_the_rule_itself() -> None:
    long = twin.Shortage(missing=2, for_seconds=AFTER, still_seconds=AFTER)
    assert twin.workers(long, 0, AFTER) == 2
    assert twin.workers(dataclasses.replace(long, for_seconds=AFTER - 1), 0, AFTER) == 0
    assert twin.workers(dataclasses.replace(long, still_seconds=AFTER - 1), 5, AFTER) == 2
    assert twin.workers(long, 2, 0) == 0


# --- A whole drought ---------------------------------------------------------------------------


@pytest.fixture
def dry() -> MemoryWorld:
    """A stack that may buy on-demand, whose Spot service gets no machine."""
    pools = (msgspec.structs.replace(SETTINGS.pools[0], on_demand_after_seconds=int(AFTER)),)
    w = memory_world(msgspec.structs.replace(SETTINGS, pools=pools))
    dispatch(w, upload(w))
    (spot,) = w.services.wanted()
    w.services.hold_back(spot, 0)
    return w


def ticks(w: MemoryWorld, seconds: float) -> None:
    for _ in range(int(seconds // limits.TICK_SECONDS)):
        tick(w)


def standing(w: MemoryWorld) -> dict[str, tuple[int, int]]:
    """Desired and running of each provider's services that stand."""
    wanted = w.services.wanted()
    return {wanted[s.name].capacity_provider: (s.desired, s.running) for s in w.services.tagged()}


def test_a_job_in_a_spot_drought_is_done_on_demand_and_nothing_is_left(dry: MemoryWorld) -> None:
    ticks(dry, AFTER)
    assert standing(dry) == {"FARGATE_SPOT": (1, 0)}
    tick(dry)
    assert standing(dry) == {"FARGATE_SPOT": (1, 0), "FARGATE": (1, 1)}
    task, message = receive(dry)
    report(dry, Started(**said(task)), encoded(dry, task))
    dry.jobs.delete(message.handle)
    ticks(dry, 180)
    assert [outcome.state for outcome in outcomes(dry)] == ["succeeded"]
    assert dry.services.tagged() == []
    assert planning.read_pool(dry.world, "standard")[0].services == {}


def test_a_pool_without_on_demand_waits_for_spot(w: MemoryWorld) -> None:
    dispatch(w, upload(w))
    (spot,) = w.services.wanted()
    w.services.hold_back(spot, 0)
    ticks(w, 3600)
    assert standing(w) == {"FARGATE_SPOT": (1, 0)} and outcomes(w) == []


def test_the_twin_goes_as_soon_as_ecs_tells_of_a_spot_worker_without_waiting_for_the_tick(
    dry: MemoryWorld,
) -> None:
    ticks(dry, AFTER + 60)
    (spot,) = (n for n, s in dry.services.wanted().items() if s.capacity_provider == "FARGATE_SPOT")
    dry.services.hold_back(spot, None)
    runs = {"lastStatus": "RUNNING", "desiredStatus": "RUNNING"}
    ecs_says(dry, "w1", service=spot, capacityProviderName="FARGATE_SPOT", **runs)
    assert standing(dry) == {"FARGATE_SPOT": (1, 1), "FARGATE": (0, 0)}


def test_a_busy_worker_of_the_twin_finishes_its_task(dry: MemoryWorld) -> None:
    ticks(dry, AFTER + 60)
    named = {s.capacity_provider: n for n, s in dry.services.wanted().items()}
    dry.services.keep(named["FARGATE"], 1)  # protected
    task, message = receive(dry)
    report(dry, Started(**said(task)))
    dry.services.hold_back(named["FARGATE_SPOT"], None)
    ticks(dry, 300)
    assert standing(dry)["FARGATE"] == (0, 1)
    report(dry, encoded(dry, task))
    dry.jobs.delete(message.handle)
    dry.services.keep(named["FARGATE"], 0)
    ticks(dry, 180)
    assert dry.services.tagged() == []


def test_a_twin_that_finds_no_machine_either_is_no_harm(dry: MemoryWorld) -> None:
    ticks(dry, AFTER + 60)
    named = {s.capacity_provider: n for n, s in dry.services.wanted().items()}
    dry.services.hold_back(named["FARGATE"], 0)
    ticks(dry, 3600)
    assert standing(dry) == {"FARGATE_SPOT": (1, 0), "FARGATE": (1, 0)}
    assert len(dry.services.wanted()) == 2
