"""The list of a source's packets: what no decoder can bend.

It must never know who reads it, nor hold more than a number for each packet.
"""

import dataclasses
from array import array
from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import pairwise

from worker.probe import Stream

#: B-frames come out of order by a few frames; a clock that went back further was set anew.
REORDER_SECONDS_MAX = 2.0
#: How the demuxers of Matroska and of MP4 say it, with an exit code of 0.
_ENDED_EARLY = ("File ended prematurely", "partial file")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Sounding:
    """What the packets of a sound track add up to, how far they reach from the first to the last,
    and when that is."""

    seconds: float
    span_seconds: float
    start: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """The packets of the streams that are used: the reference that no decoder can bend."""

    #: Packets of the picture that are meant to be shown, and the moments of those that say one, in
    #: order, in ticks of the picture's clock.
    frames: int = 0
    ticks: "array[int]" = dataclasses.field(default_factory=lambda: array("q"))
    tick: Fraction = Fraction(1)
    #: Those at which a decoder can begin.
    key_ticks: "array[int]" = dataclasses.field(default_factory=lambda: array("q"))
    #: Every moment is known, and none comes twice or jumps back further than B-frames do.
    regular: bool = False
    #: Some packet is to be decoded before the one that stands in front of it.
    goes_back: bool = False
    #: Some frame is shown before the first at which a decoder can begin: it may come out or not.
    headless: bool = False
    #: Some packet says that it is shown at another time than it is decoded.
    reordered: bool = False
    #: All packets of the picture, hidden ones too: what an index counts.
    packets: int = 0
    #: The demuxer said that the file ends early.
    ended_early: bool = False
    #: A packet that the demuxer could not read to its end.
    broken_packets: int = 0
    #: By a sound track's number in the file; none of those whose packets do not say when they are.
    sounds: Mapping[int, Sounding] = dataclasses.field(default_factory=dict)

    def span_seconds(self) -> float:
        """From the first frame's moment to the last one's."""
        return float((self.ticks[-1] - self.ticks[0]) * self.tick) if self.ticks else 0.0


class _Hearing:
    """Adds up the packets of a sound track."""

    def __init__(self) -> None:
        self._seconds = 0.0
        self._reach: tuple[float, float] | None = None
        self._known = True

    def hear(self, moment: bytes, seconds: bytes) -> None:
        """One packet."""
        if moment == b"N/A" or seconds == b"N/A":
            self._known = False
            return
        start, length = float(moment), float(seconds)
        self._seconds += length
        first, last = self._reach or (start, start)
        self._reach = (min(first, start), max(last, start + length))

    def sounding(self) -> Sounding | None:
        """What all come to, if all say when they are."""
        if not self._known or self._reach is None:
            return None
        first, last = self._reach
        return Sounding(seconds=self._seconds, span_seconds=last - first, start=first)


class PacketReader:
    """Adds up the scan's lines: `0,133200,1.480000,126000,0.040000,K__`."""

    def __init__(self, picture: Stream | None, sounds: Sequence[Stream]) -> None:
        self._picture = str(picture.index).encode() if picture else b""
        self._sounds = {str(sound.index).encode(): _Hearing() for sound in sounds}
        self._tick = picture.tick if picture else Fraction(1)
        self._reorder_ticks = REORDER_SECONDS_MAX / float(self._tick or 1)
        self._ticks, self._key_ticks = array("q"), array("q")
        self._frames = 0
        self._packets = 0
        self._latest = self._latest_dts = float("-inf")
        self._jumped = self._goes_back = self._headless = self._reordered = False
        self._first_key_tick: int | None = None
        self._broken = 0

    def line(self, line: bytes) -> None:
        """One packet."""
        fields = line.rstrip().split(b",")
        if len(fields) < 6:
            return
        index, tick, moment, decoded_at, seconds, flags = fields[:6]
        if index == self._picture:
            self._packets += 1
            self._broken += b"C" in flags
            if decoded_at != b"N/A":
                self._reordered |= tick not in (b"N/A", decoded_at)
                self._goes_back |= int(decoded_at) < self._latest_dts
                self._latest_dts = max(self._latest_dts, int(decoded_at))
            if self._first_key_tick is None and b"K" in flags and tick != b"N/A":
                self._first_key_tick = int(tick)
            if b"D" not in flags:  # an edit list may hide packets
                self._frames += 1
                if tick != b"N/A":
                    self._see(int(tick), is_key=b"K" in flags)
        elif b"D" not in flags and (sound := self._sounds.get(index)) is not None:
            sound.hear(moment, seconds)

    def _see(self, tick: int, *, is_key: bool) -> None:
        self._headless |= self._first_key_tick is None or tick < self._first_key_tick
        self._ticks.append(tick)
        if is_key:
            self._key_ticks.append(tick)
        self._jumped |= tick < self._latest - self._reorder_ticks
        self._latest = max(self._latest, tick)

    def scan(self, said: str) -> Scan:
        """What all lines come to; `said` is what the demuxer complained of."""
        ticks = array("q", sorted(self._ticks))
        return Scan(
            frames=self._frames,
            packets=self._packets,
            ticks=ticks,
            tick=self._tick,
            key_ticks=array("q", sorted(self._key_ticks)),
            goes_back=self._goes_back,
            headless=self._headless,
            reordered=self._reordered,
            ended_early=any(words in said for words in _ENDED_EARLY),
            regular=len(ticks) == self._frames
            and not self._jumped
            and all(a < b for a, b in pairwise(ticks)),
            broken_packets=self._broken,
            sounds={
                int(index): found
                for index, hearing in self._sounds.items()
                if (found := hearing.sounding()) is not None
            },
        )
