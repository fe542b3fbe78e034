"""The same HLS ladder by Mayfly's worker and by shaka-streamer, in turns: CPU, wall, bytes, SSIM.

Three sizes of H.264 and AAC in segments of four seconds, keyframes listed, by the same ffmpeg with
the same preset, profile and constant rate factor. shaka-streamer knows neither factors nor presets:
it writes `-preset slow -b:v …`. So the ffmpeg that it finds is a line of ours that hands on all it
is told but for these words, and the pinned ffmpeg with them; the bitrates in its configuration are
never used. Its packager is the one of its own makers. It is asked twenty times a second whether it
has ended, not once. It stores into a folder; ours stores over HTTP into this process, looks at its
source, and proves what it made, and all that counts. Threads are each one's own: ours as many as
there are processors, for each size; its as ffmpeg likes.

It is brought for this alone, into an environment of its own, from PyPI; without a registry this
says so and measures nothing.

    python -m bench.peer_ladder [turns [seconds]]
"""

import dataclasses
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

from bench.chunk_tax import settings
from bench.ladder_cost import LADDER, clip, encoded, measured
from local import tools
from tests.matrix.drive import Driver
from tests.worker import store

TURNS = 3
CPU_AIM, WALL_AIM = 0.95, 0.7
#: As the packager's in the lock, which they must be of one making with.
PEER = "shaka-streamer==1.5.1"
_UV = Path(__file__).resolve().parents[1] / ".tools" / "uv" / "bin" / "uv"
_SSIM = re.compile(rb"SSIM .*All:([0-9.]+)")
#: Of a master playlist: how many lines a size has, and where its playlist is.
_SIZE = re.compile(r"#EXT-X-STREAM-INF:.*RESOLUTION=\d+x(\d+).*\n(\S+)")

#: Hands on what it is told, but for the words that make the encodes differ.
_FFMPEG = """#!{python} -IS
import os, sys
told = sys.argv[1:]
for name, value in {{"-preset": "{preset}", "-profile:v": "high"}}.items():
    told = [value if told[at - 1] == name else word for at, word in enumerate(told)]
while "-b:v" in told:
    at = told.index("-b:v")
    told[at:at + 2] = ["-crf", "{crf}"]
os.execv("{ffmpeg}", ["{ffmpeg}", *told])
"""

#: What its command line does, but that it does not sleep for a second.
_DRIVE = """
import json, sys, time
from streamer.controller_node import ControllerNode
from streamer.node_base import ProcessStatus
told = json.loads(sys.argv[1])
with ControllerNode().start(told["folder"], told["inputs"], told["pipeline"], told["bitrates"],
                            False, False) as running:
    while (status := running.check_status()) == ProcessStatus.RUNNING:
        time.sleep(0.05)
sys.exit(status != ProcessStatus.FINISHED)
"""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """One turn of one of the two."""

    cpu_seconds: float
    wall_seconds: float
    size_bytes: int
    #: By lines of the picture.
    ssim: dict[int, float]


def main() -> None:
    """Prints a line for each turn, then one JSON line."""
    turns = int(sys.argv[1]) if len(sys.argv) > 1 else TURNS
    with tempfile.TemporaryDirectory(prefix="mayfly-bench-") as name, store.running() as running:
        folder = Path(name)
        python = brought(folder)
        if python is None:
            print(json.dumps({"metric": "ladder_cpu_over_peer", "value": None}))
            return
        source = clip(folder, float(sys.argv[2]) if len(sys.argv) > 2 else None)
        acts = {
            "ours": partial(ours, Driver(running, settings(folder)), source, folder / "ours"),
            "peer": partial(peer, python, source, folder / "peer"),
        }
        taken: dict[str, list[Taken]] = {name: [] for name in acts}
        for turn in range(turns):
            for who in list(acts) if turn % 2 == 0 else list(acts)[::-1]:
                master, cpu, wall = measured(acts[who])
                taken[who].append(seen(master, source, cpu, wall))
                print(f"{turn + 1}. {who}: {taken[who][-1]}")
    print(json.dumps(figure(taken, source.name)))


def figure(taken: dict[str, list[Taken]], source: str) -> dict[str, object]:
    """The line that programs read."""
    pairs = list(zip(taken["ours"], taken["peer"], strict=True))
    wall = statistics.median(one.wall_seconds / its.wall_seconds for one, its in pairs)
    mine, other = pairs[-1]
    return {
        "metric": "ladder_cpu_over_peer",
        "value": round(
            statistics.median(one.cpu_seconds / its.cpu_seconds for one, its in pairs), 4
        ),
        "aim": CPU_AIM,
        "conditions": {
            "wall_over_peer": round(wall, 4),
            "wall_aim": WALL_AIM,
            "bytes_over_peer": round(mine.size_bytes / other.size_bytes, 4),
            "ssim_more_than_peer": {
                lines: round(value - other.ssim[lines], 6) for lines, value in mine.ssim.items()
            },
            "turns": {name: [dataclasses.asdict(one) for one in taken[name]] for name in taken},
            "peer": f"{PEER}, told to take the same ffmpeg, preset, profile and crf",
            "source": source,
            "recipe": "H.264 medium, crf 23, 480, 360 and 240 lines, AAC, segments of 4 s, HLS",
            "python": platform.python_version(),
            "load": [round(load, 1) for load in os.getloadavg()],
        },
    }


def brought(folder: Path) -> Path | None:
    """The interpreter of an environment that holds the peer and what it calls."""
    programs, environment = folder / "programs", folder / "environment"
    try:
        uv = [str(_UV), "-q"]
        subprocess.run([*uv, "venv", "-p", sys.executable, str(environment)], check=True)
        subprocess.run([*uv, "pip", "install", "-p", str(environment), PEER], check=True)
    except (OSError, subprocess.CalledProcessError) as failed:
        print(f"{PEER} could not be brought: {failed}.", file=sys.stderr)
        return None
    programs.mkdir()
    (programs / "ffprobe").symlink_to(tools.ffprobe_path())
    (programs / "packager").symlink_to(_packager())
    line = programs / "ffmpeg"
    crf = LADDER.rungs[0].crf
    line.write_text(
        _FFMPEG.format(
            python=sys.executable, preset=LADDER.speed, crf=crf, ffmpeg=tools.ffmpeg_path()
        )
    )
    line.chmod(0o755)
    return environment / "bin" / "python"


def _packager() -> Path:
    """Beside its ffprobe, in the wheel that the lock brings."""
    (found,) = tools.ffprobe_path().parent.glob("packager-*")
    return found


def ours(driver: Driver, source: Path, folder: Path) -> Path:
    """The master playlist."""
    for name, content in encoded(driver, source).files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder / LADDER.file / "master.m3u8"


def peer(python: Path, source: Path, folder: Path) -> Path:
    """The same."""
    names = {f"r{rung.box.height}": rung for rung in LADDER.rungs}
    sizes = {
        name: {
            "max_width": rung.box.width,
            "max_height": rung.box.height,
            "bitrates": {"h264": "1k"},  # which nobody reads
        }
        for name, rung in names.items()
    }
    stereo = {"stereo": {"max_channels": 2, "bitrates": {"aac": "128k"}}}
    told = {
        "folder": str(folder),
        "inputs": {
            "inputs": [
                {"name": str(source), "media_type": "video"},
                {"name": str(source), "media_type": "audio", "channel_layout": "stereo"},
            ]
        },
        "pipeline": {
            "streaming_mode": "vod",
            "quiet": True,
            "resolutions": list(names),
            "channel_layouts": ["stereo"],
            "audio_codecs": ["aac"],
            "video_codecs": ["h264"],
            "manifest_format": ["hls"],
            "segment_size": float(LADDER.segment_seconds),
            "segment_per_file": True,
            "generate_iframe_playlist": True,
        },
        "bitrates": {"video_resolutions": sizes, "audio_channel_layouts": stereo},
    }
    found = {**os.environ, "PATH": f"{python.parents[2] / 'programs'}:{os.environ['PATH']}"}
    command = [str(python), "-c", _DRIVE, json.dumps(told)]
    done = subprocess.run(command, env=found, check=False, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{PEER} has failed: {done.stderr[-3000:]}")
    return folder / "hls.m3u8"


def seen(master: Path, source: Path, cpu: float, wall: float) -> Taken:
    """What came out of a turn."""
    media = [path for path in master.parent.rglob("*") if path.suffix in (".m4s", ".mp4")]
    sizes = {int(lines): master.parent / name for lines, name in _SIZE.findall(master.read_text())}
    if set(sizes) != {rung.box.height for rung in LADDER.rungs}:
        raise SystemExit(f"{master} has the sizes {sorted(sizes)}")
    return Taken(
        cpu_seconds=round(cpu, 2),
        wall_seconds=round(wall, 2),
        size_bytes=sum(path.stat().st_size for path in media),
        ssim={lines: round(_ssim(path, source), 6) for lines, path in sizes.items()},
    )


def _ssim(playlist: Path, source: Path) -> float:
    """Of one size, frame by frame, against the source in that size."""
    graph = (
        "[1:v][0:v]scale=rw:rh:flags=bicubic,settb=AVTB,setpts=N[b];"
        "[0:v]settb=AVTB,setpts=N[a];[a][b]ssim"
    )
    command = [str(tools.ffmpeg_path()), "-nostdin", "-i", str(playlist), "-i", str(source)]
    command += ["-lavfi", graph, "-f", "null", "-"]
    said = _SSIM.search(subprocess.run(command, check=True, capture_output=True).stderr)
    if said is None:
        raise SystemExit("ffmpeg tells no SSIM")
    return float(said[1])


if __name__ == "__main__":
    main()
