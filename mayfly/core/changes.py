"""The language in which decisions change rows: conditional deltas.

Why it exists: a job of 10,000 tasks must be closed one task at a time at constant cost, from many
Lambdas at once. So a decision never says "the row is now this", but "add -1 here, set that, if the
state still is so". All changes of one decision happen together or not at all (DynamoDB
TransactWriteItems: 100 actions, 4 MB).
"""

from collections.abc import Mapping
from typing import Any

import msgspec

#: What a row's field may hold: JSON values. Numbers are int or float.
Value = Any


class Key(msgspec.Struct, frozen=True, order=True):
    """A row: partition and sort key."""

    pk: str
    sk: str


class Absent(msgspec.Struct, frozen=True):
    """The field (or, required of `pk`, the whole row) must not be there."""


class OneOf(msgspec.Struct, frozen=True):
    """The field must hold one of these values."""

    values: tuple[Value, ...]


class Below(msgspec.Struct, frozen=True):
    """The field must be absent or a number below this."""

    limit: float


class Above(msgspec.Struct, frozen=True):
    """The field must be a number above this."""

    limit: float


#: A field's required state: a value it must equal, or one of the classes above.
Requirement = Value | Absent | OneOf | Below | Above


class Create(msgspec.Struct, frozen=True, kw_only=True):
    """A row that must not be there yet."""

    key: Key
    item: Mapping[str, Value]


class Put(msgspec.Struct, frozen=True, kw_only=True):
    """A row written whatever was there: for facts that are the same however often they are told."""

    key: Key
    item: Mapping[str, Value]


class Update(msgspec.Struct, frozen=True, kw_only=True):
    """A delta. The row must be there, and each requirement must hold."""

    key: Key
    set: Mapping[str, Value] = {}
    #: Set where the field is absent; what is there stays.
    initial: Mapping[str, Value] = {}
    #: Added to a number; an absent field counts as 0.
    add: Mapping[str, int | float] = {}
    #: Appended to a list; an absent field counts as empty.
    append: Mapping[str, tuple[Value, ...]] = {}
    remove: tuple[str, ...] = ()
    require: Mapping[str, Requirement] = {}
    #: Creates the row when it is not there (counters of a pool that was never used).
    upsert: bool = False


class Delete(msgspec.Struct, frozen=True, kw_only=True):
    """The row goes, if the requirements hold; a row that is not there is fine without any."""

    key: Key
    require: Mapping[str, Requirement] = {}


Change = Create | Put | Update | Delete
