"""How evenly a source's frames follow each other, and what that means for files that are encoded in
parts. Pure.

Why: with B-frames x264 has frames decoded before they are shown, by as much as its first two
frames take. A part's beginning names that distance, so parts that begin with frames of different
length (33 ms, 34 ms, as Matroska rounds them) would begin in different ways, and only the first
part's beginning can stand before the joined file. So all parts name one distance, which is enough
for all; and where frames are so uneven that decoding would run into the next part, there is no
part at all. It must never change when a frame is shown.
"""

import math
from fractions import Fraction
from itertools import pairwise

from mayfly.contract.recipe import VideoOutput
from worker.preflight import Material
from worker.probe import Stream

#: x264 reorders two frames deep. A third is the room for uneven ones.
_FRAMES = 3


def reorders(output: VideoOutput) -> bool:
    """Whether x264 makes B-frames of it."""
    return output.speed != "ultrafast"


def delay_ticks(picture: Stream) -> int:
    """How long before it is shown the first frame of each part is decoded; 0 when nobody says how
    many frames a second has."""
    rate = Fraction(picture.frames_per_second).limit_denominator(100_000)
    return math.ceil(_FRAMES / (rate * picture.tick)) if rate and picture.tick else 0


def is_even(material: Material) -> bool:
    """Whether parts with B-frames can be joined: two frames never take as long as any three, nor
    longer than the delay."""
    assert material.picture is not None
    gaps = [later - tick for tick, later in pairwise(material.scan.ticks)]
    if not gaps:
        return True
    return 2 * max(gaps) < min(_FRAMES * min(gaps), delay_ticks(material.picture) + 1)
