"""What a ladder costs over its parts: the worker's whole job of three sizes and their sound, over
one decode of the source and the sum of the encodes, each made by a command line of its own.

A is the worker's own loop over a storage on loopback, in this process, with its look at the source,
its proof and what it stores; B are the bare command lines that the same compiler writes for each
size alone, less the decode that each of them does again, and that of the sound. CPU is user and
system of this process and of all that it ran: A B A B, medians of the ratios of one turn. Less than
1 is what filters and decoder cost less when they are shared; 1.00 is the limit, 1.03 the aim.

    python -m bench.ladder_cost [turns [seconds]]
"""

import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

import msgspec

from bench.chunk_quality import CLIPS
from bench.chunk_tax import make_source, settings
from local import tools
from mayfly.contract.recipe import AudioOutput, Box, LadderOutput, Recipe, Rung
from mayfly.contract.settings import WorkerSettings
from tests.matrix.drive import Delivered, Driver
from tests.worker import store
from worker import preflight
from worker.compile import compile_plan
from worker.halt import Halt
from worker.opening import SOURCE
from worker.prober import Prober
from worker.promise import OUTPUTS

Made = TypeVar("Made")

TURNS = 5
LIMIT, AIM = 1.00, 1.03
CLIP = "big-buck-bunny-480p-30s.mp4"
LADDER = LadderOutput(
    rungs=tuple(
        Rung(box=Box(width=width, height=height), crf=23)
        for width, height in ((854, 480), (640, 360), (426, 240))
    ),
    speed="medium",
    segment_seconds=4,
)
#: The same encoder of the same sound, as a file of its own.
SOUND = AudioOutput(file="a.m4a")


def main() -> None:
    """Prints a line for each turn, then one JSON line."""
    turns = int(sys.argv[1]) if len(sys.argv) > 1 else TURNS
    taken: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory(prefix="mayfly-bench-") as name, store.running() as running:
        folder = Path(name)
        source = clip(folder, float(sys.argv[2]) if len(sys.argv) > 2 else None)
        worker = settings(folder)
        driver = Driver(running, worker)
        lines = alone(folder, source, worker)
        for turn in range(turns):
            steps = {"ladder": partial(encoded, driver, source)} | {
                name: partial(_run, line, folder) for name, line in lines.items()
            }
            order = list(steps) if turn % 2 == 0 else list(steps)[::-1]
            taken.append({name: measured(steps[name])[1] for name in order})
            print(f"{turn + 1}. " + ", ".join(f"{k} {v:.2f} s" for k, v in taken[-1].items()))
    print(json.dumps(figure(taken, source.name)))


def figure(taken: list[dict[str, float]], source: str) -> dict[str, object]:
    """The line that programs read."""
    return {
        "metric": "ladder_cpu_over_its_parts",
        "value": round(statistics.median(one["ladder"] / parts(one) for one in taken), 4),
        "limit": LIMIT,
        "aim": AIM,
        "conditions": {
            "cpu_seconds": {
                name: [round(one[name], 2) for one in taken] for name in sorted(taken[0])
            },
            "parts": [round(parts(one), 2) for one in taken],
            "source": source,
            "recipe": "H.264 medium, crf 23, 480, 360 and 240 lines, AAC",
            "threads": settings(Path()).threads,
            "python": platform.python_version(),
            "load": [round(load, 1) for load in os.getloadavg()],
        },
    }


def parts(one: dict[str, float]) -> float:
    """CPU seconds of one decode and of each encode without it."""
    sizes = [cpu - one["decode"] for name, cpu in one.items() if name.startswith("size")]
    return one["decode"] + sum(sizes) + one["sound"]


def clip(folder: Path, seconds: float | None) -> Path:
    """The real clip, as much of it as is wanted; without it, a film that is made with grain."""
    found = Path(os.environ.get("MAYFLY_MEDIA") or CLIPS) / CLIP
    if not found.is_file():
        return make_source(folder)
    if seconds is None:
        return found
    path = folder / CLIP
    command = [str(tools.ffmpeg_path()), "-v", "error", "-nostdin", "-i", str(found)]
    command += ["-t", str(seconds), "-c", "copy", "-movflags", "+faststart", str(path)]
    subprocess.run(command, check=True)
    return path


def encoded(driver: Driver, source: Path) -> Delivered:
    """The ladder, whole."""
    return driver.encode(source, Recipe(outputs=(LADDER,)), 0)


def alone(folder: Path, source: Path, worker: WorkerSettings) -> dict[str, list[str]]:
    """The command line of each part, by name."""
    for name in (Path(SOURCE).parent.name, OUTPUTS):
        (folder / name).mkdir(exist_ok=True)
    (folder / SOURCE).write_bytes(source.read_bytes())
    threads = ("-threads", str(worker.threads))
    decode = [worker.ffmpeg, "-v", "error", *threads, "-i", SOURCE, "-map", "0:v", "-f", "null"]
    lines = {"decode": [*decode, "-"], "sound": _line(Recipe(outputs=(SOUND,)), folder, worker)}
    for rung in LADDER.rungs:
        only = msgspec.structs.replace(LADDER, rungs=(rung,), audio=None)
        lines[f"size {rung.box.height}"] = _line(Recipe(outputs=(only,)), folder, worker)
    return lines


def _line(recipe: Recipe, folder: Path, worker: WorkerSettings) -> list[str]:
    prober, halt = Prober(worker.ffprobe), Halt()
    probe = prober.probe(SOURCE, folder=folder, halt=halt)
    scan = prober.scan(SOURCE, probe, folder=folder, halt=halt)
    material = preflight.check_scan(probe, scan, recipe)
    plan = compile_plan(recipe, material, ffmpeg_path=worker.ffmpeg, threads=worker.threads)
    return list(plan.argv)


def _run(line: list[str], folder: Path) -> None:
    subprocess.run(line, cwd=folder, check=True, capture_output=True)


def measured(act: Callable[[], Made]) -> tuple[Made, float, float]:
    """What was made, CPU seconds and wall seconds."""
    cpu, wall = _cpu_seconds(), time.monotonic()
    made = act()
    return made, _cpu_seconds() - cpu, time.monotonic() - wall


def _cpu_seconds() -> float:
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)


if __name__ == "__main__":
    main()
