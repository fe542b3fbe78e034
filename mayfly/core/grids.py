"""The arithmetic of a grid of even frames: which frame shows what a source shows at a tick, which
ticks a frame begins to show, and on what clock its frames are stored.

It must agree with ffmpeg's `fps` filter (rounding `near`, no `start_time`) to the tick: a source's
frame belongs to the grid's frame that is nearest in time, and half-way to the later one.
"""

import math
from fractions import Fraction

from mayfly.contract.plan import Grid, PlanClock, Scope

#: As coarse as this, some players round.
_TIMESCALE_MIN = 10_000


def frame_of(tick: int, grid: Grid, time_base: Fraction) -> int:
    """The frame of the grid that is nearest to a tick of the source."""
    return math.floor((tick - grid.zero_ticks) * time_base * Fraction(*grid.rate) + Fraction(1, 2))


def tick_of(frame: int, grid: Grid, time_base: Fraction) -> int:
    """The first tick that belongs to a frame, or to one after it."""
    moment = (Fraction(frame) - Fraction(1, 2)) / Fraction(*grid.rate)
    return grid.zero_ticks + math.ceil(moment / time_base)


def cut_at(segment: int, clock: PlanClock) -> int:
    """The tick at which a segment's interval of the source begins."""
    assert clock.grid is not None
    frame = segment * clock.grid.segment_frames
    return tick_of(frame, clock.grid, Fraction(*clock.time_base))


def segment_at(tick: int, clock: PlanClock) -> int:
    """The segment whose interval begins at that tick, or the nearest."""
    assert clock.grid is not None
    frame = frame_of(tick, clock.grid, Fraction(*clock.time_base))
    return round(Fraction(frame, clock.grid.segment_frames))


def segments_of(scope: Scope) -> tuple[int, int | None]:
    """The first segment of a chunk, and the first that is none of it any more; None: to the end."""
    first = 0 if scope.start_ticks is None else segment_at(scope.start_ticks, scope.clock)
    end = None if scope.end_ticks is None else segment_at(scope.end_ticks, scope.clock)
    return first, end


def frame_ticks(rate: Fraction) -> int:
    """How long a frame is in a file of frames of that rate: whole ticks, since frames come on the
    grid alone."""
    factor = 1
    while rate.numerator * factor < _TIMESCALE_MIN:
        factor *= 2
    return rate.denominator * factor


def timescale(rate: Fraction) -> int:
    """How many of these ticks a second has."""
    return int(frame_ticks(rate) * rate)
