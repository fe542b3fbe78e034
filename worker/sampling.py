"""Which frames become pictures: of each stretch of time, the first. Pure.

A frame is chosen by its own moment and that of the frame before it, and by nothing else: so a
chunk, which has decoded at least one frame before its own, chooses what the whole run chooses, and
a list of moments tells what both of them must have chosen.
"""

import dataclasses
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from fractions import Fraction

from mayfly.contract.recipe import PreviewOutput, SampledOutput


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """On a clock of so many seconds a tick, which is 0 at the origin."""

    tick: Fraction
    step_seconds: Fraction
    #: Where stretches begin to be counted, in order; each place has so many, or all that there are.
    places: tuple[int, ...] = (0,)
    slots: int | None = None

    def stretch(self, tick: int) -> int | None:
        """In which one a moment lies, counted from 0 through all places; None: in none."""
        place = bisect_right(self.places, tick) - 1
        if place < 0:
            return None
        number = (tick - self.places[place]) * self._steps.numerator // self._steps.denominator
        if self.slots is None:
            return number
        return place * self.slots + number if number < self.slots else None

    def chosen(self, ticks: Iterable[int], before: int | None = None) -> list[int]:
        """Those of these frames, in order; `before` is the one that is shown before the first."""
        found = []
        last = None if before is None else self.stretch(before)
        for tick in ticks:
            its = self.stretch(tick)
            if its is not None and its != last:
                found.append(tick)
            last = its
        return found

    def expression(self, first_tick: int | None = None) -> str:
        """The same for ffmpeg's `select`. Whole numbers below 2^53: no doubt about a boundary.
        Where the frames from a tick on are wanted, the first of these is chosen in any case: ffmpeg
        opens no encoder for a stream without a frame, and ends with an error."""
        changed = "+".join(self._changed(place) for place in range(len(self.places)))
        return changed if first_tick is None else f"{changed}+not(gte(prev_pts,{first_tick}))"

    def _changed(self, place: int) -> str:
        begin, above, below = self.places[place], self._steps.numerator, self._steps.denominator
        now, last = (f"floor(({one}-{begin})*{above}/{below})" for one in ("pts", "prev_pts"))
        # What is before the very first frame is no number, and no number equals that.
        changed = f"not(gte(prev_pts,{begin})*eq({now},{last}))"
        inside = f"gte(pts,{begin})"
        if self.slots is not None:
            end = begin - (-self.slots * below // above)
            if place + 1 < len(self.places):
                end = min(end, self.places[place + 1])
            inside += f"*lt(pts,{end})"
        return f"{inside}*{changed}"

    @property
    def _steps(self) -> Fraction:
        return self.tick / self.step_seconds


def sampling(output: SampledOutput, tick: Fraction, places: tuple[int, ...] = ()) -> Sampling:
    """What a recipe wants of a source; a preview, at these places."""
    if isinstance(output, PreviewOutput):
        step = Fraction(1, output.fps)
        return Sampling(tick=tick, step_seconds=step, places=places, slots=output.slots)
    return Sampling(tick=tick, step_seconds=Fraction(output.every_seconds))


def places_of(output: PreviewOutput, ticks: Sequence[int], tick: Fraction) -> tuple[int, ...]:
    """Where the places of a preview begin, of a film whose frames are shown at these ticks: in the
    middle of equal shares; one behind the other from the beginning where it is too short for that,
    or nobody knows."""
    first, last = (ticks[0], ticks[-1]) if len(ticks) else (0, 0)
    length = -int(-Fraction(output.slots, output.fps) // tick)
    share = Fraction(last - first, output.places)
    if output.places == 1 or share < length:
        return tuple(first + number * length for number in range(output.places))
    middle = (share - length) / 2
    return tuple(first + int(number * share + middle) for number in range(output.places))
