"""Where a pool's rules begin and end: at which second, at which count, for which service."""

import dataclasses
from typing import Any

import pytest

from mayfly.core import limits, pool
from mayfly.core.pool import Observed, plan_pool
from mayfly.core.rows import PoolRow, ServiceRow
from tests.unit.test_pool import NOW, POLICY, a_pool, a_service, plan, seen

GRACE, CALL = limits.CREATE_GRACE_SECONDS, limits.CALL_SECONDS_MAX


def after(result: pool.PoolPlan, name: str = "s1") -> ServiceRow:
    return result.services[name]


@pytest.mark.parametrize(
    "busy",
    [
        a_pool(open_jobs=1),
        a_pool(a_service()),
        a_pool(foreign=True),
        a_pool(broken_at=NOW),
    ],
)
def test_a_pool_is_idle_only_when_there_is_nothing_at_all(busy: PoolRow) -> None:
    assert pool.is_idle(a_pool())
    assert not pool.is_idle(busy)


def test_work_is_what_is_open_and_at_least_one_task_of_each_open_job() -> None:
    assert pool.work_of(a_pool(open_jobs=2), 5, paused=False) == 5
    assert pool.work_of(a_pool(open_jobs=2), 0, paused=False) == 2
    assert pool.work_of(a_pool(foreign=True), 0, paused=False) == 1
    assert pool.work_of(a_pool(), 5, paused=False) == 0
    assert pool.work_of(a_pool(open_jobs=2), 5, paused=True) == 0
    assert pool.work_of(a_pool(open_jobs=2, broken_at=NOW), 5, paused=False) == 0


def test_an_event_asks_ecs_only_when_what_serves_is_too_little() -> None:
    def look(work: int, **fields: Any) -> bool:
        return pool.needs_a_look(a_pool(a_service(**fields)), work, POLICY)

    assert not look(2, asked=2) and look(3, asked=2)
    assert not look(9, asked=3)  # as many as the pool may have
    assert look(1, created=False)
    assert look(1, task_definition="worker:6")
    assert look(1, missed_at=NOW)
    assert look(1, deleted_at=NOW)
    assert look(1, capacity_provider="FARGATE")
    assert look(0) and not pool.needs_a_look(a_pool(), 0, POLICY)
    assert pool.needs_a_look(a_pool(broken_at=NOW), 0, POLICY)
    assert pool.needs_a_look(a_pool(), 1, POLICY)


def test_a_twin_may_be_wanted_from_the_very_second() -> None:
    policy = dataclasses.replace(POLICY, on_demand_after_seconds=1.0)
    short = a_pool(short_since=NOW - 1)
    assert pool.may_want_twin(short, policy, NOW)
    assert not pool.may_want_twin(short, policy, NOW - 0.1)
    assert not pool.may_want_twin(a_pool(), policy, NOW)
    assert not pool.may_want_twin(short, POLICY, NOW)


def test_only_on_demand_that_is_asked_for_is_a_twin() -> None:
    assert pool.has_twin(a_pool(a_service(capacity_provider="FARGATE", asked=1)))
    assert not pool.has_twin(a_pool(a_service(capacity_provider="FARGATE", asked=0)))
    assert not pool.has_twin(a_pool(a_service(asked=3)))


def test_workers_at_the_full_price_are_those_of_on_demand_services() -> None:
    row = a_pool(a_service(), a_service("t1", capacity_provider="FARGATE"))
    services = [seen(running=3), seen("t1", running=2), seen("elsewhere", running=9)]
    assert pool.on_demand_running(row, services) == 2


def test_a_silence_counts_from_when_somebody_could_speak() -> None:
    row = a_pool(held_at=NOW)
    assert not pool.may_judge_silence(row, NOW + limits.SILENCE_SECONDS)
    assert pool.may_judge_silence(row, NOW + limits.SILENCE_SECONDS + 1)


@pytest.mark.parametrize(("age", "serves"), [(GRACE, True), (GRACE + 1, False)])
def test_a_created_service_is_waited_for_until_its_grace_is_over(age: int, serves: bool) -> None:
    row = a_pool(a_service(created_at=NOW - age), open_jobs=1)
    assert (plan(row, tasks=1).commands == ()) is serves


def test_a_service_that_somebody_deleted_is_marked_once_and_asked_for_nothing() -> None:
    draining = seen(status="DRAINING", desired=0)
    first = after(plan(a_pool(a_service()), draining))
    assert (first.asked, first.deleted_at) == (0, NOW)
    again = after(plan(a_pool(a_service(deleted_at=NOW - 9)), draining))
    assert (again.asked, again.deleted_at) == (0, NOW - 9)


def test_a_service_whose_deletion_may_be_under_way_is_not_lowered() -> None:
    """ECS refuses to delete what shall run tasks; a late raise has brought one back."""
    row = a_service(asked=0, deleted_at=NOW - CALL)
    late = plan(a_pool(row), seen(desired=1))
    assert late.commands == () and after(late) == row
    none = plan(a_pool(row), seen(desired=0, running=0))
    assert none.commands == (pool.DeleteService(name="s1"),)
    over = plan(a_pool(a_service(asked=0, deleted_at=NOW - CALL - 1)), seen(desired=1))
    assert over.commands == (pool.ResizeService(name="s1", desired=0),)


def test_a_service_that_was_raised_lately_is_not_deleted_by_an_old_description() -> None:
    empty = seen(desired=0, running=0)
    lately = plan(a_pool(a_service(asked=0, raised_at=NOW - GRACE)), empty)
    assert lately.commands == ()
    long_ago = plan(a_pool(a_service(asked=0, raised_at=NOW - GRACE - 1)), empty)
    assert long_ago.commands == (pool.DeleteService(name="s1"),)
    assert after(long_ago).deleted_at == NOW


def test_a_service_goes_only_when_none_runs_and_none_starts() -> None:
    for busy in (seen(desired=0, running=1), seen(desired=0, running=0, pending=1)):
        assert plan(a_pool(a_service(asked=0)), busy).commands == ()


def test_raising_from_none_is_remembered_and_from_some_is_not() -> None:
    raised = plan(a_pool(a_service(asked=0), open_jobs=1), seen(desired=0), tasks=1)
    assert (after(raised).asked, after(raised).raised_at) == (1, NOW)
    more = plan(a_pool(a_service(asked=1, raised_at=5.0), open_jobs=2), seen(), tasks=2)
    assert (after(more).asked, after(more).raised_at) == (2, 5.0)


def test_what_ecs_shows_is_created_and_missed_no_more() -> None:
    row = a_service(created=False, missed_at=NOW - 5)
    shown = after(plan(a_pool(row, open_jobs=1), seen(), tasks=1))
    assert (shown.created, shown.missed_at, shown.asked) == (True, None, 1)


def test_a_service_that_was_never_created_is_created_anew_with_new_patience() -> None:
    row = a_service(created=False, asked=1, created_at=NOW - 50, missed_at=NOW - 40)
    again = plan(a_pool(row, open_jobs=3), tasks=3)
    assert again.commands == (
        pool.CreateService(
            name="s1", desired=3, capacity_provider="FARGATE_SPOT", task_definition="worker:7"
        ),
    )
    made = after(again)
    assert (made.asked, made.created_at, made.missed_at) == (3, NOW, None)


@pytest.mark.parametrize(
    ("created", "patience"), [(True, GRACE), (False, GRACE + CALL)], ids=["created", "intended"]
)
def test_an_unseen_service_is_watched_for_as_long_as_a_call_may_be_late(
    created: bool, patience: int
) -> None:
    def watched(age: int) -> bool:
        since = NOW - age
        missed = since if created else None
        row = a_service(created=created, created_at=since, missed_at=missed)
        return "s1" in plan(a_pool(row)).services

    assert watched(patience) and not watched(patience + 1)


def test_an_unseen_service_is_missed_since_its_creation_was_asked_for() -> None:
    row = a_service(created=False, created_at=NOW - 50)
    assert after(plan(a_pool(row))).missed_at == NOW - 50


@pytest.mark.parametrize("tags", [{}, {"mayfly:expires": ""}, {"mayfly:expires": "soon"}])
def test_an_unknown_service_without_a_date_is_an_orphan(tags: dict[str, str]) -> None:
    assert pool.is_orphan(seen(tags=tags), frozenset(), NOW)


def test_an_unknown_service_is_no_orphan_in_its_last_second() -> None:
    tags = {"mayfly:expires": str(int(NOW))}
    assert not pool.is_orphan(seen(tags=tags), frozenset(), NOW)
    assert pool.is_orphan(seen(tags=tags), frozenset({"other"}), NOW + 1)


def test_of_two_that_can_serve_the_newest_does() -> None:
    older, newer = a_service("s1", created_at=NOW - 500), a_service("s2")
    both = plan(a_pool(newer, older, open_jobs=1), seen("s1"), seen("s2"), tasks=1)
    assert both.commands == (pool.ResizeService(name="s1", desired=0),)
    twins = a_pool(a_service("s3"), a_service("s4"), open_jobs=1)
    same = plan(twins, seen("s3"), seen("s4"), tasks=1)
    assert same.commands == (pool.ResizeService(name="s3", desired=0),)


def test_what_is_wanted_comes_before_what_is_not() -> None:
    """A pool at the limit of its account would otherwise wait for nothing."""
    row = a_pool(
        a_service("a", task_definition="worker:6", asked=0),
        a_service("b", task_definition="worker:6"),
        a_service("c", asked=1),
        open_jobs=2,
    )
    result = plan(row, seen("a", desired=0, running=0), seen("b"), seen("c"), tasks=2)
    assert [type(call).__name__ + call.name for call in result.commands] == [
        "ResizeServiceb",
        "DeleteServicea",
    ]
    more = plan(row, seen("a", desired=0, running=0), seen("b"), seen("c"), tasks=3)
    assert [call.name for call in more.commands] == ["c", "b", "a"]


def test_work_beside_leaving_workers_gets_one_worker_at_least() -> None:
    """One who leaves may hold nothing and not know how to go."""
    row = a_pool(a_service("old", task_definition="worker:6"), open_jobs=1)
    result = plan(row, seen("old", running=5), tasks=3)
    assert result.services["new"].asked == 1
    two = plan(row, seen("old", running=1), tasks=3)
    assert two.services["new"].asked == 2


def test_the_time_of_the_last_hold_is_kept_and_moves_only_with_the_tick() -> None:
    """Open work waits through no fault of its own: paused, or not one worker runs."""

    def held(running: int, *, jobs: int = 1, paused: bool = False, settled: bool = True) -> float:
        row = a_pool(a_service(), open_jobs=jobs, held_at=5.0)
        observed = Observed(
            row=row,
            open_tasks=1,
            services=[seen(running=running)],
            paused=paused,
            settled=settled,
        )
        return plan_pool(observed, POLICY, NOW, "new").held_at

    assert held(0) == NOW and held(1) == 5.0
    assert held(1, paused=True) == NOW
    assert held(0, settled=False) == 5.0 and held(0, jobs=0) == 5.0


def test_between_ticks_nothing_shrinks_and_the_shortage_goes_on() -> None:
    def between(asked: int, tasks: int) -> pool.PoolPlan:
        row = a_pool(a_service(asked=asked), open_jobs=1, short_since=7.0)
        services = [seen(desired=asked, running=asked)]
        observed = Observed(row=row, open_tasks=tasks, services=services, settled=False)
        return plan_pool(observed, POLICY, NOW, "new")

    assert after(between(3, 1)).asked == 3
    assert after(between(1, 3)).asked == 3
    assert between(1, 3).short_since == 7.0


def test_a_pool_mends_only_when_it_was_broken_and_all_is_gone() -> None:
    assert not plan(a_pool()).mend
    assert not plan(a_pool(broken_at=NOW, open_jobs=1)).mend


def test_another_is_hatched_before_an_old_one_is_lowered_and_raised_before_another_is() -> None:
    old = a_service("old", task_definition="worker:6")
    hatched = plan(a_pool(old, open_jobs=1), seen("old", running=0), tasks=1)
    assert [call.name for call in hatched.commands] == ["new", "old"]
    row = a_pool(old, a_service("s1", asked=0), open_jobs=1)
    raised = plan(row, seen("old", running=0), seen("s1", desired=0, running=0), tasks=1)
    assert [call.name for call in raised.commands] == ["s1", "old"]


def test_a_service_that_nobody_has_seen_yet_runs_nothing() -> None:
    spot = a_service("s1", created_at=NOW - 5, asked=1)
    assert plan(a_pool(spot, open_jobs=1), tasks=1).short_since == NOW


def test_a_twin_that_nobody_has_seen_yet_runs_nothing_and_is_waited_for() -> None:
    twin = a_service("t1", created_at=NOW - 5, capacity_provider="FARGATE", asked=1)
    row = a_pool(a_service(asked=3), twin, open_jobs=3, short_since=NOW - 5)
    result = plan(row, seen(desired=3, running=2), tasks=3)
    assert result.commands == () and after(result, "t1").asked == 1
    over = plan(row, seen(desired=3, running=3), tasks=3)
    assert after(over).asked == 3


def test_a_twin_stays_as_it_is_between_ticks() -> None:
    twin = a_service("t1", capacity_provider="FARGATE", asked=2)
    row = a_pool(a_service(asked=3), twin, open_jobs=3)
    services = [seen(desired=3, running=1), seen("t1", desired=2, running=2)]
    observed = Observed(row=row, open_tasks=3, services=services, settled=False)
    assert plan_pool(observed, POLICY, NOW, "new").commands == ()


def test_beside_a_twin_a_leaving_service_is_asked_for_none() -> None:
    twin = a_service("t1", capacity_provider="FARGATE", asked=2)
    old = a_service("old", task_definition="worker:6", asked=2)
    row = a_pool(a_service(asked=3), twin, old, open_jobs=3, short_since=NOW)
    services = seen(desired=3, running=1), seen("t1", desired=2, running=2)
    policy = dataclasses.replace(POLICY, on_demand_after_seconds=600.0)
    leaving = seen("old", desired=2, running=0)
    observed = Observed(row=row, open_tasks=3, services=[*services, leaving])
    result = plan_pool(observed, policy, NOW, "new")
    assert {name: one.asked for name, one in result.services.items()} == {
        "s1": 3,
        "t1": 2,
        "old": 0,
    }


def test_a_service_whose_one_worker_starts_and_whose_other_runs_stays() -> None:
    busy = seen(desired=0, running=1, pending=1)
    assert plan(a_pool(a_service(asked=0)), busy).commands == ()
