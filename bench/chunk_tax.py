"""What it costs to cut: all tasks of a source that was cut, over the same source encoded whole.

Both are the worker's own loop over a storage on loopback, in this process; CPU is user and system
of it and of all that it ran. A is whole, B in chunks of a minute, C in chunks of ten seconds: A B C
C B A, and so on, so that a machine that slows down slows all; medians of the ratios of one turn.
Beside each figure its limit: a chunk must decode from the keyframe before its interval, with the
margin of its plan, and nothing else is done twice.

    python -m bench.chunk_tax [pairs]
"""

import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

from local import tools
from mayfly.contract.recipe import Box, Recipe, VideoOutput
from mayfly.contract.settings import WorkerSettings
from tests.matrix.drive import Delivered, Driver
from tests.worker import store

Made = TypeVar("Made")

PAIRS = 5
#: Of chunks of a minute; for those of ten seconds the physical limit is further away.
LIMIT = 1.05
CHUNK_SECONDS = (60, 10)
SECONDS, GOP_SECONDS, RATE = 120, 2, 24
RECIPE = Recipe(outputs=(VideoOutput(box=Box(width=640, height=360), speed="medium"),))
THREADS = os.cpu_count() or 1


def main() -> None:
    """Prints a line for each turn, then one JSON line."""
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else PAIRS
    with tempfile.TemporaryDirectory(prefix="mayfly-bench-") as name, store.running() as running:
        folder = Path(name)
        source = make_source(folder)
        driver = Driver(running, settings(folder))
        taken: dict[int, list[float]] = {0: [], **{seconds: [] for seconds in CHUNK_SECONDS}}
        for turn in range(pairs):
            order = list(taken) if turn % 2 == 0 else list(taken)[::-1]
            for seconds in order:
                made, cpu = _measured(partial(_encoded, driver, source, seconds))
                taken[seconds].append(cpu)
                cut = f"{made.plan.chunks} chunks" if made.plan else "whole"
                print(f"{turn + 1}. {cut}: {cpu:.2f} s of CPU")
        margin = _margin_seconds(driver, source)
        decode = _measured(partial(_decode, source))[1] / SECONDS
    print(json.dumps(figure(taken, decode, margin)))


def figure(taken: dict[int, list[float]], decode: float, margin: float) -> dict[str, object]:
    """The line that programs read. `decode` in CPU seconds of a media second."""
    encode = statistics.median(taken[0]) / SECONDS
    tax = {
        seconds: round(
            statistics.median(cut / whole for cut, whole in zip(cpu, taken[0], strict=True)), 4
        )
        for seconds, cpu in taken.items()
        if seconds
    }
    early = margin + GOP_SECONDS / 2
    return {
        "metric": "chunked_cpu_over_whole",
        "value": tax[CHUNK_SECONDS[0]],
        "limit": LIMIT,
        "conditions": {
            "tax_by_chunk_seconds": tax,
            "physical_limit_by_chunk_seconds": {
                seconds: round(1 + early * decode / (seconds * encode), 4) for seconds in tax
            },
            "decode_over_encode": round(decode / encode, 4),
            "margin_seconds": margin,
            "cpu_seconds": {
                seconds: [round(one, 2) for one in cpu] for seconds, cpu in taken.items()
            },
            "spread_of_whole": round(max(taken[0]) / min(taken[0]), 3),
            "source": f"{SECONDS} s of 854x480 at {RATE} fps, keyframes {GOP_SECONDS} s apart",
            "recipe": "H.264 medium, crf 23, 640x360",
            "threads": THREADS,
            "python": platform.python_version(),
            "load": [round(load, 1) for load in os.getloadavg()],
        },
    }


def settings(folder: Path) -> WorkerSettings:
    """A worker's, of this machine."""
    return WorkerSettings(
        pool="standard",
        jobs_queue_url="http://127.0.0.1/jobs",
        done_queue_url="http://127.0.0.1/done",
        scratch=str(folder / "scratch"),
        threads=THREADS,
        memory_mib=4096,
        source_hosts=("127.0.0.1",),
        ffmpeg=str(tools.ffmpeg_path()),
        ffprobe=str(tools.ffprobe_path()),
    )


def make_source(folder: Path) -> Path:
    """A film with some grain, since without it an encode is unusually cheap."""
    path = folder / "source.mp4"
    picture = f"testsrc2=s=854x480:r={RATE}:d={SECONDS},noise=alls=6:allf=t"
    command = [
        str(tools.ffmpeg_path()), "-v", "error", "-nostdin", "-f", "lavfi", "-i", picture,
        "-f", "lavfi", "-i", f"sine=d={SECONDS}:r=48000", "-c:v", "libx264", "-preset", "veryfast",
        "-crf", "20", "-pix_fmt", "yuv420p", "-g", str(GOP_SECONDS * RATE), "-c:a", "aac",
        "-movflags", "+faststart", str(path),
    ]  # fmt: skip
    subprocess.run(command, check=True)
    return path


def _encoded(driver: Driver, source: Path, chunk_seconds: int) -> Delivered:
    made = driver.encode(source, RECIPE, chunk_seconds)
    if (made.plan is None) is not (chunk_seconds == 0):
        raise SystemExit(f"not cut as wanted: {made.whole}")
    return made


def _margin_seconds(driver: Driver, source: Path) -> float:
    plan = driver.encode(source, RECIPE, SECONDS // 2).plan
    assert plan is not None
    return plan.margin_seconds


def _decode(source: Path) -> None:
    command = [str(tools.ffmpeg_path()), "-v", "error", "-threads", str(THREADS)]
    subprocess.run([*command, "-i", str(source), "-map", "0:v", "-f", "null", "-"], check=True)


def _measured(act: Callable[[], Made]) -> tuple[Made, float]:
    before = _cpu_seconds()
    made = act()
    return made, _cpu_seconds() - before


def _cpu_seconds() -> float:
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)


if __name__ == "__main__":
    main()
