"""What a change means, exactly: `apply(change, row) -> row`. Pure.

Rows hold values as DynamoDB keeps them: no tuples, a whole number is an int however it was
written, and sums are decimal (0.1 + 0.2 is 0.3 there). A row never changes: a change makes another
one, which shares with it what stayed the same, so nobody may alter the values of a row; `item`
gives copies.
"""

import decimal
import math
from collections.abc import Collection, Mapping
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

#: DynamoDB: 400 KB an item (names included; measured here as JSON, which is about the same), 38
#: digits a number, 32 levels of lists and objects, 100 operands of IN, 2048 and 1024 bytes of keys.
ROW_BYTES_MAX = 400 * 1024
DIGITS_MAX = 38
LEVELS_MAX = 32
ONE_OF_MAX = 100
PARTITION_KEY_BYTES_MAX = 2048
SORT_KEY_BYTES_MAX = 1024

_MAGNITUDE_MAX = 1e125
_INT_MAX = 10**DIGITS_MAX
_EXACT = decimal.Context(prec=DIGITS_MAX, traps=[decimal.Inexact])
_NOTHING: dict[str, Any] = {}

_encoded = msgspec.json.Encoder().encode
#: JSON writes a number in no more bytes than this, a character of a name in no more than that.
_NUMBER_BYTES_MAX = 48
_CHARACTER_BYTES_MAX = 6
#: So many characters are never too many bytes of UTF-8.
_PARTITION_KEY_SURE, _SORT_KEY_SURE = PARTITION_KEY_BYTES_MAX // 4, SORT_KEY_BYTES_MAX // 4


class Row(msgspec.Struct, frozen=True):
    """One version of a row."""

    #: With `pk` and `sk`. Never altered.
    fields: dict[str, Any]
    #: Its size is not more than this, so that few rows need to be measured.
    bytes_max: int
    #: `gpk` and `gsk` of a row that is in the index.
    index_key: tuple[str, str] | None
    #: Every field that holds a list or an object is one of these.
    nested: tuple[str, ...]

    def bytes(self) -> int:
        """Measured."""
        return len(_encoded(self.fields))

    def item(self) -> dict[str, Any]:
        """A copy that is the caller's own, all the way down."""
        copy = self.fields.copy()
        for name in self.nested:
            value = copy[name]
            copy[name] = msgspec.to_builtins(value) if value else type(value)()
        return copy


def apply(change: Change, row: Row | None) -> Row | None:
    """The row after the change; None is a row that is not there. Raises Conflict, and ValueError
    or TypeError for what DynamoDB would not even look at."""
    _check_key(change.key.pk, change.key.sk)
    if type(change) is Update:
        return _updated(change, row)
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


def normal(value: Any, level: int = 0) -> Any:
    """A value as DynamoDB gives it back. It lies within so many lists and objects."""
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return value
    if kind is int and -_INT_MAX < value < _INT_MAX:
        return value
    if kind is float:
        return _number(value)
    match value:
        case str():
            return str(value)
        case int():
            if not -_INT_MAX < value < _INT_MAX:
                raise ValueError(f"DynamoDB keeps {DIGITS_MAX} digits of a number.")
            return int(value)
        case float():
            return _number(value)
        case list() | tuple() | Mapping() if level == LEVELS_MAX:
            raise ValueError(f"DynamoDB keeps {LEVELS_MAX} levels of lists and objects.")
        case list() | tuple():
            return [normal(item, level + 1) for item in value]
        case Mapping():
            return {name: normal(held, level + 1) for name, held in value.items()}
        case _:
            raise TypeError(f"A row holds JSON values, and {type(value).__name__} is none.")


def _number(value: float) -> int | float:
    if not math.isfinite(value) or abs(value) > _MAGNITUDE_MAX:
        raise ValueError("DynamoDB keeps finite numbers below 1e125.")
    if abs(value) < 1 / _MAGNITUDE_MAX:
        return 0
    return int(value) if value.is_integer() and abs(value) < _INT_MAX else float(value)


def _updated(change: Update, row: Row | None) -> Row:
    _check_names(change)
    if row is None and not change.upsert:
        raise Conflict(f"{_told(change.key)} is not there.")
    if change.require:
        _require(change.key, change.require, row)
    if row is None:
        row = _whole(change.key, _NOTHING)
    fields, size, nested = row.fields.copy(), row.bytes_max, row.nested
    if change.set:
        given = {name: normal(value) for name, value in change.set.items()}
        fields.update(given)
        size += len(_encoded(given))
        nested = _with_nested(nested, given)
    for name, value in change.initial.items():
        if name not in fields:
            given = {name: normal(value)}
            fields.update(given)
            size += len(_encoded(given))
            nested = _with_nested(nested, given)
    for name, delta in change.add.items():
        fields[name] = _sum(name, fields.get(name, 0), delta)
        size += _NUMBER_BYTES_MAX + _CHARACTER_BYTES_MAX * len(name)
    for name, values in change.append.items():
        given = {name: normal(values)}
        fields[name] = _joined(name, fields.get(name, []), given[name])
        size += len(_encoded(given))
        nested = _with_nested(nested, given)
    for name in change.remove:
        fields.pop(name, None)
    if change.remove:
        nested = tuple(name for name in nested if name in fields)
    return _fit(fields, size, nested)


def _with_nested(known: tuple[str, ...], given: dict[str, Any]) -> tuple[str, ...]:
    for name, value in given.items():
        if (type(value) is list or type(value) is dict) and name not in known:
            known = (*known, name)
    return known


def _check_names(change: Update) -> None:
    touched: Collection[str] = change.set
    if change.initial or change.add or change.append or change.remove:
        touched = [*touched, *change.initial, *change.add, *change.append, *change.remove]
        if len(set(touched)) != len(touched):
            raise ValueError("A change can name a field only once.")
    if "pk" in touched or "sk" in touched:
        raise ValueError("A change cannot move a row.")
    if change.upsert and not touched:
        raise ValueError("An upsert without a delta says nothing.")


def _whole(key: Key, item: Mapping[str, Any]) -> Row:
    fields = {name: normal(value) for name, value in item.items()}
    fields["pk"], fields["sk"] = key.pk, key.sk
    return _fit(fields, len(_encoded(fields)), _with_nested((), fields))


def _fit(fields: dict[str, Any], bytes_max: int, nested: tuple[str, ...]) -> Row:
    if bytes_max > ROW_BYTES_MAX:
        bytes_max = len(_encoded(fields))
        if bytes_max > ROW_BYTES_MAX:
            raise ValueError(f"A row holds {ROW_BYTES_MAX} bytes, and this one has {bytes_max}.")
    indexed = "gpk" in fields or "gsk" in fields
    return Row(fields, bytes_max, _index_key(fields) if indexed else None, nested)


def _index_key(fields: dict[str, Any]) -> tuple[str, str] | None:
    for name in ("gpk", "gsk"):
        if name in fields and not (type(fields[name]) is str and fields[name]):
            raise ValueError(f"{name} is a key of the index: a string, and not empty.")
    if "gpk" not in fields or "gsk" not in fields:
        return None
    _check_key(fields["gpk"], fields["gsk"])
    return fields["gpk"], fields["gsk"]


def _check_key(pk: str, sk: str) -> None:
    if 0 < len(pk) <= _PARTITION_KEY_SURE and 0 < len(sk) <= _SORT_KEY_SURE:
        return
    if (
        not 0 < len(pk.encode()) <= PARTITION_KEY_BYTES_MAX
        or not 0 < len(sk.encode()) <= SORT_KEY_BYTES_MAX
    ):
        raise ValueError("A key has 1 to 2048 bytes of `pk` and 1 to 1024 bytes of `sk`.")


def _sum(name: str, old: Any, delta: Any) -> int | float:
    if type(old) is int and type(delta) is int and -_INT_MAX < delta < _INT_MAX:
        total = old + delta
        if -_INT_MAX < total < _INT_MAX:
            return total
    if not _is_number(old) or not _is_number(delta):
        raise ValueError(f"{name}: only a number can be added to a number.")
    try:
        exact = _EXACT.add(decimal.Decimal(repr(old)), decimal.Decimal(repr(normal(delta))))
    except decimal.Inexact:
        raise ValueError(f"{name}: DynamoDB keeps {DIGITS_MAX} digits of a sum.") from None
    whole = exact == exact.to_integral_value() and abs(exact) < _INT_MAX
    return int(exact) if whole else _number(float(exact))


def _joined(name: str, old: Any, values: list[Any]) -> list[Any]:
    if not isinstance(old, list):
        raise ValueError(f"{name}: only a list can be appended to.")
    return [*old, *values]


def _require(key: Key, require: Mapping[str, Requirement], row: Row | None) -> None:
    fields = row.fields if row else _NOTHING
    for name, wanted in require.items():
        if not _holds(fields, name, wanted):
            raise Conflict(f"{_told(key)}: {name} is not what the change requires.")


def _holds(fields: Mapping[str, Any], name: str, wanted: Requirement) -> bool:
    if type(wanted) is str:
        return _same(fields, name, wanted)
    match wanted:
        case Absent():
            return name not in fields
        case OneOf():
            if not 0 < len(wanted.values) <= ONE_OF_MAX:
                raise ValueError(f"OneOf takes 1 to {ONE_OF_MAX} values.")
            return any(_same(fields, name, value) for value in wanted.values)
        case Below():
            return name not in fields or _is_below(fields[name], wanted.limit)
        case Above():
            return name in fields and _is_above(fields[name], wanted.limit)
        case _:
            return _same(fields, name, wanted)


def _is_below(value: Any, limit: float) -> bool:
    return _is_number(value) and value < limit


def _is_above(value: Any, limit: float) -> bool:
    return _is_number(value) and value > limit


def _same(fields: Mapping[str, Any], name: str, wanted: Any) -> bool:
    """Equal in kind and value: to DynamoDB true is not 1, and an absent field is not null."""
    if name not in fields:
        return False
    held = fields[name]
    if type(held) is str and type(wanted) is str:
        return held == wanted
    return bool(_typed(held) == _typed(normal(wanted)))


def _typed(value: Any) -> Any:
    match value:
        case str():
            return value
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
