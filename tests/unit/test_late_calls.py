"""ECS answers late, shows late, and does late what a planner asked for long ago; and others have
hands in the cluster, too.
"""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from mayfly.core import limits, pool
from mayfly.memory.branches import Branches
from mayfly.perform.ports import Conflict, Temporary
from tests.unit.test_pool import NOW, POLICY, a_pool, a_service, plan, seen
from tests.unit.yard import GONE_TICKS, Yard


def late(
    yard: Yard, monkeypatch: pytest.MonkeyPatch, call: str, *, answered: bool
) -> list[Callable[[], None]]:
    """From now on what is asked of ECS by this call is put off; done by hand."""
    real = getattr(yard.w.services, call)
    waiting: list[Callable[[], None]] = []

    def put_off(*asked: Any) -> None:
        waiting.append(lambda: real(*asked))
        if not answered:
            raise Temporary(f"{call}: no answer")

    monkeypatch.setattr(yard.w.services, call, put_off)
    return waiting


@pytest.mark.parametrize("answered", [True, False])
@pytest.mark.parametrize("ticks", range(6))
def test_a_creation_that_lands_after_its_pool_was_closed_goes_again(
    answered: bool, ticks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    yard = Yard()
    with monkeypatch.context() as patch:
        waiting = late(yard, patch, "create", answered=answered)
        yard.counts(1)
        try:
            yard.plan()
        except Temporary:
            assert not answered
    yard.opens(-1)
    yard.ticks(ticks)
    for create in waiting:
        create()
    assert yard.serving() == [1]
    yard.ticks(4 if ticks < 2 else GONE_TICKS)
    assert yard.standing() == {} and yard.row.services == {}


def test_a_creation_is_remembered_for_as_long_as_its_planner_may_live(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An unknown service would stand until its tag has expired."""
    yard = Yard()
    with monkeypatch.context() as patch:
        (create,) = (late(yard, patch, "create", answered=False),)
        yard.counts(1)
        with pytest.raises(Temporary):
            yard.plan()
    yard.opens(-1)
    yard.ticks(limits.CALL_SECONDS_MAX // limits.TICK_SECONDS)
    create[0]()
    yard.ticks(3)
    assert yard.standing() == {}


def test_a_creation_that_lands_when_nobody_remembers_it_is_sent_away_by_its_tag(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    yard = Yard()
    with monkeypatch.context() as patch:
        waiting = late(yard, patch, "create", answered=True)
        yard.opens(1)
    yard.opens(-1)
    yard.ticks(9)
    assert yard.row.services == {}
    waiting[0]()
    name = yard.only()
    yard.w.services.keep(name, 1)  # it took a message, and is busy
    yard.ticks(GONE_TICKS)
    assert yard.standing()[name].status == "ACTIVE" and yard.serving() == []
    yard.w.services.keep(name, 0)
    yard.ticks(1)
    assert yard.standing() == {} and yard.stopped == []


def test_a_service_that_ecs_shows_late_is_not_created_twice() -> None:
    yard = Yard()
    yard.w.services.branches = Branches(service_unseen_seconds=limits.CREATE_GRACE_SECONDS - 10)
    yard.opens(2)
    yard.ticks(3)
    assert len(yard.w.services.wanted()) == 1 and yard.serving() == [2]


def test_a_service_that_ecs_shows_much_too_late_is_replaced_and_leaves_again() -> None:
    yard = Yard()
    yard.w.services.branches = Branches(service_unseen_seconds=2 * limits.TICK_SECONDS + 10)
    yard.opens(1)
    first = yard.only()
    yard.w.services.keep(first, 1)
    yard.ticks(2)
    yard.w.services.branches = Branches(service_unseen_seconds=0)
    yard.ticks(2)
    assert yard.standing()[first].desired == 0 and yard.standing()[first].running == 1
    assert yard.serving() == [1]
    yard.w.services.keep(first, 0)
    yard.ticks(2)
    assert len(yard.standing()) == 1 and yard.stopped == []


def test_a_service_that_ecs_fails_to_show_once_is_not_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    yard = Yard()
    yard.opens(1)
    first = yard.only()
    yard.w.services.keep(first, 1)
    yard.ticks(5)
    with monkeypatch.context() as patch:
        patch.setattr(yard.w.services, "describe", lambda names: [])
        yard.ticks(1)
    yard.ticks(1)
    assert yard.serving() == [1] and yard.standing()[first].desired == 0
    yard.w.services.keep(first, 0)
    yard.ticks(2)
    assert yard.serving() == [1] and len(yard.standing()) == 1
    assert yard.stopped == []


def test_each_time_that_ecs_fails_to_show_a_service_is_the_first() -> None:
    once = plan(a_pool(a_service(asked=0)))
    assert once.services["s1"].missed_at == NOW
    missed = a_service(asked=1, missed_at=NOW - 3600)
    back = plan(a_pool(missed, open_jobs=1), seen(), tasks=1)
    assert back.services["s1"].missed_at is None
    patience = limits.CREATE_GRACE_SECONDS
    still = a_service(asked=0, missed_at=NOW - patience)
    assert set(plan(a_pool(still)).services) == {"s1"}
    gone = a_service(asked=0, missed_at=NOW - patience - 1)
    assert plan(a_pool(gone)).services == {}


def test_a_service_that_somebody_deleted_by_hand_is_replaced_at_the_next_tick() -> None:
    for purged in (False, True):
        yard = Yard()
        yard.opens(2)
        first = yard.only()
        yard.ticks(5)
        yard.w.services.resize(first, 0)
        yard.w.services.delete(first)
        if purged:
            yard.w.services.purge(first)
        yard.ticks(1)
        assert yard.serving() == [2] and yard.only() != first
        yard.ticks(3)
        assert set(yard.row.services) == {yard.only()}


def test_a_service_that_somebody_scaled_is_put_right_at_the_next_tick() -> None:
    yard = Yard()
    yard.opens(2)
    for wrong in (0, 50):
        yard.w.services.resize(yard.only(), wrong)
        yard.ticks(1)
        assert yard.serving() == [2]


def test_names_that_drain_for_hours_keep_no_work_waiting() -> None:
    yard = Yard()
    for _ in range(5):
        yard.opens(1)
        (name,) = (n for n, s in yard.standing().items() if s.desired)
        yard.opens(-1)
        yard.ticks(1)
        yard.w.services.keep(name, 1)  # what ECS does not let go
    assert [s.status for s in yard.standing().values()] == ["DRAINING"] * 5
    yard.opens(1)
    assert yard.serving() == [1]
    for name in yard.w.services.wanted():
        yard.w.services.keep(name, 0)
    yard.opens(-1)
    yard.ticks(2)
    assert yard.standing() == {} and yard.row.services == {}


# --- Deleting ------------------------------------------------------------------------------------


def test_a_service_whose_deletion_was_decided_is_never_raised_again() -> None:
    """The deletion may be under way: what it was raised for would be stopped."""
    going = a_service(asked=0, deleted_at=NOW - 5)
    result = plan(a_pool(going, open_jobs=1), seen(desired=0, running=0), tasks=1)
    assert [type(c) for c in result.commands] == [pool.CreateService, pool.DeleteService]
    assert pool.needs_a_look(a_pool(going, open_jobs=1), 1, POLICY)


def test_what_a_late_raise_brought_back_is_left_alone_while_a_deletion_may_be_under_way() -> None:
    """ECS refuses to delete what shall run tasks; at 0 it would delete over a busy worker."""
    going = a_service(asked=0, deleted_at=NOW - limits.CALL_SECONDS_MAX)
    assert plan(a_pool(going), seen(desired=2, running=2)).commands == ()
    later = msgspec.structs.replace(going, deleted_at=NOW - limits.CALL_SECONDS_MAX - 1)
    assert plan(a_pool(later), seen(desired=2, running=2)).commands == (
        pool.ResizeService(name="s1", desired=0),
    )


def test_a_late_deletion_does_not_meet_the_workers_that_a_late_raise_brought_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    yard = Yard()
    yard.opens(1)
    name = yard.only()
    yard.opens(-1)
    with monkeypatch.context() as patch:
        waiting = late(yard, patch, "delete", answered=True)
        yard.ticks(1)
    yard.w.services.resize(name, 2)  # by a planner that stood still
    yard.w.services.keep(name, 1)
    yard.ticks(3)
    for delete in waiting:
        with pytest.raises(Conflict):
            delete()
    assert yard.stopped == []
    yard.ticks(4)
    assert yard.standing()[name].desired == 0
    yard.w.services.keep(name, 0)
    yard.ticks(2)
    assert yard.standing() == {} and yard.stopped == []


def test_a_description_from_before_the_last_raise_deletes_nothing() -> None:
    """Drained, raised, paused: ECS may still describe it as it was when it was empty."""
    lately = a_service(asked=0, raised_at=NOW - limits.CREATE_GRACE_SECONDS)
    assert plan(a_pool(lately, open_jobs=1), seen(desired=0, running=0), paused=True).commands == ()
    before = msgspec.structs.replace(lately, raised_at=NOW - limits.CREATE_GRACE_SECONDS - 1)
    assert plan(a_pool(before, open_jobs=1), seen(desired=0, running=0), paused=True).commands == (
        pool.DeleteService(name="s1"),
    )
    raised = plan(a_pool(a_service(asked=0), open_jobs=1), seen(desired=0, running=0), tasks=1)
    assert raised.services["s1"].raised_at == NOW


def test_descriptions_that_lag_delete_no_service_over_a_busy_worker(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    yard = Yard()
    yard.opens(1)
    name = yard.only()
    yard.opens(-1)
    empty = [yard.w.services.peek(name)]
    yard.opens(1)
    yard.w.services.keep(name, 1)
    yard.pauses()
    with monkeypatch.context() as patch:
        patch.setattr(yard.w.services, "describe", lambda names: empty)
        for _ in range(5):
            yard.w.clock.sleep(10)
            yard.plan()
    assert yard.standing()[name].status == "ACTIVE" and yard.stopped == []
