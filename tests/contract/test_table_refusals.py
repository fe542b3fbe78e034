"""What the JobTable port refuses, whatever stands behind it."""

from typing import Any

import pytest

from mayfly.core.changes import (
    Create,
    Key,
    Put,
    Update,
)
from mayfly.perform.ports import JobTable
from tests.contract.conftest import Expect
from tests.contract.worlds import World

ROW = Key("job#1", "head")
OTHER = Key("job#1", "task#1")


@pytest.fixture
def table(world: World) -> JobTable:
    return world.table()


def one(table: JobTable, key: Key = ROW) -> Any:
    return table.get(key)[0]


@pytest.mark.parametrize("value", ["", 1, None])
def test_an_index_key_that_is_no_string_is_refused(
    table: JobTable, gap: Expect, value: Any
) -> None:
    if value == 1:
        gap("kind of an index key")
    with pytest.raises(ValueError):
        table.commit([Create(key=ROW, item={"gpk": value, "gsk": "1"})])


def test_a_row_named_twice_in_a_transaction_is_refused(table: JobTable) -> None:
    with pytest.raises(ValueError):
        table.commit([Update(key=ROW, add={"a": 1}, upsert=True), Put(key=ROW, item={})])


def test_a_field_named_twice_in_a_change_is_refused(table: JobTable, gap: Expect) -> None:
    gap("overlapping paths")
    table.commit([Create(key=ROW, item={"a": 1})])
    with pytest.raises(ValueError):
        table.commit([Update(key=ROW, set={"a": 1}, add={"a": 1})])


def test_adding_to_what_is_no_number_is_refused(table: JobTable) -> None:
    table.commit([Create(key=ROW, item={"a": "1"})])
    with pytest.raises(ValueError):
        table.commit([Update(key=ROW, add={"a": 1})])
    assert one(table) == {"a": "1"}


def test_appending_to_what_is_no_list_is_refused(table: JobTable, gap: Expect) -> None:
    gap("append to no list")
    table.commit([Create(key=ROW, item={"a": "1"})])
    with pytest.raises(ValueError):
        table.commit([Update(key=ROW, append={"a": (1,)})])
    assert one(table) == {"a": "1"}


def test_a_transaction_of_a_hundred_changes_is_taken_and_of_more_refused(table: JobTable) -> None:
    changes = [Create(key=Key("p", f"{number:03}"), item={}) for number in range(100)]
    table.commit(changes)
    assert len(table.rows("p")) == 100
    with pytest.raises(ValueError):
        table.commit([*changes, Create(key=ROW, item={})])


def test_no_change_is_fine(table: JobTable) -> None:
    table.commit([])


def test_a_row_that_is_too_large_is_refused(table: JobTable) -> None:
    with pytest.raises(ValueError):
        table.commit([Create(key=ROW, item={"fill": "x" * 410 * 1024})])


@pytest.mark.parametrize("changed", ["", 1])
def test_an_index_key_that_becomes_no_string_is_refused(
    table: JobTable, gap: Expect, changed: Any
) -> None:
    gap("kind of an index key")
    table.commit([Create(key=ROW, item={"gpk": "open", "gsk": "1"})])
    with pytest.raises(ValueError):
        table.commit([Update(key=ROW, set={"gsk": changed})])


def test_an_index_key_that_is_too_long_is_refused(table: JobTable, gap: Expect) -> None:
    gap("length of an index key")
    table.commit([Create(key=ROW, item={"gpk": "g" * 2048, "gsk": "s" * 1024})])
    with pytest.raises(ValueError):
        table.commit([Create(key=OTHER, item={"gpk": "g", "gsk": "s" * 1025})])


@pytest.mark.parametrize(
    "key",
    [Key("", "a"), Key("p", ""), Key("p" * 2049, "a"), Key("p", "s" * 1025), Key("ü" * 1025, "a")],
    ids=["no pk", "no sk", "long pk", "long sk", "long in bytes"],
)
def test_a_key_that_is_empty_or_too_long_is_refused(table: JobTable, key: Key) -> None:
    with pytest.raises(ValueError):
        table.commit([Create(key=key, item={})])


def test_a_key_may_have_as_many_bytes_as_dynamodb_keeps(table: JobTable) -> None:
    keys = [Key("p" * 2048, "a"), Key("ü" * 1024, "a"), Key("p", "s" * 1024)]
    for key in keys:
        table.commit([Create(key=key, item={})])
    assert table.get(*keys) == [{}, {}, {}]


def test_a_value_of_too_many_levels_is_refused(table: JobTable, gap: Expect) -> None:
    gap("levels")
    value: Any = 1
    for level in range(30):
        value = [value] if level % 2 else {"deeper": value}
    table.commit([Create(key=ROW, item={"value": value})])
    assert one(table) == {"value": value}
    for _ in range(10):
        value = [value]
    with pytest.raises(ValueError):
        table.commit([Create(key=OTHER, item={"value": value})])


def test_rows_that_are_too_large_together_are_refused(table: JobTable, gap: Expect) -> None:
    """The limit is on the rows as they become, however little of them is changed."""
    gap("bytes of a transaction")
    keys = [Key("p", f"{number:02}") for number in range(12)]
    for key in keys:
        table.commit([Put(key=key, item={"fill": "x" * 390_000})])
    changes = [Update(key=key, set={"changed": True}) for key in keys]
    table.commit(changes[:10])
    with pytest.raises(ValueError):
        table.commit(changes)
    assert [key for key in keys if "changed" in one(table, key)] == keys[:10]


@pytest.mark.parametrize("held", [None, True, {}, [1]])
def test_adding_to_null_is_not_adding_to_nothing(table: JobTable, held: Any) -> None:
    table.commit([Create(key=ROW, item={"a": held})])
    with pytest.raises(ValueError):
        table.commit([Update(key=ROW, add={"a": 1})])
    assert one(table) == {"a": held}
