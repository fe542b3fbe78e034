"""What a row of the small model keeps: fields that some decision reads, as it reads them.

Two rows that differ in nothing else are one, so a field that is erased although a decision reads it
would hide states; `test_what_states_forget_is_missed_by_nobody` compares with a search that forgets
no names, versions and times.
"""

import re
from typing import Any

from mayfly.core import limits

#: When the model's time begins.
BEGAN_AT = 1_800_000_000.0

#: Told to people, and read by no decision: stories, bars and figures of heads and tasks.
_ERASED = frozenset(
    {"story", "note", "stage", "fraction", "speed", "attempts", "interruptions", "busy_seconds"}
    | {"heard_attempts", "expires_at"}
)
#: Of a task's row, what nothing asks for in these states of it.
_OF_A_RELEASE = frozenset({"released_at", "enqueued"})
_OF_AN_ATTEMPT = frozenset({"attempt", "began_at", "reported_at"})
_OF_A_LIFE = frozenset({"ended_attempts", "lost", "failures", "letters", "backups"})
_ERASED_IN = {
    "open": _ERASED | _OF_A_RELEASE | _OF_AN_ATTEMPT,
    "released": _ERASED | _OF_AN_ATTEMPT,
    "running": _ERASED | _OF_A_RELEASE,
    "done": _ERASED | _OF_A_RELEASE | _OF_AN_ATTEMPT | _OF_A_LIFE,
}
#: The version of a row that is done: nobody holds an older one that is equal.
_LAST_VERSION = 1_000_000

_TIME_IN_KEY = re.compile(r"0\d{12}\.\d{3}")

#: A task and one of its attempts. Of whom nobody will ask is nobody.
Name = tuple[str, str]
NOBODY = "x"


def canonical(fields: dict[str, Any]) -> dict[str, Any]:
    """What decisions may depend on."""
    is_task = fields["sk"].startswith("task#")
    erased = _ERASED_IN[fields["state"]] if is_task else _ERASED
    if is_task and fields.get("lagging"):
        erased = erased - _OF_A_RELEASE
    kept = {name: value for name, value in fields.items() if name not in erased}
    if is_task and fields.get("lagging"):
        kept["heard_attempts"] = _heard_since(fields)
    if is_task and fields["state"] == "done":
        kept["version"] = _LAST_VERSION
        kept["artifacts"] = [
            {**made, "key": "/".join((*made["key"].split("/")[:3], "won", made["file"]))}
            for made in fields["artifacts"]
        ]
    return kept


def _heard_since(fields: dict[str, Any]) -> list[str]:
    """Attempts at a task with two messages out that may still be at work, as far as it asks."""
    heard, lagging = fields.get("heard_attempts", []), fields["lagging"]
    after = heard[heard.index(lagging) + 1 :] if lagging in heard else heard
    return [name for name in after if name not in fields.get("ended_attempts", ())]


def names_in(task: dict[str, Any]) -> set[Name]:
    """Attempts that a task's row names as being at work."""
    named = (task.get("attempt", ""), task.get("lagging", ""), *task.get("heard_attempts", ()))
    return {(task["task_id"], name) for name in named}


def with_names(fields: dict[str, Any], names: frozenset[Name]) -> dict[str, Any]:
    """A task's row; who is not among these is nobody."""
    task = fields["task_id"]

    def known(name: str) -> str:
        return name if (task, name) in names else NOBODY

    kept = fields.copy()
    for field in ("attempt", "lagging"):
        if kept.get(field):
            kept[field] = known(kept[field])
    if kept.get("heard_attempts"):
        kept["heard_attempts"] = [known(name) for name in kept["heard_attempts"]]
    if kept.get("ended_attempts"):
        kept["ended_attempts"] = [a for a in kept["ended_attempts"] if (task, a) in names]
    return kept


def of_no_age(value: Any, now: float) -> Any:
    """As if all that was written had been written at the beginning, which is now."""
    match value:
        case dict():
            return {name: of_no_age(held, now) for name, held in value.items()}
        case int() | float() if value >= BEGAN_AT:
            return BEGAN_AT + (limits.LEASE_SECONDS if value > now else 0)
        case str():
            past = (at for at in _TIME_IN_KEY.findall(value) if float(at) <= now)
            for at in past:
                value = value.replace(at, f"{BEGAN_AT:017.3f}")
    return value
