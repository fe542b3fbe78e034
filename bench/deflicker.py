"""How much flicker is left, and how near pictures come to what they were before it: by our own
gains and by ffmpeg's `deflicker`, on real clips to which a known flicker is added.

Two hundred small pictures of each clip are made to grow lighter, as a morning does (that is the
truth), and then each lighter or darker by a random factor of 7 % (that is what a camera brought).
Whatever evens that out is held against the truth, picture by picture.

    python -m bench.deflicker [folder of clips]
"""

import json
import math
import os
import platform
import random
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from bench.chunk_quality import CLIPS
from local import tools
from worker import luma
from worker.lapse_plan import Place
from worker.picture import Size

CANVAS = Size(320, 180)
PICTURES, FLICKER = 200, 0.07
THEIRS = ("size=5", "size=9", "size=25")
LIMIT = 1.0
#: Films begin in black, of which nothing can be said.
_BEGIN_SECONDS = 3
_STRIDE = 37


def main() -> None:
    """Prints a line for each clip and way, then one JSON line."""
    clips = Path(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("MAYFLY_MEDIA") or CLIPS)
    found: dict[str, dict[str, dict[str, float]]] = {}
    for clip in sorted(clips.glob("*.mp4")):
        truth, flickering = _made(clip)
        levels = _levels(flickering)
        ways = {"as taken": flickering}
        ways["ours"] = [
            luma.brightened(picture, CANVAS, gain)
            for picture, gain in zip(flickering, luma.gains(levels), strict=True)
        ]
        ways |= {theirs: _theirs(flickering, theirs) for theirs in THEIRS}
        found[clip.name] = {name: _held(pictures, truth) for name, pictures in ways.items()}
        for name, figures in found[clip.name].items():
            print(f"{clip.name}: {name}: {figures}")
    if not found:
        print("There are no clips: name a folder of MP4s, or set MAYFLY_MEDIA.", file=sys.stderr)
    over = [
        ways["ours"]["error"] / min(ways[theirs]["error"] for theirs in THEIRS)
        for ways in found.values()
    ]
    print(
        json.dumps(
            {
                "metric": "error_over_ffmpegs_deflicker_at_its_best",
                "value": round(max(over), 3) if over else None,
                "limit": LIMIT,
                "conditions": {
                    "clips": found,
                    "flicker": FLICKER,
                    "pictures": PICTURES,
                    "window": luma.WINDOW,
                    "python": platform.python_version(),
                },
            }
        )
    )


def _made(clip: Path) -> tuple[list[bytes], list[bytes]]:
    """What was, and what a camera brought."""
    command = [
        str(tools.ffmpeg_path()), "-v", "error", "-nostdin", "-ss", str(_BEGIN_SECONDS),
        "-i", str(clip), "-vf", f"scale={CANVAS.width}:{CANVAS.height},format=yuv420p",
        "-frames:v", str(PICTURES), "-f", "rawvideo", "pipe:1",
    ]  # fmt: skip
    pictures = _cut(subprocess.run(command, check=True, capture_output=True).stdout)
    chance = random.Random(3)  # noqa: S311 - a flicker that is always the same
    truth = [
        luma.brightened(picture, CANVAS, 0.45 + 0.5 * number / len(pictures))
        for number, picture in enumerate(pictures)
    ]
    factors = [math.exp(chance.gauss(0, FLICKER)) for _ in truth]
    return truth, [luma.brightened(p, CANVAS, f) for p, f in zip(truth, factors, strict=True)]


def _theirs(pictures: Sequence[bytes], options: str) -> list[bytes]:
    command = [
        str(tools.ffmpeg_path()), "-v", "error", "-nostdin", "-f", "rawvideo",
        "-pix_fmt", "yuv420p", "-s", f"{CANVAS.width}x{CANVAS.height}", "-i", "pipe:0",
        "-vf", f"deflicker={options}", "-f", "rawvideo", "pipe:1",
    ]  # fmt: skip
    raw = b"".join(picture[len(luma.first_line(CANVAS)) :] for picture in pictures)
    return _cut(subprocess.run(command, check=True, input=raw, capture_output=True).stdout)


def _held(pictures: Sequence[bytes], truth: Sequence[bytes]) -> dict[str, float]:
    """Flicker that is left from one picture to the next, how far brightness is off, both as shares;
    and the root of the mean square of what is wrong with a pixel, of 255."""
    off = [
        math.log(max(a, 1.0) / max(b, 1.0))
        for a, b in zip(_levels(pictures), _levels(truth), strict=True)
    ]
    begin, end = (
        len(luma.first_line(CANVAS)),
        len(luma.first_line(CANVAS)) + CANVAS.width * CANVAS.height,
    )
    squares = [
        (a - b) ** 2
        for got, was in zip(pictures, truth, strict=True)
        for a, b in zip(got[begin:end:_STRIDE], was[begin:end:_STRIDE], strict=True)
    ]
    error = _root(squares)
    return {
        "left": round(_root([(b - a) ** 2 for a, b in pairwise(off)]), 4),
        "off": round(_root([one**2 for one in off]), 4),
        "error": round(error, 3),
        "psnr": round(20 * math.log10(255 / max(error, 1e-6)), 1),
    }


def _root(squares: Sequence[float]) -> float:
    return math.sqrt(sum(squares) / len(squares))


def _levels(pictures: Sequence[bytes]) -> list[float]:
    with tempfile.TemporaryDirectory(prefix="mayfly-bench-") as name:
        path, found = Path(name) / "picture", []
        for picture in pictures:
            path.write_bytes(picture)
            found.append(luma.brightness(path, CANVAS, Place(size=CANVAS)))
    return found


def _cut(raw: bytes) -> list[bytes]:
    size = CANVAS.width * CANVAS.height * 3 // 2
    return [luma.first_line(CANVAS) + raw[at : at + size] for at in range(0, len(raw), size)]


if __name__ == "__main__":
    main()
