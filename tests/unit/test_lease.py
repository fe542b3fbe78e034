"""The lease of a pool, and calls that are refused: nobody's work waits for another's trouble."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from mayfly.core import limits
from mayfly.core.changes import Update
from mayfly.core.rows import pool_key
from mayfly.perform import lease, planning
from mayfly.perform.ports import Conflict, ServiceSeen, ServiceWanted, Temporary
from tests.unit.yard import POOL, Yard


def test_one_call_that_is_refused_does_not_keep_the_others_from_being_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    yard = Yard()
    yard.opens(1)
    yard.w.services.keep(yard.only(), 1)
    yard.world = yard.releases("worker:2")

    def throttled(name: str, desired: int) -> None:
        raise Temporary("UpdateService: ThrottlingException")

    with monkeypatch.context() as patch:
        patch.setattr(yard.w.services, "resize", throttled)
        with pytest.raises(Temporary):
            yard.plan(settled=True)
    assert yard.serving() == [1, 1]
    yard.ticks(1)
    assert sorted(s.desired for s in yard.standing().values()) == [0, 1]


def test_a_creation_that_is_refused_does_not_keep_the_others_from_being_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    yard = Yard()
    yard.opens(1)
    yard.world = yard.releases("worker:2")

    def throttled(wanted: ServiceWanted) -> None:
        raise Temporary("CreateService: ThrottlingException")

    with monkeypatch.context() as patch:
        patch.setattr(yard.w.services, "create", throttled)
        with pytest.raises(Temporary):
            yard.plan(settled=True)
    assert yard.serving() == []
    yard.ticks(1)
    assert yard.serving() == [1]


def test_a_planner_whose_lease_has_ended_calls_ecs_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    yard = Yard()
    yard.counts(1)
    write = lease.write

    def slowly(*asked: Any, **how: Any) -> None:
        write(*asked, **how)
        yard.stalls(limits.LEASE_SECONDS)

    with monkeypatch.context() as patch:
        patch.setattr(lease, "write", slowly)
        yard.plan()
    assert "services.create" not in yard.at.calls
    yard.ticks(1)
    assert yard.serving() == [1]


def test_a_call_that_can_never_succeed_frees_the_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    yard = Yard()

    def denied(wanted: ServiceWanted) -> None:
        raise ValueError("CreateService was refused with AccessDenied")

    with monkeypatch.context() as patch:
        patch.setattr(yard.w.services, "create", denied)
        with pytest.raises(ValueError, match="AccessDenied"):
            yard.opens(1)
    yard.plan()
    assert yard.serving() == [1]


def test_a_pool_that_has_moved_on_between_look_and_call_is_looked_at_again_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    yard = Yard()
    yard.opens(1)
    first, describe = yard.only(), yard.w.services.describe

    def then_deleted(names: Sequence[str]) -> list[ServiceSeen]:
        found = describe(names)
        if yard.standing():
            yard.w.services.resize(first, 0)
            yard.w.services.delete(first)
        return found

    with monkeypatch.context() as patch:
        patch.setattr(yard.w.services, "describe", then_deleted)
        yard.opens(1)
    assert yard.serving() == [2]


def test_meeting_another_transaction_is_no_reason_to_leave_the_pool_to_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The pool's row is written by every job that opens or closes. A planner once took such a
    meeting for another planner, left a mark, and the work waited for the tick."""
    yard = Yard()
    commit = yard.w.table.commit
    met: list[Sequence[Any]] = []

    def meets(changes: Sequence[Any]) -> None:
        ours = isinstance(changes[0], Update) and changes[0].key == pool_key(POOL)
        if ours and len(met) % 2 == 0:
            met.append(changes)
            raise Conflict("TransactionConflict")
        met.append(changes)
        commit(changes)

    yard.counts(1)
    monkeypatch.setattr(yard.w.table, "commit", meets)
    yard.plan()
    assert yard.serving() == [1]
    assert (yard.row.lease_owner, yard.row.looks_wanted) == ("", 0)
    assert yard.row.services[yard.only()].created


def test_a_row_that_is_always_busy_is_left_for_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    yard = Yard()
    yard.counts(1)

    def meets(changes: Sequence[Any]) -> None:
        raise Conflict("TransactionConflict")

    monkeypatch.setattr(yard.w.table, "commit", meets)
    with pytest.raises(Temporary, match="too busy"):
        yard.plan()


def test_a_lease_that_was_taken_although_its_answer_was_lost_is_ours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The SDK asks again by itself, and is refused by what it has just written."""
    yard = Yard()
    yard.counts(1)
    commit, asked = yard.w.table.commit, []

    def twice(changes: Sequence[Any]) -> None:
        commit(changes)
        asked.append(changes)
        if len(asked) == 1:
            commit(changes)

    monkeypatch.setattr(yard.w.table, "commit", twice)
    yard.plan()
    assert yard.serving() == [1]


def test_an_ordinary_look_is_one_look() -> None:
    """Letting go asked for a count that is not there before the first mark, so it never could."""
    yard = Yard()
    yard.opens(1)
    yard.at.calls.clear()
    yard.plan(settled=True)
    assert yard.at.calls.count("services.describe") == 1
    assert yard.at.calls.count("table.commit") == 3  # lease, plan, lease


def test_the_ticks_look_is_made_by_whoever_holds_the_lease() -> None:
    """Or a pool in which something always happens would never be asked for fewer workers."""
    yard = Yard()
    yard.opens(3)
    yard.counts(-2)
    held = lease.take(yard.world, POOL, settled=False)
    assert held is not None
    yard.plan(settled=True)
    assert yard.serving() == [3] and yard.row.settled_wanted
    row, _ = planning.read_pool(yard.world, POOL)
    assert lease.let_go(yard.world, held, before_the_mark(row)) is False
    lease.let_go(yard.world, held, None)
    yard.plan()
    assert yard.serving() == [1] and not yard.row.settled_wanted


def before_the_mark(row: Any) -> Any:
    """The row as it was before the mark."""
    return msgspec.structs.replace(row, looks_wanted=row.looks_wanted - 1)


def test_two_revisions_of_the_functions_that_plan_by_turns_stop_nobody_and_settle() -> None:
    """While a stack is deployed one function has the new revision of the worker, the other not."""
    yard = Yard()
    yard.opens(1)
    yard.w.services.keep(yard.only(), 1)
    old, new = yard.world, yard.releases("worker:2")
    for world in (new, old, new, old, new):
        yard.w.clock.sleep(5)
        planning.see_to_pool(world, POOL, settled=True)
    yard.world = new
    assert yard.stopped == []
    yard.ticks(1)
    assert yard.serving() == [1]
    for name in yard.standing():
        yard.w.services.keep(name, 0)
    yard.ticks(4)
    assert yard.w.services.wanted()[yard.only()].task_definition == "worker:2"
    assert yard.stopped == []


def test_a_pause_that_comes_while_a_planner_acts_is_obeyed_by_the_tick() -> None:
    yard = Yard()
    yard.at.during(lambda: yard.opens(3), 9, yard.pauses)
    assert yard.serving() == [3]
    yard.ticks(1)
    assert yard.serving() == []
