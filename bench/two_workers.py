"""How much sooner two workers are done than one: wall seconds of one worker on one processor over
those of two on two, for one source that is cut.

Real workers (`python -m worker`), each bound to a processor and encoding with one thread, from an
SQS and a storage on loopback. What orders their tasks is this program, in place of the functions,
so that the figure is that of cutting, encoding, proving and joining. The limit is below 2: looking,
cutting and joining is one worker's, and the last chunk is waited for.

    python -m bench.two_workers [rounds]
"""

import contextlib
import json
import os
import platform
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from bench.chunk_tax import RECIPE, make_source, settings
from local import embedded
from mayfly.contract import report, wire
from mayfly.contract.plan import Plan
from mayfly.contract.settings import WorkerSettings
from mayfly.contract.task import Fetch, Input, Inputs
from mayfly.core import parts
from tests.worker import store

ROUNDS = 3
AIM = 1.85
CHUNK_SECONDS = 10
GRANT_SECONDS = 2700


def main() -> None:
    """Prints a line for each turn, then one JSON line."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    if len(os.sched_getaffinity(0)) < 2:
        raise SystemExit("Two workers need two processors.")
    walls: dict[int, list[float]] = {1: [], 2: []}
    with tempfile.TemporaryDirectory(prefix="mayfly-bench-") as name, store.running() as bucket:
        folder = Path(name)
        source = make_source(folder)
        with embedded.start(folder / "aws") as aws:
            for turn in range(rounds):
                for count in (1, 2) if turn % 2 == 0 else (2, 1):
                    walls[count].append(_Job(aws, bucket, folder, source.read_bytes()).run(count))
                    print(f"{turn + 1}. {count} workers: {walls[count][-1]:.2f} s")
    print(json.dumps(figure(walls)))


def figure(walls: dict[int, list[float]]) -> dict[str, object]:
    """The line that programs read."""
    ratios = [one / two for one, two in zip(walls[1], walls[2], strict=True)]
    return {
        "metric": "one_worker_over_two",
        "value": round(statistics.median(ratios), 3),
        "limit": AIM,
        "conditions": {
            "physical_limit": 2.0,
            "wall_seconds": {
                count: [round(one, 2) for one in all_] for count, all_ in walls.items()
            },
            "chunk_seconds": CHUNK_SECONDS,
            "source": "120 s of 854x480 at 24 frames a second, to 640x360, medium",
            "python": platform.python_version(),
            "load": [round(load, 1) for load in os.getloadavg()],
        },
    }


class _Job:
    """One source, its queues and its workers."""

    def __init__(
        self, aws: embedded.EmbeddedAws, bucket: store.Store, folder: Path, source: bytes
    ) -> None:
        self._aws, self._bucket, self._folder = aws, bucket, folder
        self._sqs = aws.client("sqs")
        unique = time.monotonic_ns()
        self._jobs, self._done = (
            self._sqs.create_queue(QueueName=f"{name}-{unique}")["QueueUrl"]
            for name in ("jobs", "done")
        )
        bucket.objects.clear()
        bucket.objects["source"] = source
        self._plan: Plan | None = None
        self._brought: dict[str, report.Encoded] = {}

    def run(self, count: int) -> float:
        """Wall seconds, from the first task to the word that all is joined."""
        with contextlib.ExitStack() as running:
            for number in range(count):
                running.enter_context(self._worker(number))
            began = time.monotonic()
            self._send(parts.Part(task_id=parts.FIRST_TASK, kind="encode", number=0))
            while parts.FINISH_TASK not in self._brought:
                self._hear()
            return time.monotonic() - began

    @contextlib.contextmanager
    def _worker(self, number: int) -> Iterator[None]:
        """A process, on a processor of its own, that waits for tasks."""
        processor = sorted(os.sched_getaffinity(0))[number]
        log = self._folder / f"worker-{number}.log"
        its: WorkerSettings = msgspec.structs.replace(
            settings(self._folder),
            jobs_queue_url=self._jobs,
            done_queue_url=self._done,
            scratch=str(self._folder / f"scratch-{number}"),
            threads=1,
            workers_max=2,
            chunk_seconds=CHUNK_SECONDS,
        )
        with log.open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", "worker"],
                env={**its.to_env(), **self._aws.environment, "PATH": os.defpath},
                stderr=out,
            )
        os.sched_setaffinity(process.pid, {processor})
        while b"waits for tasks" not in log.read_bytes():
            time.sleep(0.05)
        try:
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()

    def _hear(self) -> None:
        answer = self._sqs.receive_message(
            QueueUrl=self._done, WaitTimeSeconds=5, MaxNumberOfMessages=10
        )
        for message in answer.get("Messages", ()):
            self._sqs.delete_message(QueueUrl=self._done, ReceiptHandle=message["ReceiptHandle"])
            said = report.read_report(message["Body"])
            match said:
                case report.Planned():
                    self._plan = said.plan
                    for index in range(1, parts.count(said.plan)):
                        self._send(parts.part(said.plan, index))
                case report.Encoded():
                    self._brought[said.task_id] = said
                    if self._plan and len(self._brought) == parts.count(self._plan):
                        self._send(parts.Part(task_id=parts.FINISH_TASK, kind="finish", number=0))
                case report.Failed() | report.Interrupted():
                    raise SystemExit(f"a worker says: {said}")

    def _send(self, part: parts.Part) -> None:
        prefix = f"work/job/{part.task_id}/"
        task: dict[str, Any] = {
            "kind": part.kind,
            "job_id": "job",
            "task_id": part.task_id,
            "token": "token",
            "source": {
                "fetch": {"url": self._bucket.url("source")},
                "size_bytes": len(self._bucket.objects["source"]),
            },
            "recipe": msgspec.to_builtins(RECIPE),
            "upload": self._bucket.form(prefix),
            "grants_end_at": time.time() + GRANT_SECONDS,
            "scope": msgspec.to_builtins(part.scope),
            "plan_clock": msgspec.to_builtins(self._plan.clock) if self._plan else None,
            "track": part.number if part.kind == "audio" else None,
        }
        if part.kind == "finish":
            task["inputs"] = {"url": self._listed()}
        self._sqs.send_message(QueueUrl=self._jobs, MessageBody=json.dumps(task))

    def _listed(self) -> str:
        """What is joined, chunks by number and then the sound, as the dispatcher lists it."""
        assert self._plan is not None
        known = [parts.part(self._plan, index) for index in range(parts.count(self._plan))]
        known.sort(key=lambda part: (part.kind != "chunk", part.number))
        inputs = [
            Input(
                kind=part.kind,
                number=part.number,
                file=made.file,
                fetch=Fetch(url=self._bucket.url(made.key)),
                key=made.key,
                size_bytes=made.size_bytes,
                sha256=made.sha256,
                scope=part.scope,
                samples=made.media.samples,
            )
            for part in known
            for made in self._brought[part.task_id].outputs
        ]
        self._bucket.objects["inputs"] = wire.encode(Inputs(parts=tuple(inputs)))
        return self._bucket.url("inputs")


if __name__ == "__main__":
    main()
