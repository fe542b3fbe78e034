"""Measures the table that predictions are made of; `mayfly/core/prediction.py` holds what it said.

Milliseconds of one processor per million pixels: to encode at each speed of the recipe language, to
decode each codec, and to scale a source's picture. User and system time of ffmpeg, one thread, what
it takes to start taken off; the mean of the clips, the median of rounds. Pixels are counted, so
clips of any size and length serve: those of the folder MAYFLY_MEDIA, else one that is made with
grain. What two threads add in processor time is told beside it; what they leave idle is not, since
a shared machine cannot show that.

    MAYFLY_MEDIA=folder python -m bench.encode_table [rounds [codecs]]

With codecs named (`hevc av1`), only encodes of these are measured.
"""

import dataclasses
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from local import tools
from mayfly.contract.formats import VideoCodec
from mayfly.contract.recipe import Speed, VideoOutput
from worker.compile_codecs import Making, told

ROUNDS = 3
#: Of each clip.
SECONDS = 3
#: How a clip becomes one of this codec, in a container that takes it; fast, for it is not measured.
_SOURCES: dict[str, tuple[str, ...]] = {
    "hevc": ("-c:v", "libx265", "-preset", "veryfast", "-x265-params", "log-level=none"),
    "mpeg2video": ("-c:v", "mpeg2video", "-q:v", "3"),
    "mpeg4": ("-c:v", "mpeg4", "-q:v", "3"),
    "vp9": ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-crf", "32"),
    "av1": ("-c:v", "libsvtav1", "-preset", "10", "-svtav1-params", "lp=1"),
    "prores": ("-c:v", "prores_ks", "-profile:v", "2"),
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """One source, and how many million pixels are looked at."""

    path: Path
    megapixels: float


def main() -> None:
    """Prints a line for each figure, then one JSON line."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    codecs = tuple(codec for codec in get_args(VideoCodec) if codec in sys.argv[2:])
    with tempfile.TemporaryDirectory(prefix="mayfly-bench-") as name:
        clips = list(_clips(Path(name)))
        table = _table(clips, Path(name), rounds, codecs)
    for figure, value in table.items():
        unit = "" if figure == _TWO_THREADS else " ms per million pixels"
        print(f"{figure}: {value:.2f}{unit}")
    print(json.dumps(_figure(table, clips, rounds)))


def _figure(table: Mapping[str, float], clips: Sequence[Clip], rounds: int) -> dict[str, Any]:
    return {
        "metric": "encode_table_milliseconds_per_megapixel",
        "value": next(value for figure, value in table.items() if figure.endswith(" medium")),
        "table": dict(table),
        "conditions": {
            "clips": {clip.path.name: round(clip.megapixels, 1) for clip in clips},
            "seconds_of_each": SECONDS,
            "rounds": rounds,
            "machine": f"{_processor()}, {os.cpu_count()} CPUs",
            "load": [round(load, 1) for load in os.getloadavg()],
            "ffmpeg": tools.ffmpeg_path().name,
            "python": platform.python_version(),
        },
    }


def _table(
    clips: Sequence[Clip], folder: Path, rounds: int, codecs: Sequence[VideoCodec]
) -> dict[str, float]:
    """All figures, or those of some encoders; each the mean of the clips: an easy clip of many
    pixels is no more than one."""
    if codecs:
        turns = [[_of_encoders(clip, codecs) for clip in clips] for _ in range(rounds)]
    else:
        sources = {clip: _sources(clip, folder) for clip in clips}
        turns = [
            [_figures(clip, others) for clip, others in sources.items()] for _ in range(rounds)
        ]
    return {
        figure: round(
            statistics.median(statistics.mean(of[figure] for of in turn) for turn in turns), 2
        )
        for figure in turns[0][0]
    }


def _figures(clip: Clip, others: Mapping[str, Clip]) -> dict[str, float]:
    """Of one clip. Each is a difference to what had to be done beside it."""
    start = _cpu(clip, "-frames:v", "1", "-f", "null")
    decoded = _cpu(clip, *_WRAPPED)
    found = {f"decode {codec}": _cpu(other, *_WRAPPED) - start for codec, other in others.items()}
    found |= {
        "decode h264": decoded - start,
        "scale": _cpu(clip, "-vf", "scale=iw/2:-2", *_WRAPPED) - decoded,
    }
    per_pixel = {figure: 1e3 * seconds / clip.megapixels for figure, seconds in found.items()}
    per_pixel |= _of_encoders(clip, get_args(VideoCodec))
    slow = ("-c:v", "libx264", "-preset", "slower", "-crf", "23", "-pix_fmt", "yuv420p")
    one = per_pixel["encode h264 slower"] * clip.megapixels / 1e3 + decoded
    two = _cpu(clip, *slow, "-threads", "2", "-f", "null")
    return {**per_pixel, _TWO_THREADS: (two - decoded) / (one - decoded)}


def _of_encoders(clip: Clip, codecs: Sequence[VideoCodec]) -> dict[str, float]:
    """Of one clip, what the compiler tells each encoder at each speed."""
    decoded, found = _cpu(clip, *_WRAPPED), {}
    making = Making(threads=1, rate=25.0)
    for codec in codecs:
        for speed in get_args(Speed):
            wanted = VideoOutput(codec=codec, speed=speed)
            options = told(wanted, making).items()
            words = [word for name, value in options for word in (f"-{name}", str(value))]
            one = _cpu(clip, *words, "-pix_fmt", "yuv420p", "-f", "null")
            found[f"encode {codec} {speed}"] = 1e3 * (one - decoded) / clip.megapixels
    return found


#: Processor time of the slowest speed with two threads over that with one.
_TWO_THREADS = "two threads over one"

#: Decoded pictures, thrown away.
_WRAPPED = ("-c:v", "wrapped_avframe", "-f", "null")


def _cpu(clip: Clip, *options: str) -> float:
    """Processor seconds that ffmpeg takes to do this."""
    command = [
        str(tools.ffmpeg_path()), "-v", "error", "-nostdin", "-threads", "1",
        "-filter_threads", "1", "-t", str(SECONDS), "-i", str(clip.path),
        "-map", "0:v:0", *options, "-y", os.devnull,
    ]  # fmt: skip
    quiet = {**os.environ, "SVT_LOG": "1"}  # SVT-AV1 does not ask what ffmpeg was told
    process = subprocess.Popen(command, env=quiet)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command!r} ended with {process.returncode}")
    return used.ru_utime + used.ru_stime


def _clips(folder: Path) -> Iterator[Clip]:
    media = os.environ.get("MAYFLY_MEDIA")
    paths = sorted(Path(media).glob("*.mp4")) if media else [_made(folder)]
    if not paths:
        raise SystemExit(f"There is no MP4 in {media}.")
    for path in paths:
        yield Clip(path=path, megapixels=_megapixels(path))


def _made(folder: Path) -> Path:
    """With some grain, since without it an encode is unusually cheap."""
    path = folder / "made.mp4"
    picture = f"testsrc2=s=1280x720:r=30:d={SECONDS},noise=alls=4:allf=t"
    _run("-f", "lavfi", "-i", picture, "-c:v", "libx264", "-preset", "veryfast", str(path))
    return path


def _sources(clip: Clip, folder: Path) -> dict[str, Clip]:
    """The clip in every other codec."""
    remade = {}
    for codec, options in _SOURCES.items():
        path = folder / f"{codec}-{clip.path.stem}.mkv"
        _run("-t", str(SECONDS), "-i", str(clip.path), "-map", "0:v:0", *options, str(path))
        remade[codec] = dataclasses.replace(clip, path=path)
    return remade


def _run(*options: str) -> None:
    command = [str(tools.ffmpeg_path()), "-v", "error", "-nostdin", *options]
    quiet = {**os.environ, "SVT_LOG": "1"}  # SVT-AV1 does not ask what ffmpeg was told
    subprocess.run(command, check=True, env=quiet)


def _megapixels(path: Path) -> float:
    entries = "stream=width,height,nb_read_packets"
    command = [
        str(tools.ffprobe_path()), "-v", "error", "-select_streams", "v:0", "-count_packets",
        "-read_intervals", f"%+{SECONDS}", "-show_entries", entries, "-of", "json", str(path),
    ]  # fmt: skip
    told = subprocess.run(command, check=True, capture_output=True).stdout
    (stream,) = json.loads(told)["streams"]
    return float(stream["width"] * stream["height"] * int(stream["nb_read_packets"]) / 1e6)


def _processor() -> str:
    lines = Path("/proc/cpuinfo")
    names = lines.read_text().splitlines() if lines.exists() else []
    told = (line.partition(":")[2].strip() for line in names if line.startswith("model name"))
    return next(told, platform.machine())


if __name__ == "__main__":
    main()
