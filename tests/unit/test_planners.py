"""Planners that are cut off, refused, or stand still while others plan: at every point of what they
do, the pool is right again within three ticks, no service goes over the head of a busy worker, and
without work nothing is left.

Each test plays its scene once for each point, which is before or after each port call.
"""

from collections.abc import Callable

import pytest

from mayfly.core import limits
from tests.unit.interrupting import crash, points_of
from tests.unit.yard import Yard, refused, tried

#: Points that each scene has at least, or it does not show what it says.
POINTS_MIN = 8


def an_empty_pool() -> Yard:
    return Yard()


def a_busy_pool() -> Yard:
    """One job, whose worker is protected."""
    yard = Yard()
    yard.opens(1)
    yard.w.services.keep(yard.only(), 1)
    return yard


def a_pool_whose_work_is_done() -> Yard:
    """Its last job has closed, and nobody has looked yet."""
    yard = a_busy_pool()
    yard.w.services.keep(yard.only(), 0)
    yard.counts(-1)
    return yard


def a_drained_pool() -> Yard:
    """Its service was asked for none, and nothing runs."""
    yard = a_pool_whose_work_is_done()
    yard.plan()
    return yard


def a_retiring_pool() -> Yard:
    """A new revision of the worker came while one of the old was busy."""
    yard = a_busy_pool()
    yard.world = yard.releases("worker:2")
    return yard


def a_dry_pool() -> Yard:
    """Spot gives nothing, and has not for as long as the pool waits."""
    yard = Yard(on_demand_after_seconds=limits.TWIN_AFTER_SECONDS)
    yard.opens(1)
    yard.w.services.hold_back(yard.only(), 0)
    yard.ticks(limits.TWIN_AFTER_SECONDS // limits.TICK_SECONDS)
    yard.w.clock.sleep(limits.TICK_SECONDS)
    return yard


Scene = tuple[Callable[[], Yard], Callable[[Yard], None], int]

#: A pool, what a planner sees to, and how many jobs are open then.
SCENES: dict[str, Scene] = {
    "hatches": (an_empty_pool, lambda yard: yard.opens(2), 2),
    "raises": (a_busy_pool, lambda yard: yard.opens(2), 3),
    "lowers": (a_pool_whose_work_is_done, Yard.plan, 0),
    "deletes": (a_drained_pool, lambda yard: yard.plan(settled=True), 0),
    "raises what drains": (a_drained_pool, lambda yard: yard.opens(1), 1),
    "retires": (a_retiring_pool, lambda yard: yard.plan(settled=True), 1),
    "buys on-demand": (a_dry_pool, lambda yard: yard.plan(settled=True), 1),
}


def heal(yard: Yard) -> None:
    """Work ends, capacity comes, and the jobs of a broken pool have failed."""
    for service in yard.standing():
        yard.w.services.keep(service, 0)
        yard.w.services.hold_back(service, None)
    if yard.row.broken_at is not None:
        yard.counts(-yard.row.open_jobs)


@pytest.mark.parametrize("name", SCENES)
@pytest.mark.parametrize("what", [crash, refused])
def test_a_planner_that_is_cut_off_or_refused_is_made_good(
    name: str, what: Callable[[], None]
) -> None:
    make, act, jobs = SCENES[name]

    def scene(point: int) -> bool:
        yard = make()
        reached = yard.at.during(tried(lambda: act(yard)), point, what)
        if yard.row.open_jobs < jobs:
            yard.counts(jobs - yard.row.open_jobs)  # its event is delivered again
        heal(yard)
        assert yard.wrong(yard.row.open_jobs) == "", f"point {point}"
        return reached

    assert points_of(scene) >= POINTS_MIN


def nobody(_: Yard) -> None:
    """Time passes."""


def the_tick(yard: Yard) -> None:
    yard.ticks(1)


def more_work(yard: Yard) -> None:
    yard.opens(1)


def the_end_of_all_work(yard: Yard) -> None:
    yard.opens(-yard.row.open_jobs)


def the_end_and_ticks(yard: Yard) -> None:
    yard.opens(-yard.row.open_jobs)
    yard.ticks(4)


def the_end_and_a_new_beginning(yard: Yard) -> None:
    yard.opens(-yard.row.open_jobs)
    yard.ticks(2)
    yard.opens(2)


def a_pause(yard: Yard) -> None:
    yard.pauses()
    yard.ticks(2)
    yard.goes_on()


def the_brake(yard: Yard) -> None:
    yard.breaks()
    yard.ticks(1)


MEANWHILE = (
    nobody,
    the_tick,
    more_work,
    the_end_of_all_work,
    the_end_and_ticks,
    the_end_and_a_new_beginning,
    a_pause,
    the_brake,
)


@pytest.mark.parametrize("name", SCENES)
@pytest.mark.parametrize("others", MEANWHILE)
def test_a_planner_that_stood_still_while_others_planned_does_no_harm(
    name: str, others: Callable[[Yard], None]
) -> None:
    """Its lease ended under it, and then it went on with its old plan."""
    make, act, _ = SCENES[name]

    def scene(point: int) -> bool:
        yard = make()

        def meanwhile() -> None:
            yard.stalls()
            others(yard)

        reached = yard.at.during(tried(lambda: act(yard)), point, meanwhile)
        assert yard.stopped == []
        heal(yard)
        assert yard.wrong(yard.row.open_jobs) == "", f"point {point}"
        return reached

    assert points_of(scene) >= POINTS_MIN
