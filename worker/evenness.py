"""The grid of even frames that a ladder of a source lives on: how many frames a second, and where
the first one lies. Pure.

Why a grid: segments of all sizes must begin at one moment, in whole frames, and so must chunks; and
where frames come as they like, decoding times of neighbouring chunks would run into each other.
"""

import math
from fractions import Fraction
from itertools import pairwise
from statistics import median_low

from mayfly.contract.plan import Grid
from mayfly.contract.recipe import LadderOutput
from mayfly.core import grids
from worker.preflight import Material

#: What cameras, films and screens have. Containers that round times, or that only count, say
#: something near to one of these.
_NOMINAL = tuple(
    sorted(
        [
            *(Fraction(number) for number in (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 16, 18, 20)),
            *(Fraction(number) for number in (24, 25, 30, 48, 50, 60, 72, 75, 90, 100, 120, 240)),
            Fraction(25, 2),
            *(Fraction(number * 1000, 1001) for number in (12, 15, 24, 30, 48, 60, 120, 240)),
        ]
    )
)
#: 24 and 23.976 differ by a thousandth.
_NEAR = Fraction(4, 10_000)
#: Of an uneven source, whose frames come as quickly as this says most of the time.
_SLACK = Fraction(98, 100)
#: Of a rate that is no nominal one: 1/1001 and the like.
_DENOMINATOR_MAX = 1001
#: Where nobody says anything.
_UNKNOWN = Fraction(25)


def grid_of(material: Material, ladder: LadderOutput) -> Grid:
    """The grid of a source. The same source and recipe give the same."""
    own = own_rate(material)
    rate = own / math.ceil(own / ladder.fps_max)
    return Grid(
        rate=(rate.numerator, rate.denominator),
        segment_frames=max(1, round(rate * Fraction(ladder.segment_seconds))),
        zero_ticks=_zero_ticks(material, rate),
    )


def last_frame(material: Material, grid: Grid) -> int:
    """The frame that shows the source's last one; 0 when nobody knows."""
    scan = material.scan
    if material.origin_ticks is None:
        return 0
    return grids.frame_of(scan.ticks[-1], grid, scan.tick)


def shown_seconds(material: Material, grid: Grid) -> float:
    """How long the grid shows all frames of a source, its last one once; 0 when nobody knows."""
    frame = last_frame(material, grid)
    return float((frame + 1) / Fraction(*grid.rate)) if frame else 0.0


def own_rate(material: Material) -> Fraction:
    """Frames a second of the source itself, as evenly as they come."""
    said = _said(material)
    scan = material.scan
    if not scan.regular or scan.frames < 2:
        return _nominal(said or _UNKNOWN)
    span = (scan.ticks[-1] - scan.ticks[0]) * scan.tick
    mean = (scan.frames - 1) / span
    for rate in (_nominal(said), said, _nominal(mean)) if said else (_nominal(mean),):
        if _is_even(material, rate):
            return rate
    gaps = [later - tick for tick, later in pairwise(scan.ticks)]
    median = median_low(gaps)
    # A clock of milliseconds says 33 and 34 of the same distance.
    alike = [gap for gap in gaps if 5 * abs(gap - median) <= median]
    usual = Fraction(sum(alike), len(alike)) * scan.tick
    enough = [rate for rate in _NOMINAL if rate >= _SLACK / usual]
    return min(enough or _NOMINAL[-1:], key=lambda rate: abs(rate - 1 / usual))


def _said(material: Material) -> Fraction | None:
    """As the container has it, if that is a rate at all."""
    assert material.picture is not None
    found = Fraction(material.picture.frames_per_second).limit_denominator(_DENOMINATOR_MAX)
    return found if 1 <= found <= _NOMINAL[-1] else None


def _nominal(rate: Fraction) -> Fraction:
    """The nominal rate that is meant, if one is."""
    nearest = min(_NOMINAL, key=lambda nominal: abs(nominal - rate))
    if abs(nearest - rate) <= _NEAR * nearest:
        return nearest
    rounded = rate.limit_denominator(_DENOMINATOR_MAX)
    return min(max(rounded, _NOMINAL[0]), _NOMINAL[-1])


def _is_even(material: Material, rate: Fraction) -> bool:
    """Each frame of the source is one of the grid's, none twice and none left out."""
    scan = material.scan
    step = scan.tick * rate
    first, above, below = scan.ticks[0], 2 * step.numerator, 2 * step.denominator
    # In whole numbers: a film has half a million frames.
    return all(
        ((tick - first) * above + step.denominator) // below == number
        for number, tick in enumerate(scan.ticks)
    )


def _zero_ticks(material: Material, rate: Fraction) -> int:
    """So that the first frame lies on the grid, and the origin half a frame from its beginning at
    most: else a clock that rounds could have each second frame fall to the wrong side."""
    origin, scan = material.origin_ticks, material.scan
    if origin is None:
        return 0
    since = (scan.ticks[0] - origin) * scan.tick * rate
    number = math.floor(since + Fraction(1, 2))
    return scan.ticks[0] - math.floor(number / rate / scan.tick + Fraction(1, 2))
