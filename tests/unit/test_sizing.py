"""How many workers pay: by the work that is left, by the time there is for it, and by the means."""

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.contract.recipe import PosterOutput, Recipe, VideoOutput
from mayfly.contract.wire import Refusal
from mayfly.core import limits, sizing
from mayfly.core.pool import Observed, PoolPolicy, needs_a_look, plan_pool
from mayfly.core.rows import JobHead, JobState, TaskRow, TaskState
from mayfly.core.sizing import Means, Neighbour, Remaining, Share, Size
from tests.unit.given import AT, a_job, a_task
from tests.unit.test_pool import NOW, a_pool, a_service, seen

START, FINISH = float(limits.WORKER_START_SECONDS), float(limits.FINISH_SECONDS)


def left(seconds: float, tasks: int = 1000, left_seconds: float = 480.0) -> Remaining:
    return Remaining(tasks=tasks, seconds=seconds, left_seconds=left_seconds)


def workers(*planned: Remaining, standing: int = 0, loose: int = 0) -> int:
    return sizing.workers(loose + sum(job.tasks for job in planned), planned, standing)


# --- By the work -------------------------------------------------------------------------------


def test_without_a_prediction_each_task_gets_a_worker() -> None:
    assert [sizing.workers(tasks, (), 3) for tasks in (0, 1, 7)] == [0, 1, 7]


def test_a_long_job_gets_as_many_workers_as_finish_it_in_the_time_there_is() -> None:
    # Those that are called take a minute to start: 420 s are left for 4,200 s of work.
    assert workers(left(4200)) == 10
    assert workers(left(42_000)) == 100


def test_tasks_of_which_nothing_was_predicted_get_theirs_beside() -> None:
    assert workers(left(4200), loose=5) == 15
    assert workers(left(4200), loose=5, standing=15) == 15


def test_several_jobs_share_workers_where_each_alone_would_leave_one_half_idle() -> None:
    assert workers(*[left(210, tasks=3)] * 10) == 5


def test_a_job_never_gets_more_workers_than_it_has_tasks() -> None:
    assert workers(left(42_000, tasks=7)) == 7
    assert workers(left(42_000, tasks=7), standing=50) == 7


def test_those_who_stand_stay_while_there_is_a_task_for_each() -> None:
    assert workers(left(100, tasks=12), standing=12) == 12
    assert workers(left(100, tasks=5), standing=12) == 5


def test_a_prediction_that_wavers_calls_nobody() -> None:
    on_track = left(4800)
    assert workers(on_track, standing=10) == 10
    assert workers(left(4800 * 1.09), standing=10) == 10
    assert workers(left(4800 * 1.5), standing=10) > 14


def test_nobody_is_added_who_would_not_have_a_minute_of_work() -> None:
    late = -100.0
    assert workers(left(40, left_seconds=late)) == 1
    assert workers(left(170, left_seconds=late)) == 2
    assert workers(left(300, left_seconds=late), standing=2) == 2


def test_more_than_can_start_before_the_work_is_over_are_not_asked_for() -> None:
    # Ten hours of work, late: a worker a minute of it would be 600, of which two start a second.
    most = workers(left(36_000, left_seconds=1.0))
    assert most == sizing.worthwhile(36_000, 0)
    rate = limits.LAUNCHES_PER_SECOND
    assert (
        60 * most + most**2 / (2 * rate) <= 36_000 < 60 * (most + 1) + (most + 1) ** 2 / (2 * rate)
    )


def test_the_work_that_is_done_until_the_last_has_come_is_not_counted_twice() -> None:
    # m added beside 5: m*m/4 + (60 + 5/2) m = 3,000 - 5 * 120, so m = 33.8.
    assert sizing.worthwhile(3000, 5) == 38
    assert sizing.worthwhile(600, 5) == 5
    assert sizing.worthwhile(241, 2) == sizing.worthwhile(0, 2) == 2


@given(
    seconds=st.floats(0, 1e7),
    standing=st.integers(0, 500),
    tasks=st.integers(1, 10_000),
    left_seconds=st.floats(-1e5, 1800),
)
def test_whatever_is_predicted_there_is_one_and_none_too_many(
    seconds: float, standing: int, tasks: int, left_seconds: float
) -> None:
    found = workers(left(seconds, tasks, left_seconds), standing=standing)
    assert 1 <= found <= tasks
    assert found >= min(standing, tasks)
    added = found - standing
    if added > 0 and found > 1:
        rate = limits.LAUNCHES_PER_SECOND
        begun_after = added / rate
        done = standing * (START + begun_after) + added * begun_after / 2
        assert seconds - done >= 60 * found - 1e-3


def test_what_parts_took_corrects_what_is_left_of_the_others() -> None:
    head = a_job(parts=11, open_tasks=11, plan_ms=1_100_000, accepted_at=AT)
    assert found(head).seconds == 1100
    slow = a_job(parts=11, open_tasks=5, plan_ms=1_100_000, took_ms=6 * 200_000)
    # Six parts took 200 s each where 100 s were predicted, which counts for two.
    assert found(slow).seconds == pytest.approx(5 * (2 * 100 + 6 * 200) / 8)
    first = a_job(parts=11, open_tasks=10, plan_ms=1_100_000, took_ms=900_000)
    assert found(first).seconds == pytest.approx(10 * (2 * 100 + 900) / 3)


def found(head: JobHead, finish: float = FINISH, now: float = AT) -> Remaining:
    remaining = sizing.remaining(head, finish, now)
    assert remaining is not None
    return remaining


def test_a_job_should_be_done_by_its_deadline_or_by_the_stacks_target() -> None:
    cut: dict[str, Any] = {"parts": 11, "open_tasks": 11, "plan_ms": 1_100_000}
    assert found(a_job(**cut), now=AT + 100).left_seconds == FINISH - 100
    assert found(a_job(**cut, deadline_at=AT + 200)).left_seconds == 200
    assert found(a_job(**cut, deadline_at=AT + 9000)).left_seconds == FINISH


@pytest.mark.parametrize(
    ("state", "fields"),
    [
        (JobState.RUNNING, {"plan_ms": 0}),
        (JobState.RUNNING, {"open_tasks": 0}),
        (JobState.FINISHING, {}),
        (JobState.SUCCEEDED, {}),
    ],
)
def test_nothing_is_left_to_be_predicted(state: JobState, fields: dict[str, Any]) -> None:
    cut = {"parts": 3, "open_tasks": 3, "plan_ms": 9000, **fields}
    assert sizing.remaining(a_job(state, **cut), FINISH, AT) is None


def test_a_stack_without_a_target_predicts_nothing() -> None:
    assert sizing.remaining(a_job(parts=3, open_tasks=3, plan_ms=9000), 0, AT) is None


def test_a_plan_counts_on_the_workers_that_its_job_will_get() -> None:
    assert sizing.divided_among(4200, 0, 50) == 50
    assert sizing.divided_among(4200, FINISH, 50) == workers(left(4200))
    assert sizing.divided_among(4200, FINISH, 3) == 3
    assert sizing.divided_among(1, FINISH, 50) == 1


MOST = 8


def of_large_source(**given: Any) -> TaskRow:
    fields = dict(given)
    state = fields.pop("state", TaskState.OPEN)
    return a_task(state, **{"guessed_seconds": 480 * 4.5, **fields})


def test_a_large_source_calls_some_workers_before_anybody_has_looked_at_it() -> None:
    assert sizing.foreseen(of_large_source(), FINISH, MOST, AT) == 3
    assert sizing.foreseen(of_large_source(guessed_seconds=1e9), FINISH, MOST, AT) == 8
    assert sizing.foreseen(of_large_source(guessed_seconds=1e9), FINISH, 200, AT) == 200
    assert sizing.foreseen(of_large_source(guessed_seconds=200.0), FINISH, MOST, AT) == 0
    assert sizing.foreseen(of_large_source(deadline_at=AT + 300), FINISH, MOST, AT) == 8


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "chunk"},
        {"state": TaskState.RUNNING, "stage": "encoding"},
        {"state": TaskState.RUNNING, "fraction": 0.01},
        {"accepted_at": AT - limits.FORESEEN_SECONDS - 1},
        {"guessed_seconds": 0.0},
    ],
)
def test_they_are_kept_only_while_it_may_still_be_cut(fields: dict[str, Any]) -> None:
    assert sizing.foreseen(of_large_source(**fields), FINISH, MOST, AT) == 0


def test_a_worker_that_looks_at_the_source_has_not_begun_to_encode_it() -> None:
    looking = of_large_source(state=TaskState.RUNNING, stage="fetching")
    assert sizing.foreseen(looking, FINISH, MOST, AT + 60) == 3
    assert sizing.foreseen(looking, 0, MOST, AT + 60) == 0


# --- In a pool ---------------------------------------------------------------------------------

POLICY = PoolPolicy(workers_max=50, task_definition="worker:7", finish_seconds=FINISH)


def asked(standing: int, *planned: Remaining, settled: bool = True, tasks: int = 0) -> int:
    row = a_pool(*([a_service(asked=standing)] if standing else []), open_jobs=1)
    services = [seen(desired=standing, running=standing)] if standing else []
    observed = Observed(
        row=row,
        open_tasks=tasks or sum(job.tasks for job in planned),
        services=services,
        planned=planned,
        settled=settled,
    )
    plan = plan_pool(observed, POLICY, NOW, "new")
    return plan.services["s1" if standing else "new"].asked


def test_a_pool_asks_for_the_workers_that_pay_and_no_more_than_it_may_have() -> None:
    assert asked(0, left(4200)) == 10
    assert asked(0, left(1e6)) == 50


def test_workers_are_let_go_only_at_the_tick_and_only_for_want_of_tasks() -> None:
    assert asked(10, left(1000, tasks=10)) == 10
    assert asked(10, left(200, tasks=4)) == 4
    assert asked(10, left(200, tasks=4), settled=False) == 10


def test_an_event_asks_ecs_only_where_more_workers_would_pay() -> None:
    row = a_pool(a_service(asked=10), open_jobs=1)
    assert not needs_a_look(row, 1000, POLICY, (left(4800),))
    assert needs_a_look(row, 1000, POLICY, (left(9600),))
    assert needs_a_look(row, 1000, POLICY)


def test_workers_on_a_service_that_leaves_hold_tasks_but_finish_no_job() -> None:
    row = a_pool(a_service(task_definition="worker:6", asked=0), open_jobs=1)
    observed = Observed(
        row=row,
        open_tasks=12,
        services=[seen(desired=0, running=6)],
        planned=(left(4200, tasks=12),),
    )
    assert plan_pool(observed, POLICY, NOW, "new").services["new"].asked == 6


# --- By the means ------------------------------------------------------------------------------

STANDARD, SMALL = Size(vcpu=2, memory_gib=4), Size(vcpu=1, memory_gib=2)
LARGE = Size(vcpu=8, memory_gib=16)


def other(size: Size, spot: int, on_demand: int = 0, *, works: bool = True) -> Neighbour:
    return Neighbour(size=size, asked=Share(spot=spot, on_demand=on_demand), works=works)


def test_unbounded_means_bound_nothing() -> None:
    assert sizing.share(STANDARD, 50, Means()) == Share(spot=50, on_demand=50)


def test_pools_share_the_accounts_processors() -> None:
    means = Means(spot_vcpu=6, on_demand_vcpu=6)
    assert sizing.share(STANDARD, 50, means) == Share(spot=3, on_demand=3)
    assert sizing.share(STANDARD, 50, means, [other(SMALL, 2)]) == Share(spot=2, on_demand=3)
    assert sizing.share(STANDARD, 50, means, [other(SMALL, 0, 5)]) == Share(spot=2, on_demand=0)


def test_a_pool_with_work_may_have_one_worker_and_one_is_kept_for_its_neighbour() -> None:
    means = Means(spot_vcpu=6)
    assert sizing.share(SMALL, 4, means, [other(STANDARD, 3)]).spot == 1
    assert sizing.share(STANDARD, 3, means, [other(SMALL, 0)]).spot == 2
    assert sizing.share(STANDARD, 3, means, [other(SMALL, 0, works=False)]).spot == 3
    assert sizing.share(LARGE, 2, means) == Share(spot=1, on_demand=2)


def test_what_is_asked_for_never_costs_more_than_it_may() -> None:
    cheap, full = (STANDARD.hourly_dollars(spot=spot) for spot in (True, False))
    means = Means(dollars_per_hour=10 * cheap)
    assert sizing.share(STANDARD, 50, means).spot == 10
    kept = sizing.share(STANDARD, 50, means, stands_in=True)
    assert kept.spot * cheap + kept.on_demand * full <= 10 * cheap
    assert kept.on_demand == 1  # so that work goes on in a drought
    few = sizing.share(STANDARD, 2, means, stands_in=True)
    assert few == Share(spot=2, on_demand=int(8 * cheap / full))


def test_what_neighbours_have_is_counted_by_their_own_size() -> None:
    means = Means(spot_vcpu=40, on_demand_vcpu=40)
    mine = sizing.share(STANDARD, 50, means, [other(LARGE, 2, 3)])
    assert mine == Share(spot=12, on_demand=8)
    cap = 20 * STANDARD.hourly_dollars(spot=True) + 3 * LARGE.hourly_dollars(spot=True)
    assert sizing.share(STANDARD, 50, Means(dollars_per_hour=cap), [other(LARGE, 3)]).spot == 20
    assert STANDARD.hourly_dollars(spot=True) == pytest.approx(0.03754, abs=1e-5)
    assert STANDARD.hourly_dollars(spot=False) == pytest.approx(0.10374, abs=1e-5)


def test_the_cap_holds_for_all_sizes_and_neighbours() -> None:
    for size, cap, spot, bought in itertools.product(
        (SMALL, STANDARD, LARGE), (1.0, 2.0, 5.0), range(4), range(3)
    ):
        there = other(STANDARD, spot, bought)
        mine = sizing.share(size, 1000, Means(dollars_per_hour=cap), [there], stands_in=True)
        assert mine.spot >= 1
        cost = sum(
            each.hourly_dollars(spot=True) * share.spot
            + each.hourly_dollars(spot=False) * share.on_demand
            for each, share in (
                (size, mine),
                (STANDARD, Share(spot=max(1, spot), on_demand=bought)),
            )
        )
        assert cost <= cap


@given(
    quota=st.integers(6, 60),
    wanted=st.tuples(*[st.integers(0, 40)] * 3),
    began=st.tuples(*[st.integers(0, 40)] * 3),
)
def test_pools_that_look_in_turn_come_to_rest_within_the_quota(
    quota: int, wanted: tuple[int, ...], began: tuple[int, ...]
) -> None:
    """However much each had asked for: a tick looks at one pool after another."""
    sizes = (SMALL, STANDARD, Size(vcpu=3, memory_gib=6))
    asked = list(began)
    means = Means(spot_vcpu=quota)
    for index in (0, 1, 2) * 2:
        others = [other(sizes[n], asked[n], works=wanted[n] > 0) for n in range(3) if n != index]
        most = sizing.share(sizes[index], 40, means, others).spot
        asked[index] = min(wanted[index], most)
    assert sum(size.vcpu * count for size, count in zip(sizes, asked, strict=True)) <= quota
    assert all(count >= 1 for count, want in zip(asked, wanted, strict=True) if want)


def test_a_pool_that_the_stack_no_longer_has_gets_nothing() -> None:
    assert sizing.share(STANDARD, 0, Means(spot_vcpu=6)) == Share(spot=0, on_demand=0)


def test_a_recipe_picks_its_pool_where_nobody_names_one() -> None:
    film, still = Recipe(outputs=(VideoOutput(),)), Recipe(outputs=(PosterOutput(),))
    pools = ("small", "standard")
    assert [sizing.choose_pool(r, None, pools) for r in (film, still)] == ["standard", "small"]
    with pytest.raises(Refusal, match="one of: small, standard"):
        sizing.choose_pool(film, "large", pools)
