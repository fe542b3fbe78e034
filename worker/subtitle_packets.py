"""The packets of subtitles, as ffprobe lists them: when each is shown, and what is in it.

Lines of numbers and of hexadecimal digits, which nothing that a stranger wrote into a subtitle can
break out of. It must never hold more than its bounds.
"""

import dataclasses
import re

from worker.ends import WorkFailed

#: Of all tracks together. A film has two thousand; a series' sung titles in ASS some ten thousand.
PACKETS_MAX = 100_000
#: What is in all of them.
BYTES_MAX = 16 << 20

#: When and how large, of all that are subtitles.
LISTED = ("-select_streams", "s", "-show_entries", "packet=stream_index,pts,duration,size",
          "-of", "csv=p=0")  # fmt: skip

#: What is in them: in full.
SHOWN = ("-show_entries", "packet=stream_index,pts,data", "-show_data",
         "-of", "default=noprint_wrappers=0")  # fmt: skip

_DIGITS = re.compile(rb"[0-9a-f]{8}: ((?:[0-9a-f]{2,4} ?)+)")


@dataclasses.dataclass(frozen=True, slots=True)
class Packet:
    """One, in ticks of its own stream's clock. 0 is a duration that nobody told."""

    pts: int
    duration: int
    size: int


@dataclasses.dataclass(frozen=True, slots=True)
class Event:
    """What ffmpeg decoded a packet to, in ticks of a file of its own."""

    pts: int
    body: bytes


class PacketList:
    """Takes lines of LISTED."""

    def __init__(self) -> None:
        self._count = 0
        #: By the stream's index.
        self.packets: dict[int, list[Packet]] = {}

    def line(self, line: bytes) -> None:
        """One packet. Raises WorkFailed(source_absurd, source_corrupt)."""
        fields = line.rstrip().split(b",")
        if len(fields) < 4:
            return
        stream, pts, duration, size = fields[:4]
        if pts == b"N/A":
            raise WorkFailed("source_corrupt", "a subtitle does not say when it is shown")
        self._count += 1
        if self._count > PACKETS_MAX:
            raise WorkFailed("source_absurd", f"more than {PACKETS_MAX} subtitles")
        ticks = 0 if duration == b"N/A" else max(0, int(duration))
        self.packets.setdefault(int(stream), []).append(Packet(int(pts), ticks, int(size)))


class EventList:
    """Takes lines of SHOWN."""

    def __init__(self) -> None:
        self._stream, self._pts, self._body = 0, 0, bytearray()
        self._count = self._bytes = 0
        #: By the stream's index.
        self.events: dict[int, list[Event]] = {}

    def line(self, line: bytes) -> None:
        """A part of a packet. Raises WorkFailed(source_absurd)."""
        if line.startswith(b"stream_index="):
            self._stream, self._body = int(line.partition(b"=")[2]), bytearray()
        elif line.startswith(b"pts="):
            self._pts = int(line.partition(b"=")[2])
        elif found := _DIGITS.match(line):
            self._body += bytes.fromhex(found[1].decode("ascii"))
        elif line.startswith(b"[/PACKET]"):
            self._count += 1
            self._bytes += len(self._body)
            if self._count > PACKETS_MAX or self._bytes > BYTES_MAX:
                raise WorkFailed("source_absurd", f"subtitles of more than {BYTES_MAX} bytes")
            event = Event(self._pts, bytes(self._body))
            self.events.setdefault(self._stream, []).append(event)
