"""What a film loses by being cut: the SSIM and the bytes of its parts joined, against those of one
pass, on real clips.

Each clip is repeated to two minutes, encoded whole and in chunks, and both are held against the
source by ffmpeg's `ssim`. A chunk begins with a keyframe and with an encoder that has seen nothing:
that costs bytes, and a constant rate factor keeps the picture.

    python -m bench.chunk_quality [folder of clips]
"""

import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.chunk_tax import settings
from local import tools
from mayfly.contract.recipe import Box, Recipe, VideoOutput
from tests.matrix.drive import Driver
from tests.worker import store

#: Where the tests look for real clips, too.
CLIPS = Path(__file__).resolve().parents[2] / "shared" / "media"
CHUNK_SECONDS = 60
#: Twice a chunk.
SECONDS = 120
SSIM_LOST_MAX, BYTES_LIMIT = 0.0005, 1.01
#: Each clip in its own size, so that only the encoder loses anything.
RECIPE = Recipe(outputs=(VideoOutput(box=Box(width=1280, height=720), speed="medium", audio=None),))
_SSIM = re.compile(rb"SSIM .*All:([0-9.]+)")


def main() -> None:
    """Prints a line for each clip, then one JSON line."""
    clips = Path(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("MAYFLY_MEDIA") or CLIPS)
    found: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory(prefix="mayfly-bench-") as name, store.running() as running:
        folder = Path(name)
        driver = Driver(running, settings(folder))
        for clip in sorted(clips.glob("*.mp4")):
            source = repeated(clip, folder / "source.mp4")
            whole, cut = (_encoded(driver, source, seconds) for seconds in (0, CHUNK_SECONDS))
            seen = {kind: ssim(source, made, folder) for kind, made in (("w", whole), ("c", cut))}
            found[clip.name] = {
                "bytes_over_whole": round(len(cut) / len(whole), 5),
                "ssim": round(seen["c"], 6),
                "ssim_of_whole": round(seen["w"], 6),
                "ssim_lost": round(seen["w"] - seen["c"], 6),
            }
            print(f"{clip.name}: {found[clip.name]}")
    if not found:
        print("There are no clips: name a folder of MP4s, or set MAYFLY_MEDIA.", file=sys.stderr)
    print(json.dumps(figure(found)))


def figure(found: dict[str, dict[str, float]]) -> dict[str, object]:
    """The line that programs read."""
    return {
        "metric": "chunked_bytes_over_whole",
        "value": max((one["bytes_over_whole"] for one in found.values()), default=None),
        "limit": BYTES_LIMIT,
        "conditions": {
            "ssim_lost": max((one["ssim_lost"] for one in found.values()), default=None),
            "ssim_lost_limit": SSIM_LOST_MAX,
            "clips": found,
            "recipe": "H.264 medium, crf 23",
            "chunk_seconds": CHUNK_SECONDS,
            "python": platform.python_version(),
        },
    }


def repeated(clip: Path, path: Path) -> Path:
    """A clip over and over, for two minutes, without sound."""
    command = [
        str(tools.ffmpeg_path()), "-v", "error", "-nostdin", "-y", "-stream_loop", "-1",
        "-i", str(clip), "-t", str(SECONDS), "-an", "-c:v", "libx264", "-preset", "ultrafast",
        "-crf", "14", "-pix_fmt", "yuv420p", "-g", "50", str(path),
    ]  # fmt: skip
    subprocess.run(command, check=True)
    return path


def _encoded(driver: Driver, source: Path, chunk_seconds: int) -> bytes:
    made = driver.encode(source, RECIPE, chunk_seconds)
    if (made.plan is None) is not (chunk_seconds == 0):
        raise SystemExit(f"{source.name} was not cut as wanted: {made.whole}")
    return made.files["video.mp4"]


def ssim(source: Path, made: bytes, folder: Path) -> float:
    """Of an MP4's picture, frame by frame, against its source's."""
    path = folder / "made.mp4"
    path.write_bytes(made)
    command = [str(tools.ffmpeg_path()), "-nostdin", "-i", str(path), "-i", str(source)]
    command += ["-lavfi", "[0:v]settb=AVTB,setpts=N[a];[1:v]settb=AVTB,setpts=N[b];[a][b]ssim"]
    done = subprocess.run([*command, "-f", "null", "-"], check=True, capture_output=True)
    said = _SSIM.search(done.stderr)
    if said is None:
        raise SystemExit(f"ffmpeg tells no SSIM: {done.stderr[-300:]!r}")
    return float(said[1])


if __name__ == "__main__":
    main()
