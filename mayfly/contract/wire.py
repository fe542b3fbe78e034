"""Turns JSON into contract types and back; every refusal is a sentence.

Why it exists: msgspec says "Expected `int`, got `str` - at `$.a`"; a user needs the field, what it
got and what it may be. This module must never log or raise with a whole message in it: messages
carry signed URLs.
"""

from typing import Annotated, Any, TypeVar

import msgspec

T = TypeVar("T")

#: The one major version of every message. A message of another major version is refused.
MAJOR_VERSION = 1

Version = Annotated[int, msgspec.Meta(ge=MAJOR_VERSION, le=MAJOR_VERSION)]

#: How much of a refused value, or of a field's name, is shown back to its author.
_GOT_CHARACTERS_MAX = 80


class Refusal(ValueError):
    """A message that cannot be accepted, told to its author: field, what it got, what it may be."""

    def __init__(self, field: str, got: str, may_be: str) -> None:
        self.field = field
        self.got = got
        self.may_be = may_be
        super().__init__(f"{field}: got {got}, but it must be {may_be}.")

    def inside(self, place: str) -> "Refusal":
        """The same of a message that its author keeps in a place of its own."""
        told = Refusal(f"{place}: {self.field}", self.got, self.may_be)
        told.args = (f"{place}: {self}",)
        return told


class Contradiction(Refusal):
    """Each field may be what it is, but not beside the others; `says` is what would do."""

    def __init__(self, field: str, says: str) -> None:
        super().__init__(field, "", says)
        self.args = (f"{field}: {says}.",)


def encode(message: object) -> bytes:
    """The JSON of a contract type."""
    return msgspec.json.encode(message)


def decode(kind: type[T], body: str | bytes) -> T:
    """A message from JSON. Strictness about unknown fields is the type's own.

    Raises Refusal.
    """
    try:
        raw = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refusal("the message", _unreadable(body), f"a JSON object ({error})") from None
    return convert(kind, raw)


def convert(kind: type[T], raw: object) -> T:
    """A message from plain JSON values. Raises Refusal."""
    try:
        return msgspec.convert(raw, kind)
    except msgspec.ValidationError as error:
        if isinstance(error.__cause__, ValueError):  # a type's own `__post_init__`
            says, inside, where = str(error).rpartition(" - at `")
            if not inside:  # of the message itself
                says, where = where, ""
            raise Contradiction(_name(_steps(where.rstrip("`"))), says) from None
        raise _refusal(kind, raw, str(error)) from None


def _unreadable(body: str | bytes) -> str:
    return f"{len(body)} bytes that are not JSON" if body else "nothing"


def _refusal(kind: type[Any], raw: object, said: str) -> Refusal:
    """Rewrites msgspec's message; `said` is "<problem>[ - at `$.path[0].field`]"."""
    problem, _, where = said.partition(" - at `")
    steps = _steps(where.rstrip("`"))
    shape = _walk(msgspec.inspect.type_info(kind), raw, steps)
    value = _value(raw, steps)
    field = _name(steps)
    if problem.startswith("Object contains unknown field"):
        unknown = problem.split("`")[1]
        known = ", ".join(item.encode_name for item in getattr(shape, "fields", ()))
        return Refusal(_name([*steps, _cut(unknown)]), "an unknown field", f"one of: {known}")
    if problem.startswith("Object missing required field"):
        missing = problem.split("`")[1]
        wanted = _walk(shape, value, [missing])
        return Refusal(_name([*steps, missing]), "nothing", _describe(wanted))
    return Refusal(field, _show(value), _may_be(shape, problem))


def _steps(path: str) -> list[str | int]:
    """`$.outputs[0].box` -> ["outputs", 0, "box"]; msgspec shows indices as `[...]`."""
    steps: list[str | int] = []
    for part in path.removeprefix("$").replace("[", ".[").split("."):
        if part.startswith("["):
            index = part[1:-1]
            steps.append(int(index) if index.isdigit() else 0)
        elif part:
            steps.append(part)
    return steps


def _name(steps: list[str | int]) -> str:
    text = ""
    for step in steps:
        text += f"[{step}]" if isinstance(step, int) else f".{step}"
    return text.removeprefix(".") or "the message"


def _value(raw: object, steps: list[str | int]) -> object:
    for step in steps:
        try:
            raw = raw[step]  # type: ignore[index]
        except (KeyError, IndexError, TypeError):
            return None
    return raw


def _show(value: object) -> str:
    return _cut(msgspec.json.encode(value).decode() if value is not None else "null")


def _cut(text: str) -> str:
    return text if len(text) <= _GOT_CHARACTERS_MAX else text[:_GOT_CHARACTERS_MAX] + "…"


def _walk(shape: Any, raw: object, steps: list[str | int]) -> Any:
    """The type at a path; for a union of tagged structs, the one that the value's tag names."""
    shape = _pick(shape, raw)
    for step in steps:
        raw = _value(raw, [step])
        if isinstance(step, int):
            shape = getattr(shape, "item_type", shape)
        else:
            fields = {item.encode_name: item.type for item in getattr(shape, "fields", ())}
            shape = fields.get(step, shape)
        shape = _pick(shape, raw)
    return shape


def _pick(shape: Any, raw: object) -> Any:
    if isinstance(shape, msgspec.inspect.Metadata):  # what a schema says beside the type
        shape = shape.type
    if not isinstance(shape, msgspec.inspect.UnionType):
        return shape
    structs = [t for t in shape.types if isinstance(t, msgspec.inspect.StructType)]
    if isinstance(raw, dict):
        for struct in structs:
            if raw.get(struct.tag_field or "") == struct.tag:
                return struct
        if len(structs) == 1:
            return structs[0]
    return shape


def _may_be(shape: Any, problem: str) -> str:
    if (
        problem.startswith("Expected `")
        and " of length" not in problem
        and "matching" not in problem
    ):
        return _describe(shape)
    if problem.startswith("Expected "):
        return problem.removeprefix("Expected ").split(", got")[0].replace("`", "")
    return _describe(shape)


def _kinds(union: msgspec.inspect.UnionType) -> list[str]:
    """Of objects that say what they are, no more than that: all their fields are a page."""
    tagged = [
        item
        for item in union.types
        if isinstance(item, msgspec.inspect.StructType) and item.tag_field
    ]
    if len(tagged) < 2:
        return [_describe(item) for item in union.types]
    tags = ", ".join(str(item.tag) for item in tagged)
    others = [_describe(item) for item in union.types if item not in tagged]
    return [f"an object with {tagged[0].tag_field} one of: {tags}", *others]


def _describe(shape: Any) -> str:
    """What a field may be, in words."""
    inspect = msgspec.inspect
    match shape:
        case inspect.Metadata():
            return _describe(shape.type)
        case inspect.UnionType():
            return " or ".join(dict.fromkeys(_kinds(shape)))
        case inspect.LiteralType():
            return "one of: " + ", ".join(str(value) for value in shape.values)
        case inspect.EnumType():
            return "one of: " + ", ".join(str(item.value) for item in shape.cls)
        case inspect.IntType() | inspect.FloatType():
            kind = "a whole number" if isinstance(shape, inspect.IntType) else "a number"
            low, high = shape.ge, shape.le
            bounds = f" from {low} to {high}" if low is not None and high is not None else ""
            return kind + bounds
        case inspect.StrType():
            return f"a string matching {shape.pattern}" if shape.pattern else "a string"
        case inspect.BoolType():
            return "true or false"
        case inspect.NoneType():
            return "null"
        case inspect.StructType():
            tagged = f"{shape.tag_field}={shape.tag}, " if shape.tag_field else ""
            return f"an object ({tagged}fields: {', '.join(f.encode_name for f in shape.fields)})"
        case inspect.CollectionType() | inspect.VarTupleType() | inspect.ListType():
            least = getattr(shape, "min_length", None)
            return "a list" + (f" of at least {least}" if least else "")
        case inspect.DictType():
            return "an object"
        case _:
            pass
    return "a value of the documented type (see `mayfly schema`)"
