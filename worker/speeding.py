"""A film that is shown many times as quickly: which of the source's frames it has, and when each of
them is shown. Pure.

Of each stretch of so many frames the first, by `sampling`'s rule, on an even clock of the source's
own rate. Stretches begin half a frame before the first picture: else a clock that rounds would have
each second frame fall into the stretch before its own.
"""

import dataclasses
import math
from collections.abc import Sequence
from fractions import Fraction

from mayfly.contract.recipe import LAPSE_FPS_MAX, VideoOutput
from worker.evenness import own_rate
from worker.preflight import Material
from worker.sampling import Sampling


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Quick:
    """The frames of one output, on a clock that is 0 at the origin."""

    sampling: Sampling
    #: Frames a second of the film.
    rate: Fraction

    def frames(self, ticks: Sequence[int]) -> int:
        """How many it has, of a source whose frames are shown at these."""
        return len(self.sampling.chosen(ticks))

    def seconds(self, ticks: Sequence[int]) -> float:
        """From its first frame to its last."""
        return float((self.sampling.stretch(ticks[-1]) or 0) / self.rate)

    def moment(self) -> str:
        """For `setpts`, behind the choice: when a frame is shown, in ticks."""
        steps = self.sampling.tick / self.sampling.step_seconds
        (begin,) = self.sampling.places
        number = f"floor((PTS-({begin}))*{steps.numerator}/{steps.denominator})"
        beat = 1 / (self.rate * self.sampling.tick)
        return f"floor({number}*{beat.numerator}/{beat.denominator}+0.5)"


def quick_of(output: VideoOutput, material: Material) -> Quick | None:
    """None for a film at its own pace. The source's clock can be trusted (`preflight`)."""
    if output.speedup is None:
        return None
    origin, scan = material.origin_ticks, material.scan
    assert origin is not None
    own = own_rate(material)
    rate = own / math.ceil(own / LAPSE_FPS_MAX)
    half = Fraction(1, 2) / own / scan.tick
    return Quick(
        sampling=Sampling(
            tick=scan.tick,
            step_seconds=output.speedup / rate,
            places=(scan.ticks[0] - origin - int(half),),
        ),
        rate=rate,
    )
