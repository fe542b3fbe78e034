"""Compiles what is done to a picture between the decoder and the encoder: cropped, scaled, brought
into the colours of its output, turned, padded. Pure.

Each of these looks at one frame alone, so all of it comes behind the cut.
"""

from collections.abc import Iterable
from fractions import Fraction
from typing import Any

import ffmpeg

from worker.assets import PIXELS_MAX
from worker.colour import Grading
from worker.drawing import Drawing, Mark, Part
from worker.streams import branches

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

#: By which numbers an image is drawn onto a film that says nothing of its own: most decoders'.
_DRAWN_IN = ("smpte170m", "bt709", "bt470bg", "bt2020nc")

#: In seconds. Of a still there is one frame, which stands for all that come after it.
_LONG_BEFORE = "-1000000/TB"

#: `vflip` turns nothing over but the order in which lines are read, and x265 falls over it: `copy`
#: writes them as they are shown.
_OVER = (("vflip", ()), ("copy", ()))
_TURNS: dict[int, tuple[tuple[str, tuple[str, ...]], ...]] = {
    0: (),
    90: (("transpose", ("clock",)),),
    180: (("hflip", ()), *_OVER),
    270: (("transpose", ("cclock",)),),
}
_FLIPS: dict[str | None, tuple[tuple[str, tuple[str, ...]], ...]] = {
    None: (),
    "horizontal": (("hflip", ()),),
    "vertical": _OVER,
}


def drawn(
    branch: Any,
    drawing: Drawing,
    tick: Fraction,
    images: "Images",
    *,
    jpeg: bool = False,
    bits: int = 8,
) -> Any:
    """In square pixels and in the one format that its codec's players know; the clock of the branch
    is of so many seconds a tick."""
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
    for name, arguments in (*_TURNS[drawing.rotate], *_FLIPS[drawing.flip]):
        branch = branch.filter(name, *arguments)
    if drawing.turned != drawing.size:
        left = (drawing.size.width - drawing.turned.width) // 4 * 2
        top = (drawing.size.height - drawing.turned.height) // 4 * 2
        # Where colour has half as many samples, only even places are exact.
        branch = branch.filter("pad", drawing.size.width, drawing.size.height, left, top)
    if drawing.mark is not None:
        image = images.taken(drawing.mark)
        branch = _marked(branch, image, drawing, tick, bits)
    return branch


def opened(path: str, demuxer: str) -> Any:
    """The picture of an image that was brought here, and nothing that it may name. It is not turned
    by what it says of itself: its sides are known."""
    guard = {"protocol_whitelist": "file", "format_whitelist": demuxer, "f": demuxer}
    source = ffmpeg.input(
        f"file:{path}", **guard, max_pixels=PIXELS_MAX, threads=1, noautorotate=None
    )
    return source["0"]


class Images:
    """The images of one run: each is opened once, however many pictures it is drawn onto."""

    def __init__(self, drawings: Iterable[Drawing]) -> None:
        """Of all that will be drawn."""
        marks = [one.mark for one in drawings if one.mark is not None]
        self._left = {
            asset: branches(
                opened(asset.path, asset.demuxer), "split", sum(m.asset == asset for m in marks)
            )
            for asset in {mark.asset: None for mark in marks}
        }

    def taken(self, mark: Mark) -> Any:
        """One more branch of it."""
        return self._left[mark.asset].pop(0)


def _marked(branch: Any, image: Any, drawing: Drawing, tick: Fraction, bits: int) -> Any:
    """With an image on each of its frames."""
    mark, wanted = drawing.mark, drawing.grading.wanted
    assert mark is not None
    image = (
        image.filter("format", "rgba")
        .filter("colorchannelmixer", aa=f"{mark.opacity:.4f}")
        .filter(
            "scale", mark.size.width, mark.size.height, flags="bicubic",
            out_color_matrix=wanted.matrix if wanted.matrix in _DRAWN_IN else _DRAWN_IN[0],
            out_range="full" if wanted.full else "limited",
        )
        .filter("format", "yuva420p10le" if bits == 10 else "yuva420p")
        # On the film's own ticks, or these would be rounded; and there before any frame of it.
        .filter("settb", f"{tick.numerator}/{tick.denominator}")
        .filter("setpts", _LONG_BEFORE)
    )  # fmt: skip
    return ffmpeg.filter(
        [branch, image], "overlay", mark.left, mark.top,
        eof_action="repeat", eval="init", format="yuv420p10" if bits == 10 else "yuv420",
    )  # fmt: skip


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
