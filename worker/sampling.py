"""Which frames become pictures: of each stretch of `step_seconds` from the plan's origin on, the
first. Pure.

A frame is chosen by its own moment and that of the frame before it, and by nothing else: so a
chunk, which has decoded at least one frame before its own, chooses what the whole run chooses, and
a list of moments tells what both of them must have chosen.
"""

import dataclasses
from collections.abc import Iterable
from fractions import Fraction

from mayfly.contract.recipe import GalleryOutput


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """On a clock of so many seconds a tick, which is 0 at the origin."""

    tick: Fraction
    step_seconds: int

    def stretch(self, tick: int) -> int:
        """In which one a moment lies, counted from 0."""
        steps = self.tick / self.step_seconds
        return tick * steps.numerator // steps.denominator

    def chosen(self, ticks: Iterable[int], before: int | None = None) -> list[int]:
        """Those of these frames, in order; `before` is the one that is shown before the first."""
        found = []
        last = None if before is None else self.stretch(before)
        for tick in ticks:
            if (its := self.stretch(tick)) != last:
                found.append(tick)
            last = its
        return found

    def expression(self, first_tick: int | None = None) -> str:
        """The same for ffmpeg's `select`. Whole numbers below 2^53: no doubt about a boundary.
        Where the frames from a tick on are wanted, the first of these is chosen in any case: ffmpeg
        opens no encoder for a stream without a frame, and ends with an error."""
        steps = self.tick / self.step_seconds
        now, last = (
            f"floor({moment}*{steps.numerator}/{steps.denominator})"
            for moment in ("pts", "prev_pts")
        )
        # What is before the very first frame is no number, and no number equals that.
        changed = f"not(eq({now},{last}))"
        return changed if first_tick is None else f"{changed}+not(gte(prev_pts,{first_tick}))"


def sampling(output: GalleryOutput, tick: Fraction) -> Sampling:
    """What a recipe wants of a source."""
    return Sampling(tick=tick, step_seconds=output.every_seconds)
