"""The container's program as a process: signals, secrets, and what it leaves behind."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import msgspec
import pytest

from local import embedded
from mayfly.aws.sqs import SqsQueue
from mayfly.contract import report
from mayfly.contract.settings import WorkerSettings
from mayfly.core import limits
from tests.worker import store
from tests.worker.clips import Clips
from tests.worker.conftest import ROOT, Rig, kinds

pytestmark = [pytest.mark.worker, pytest.mark.embedded, pytest.mark.timeout(180)]


class Queues:
    """The two queues of a worker on an SQS of our own."""

    def __init__(self, aws: embedded.EmbeddedAws) -> None:
        sqs, unique = aws.client("sqs"), uuid.uuid4().hex[:8]
        self.environment = aws.environment
        self.urls = {
            name: sqs.create_queue(QueueName=f"{name}-{unique}")["QueueUrl"]
            for name in ("jobs", "done")
        }
        self.jobs, self.done = (SqsQueue(sqs, self.urls[name]) for name in ("jobs", "done"))

    def said(self) -> list[report.Report]:
        """Every report so far; they stay."""
        heard: list[report.Report] = []
        for message in self.done.receive(wait_seconds=0, limit=10):
            heard.append(report.read_report(message.body))
            self.done.extend(message.handle, 0)
        return sorted(heard, key=lambda one: one.at)


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[embedded.EmbeddedAws]:
    with embedded.start(tmp_path_factory.mktemp("aws")) as running:
        yield running


@pytest.fixture
def queues(aws: embedded.EmbeddedAws) -> Queues:
    return Queues(aws)


#: What these workers have between SIGTERM and SIGKILL.
STOP_SECONDS = 20


class Worker:
    """`python -m worker`, and everything that it printed."""

    def __init__(self, settings: WorkerSettings, queues: Queues, log: Path) -> None:
        self.log = log
        environment = {
            **settings.to_env(),
            "MAYFLY_JOBS_QUEUE_URL": queues.urls["jobs"],
            "MAYFLY_DONE_QUEUE_URL": queues.urls["done"],
            **queues.environment,
            "AWS_SECRET_ACCESS_KEY": "s3cret-of-the-role",
            "PATH": os.defpath,
        }
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "worker"], cwd=ROOT, env=environment, stdout=out, stderr=out
            )

    def leave(self, *, seconds: float) -> int:
        """SIGTERM, and the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)

    def encoder(self) -> tuple[Path, list[str]] | None:
        """Where /proc shows the ffmpeg that it runs, and its command line."""
        tasks = Path(f"/proc/{self.process.pid}/task")
        for pid in (tasks / str(self.process.pid) / "children").read_text().split():
            try:
                argv = Path(f"/proc/{pid}/cmdline").read_text().split("\0")[:-1]
            except OSError:
                continue  # a look at the source has just ended
            if "libx264" in argv:
                return Path(f"/proc/{pid}"), argv
        return None


@pytest.fixture
def worker(
    settings: WorkerSettings, queues: Queues, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Worker]:
    stop_seconds = getattr(request, "param", STOP_SECONDS)
    given = msgspec.structs.replace(settings, stop_seconds=stop_seconds)
    started = Worker(given, queues, tmp_path / "log")
    yield started
    if started.process.poll() is None:
        started.process.kill()
        started.process.wait()


def until(true: Callable[[], Any], what: str, seconds: float = 60) -> Any:
    """What a condition gives when it is true; a test waits for it, never for time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := true():
            return found
        time.sleep(0.02)
    raise AssertionError(f"{what} did not happen within {seconds} s")


def long_task(rig: Rig, made: Clips, size: str = "1280x720") -> dict[str, Any]:
    """One that takes minutes; or, of small pictures, some seconds."""
    source = made.plain(f"long-{size}.mp4", size=size, rate="30", seconds=30)
    outputs = [{"kind": "video", "file": "video.mp4", "speed": "slower"}]
    task = rig.task(source.read_bytes(), recipe={"outputs": outputs})
    return {**task, "grants_end_at": time.time() + 2700}


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_an_interruption_in_the_middle_of_an_encode_leaves_in_time_and_without_a_trace(
    rig: Rig, made: Clips, queues: Queues, worker: Worker, settings: WorkerSettings
) -> None:
    queues.jobs.send(json.dumps(long_task(rig, made)).encode())
    _, encoder = until(worker.encoder, "an encode")

    assert worker.leave(seconds=STOP_SECONDS) == 0

    first, *_, last = queues.said()
    assert kinds([first, last]) == ["Started", "Interrupted"]
    depth = queues.jobs.depth()
    assert (depth.visible, depth.in_flight) == (0, 0)
    assert rig.bucket.count("POST") == 0
    assert not (Path(settings.scratch) / "attempt").exists()
    _assert_no_secret(" ".join(encoder), worker.log.read_text())
    assert not [part for part in encoder if "://" in part or "http" in part]


@pytest.mark.parametrize("worker", [100], indirect=True)
def test_an_encode_that_fits_into_the_notice_is_finished_and_nothing_more_is_begun(
    rig: Rig, made: Clips, queues: Queues, worker: Worker
) -> None:
    for job in ("job-1", "job-2"):
        task = {**long_task(rig, made, "320x180"), "job_id": job}
        queues.jobs.send(json.dumps(task).encode())

    def moved() -> bool:
        return any(isinstance(s, report.Progressed) and s.fraction > 0 for s in queues.said())

    until(moved, "an encode that moves")
    assert worker.leave(seconds=100) == 0
    said: list[report.Report] = [
        one for one in queues.said() if not isinstance(one, report.Progressed)
    ]
    assert kinds(said) == ["Started", "Encoded"], worker.log.read_text()
    depth = queues.jobs.depth()
    assert (depth.visible, depth.in_flight) == (1, 0)
    assert rig.bucket.count("POST") == 1
    assert "Told to leave, the work went on, for" in worker.log.read_text()


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_storage_that_went_silent_does_not_keep_a_worker_from_leaving(
    rig: Rig, made: Clips, queues: Queues, worker: Worker, method: str
) -> None:
    asked, over = threading.Event(), threading.Event()

    def silent(handler: BaseHTTPRequestHandler, seen: store.Seen) -> bool:
        if seen.method != method:
            return False
        asked.set()
        return over.wait(60)

    rig.bucket.mischief.append(silent)
    task = rig.task(made.plain().read_bytes(), grants_end_at=time.time() + 2700)
    queues.jobs.send(json.dumps(task).encode())
    assert asked.wait(60)
    assert worker.leave(seconds=STOP_SECONDS) == 0
    over.set()
    first, *between, last = queues.said()
    assert kinds([first, last]) == ["Started", "Interrupted"]
    stages = {one.stage for one in between if isinstance(one, report.Progressed)}
    assert not between or "storing, to end before its machine goes" in stages


def test_a_worker_without_work_leaves_within_a_poll(worker: Worker) -> None:
    until(lambda: "waits for tasks" in worker.log.read_text(), "its start")
    assert worker.leave(seconds=limits.LEAVE_SECONDS) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_a_second_signal_leaves_at_once_and_takes_the_encoder_along(
    rig: Rig, made: Clips, queues: Queues, worker: Worker
) -> None:
    queues.jobs.send(json.dumps(long_task(rig, made)).encode())
    encoder, _ = until(worker.encoder, "an encode")
    worker.process.send_signal(signal.SIGSTOP)  # so that both are there when it wakes
    worker.process.send_signal(signal.SIGTERM)
    worker.process.send_signal(signal.SIGINT)
    worker.process.send_signal(signal.SIGCONT)
    assert worker.process.wait(5) == 128 + signal.SIGTERM
    until(lambda: not encoder.exists() or _is_dead(encoder), "the encoder's end", seconds=5)


def test_a_whole_job_says_no_secret(rig: Rig, made: Clips, queues: Queues, worker: Worker) -> None:
    task = rig.task(made.plain().read_bytes(), grants_end_at=time.time() + 2700)
    queues.jobs.send(json.dumps(task).encode())
    said = until(lambda: [s for s in queues.said() if isinstance(s, report.Encoded)], "the end")
    assert worker.leave(seconds=limits.LEAVE_SECONDS) == 0
    assert store.SECRET not in repr(said)
    _assert_no_secret(worker.log.read_text())
    lines = [json.loads(line) for line in worker.log.read_text().splitlines()]
    told = [line["message"] for line in lines if line.get("job_id") == "job-1"]
    # It may be told to leave after it has said what became of the task, and before that is over.
    assert [one for one in told if not one.startswith("Told to leave")] == [
        "The task has begun.",
        "The task is done.",
    ]


def test_a_worker_that_lacks_a_setting_says_which(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "worker"],
        cwd=ROOT,
        env={"PATH": ""},
        capture_output=True,
        check=False,
    )
    assert ended.returncode == 2
    assert "MAYFLY_POOL" in json.loads(ended.stderr)["message"]


def _assert_no_secret(*texts: str) -> None:
    for text in texts:
        for secret in ("5ec2e7", "t0ken-of-the-task", "s3cret-of-the-role"):
            assert secret not in text


def _is_dead(process: Path) -> bool:
    try:
        return (process / "stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True
