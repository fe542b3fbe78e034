"""How the picture of a source comes onto that of an output: which part of it, how large, which way
up, where in its box, in which colours. Pure.

Sides and places are in pixels of what comes out; what is cut off is told in shares, since a source
may change its size midway. It must never know how any of it is done.
"""

import dataclasses
from collections.abc import Mapping
from fractions import Fraction
from types import MappingProxyType

from mayfly.contract.recipe import Box, Crop, Drawn, LadderOutput, VideoOutput, Watermark
from worker.assets import Asset
from worker.colour import Grading, graded
from worker.picture import Size, fit, shown, shrunk
from worker.probe import Stream

#: Of a share: finer than a pixel of the largest source.
_DENOMINATOR_MAX = 10**6

#: The least that there is of a side.
_EVEN = 2


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
class Mark:
    """An image on a frame, at a place of that."""

    asset: Asset
    size: Size
    left: int
    top: int
    opacity: float = 1.0


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
    #: What is drawn onto all of it.
    mark: Mark | None = None

    @property
    def turned(self) -> Size:
        """The source's part, once it is turned."""
        return _swapped(self.inner) if self.rotate % 180 else self.inner


def drawing(
    stream: Stream,
    output: Drawn,
    box: Box,
    *,
    climbs: bool = False,
    assets: Mapping[str, Asset] = MappingProxyType({}),
) -> Drawing:
    """How a source is drawn into a box; of a ladder, which `climbs`, a box that is larger than the
    source becomes as small as that, in its own shape. An image that is not among the `assets` is
    not drawn: whoever compiles looks that all are."""
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
    mark = output.watermark if isinstance(output, VideoOutput | LadderOutput) else None
    asset = assets.get(mark.image) if mark is not None else None
    return Drawing(
        size=size,
        inner=_swapped(inner) if quarter else inner,
        grading=graded(stream, keep=isinstance(output, VideoOutput) and output.hdr == "keep"),
        part=part,
        rotate=output.rotate,
        flip=output.flip,
        mark=placed(mark, asset, size) if mark is not None and asset is not None else None,
    )


def placed(wanted: Watermark, asset: Asset, frame: Size) -> Mark:
    """Where an image comes to lie on a frame: as wide as is wanted, or as high as is room for."""
    margin = round(frame.width * wanted.margin_fraction)
    across, down = (max(_EVEN, side - 2 * margin) for side in (frame.width, frame.height))
    width = min(frame.width * wanted.width_fraction, across)
    scale = min(width / asset.size.width, down / asset.size.height)
    size = Size(
        min(_even(asset.size.width * scale), _even(across)),
        min(_even(asset.size.height * scale), _even(down)),
    )
    right, bottom = frame.width - size.width, frame.height - size.height
    left, top = min(margin, right), min(margin, bottom)
    if wanted.position == "center":
        left, top = right // 2, bottom // 2
    if wanted.position.endswith("right"):
        left = right - left
    if wanted.position.startswith("bottom"):
        top = bottom - top
    # Where colour has half as many samples, only even places are exact.
    return Mark(
        asset=asset, size=size, left=left // 2 * 2, top=top // 2 * 2, opacity=wanted.opacity
    )


def _even(length: float) -> int:
    return max(_EVEN, int(length) // 2 * 2)


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
