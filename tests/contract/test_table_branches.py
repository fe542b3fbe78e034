"""What a table in memory does on each branch that AWS's documents leave open, and that its rows are
its own although they are seldom copied and seldom measured.
"""

import random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mayfly.core.changes import Absent, Change, Create, Delete, Key, Put, Update
from mayfly.memory import rows
from mayfly.memory.branches import Branches
from mayfly.memory.clock import VirtualClock
from mayfly.memory.table import MemoryTable
from mayfly.perform.ports import Conflict, Temporary

ROW, OTHER = Key("job#1", "head"), Key("job#1", "task#1")

DEEP = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-9, 9), st.text(max_size=3), st.floats(-9, 9)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


def a_table(**fields: Any) -> MemoryTable:
    return MemoryTable(
        clock=VirtualClock(start=0),
        branches=Branches(**fields),
        chance=random.Random(5),
    )


def spoil(value: Any) -> None:
    """Whatever can be altered in it is."""
    if isinstance(value, dict):
        for held in value.values():
            spoil(held)
        value["spoilt"] = True
    elif isinstance(value, list):
        for held in value:
            spoil(held)
        value.append("spoilt")


@given(DEEP, DEEP)
@settings(max_examples=150, deadline=None)
def test_what_callers_do_to_what_they_gave_or_got_changes_no_row(first: Any, second: Any) -> None:
    table = MemoryTable()
    item = {"a": first, "gpk": "g", "gsk": "1"}
    delta = {"b": second}
    table.commit([Create(key=ROW, item=item)])
    table.commit([Update(key=ROW, set=delta, append={"c": (first,)})])
    told = repr(table.snapshot())
    for given_or_got in (
        item,
        delta,
        first,
        *table.get(ROW, ROW),
        *table.rows("job#1"),
        *table.index("g", limit=1),
    ):
        spoil(given_or_got)
        assert repr(table.snapshot()) == told
    for shallow in table.snapshot().values():
        dict(shallow).clear()
    assert repr(table.snapshot()) == told


@given(st.lists(st.tuples(st.sampled_from("abü\x00"), DEEP), max_size=6), st.integers(-9, 9))
@settings(max_examples=150, deadline=None)
def test_a_row_is_never_larger_than_it_is_thought_to_be(
    given: list[tuple[str, Any]], delta: int
) -> None:
    row = rows.apply(Put(key=ROW, item={}), None)
    for name, value in given:
        for change in (
            Update(key=ROW, set={name: value}),
            Update(key=ROW, initial={f"i{name}": value}),
            Update(key=ROW, add={"n": delta}),
            Update(key=ROW, append={f"l{name}": (value, value)}, remove=(name,)),
        ):
            row = rows.apply(change, row)
            assert row is not None
            assert len(msgspec.json.encode(row.fields)) <= row.bytes_max


@pytest.mark.parametrize("character", ["x", "\x00", "ü", "\U0001f980"])
def test_a_row_that_grows_is_refused_when_it_is_too_large_and_not_before(character: str) -> None:
    table, fill = MemoryTable(), character * 500
    grown: list[str] = []
    table.commit([Create(key=ROW, item={})])
    while True:
        after = {"pk": ROW.pk, "sk": ROW.sk, "story": [*grown, fill], "at": len(grown)}
        change = Update(key=ROW, set={"at": len(grown)}, append={"story": (fill,)})
        if len(msgspec.json.encode(after)) > rows.ROW_BYTES_MAX:
            with pytest.raises(ValueError):
                table.commit([change])
            break
        table.commit([change])
        grown.append(fill)
    assert table.get(ROW) == [{"story": grown, "at": len(grown) - 1}]
    table.commit([Update(key=ROW, remove=("story",))])
    table.commit([Update(key=ROW, set={"story": grown})])


def test_a_write_may_be_refused_because_of_another_transaction() -> None:
    table = a_table(transaction_conflict_rate=1.0)
    with pytest.raises(Conflict):
        table.commit([Put(key=ROW, item={})])
    assert table.get(ROW) == [None]
    table.commit([])


def test_a_write_may_be_put_off() -> None:
    table = a_table(throttled_rate=1.0)
    with pytest.raises(Temporary):
        table.commit([Put(key=ROW, item={})])
    assert table.get(ROW) == [None]


def test_a_write_that_is_asked_again_may_meet_its_own_effect() -> None:
    """It was done, and the caller hears that it was not: load again and decide again."""
    table = a_table(asked_again_rate=1.0)
    with pytest.raises(Conflict):
        table.commit([Create(key=ROW, item={"by": "me"})])
    assert table.get(ROW) == [{"by": "me"}]
    with pytest.raises(Conflict):
        table.commit([Update(key=ROW, set={"state": "done"}, require={"state": Absent()})])
    assert table.get(ROW) == [{"by": "me", "state": "done"}]
    with pytest.raises(Conflict):
        table.commit([Delete(key=ROW, require={"by": "me"})])
    assert table.get(ROW) == [None]


def test_what_must_not_happen_twice_does_not_when_it_is_asked_again() -> None:
    table = a_table(asked_again_rate=1.0)
    table.commit([Put(key=ROW, item={"n": 1})])
    table.commit([Update(key=ROW, add={"n": 1})])
    table.commit([Update(key=ROW, append={"l": (1,)})])
    table.commit([Update(key=ROW, set={"m": 1}, require={"n": 2}), Create(key=OTHER, item={})])
    assert table.get(ROW, OTHER) == [{"n": 2, "l": [1], "m": 1}, {}]


def test_each_row_reaches_the_index_in_its_own_time() -> None:
    clock = VirtualClock(start=0)
    chance = random.Random(5)
    table = MemoryTable(clock=clock, branches=Branches(index_lag_seconds=60), chance=chance)
    changes: list[Change] = [
        Create(key=Key("p", str(number)), item={"gpk": "g", "gsk": str(number)})
        for number in range(8)
    ]
    table.commit(changes)
    seen = []
    for _ in range(7):
        seen.append([row["sk"] for row in table.index("g", limit=9)])
        clock.sleep(10)
    counts = [len(keys) for keys in seen]
    assert counts == sorted(counts)
    assert counts[0] == 0
    assert len(set(counts)) > 3
    assert seen[-1] == [str(number) for number in range(8)]


def test_the_index_never_shows_an_older_version_after_a_newer_one() -> None:
    for seed in range(30):
        clock = VirtualClock(start=0)
        chance = random.Random(seed)
        table = MemoryTable(clock=clock, branches=Branches(index_lag_seconds=60), chance=chance)
        newest = -1
        for version in range(12):
            table.commit([Put(key=ROW, item={"gpk": "g", "gsk": "1", "version": version})])
            clock.sleep(chance.uniform(0, 20))
            shown = [row["version"] for row in table.index("g", limit=1)]
            assert shown == [] or shown[0] >= newest
            newest = max([newest, *shown])
        table.commit([Delete(key=ROW)])
        clock.sleep(60)
        assert table.index("g", limit=1) == []


def test_an_index_that_lags_no_more_shows_everything() -> None:
    table = a_table(index_lag_seconds=60)
    table.commit([Create(key=ROW, item={"gpk": "g", "gsk": "1"})])
    table.branches = Branches()
    table.commit([Update(key=ROW, set={"gsk": "2"})])
    assert [row["gsk"] for row in table.index("g", limit=1)] == ["2"]


def test_an_index_that_is_held_shows_everything_when_it_is_let_go() -> None:
    table = MemoryTable()
    table.index_held = True
    table.commit([Create(key=ROW, item={"gpk": "g", "gsk": "1"})])
    table.commit([Create(key=OTHER, item={"gpk": "g", "gsk": "0"})])
    assert table.index("g", limit=9) == []
    table.index_held = False
    assert [row["gsk"] for row in table.index("g", limit=9)] == ["0", "1"]


def test_an_index_cannot_lag_without_a_clock() -> None:
    table = MemoryTable(branches=Branches(index_lag_seconds=1))
    with pytest.raises(ValueError):
        table.commit([Put(key=ROW, item={"gpk": "g", "gsk": "1"})])


def test_a_checker_looks_past_the_faults() -> None:
    table = MemoryTable()
    table.commit([Put(key=ROW, item={"a": 1}), Put(key=OTHER, item={})])
    table.commit([Delete(key=OTHER)])
    assert list(table.snapshot()) == [ROW]
    assert table.peek(ROW) == {"pk": "job#1", "sk": "head", "a": 1}
    assert table.peek(OTHER) is None
