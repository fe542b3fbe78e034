"""What the numbers of a picture mean: which colours a source says that they are, and which an
output is to say. Pure.

A source of high dynamic range (PQ or HLG) becomes what every screen shows, unless an output keeps
it. Of all others the colours stay what the source says; only where it says nothing and is as large
as television of high definition, it is taken for that, since every player does so too, and its
smaller copies would be taken for something else. It must never say of a picture what nobody knows.
"""

import dataclasses
from fractions import Fraction

from worker.probe import SideData, Stream

#: PQ, and HLG.
HDR_TRANSFERS = ("smpte2084", "arib-std-b67")

#: Larger than what television of standard definition has: 720x576.
_SD_WIDTH_MAX, _SD_HEIGHT_MAX = 1024, 576

#: How ffprobe says that nobody said.
_UNSAID = ("", "unknown", "unspecified", "reserved")

#: Formats of pixels that are red, green and blue.
_RGB = ("rgb", "bgr", "gbr", "argb", "abgr", "0rgb", "0bgr", "pal8", "x2rgb", "x2bgr")

#: What FLV says of every VP9, for its field of that is 0: of a picture that is luma and
#: colour it is no matrix.
_NO_MATRIX = "gbr"
#: What players take an unknown one of this size for.
_SD_MATRIX = "smpte170m"

#: Of high dynamic range, what `zscale` has a word for; anything else is taken for BT.2020.
_PRIMARIES = ("bt709", "bt2020", "smpte431", "smpte432", "bt470bg", "smpte170m")
_MATRICES = ("bt709", "bt2020nc", "bt2020c", "ictcp", "smpte170m", "bt470bg", "gbr")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Colour:
    """With ffmpeg's names; empty where nobody knows."""

    primaries: str = ""
    transfer: str = ""
    matrix: str = ""
    #: All values of a sample count, not those from 16 to 235 alone.
    full: bool = False


_HD = Colour(primaries="bt709", transfer="bt709", matrix="bt709")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Mastered:
    """On which screen a picture of high dynamic range was made, and how bright it becomes."""

    #: Of green, blue, red and white, each x and y, from 0 to 1.
    points: tuple[Fraction, ...]
    #: The brightest and the darkest, in candela a square metre.
    luminance: tuple[Fraction, Fraction]
    #: Of its brightest pixel and of its brightest picture, in the same; None: nobody said.
    light: tuple[int, int] | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Grading:
    """How the colours of a source become those of an output."""

    source: Colour
    #: What the output says.
    wanted: Colour
    tonemapped: bool = False
    #: It is red, green and blue, and becomes luma and colour by BT.709.
    rgb: bool = False
    #: What of it the frames are told to say; the rest they say by themselves.
    told: Colour = Colour()
    #: Of a high range that is kept, if anybody said.
    mastered: Mastered | None = None


def is_hdr(stream: Stream) -> bool:
    """Whether a picture says that it is brighter than white."""
    return stream.color_transfer in HDR_TRANSFERS


def graded(stream: Stream, *, keep: bool = False) -> Grading:
    """What becomes of a source's colours; `keep` those of high dynamic range."""
    source, rgb = _said(stream), _is_rgb(stream)
    if is_hdr(stream):
        source = _hdr(source, rgb=rgb)
        if keep:
            # Told in any case: a file may say one thing, and its frames another or nothing.
            wanted = dataclasses.replace(source, matrix="bt709") if rgb else source
            return Grading(
                source=source, wanted=wanted, rgb=rgb, told=wanted, mastered=_mastered(stream)
            )
        return Grading(source=source, wanted=_HD, rgb=rgb, tonemapped=True)
    if not rgb and not _is_large(stream):
        nonsense = stream.color_space == _NO_MATRIX
        told = Colour(matrix=_SD_MATRIX) if nonsense else Colour()
        return Grading(source=source, wanted=source, told=told)
    if source.matrix not in ("", _HD.matrix) and not rgb:
        return Grading(source=source, wanted=source)
    told = Colour(
        primaries="" if source.primaries else _HD.primaries,
        transfer="" if source.transfer else _HD.transfer,
        matrix="" if source.matrix and not rgb else _HD.matrix,
    )
    wanted = Colour(
        primaries=source.primaries or told.primaries,
        transfer=source.transfer or told.transfer,
        matrix=_HD.matrix,
        full=source.full and not rgb,
    )
    return Grading(source=source, wanted=wanted, rgb=rgb, told=told)


def _said(stream: Stream) -> Colour:
    said = (stream.color_primaries, stream.color_transfer, stream.color_space)
    primaries, transfer, matrix = ("" if word in _UNSAID else word for word in said)
    if matrix == _NO_MATRIX and not _is_rgb(stream):
        matrix = ""
    full = stream.color_range == "pc"
    return Colour(primaries=primaries, transfer=transfer, matrix=matrix, full=full)


def _hdr(source: Colour, *, rgb: bool) -> Colour:
    """What it says, where that is known of such pictures."""
    matrix = source.matrix if source.matrix in _MATRICES else "bt2020nc"
    return dataclasses.replace(
        source,
        primaries=source.primaries if source.primaries in _PRIMARIES else "bt2020",
        matrix="gbr" if rgb else matrix,
    )


def _is_rgb(stream: Stream) -> bool:
    return stream.pix_fmt.startswith(_RGB)


def _is_large(stream: Stream) -> bool:
    return stream.width > _SD_WIDTH_MAX or stream.height > _SD_HEIGHT_MAX


#: Of what can be coded.
_NITS_MAX, _LIGHT_MAX = 10_000, 65_535


def _mastered(stream: Stream) -> Mastered | None:
    """As its first frame says; None where that says nothing, or what cannot be."""
    light = next(
        ((one.max_content, one.max_average) for one in stream.side_data_list if one.max_content),
        None,
    )
    if light is not None and not all(0 <= one <= _LIGHT_MAX for one in light):
        light = None
    for one in stream.side_data_list:
        if one.max_luminance and one.red_x:
            try:
                return dataclasses.replace(_screen(one), light=light)
            except (ValueError, ZeroDivisionError):
                return None
    return None


def _screen(one: SideData) -> Mastered:
    """Raises ValueError, ZeroDivisionError."""
    words = (one.green_x, one.green_y, one.blue_x, one.blue_y, one.red_x, one.red_y)
    points = tuple(Fraction(word) for word in (*words, one.white_point_x, one.white_point_y))
    luminance = (Fraction(one.max_luminance), Fraction(one.min_luminance))
    if not all(0 <= point <= 1 for point in points):
        raise ValueError("a colour that is none")
    if not 0 <= luminance[1] < luminance[0] <= _NITS_MAX:
        raise ValueError("a screen that is none")
    return Mastered(points=points, luminance=luminance)
