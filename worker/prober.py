"""Asks ffprobe what is in a file, and for the list of its packets.

ffprobe parses strangers' bytes too: it runs under the same bounds as ffmpeg, with the demuxers
named and nothing to read but one file, or the loopback. It must never be given a signed URL.
"""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from mayfly.core import limits
from worker import words
from worker.colour import is_hdr
from worker.ends import WorkFailed
from worker.ffmpeg_words import last_words
from worker.halt import Halt
from worker.opening import Opening, of_file
from worker.probe import Frames, Probe
from worker.run import Bounds, Ending, Fate, run
from worker.scan import PacketReader, Scan

#: A probe reads a few megabytes.
_PROBE_SECONDS_MAX = 60
_PROBE_BYTES_MAX = 4 << 20
#: A scan reads the whole file: 200 GB at 50 MB/s.
_SCAN_SECONDS_MAX = 4000
_MEMORY_BYTES_MAX = 1 << 30
_STREAM_FIELDS = (
    "index,codec_type,codec_name,profile,codec_tag_string,width,height,sample_aspect_ratio,pix_fmt,"
    "color_range,color_space,color_transfer,color_primaries,"
    "field_order,has_b_frames,avg_frame_rate,r_frame_rate,time_base,start_time,duration,nb_frames,"
    "nb_read_packets,sample_fmt,sample_rate,channels"
)
#: Of its screen, and how bright it becomes.
_MASTERED = (
    "red_x,red_y,green_x,green_y,blue_x,blue_y,white_point_x,white_point_y,min_luminance,"
    "max_luminance,max_content,max_average"
)
_SHOWN = (
    f"stream={_STREAM_FIELDS}:stream_disposition:stream_side_data=rotation,dv_profile"
    ":format=format_name,start_time,duration,nb_streams"
)
#: Of a source, what may be kept of it (a stranger's tags can be megabytes); of our own file, all.
_TAGS = f":format_tags={','.join(words.KEPT)}:stream_tags=language,name,{','.join(words.KEPT)}"
_ALL_TAGS = ":format_tags:stream_tags"

#: ffprobe prints them in this order, whatever the order in which they are asked for.
_PACKET_FIELDS = "stream_index,pts,pts_time,dts,duration_time,flags"


@dataclasses.dataclass(frozen=True, slots=True)
class Prober:
    """ffprobe, bounded."""

    ffprobe: str

    def probe(self, name: str, *, folder: Path, halt: Halt, demuxer: str = "") -> Probe:
        """A file of the folder; with a demuxer named, one of our own outputs, whose packets are
        counted. Raises WorkFailed(not_media), Halted."""
        if not demuxer:
            return self.look(of_file(name), folder=folder, halt=halt)
        guard = ("-format_whitelist", demuxer, "-f", demuxer, "-count_packets")
        # Who counts packets reads the file, and an output may be as large as a source.
        return self._described(of_file(name), folder, halt, guard, seconds=_SCAN_SECONDS_MAX)

    def look(self, opening: Opening, *, folder: Path, halt: Halt) -> Probe:
        """A source, wherever it is. Raises WorkFailed(not_media), Halted, and what kept it from
        being read."""
        return self._mastered(self._described(opening, folder, halt), opening, folder, halt)

    def _mastered(self, probe: Probe, opening: Opening, folder: Path, halt: Halt) -> Probe:
        """Of a picture of high dynamic range, with what its first frame alone tells of it."""
        picture = probe.picture()
        if picture is None or not is_hdr(picture):
            return probe
        lines: list[bytes] = []
        ending = self._run(
            ["-select_streams", str(picture.index), "-read_intervals", "%+#1", "-show_frames",
             "-show_entries", f"frame_side_data={_MASTERED}", "-of", "json=compact=1"],
            opening, folder, halt, lines.append,
            seconds=_PROBE_SECONDS_MAX, printed=_PROBE_BYTES_MAX,
        )  # fmt: skip
        opening.check()
        if ending.fate is not Fate.SUCCEEDED:
            return probe
        try:
            found = msgspec.json.decode(b"\n".join(lines), type=Frames, strict=False)
        except msgspec.DecodeError:
            return probe
        beside = tuple(one for frame in found.frames for one in frame.side_data_list)
        more = msgspec.structs.replace(picture, side_data_list=(*picture.side_data_list, *beside))
        streams = tuple(more if one is picture else one for one in probe.streams)
        return msgspec.structs.replace(probe, streams=streams)

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
            [*guard, "-show_entries", _SHOWN + (_ALL_TAGS if guard else _TAGS),
             "-of", "json=compact=1"],
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
        reader = PacketReader(probe.picture(), probe.sounds())
        ending = self._run(
            ["-show_entries", f"packet={_PACKET_FIELDS}", "-of", "csv=p=0"],
            of_file(name), folder, halt, reader.line, seconds=_SCAN_SECONDS_MAX,
        )  # fmt: skip
        if ending.fate is not Fate.SUCCEEDED:
            raise WorkFailed("source_corrupt", last_words(ending))
        return reader.scan(" ".join(ending.tail))

    def told(
        self, arguments: Sequence[str], name: str, *, folder: Path, halt: Halt,
        take: Callable[[bytes], object],
    ) -> None:  # fmt: skip
        """Lines about the packets of a file of the folder. Raises WorkFailed(source_corrupt),
        Halted, and what `take` raises."""
        ending = self._run(
            list(arguments), of_file(name), folder, halt, take, seconds=_SCAN_SECONDS_MAX
        )
        if ending.fate is not Fate.SUCCEEDED:
            raise WorkFailed("source_corrupt", last_words(ending))

    def decoded_samples(
        self, name: str, track: int, *, folder: Path, halt: Halt
    ) -> tuple[float, int]:
        """When a sound track of one of our own files is first heard, counted from 0, and how many
        samples it has. Costs a decode. Raises WorkFailed(not_media), Halted."""
        begins, samples = 0.0, 0

        def hear(line: bytes) -> None:
            nonlocal begins, samples
            moment, _, count = line.strip(b", \r").partition(b",")
            if count.isdigit():
                begins = float(moment) if not samples and moment != b"N/A" else begins
                samples += int(count)

        ending = self._run(
            ["-select_streams", f"a:{track}", "-show_entries", "frame=pts_time,nb_samples",
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
