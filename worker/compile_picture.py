"""Compiles what is done to a picture between the decoder and the encoder: cropped, scaled, brought
into the colours of its output, turned, padded. Pure.

Each of these looks at one frame alone, so all of it comes behind the cut.
"""

from typing import Any

from worker.colour import Grading
from worker.drawing import Drawing, Part

#: By the bits of a sample.
PIXELS = {8: "yuv420p", 10: "yuv420p10le"}

#: JPEG knows no other.
_JPEG = "yuvj420p"
_JPEG_MATRIX = "smpte170m"

#: What is white on a screen of standard range, in candela a square metre, and how much brighter
#: the brightest is that still differs from what is brighter yet. A constant, and not what the file
#: says of its brightest picture: half of them lie, and a chunk must not know less than the whole.
_WHITE_NITS = 100
_PEAK = 10

_TURNS: dict[int, tuple[tuple[str, tuple[str, ...]], ...]] = {
    0: (),
    90: (("transpose", ("clock",)),),
    180: (("hflip", ()), ("vflip", ())),
    270: (("transpose", ("cclock",)),),
}
_FLIPS = {"horizontal": "hflip", "vertical": "vflip"}


def drawn(branch: Any, drawing: Drawing, *, jpeg: bool = False, bits: int = 8) -> Any:
    """In square pixels and in the one format that its codec's players know."""
    grading, pixels = drawing.grading, _JPEG if jpeg else PIXELS[bits]
    if drawing.part != Part():
        branch = branch.filter("crop", **_cropped(drawing.part))
    if not grading.rgb:
        branch = _telling(branch, grading)
    # Both sides are ours: a source that changes size midway stays in one shape. Bicubic is
    # ffmpeg's default, named so that a newer one cannot change the picture.
    size = (drawing.inner.width, drawing.inner.height)
    branch = branch.filter("scale", *size, flags="bicubic", **_meant(grading, jpeg=jpeg))
    if grading.tonemapped:
        branch = _tonemapped(branch, grading, pixels, jpeg=jpeg)
    # Square pixels: the shape is in the size now. 4:2:0, and 8 bits where nobody wants ten: the one
    # format that every player decodes.
    branch = branch.filter("setsar", 1).filter("format", pixels)
    if grading.rgb:
        branch = _telling(branch, grading)
    if grading.mastered is not None:
        # The encoder is told; of all outputs ffmpeg hands it to the first that has a frame.
        branch = branch.filter("sidedata", "delete")
    for name, arguments in _TURNS[drawing.rotate]:
        branch = branch.filter(name, *arguments)
    if drawing.flip is not None:
        branch = branch.filter(_FLIPS[drawing.flip])
    if drawing.turned != drawing.size:
        left = (drawing.size.width - drawing.turned.width) // 4 * 2
        top = (drawing.size.height - drawing.turned.height) // 4 * 2
        # Where colour has half as many samples, only even places are exact.
        branch = branch.filter("pad", drawing.size.width, drawing.size.height, left, top)
    return branch


def _cropped(part: Part) -> dict[str, str]:
    """By the frame's own sides, and never to nothing. The filter itself rounds to whole samples of
    colour."""
    return {
        "w": f"max(min(2,iw),iw*{part.width.numerator}/{part.width.denominator})",
        "h": f"max(min(2,ih),ih*{part.height.numerator}/{part.height.denominator})",
        "x": f"iw*{part.left.numerator}/{part.left.denominator}",
        "y": f"ih*{part.top.numerator}/{part.top.denominator}",
    }


def _telling(branch: Any, grading: Grading) -> Any:
    """With what the frames do not say of themselves."""
    told = grading.told
    words = {
        "color_primaries": told.primaries, "color_trc": told.transfer, "colorspace": told.matrix,
    }  # fmt: skip
    words = {name: word for name, word in words.items() if word}
    return branch.filter("setparams", **words) if words else branch


def _meant(grading: Grading, *, jpeg: bool) -> dict[str, str]:
    """How luma and colour are to be told apart, where that is not as it was."""
    if grading.tonemapped:
        return {}
    if jpeg:
        return {"out_range": "full", "out_color_matrix": _JPEG_MATRIX}
    return {"out_range": "limited", "out_color_matrix": "bt709"} if grading.rgb else {}


def _tonemapped(branch: Any, grading: Grading, pixels: str, *, jpeg: bool) -> Any:
    """In standard range, by way of light: what is as bright as a screen's white or darker stays
    nearly as it was, and what is brighter is pressed into the little that is left above it."""
    source = grading.source
    # What the file says, told to the frames: `zscale` refuses those that say nothing.
    said = {
        "color_primaries": source.primaries,
        "color_trc": source.transfer,
        "colorspace": source.matrix,
        "range": "full" if source.full else "limited",
    }
    back = {
        "t": "bt709",
        "m": _JPEG_MATRIX if jpeg else "bt709",
        "r": "full" if jpeg else "limited",
        "d": "ordered",  # eight bits of what had ten would show bands
    }
    return (
        branch.filter("format", "gbrp10le" if grading.rgb else PIXELS[10])
        .filter("setparams", **said)
        .filter("zscale", t="linear", npl=_WHITE_NITS)
        .filter("format", "gbrpf32le")
        .filter("zscale", p="bt709")
        # Without `desat`, which would make what is bright brighter still.
        .filter("tonemap", "mobius", peak=_PEAK, desat=0)
        .filter("zscale", **back)
        .filter("format", pixels)
        # How bright the brightest was, and what other words of such films a frame brings along.
        .filter("sidedata", "delete")
    )
