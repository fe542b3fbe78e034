"""The list of a source's packets: what no decoder can bend.

It must never know who reads it, nor hold more than a number for each packet.
"""

import dataclasses
from array import array
from fractions import Fraction
from itertools import pairwise

from worker.probe import Stream

#: B-frames come out of order by a few frames; a clock that went back further was set anew.
REORDER_SECONDS_MAX = 2.0
#: How the demuxers of Matroska and of MP4 say it, with an exit code of 0.
_ENDED_EARLY = ("File ended prematurely", "partial file")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """The packets of the two streams that are used: the reference that no decoder can bend."""

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
    #: What the sound's packets add up to, and how far they reach from the first to the last.
    sound_seconds: float | None = None
    sound_span_seconds: float | None = None
    sound_start: float | None = None

    def span_seconds(self) -> float:
        """From the first frame's moment to the last one's."""
        return float((self.ticks[-1] - self.ticks[0]) * self.tick) if self.ticks else 0.0


class PacketReader:
    """Adds up the scan's lines: `0,133200,1.480000,126000,0.040000,K__`."""

    def __init__(self, picture: Stream | None, sound: Stream | None) -> None:
        self._picture = str(picture.index).encode() if picture else b""
        self._sound = str(sound.index).encode() if sound else b""
        self._tick = picture.tick if picture else Fraction(1)
        self._reorder_ticks = REORDER_SECONDS_MAX / float(self._tick or 1)
        self._ticks, self._key_ticks = array("q"), array("q")
        self._frames = 0
        self._packets = 0
        self._latest = self._latest_dts = float("-inf")
        self._jumped = self._goes_back = self._headless = self._reordered = False
        self._first_key_tick: int | None = None
        self._broken = 0
        self._seconds = 0.0
        self._reach: tuple[float, float] | None = None
        self._sound_known = True

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
        elif index == self._sound and b"D" not in flags:
            self._hear(moment, seconds)

    def _see(self, tick: int, *, is_key: bool) -> None:
        self._headless |= self._first_key_tick is None or tick < self._first_key_tick
        self._ticks.append(tick)
        if is_key:
            self._key_ticks.append(tick)
        self._jumped |= tick < self._latest - self._reorder_ticks
        self._latest = max(self._latest, tick)

    def _hear(self, moment: bytes, seconds: bytes) -> None:
        if moment == b"N/A" or seconds == b"N/A":
            self._sound_known = False
            return
        start, length = float(moment), float(seconds)
        self._seconds += length
        first, last = self._reach or (start, start)
        self._reach = (min(first, start), max(last, start + length))

    def scan(self, said: str) -> Scan:
        """What all lines come to; `said` is what the demuxer complained of."""
        ticks = array("q", sorted(self._ticks))
        known = self._sound_known and self._reach is not None
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
            sound_seconds=self._seconds if known else None,
            sound_span_seconds=self._reach[1] - self._reach[0] if known and self._reach else None,
            sound_start=self._reach[0] if known and self._reach else None,
        )
