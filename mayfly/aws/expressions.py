"""Changes as DynamoDB's expressions. Pure.

Every name and value is a placeholder: a field may be called `state`, `items` or `a.b`, all of
which DynamoDB would read as something else.
"""

from collections.abc import Mapping
from typing import Any, assert_never

from mayfly.aws import attributes
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

#: DynamoDB's IN takes 100 operands.
ONE_OF_MAX = 100


class _Placeholders:
    """Hands out `#1` for names and `:1` for values, each name once."""

    def __init__(self) -> None:
        self.names: dict[str, str] = {}
        self.values: dict[str, Any] = {}

    def name(self, name: str) -> str:
        return self.names.setdefault(name, f"#{len(self.names) + 1}")

    def value(self, value: Any) -> str:
        placeholder = f":{len(self.values) + 1}"
        self.values[placeholder] = attributes.write(value)
        return placeholder

    def asked(self) -> dict[str, Any]:
        """DynamoDB refuses empty mappings."""
        asked: dict[str, Any] = {}
        if self.names:
            asked["ExpressionAttributeNames"] = {held: name for name, held in self.names.items()}
        if self.values:
            asked["ExpressionAttributeValues"] = self.values
        return asked


def key(key: Key) -> dict[str, Any]:
    """The key of a row."""
    return attributes.written({"pk": key.pk, "sk": key.sk})


def alone(change: Change) -> tuple[str, dict[str, Any]]:
    """The action (Put, Update, Delete) and its parameters for a call of its own."""
    action, asked = together(change)
    return ("Update", asked) if action == "ConditionCheck" else (action, asked)


def together(change: Change) -> tuple[str, dict[str, Any]]:
    """The action and its parameters within a transaction, which checks without writing."""
    at = _Placeholders()
    match change:
        case Create():
            condition = {"ConditionExpression": f"attribute_not_exists({at.name('pk')})"}
            return "Put", {"Item": _item(change), **condition, **at.asked()}
        case Put():
            return "Put", {"Item": _item(change)}
        case Update():
            return _update(change, at)
        case Delete():
            required = _required(change.require, at, exists=False)
            return "Delete", {"Key": key(change.key), **required, **at.asked()}
    assert_never(change)


def _item(change: Create | Put) -> dict[str, Any]:
    return {**attributes.written(change.item), **key(change.key)}


def _update(change: Update, at: _Placeholders) -> tuple[str, dict[str, Any]]:
    parts = []
    sets = [f"{at.name(name)} = {at.value(value)}" for name, value in change.set.items()]
    for name, value in change.initial.items():
        held = at.name(name)
        sets.append(f"{held} = if_not_exists({held}, {at.value(value)})")
    for name, values in change.append.items():
        held = at.name(name)
        old = f"if_not_exists({held}, {at.value([])})"
        sets.append(f"{held} = list_append({old}, {at.value(list(values))})")
    if sets:
        parts.append("SET " + ", ".join(sets))
    if change.add:
        adds = [f"{at.name(name)} {at.value(delta)}" for name, delta in change.add.items()]
        parts.append("ADD " + ", ".join(adds))
    if change.remove:
        parts.append("REMOVE " + ", ".join(at.name(name) for name in change.remove))
    if change.upsert and not parts:
        raise ValueError("An upsert without a delta says nothing.")
    required = _required(change.require, at, exists=not change.upsert)
    asked = {"Key": key(change.key), **required}
    if parts:
        asked["UpdateExpression"] = " ".join(parts)
    return "Update" if parts else "ConditionCheck", {**asked, **at.asked()}


def _required(
    require: Mapping[str, Requirement], at: _Placeholders, *, exists: bool
) -> dict[str, str]:
    conditions = [f"attribute_exists({at.name('pk')})"] if exists else []
    conditions += [_condition(at, name, wanted) for name, wanted in require.items()]
    return {"ConditionExpression": " AND ".join(conditions)} if conditions else {}


def _condition(at: _Placeholders, name: str, wanted: Requirement) -> str:
    held = at.name(name)
    match wanted:
        case Absent():
            return f"attribute_not_exists({held})"
        case OneOf():
            if not 0 < len(wanted.values) <= ONE_OF_MAX:
                raise ValueError(f"OneOf takes 1 to {ONE_OF_MAX} values.")
            return f"{held} IN ({', '.join(at.value(value) for value in wanted.values)})"
        case Below():
            return f"(attribute_not_exists({held}) OR {held} < {at.value(wanted.limit)})"
        case Above():
            return f"{held} > {at.value(wanted.limit)}"
        case _:
            return f"{held} = {at.value(wanted)}"
