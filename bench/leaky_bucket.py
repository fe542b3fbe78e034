"""Whether a player of a capped ladder waits more for its being cut: a leaky bucket over chunks of
several lengths beside one pass, on real clips.

Each clip is made small, repeated to two minutes, and encoded whole and in chunks under caps of what
it takes uncapped in the mean, and of half of that. A chunk's encoder does not know what the one
before left of the player's buffer: if it counts on more, the player waits where they meet. Beside
it what counting on less costs, in bytes and in SSIM.

    python -m bench.leaky_bucket [folder of clips]
"""

import dataclasses
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

from bench.chunk_quality import BYTES_LIMIT, CLIPS, SECONDS, SSIM_LOST_MAX, ssim
from bench.chunk_tax import settings
from local import tools
from mayfly.contract.recipe import Box, LadderOutput, Recipe, Rung
from tests.matrix.drive import Driver
from tests.worker import bucket, store

CHUNK_SECONDS = (8, 16, 60)
#: Of what a clip takes in the mean without a cap.
CAPS = (Fraction(1), Fraction(1, 2))
HEIGHT = 270
#: The least that a recipe may ask for.
_CAP_KBPS_MIN = 50
_UNCAPPED_KBPS = 200_000


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """One clip under one cap, in chunks of one length, beside the whole."""

    clip: str
    cap_kbps: int
    chunk_seconds: int
    #: How long a player waits, and how long one of the whole does.
    late_seconds: float
    late_seconds_of_whole: float
    #: The largest segment over the cap.
    peak: float
    peak_of_whole: float
    bytes_over_whole: float
    ssim_lost: float


def main() -> None:
    """Prints a line for each clip, cap and length, then one JSON line."""
    clips = Path(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("MAYFLY_MEDIA") or CLIPS)
    found: list[Beside] = []
    with tempfile.TemporaryDirectory(prefix="mayfly-bench-") as name, store.running() as running:
        folder = Path(name)
        driver = Driver(running, settings(folder))
        for clip in sorted(clips.glob("*.mp4")):
            for one in _besides(driver, clip.name, _small(clip, folder / "source.mp4"), folder):
                found.append(one)
                print(one, flush=True)
    if not found:
        print("There are no clips: name a folder of MP4s, or set MAYFLY_MEDIA.", file=sys.stderr)
    print(json.dumps(figure(found)))


def figure(found: list[Beside]) -> dict[str, object]:
    """The line that programs read. A minute is the usual length of a chunk."""
    minutes = [one for one in found if one.chunk_seconds == CHUNK_SECONDS[-1]]
    return {
        "metric": "chunked_late_seconds_over_whole",
        "value": max((one.late_seconds - one.late_seconds_of_whole for one in found), default=None),
        "limit": 0,
        "conditions": {
            "bytes_of_minutes": [one.bytes_over_whole for one in minutes],
            "bytes_limit": BYTES_LIMIT,
            "ssim_lost_of_minutes": [one.ssim_lost for one in minutes],
            "ssim_lost_limit": SSIM_LOST_MAX,
            "recipe": f"a ladder of one size, H.264 veryfast, crf 23, {HEIGHT} lines",
            "found": [dataclasses.asdict(one) for one in found],
            "python": platform.python_version(),
        },
    }


def _small(clip: Path, path: Path) -> Path:
    command = [
        str(tools.ffmpeg_path()), "-v", "error", "-nostdin", "-y", "-stream_loop", "-1",
        "-i", str(clip), "-t", str(SECONDS), "-an", "-vf", f"scale=-2:{HEIGHT}", "-c:v", "libx264",
        "-preset", "ultrafast", "-crf", "14", "-pix_fmt", "yuv420p", "-g", "50", str(path),
    ]  # fmt: skip
    subprocess.run(command, check=True)
    return path


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    flow: bucket.Flow
    ssim: float


def _besides(driver: Driver, clip: str, source: Path, folder: Path) -> Iterator[Beside]:
    free = _made(driver, source, folder, _UNCAPPED_KBPS, 0)
    for part in CAPS:
        cap = max(_CAP_KBPS_MIN, round(free.flow.mean * _UNCAPPED_KBPS * part))
        whole = _made(driver, source, folder, cap, 0)
        for seconds in CHUNK_SECONDS:
            cut = _made(driver, source, folder, cap, seconds)
            yield Beside(
                clip=clip,
                cap_kbps=cap,
                chunk_seconds=seconds,
                late_seconds=round(cut.flow.late_seconds, 3),
                late_seconds_of_whole=round(whole.flow.late_seconds, 3),
                peak=round(cut.flow.peak, 3),
                peak_of_whole=round(whole.flow.peak, 3),
                bytes_over_whole=round(cut.flow.mean / whole.flow.mean, 5),
                ssim_lost=round(whole.ssim - cut.ssim, 6),
            )


def _made(driver: Driver, source: Path, folder: Path, cap_kbps: int, chunk_seconds: int) -> _Made:
    rung = Rung(box=Box(width=1280, height=HEIGHT), maxrate_kbps=cap_kbps)
    ladder = LadderOutput(rungs=(rung,), speed="veryfast", audio=None)
    made = driver.encode(source, Recipe(outputs=(ladder,)), chunk_seconds)
    if (made.plan is None) is not (chunk_seconds == 0):
        raise SystemExit(f"{source.name} was not cut as wanted: {made.whole}")
    track = bucket.track(made.files, ladder.file, "v0")
    found = bucket.samples(tools.ffprobe_path(), track, folder)
    return _Made(flow=bucket.flow(found, cap_kbps), ssim=ssim(source, track, folder))


if __name__ == "__main__":
    main()
