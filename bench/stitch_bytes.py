"""What goes through the machine that joins a film: bytes that the finish fetches over those of what
is delivered, for an MP4 and for an HLS ladder of the same clip.

The worker's own loop does every part of a source that was cut, over queues in memory and a storage
on loopback that counts; URLs are as long as AWS's. An MP4 is fetched once, since its fragments are
copied into one file; of a ladder only lists are.

    python -m bench.stitch_bytes [clip] [chunk seconds]
"""

import hashlib
import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec

from local import tools
from mayfly.contract import packed, report, wire
from mayfly.contract.plan import Plan
from mayfly.contract.presets import all_presets
from mayfly.contract.recipe import Recipe
from mayfly.contract.settings import WorkerSettings
from mayfly.contract.task import Fetch, Input, Inputs, PostForm, Source, Task
from mayfly.core import parts
from mayfly.memory.clock import SeededDice, VirtualClock
from mayfly.memory.queue import MemoryQueue
from worker.agent import Identity, NoAgent, Protection
from worker.control import HttpControlReader
from worker.encode import Encoding
from worker.http import HostRule
from worker.loop import Loop
from worker.stop import Stop

#: Of the MP4 each byte once; of the ladder a thousandth.
LIMITS = {"hls": 0.001, "mp4": 1.1}
RECIPES = {"hls": "web-hls", "mp4": "mp4-720p"}
#: Of a ladder of 480 lines on two processors: what eight seconds of work are, the least of a chunk.
CHUNK_SECONDS = 15
#: A signed URL of a role's session: its token has a thousand characters.
_TOKEN = "".join(hashlib.sha256(bytes([number])).hexdigest() for number in range(16))
_QUERY = f"X-Amz-Security-Token={_TOKEN}"


def main() -> None:
    """Prints one JSON line."""
    clip = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    seconds = int(sys.argv[2]) if len(sys.argv) > 2 else CHUNK_SECONDS
    with tempfile.TemporaryDirectory(prefix="mayfly-bench-") as name:
        source = (clip or make_clip(Path(name))).read_bytes()
        found = {}
        for kind, preset in RECIPES.items():
            with storage() as store:
                recipe = all_presets()[preset].recipe
                found[kind] = Job(store, Path(name), source, recipe, seconds).run()
    print(json.dumps(figure(found, clip, seconds)))


def figure(found: dict[str, dict[str, int]], clip: Path | None, seconds: int) -> dict[str, Any]:
    """The line that programs read."""
    ratios = {kind: one["fetched"] / one["delivered"] for kind, one in found.items()}
    return {
        "metric": "stitch_bytes_over_output_bytes",
        "value": round(ratios["hls"], 6),
        "limit": LIMITS["hls"],
        "conditions": {
            "mp4": round(ratios["mp4"], 4),
            "mp4_limit": LIMITS["mp4"],
            "bytes": found,
            "chunk_seconds": seconds,
            "clip": clip.name if clip else "60 s of 1280x720 at 30 frames a second, with grain",
            "presets": RECIPES,
        },
    }


def make_clip(folder: Path) -> Path:
    """A film with some grain, since without it a ladder is unusually small."""
    path = folder / "clip.mp4"
    picture = "testsrc2=s=1280x720:r=30:d=60,noise=alls=4:allf=t"
    command = [
        str(tools.ffmpeg_path()), "-v", "error", "-nostdin", "-f", "lavfi", "-i", picture,
        "-f", "lavfi", "-i", "sine=d=60:r=48000", "-c:v", "libx264", "-preset", "ultrafast",
        "-crf", "20", "-pix_fmt", "yuv420p", "-g", "60", "-c:a", "aac", "-ac", "2", str(path),
    ]  # fmt: skip
    subprocess.run(command, check=True)
    return path


class Store:
    """Objects by key, and how many bytes were fetched."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.fetched = 0
        self.url = ""

    def get(self, key: str) -> Fetch:
        """A signed GET."""
        signature = hashlib.sha256(key.encode()).hexdigest()
        return Fetch(url=f"{self.url}/{key}?{_QUERY}&X-Amz-Signature={signature}")


class Job:
    """One source on one worker, part after part."""

    def __init__(
        self, store: Store, folder: Path, source: bytes, recipe: Recipe, seconds: int
    ) -> None:
        self._store, self._recipe = store, recipe
        store.objects["source"] = source
        self._clock = _Clock()
        self._jobs = MemoryQueue(self._clock, name="jobs")
        self._done = MemoryQueue(self._clock, name="done")
        self._settings = WorkerSettings(
            pool="standard", jobs_queue_url="", done_queue_url="", scratch=str(folder / "scratch"),
            threads=2, memory_mib=4096, source_hosts=("127.0.0.1",), chunk_seconds=seconds,
            ffmpeg=str(tools.ffmpeg_path()), ffprobe=str(tools.ffprobe_path()),
        )  # fmt: skip

    def run(self) -> dict[str, int]:
        """What the finish fetched, and what is delivered."""
        first = parts.Part(task_id="encode", kind="encode", number=0)
        said = self._do(first)
        plan = next((one.plan for one in said if isinstance(one, report.Planned)), None)
        if plan is None:
            raise SystemExit(f"the clip was not cut: {_last(said).note or 'it is too short'}")
        brought = {first.task_id: _last(said)}
        known = [parts.part(plan, index) for index in range(parts.count(plan))]
        for part in known[1:]:
            brought[part.task_id] = _last(self._do(part, plan))
        self._store.objects["inputs.json"] = self._inputs(known, brought)
        self._store.fetched = 0
        finish = parts.Part(task_id="finish", kind="finish", number=0)
        done = _last(self._do(finish, plan))
        return {
            "fetched": self._store.fetched,
            "delivered": sum(one.size_bytes for one in done.outputs),
            "chunks": plan.chunks,
        }

    def _inputs(self, known: list[parts.Part], brought: dict[str, report.Encoded]) -> bytes:
        known = sorted(known, key=lambda part: (part.kind != "chunk", part.number))
        listed = tuple(
            Input(
                kind=part.kind,
                number=part.number,
                file=one.file,
                fetch=self._store.get(one.key),
                size_bytes=one.size_bytes,
                sha256=one.sha256,
                key=one.key,
                scope=part.scope,
            )
            for part in known
            for one in brought[part.task_id].outputs
        )
        return packed.pack(wire.encode(Inputs(parts=listed)))

    def _do(self, part: parts.Part, plan: Plan | None = None) -> list[report.Report]:
        """What a worker says of a part."""
        prefix = f"work/job/{part.task_id}/"
        form = PostForm(url=self._store.url, fields={}, key_prefix=prefix, size_bytes_max=10**9)
        task = Task(
            kind=part.kind,
            job_id="job",
            task_id=part.task_id,
            token="token",  # noqa: S106 - nobody's
            source=Source(
                fetch=self._store.get("source"), size_bytes=len(self._store.objects["source"])
            ),
            recipe=self._recipe,
            upload=form,
            scope=part.scope,
            plan_clock=plan.clock if plan else None,
            track=part.number if part.kind == "audio" else None,
            inputs=self._store.get("inputs.json") if part.kind == "finish" else None,
        )
        self._jobs.send(msgspec.json.encode(task))
        stop = Stop()
        Loop(
            pool="standard",
            jobs=_Once(self._jobs, stop),
            done=self._done,
            control=HttpControlReader(HostRule(("127.0.0.1",))),
            work=Encoding(settings=self._settings),
            protection=Protection(NoAgent(), self._clock),
            identity=Identity(worker="bench", service="bench"),
            clock=self._clock,
            dice=SeededDice(1),
            stop=stop,
        ).run()
        return [report.read_report(one.body) for one in self._heard()]

    def _heard(self) -> Iterator[Any]:
        while messages := self._done.receive(wait_seconds=0, limit=10):
            for message in messages:
                self._done.delete(message.handle)
                yield message


class _Clock(VirtualClock):
    """Virtual time that is monotonic, too."""

    def monotonic(self) -> float:
        """Stands still."""
        return self.now()


class _Once:
    """The jobs queue, which ends its reader when it is empty."""

    def __init__(self, queue: MemoryQueue, stop: Stop) -> None:
        self._queue, self._stop = queue, stop

    def receive(self, *, wait_seconds: int, limit: int = 1) -> Any:  # noqa: ARG002 - it waits for nobody
        """What there is."""
        messages = self._queue.receive(wait_seconds=0, limit=limit)
        if not messages:
            self._stop.ask()
        return messages

    def __getattr__(self, name: str) -> Any:
        return getattr(self._queue, name)


def _last(said: list[report.Report]) -> report.Encoded:
    last = said[-1]
    if not isinstance(last, report.Encoded):
        raise SystemExit(f"the worker said {last}")
    return last


@contextmanager
def storage() -> Iterator[Store]:
    """Gives and takes objects while inside."""
    store = Store()

    class Handler(BaseHTTPRequestHandler):
        """One request."""

        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            whole = store.objects.get(self.path.partition("?")[0].removeprefix("/"))
            if whole is None:
                return self._answer(404, b"")
            span = self.headers.get("Range", "")
            start, _, end = span.removeprefix("bytes=").partition("-")
            body = whole[int(start or 0) : int(end) + 1 if end else None]
            store.fetched += len(body)
            at = f"bytes {start}-{int(start or 0) + len(body) - 1}/{len(whole)}"
            return self._answer(206 if span else 200, body, at if span else "")

        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            boundary = self.headers["Content-Type"].partition("boundary=")[2].encode()
            fields = content.split(b"\r\n\r\n", 2)
            key = fields[1].partition(b"\r\n")[0].decode()
            store.objects[key] = fields[2].rpartition(b"\r\n--" + boundary)[0]
            self._answer(204, b"")

        def _answer(self, status: int, body: bytes, span: str = "") -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            if span:
                self.send_header("Content-Range", span)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    store.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield store
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


if __name__ == "__main__":
    main()
