"""Which stretches of a film are looked at, since nobody looks at all of it. Pure.

Spread over the film and no more of it than tells: what a mean of them says of the whole differs by
less than what two viewers say. They begin and end where a chunk could.
"""

from bisect import bisect_left
from fractions import Fraction

from mayfly.contract.plan import PlanClock, Scope
from mayfly.core import grids
from worker.preflight import Material

#: So many, of so long; with a ladder, of a segment each.
WINDOWS = 5
WINDOW_SECONDS = Fraction(2)
#: Of a film, at most this share.
_SHARE_MAX = Fraction(1, 2)


def windows(material: Material, clock: PlanClock) -> tuple[tuple[int, int], ...]:
    """In ticks, half-open, from the first to the last."""
    if clock.grid is not None:
        return _of_segments(material, clock)
    ticks, tick = material.scan.ticks, Fraction(*clock.time_base)
    length = WINDOW_SECONDS / tick
    span = ticks[-1] - ticks[0]
    count = _count(span, length)
    if not count:
        return ((ticks[0], ticks[-1] + 1),)
    found = []
    for middle in _middles(span, count):
        first = bisect_left(ticks, ticks[0] + middle - length / 2)
        end = bisect_left(ticks, ticks[first] + length)
        found.append((ticks[first], ticks[end] if end < len(ticks) else ticks[-1] + 1))
    return tuple(found)


def within(window: tuple[int, int], scope: Scope) -> Scope | None:
    """What of a window a chunk looks at: it begins there, and ends there at the latest."""
    start, end = window
    if scope.start_ticks is not None and start < scope.start_ticks:
        return None
    if scope.end_ticks is not None:
        if start >= scope.end_ticks:
            return None
        end = min(end, scope.end_ticks)
    return Scope(number=scope.number, clock=scope.clock, start_ticks=start, end_ticks=end)


def _of_segments(material: Material, clock: PlanClock) -> tuple[tuple[int, int], ...]:
    assert clock.grid is not None
    last = grids.frame_of(material.scan.ticks[-1], clock.grid, Fraction(*clock.time_base))
    count = last // clock.grid.segment_frames + 1
    wanted = max(1, _count(Fraction(count), Fraction(1)))
    numbers = sorted({int(middle) for middle in _middles(Fraction(count), wanted)})
    return tuple(
        (grids.cut_at(number, clock), grids.cut_at(number + 1, clock)) for number in numbers
    )


def _count(span: Fraction | int, length: Fraction) -> int:
    return min(WINDOWS, int(span * _SHARE_MAX / length))


def _middles(span: Fraction | int, count: int) -> list[Fraction]:
    return [(number + Fraction(1, 2)) * span / count for number in range(count)]
