"""How much is on a queue, and how much was: SQS's counts come late.

Why it exists: each of the three counts may be as old as a minute, and each as old as another one.
It knows only what it was told of each copy of a message, never the messages.
"""

import enum
from collections import deque
from collections.abc import Iterable

from mayfly.perform.ports import Depth

#: What was told longer ago is told of no more. AWS: "at least 1 minute".
LAG_SECONDS_MAX = 120.0
_NOTES_MAX = 256


class Hidden(enum.Enum):
    """As what a copy is counted while it is hidden."""

    DELAYED = enum.auto()
    IN_FLIGHT = enum.auto()
    #: A copy that nobody knows of before it turns up.
    UNKNOWN = enum.auto()


class Past:
    """What a queue held over the last two minutes."""

    def __init__(self) -> None:
        #: By number of the copy: when it is visible, and what it is until then.
        self._before: dict[int, tuple[float, Hidden]] = {}
        self._notes: deque[tuple[float, int, float | None, Hidden]] = deque()

    def note(self, at: float, number: int, visible_at: float | None, hidden: Hidden) -> None:
        """From `at` on the copy is hidden until `visible_at`; None is a copy that is gone."""
        self._notes.append((at, number, visible_at, hidden))
        if len(self._notes) > _NOTES_MAX:
            self.forget(at - LAG_SECONDS_MAX)

    def forget(self, until: float) -> None:
        """Nobody will ask about a moment before `until`."""
        notes = self._notes
        while notes and notes[0][0] <= until:
            _, number, visible_at, hidden = notes.popleft()
            _keep(self._before, number, visible_at, hidden)

    def at(self, moment: float) -> Depth:
        """Exact, as of then."""
        copies = dict(self._before)
        for at, number, visible_at, hidden in self._notes:
            if at > moment:
                break
            _keep(copies, number, visible_at, hidden)
        return depth_of(copies.values(), moment)


def depth_of(copies: Iterable[tuple[float, Hidden]], moment: float) -> Depth:
    """Each copy by the time when it is visible, and by what it is until then."""
    visible = in_flight = delayed = 0
    for visible_at, hidden in copies:
        if visible_at <= moment:
            visible += 1
        elif hidden is Hidden.IN_FLIGHT:
            in_flight += 1
        elif hidden is Hidden.DELAYED:
            delayed += 1
    return Depth(visible=visible, in_flight=in_flight, delayed=delayed)


def _keep(
    copies: dict[int, tuple[float, Hidden]], number: int, visible_at: float | None, hidden: Hidden
) -> None:
    if visible_at is None:
        copies.pop(number, None)
    else:
        copies[number] = (visible_at, hidden)
