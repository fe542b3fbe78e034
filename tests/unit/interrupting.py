"""One thing that happens at one point of an invocation: before a port call arrives, or after it was
done and before anybody knows. Whoever tries every point has tried every crash and every meeting.
"""

import contextlib
from collections.abc import Callable

from mayfly.memory.faults import Faults

#: An invocation has fewer points than this, or the test is larger than it needs to be.
_POINTS_MAX = 2000


class Crash(BaseException):
    """The invocation is cut off here: no code of ours runs any more."""


class Interruption(Faults):
    """Counts port calls, and interrupts once at the chosen point."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self._left = 0
        self._what: Callable[[], object] | None = None

    def during(self, work: Callable[[], object], point: int, what: Callable[[], object]) -> bool:
        """Does the work; `what` happens when its `point`th point is passed, counted from 1. False
        when it has fewer."""
        self._left, self._what = point, what
        with contextlib.suppress(Crash):
            work()
        happened, self._what = self._what is None, None
        return happened

    def before(self, action: str) -> None:
        self.calls.append(action)
        self._pass()

    def after(self, action: str) -> None:
        self._pass()

    def _pass(self) -> None:
        self._left -= 1
        if self._what is not None and self._left == 0:
            what, self._what = self._what, None
            what()


def crash() -> None:
    raise Crash


def points_of(scene: Callable[[int], bool]) -> int:
    """Plays the scene once for each point, until a point lies behind its end; how many it has."""
    for point in range(1, _POINTS_MAX):
        if not scene(point):
            return point - 1
    raise AssertionError("the invocation has no end")
