"""What a planner reads of the work there is: every planned job, whatever the index knows, and what
other pools leave."""

from typing import Any

import msgspec
import pytest

from mayfly.contract.report import Encoded, Progressed, Started
from mayfly.core import limits
from mayfly.core.changes import Put
from mayfly.core.rows import TaskState, pool_key, to_item
from mayfly.memory.world import SETTINGS, MemoryWorld, memory_world
from mayfly.perform import foreseeing, planning
from tests.unit.acting import cancel, dispatch, outcomes, receive, report, said, tick, upload
from tests.unit.splitting import begun, brought, finish_parts, head_of, plan_of, tasks_of
from tests.unit.test_pool import a_pool, a_service

FINISH = float(limits.FINISH_SECONDS)
PLAN = msgspec.structs.replace(plan_of(40), predicted_seconds=4200.0)


def world(workers_max: int = 50, **fields: Any) -> MemoryWorld:
    """A stack with a target."""
    pool = msgspec.structs.replace(SETTINGS.pools[0], workers_max=workers_max)
    target = {"finish_seconds": int(FINISH), "foreseen_workers_max": limits.FORESEEN_WORKERS}
    changed: dict[str, Any] = {"pools": (pool,), **target, **fields}
    return memory_world(msgspec.structs.replace(SETTINGS, **changed))


def asked(w: MemoryWorld) -> int:
    services = planning.read_pool(w.world, "standard")[0].services
    return sum(service.asked for service in services.values())


def seen(w: MemoryWorld) -> foreseeing.Work:
    policy = w.world.policy("standard")
    return foreseeing.open_work(w.world, "standard", policy, frozenset())


def test_the_planner_of_a_job_that_was_cut_asks_at_once_for_the_workers_that_it_pays() -> None:
    w = world()
    begun(w, PLAN)
    # Nobody has waited yet: 4,200 s of work, 540 s of time for those that are still to start.
    assert asked(w) == 8


def test_small_work_gets_a_worker_each_as_ever() -> None:
    w = world()
    dispatch(w, upload(w, body=b"one"), upload(w, "uploads/other.mp4", b"two"))
    assert seen(w) == foreseeing.Work(tasks=2)
    assert asked(w) == 2


def test_a_plan_without_a_prediction_gets_a_worker_each_part() -> None:
    w = world()
    begun(w, plan_of(40))
    assert asked(w) == 41


def test_parts_are_all_counted_however_few_of_them_are_read() -> None:
    w = world(workers_max=5)
    begun(w, PLAN)
    (left,) = seen(w).planned
    assert (left.tasks, left.seconds) == (41, 4200.0)
    assert asked(w) == 5


def test_what_finished_parts_took_is_added_up_and_calls_more_workers() -> None:
    w = world()
    first = begun(w, PLAN)
    done = msgspec.structs.replace(
        brought(w, first, scope=PLAN.scope(0)), busy_seconds=1000.0, predicted_seconds=105.0
    )
    report(w, done, done)
    head = head_of(w, first.job_id)
    assert (head.plan_ms, head.done_ms, head.took_ms) == (4_200_000, 105_000, 1_000_000)
    before = asked(w)
    tick(w)
    assert asked(w) > before


def test_the_outcome_names_what_was_predicted_and_what_was_measured() -> None:
    w = world()
    first = begun(w, PLAN)
    finish = finish_parts(w, first, PLAN)[-1]
    report(w, brought(w, finish))
    (outcome,) = outcomes(w)
    assert outcome.work is not None
    work = outcome.work
    assert (work.planned_seconds, work.predicted_seconds, work.measured_seconds) == (4200, 0, 360)


def test_a_whole_job_names_its_own_and_sound_alone_names_none() -> None:
    for predicted in (30.0, 0.0):
        w = world()
        dispatch(w, upload(w))
        task, _ = receive(w)
        done = brought(w, task)
        assert isinstance(done, Encoded)
        report(
            w,
            Started(**said(task)),
            msgspec.structs.replace(done, predicted_seconds=predicted, busy_seconds=45.0),
        )
        (outcome,) = outcomes(w)
        if not predicted:
            assert outcome.work is None
            continue
        assert outcome.work is not None
        assert (outcome.work.predicted_seconds, outcome.work.measured_seconds) == (30.0, 45.0)


def test_the_joining_of_a_job_wants_one_worker() -> None:
    w = world()
    finish_parts(w, begun(w, PLAN), PLAN)
    assert seen(w) == foreseeing.Work(tasks=1)


def test_parts_of_an_ended_job_are_no_predicted_work() -> None:
    w = world()
    first = begun(w, PLAN)
    cancel(w, first.job_id, crashing=True)
    assert seen(w).planned == ()


def test_a_planner_knows_of_a_task_that_the_index_does_not_show_yet(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    w = world()
    first = begun(w, PLAN)
    monkeypatch.setattr(w.table, "index", lambda *_, **__: [])
    policy = w.world.policy("standard")
    names = frozenset({(str(first.job_id), "chunk-00001"), ("nobody's", "encode")})
    assert foreseeing.open_work(w.world, "standard", policy, names).planned[0].tasks == 41
    assert foreseeing.open_work(w.world, "standard", policy, frozenset()).planned == ()


# --- Before anybody has looked -----------------------------------------------------------------


def large_source(w: MemoryWorld) -> None:
    """An upload of which S3 says that it has 20 GB."""
    dispatch(w, upload(w).replace('"size": 5', f'"size": {20 * 10**9}'))


def test_a_large_source_calls_workers_when_it_is_accepted() -> None:
    w = world()
    large_source(w)
    assert 3 <= asked(w) <= 1 + limits.FORESEEN_WORKERS
    task, _ = receive(w)
    assert tasks_of(w, task.job_id)["encode"].guessed_seconds > limits.SPLIT_SECONDS_MIN


def test_an_operator_says_how_many_it_calls() -> None:
    for most in (0, 3):
        w = world(foreseen_workers_max=most)
        large_source(w)
        assert asked(w) == 1 + most


def test_those_who_came_for_nothing_leave_with_the_tick() -> None:
    w = world()
    large_source(w)
    called = asked(w)
    task, _ = receive(w)
    report(w, Started(**said(task)), Progressed(**said(task), fraction=0.0, stage="fetching"))
    tick(w)
    assert asked(w) == called
    report(w, Progressed(**said(task), fraction=0.01, stage="encoding"))
    tick(w)
    assert asked(w) == 1


def test_those_who_wait_too_long_for_a_plan_leave_as_well() -> None:
    w = world()
    large_source(w)
    task, _ = receive(w)
    report(w, Started(**said(task)))
    tick(w, after=limits.FORESEEN_SECONDS + 1)
    assert asked(w) == 1


def test_without_a_target_a_large_source_calls_one() -> None:
    w = world(finish_seconds=0)
    large_source(w)
    assert asked(w) == 1


# --- Beside other pools ------------------------------------------------------------------------


def two_pools(**means: Any) -> MemoryWorld:
    small = msgspec.structs.replace(
        SETTINGS.pools[0], name="small", vcpu=1, memory_mib=2048, workers_max=4
    )
    return memory_world(msgspec.structs.replace(SETTINGS, pools=(*SETTINGS.pools, small), **means))


@pytest.mark.parametrize(
    ("neighbour", "most"),
    [
        (a_pool(), 3),
        (a_pool(open_jobs=1), 2),
        (a_pool(foreign=True), 2),
        (a_pool(open_jobs=1, broken_at=1.0), 3),
        (a_pool(a_service(asked=4), open_jobs=4), 1),
        (a_pool(a_service(asked=4, capacity_provider="FARGATE"), open_jobs=0), 3),
    ],
)
def test_a_pool_has_what_its_neighbours_leave(neighbour: Any, most: int) -> None:
    w = two_pools(spot_vcpu_quota=6)
    row = {**to_item(neighbour), "pool": "small"}
    w.table.commit([Put(key=pool_key("small"), item=row)])
    assert foreseeing.policy_of(w.world, "standard").workers_max == most


def test_a_twin_has_what_its_neighbours_twins_leave() -> None:
    w = two_pools(on_demand_vcpu_quota=6)
    twin = a_pool(a_service(asked=4, capacity_provider="FARGATE"), open_jobs=4)
    w.table.commit([Put(key=pool_key("small"), item={**to_item(twin), "pool": "small"})])
    policy = foreseeing.policy_of(w.world, "standard")
    assert (policy.workers_max, policy.on_demand_max) == (3, 1)


def test_nobody_asks_for_neighbours_where_nothing_is_shared(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(w.table, "get", None)
    assert foreseeing.policy_of(w.world, "standard").workers_max == 3
    assert foreseeing.policy_of(two_pools().world, "standard").on_demand_max is None


def test_done_tasks_are_no_work() -> None:
    w = world()
    first = begun(w, PLAN)
    report(w, brought(w, first, scope=PLAN.scope(0)))
    assert tasks_of(w, first.job_id)["encode"].state is TaskState.DONE
    policy = w.world.policy("standard")
    names = frozenset({(str(first.job_id), "encode")})
    assert foreseeing.open_work(w.world, "standard", policy, names).planned[0].tasks == 40
