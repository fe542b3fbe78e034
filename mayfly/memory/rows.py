"""What a change means, exactly: `apply(change, row) -> row`. Pure.

Rows hold values as DynamoDB keeps them: no tuples, a whole number is an int however it was
written, and sums are decimal (0.1 + 0.2 is 0.3 there).
"""

import decimal
import math
from collections.abc import Mapping
from typing import Any, assert_never

import msgspec

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
from mayfly.perform.ports import Conflict

Row = dict[str, Any]

#: DynamoDB: 400 KB an item (names included; measured here as JSON, which is about the same), 38
#: digits a number, 100 operands of IN, 2048 and 1024 bytes of keys.
ROW_BYTES_MAX = 400 * 1024
DIGITS_MAX = 38
ONE_OF_MAX = 100

_MAGNITUDE_MAX = 1e125
_EXACT = decimal.Context(prec=DIGITS_MAX)


def apply(change: Change, row: Row | None) -> Row | None:
    """The row after the change; None is a row that is not there. Raises Conflict, and ValueError
    or TypeError for what DynamoDB would not even look at. It never alters `row`."""
    _check_key(change.key)
    match change:
        case Create():
            if row is not None:
                raise Conflict(f"{_told(change.key)} is there already.")
            return _whole(change.key, change.item)
        case Put():
            return _whole(change.key, change.item)
        case Update():
            return _updated(change, row)
        case Delete():
            _require(change.key, change.require, row)
            return None
    assert_never(change)


def normal(value: Any) -> Any:
    """A value as DynamoDB gives it back."""
    match value:
        case None | bool() | str():
            return value
        case int():
            if len(str(abs(value))) > DIGITS_MAX:
                raise ValueError(f"DynamoDB keeps {DIGITS_MAX} digits of a number.")
            return int(value)
        case float():
            if not math.isfinite(value) or abs(value) > _MAGNITUDE_MAX:
                raise ValueError("DynamoDB keeps finite numbers below 1e125.")
            if abs(value) < 1 / _MAGNITUDE_MAX:
                return 0
            return int(value) if value.is_integer() and abs(value) < 10**DIGITS_MAX else value
        case list() | tuple():
            return [normal(item) for item in value]
        case Mapping():
            return {name: normal(held) for name, held in value.items()}
        case _:
            raise TypeError(f"A row holds JSON values, and {type(value).__name__} is none.")


def _updated(change: Update, row: Row | None) -> Row:
    touched = [*change.set, *change.initial, *change.add, *change.append, *change.remove]
    if len(set(touched)) != len(touched):
        raise ValueError("A change can name a field only once.")
    if {"pk", "sk"}.intersection(touched):
        raise ValueError("A change cannot move a row.")
    if change.upsert and not touched:
        raise ValueError("An upsert without a delta says nothing.")
    if row is None and not change.upsert:
        raise Conflict(f"{_told(change.key)} is not there.")
    _require(change.key, change.require, row)
    after = dict(row or {"pk": change.key.pk, "sk": change.key.sk})
    after.update({name: normal(value) for name, value in change.set.items()})
    for name, value in change.initial.items():
        after.setdefault(name, normal(value))
    for name, delta in change.add.items():
        after[name] = _sum(name, after.get(name, 0), delta)
    for name, values in change.append.items():
        after[name] = _joined(name, after.get(name, []), values)
    for name in change.remove:
        after.pop(name, None)
    return _fit(after)


def _whole(key: Key, item: Mapping[str, Any]) -> Row:
    return _fit({**normal(item), "pk": key.pk, "sk": key.sk})


def _fit(row: Row) -> Row:
    for name in ("gpk", "gsk"):
        if name in row and not (isinstance(row[name], str) and row[name]):
            raise ValueError(f"{name} is a key of the index: a string, and not empty.")
    size = len(msgspec.json.encode(row))
    if size > ROW_BYTES_MAX:
        raise ValueError(f"A row holds {ROW_BYTES_MAX} bytes, and this one has {size}.")
    return row


def _check_key(key: Key) -> None:
    if not 0 < len(key.pk.encode()) <= 2048 or not 0 < len(key.sk.encode()) <= 1024:
        raise ValueError("A key has 1 to 2048 bytes of `pk` and 1 to 1024 bytes of `sk`.")


def _sum(name: str, old: Any, delta: Any) -> int | float:
    if not _is_number(old) or not _is_number(delta):
        raise ValueError(f"{name}: only a number can be added to a number.")
    total = _EXACT.add(decimal.Decimal(repr(old)), decimal.Decimal(repr(normal(delta))))
    return normal(float(total) if total % 1 else int(total))  # type: ignore[no-any-return]


def _joined(name: str, old: Any, values: tuple[Any, ...]) -> list[Any]:
    if not isinstance(old, list):
        raise ValueError(f"{name}: only a list can be appended to.")
    return [*old, *normal(values)]


def _require(key: Key, require: Mapping[str, Requirement], row: Row | None) -> None:
    for name, wanted in require.items():
        if not _holds(row or {}, name, wanted):
            raise Conflict(f"{_told(key)}: {name} is not what the change requires.")


def _holds(row: Row, name: str, wanted: Requirement) -> bool:
    match wanted:
        case Absent():
            return name not in row
        case OneOf():
            if not 0 < len(wanted.values) <= ONE_OF_MAX:
                raise ValueError(f"OneOf takes 1 to {ONE_OF_MAX} values.")
            return any(_same(row, name, value) for value in wanted.values)
        case Below():
            return name not in row or (_is_number(row[name]) and row[name] < wanted.limit)
        case Above():
            return name in row and _is_number(row[name]) and row[name] > wanted.limit
        case _:
            return _same(row, name, wanted)


def _same(row: Row, name: str, wanted: Any) -> bool:
    """Equal in kind and value: to DynamoDB true is not 1, and an absent field is not null."""
    return name in row and _typed(row[name]) == _typed(normal(wanted))


def _typed(value: Any) -> Any:
    match value:
        case bool():
            return ("bool", value)
        case list():
            return [_typed(item) for item in value]
        case dict():
            return {name: _typed(held) for name, held in value.items()}
        case _:
            return value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _told(key: Key) -> str:
    return f"Row {key.pk} / {key.sk}"
