"""Equal things are one, and have a number: a state is then a few numbers, quick to compare."""

from collections.abc import Hashable, Iterable
from typing import Generic, TypeVar

Thing = TypeVar("Thing", bound=Hashable)
Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")

#: Answers that one function keeps. All of them would need more room than the states, and most are
#: asked for again soon or never.
_REMEMBERED_MAX = 200_000


class Remembered(dict[Key, Value]):
    """What was worked out lately; when that is much, it begins anew."""

    def keep(self, key: Key, value: Value) -> Value:
        """Answers with the value."""
        if len(self) >= _REMEMBERED_MAX:
            self.clear()
        self[key] = value
        return value


class Numbers(Generic[Thing]):
    """Things in the order in which they were first seen."""

    def __init__(self) -> None:
        self.things: list[Thing] = []
        self._numbers: dict[Thing, int] = {}

    def of(self, thing: Thing) -> int:
        """Its number."""
        number = self._numbers.setdefault(thing, len(self.things))
        if number == len(self.things):
            self.things.append(thing)
        return number


class Groups(Generic[Thing]):
    """Groups of things of which nobody asks in which order they came."""

    def __init__(self) -> None:
        self.members = Numbers[Thing]()
        self._groups = Numbers[tuple[int, ...]]()
        self._with: dict[tuple[int, int], int] = {}
        self._each: dict[int, tuple[tuple[Thing, int], ...]] = {}
        self.empty = self._groups.of(())

    def size(self, group: int) -> int:
        """How many."""
        return len(self._groups.things[group])

    def listed(self, group: int) -> list[Thing]:
        """Its members; who is alike is named as often as they are."""
        return [self.members.things[number] for number in self._groups.things[group]]

    def each(self, group: int) -> tuple[tuple[Thing, int], ...]:
        """Each member, and the group without it. Of members that are alike, one."""
        found = self._each.get(group)
        if found is None:
            numbers = self._groups.things[group]
            found = self._each[group] = tuple(
                (self.members.things[number], self._groups.of((*numbers[:at], *numbers[at + 1 :])))
                for at, number in enumerate(numbers)
                if number not in numbers[:at]
            )
        return found

    def of(self, members: Iterable[Thing]) -> int:
        """A group of these."""
        return self._groups.of(tuple(sorted(map(self.members.of, members))))

    def joined(self, group: int, thing: Thing) -> int:
        """The group with one more."""
        number = self.members.of(thing)
        found = self._with.get((group, number))
        if found is None:
            together = tuple(sorted((*self._groups.things[group], number)))
            found = self._with[group, number] = self._groups.of(together)
        return found
