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
from tests.contract.conftest import Gap
from tests.contract.worlds import World

ROW = Key("job#1", "head")
OTHER = Key("job#1", "task#1")


@pytest.fixture
def table(world: World) -> JobTable:
    return world.table()


def one(table: JobTable, key: Key = ROW) -> Any:
    return table.get(key)[0]


@pytest.mark.parametrize("value", ["", 1, None])
def test_an_index_key_that_is_no_string_is_refused(table: JobTable, gap: Gap, value: Any) -> None:
    if value == 1:
        gap("moto", "takes a number for an index key")
    with pytest.raises(ValueError):
        table.commit([Create(key=ROW, item={"gpk": value, "gsk": "1"})])


def test_a_row_named_twice_in_a_transaction_is_refused(table: JobTable) -> None:
    with pytest.raises(ValueError):
        table.commit([Update(key=ROW, add={"a": 1}, upsert=True), Put(key=ROW, item={})])


def test_a_field_named_twice_in_a_change_is_refused(table: JobTable, gap: Gap) -> None:
    gap("embedded", "takes overlapping paths")
    table.commit([Create(key=ROW, item={"a": 1})])
    with pytest.raises(ValueError):
        table.commit([Update(key=ROW, set={"a": 1}, add={"a": 1})])


def test_adding_to_what_is_no_number_is_refused(table: JobTable) -> None:
    table.commit([Create(key=ROW, item={"a": "1"})])
    with pytest.raises(ValueError):
        table.commit([Update(key=ROW, add={"a": 1})])
    assert one(table) == {"a": "1"}


def test_appending_to_what_is_no_list_is_refused(table: JobTable, gap: Gap) -> None:
    gap("embedded", "replaces what is no list")
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
