"""Queues as values: which messages there are, who holds them, and which may come once more.

A message is there (`live`) until somebody who holds it deletes it. It may be delivered to somebody
when nobody holds it; that is what happens after a death, too. It may once be delivered a spare
time, as SQS does now and then: while somebody holds it, or after it was deleted.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import msgspec

from tests.simulation.small.numbers import Numbers, Remembered


class Letter(NamedTuple):
    """One message."""

    #: What it says, by number.
    body: int
    #: Among messages that say the same.
    serial: int
    live: bool
    spare: bool
    held: int


class Op(NamedTuple):
    """Something that is done to a queue."""

    #: send, take, free or delete.
    what: str
    body: int
    serial: int = -1


class Words:
    """What messages say."""

    def __init__(self) -> None:
        self._numbers = Numbers[bytes]()
        self.bodies = self._numbers.things
        self._said: dict[int, dict[str, Any]] = {}

    def number(self, body: bytes) -> int:
        """Of a body."""
        return self._numbers.of(body)

    def said(self, body: int) -> dict[str, Any]:
        """What it says."""
        found = self._said.get(body)
        if found is None:
            found = self._said[body] = msgspec.json.decode(self.bodies[body])
        return found

    def task(self, body: int) -> str:
        """Which task it is about."""
        return self.said(body).get("task_id") or ""

    def of(self, body: int) -> str:
        """In short."""
        said = self.said(body)
        if "type" in said:
            return f"{said['type']}({said['task_id']} {said['attempt']})"
        if "task_id" in said:
            return f"{said['task_id']} as {said.get('kind', 'encode')}"
        return "the request"


class Boxes:
    """Every queue that ever was."""

    def __init__(self) -> None:
        self._numbers = Numbers[tuple[Letter, ...]]()
        #: By number: the letters that are in it.
        self.boxes = self._numbers.things
        self._letters: dict[Letter, Letter] = {}
        self._done = Remembered[tuple[int, Op], int]()
        self._single = Remembered[int, int]()

    def of(self, letters: Iterable[Letter]) -> int:
        """A queue with these; some may say the same by now."""
        counts: Counter[int] = Counter()
        numbered: list[Letter] = []
        for letter in sorted(letters, key=lambda c: c._replace(serial=0)):
            numbered.append(letter._replace(serial=counts[letter.body]))
            counts[letter.body] += 1
        return self._kept(numbered)

    def after(self, box: int, ops: Iterable[Op], *, spares: bool) -> int:
        """The queue when all that is done to it. Without `spares`, nothing comes twice any more."""
        for op in ops:
            found = self._done.get((box, op))
            if found is None:
                found = self._done.keep((box, op), self._did(box, op))
            box = found
        if spares:
            return box
        found = self._single.get(box)
        if found is None:
            single = [c._replace(spare=False) for c in self.boxes[box]]
            found = self._single.keep(box, self._kept(single))
        return found

    def filtered(self, box: int, keep: Callable[[Letter], bool]) -> int:
        """Without some of its letters."""
        return self._kept([letter for letter in self.boxes[box] if keep(letter)])

    def _did(self, box: int, op: Op) -> int:
        letters = self.boxes[box]
        if op.what == "send":
            same = {letter.serial for letter in letters if letter.body == op.body}
            serial = next(n for n in range(len(same) + 1) if n not in same)
            return self._kept([*letters, Letter(op.body, serial, live=True, spare=True, held=0)])
        (at,) = (n for n, c in enumerate(letters) if (c.body, c.serial) == (op.body, op.serial))
        old = letters[at]
        if op.what == "take":
            new = old._replace(held=old.held + 1)
            if old.held or not old.live:
                new = new._replace(spare=False)
        else:
            new = old._replace(held=old.held - 1, live=old.live and op.what == "free")
        return self._kept([*letters[:at], new, *letters[at + 1 :]])

    def _kept(self, letters: list[Letter]) -> int:
        left = sorted(letter for letter in letters if letter.live or letter.held or letter.spare)
        return self._numbers.of(tuple(self._letters.setdefault(c, c) for c in left))
