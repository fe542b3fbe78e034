"""What ffmpeg says: how far it is, and what it means that it did not succeed. Pure."""

import re
import time
from collections.abc import Callable

from worker.ends import WorkFailed
from worker.heartbeat import Progress
from worker.run import Ending, Fate

#: The share of an attempt's progress that is the encode; the rest is storing.
_ENCODE_SHARE = 0.97


class ProgressReader:
    """Reads ffmpeg's `-progress`: blocks of key=value, each ended by `progress=`.

    `seconds` and `frames` are what all of it will be, as far as anybody knows. Frames say more:
    with `-copyts` ffmpeg counts time from its first block on, when much may be done already.
    """

    def __init__(
        self,
        progress: Progress,
        seconds: float | None,
        frames: float = 0.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._progress = progress
        self._seconds, self._frames = seconds, frames
        self._monotonic = monotonic
        self._fraction = 0.0
        #: When first something had come out, and how much.
        self._first: tuple[float, float] | None = None
        progress.rate = None
        self._block: dict[str, str] = {}
        self._mark = ("", "")

    def line(self, line: bytes) -> bool:
        """True when the encode moved on."""
        name, _, value = line.decode("ascii", "replace").strip().partition("=")
        self._block[name] = value.strip()
        if name != "progress":
            return False
        mark = (self._block.get("frame", ""), self._block.get("out_time_us", ""))
        moved, self._mark = mark != self._mark, mark
        self._take()
        self._block.clear()
        return moved

    def _take(self) -> None:
        done, speed = self._block.get("out_time_us", ""), self._block.get("speed", "")
        if self._seconds and done.isdecimal():
            self._reached(int(done) / 1e6 / self._seconds)
        if self._frames and (done := self._block.get("frame", "")).isdecimal():
            self._reached(int(done) / self._frames)
        self._pace()
        try:
            self._progress.speed = float(speed.removesuffix("x"))
        except ValueError:
            self._progress.speed = None  # N/A, until the first frame is out

    def _reached(self, fraction: float) -> None:
        self._fraction = max(self._fraction, _ENCODE_SHARE * min(1.0, fraction))
        self._progress.fraction = self._fraction

    def _pace(self) -> None:
        """From the first frame on: the way to it tells nothing of those behind it."""
        if not self._fraction:
            return
        now = self._monotonic()
        if self._first is None:
            self._first = now, self._fraction
            return
        began, had = self._first
        if self._fraction > had and now > began:
            self._progress.rate = (self._fraction - had) / (now - began)


#: ffmpeg's words for media that it could not decode or read to its end.
_CUT_OFF = re.compile(r"ended prematurely|partial file|moov atom not found|End of file", re.I)
_UNDECODABLE = re.compile(
    r"Error processing packet in decoder|corrupt (?:input packet|decoded frame)|Packet corrupt"
    r"|Error while decoding|Decoding error|Error submitting packet to decoder"
    r"|Invalid data found when processing input|Error during demuxing",
    re.I,
)


def meaning(ending: Ending) -> WorkFailed:
    """What it means that ffmpeg did not succeed."""
    words = last_words(ending)
    match ending.fate:
        case Fate.TIME_LIMIT:
            return WorkFailed("time_limit", f"after {ending.wall_seconds:.0f} s")
        case Fate.STALLED:
            return WorkFailed("encoder_failed", "it did not move on any more")
        case Fate.MEMORY_LIMIT:
            return WorkFailed("memory_limit", words)
        case Fate.OUTPUT_LIMIT:
            return WorkFailed("output_limit", words)
        case Fate.FAILED | Fate.SUCCEEDED:
            if _CUT_OFF.search(words):
                return WorkFailed("source_truncated", words)
            if _UNDECODABLE.search(words):
                return WorkFailed("source_corrupt", words)
            return WorkFailed("encoder_failed", f"exit code {ending.exit_code}: {words}")


def last_words(ending: Ending) -> str:
    """The end of a program's log: what it said last says most. Addresses in it change with every
    run and are cut out, so that equal failures read alike."""
    grave = [line for line in ending.tail if not _CHATTER.search(line)]
    told = " | ".join(_PLACE.sub("", _ADDRESS.sub("", line)) for line in grave[-6:])
    return _LOOPBACK.sub("source", told)


_ADDRESS = re.compile(r" @ 0x[0-9a-f]+")
_PLACE = re.compile(r"file:(in|out)/")
_LOOPBACK = re.compile(r"http://127\.0\.0\.1:\d+/[\w-]+")
#: With `-v level+verbose` each line says how grave it is.
_CHATTER = re.compile(r"\[(verbose|info|debug)\]")
