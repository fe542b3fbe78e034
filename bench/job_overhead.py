"""What the worker costs on top of ffmpeg: one whole job over the bare encode.

A is `python -m worker`, from its start to its exit, doing one 60 s 720p task: an SQS on loopback,
the source by GET and the output by POST from and to a storage on loopback. B is ffmpeg with the
same options, from disk to disk. Both in one run, one after the other in turns, so that a machine
that slows down slows both; medians. CPU is user and system of the process and all it ran; wall is
from the message's sending to the report `encoded`, to a worker that waits.

    python -m bench.job_overhead [rounds]
"""

import json
import os
import platform
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec

from local import embedded, tools
from mayfly.contract.presets import all_presets
from mayfly.contract.settings import WorkerSettings
from worker import preflight
from worker.compile import compile_plan
from worker.halt import Halt
from worker.opening import SOURCE
from worker.prober import Prober

ROUNDS = 3
CPU_LIMIT, WALL_LIMIT = 1.03, 1.10
PRESET = "mp4-720p"
THREADS = os.cpu_count() or 1
#: Chatter of ours that a person at a terminal would not ask for.
_OURS = {"-progress": 2, "-stats_period": 2, "-v": 2}
_CHUNK_BYTES = 1 << 18


def main() -> None:
    """Prints a line for each turn, then one JSON line."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    with tempfile.TemporaryDirectory(prefix="mayfly-bench-") as name:
        folder = Path(name)
        source = make_source(folder)
        with embedded.start(folder / "aws") as aws, storage(source) as url:
            bare_argv = bare(folder, source)
            turns: dict[str, list[tuple[float, ...]]] = {"worker": [], "ffmpeg": []}
            for turn in range(rounds):
                turns["worker"].append(run_worker(aws, folder, source, url))
                turns["ffmpeg"].append(run_bare(bare_argv, folder))
                for who, taken in turns.items():
                    print(f"{turn + 1}. {who}: {taken[-1][0]:.2f} s of CPU, {taken[-1][1]:.2f} s")
    print(json.dumps(figure(turns)))


def figure(turns: dict[str, list[tuple[float, ...]]]) -> dict[str, Any]:
    """The line that programs read."""
    cpu, wall = (
        statistics.median(
            ours[index] / theirs[index]
            for ours, theirs in zip(turns["worker"], turns["ffmpeg"], strict=True)
        )
        for index in (0, 1)
    )
    return {
        "metric": "worker_cpu_over_bare_ffmpeg",
        "value": round(cpu, 4),
        "limit": CPU_LIMIT,
        "conditions": {
            "wall_over_bare_ffmpeg": round(wall, 4),
            "wall_limit": WALL_LIMIT,
            "cpu_seconds": {who: [round(turn[0], 2) for turn in t] for who, t in turns.items()},
            "wall_seconds": {who: [round(turn[1], 2) for turn in t] for who, t in turns.items()},
            # Python, fetch, probe, scan, proof, delivery and reports: no noise of the encode in it.
            "cpu_seconds_beside_the_encode": [round(turn[2], 2) for turn in turns["worker"]],
            "source": "60 s of 1280x720 at 30 frames a second (testsrc2 with grain), stereo",
            "preset": PRESET,
            "threads": THREADS,
            "rounds": len(turns["worker"]),
            "python": platform.python_version(),
            "load": [round(load, 1) for load in os.getloadavg()],
        },
    }


def make_source(folder: Path) -> Path:
    """A film with some grain, since without it an encode is unusually cheap."""
    path = folder / SOURCE
    path.parent.mkdir()
    (folder / "out").mkdir()
    picture = "testsrc2=s=1280x720:r=30:d=60,noise=alls=4:allf=t"
    command = [
        str(tools.ffmpeg_path()), "-v", "error", "-nostdin", "-f", "lavfi", "-i", picture,
        "-f", "lavfi", "-i", "sine=d=60:r=48000", "-c:v", "libx264", "-preset", "ultrafast",
        "-crf", "20", "-pix_fmt", "yuv420p", "-g", "60", "-c:a", "aac", "-ac", "2",
        "-movflags", "+faststart", "-f", "mp4", str(path),
    ]  # fmt: skip
    subprocess.run(command, check=True)
    return path


def bare(folder: Path, source: Path) -> list[str]:
    """The worker's own command line without its chatter."""
    prober, halt = Prober(str(tools.ffprobe_path())), Halt()
    probe = prober.probe(SOURCE, folder=folder, halt=halt)
    scan = prober.scan(SOURCE, probe, folder=folder, halt=halt)
    recipe = all_presets()[PRESET].recipe
    material = preflight.check_scan(probe, scan, recipe)
    assert source.is_file()
    argv = compile_plan(
        recipe, material, ffmpeg_path=str(tools.ffmpeg_path()), threads=THREADS
    ).argv
    kept, skip = [], 0
    for part in argv:
        skip = _OURS.get(part, skip)
        if skip:
            skip -= 1
            continue
        kept.append(part)
    return [*kept, "-v", "error"]


def run_bare(argv: Sequence[str], folder: Path) -> tuple[float, float]:
    """CPU and wall seconds."""
    began = time.monotonic()
    process = subprocess.Popen(argv, cwd=folder, stdout=subprocess.DEVNULL)
    return _reaped(process), time.monotonic() - began


def run_worker(
    aws: embedded.EmbeddedAws, folder: Path, source: Path, url: str
) -> tuple[float, float, float]:
    """CPU and wall seconds, and the CPU seconds that were not the encode's."""
    sqs = aws.client("sqs")
    unique = f"{time.monotonic_ns()}"
    jobs, done = (
        sqs.create_queue(QueueName=f"{name}-{unique}")["QueueUrl"] for name in ("jobs", "done")
    )
    settings = WorkerSettings(
        pool="standard",
        jobs_queue_url=jobs,
        done_queue_url=done,
        scratch=str(folder / "scratch"),
        threads=THREADS,
        memory_mib=4096,
        source_hosts=("127.0.0.1",),
        ffmpeg=str(tools.ffmpeg_path()),
        ffprobe=str(tools.ffprobe_path()),
    )
    log = folder / "worker.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "worker"],
            env={**settings.to_env(), **aws.environment, "PATH": os.defpath},
            stderr=out,
        )
    while b"waits for tasks" not in log.read_bytes():
        time.sleep(0.05)
    began = time.monotonic()
    sqs.send_message(QueueUrl=jobs, MessageBody=json.dumps(task(url, source)))
    encode_cpu = wait_for_end(sqs, done, log)
    wall = time.monotonic() - began
    process.send_signal(signal.SIGTERM)
    cpu = _reaped(process)
    return cpu, wall, cpu - encode_cpu


def wait_for_end(sqs: Any, done: str, log: Path) -> float:
    """Until the report `encoded`; the encode's CPU seconds."""
    while True:
        answer = sqs.receive_message(QueueUrl=done, WaitTimeSeconds=5, MaxNumberOfMessages=10)
        for message in answer.get("Messages", ()):
            said = json.loads(message["Body"])
            kind = said["type"]
            if kind in ("failed", "interrupted"):
                raise SystemExit(f"the worker {kind}: {message['Body']}\n{log.read_text()}")
            if kind == "encoded":
                return float(said["cpu_seconds"])


def task(url: str, source: Path) -> dict[str, Any]:
    """As Mayfly's dispatcher writes it."""
    prefix = "work/job/encode/"
    return {
        "kind": "encode",
        "job_id": "job",
        "task_id": "encode",
        "token": "token",
        "source": {"fetch": {"url": f"{url}/source"}, "size_bytes": source.stat().st_size},
        "recipe": msgspec.to_builtins(all_presets()[PRESET].recipe),
        "upload": {
            "by": "post",
            "url": f"{url}/bucket",
            "fields": {"policy": "none"},
            "key_prefix": prefix,
            "size_bytes_max": 10**9,
        },
        "control": {"url": f"{url}/control"},
        "grants_end_at": time.time() + 2700,
    }


@contextmanager
def storage(source: Path) -> Iterator[str]:
    """Gives the source and takes outputs, in this process, whose CPU is not counted."""

    class Handler(BaseHTTPRequestHandler):
        """One request."""

        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if not self.path.startswith("/source"):
                return self._answer(404)
            self.send_response(200)
            self.send_header("Content-Length", str(source.stat().st_size))
            self.end_headers()
            with source.open("rb") as file:
                while chunk := file.read(_CHUNK_BYTES):
                    self.wfile.write(chunk)
            return None

        def do_POST(self) -> None:
            left = int(self.headers["Content-Length"])
            while left and (chunk := self.rfile.read(min(left, _CHUNK_BYTES))):
                left -= len(chunk)
            self._answer(204)

        def _answer(self, status: int) -> None:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _reaped(process: "subprocess.Popen[bytes]") -> float:
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{process.args!r} ended with {process.returncode}")
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
