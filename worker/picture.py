"""The geometry of a picture: how large it is when shown, and how it fits into a box. Pure."""

import dataclasses

from mayfly.contract.recipe import Box
from worker.probe import Stream, ratio

#: H.264 with 4:2:0 colour has even sides, two at least.
_SIDE_MIN = 2
#: A pixel five times as wide as high is no anamorphic film but a broken header: it is not believed.
_PIXEL_RATIO_MAX = 5.0


@dataclasses.dataclass(frozen=True, slots=True)
class Size:
    """In square pixels."""

    width: int
    height: int


def shown(stream: Stream) -> tuple[float, float]:
    """Width and height as a viewer sees them: square pixels, turned as the display matrix says."""
    pixel = ratio(stream.sample_aspect_ratio) or 1.0
    if not 1 / _PIXEL_RATIO_MAX <= pixel <= _PIXEL_RATIO_MAX:
        pixel = 1.0
    width, height = stream.width * pixel, float(stream.height)
    # ffmpeg turns a picture by itself when it decodes; by a quarter the sides change places.
    return (height, width) if round(stream.rotation / 90) % 2 else (width, height)


def fit(
    shape: tuple[float, float], box: Box | Size, *, enlarge: bool = False, turn: bool = True
) -> Size:
    """The largest picture of that shape in the box (turned for portrait), not enlarged unless
    somebody wants that."""
    width, height = shape
    across, down = box.width, box.height
    if turn and height > width:
        across, down = min(across, down), max(across, down)
    scale = min(across / width, down / height)
    if enlarge and scale > 1:
        return Size(_even(width * scale, across), _even(height * scale, down))
    scale = min(1.0, scale)
    return Size(
        _even(width * scale, min(across, int(width))),
        _even(height * scale, min(down, int(height))),
    )


def shrunk(shape: tuple[float, float], box: Box, *, cover: bool) -> Size:
    """A box of the same shape, so small that a picture need not be enlarged to fit inside, or to
    cover it."""
    width, height = shape
    larger = (box.width / width, box.height / height)
    scale = max(1.0, max(larger) if cover else min(larger))
    return Size(_even(box.width / scale, box.width), _even(box.height / scale, box.height))


def _even(length: float, length_max: int) -> int:
    """The nearest even length that neither leaves the box nor enlarges."""
    nearest = 2 * round(length / 2)
    return max(_SIDE_MIN, nearest if nearest <= length_max else nearest - 2)
