"""The language in which decisions change rows: conditional deltas.

Why it exists: a job of 10,000 tasks must be closed one task at a time at constant cost, from many
Lambdas at once. So a decision never says "the row is now this", but "add -1 here, set that, if the
state still is so". All changes of one decision happen together or not at all (DynamoDB
TransactWriteItems: 100 actions, 4 MB).
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

#: What a row's field may hold: JSON values. Numbers are int or float.
Value = Any


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class Key:
    """A row: partition and sort key."""

    pk: str
    sk: str


@dataclasses.dataclass(frozen=True, slots=True)
class Absent:
    """The field (or, required of `pk`, the whole row) must not be there."""


@dataclasses.dataclass(frozen=True, slots=True)
class OneOf:
    """The field must hold one of these values."""

    values: tuple[Value, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Below:
    """The field must be absent or a number below this."""

    limit: float


@dataclasses.dataclass(frozen=True, slots=True)
class Above:
    """The field must be a number above this."""

    limit: float


#: A field's required state: a value it must equal, or one of the classes above.
Requirement = Value | Absent | OneOf | Below | Above


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Create:
    """A row that must not be there yet."""

    key: Key
    item: Mapping[str, Value]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Put:
    """A row written whatever was there: for facts that are the same however often they are told."""

    key: Key
    item: Mapping[str, Value]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """A delta. The row must be there, and each requirement must hold."""

    key: Key
    set: Mapping[str, Value] = dataclasses.field(default_factory=dict)
    #: Set where the field is absent; what is there stays.
    initial: Mapping[str, Value] = dataclasses.field(default_factory=dict)
    #: Added to a number; an absent field counts as 0.
    add: Mapping[str, int | float] = dataclasses.field(default_factory=dict)
    #: Appended to a list; an absent field counts as empty.
    append: Mapping[str, tuple[Value, ...]] = dataclasses.field(default_factory=dict)
    remove: tuple[str, ...] = ()
    require: Mapping[str, Requirement] = dataclasses.field(default_factory=dict)
    #: Creates the row when it is not there (counters of a pool that was never used).
    upsert: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Delete:
    """The row goes, if the requirements hold; a row that is not there is fine without any."""

    key: Key
    require: Mapping[str, Requirement] = dataclasses.field(default_factory=dict)


Change = Create | Put | Update | Delete
