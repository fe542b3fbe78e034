"""One thing that happens at one point of an invocation: before a port call arrives, or after it was
done and before anybody knows. Whoever tries every point has tried every crash and every meeting.
"""

from collections.abc import Callable, Iterator

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

    def at(self, point: int, what: Callable[[], object]) -> None:
        """`what` happens when the `point`th point is passed, counted from 1."""
        self._left, self._what = point, what

    @property
    def happened(self) -> bool:
        """Whether the invocation was long enough."""
        return self._what is None

    def calmed(self) -> None:
        """Nothing happens any more."""
        self._what = None

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


def every_point(scene: Callable[[int], Interruption]) -> Iterator[int]:
    """Plays the scene once for each point, until a point lies behind its end."""
    for point in range(1, _POINTS_MAX):
        met = scene(point).happened
        if not met:
            return
        yield point
    raise AssertionError("the invocation has no end")
