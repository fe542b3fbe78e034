"""Whether a film looks as good as its recipe asked, all of it and not only where somebody looked;
and what the search costs.

Each clip is repeated to two minutes and encoded with `quality: {"vmaf": 93}`, then with the crf
that was found; every frame of the film is held against the source by ffmpeg's `libvmaf`.

    python -m bench.quality_found [folder of clips]
"""

import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import msgspec

from bench.chunk_quality import CLIPS, repeated
from bench.chunk_tax import settings
from local import tools
from mayfly.contract.recipe import Box, Quality, Recipe, VideoOutput
from mayfly.contract.report import Scored
from tests.matrix.drive import Delivered, Driver
from tests.worker import store

WANTED = 93.0
#: How far a film may be from what was asked, better or worse, in most.
MISSED_LIMIT = 2.0
FILM = VideoOutput(
    box=Box(width=1280, height=720), speed="medium", audio=None, quality=Quality(vmaf=WANTED)
)


def main() -> None:
    """Prints a line for each clip, then one JSON line."""
    clips = Path(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("MAYFLY_MEDIA") or CLIPS)
    found: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory(prefix="mayfly-bench-") as name, store.running() as running:
        folder = Path(name)
        driver = Driver(running, settings(folder))
        for clip in sorted(clips.glob("*.mp4")):
            source = repeated(clip, folder / "source.mp4")
            asked, asked_seconds = _encoded(driver, source, FILM)
            seen = _scored(asked)
            fixed = msgspec.structs.replace(FILM, quality=None, crf=seen.crf)
            _, fixed_seconds = _encoded(driver, source, fixed)
            found[clip.name] = {
                "crf": seen.crf,
                "sampled": seen.sampled,
                "windows": seen.vmaf,
                "all_frames": round(vmaf(source, asked.files[FILM.file], folder), 2),
                "cpu_over_fixed": round(asked_seconds / fixed_seconds, 3),
                "extra_cpu_seconds": round(asked_seconds - fixed_seconds, 1),
            }
            print(f"{clip.name}: {found[clip.name]}")
    if not found:
        print("There are no clips: name a folder of MP4s, or set MAYFLY_MEDIA.", file=sys.stderr)
    print(json.dumps(figure(found)))


def figure(found: dict[str, dict[str, float]]) -> dict[str, object]:
    """The line that programs read."""
    missed = [abs(one["all_frames"] - WANTED) for one in found.values()]
    return {
        "metric": "vmaf_missed_by",
        "value": round(max(missed), 2) if missed else None,
        "limit": MISSED_LIMIT,
        "conditions": {
            "wanted": WANTED,
            "clips": found,
            "recipe": "H.264 medium, two minutes",
            "python": platform.python_version(),
        },
    }


def _encoded(driver: Driver, source: Path, film: VideoOutput) -> tuple[Delivered, float]:
    """And the CPU seconds of its programs."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    made = driver.encode(source, Recipe(outputs=(film,)), 0)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return made, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _scored(made: Delivered) -> Scored:
    if made.proof is None or not made.proof.quality:
        raise SystemExit(f"nobody looked: {made.whole}")
    return made.proof.quality[0]


def vmaf(source: Path, made: bytes, folder: Path) -> float:
    """Of an MP4's picture, frame by frame, against its source's."""
    path, log = folder / "made.mp4", folder / "vmaf.json"
    path.write_bytes(made)
    command = [str(tools.ffmpeg_path()), "-v", "error", "-nostdin"]
    command += ["-i", str(path), "-i", str(source)]
    counted = "[0:v]settb=AVTB,setpts=N[a];[1:v]settb=AVTB,setpts=N[b];"
    command += ["-lavfi", f"{counted}[a][b]libvmaf=n_threads=2:log_fmt=json:log_path=vmaf.json"]
    subprocess.run([*command, "-f", "null", "-"], check=True, cwd=folder)
    return float(json.loads(log.read_bytes())["pooled_metrics"]["vmaf"]["mean"])


if __name__ == "__main__":
    main()
