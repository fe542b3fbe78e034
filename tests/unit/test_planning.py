"""What a planner reads, what it hands to the rules, and what it asks of ECS, in which order."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from mayfly.core import limits, pool
from mayfly.core.changes import Change, Create, Put
from mayfly.core.pool import Observed, PoolPlan, PoolPolicy, ServiceSeen
from mayfly.core.rows import PAUSED_KEY, PoolRow, TaskState, pool_key, task_key, to_item
from mayfly.memory.world import SETTINGS, MemoryWorld, memory_world
from mayfly.perform import lease, planning
from mayfly.perform.ports import Conflict, Gone, ServiceWanted, Temporary
from tests.unit.given import a_task
from tests.unit.test_pool import a_pool, a_service, seen

POLICY = PoolPolicy(workers_max=3, task_definition="worker:1")
NOTHING = PoolPlan(services={}, commands=())
KEY = pool_key("standard")


class Planned:
    """The rules, told to answer with this; they keep what they were told."""

    def __init__(self, patch: pytest.MonkeyPatch, *plans: PoolPlan) -> None:
        self.told: list[tuple[Observed, PoolPolicy, float, str]] = []
        self._plans = list(plans)
        patch.setattr(pool, "plan_pool", self.plan)

    def plan(self, observed: Observed, policy: PoolPolicy, now: float, name: str) -> PoolPlan:
        self.told.append((observed, policy, now, name))
        return self._plans.pop(0) if self._plans else NOTHING


def stands(w: MemoryWorld, row: PoolRow) -> None:
    w.table.commit([Put(key=KEY, item=to_item(row))])


def waiting_tasks(w: MemoryWorld, count: int, state: TaskState = TaskState.RELEASED) -> None:
    for n in range(count):
        row = a_task(state, task_id=f"chunk-{n:05d}", released_at=100.0 + n, created_at=1.0)
        place = {"gpk": "tasks#standard#out", "gsk": str(n)}
        key = task_key("job1", row.task_id)
        w.table.commit([Create(key=key, item={**to_item(row), **place})])


@pytest.mark.parametrize("settled", [True, False])
def test_the_rules_are_told_all_that_a_look_found(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch, settled: bool
) -> None:
    rules = Planned(monkeypatch)
    service = a_service(created=False)
    row = a_pool(service, open_jobs=1)
    stands(w, row)
    waiting_tasks(w, 2)
    shown = [seen()]
    monkeypatch.setattr(w.services, "describe", lambda names: shown if names == ["s1"] else None)
    monkeypatch.setattr(w.world.dice, "token", lambda: "abcdefghijklmnop")
    planning.see_to_pool(w.world, "standard", settled=settled)
    ((observed, policy, now, name),) = rules.told
    assert (policy, now, name) == (POLICY, w.clock.now(), "mayfly-standard-abcdefghij")
    assert (observed.row.services, observed.row.open_jobs) == ({"s1": service}, 1)
    assert (observed.open_tasks, observed.services) == (2, shown)
    assert (observed.paused, observed.settled, observed.moved_at) == (False, settled, None)


def test_tasks_are_counted_up_to_twice_the_workers_and_only_where_jobs_are_open(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = Planned(monkeypatch)
    waiting_tasks(w, 8)
    for jobs in (1, 2, 0):
        stands(w, a_pool(open_jobs=jobs, foreign=True))
        planning.see_to_pool(w.world, "standard", settled=True)
    assert [observed.open_tasks for observed, *_ in rules.told] == [6, 6, 0]


def test_a_pool_without_services_asks_ecs_nothing(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = Planned(monkeypatch)
    stands(w, a_pool(open_jobs=1))

    def asked(names: Sequence[str]) -> list[ServiceSeen]:
        raise AssertionError("there is nothing to describe")

    monkeypatch.setattr(w.services, "describe", asked)
    planning.see_to_pool(w.world, "standard", settled=True)
    assert rules.told[0][0].services == []


def test_a_pause_is_seen(w: MemoryWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    rules = Planned(monkeypatch)
    w.table.commit([Put(key=PAUSED_KEY, item={"paused_at": 1.0})])
    stands(w, a_pool(open_jobs=1))
    planning.see_to_pool(w.world, "standard", settled=False)
    assert rules.told == []  # nothing stands and nothing is wanted: nobody need look
    planning.see_to_pool(w.world, "standard", settled=True)
    assert rules.told[0][0].paused is True


def test_how_long_the_oldest_task_has_not_moved_is_asked_only_when_it_matters(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    after = limits.TWIN_AFTER_SECONDS
    settings = msgspec.structs.replace(SETTINGS.pools[0], on_demand_after_seconds=after)
    w = memory_world(msgspec.structs.replace(SETTINGS, pools=(settings,)))
    rules = Planned(monkeypatch)
    long_ago = w.clock.now() - after

    def moved_at(*, settled: bool, **fields: Any) -> float | None:
        stands(w, a_pool(a_service(created=False), open_jobs=1, **fields))
        planning.see_to_pool(w.world, "standard", settled=settled)
        return rules.told[-1][0].moved_at

    assert moved_at(settled=True, short_since=long_ago) is None  # there is no task
    waiting_tasks(w, 2)
    assert moved_at(settled=True, short_since=long_ago) == 100.0
    assert moved_at(settled=False, short_since=long_ago) is None
    assert moved_at(settled=True, short_since=long_ago + 1) is None


def test_what_is_planned_is_written_before_ecs_is_called_and_the_answer_after(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, other = a_service("a", created=False), a_service("b", created=False)
    create = pool.CreateService(
        name="a", desired=2, capacity_provider="FARGATE", task_definition="worker:1"
    )
    plan = PoolPlan(
        services={"a": made, "b": other},
        commands=(create,),
        mend=True,
        short_since=7.0,
        held_at=9.0,
    )
    Planned(monkeypatch, plan)
    w.table.commit(
        [Put(key=KEY, item={"pool": "standard", "broken_at": 1.0, "crashes": 3, "open_jobs": 0})]
    )
    asked: list[tuple[ServiceWanted, Any]] = []

    def created(wanted: ServiceWanted) -> None:
        (item,) = w.table.get(KEY)
        asked.append((wanted, item))

    monkeypatch.setattr(w.services, "create", created)
    planning.see_to_pool(w.world, "standard", settled=True)
    ((wanted, before),) = asked
    expires = int(w.clock.now()) + limits.SERVICE_EXPIRES_SECONDS
    assert wanted == ServiceWanted(
        name="a",
        pool="standard",
        task_definition="worker:1",
        desired=2,
        capacity_provider="FARGATE",
        client_token="a",
        tags={
            "mayfly:stack": "mayfly",
            "mayfly:pool": "standard",
            "mayfly:expires": str(expires),
        },
    )
    assert before["services"] == {"a": to_item(made), "b": to_item(other)}
    assert (before["short_since"], before["held_at"], before["crashes"]) == (7.0, 9.0, 0)
    assert "broken_at" not in before
    (after,) = w.table.get(KEY)
    assert after is not None and after["lease_owner"] == ""
    assert {name: row["created"] for name, row in after["services"].items()} == {
        "a": True,
        "b": False,
    }


def test_a_plan_that_mends_nothing_leaves_the_brake(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    Planned(monkeypatch)
    stands(w, a_pool(open_jobs=1, broken_at=1.0, crashes=3))
    planning.see_to_pool(w.world, "standard", settled=True)
    row, _ = planning.read_pool(w.world, "standard")
    assert (row.broken_at, row.crashes) == (1.0, 3)


def test_a_client_token_is_the_end_of_a_name_that_is_too_long(w: MemoryWorld) -> None:
    name = "mayfly-standard-abcdefghij-on-demand-abcdefghij"
    command = pool.CreateService(
        name=name, desired=1, capacity_provider="FARGATE", task_definition="worker:1"
    )
    wanted = planning._wanted(w.world, "standard", command)
    assert wanted.client_token == name[len(name) - 36 :] and len(wanted.client_token) == 36


def calls(w: MemoryWorld, patch: pytest.MonkeyPatch, **errors: Exception) -> list[tuple[Any, ...]]:
    """What ECS is asked, and how it answers."""
    asked: list[tuple[Any, ...]] = []

    def method(name: str) -> Any:
        def call(*given: Any) -> None:
            asked.append((name, *given))
            if name in errors:
                raise errors[name]

        return call

    for name in ("create", "resize", "delete"):
        patch.setattr(w.services, name, method(name))
    return asked


LOWER, DELETE = pool.ResizeService(name="a", desired=0), pool.DeleteService(name="b")


@pytest.mark.parametrize("refusal", [Gone("gone"), Conflict("desired")])
def test_what_ecs_refuses_is_followed_by_a_look_that_nobody_need_ask_for(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch, refusal: Exception
) -> None:
    rules = Planned(monkeypatch, PoolPlan(services={}, commands=(DELETE, LOWER)))
    stands(w, a_pool(open_jobs=1))
    asked = calls(w, monkeypatch, delete=refusal)
    planning.see_to_pool(w.world, "standard", settled=False)
    assert asked == [("delete", "b"), ("resize", "a", 0)]
    assert len(rules.told) == 2


def test_what_ecs_always_refuses_is_left_to_the_tick(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = Planned(monkeypatch, *[PoolPlan(services={}, commands=(DELETE,))] * 9)
    stands(w, a_pool(open_jobs=1))
    calls(w, monkeypatch, delete=Gone("gone"))
    planning.see_to_pool(w.world, "standard", settled=True)
    row, _ = planning.read_pool(w.world, "standard")
    assert len(rules.told) == 4 and row.lease_owner == ""


def test_the_first_error_is_raised_when_every_call_is_made_and_the_lease_is_free(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    Planned(monkeypatch, PoolPlan(services={}, commands=(LOWER, DELETE)))
    stands(w, a_pool(open_jobs=1))
    first, second = Temporary("first"), Temporary("second")
    asked = calls(w, monkeypatch, resize=first, delete=second)
    with pytest.raises(Temporary) as raised:
        planning.see_to_pool(w.world, "standard", settled=True)
    row, _ = planning.read_pool(w.world, "standard")
    assert raised.value is first and len(asked) == 2 and row.lease_owner == ""


def test_an_error_is_told_although_the_lease_cannot_be_freed(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    Planned(monkeypatch, PoolPlan(services={}, commands=(LOWER,)))
    stands(w, a_pool(open_jobs=1))
    calls(w, monkeypatch, resize=Temporary("first"))

    def busy(*given: Any) -> bool:
        raise Temporary("second")

    monkeypatch.setattr(lease, "let_go", busy)
    with pytest.raises(Temporary, match=r"^first$"):
        planning.see_to_pool(w.world, "standard", settled=True)


def test_nobody_looks_where_nothing_is_wanted(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = Planned(monkeypatch)
    commits: list[Sequence[Change]] = []
    monkeypatch.setattr(w.table, "commit", commits.append)
    planning.see_to_pool(w.world, "standard", settled=True)
    assert commits == [] and rules.told == []


def test_a_look_that_finds_all_right_frees_the_lease_at_once(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = Planned(monkeypatch)
    stands(w, a_pool(a_service(asked=1, task_definition="worker:1"), open_jobs=1))
    looks: list[int] = []
    get = w.table.get

    def read(*keys: Any) -> Any:
        looks.append(len(keys))
        return get(*keys)

    monkeypatch.setattr(w.table, "get", read)
    planning.see_to_pool(w.world, "standard", settled=False)
    assert rules.told == [] and looks == [2, 2]


def test_nothing_may_run_in_a_pool_that_the_stack_has_no_more(w: MemoryWorld) -> None:
    assert w.world.policy("gone") == PoolPolicy(workers_max=0, task_definition="")
    assert w.world.policy("standard") == POLICY


def test_tasks_of_a_pool_that_the_stack_has_no_more_are_none(w: MemoryWorld) -> None:
    waiting_tasks(w, 2)
    assert planning.open_task_count(w.world, "standard", 0) == 0
    assert planning.open_task_count(w.world, "standard", 2) == 2
    assert planning.open_task_count(w.world, "standard", 1) == 1
    assert planning.open_task_count(w.world, "standard", 9) == 2
    place = {"gpk": "tenants#standard#open", "gsk": "1", "tenant": "default", "open_jobs": 1}
    w.table.commit([Create(key=pool_key("x"), item=place)])
    for n in range(3):
        row = a_task(TaskState.OPEN, task_id=f"o{n}")
        at = {"gpk": "tasks#standard#open#default", "gsk": str(n)}
        w.table.commit([Create(key=task_key("job1", row.task_id), item={**to_item(row), **at})])
    assert planning.open_task_count(w.world, "standard", 9) == 5
    assert planning.open_task_count(w.world, "standard", 4) == 4
