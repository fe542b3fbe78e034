"""What the lease of a pool is in its row, and who may change that."""

from collections.abc import Sequence
from typing import Any

import pytest

from mayfly.core import limits
from mayfly.core.changes import Below, Change, Create, Update
from mayfly.core.rows import PoolRow, pool_key
from mayfly.memory.world import MemoryWorld
from mayfly.perform import lease
from mayfly.perform.lease import Ended, Lease
from mayfly.perform.ports import Conflict, Temporary

KEY = pool_key("p")


class Table:
    """Notes what is committed; refuses the first commits, if it shall."""

    def __init__(self, w: MemoryWorld, patch: pytest.MonkeyPatch, conflicts: int = 0) -> None:
        self.did: list[Change] = []
        self.slept: list[float] = []
        self._commit, self._left = w.table.commit, conflicts
        patch.setattr(w.table, "commit", self.commit)
        patch.setattr(w.world.dice, "token", lambda: "me")
        patch.setattr(w.world.dice, "jitter", lambda seconds: seconds)
        patch.setattr(w.clock, "sleep", self.slept.append)

    def commit(self, changes: Sequence[Change]) -> None:
        self.did += changes
        if self._left:
            self._left -= 1
            raise Conflict("TransactionConflict")
        self._commit(changes)


def stands(w: MemoryWorld, **fields: Any) -> None:
    w.table.commit([Create(key=KEY, item={"pool": "p", **fields})])


def row(w: MemoryWorld) -> Any:
    (item,) = w.table.get(KEY)
    return item


def mine(w: MemoryWorld) -> Lease:
    return Lease(pool="p", owner="me", until=w.clock.now() + limits.LEASE_SECONDS)


def test_a_free_lease_is_taken_until_its_time(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    table, now = Table(w, monkeypatch), w.clock.now()
    until = now + limits.LEASE_SECONDS
    assert lease.take(w.world, "p", settled=True) == mine(w)
    assert table.did == [
        Update(
            key=KEY,
            set={"pool": "p", "lease_owner": "me", "lease_until": until},
            require={"lease_until": Below(now)},
            upsert=True,
        )
    ]


@pytest.mark.parametrize("settled", [True, False])
def test_who_finds_it_taken_leaves_a_mark_and_the_tick_says_that_it_was_the_tick(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch, settled: bool
) -> None:
    stands(w, lease_owner="other", lease_until=w.clock.now())
    table = Table(w, monkeypatch)
    assert lease.take(w.world, "p", settled=settled) is None
    marks = {"settled_wanted": True} if settled else {}
    assert table.did[1:] == [Update(key=KEY, set=marks, add={"looks_wanted": 1})]


def test_a_mark_that_meets_another_transaction_is_left_all_the_same(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    stands(w, lease_owner="other", lease_until=w.clock.now() + 9)
    table = Table(w, monkeypatch, conflicts=2)
    assert lease.take(w.world, "p", settled=False) is None
    assert len(table.did) == 3 and row(w)["looks_wanted"] == 1


def test_a_lease_that_has_ended_is_taken_and_one_that_has_not_is_left(w: MemoryWorld) -> None:
    stands(w, lease_owner="other", lease_until=w.clock.now() - 1)
    assert lease.take(w.world, "p", settled=False) is not None
    assert row(w)["lease_owner"] != "other"
    assert lease.take(w.world, "p", settled=False) is None


@pytest.mark.parametrize("conflicts", [1, 3])
def test_who_merely_meets_another_transaction_tries_again_a_little_later_each_time(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch, conflicts: int
) -> None:
    stands(w)
    table = Table(w, monkeypatch, conflicts)
    assert lease.take(w.world, "p", settled=False) == mine(w)
    assert table.slept == [0.05, 0.1, 0.2][:conflicts]


def test_a_pool_that_is_not_there_yet_is_met_like_any_other(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    Table(w, monkeypatch, conflicts=1)
    assert lease.take(w.world, "p", settled=False) == mine(w)


def test_a_row_that_is_always_busy_is_given_up(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    stands(w)
    table = Table(w, monkeypatch, conflicts=99)
    with pytest.raises(Temporary, match=r"^The row of pool p is too busy\.$"):
        lease.take(w.world, "p", settled=False)
    assert len(table.did) == len(table.slept) == limits.CONFLICT_TRIES_MAX


def test_only_its_holder_writes_and_after_a_meeting_too(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    stands(w, lease_owner="me", broken_at=1.0)
    table = Table(w, monkeypatch, conflicts=1)
    lease.write(w.world, mine(w), {"crashes": 0}, remove=("broken_at",))
    change = Update(
        key=KEY, set={"crashes": 0}, remove=("broken_at",), require={"lease_owner": "me"}
    )
    assert table.did == [change, change]
    assert row(w) == {"pool": "p", "lease_owner": "me", "crashes": 0}
    other = Lease(pool="p", owner="other", until=0.0)
    with pytest.raises(Ended, match=r"^The lease of pool p ended under its planner\.$"):
        lease.write(w.world, other, {"crashes": 9})
    assert row(w)["crashes"] == 0


def test_a_lease_ends_at_its_second(w: MemoryWorld) -> None:
    held = mine(w)
    w.clock.sleep(limits.LEASE_SECONDS - 1)
    lease.check(w.world, held)
    w.clock.sleep(1)
    with pytest.raises(Ended, match=r"^The lease of pool p ended before a call\.$"):
        lease.check(w.world, held)


SEEN = PoolRow(pool="p", looks_wanted=2)


def test_to_let_go_is_to_free_the_row_if_nobody_wanted_a_look_meanwhile(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    stands(w, lease_owner="me", looks_wanted=2)
    table = Table(w, monkeypatch, conflicts=1)
    assert lease.let_go(w.world, mine(w), SEEN) is True
    assert table.did[0] == Update(
        key=KEY,
        set={"lease_owner": "", "lease_until": 0.0, "settled_wanted": False},
        require={"lease_owner": "me", "looks_wanted": Below(3)},
    )
    assert len(table.did) == 2


def test_a_mark_or_another_holder_keeps_one_from_letting_go(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    stands(w, lease_owner="me", looks_wanted=3)
    table = Table(w, monkeypatch)
    assert lease.let_go(w.world, mine(w), SEEN) is False
    other = Lease(pool="p", owner="other", until=0.0)
    seen = PoolRow(pool="p", looks_wanted=3)
    assert lease.let_go(w.world, other, seen) is False
    assert lease.let_go(w.world, other, None) is False
    assert len(table.did) == 3 and row(w)["lease_owner"] == "me"


def test_whoever_gives_up_frees_it_whatever_was_wanted(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    stands(w, lease_owner="me", looks_wanted=9, settled_wanted=True)
    table = Table(w, monkeypatch, conflicts=1)
    assert lease.let_go(w.world, mine(w), None) is True
    assert table.did[0] == Update(
        key=KEY,
        set={"lease_owner": "", "lease_until": 0.0},
        require={"lease_owner": "me"},
    )
    assert row(w)["settled_wanted"] is True
