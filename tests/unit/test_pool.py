"""How many workers a pool gets, and when its services go."""

import msgspec

from mayfly.core import limits, pool
from mayfly.core.pool import Observed, PoolPolicy, ServiceSeen, plan_pool
from mayfly.core.rows import PoolRow, ServiceRow

NOW = 1_800_000_000.0
POLICY = PoolPolicy(workers_max=3, task_definition="worker:7")


def a_service(name: str = "s1", **fields: object) -> ServiceRow:
    row = ServiceRow(
        name=name,
        asked=1,
        created_at=NOW - 300,
        capacity_provider="FARGATE_SPOT",
        task_definition="worker:7",
        created=True,
    )
    return msgspec.structs.replace(row, **fields)


def a_pool(*services: ServiceRow, **fields: object) -> PoolRow:
    row = PoolRow(pool="standard", services={s.name: s for s in services})
    return msgspec.structs.replace(row, **fields)


def seen(name: str = "s1", **fields: object) -> ServiceSeen:
    base: dict[str, object] = {"status": "ACTIVE", "desired": 1, "running": 1, "pending": 0}
    return ServiceSeen(name=name, **(base | fields))  # type: ignore[arg-type]


def plan(
    row: PoolRow, *services: ServiceSeen, tasks: int = 0, paused: bool = False
) -> pool.PoolPlan:
    observed = Observed(row=row, open_tasks=tasks, services=services, paused=paused)
    return plan_pool(observed, POLICY, NOW, "new")


def test_open_work_without_a_service_hatches_one_on_spot() -> None:
    result = plan(a_pool(open_jobs=1), tasks=1)
    (call,) = result.commands
    assert call == pool.CreateService(
        name="new", desired=1, capacity_provider="FARGATE_SPOT", task_definition="worker:7"
    )
    assert result.services["new"].created is False


def test_there_are_never_more_workers_than_open_tasks_or_than_the_pool_may_have() -> None:
    assert plan(a_pool(open_jobs=2), tasks=2).services["new"].asked == 2
    assert plan(a_pool(open_jobs=40), tasks=3).services["new"].asked == 3


def test_an_open_job_gets_a_worker_though_the_index_does_not_show_its_task_yet() -> None:
    assert plan(a_pool(open_jobs=1), tasks=0).services["new"].asked == 1


def test_a_service_that_is_right_is_left_alone() -> None:
    row = a_pool(a_service(asked=2), open_jobs=2)
    assert plan(row, seen(desired=2, running=2), tasks=2).commands == ()
    assert not pool.needs_a_look(row, 2, POLICY)


def test_idle_workers_leave_with_the_tick_while_a_straggler_runs() -> None:
    row = a_pool(a_service(asked=3), open_jobs=1)
    result = plan(row, seen(desired=3, running=3), tasks=1)
    assert result.commands == (pool.ResizeService(name="s1", desired=1),)


def test_jobs_that_close_one_by_one_do_not_cost_a_call_each() -> None:
    row = a_pool(a_service(asked=3), open_jobs=1)
    between = Observed(row=row, open_tasks=1, services=[seen(desired=3, running=3)], settled=False)
    assert plan_pool(between, POLICY, NOW, "new").commands == ()
    assert not pool.needs_a_look(row, 1, POLICY)
    drained = msgspec.structs.replace(row, open_jobs=0)
    none = Observed(row=drained, open_tasks=0, services=[seen(desired=3, running=3)], settled=False)
    assert plan_pool(none, POLICY, NOW, "new").commands == (
        pool.ResizeService(name="s1", desired=0),
    )


def test_closing_is_a_drain_first_zero_then_wait_then_delete() -> None:
    drain = plan(a_pool(a_service()), seen())
    assert drain.commands == (pool.ResizeService(name="s1", desired=0),)
    waiting = plan(a_pool(a_service(asked=0)), seen(desired=0, running=1))
    assert waiting.commands == ()
    done = plan(a_pool(a_service(asked=0)), seen(desired=0, running=0))
    assert done.commands == (pool.DeleteService(name="s1"),)
    gone = plan(a_pool(a_service(asked=0)), seen(status="INACTIVE", desired=0, running=0))
    assert gone.services == {} and gone.commands == ()


def test_new_work_raises_what_still_stands_instead_of_hatching_another() -> None:
    result = plan(a_pool(a_service(asked=0), open_jobs=1), seen(desired=0, running=1), tasks=1)
    assert result.commands == (pool.ResizeService(name="s1", desired=1),)


def test_a_draining_service_cannot_serve_so_another_is_hatched() -> None:
    row = a_pool(a_service(asked=0), open_jobs=1)
    result = plan(row, seen(status="DRAINING", desired=0), tasks=1)
    assert [type(c) for c in result.commands] == [pool.CreateService]
    assert set(result.services) == {"s1", "new"}


def test_a_service_of_an_older_task_definition_retires() -> None:
    row = a_pool(a_service(task_definition="worker:6"), open_jobs=1)
    result = plan(row, seen(), tasks=1)
    assert pool.ResizeService(name="s1", desired=0) in result.commands
    assert [type(c) for c in result.commands].count(pool.CreateService) == 1


def test_a_crash_between_intent_and_call_is_found_and_the_same_name_is_created() -> None:
    intent = a_service(created=False, created_at=NOW - 5, asked=1)
    (call,) = plan(a_pool(intent, open_jobs=1), tasks=1).commands
    assert isinstance(call, pool.CreateService) and call.name == "s1"


def test_a_created_service_is_given_time_to_be_seen() -> None:
    fresh = a_service(created_at=NOW - 5)
    result = plan(a_pool(fresh, open_jobs=1), tasks=1)
    assert result.commands == () and set(result.services) == {"s1"}


def test_a_service_that_vanished_is_replaced() -> None:
    old = a_service(created_at=NOW - limits.CREATE_GRACE_SECONDS - 1)
    (call,) = plan(a_pool(old, open_jobs=1), tasks=1).commands
    assert isinstance(call, pool.CreateService) and call.name == "new"


def test_somebody_elses_resize_is_undone() -> None:
    result = plan(a_pool(a_service(asked=1), open_jobs=1), seen(desired=5), tasks=1)
    assert result.commands == (pool.ResizeService(name="s1", desired=1),)


def test_pause_and_brake_close_the_pool_whatever_is_open() -> None:
    row = a_pool(a_service(), open_jobs=5)
    assert plan(row, seen(), tasks=5, paused=True).commands == (
        pool.ResizeService(name="s1", desired=0),
    )
    broken = msgspec.structs.replace(row, broken_at=NOW)
    assert plan(broken, seen(), tasks=5).commands == (pool.ResizeService(name="s1", desired=0),)


def test_a_broken_pool_mends_when_it_is_empty() -> None:
    assert plan(a_pool(broken_at=NOW)).mend
    assert not plan(a_pool(a_service(asked=0), broken_at=NOW), seen(desired=0, running=1)).mend


def test_a_users_own_task_on_the_queue_hatches_one_worker() -> None:
    (call,) = plan(a_pool(foreign=True)).commands
    assert isinstance(call, pool.CreateService) and call.desired == 1


def test_only_an_unknown_service_that_outlived_its_tag_is_an_orphan() -> None:
    stale, fresh = {"mayfly:expires": str(int(NOW) - 1)}, {"mayfly:expires": str(int(NOW) + 1)}
    assert pool.is_orphan(seen(tags=stale), frozenset(), NOW)
    assert not pool.is_orphan(seen(tags=fresh), frozenset(), NOW)
    assert not pool.is_orphan(seen(tags=stale), frozenset({"s1"}), NOW)


def test_a_pool_without_work_and_services_costs_no_call() -> None:
    assert not pool.needs_a_look(a_pool(), 0, POLICY)
