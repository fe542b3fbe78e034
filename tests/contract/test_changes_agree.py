"""Whatever the changes, memory and DynamoDB agree on what they mean.

Any world that decides upon rows in memory (tests, the simulator) is worth what this holds: random
changes, done to a table in memory and to one on the embedded AWS, are taken or refused alike and
leave the same rows.
"""

from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

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
    Update,
)
from mayfly.memory.table import MemoryTable
from mayfly.perform.ports import Conflict, JobTable
from tests.contract.worlds import AwsWorld, World

#: Few rows, fields and values, so that changes meet.
KEYS = [Key(pk, sk) for pk in ("p", "q") for sk in ("a", "b")]
NUMBERS = st.sampled_from([0, 1, -1, 2, 0.5, 0.1])
PLAIN = st.one_of(st.sampled_from(["", "open", True, False, None]), NUMBERS)
VALUES = st.one_of(PLAIN, st.lists(PLAIN, max_size=2), st.just({"a": 1}))
STATES = st.sampled_from(["open", "done"])

REQUIREMENTS = st.fixed_dictionaries(
    {},
    optional={
        "state": st.one_of(
            VALUES,
            st.just(Absent()),
            st.builds(OneOf, st.tuples(PLAIN)),
            st.builds(OneOf, st.tuples(STATES, PLAIN)),
        ),
        "count": st.one_of(NUMBERS, st.builds(Above, NUMBERS), st.builds(Below, NUMBERS)),
        "pk": st.just(Absent()),
    },
)
ITEMS = st.fixed_dictionaries(
    {}, optional={"state": VALUES, "count": NUMBERS, "story": st.just(["begun"])}
)
UPDATES = st.builds(
    Update,
    key=st.sampled_from(KEYS),
    set=st.fixed_dictionaries({}, optional={"state": VALUES, "gpk": STATES, "gsk": STATES}),
    initial=st.fixed_dictionaries({}, optional={"owner": VALUES}),
    add=st.fixed_dictionaries({}, optional={"count": NUMBERS}),
    append=st.fixed_dictionaries({}, optional={"story": st.tuples(VALUES)}),
    remove=st.sampled_from([(), ("other",), ("gone", "other")]),
    require=REQUIREMENTS,
    upsert=st.booleans(),
).filter(
    lambda change: bool(
        change.set or change.initial or change.add or change.append or not change.upsert
    )
)
CHANGES: st.SearchStrategy[Change] = st.one_of(
    UPDATES,
    UPDATES,
    st.builds(Create, key=st.sampled_from(KEYS), item=ITEMS),
    st.builds(Put, key=st.sampled_from(KEYS), item=ITEMS),
    st.builds(Delete, key=st.sampled_from(KEYS), require=REQUIREMENTS),
)
COMMITS = st.lists(CHANGES, min_size=1, max_size=3, unique_by=lambda change: change.key)


def told(table: JobTable, changes: list[Change]) -> str:
    try:
        table.commit(changes)
    except Conflict:
        return "conflict"
    except ValueError:
        return "refused"
    return "done"


def everything(table: JobTable) -> list[Any]:
    return [table.rows("p"), table.rows("q"), table.index("open", limit=9), table.get(*KEYS)]


@pytest.mark.parametrize("world", ["embedded"], indirect=True)
@pytest.mark.embedded
def test_memory_and_dynamodb_agree_on_any_changes(world: World) -> None:
    assert isinstance(world, AwsWorld)

    @settings(
        max_examples=60,
        deadline=None,
        derandomize=True,
        # Shrinking a failure over the network takes minutes; the message names the changes.
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(COMMITS, min_size=2, max_size=12))
    def agree(commits: list[list[Change]]) -> None:
        memory, dynamodb = MemoryTable(), world.table()
        for changes in commits:
            assert told(memory, changes) == told(dynamodb, changes), changes
            assert everything(memory) == everything(dynamodb), changes

    agree()
