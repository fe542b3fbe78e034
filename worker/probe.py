"""What is in a file, as ffprobe tells it, typed; and the list of its packets.

ffprobe parses strangers' bytes too: it runs under the same bounds as ffmpeg, with the demuxers
named and nothing to read but one file, or the loopback. It must never be given a signed URL.
"""

import dataclasses
from array import array
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import msgspec

from mayfly.contract.report import Media
from mayfly.core import limits
from worker.ends import WorkFailed
from worker.ffmpeg_words import last_words
from worker.halt import Halt
from worker.opening import Opening, of_file
from worker.run import Bounds, Ending, Fate, run

#: A probe reads a few megabytes.
_PROBE_SECONDS_MAX = 60
_PROBE_BYTES_MAX = 4 << 20
#: A scan reads the whole file: 200 GB at 50 MB/s.
_SCAN_SECONDS_MAX = 4000
_MEMORY_BYTES_MAX = 1 << 30
#: B-frames come out of order by a few frames; a clock that went back further was set anew.
REORDER_SECONDS_MAX = 2.0
#: How the demuxers of Matroska and of MP4 say it, with an exit code of 0.
_ENDED_EARLY = ("File ended prematurely", "partial file")

_STREAM_FIELDS = (
    "index,codec_type,codec_name,profile,codec_tag_string,width,height,sample_aspect_ratio,pix_fmt,"
    "field_order,has_b_frames,avg_frame_rate,r_frame_rate,time_base,start_time,duration,nb_frames,"
    "nb_read_packets,sample_fmt,sample_rate,channels"
)
_SHOWN = (
    f"stream={_STREAM_FIELDS}:stream_disposition:stream_side_data=rotation"
    ":format=format_name,start_time,duration,nb_streams"
)

#: ffprobe prints them in this order, whatever the order in which they are asked for.
_PACKET_FIELDS = "stream_index,pts,pts_time,dts,duration_time,flags"


class SideData(msgspec.Struct, frozen=True, kw_only=True):
    """Of a stream's side data, the display matrix."""

    rotation: float = 0.0


class Stream(msgspec.Struct, frozen=True, kw_only=True):
    """One stream, with ffprobe's names."""

    index: int
    codec_type: str = ""
    codec_name: str = ""
    profile: str = ""
    codec_tag_string: str = ""
    width: int = 0
    height: int = 0
    sample_aspect_ratio: str = ""
    pix_fmt: str = ""
    field_order: str = ""
    #: How many frames a decoder holds back, since some are shown later than they are decoded.
    has_b_frames: int = 0
    avg_frame_rate: str = "0/0"
    r_frame_rate: str = "0/0"
    time_base: str = "0/1"
    start_time: float | None = None
    duration: float | None = None
    nb_frames: int | None = None
    nb_read_packets: int | None = None
    sample_fmt: str = ""
    sample_rate: int = 0
    channels: int = 0
    disposition: dict[str, int] = {}
    side_data_list: tuple[SideData, ...] = ()

    @property
    def rotation(self) -> float:
        """Degrees, counter-clockwise."""
        return next((side.rotation for side in self.side_data_list if side.rotation), 0.0)

    @property
    def tick(self) -> Fraction:
        """Seconds of a tick of its clock."""
        above, _, below = self.time_base.partition("/")
        return Fraction(int(above), int(below or 1))

    @property
    def frames_per_second(self) -> float:
        """The average; 0 when unknown."""
        return ratio(self.avg_frame_rate) or ratio(self.r_frame_rate)


class Format(msgspec.Struct, frozen=True, kw_only=True):
    """The container."""

    format_name: str = ""
    start_time: float | None = None
    duration: float | None = None
    nb_streams: int = 0


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """A file's container and streams."""

    format: Format
    streams: tuple[Stream, ...] = ()

    def picture(self) -> Stream | None:
        """The video: the one with most pixels. A cover is a picture attached to sound, no video."""
        moving = [
            stream
            for stream in self.streams
            if stream.codec_type == "video"
            and stream.codec_name
            and not any(
                stream.disposition.get(name)
                for name in ("attached_pic", "timed_thumbnails", "still_image")
            )
        ]
        return max(moving, key=lambda stream: stream.width * stream.height, default=None)

    def sound(self) -> Stream | None:
        """The first sound track that a decoder is known for."""
        return next(
            (
                stream
                for stream in self.streams
                if stream.codec_type == "audio" and stream.codec_name not in ("", "unknown")
            ),
            None,
        )

    def media(self, *, frames: int | None = None) -> Media:
        """As a report tells it."""
        picture, sound = self.picture(), self.sound()
        return Media(
            container=self.format.format_name,
            duration_seconds=self.format.duration,
            video_codec=picture.codec_name if picture else None,
            width=picture.width if picture else None,
            height=picture.height if picture else None,
            frames=frames,
            audio_codec=sound.codec_name if sound else None,
            sample_rate_hz=sound.sample_rate if sound else None,
            channels=sound.channels if sound else None,
        )


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


def ratio(text: str) -> float:
    """`30000/1001`, `64:45` and the like; 0 when it is none."""
    above, _, below = text.replace(":", "/").partition("/")
    try:
        return float(above) / float(below or 1)
    except (ValueError, ZeroDivisionError):
        return 0.0


@dataclasses.dataclass(frozen=True, slots=True)
class Prober:
    """ffprobe, bounded."""

    ffprobe: str

    def probe(self, name: str, *, folder: Path, halt: Halt, demuxer: str = "") -> Probe:
        """A file of the folder; with a demuxer named, one of our own outputs, whose packets are
        counted. Raises WorkFailed(not_media), Halted."""
        if not demuxer:
            return self._described(of_file(name), folder, halt)
        guard = ("-format_whitelist", demuxer, "-f", demuxer, "-count_packets")
        # Who counts packets reads the file, and an output may be as large as a source.
        return self._described(of_file(name), folder, halt, guard, seconds=_SCAN_SECONDS_MAX)

    def look(self, opening: Opening, *, folder: Path, halt: Halt) -> Probe:
        """A source, wherever it is. Raises WorkFailed(not_media), Halted, and what kept it from
        being read."""
        return self._described(opening, folder, halt)

    def _described(
        self,
        opening: Opening,
        folder: Path,
        halt: Halt,
        guard: tuple[str, ...] = (),
        *,
        seconds: float = _PROBE_SECONDS_MAX,
    ) -> Probe:
        lines: list[bytes] = []
        ending = self._run(
            [*guard, "-show_entries", _SHOWN, "-of", "json=compact=1"],
            opening, folder, halt, lines.append,
            seconds=seconds, printed=_PROBE_BYTES_MAX,
        )  # fmt: skip
        opening.check()
        if ending.fate is Fate.OUTPUT_LIMIT:
            raise WorkFailed("source_absurd", "it describes itself in more than 4 MiB")
        if ending.fate is not Fate.SUCCEEDED:
            raise WorkFailed("not_media", last_words(ending))
        try:
            return msgspec.json.decode(b"\n".join(lines), type=Probe, strict=False)
        except msgspec.DecodeError:
            raise WorkFailed("not_media", "its description cannot be read") from None

    def scan(self, name: str, probe: Probe, *, folder: Path, halt: Halt) -> Scan:
        """Reads every packet once, decodes none. Raises WorkFailed, Halted."""
        reader = _PacketReader(probe)
        ending = self._run(
            ["-show_entries", f"packet={_PACKET_FIELDS}", "-of", "csv=p=0"],
            of_file(name), folder, halt, reader.line, seconds=_SCAN_SECONDS_MAX,
        )  # fmt: skip
        if ending.fate is not Fate.SUCCEEDED:
            raise WorkFailed("source_corrupt", last_words(ending))
        return reader.scan(" ".join(ending.tail))

    def decoded_samples(self, name: str, *, folder: Path, halt: Halt) -> tuple[float, int]:
        """When the first sound of one of our own files is heard, and how many samples of it are.
        Costs a decode. Raises WorkFailed(not_media), Halted."""
        begins, samples = 0.0, 0

        def hear(line: bytes) -> None:
            nonlocal begins, samples
            moment, _, count = line.strip(b", \r").partition(b",")
            if count.isdigit():
                begins = float(moment) if not samples and moment != b"N/A" else begins
                samples += int(count)

        ending = self._run(
            ["-select_streams", "a:0", "-show_entries", "frame=pts_time,nb_samples",
             "-of", "csv=p=0"],
            of_file(name), folder, halt, hear, seconds=limits.ENCODE_SECONDS_MAX,
        )  # fmt: skip
        if ending.fate is not Fate.SUCCEEDED:
            raise WorkFailed("not_media", last_words(ending))
        return begins, samples

    def decoded_frames(
        self, name: str, stream: int, *, folder: Path, halt: Halt, demuxer: str = ""
    ) -> int:
        """How many pictures another decoder sees, in our own file where a demuxer is named."""
        lines: list[bytes] = []
        guard = ("-format_whitelist", demuxer, "-f", demuxer) if demuxer else ()
        self._run(
            [*guard, "-count_frames", "-select_streams", str(stream),
             "-show_entries", "stream=nb_read_frames", "-of", "csv=p=0"],
            of_file(name), folder, halt, lines.append, seconds=limits.ENCODE_SECONDS_MAX,
        )  # fmt: skip
        numbers = [int(line) for line in (raw.strip(b", \r") for raw in lines) if line.isdigit()]
        return numbers[0] if numbers else 0

    def _run(
        self,
        arguments: list[str],
        opening: Opening,
        folder: Path,
        halt: Halt,
        take: Callable[[bytes], object],
        *,
        seconds: float,
        printed: int = 1 << 40,
    ) -> Ending:
        def on_line(line: bytes) -> bool:
            take(line)
            return True

        return run(
            [self.ffprobe, "-hide_banner", "-v", "error", *opening.guard, *arguments, opening.url],
            folder=folder,
            bounds=Bounds(
                seconds=seconds,
                memory_bytes=_MEMORY_BYTES_MAX,
                file_bytes=0,  # it has nothing to write
                stdout_bytes=printed,
            ),
            halt=halt,
            on_line=on_line,
        )


class _PacketReader:
    """Adds up the scan's lines: `0,133200,1.480000,126000,0.040000,K__`."""

    def __init__(self, probe: Probe) -> None:
        picture, sound = probe.picture(), probe.sound()
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
