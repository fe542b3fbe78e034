"""What sources people have, drawn from a seed: one case is a clip, a recipe and a chunk's length.
Pure: the same seed gives the same case on every machine.

What no muxer or encoder can make is drawn again; so no seed is without a case.
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
    "webm": ("vp9", "av1"),
}
_CONTAINERS = ("mp4", "mp4", "fmp4", "mov", "mkv", "mkv", "mpegts", "mpegts", "avi", "flv", "webm")
_RATES = ("25", "25", "30000/1001", "24000/1001", "12", "50")
_GOP_SECONDS = (0.5, 1.0, 2.0, 3.7, 5.0, 10.0)
_OPEN = frozenset({"h264", "hevc", "mpeg2"})
_TEN_BITS = frozenset({"h264", "hevc", "vp9", "av1", "prores"})
_FIELDS = frozenset({"h264", "mpeg2", "prores"})
_SECONDS_MAX = 25


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
    #: Cut without encoding, so that an edit list hides what its first frames are made of.
    edited: bool

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
        words += ["edited"] * self.edited
        return " ".join(words)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One source, and how it is to be cut and encoded."""

    clip: Clip
    chunk_seconds: int
    keyframe_seconds: float
    speed: str
    poster: bool

    def told(self) -> str:
        """In one line."""
        poster = ", poster" if self.poster else ""
        return (
            f"{self.clip.told()} | chunks {self.chunk_seconds}s, keys {self.keyframe_seconds:g}s, "
            f"{self.speed}{poster}"
        )


def draw(seed: int) -> Case:
    """The case of a seed."""
    # Neighbouring seeds give the Mersenne Twister neighbouring first draws; these do not.
    dice = random.Random(f"matrix {seed}")
    while True:
        clip = _clip(dice)
        if _possible(clip):
            return Case(
                clip=clip,
                chunk_seconds=dice.choice([n for n in (1, 2, 3, 5, 8) if 2 * n <= clip.seconds]),
                keyframe_seconds=dice.choice((0.5, 2.0, 5.0)),
                speed=dice.choice(("ultrafast", "veryfast", "medium")),
                poster=dice.random() < 0.2,
            )


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
    container = dice.choice(_CONTAINERS)
    codec = dice.choice(_CODECS[container])
    gop_seconds = dice.choice(_GOP_SECONDS)
    # Longer than two groups of pictures, so that cuts lie inside of one and between two.
    seconds = min(_SECONDS_MAX, max(3, round(gop_seconds * 2.3)) + dice.choice((0, 0, 2, 5)))
    return Clip(
        container=container,
        codec=codec,
        rate=dice.choice(_RATES),
        seconds=seconds,
        gop_seconds=gop_seconds,
        gop=dice.choice(("closed", "closed", "open", "open", "intra-refresh")),
        bframes=dice.choice((0, 2, 3)),
        depth=dice.choice((8, 8, 8, 10)),
        variable=dice.random() < 0.2,
        interlaced=dice.random() < 0.15,
        start_seconds=dice.choice((None, 0.0, 1.4, 1000.0)),
        sound=dice.choice(("with", "without", "late", "early")),
        splice=dice.choice(("", "", "", "", "reset", "continued")),
        edited=dice.random() < 0.25,
    )


def _possible(clip: Clip) -> bool:
    """Whether there is such a thing, and only one way to write it down."""
    codec, container = clip.codec, clip.container
    slow = Fraction(clip.rate) <= 30
    return (
        (clip.gop == "closed" or (codec in _OPEN and codec != "mpeg2") or _open_mpeg2(clip))
        and not (codec in ("prores", "vp9", "av1") and clip.bframes)
        and not (codec == "prores" and (clip.gop_seconds != 0.5 or clip.depth != 10))
        and not (codec == "av1" and clip.rate == "12")  # its encoder is slow, and so few
        and not (clip.depth == 10 and codec not in _TEN_BITS)
        and not (clip.interlaced and (codec not in _FIELDS or clip.variable or not slow))
        and not (clip.interlaced and codec == "h264" and clip.gop == "intra-refresh")
        and not (clip.gop == "open" and clip.bframes == 0)
        and not (clip.gop == "intra-refresh" and clip.bframes and codec == "h264")
        and not (container == "avi" and (clip.variable or clip.start_seconds not in (None, 0.0)))
        and not (clip.splice and container != "mpegts")
        and not (clip.edited and container not in ("mp4", "mov"))
        and not (codec in ("mpeg2", "mpeg4") and clip.rate == "12")  # MPEG-2 knows no such rate
    )


def _open_mpeg2(clip: Clip) -> bool:
    return clip.codec == "mpeg2" and clip.gop == "open"
