"""What an attempt covers: how the loop tells of a plan, and of which work it speaks afterwards."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from mayfly.contract import report
from mayfly.contract.plan import Plan, Scope
from mayfly.contract.task import Fetch, Grants, PutUrls, Task
from mayfly.core import limits
from mayfly.perform.ports import Temporary
from tests.unit.given import PLAN
from tests.worker.conftest import Rig, kinds, left, own
from tests.worker.doing import DONE, Doing
from worker.ends import Halted, Reason
from worker.grants import HeldGrants
from worker.order import Done, Order


def a_chunk(rig: Rig, number: int = 1) -> dict[str, Any]:
    part = {"kind": "chunk", "task_id": f"chunk-{number:05d}"}
    scope = msgspec.to_builtins(PLAN.scope(number))
    return rig.task(b"", **part, scope=scope, plan_clock=msgspec.to_builtins(PLAN.clock))


def cutting(*plans: Plan) -> Callable[[Order], Done]:
    """Work that says these plans."""

    def act(order: Order) -> Done:
        for plan in plans:
            order.split(plan)
        return DONE

    return act


def splitting(scopes: list[Scope]) -> Callable[[Order], Done]:
    """Work that cuts the source and does the first chunk."""

    def act(order: Order) -> Done:
        may = [order.may_plan]
        scopes.append(order.split(PLAN))
        assert [*may, order.may_plan] == [True, False]
        return DONE

    return act


def test_a_plan_is_told_before_its_first_chunk_is_done(given: Rig) -> None:
    scopes: list[Scope] = []
    given.work = Doing(splitting(scopes))
    given.put(given.task(b""))
    started, planned, encoded = given.run_once()
    assert kinds([started, planned, encoded]) == ["Started", "Planned", "Encoded"]
    assert isinstance(planned, report.Planned) and planned.plan == PLAN
    assert isinstance(encoded, report.Encoded) and encoded.scope == PLAN.scope(0) == scopes[0]
    assert len({one.attempt for one in (started, planned, encoded)}) == 1
    assert left(given) == (0, 0, 0)


def test_the_whole_source_is_told_without_a_scope(given: Rig) -> None:
    given.put(given.task(b""))
    encoded = given.run_once()[-1]
    assert isinstance(encoded, report.Encoded) and encoded.scope is None


def test_a_chunk_is_told_with_the_scope_that_was_ordered(given: Rig) -> None:
    given.put(a_chunk(given, 2))
    encoded = given.run_once()[-1]
    assert isinstance(encoded, report.Encoded) and encoded.scope == PLAN.scope(2)


@pytest.mark.parametrize("kind", ["chunk", "audio", "finish"])
def test_only_the_whole_source_may_be_cut(given: Rig, kind: str) -> None:
    given.work = Doing(cutting(PLAN))
    given.put(given.task(b"", kind=kind, task_id="another"))
    said = given.run_once()
    failed = said[-1]
    assert kinds(said) == ["Started", "Failed"]
    assert isinstance(failed, report.Failed) and failed.code == "plan_refused"


def test_a_users_own_task_may_not_be_cut(given: Rig) -> None:
    asked: list[bool] = []

    def act(order: Order) -> Done:
        asked.append(order.may_plan)
        return DONE

    given.work = Doing(act)
    given.put(own(given))
    given.run_once()
    assert asked == [False]


def test_a_plan_that_cannot_be_carried_out_is_never_said(given: Rig) -> None:
    broken = msgspec.structs.replace(PLAN, boundaries=(2, 1))
    given.work = Doing(cutting(broken))
    given.put(given.task(b""))
    _, failed = given.run_once()
    assert isinstance(failed, report.Failed) and failed.code == "plan_refused"
    assert left(given) == (0, 0, 0)  # the next try would plan the same


def test_nothing_is_cut_twice(given: Rig) -> None:
    given.work = Doing(cutting(PLAN, PLAN))
    given.put(given.task(b""))
    assert kinds(given.run_once()) == ["Started", "Planned", "Failed"]


def test_a_plan_that_nobody_hears_leaves_the_message_to_another_try(
    given: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = given.done.send

    def deaf(body: bytes) -> None:
        if b'"planned"' in body:
            raise Temporary
        send(body)

    given.work = Doing(splitting([]))
    given.put(given.task(b""))
    with monkeypatch.context() as patch:
        patch.setattr(given.done, "send", deaf)
        assert kinds(given.run_once()) == ["Started"]
    assert left(given) == (0, 1, 0)
    given.clock.sleep(limits.VISIBILITY_SECONDS)
    assert kinds(given.run_once()) == ["Started", "Planned", "Encoded"]


def test_an_interruption_after_the_plan_is_told_like_any_other(given: Rig) -> None:
    def act(order: Order) -> Done:
        order.split(PLAN)
        raise Halted(Reason.SIGNAL)

    given.work = Doing(act)
    given.put(given.task(b""))
    said = given.run_once()
    assert kinds(said) == ["Started", "Planned", "Interrupted"]
    assert left(given) == (0, 0, 0)


@pytest.mark.parametrize(
    ("kind", "detail"),
    [
        ("chunk", "a chunk without its interval"),
        ("audio", "sound without the plan's clock"),
        ("finish", "a finish without its inputs"),
    ],
)
def test_a_part_that_lacks_what_makes_it_one_fails_before_anything_is_fetched(
    rig: Rig, kind: str, detail: str
) -> None:
    rig.put(rig.task(b"", kind=kind, task_id="another"))
    said = rig.run_once()
    failed = said[-1]
    assert isinstance(failed, report.Failed)
    assert (failed.code, failed.detail) == ("worker_failed", detail)
    assert rig.bucket.seen == []
    assert left(rig) == (0, 1, 0)  # a newer worker may know what to do


def test_renewed_grants_bring_the_list_of_what_a_finish_joins(given: Rig) -> None:
    def url(name: str) -> Fetch:
        return Fetch(url=f"https://b.s3.amazonaws.com/{name}")

    task = msgspec.convert(given.task(b"", kind="finish"), Task)
    held = HeldGrants(msgspec.structs.replace(task, inputs=url("old")), given.clock)
    assert held.inputs == url("old")
    fresh = Grants(
        source=url("s"),
        upload=PutUrls(urls={}),
        control=url("c"),
        grants_end_at=given.clock.now() + 9000,
        inputs=url("new"),
    )
    assert held.renew(fresh)
    assert held.inputs == url("new")
