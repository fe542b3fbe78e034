"""The JobTable port: conditional deltas, all or none."""

from typing import Any

import pytest

from mayfly.core.changes import (
    Above,
    Absent,
    Below,
    Change,
    Create,
    Delete,
    Key,
    OneOf,
    Put,
    Requirement,
    Update,
)
from mayfly.perform.ports import Conflict, JobTable
from tests.contract.conftest import Expect
from tests.contract.worlds import World

ROW = Key("job#1", "head")
OTHER = Key("job#1", "task#1")

#: DynamoDB's comparisons know kinds; moto compares as Python does.
MOTO_CONFUSES = {
    (repr(held), repr(wanted))
    for held, wanted in (
        ("5", Above(4)),
        ("5", Below(9)),
        (1, True),
        (True, 1),
        ([1], [True]),
    )
}


@pytest.fixture
def table(world: World) -> JobTable:
    return world.table()


def one(table: JobTable, key: Key = ROW) -> Any:
    return table.get(key)[0]


@pytest.mark.parametrize(
    "value",
    [
        "",
        "ü \u2028 \U0001f980 \ufffe",
        True,
        False,
        None,
        0,
        -1,
        2**63,
        0.1,
        1e-7,
        1_800_000_000.123456,
        -273.15,
        1 / 3,
        [],
        {},
        ["a", 1, 2.5, None, [True, {"b": []}]],
        {"a.b": {"c": [1]}, "state": None},
    ],
)
def test_a_value_is_read_back_as_it_was_written(table: JobTable, value: Any) -> None:
    table.commit([Create(key=ROW, item={"value": value})])
    (read,) = table.get(ROW)
    assert read == {"value": value}
    assert isinstance(read["value"], type(value))


def test_a_whole_float_is_read_back_as_an_int(table: JobTable) -> None:
    table.commit([Create(key=ROW, item={"at": 2.0})])
    assert repr(one(table)["at"]) == "2"


def test_a_float_of_more_digits_than_an_int_may_have_stays_a_float(table: JobTable) -> None:
    table.commit([Create(key=ROW, item={"at": 1e100})])
    table.commit([Update(key=ROW, set=one(table))])
    assert repr(one(table)["at"]) == "1e+100"


def test_a_tuple_is_read_back_as_a_list(table: JobTable) -> None:
    table.commit([Create(key=ROW, item={"pair": (1, (2,))})])
    assert one(table) == {"pair": [1, [2]]}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 10**38, 2e125])
def test_a_number_that_dynamodb_cannot_keep_is_refused(table: JobTable, value: Any) -> None:
    with pytest.raises(ValueError):
        table.commit([Create(key=ROW, item={"value": value})])


@pytest.mark.parametrize("value", [b"bytes", {1}, object()])
def test_what_is_no_json_is_refused(table: JobTable, value: Any) -> None:
    with pytest.raises(TypeError):
        table.commit([Create(key=ROW, item={"value": value})])


def test_of_two_creations_of_one_row_one_wins(table: JobTable) -> None:
    table.commit([Create(key=ROW, item={"by": "first"})])
    with pytest.raises(Conflict):
        table.commit([Create(key=ROW, item={"by": "second"})])
    assert one(table) == {"by": "first"}


def test_a_creation_that_loses_takes_its_whole_transaction_with_it(table: JobTable) -> None:
    table.commit([Create(key=ROW, item={"open": 1})])
    with pytest.raises(Conflict):
        table.commit(
            [
                Update(key=ROW, add={"open": 1}),
                Put(key=OTHER, item={}),
                Create(key=Key("job#1", "z"), item={}),
                Create(key=Key("job#2", "head"), item={}),
                Update(key=Key("job#3", "head"), add={"open": 1}),
            ]
        )
    assert table.rows("job#1") == [{"pk": "job#1", "sk": "head", "open": 1}]
    assert table.rows("job#2") == []


def test_a_transaction_changes_all_its_rows(table: JobTable) -> None:
    table.commit(
        [Create(key=ROW, item={"open": 2}), Create(key=OTHER, item={"state": "open", "gone": 1})]
    )
    table.commit(
        [
            Update(key=ROW, add={"open": -1}, require={"open": Above(0)}),
            Update(key=OTHER, set={"state": "done"}, remove=("gone",), require={"state": "open"}),
            Put(key=Key("job#1", "story"), item={"said": ["done"]}),
        ]
    )
    assert table.get(ROW, OTHER) == [{"open": 1}, {"state": "done"}]
    assert one(table, Key("job#1", "story")) == {"said": ["done"]}


def test_a_repeated_report_changes_nothing(table: JobTable) -> None:
    """The done queue delivers twice; the condition on the task's row lets one through."""
    table.commit([Create(key=ROW, item={"open": 2}), Create(key=OTHER, item={"state": "open"})])
    report: list[Change] = [
        Update(key=ROW, add={"open": -1}),
        Update(key=OTHER, set={"state": "done"}, require={"state": "open"}),
    ]
    table.commit(report)
    with pytest.raises(Conflict):
        table.commit(report)
    assert one(table) == {"open": 1}


def test_a_counter_begins_at_nothing_and_takes_fractions(table: JobTable) -> None:
    table.commit([Create(key=ROW, item={})])
    for delta in (0.1, 0.2, 5, -7):
        table.commit([Update(key=ROW, add={"seconds": delta, "count": 1})])
    assert one(table) == {"seconds": -1.7, "count": 4}


def test_a_sum_may_have_more_digits_than_an_int_may_be_written_with(table: JobTable) -> None:
    table.commit([Create(key=ROW, item={"count": 10**38 - 1, "seconds": 10**30})])
    table.commit([Update(key=ROW, add={"count": 1, "seconds": 0.5})])
    assert one(table) == {"count": 1e38, "seconds": 1e30}


def test_removing_what_is_not_there_is_fine(table: JobTable) -> None:
    table.commit([Create(key=ROW, item={"a": 1})])
    table.commit([Update(key=ROW, remove=("b",))])
    assert one(table) == {"a": 1}


def test_a_requirement_is_of_the_row_as_it_was(table: JobTable) -> None:
    table.commit([Create(key=ROW, item={"version": 1})])
    change = Update(key=ROW, set={"version": 2}, require={"version": 1})
    table.commit([change])
    with pytest.raises(Conflict):
        table.commit([change])


def test_a_list_begins_empty_and_grows_at_its_end(table: JobTable) -> None:
    table.commit([Create(key=ROW, item={})])
    table.commit([Update(key=ROW, append={"story": ("a", {"b": 1})})])
    table.commit([Update(key=ROW, append={"story": (None,), "other": ([],)})])
    assert one(table) == {"story": ["a", {"b": 1}, None], "other": [[]]}


def test_an_update_of_a_row_that_is_not_there_is_a_conflict(table: JobTable) -> None:
    with pytest.raises(Conflict):
        table.commit([Update(key=ROW, set={"a": 1})])
    assert one(table) is None


def test_an_upsert_creates_the_row(table: JobTable) -> None:
    table.commit([Update(key=ROW, add={"open_jobs": 1}, set={"pool": "small"}, upsert=True)])
    table.commit([Update(key=ROW, add={"open_jobs": 1}, upsert=True)])
    assert one(table) == {"open_jobs": 2, "pool": "small"}


def test_an_initial_value_is_set_where_there_is_none(table: JobTable) -> None:
    for turn in ("first", "second"):
        known = {"null": None, "turn": turn}
        table.commit([Update(key=ROW, initial=known, add={"count": 1}, upsert=True)])
    assert one(table) == {"turn": "first", "null": None, "count": 2}
    table.commit([Update(key=ROW, remove=("turn",))])
    table.commit([Update(key=ROW, initial={"turn": "third", "null": 1})])
    assert one(table) == {"turn": "third", "null": None, "count": 2}


def test_an_upsert_that_wants_no_row_creates_once(table: JobTable) -> None:
    change = Update(key=ROW, set={"a": 1}, require={"pk": Absent()}, upsert=True)
    table.commit([change])
    with pytest.raises(Conflict):
        table.commit([change])


def test_a_put_replaces_the_whole_row(table: JobTable) -> None:
    table.commit([Put(key=ROW, item={"a": 1, "b": 1})])
    table.commit([Put(key=ROW, item={"b": 2})])
    assert one(table) == {"b": 2}


def test_a_delete_wants_its_requirements_and_nothing_else(table: JobTable) -> None:
    table.commit([Create(key=ROW, item={"owner": "me"})])
    with pytest.raises(Conflict):
        table.commit([Delete(key=ROW, require={"owner": "you"})])
    table.commit([Delete(key=ROW, require={"owner": "me"})])
    assert one(table) is None
    table.commit([Delete(key=ROW)])
    with pytest.raises(Conflict):
        table.commit([Delete(key=ROW, require={"owner": "me"})])


def test_an_update_without_a_delta_only_checks(table: JobTable, gap: Expect) -> None:
    gap("update without a delta")
    table.commit([Create(key=ROW, item={"state": "open"})])
    check = Update(key=ROW, require={"state": "open"})
    table.commit([check])
    table.commit([check, Create(key=OTHER, item={})])
    table.commit([Update(key=ROW, set={"state": "done"})])
    with pytest.raises(Conflict):
        table.commit([check])
    with pytest.raises(Conflict):
        table.commit([check, Put(key=OTHER, item={"never": 1})])
    assert table.get(ROW, OTHER) == [{"state": "done"}, {}]


@pytest.mark.parametrize(
    ("held", "wanted", "holds"),
    [
        ("open", "open", True),
        ("open", "shut", False),
        ("open", OneOf(("shut", "open")), True),
        ("open", OneOf(("shut", "ended")), False),
        (1, OneOf((2, 1.0)), True),
        (5, Above(4.5), True),
        (5, Above(5), False),
        ("5", Above(4), False),
        (5, Below(5.5), True),
        (5, Below(5), False),
        ("5", Below(9), False),
        (None, Below(9), False),
        (None, None, True),
        (None, Absent(), False),
        (0, None, False),
        (1, True, False),
        (True, 1, False),
        (True, True, True),
        ([1, {"a": 2}], [1, {"a": 2}], True),
        ([1, {"a": 2}], (1, {"a": 2.0}), True),
        ([1, {"a": 2}], [1, {"a": 3}], False),
        ([1], [True], False),
        ("", "", True),
        (2, 2.0, True),
    ],
)
def test_a_requirement_of_a_field_that_is_there(
    table: JobTable, gap: Expect, held: Any, wanted: Requirement, holds: bool
) -> None:
    if (repr(held), repr(wanted)) in MOTO_CONFUSES:
        gap("kinds")
    table.commit([Create(key=ROW, item={"field": held})])
    change = Update(key=ROW, set={"changed": True}, require={"field": wanted})
    if holds:
        table.commit([change])
    else:
        with pytest.raises(Conflict):
            table.commit([change])
    assert ("changed" in one(table)) is holds


@pytest.mark.parametrize(
    ("wanted", "holds"),
    [
        (Absent(), True),
        (Below(5), True),
        (Above(-5), False),
        (OneOf(("", None, 0)), False),
        (None, False),
        ("", False),
        (0, False),
    ],
)
def test_a_requirement_of_a_field_that_is_absent(
    table: JobTable, gap: Expect, wanted: Requirement, holds: bool
) -> None:
    if wanted is None or wanted == OneOf(("", None, 0)):
        gap("absent is not null")
    table.commit([Create(key=ROW, item={})])
    changes: list[Change] = [Update(key=ROW, set={"a": 1}, require={"field": wanted})]
    if holds:
        table.commit(changes)
    else:
        with pytest.raises(Conflict):
            table.commit(changes)


@pytest.mark.parametrize("name", ["state", "items", "a.b", "size", "#x", ":y", "ü", "a-b", "1st"])
def test_a_field_may_have_any_name(table: JobTable, name: str) -> None:
    table.commit([Create(key=ROW, item={name: 1})])
    table.commit([Update(key=ROW, add={name: 1}, require={name: OneOf((1,))})])
    table.commit([Update(key=ROW, set={name: [name]}, require={name: 2})])
    table.commit([Update(key=ROW, append={name: (1,)})])
    assert one(table) == {name: [name, 1]}
    table.commit([Update(key=ROW, remove=(name,))])
    assert one(table) == {}


def test_rows_are_given_in_the_order_of_the_keys_asked_for(table: JobTable) -> None:
    keys = [Key("p", f"{number:03}") for number in range(60)]
    for key in keys[::2]:
        table.commit([Create(key=key, item={"sk_was": key.sk})])
    asked = [*reversed(keys), keys[0]]
    expected = [{"sk_was": key.sk} if int(key.sk) % 2 == 0 else None for key in asked]
    assert table.get(*asked) == expected
    assert table.get() == []


def test_more_keys_than_a_batch_takes_are_refused(table: JobTable) -> None:
    with pytest.raises(ValueError):
        table.get(*(Key("p", str(number)) for number in range(101)))


def test_rows_of_a_partition_come_in_the_order_of_their_sort_key(table: JobTable) -> None:
    for sk in ("task#2", "task#10", "head", "task#ü", "task#z", "tasks"):
        table.commit([Create(key=Key("job#1", sk), item={})])
    table.commit([Create(key=Key("job#10", "task#1"), item={})])
    found = [row["sk"] for row in table.rows("job#1", "task#")]
    assert found == ["task#10", "task#2", "task#z", "task#ü"]
    assert [row["sk"] for row in table.rows("job#1")] == ["head", *found, "tasks"]


def test_rows_beyond_one_page_are_all_found(table: JobTable) -> None:
    """A page of a Query ends at 1 MB."""
    for number in range(14):
        table.commit([Create(key=Key("p", f"{number:02}"), item={"fill": "x" * 100_000})])
    assert [row["sk"] for row in table.rows("p")] == [f"{number:02}" for number in range(14)]


def in_index(state: str, at: str) -> dict[str, str]:
    return {"gpk": f"open#{state}", "gsk": at}


def test_the_index_gives_the_first_rows_of_its_order(table: JobTable) -> None:
    for sk, at in (("a", "3"), ("b", "1"), ("c", "20"), ("d", "2")):
        table.commit([Create(key=Key("job#1", sk), item=in_index("small", at))])
    table.commit([Create(key=Key("job#1", "e"), item=in_index("large", "0"))])
    table.commit([Create(key=Key("job#1", "f"), item={"gsk": "0"})])
    assert [row["sk"] for row in table.index("open#small", limit=3)] == ["b", "d", "c"]
    assert [row["sk"] for row in table.index("open#small", limit=9)] == ["b", "d", "c", "a"]
    assert [row["sk"] for row in table.index("open#small", limit=2, after="2")] == ["c", "a"]
    assert table.index("open#none", limit=9) == []
    assert table.index("open#large", limit=1) == [
        {"pk": "job#1", "sk": "e", "gpk": "open#large", "gsk": "0"}
    ]


def test_an_index_beyond_one_page_is_read_as_far_as_it_is_wanted(table: JobTable) -> None:
    """A page of a Query ends at 1 MB, whatever its limit is."""
    order = [f"{number:02}" for number in range(14)]
    for at in order:
        item = {"fill": "x" * 100_000, **in_index("small", at)}
        table.commit([Create(key=Key("p", at), item=item)])
    assert [row["sk"] for row in table.index("open#small", limit=99)] == order
    assert [row["sk"] for row in table.index("open#small", limit=12)] == order[:12]


def test_a_row_leaves_the_index_with_its_index_key(table: JobTable) -> None:
    table.commit([Create(key=ROW, item=in_index("small", "1"))])
    table.commit([Update(key=ROW, set={"gpk": "out#small"})])
    assert table.index("open#small", limit=5) == []
    assert len(table.index("out#small", limit=5)) == 1
    table.commit([Update(key=ROW, remove=("gpk", "gsk"))])
    assert table.index("out#small", limit=5) == []
