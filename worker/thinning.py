"""Which frames a film keeps that shall not be quicker than somebody wants: of an even source every
second, or third …; of any other, the first of each stretch as long as that. Pure.

By a frame's own moment and that of the one before it, like pictures every few seconds (`sampling`),
so chunks keep what the whole keeps. Stretches begin half a frame before the frames that are wanted:
clocks that round must not push one into its neighbour's.
"""

import math
from array import array
from collections.abc import Iterable
from fractions import Fraction

import msgspec

from mayfly.contract.plan import Grid, PlanClock
from mayfly.contract.recipe import Recipe, VideoOutput
from worker.evenness import own_rate
from worker.preflight import Material
from worker.probe import Stream
from worker.sampling import Sampling


def own_grid(material: Material) -> Grid | None:
    """Where the source's own frames lie, as evenly as they come; None where no clock can be
    trusted, and every frame is kept."""
    if material.picture is None or material.origin_ticks is None or material.scan.frames < 2:
        return None
    rate = own_rate(material)
    return Grid(
        rate=(rate.numerator, rate.denominator), segment_frames=1,
        zero_ticks=material.scan.ticks[0],
    )  # fmt: skip


def wanted(recipe: Recipe) -> bool:
    """Whether some film may keep fewer frames than its source has."""
    return any(isinstance(o, VideoOutput) and o.fps_max is not None for o in recipe.outputs)


def every(output: VideoOutput, own: Grid | None) -> int:
    """It keeps one of so many."""
    if output.fps_max is None or own is None:
        return 1
    return math.ceil(Fraction(*own.rate) / output.fps_max)


def thinning(
    output: VideoOutput, own: Grid | None, tick: Fraction, origin_ticks: int
) -> Sampling | None:
    """Which frames are kept, on a clock that is 0 at the origin; None: all."""
    count = every(output, own)
    if count == 1 or own is None:
        return None
    rate = Fraction(*own.rate)
    early = math.floor(1 / (2 * rate) / tick)
    begin = own.zero_ticks - origin_ticks - early
    return Sampling(tick=tick, step_seconds=count / rate, places=(begin,))


def joined(output: VideoOutput, clock: PlanClock) -> Sampling | None:
    """The same of a source that was cut."""
    tick = Fraction(*clock.time_base)
    return thinning(output, clock.own, tick, clock.origin_ticks)


def kept(of: Sampling | None, ticks: "array[int]", before: int | None = None) -> "array[int]":
    """Those of these frames that are kept; `before` is the one in front of them."""
    return ticks if of is None else array("q", of.chosen(ticks, before))


def slower(picture: Stream, of: Sampling | None) -> Stream:
    """A picture as its encoder meets it."""
    if of is None:
        return picture
    rate = 1 / of.step_seconds
    return msgspec.structs.replace(picture, avg_frame_rate=f"{rate.numerator}/{rate.denominator}")


def most(recipe: Recipe, own: Grid | None) -> int:
    """The most frames of the source of which a film keeps one."""
    films: Iterable[VideoOutput] = (o for o in recipe.outputs if isinstance(o, VideoOutput))
    return max((every(film, own) for film in films), default=1)
