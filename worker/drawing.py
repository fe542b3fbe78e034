"""How the picture of a source comes onto that of an output: which part of it, how large, which way
up, where in its box, in which colours. Pure.

Sides and places are in pixels of what comes out; what is cut off is told in shares, since a source
may change its size midway. It must never know how any of it is done.
"""

import dataclasses
from fractions import Fraction

from mayfly.contract.recipe import Box, Crop, Drawn, VideoOutput
from worker.colour import Grading, graded
from worker.picture import Size, fit, shown, shrunk
from worker.probe import Stream

#: Of a share: finer than a pixel of the largest source.
_DENOMINATOR_MAX = 10**6


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A rectangle of the upright picture, in shares of its sides."""

    left: Fraction = Fraction(0)
    top: Fraction = Fraction(0)
    width: Fraction = Fraction(1)
    height: Fraction = Fraction(1)

    def middle(self, width: Fraction, height: Fraction) -> "Part":
        """What is left of it, in shares of its own sides."""
        return Part(
            left=self.left + self.width * (1 - width) / 2,
            top=self.top + self.height * (1 - height) / 2,
            width=self.width * width,
            height=self.height * height,
        )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """One picture that comes out."""

    #: Of all of it.
    size: Size
    #: Of the source's part before it is turned; what is around it is black.
    inner: Size
    grading: Grading
    part: Part = Part()
    #: Degrees, clockwise; then it is mirrored.
    rotate: int = 0
    flip: str | None = None

    @property
    def turned(self) -> Size:
        """The source's part, once it is turned."""
        return _swapped(self.inner) if self.rotate % 180 else self.inner


def drawing(stream: Stream, output: Drawn, box: Box, *, climbs: bool = False) -> Drawing:
    """How a source is drawn into a box; of a ladder, which `climbs`, a box that is larger than the
    source becomes as small as that, in its own shape."""
    part = _uncropped(output.crop)
    width, height = shown(stream)
    shape = (width * float(part.width), height * float(part.height))
    quarter = output.rotate % 180 != 0
    if quarter:
        shape = (shape[1], shape[0])
    enlarge = isinstance(output, VideoOutput) and output.enlarge
    if output.fit == "inside":
        size = inner = fit(shape, box, enlarge=enlarge)
    else:
        size = shrunk(shape, box, cover=output.fit == "fill") if climbs else _all_of(box)
        inner = size
        if output.fit == "pad":
            inner = fit(shape, size, enlarge=enlarge, turn=False)
        else:
            across, down = _covering(shape, size)
            part = part.middle(down, across) if quarter else part.middle(across, down)
    return Drawing(
        size=size,
        inner=_swapped(inner) if quarter else inner,
        grading=graded(stream, keep=isinstance(output, VideoOutput) and output.hdr == "keep"),
        part=part,
        rotate=output.rotate,
        flip=output.flip,
    )


def _uncropped(crop: Crop | None) -> Part:
    if crop is None:
        return Part()
    # By their decimals: what somebody writes as 0.1 is a tenth.
    left, top, right, bottom = (
        Fraction(str(share))
        for share in (
            crop.left_fraction, crop.top_fraction, crop.right_fraction, crop.bottom_fraction,
        )
    )  # fmt: skip
    return Part(left=left, top=top, width=1 - left - right, height=1 - top - bottom)


def _covering(shape: tuple[float, float], size: Size) -> tuple[Fraction, Fraction]:
    """Which shares of its sides have the shape of what they are to cover."""
    wide = Fraction(shape[0] / shape[1] * size.height / size.width)
    across, down = min(Fraction(1), 1 / wide), min(Fraction(1), wide)
    return across.limit_denominator(_DENOMINATOR_MAX), down.limit_denominator(_DENOMINATOR_MAX)


def _all_of(box: Box) -> Size:
    return Size(box.width, box.height)


def _swapped(size: Size) -> Size:
    return Size(size.height, size.width)
