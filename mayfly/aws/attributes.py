"""JSON values as DynamoDB's attribute values and back, without Decimal.

Why it exists: boto3's own conversion refuses floats and returns Decimals, which no contract type
takes. A number keeps its value, not its kind: DynamoDB stores 2.0 as 2, so it comes back as int.
"""

import math
from collections.abc import Mapping
from typing import Any

#: DynamoDB numbers: 38 digits, magnitude below 1e126. A float has 17 digits at most.
_MAGNITUDE_MAX = 1e125
_DIGITS_MAX = 38


def written(item: Mapping[str, Any]) -> dict[str, Any]:
    """A row, or the values of an expression. Raises TypeError, ValueError for what is no JSON."""
    return {name: write(value) for name, value in item.items()}


def write(value: Any) -> dict[str, Any]:
    """One value. `bool` is asked for before `int`, which it is a kind of."""
    match value:
        case None:
            return {"NULL": True}
        case bool():
            return {"BOOL": value}
        case str():
            return {"S": str(value)}
        case int() | float():
            return {"N": number(value)}
        case list() | tuple():
            return {"L": [write(item) for item in value]}
        case Mapping():
            return {"M": written(value)}
        case _:
            raise TypeError(f"A row holds JSON values, and {type(value).__name__} is none.")


def number(value: int | float) -> str:
    """The shortest text that reads back as the same number."""
    if isinstance(value, int):
        text = str(value)
        if len(text.lstrip("-")) > _DIGITS_MAX:
            raise ValueError(f"DynamoDB keeps {_DIGITS_MAX} digits of a number.")
        return text
    if not math.isfinite(value) or abs(value) > _MAGNITUDE_MAX:
        raise ValueError("DynamoDB keeps finite numbers below 1e125.")
    if value and abs(value) < 1 / _MAGNITUDE_MAX:
        return "0"
    return repr(float(value))


def read(raw: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """A row as DynamoDB returns it."""
    return {name: _value(value) for name, value in raw.items()}


def _value(raw: Mapping[str, Any]) -> Any:
    ((kind, value),) = raw.items()
    match kind:
        case "S" | "BOOL":
            return value
        case "N":
            return _number(value)
        case "NULL":
            return None
        case "L":
            return [_value(item) for item in value]
        case "M":
            return read(value)
        case _:
            raise ValueError(f"A row of ours holds no attribute of type {kind}.")


def _number(text: str) -> int | float:
    if text.lstrip("-").isdigit() and len(text) <= _DIGITS_MAX:
        return int(text)
    parsed = float(text)
    return int(parsed) if parsed.is_integer() and abs(parsed) < 10**_DIGITS_MAX else parsed
