"""Create, Update and DeleteService share 5 calls a second among all of an account, and descriptions
20: what a pool asks of ECS must not grow with its jobs or their parts.
"""

from collections import Counter

import pytest

from mayfly.contract.report import Started
from mayfly.core import limits
from mayfly.memory.world import MemoryWorld, memory_world
from tests.unit.acting import dispatch, encoded, outcomes, receive, report, said, tick, upload
from tests.unit.interrupting import Interruption
from tests.unit.yard import Yard

#: Calls that change something.
SHARED = ("services.create", "services.resize", "services.delete")
JOBS = 1000
#: One hatches, two raise to three workers, one lowers with the last straggler, one closes, one
#: deletes.
CHANGES_MAX = 6


def counted(calls: list[str]) -> tuple[int, int]:
    """Changes, and looks."""
    found = Counter(calls)
    return sum(found[call] for call in SHARED), found["services.describe"]


def do_one(w: MemoryWorld) -> None:
    task, message = receive(w)
    report(w, Started(**said(task)), encoded(w, task))
    w.jobs.delete(message.handle)


def test_a_thousand_jobs_through_one_pool_cost_a_handful_of_calls_to_ecs() -> None:
    calls = Interruption()
    w = memory_world(faults=calls)
    for n in range(JOBS):
        dispatch(w, upload(w, f"uploads/{n}.mp4", f"video {n}".encode()))
    assert counted(calls.calls)[0] <= 3
    for _ in range(JOBS):
        do_one(w)
    assert len(outcomes(w)) == JOBS
    before = counted(calls.calls)
    ticks = 3
    for _ in range(ticks):
        tick(w)
    assert w.services.tagged() == []
    changes, looks = counted(calls.calls)
    assert changes <= CHANGES_MAX
    assert before[1] <= 4 and looks - before[1] <= 4 * ticks


@pytest.mark.parametrize("beside", ["a twin", "a retiring service"])
def test_what_stands_beside_costs_no_look_for_each_job_that_comes_or_goes(beside: str) -> None:
    """A second service once meant a look for every event, and its throttle."""
    yard = Yard(on_demand_after_seconds=limits.TWIN_AFTER_SECONDS)
    yard.opens(3)
    spot = yard.only()
    if beside == "a twin":
        yard.w.services.hold_back(spot, 1)
        yard.ticks(limits.TWIN_AFTER_SECONDS // limits.TICK_SECONDS + 1)
    else:
        yard.w.services.keep(spot, 1)
        yard.world = yard.releases("worker:2")
        yard.opens(5)
    assert len(yard.standing()) == 2
    yard.at.calls.clear()
    for _ in range(100):
        yard.opens(1)
    for _ in range(100):
        yard.opens(-1)
    assert counted(yard.at.calls) == (0, 0)


def test_jobs_that_arrive_in_a_pause_cost_no_call() -> None:
    yard = Yard()
    yard.pauses()
    for _ in range(100):
        yard.opens(1)
    assert counted(yard.at.calls) == (0, 0)


def test_a_minute_of_a_busy_pool_costs_two_looks_and_no_call() -> None:
    yard = Yard()
    yard.opens(3)
    yard.ticks(1)
    yard.at.calls.clear()
    yard.ticks(10)
    assert counted(yard.at.calls) == (0, 20)


def test_a_minute_of_an_idle_stack_costs_neither() -> None:
    yard = Yard()
    yard.at.calls.clear()
    yard.ticks(10)
    assert counted(yard.at.calls) == (0, 0)
    assert "table.commit" not in yard.at.calls or yard.at.calls.count("table.commit") <= 1
