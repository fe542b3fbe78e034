"""What a film of photographs costs: the worker's whole job over one bare ffmpeg that reads the same
files in the same order and writes the same film.

The bare command is what a person would type, and is told what the worker has to find out: order,
size, that all are of one kind and whole. Beside it the worker opens each photograph in a program of
its own, keeps what is between without loss, measures and evens out brightness, and proves the film.
CPU is user and system of the process and all that it ran, the storage on loopback included.

    python -m bench.timelapse [photographs]
"""

import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec

from bench.chunk_tax import THREADS, settings
from local import tools
from mayfly.contract import report, wire
from mayfly.contract.photographs import Photograph, Photographs
from mayfly.contract.presets import all_presets
from mayfly.contract.task import Fetch
from tests.worker import store
from tests.worker.conftest import Rig

PHOTOGRAPHS, SIZE = 300, "4000x3000"
#: The preset's film, without its poster; `deflicker` is on in both measures of it.
PRESET = "timelapse"
LIMIT = 2.0


def main() -> None:
    """Prints what it does, then one JSON line."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else PHOTOGRAPHS
    with tempfile.TemporaryDirectory(prefix="mayfly-bench-") as name, store.running() as running:
        folder = Path(name)
        paths = _photographs(folder, count)
        source_bytes = sum(path.stat().st_size for path in paths)
        print(f"{count} photographs of {SIZE}, {source_bytes / 1e6:.0f} MB")
        bare_cpu, bare_wall = _taken(lambda: _bare(folder))
        print(f"bare ffmpeg: {bare_cpu:.1f} s of CPU, {bare_wall:.1f} s")
        for path in paths:
            running.objects[path.name] = path.read_bytes()
        rig = Rig(running, settings(folder))
        _put(rig, paths)
        said: list[report.Report] = []
        cpu, wall = _taken(lambda: said.extend(rig.run_once()))
        done = said[-1]
        if not isinstance(done, report.Encoded):
            raise SystemExit(f"the worker did not make it: {done}")
    film = done.outputs[0]
    print(
        json.dumps(
            {
                "metric": "timelapse_cpu_over_bare_ffmpeg",
                "value": round(cpu / bare_cpu, 3),
                "limit": LIMIT,
                "conditions": {
                    "cpu_seconds": round(cpu, 2),
                    "cpu_seconds_a_photograph": round(cpu / count, 3),
                    "wall_seconds": round(wall, 2),
                    "bare_cpu_seconds": round(bare_cpu, 2),
                    "bare_wall_seconds": round(bare_wall, 2),
                    "photographs": count,
                    "source_bytes": source_bytes,
                    "film_bytes": film.size_bytes,
                    "frames": film.media.frames,
                    "size": f"{film.media.width}x{film.media.height}",
                    "note": done.note,
                    "photographs_of": SIZE,
                    "threads": THREADS,
                    "python": platform.python_version(),
                    "load": [round(load, 1) for load in os.getloadavg()],
                },
            }
        )
    )


def _photographs(folder: Path, count: int) -> list[Path]:
    """With grain, as cameras have it: without, a JPEG is unusually cheap."""
    graph = (
        f"testsrc2=s={SIZE}:r=24,noise=alls=14:allf=t,eq=brightness='0.03*sin(n*1.7)':eval=frame"
    )
    command = [
        str(tools.ffmpeg_path()), "-v", "error", "-nostdin", "-f", "lavfi", "-i", graph,
        "-frames:v", str(count), "-q:v", "4", "-pix_fmt", "yuvj420p", str(folder / "IMG_%05d.jpg"),
    ]  # fmt: skip
    subprocess.run(command, check=True)
    return sorted(folder.glob("IMG_*.jpg"))


def _bare(folder: Path) -> None:
    command = [
        str(tools.ffmpeg_path()), "-v", "error", "-nostdin", "-y", "-framerate", "24",
        "-threads", str(THREADS), "-i", str(folder / "IMG_%05d.jpg"),
        "-vf", "scale=1440:1080:flags=bicubic:out_color_matrix=bt709:out_range=tv,format=yuv420p",
        "-c:v", "libx264", "-crf", "20", "-preset", "medium", "-threads", str(THREADS),
        "-movflags", "+faststart", str(folder / "bare.mp4"),
    ]  # fmt: skip
    subprocess.run(command, check=True)


def _put(rig: Rig, paths: list[Path]) -> None:
    roll = Photographs(
        photographs=tuple(
            Photograph(
                name=path.name,
                fetch=Fetch(url=rig.bucket.url(path.name)),
                size_bytes=path.stat().st_size,
            )
            for path in paths
        )
    )
    recipe: dict[str, Any] = msgspec.to_builtins(all_presets()[PRESET].recipe)
    recipe["outputs"] = recipe["outputs"][:1]
    task = rig.task(wire.encode(roll), recipe=recipe)
    fetch = task["source"]["fetch"]
    rig.put({**task, "source": {"fetch": fetch}, "inputs": fetch})


def _taken(work: Any) -> tuple[float, float]:
    """CPU and wall seconds."""

    def cpu() -> float:
        kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
        return sum(u.ru_utime + u.ru_stime for u in map(resource.getrusage, kinds))

    before, began = cpu(), time.monotonic()
    work()
    return cpu() - before, time.monotonic() - began


if __name__ == "__main__":
    main()
