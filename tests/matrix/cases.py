"""What sources people have, drawn from a seed: one case is a clip, a recipe and a chunk's length.
Pure: the same seed gives the same case on every machine.

What no muxer or encoder can make is not drawn, so no seed is without a case.
"""

import dataclasses
import random
from collections.abc import Iterator
from fractions import Fraction
from typing import Literal

Sound = Literal["with", "without", "late", "early"]
Gop = Literal["closed", "open", "intra-refresh"]
Splice = Literal["", "reset", "continued"]

#: What each container holds, the usual thrice.
_CODECS = {
    "mp4": ("h264", "h264", "h264", "hevc", "hevc", "av1", "mpeg4", "mpeg2", "vp9"),
    "fmp4": ("h264", "h264", "h264", "hevc", "hevc", "av1", "vp9"),
    "mov": ("h264", "h264", "prores", "prores", "hevc", "mpeg4", "mpeg2"),
    "mkv": ("h264", "h264", "hevc", "av1", "vp9", "mpeg4", "mpeg2", "prores"),
    "mpegts": ("h264", "h264", "h264", "hevc", "hevc", "mpeg2", "mpeg2", "mpeg4"),
    "avi": ("mpeg4", "mpeg4", "h264", "mpeg2"),
    "flv": ("h264", "h264", "hevc", "av1", "vp9"),
    "webm": ("vp9", "av1", "vp8"),
    "live mkv": ("h264", "hevc", "vp8"),
    "asf": ("wmv2",),
    "gif": ("gif",),
    "mxf": ("mpeg2", "h264"),
    "ogv": ("theora",),
    "mpg": ("mpeg2",),
}
#: What others than the usual film become.
_MADE = {
    "h264": ("video.mkv", "video.mov"),
    "hevc": ("video.mp4", "video.mov", "video.mkv"),
    "av1": ("video.mp4", "video.mkv", "video.webm"),
    "vp9": ("video.mp4", "video.mkv", "video.webm"),
}
#: The last ones are rare, and their clocks and indexes of another kind.
_CONTAINERS = (
    *("mp4", "mp4", "fmp4", "mov", "mkv", "mkv", "mpegts", "mpegts", "avi", "flv", "webm") * 2,
    *("avi", "fmp4", "mov", "mxf", "ogv", "mpg", "live mkv", "asf", "gif"),
)
#: They know a picture's number and no time of it.
_COUNTING = frozenset({"avi", "mxf", "ogv", "gif"})
_RATES = ("25", "25", "30000/1001", "24000/1001", "12", "50")
_GOP_SECONDS = (0.5, 1.0, 2.0, 3.7, 5.0, 10.0)
#: Without edit lists, or with few.
_RECORDED = frozenset({"mkv", "mpegts", "flv", "fmp4"})
_GOPS: dict[str, tuple[Gop, ...]] = {
    "h264": ("closed", "closed", "open", "open", "intra-refresh"),
    "hevc": ("closed", "closed", "open", "open", "intra-refresh"),
    "mpeg2": ("closed", "open"),
}
_TEN_BITS = frozenset({"h264", "hevc", "vp9", "av1", "prores"})
_FIELDS = frozenset({"h264", "mpeg2", "prores"})
_SECONDS_MAX = 25
_WRAPS_SECONDS = 2**33 / 90_000 - 2.5


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """One source."""

    container: str
    codec: str
    rate: str
    seconds: int
    gop_seconds: float
    gop: Gop
    bframes: int
    depth: int
    variable: bool
    interlaced: bool
    #: Where the container's clock begins; None leaves that to the muxer (1.4 s in MPEG-TS).
    start_seconds: float | None
    sound: Sound
    #: Two recordings in one stream: the second one's clock begins anew, or goes on.
    splice: Splice
    #: Cut without encoding: an edit list hides what its first frames are made of; or, where there
    #: are none, its first group of pictures is open.
    edited: bool
    #: Recorded from the middle of a group of pictures on.
    headless: bool = False

    def told(self) -> str:
        """In one line."""
        words = [
            self.container, self.codec, f"{self.seconds}s", f"{self.rate}fps",
            f"gop {self.gop_seconds:g}s {self.gop}", f"b{self.bframes}", f"{self.depth}bit",
            f"{self.sound} sound",
        ]  # fmt: skip
        words += ["vfr"] * self.variable + ["interlaced"] * self.interlaced
        words += [f"from {self.start_seconds:g}s"] if self.start_seconds is not None else []
        words += [f"spliced {self.splice}"] if self.splice else []
        words += ["edited"] * self.edited + ["headless"] * self.headless
        return " ".join(words)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One source, and how it is to be cut and encoded."""

    clip: Clip
    chunk_seconds: int
    keyframe_seconds: float
    speed: str
    poster: bool
    #: The encoder loses nothing, so that pictures can be compared; but then x264 makes no B-frames.
    lossless: bool = True
    #: What becomes of it.
    made: str = "h264"
    file: str = "video.mp4"
    ladder: bool = False

    def told(self) -> str:
        """In one line."""
        more = ", poster" * self.poster + ", ladder" * self.ladder
        return (
            f"{self.clip.told()} | chunks {self.chunk_seconds}s, keys {self.keyframe_seconds:g}s, "
            f"{self.made} in {self.file} {self.speed}{'' if self.lossless else ' with loss'}{more}"
        )


def draw(seed: int) -> Case:
    """The case of a seed."""
    # Neighbouring seeds give the Mersenne Twister neighbouring first draws; these do not.
    dice = random.Random(f"matrix {seed}")
    clip = _clip(dice)
    case = Case(
        clip=clip,
        # More than six chunks cost time and show no more.
        chunk_seconds=dice.choice([n for n in (1, 2, 3, 5, 8) if 2 * n <= clip.seconds <= 6 * n]),
        keyframe_seconds=dice.choice((0.5, 2.0, 5.0)),
        speed=dice.choice(("ultrafast", "veryfast", "medium")),
        poster=dice.random() < 0.2,
    )
    # Of a clip that is long enough for segments; by another die, so that no case changes for it.
    ladder = clip.seconds >= 6 and random.Random(f"ladder {seed}").random() < 0.25
    clip = _opened(clip, dice)
    case = dataclasses.replace(case, clip=clip, ladder=ladder, lossless=dice.random() < 0.7)
    # By another die as well.
    other = random.Random(f"codec {seed}")
    if other.random() > 0.2:
        return case
    made = other.choice(("h264", "hevc", "hevc", "av1", "av1", "vp9", "vp9"))
    return dataclasses.replace(case, made=made, file=other.choice(_MADE[made]))


def cases(first: int) -> Iterator[tuple[int, Case]]:
    """Distinct ones with their seeds, from a seed on, without end."""
    seen: set[Case] = set()
    seed = first
    while True:
        case = draw(seed)
        if case not in seen:
            seen.add(case)
            yield seed, case
        seed += 1


def _clip(dice: random.Random) -> Clip:
    """Each thing is drawn from what those before it leave possible."""
    container = dice.choice(_CONTAINERS)
    codec = dice.choice(_CODECS[container])
    rate = dice.choice(_rates(container, codec))
    gop_seconds = 0.0 if codec == "prores" else dice.choice(_gop_seconds(container, rate))
    # Longer than two groups of pictures, so that cuts lie inside of one and between two.
    seconds = min(_SECONDS_MAX, max(3, round(gop_seconds * 2.3)) + dice.choice((0, 0, 2, 5)))
    gops = _GOPS.get(codec, ("closed",))
    if container == "mxf":  # its index counts from a keyframe on, in 8 bits
        gops = ("closed", "open")
    gop = dice.choice(gops)
    fields = codec in _FIELDS and gop != "intra-refresh" and Fraction(rate) <= 30
    interlaced = fields and dice.random() < 0.3
    variable = container not in _COUNTING and not interlaced and dice.random() < 0.2
    return Clip(
        container=container,
        codec=codec,
        rate=rate,
        seconds=seconds,
        gop_seconds=gop_seconds,
        gop=gop,
        bframes=dice.choice(_bframes(codec, gop)),
        depth=10 if codec == "prores" or (codec in _TEN_BITS and dice.random() < 0.25) else 8,
        variable=variable,
        interlaced=interlaced,
        start_seconds=None if container in _COUNTING else dice.choice(_starts(container)),
        sound="without" if codec == "gif" else dice.choice(("with", "without", "late", "early")),
        splice=dice.choice(("", "", "", "reset", "continued")) if container == "mpegts" else "",
        edited=container in ("mp4", "mov") and dice.random() < 0.25,
    )


def _opened(clip: Clip, dice: random.Random) -> Clip:
    """With another beginning, at times."""
    if clip.splice or clip.container not in _RECORDED or dice.random() > 0.3:
        return clip
    # Whoever looks at the first five seconds of a stream must find a keyframe.
    if clip.container == "mpegts" and (clip.gop == "intra-refresh" or clip.gop_seconds > 2):
        return clip
    if clip.container == "mpegts" and dice.random() < 0.5:
        return dataclasses.replace(clip, headless=True)
    return dataclasses.replace(clip, edited=True)


def _rates(container: str, codec: str) -> tuple[str, ...]:
    if codec in ("mpeg2", "mpeg4") or container == "mxf":  # MPEG-2 knows no other rates
        return ("25", "25", "30000/1001", "24000/1001", "50")
    return _RATES


def _gop_seconds(container: str, rate: str) -> tuple[float, ...]:
    if container == "mxf":
        return _GOP_SECONDS[:3]
    # The long ones at a quick rate would take most of the time.
    return _GOP_SECONDS[:4] if rate == "50" else _GOP_SECONDS


def _bframes(codec: str, gop: Gop) -> tuple[int, ...]:
    if codec not in ("h264", "hevc", "mpeg2", "mpeg4") or (codec, gop) == ("h264", "intra-refresh"):
        return (0,)
    return (2, 3) if gop == "open" else (0, 2, 3)


def _starts(container: str) -> tuple[float | None, ...]:
    if container == "mpegts":  # of its 33 bits the last is full after 26.5 hours
        return (None, 0.0, 1.4, 1000.0, 1000.0, _WRAPS_SECONDS)
    # The pack headers of MPEG-PS say when they come; its muxer begins them at 0.
    return (None, 0.0, 1.4) if container in ("mpg", "asf") else (None, 0.0, 1.4, 1000.0)
