"""Clips made by ffmpeg, a storage on loopback, and a worker's loop over queues in memory."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from local import tools
from mayfly.contract import report
from mayfly.contract.presets import all_presets
from mayfly.contract.recipe import Recipe
from mayfly.contract.settings import WorkerSettings
from mayfly.core import limits
from mayfly.memory.clock import SeededDice, VirtualClock
from mayfly.memory.queue import MemoryQueue
from tests.worker import clips, store
from tests.worker.doing import Doing
from worker.agent import Identity, NoAgent, Protection
from worker.control import HttpControlReader
from worker.encode import Encoding
from worker.http import HostRule
from worker.loop import Loop
from worker.order import Work
from worker.stop import Stop


@pytest.fixture(scope="session")
def ffmpeg() -> Path:
    return tools.ffmpeg_path()


@pytest.fixture(scope="session")
def ffprobe() -> Path:
    return tools.ffprobe_path()


@pytest.fixture(scope="session")
def made(ffmpeg: Path, tmp_path_factory: pytest.TempPathFactory) -> clips.Clips:
    """Clips, each made when it is first asked for."""
    return clips.Clips(ffmpeg, tmp_path_factory.mktemp("clips"))


@pytest.fixture
def bucket() -> Iterator[store.Store]:
    with store.running() as running:
        yield running


@pytest.fixture
def settings(ffmpeg: Path, ffprobe: Path, tmp_path: Path) -> WorkerSettings:
    return WorkerSettings(
        pool="standard",
        jobs_queue_url="http://127.0.0.1/jobs",
        done_queue_url="http://127.0.0.1/done",
        scratch=str(tmp_path / "scratch"),
        threads=2,
        memory_mib=4096,
        source_hosts=("127.0.0.1",),
        ffmpeg=str(ffmpeg),
        ffprobe=str(ffprobe),
    )


ROOT = Path(__file__).resolve().parents[2]


class WorkerClock(VirtualClock):
    """Virtual time that is monotonic, too, and has an alarm."""

    def __init__(self) -> None:
        super().__init__()
        self._alarm: tuple[float, Callable[[], None]] | None = None

    def monotonic(self) -> float:
        return self.now()

    def later(self, seconds: float, act: Callable[[], None]) -> None:
        """While somebody sleeps."""
        self._alarm = (self.now() + seconds, act) if seconds else None

    def sleep(self, seconds: float) -> None:
        until = self.now() + max(0.0, seconds)
        while self._alarm is not None and self._alarm[0] <= until:
            (moment, act), self._alarm = self._alarm, None
            super().sleep(moment - self.now())
            act()
        super().sleep(until - self.now())


class Rig:
    """A worker's loop, whose world is in memory but for ffmpeg and the storage."""

    def __init__(self, bucket: store.Store, settings: WorkerSettings) -> None:
        self.bucket = bucket
        self.clock = WorkerClock()
        self.dead = MemoryQueue(self.clock, name="dead")
        self.jobs = MemoryQueue(self.clock, name="jobs", receives_max=3, dead_letters=self.dead)
        self.done = MemoryQueue(self.clock, name="done")
        self.stop = Stop(self.clock.later)
        self.dice = SeededDice(1)
        self.settings = settings
        self.agent: Any = NoAgent()
        self.work: Work = Encoding(settings=settings)
        self.control: Any = HttpControlReader(HostRule(settings.source_hosts))
        self.notice_seconds = float(limits.STOP_SECONDS - limits.LEAVE_SECONDS)

    def loop(self) -> Loop:
        return Loop(
            pool="standard",
            jobs=self.jobs,
            done=self.done,
            control=self.control,
            work=self.work,
            protection=Protection(self.agent, self.clock),
            identity=Identity(worker="task-1", service="service-1"),
            clock=self.clock,
            dice=self.dice,
            stop=self.stop,
            notice_seconds=self.notice_seconds,
        )

    def task(self, source: bytes, preset: str = "mp4-720p", **changed: Any) -> dict[str, Any]:
        """A task of Mayfly's own dispatcher."""
        key = "uploads/source"
        self.bucket.objects[key] = source
        task = {
            "kind": "encode",
            "job_id": "job-1",
            "task_id": "encode",
            "token": "t0ken-of-the-task",
            "source": {
                "fetch": {
                    "url": self.bucket.url(key),
                    "headers": {"if-match": self.bucket.etag(key)},
                },
                "size_bytes": len(source),
            },
            "recipe": msgspec.to_builtins(recipe(preset)),
            "upload": self.bucket.form("work/job-1/encode/"),
            "grants_end_at": self.clock.now() + 2700,
        }
        return {**task, **changed}

    def put(self, task: object) -> None:
        self.jobs.send(msgspec.json.encode(task))

    def run_once(self) -> list[report.Report]:
        """The loop until its queue is empty; what it said."""
        loop, receive = self.loop(), self.jobs.receive

        def last(*, wait_seconds: int, limit: int = 1) -> Any:
            messages = receive(wait_seconds=0, limit=limit)
            if not messages:
                self.stop.ask()
            return messages

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(self.jobs, "receive", last)
            loop.run()
        self.stop = Stop(self.clock.later)
        return self.said()

    def said(self) -> list[report.Report]:
        """Every report so far, each once."""
        heard: list[report.Report] = []
        while messages := self.done.receive(wait_seconds=0, limit=10):
            for message in messages:
                heard.append(report.read_report(message.body))
                self.done.delete(message.handle)
        return heard


def kinds(said: list[report.Report]) -> list[str]:
    """What the reports are."""
    return [type(one).__name__ for one in said]


def milestones(said: list[report.Report]) -> list[str]:
    """The same without progress, which is told of work that takes a while."""
    return [kind for kind in kinds(said) if kind != "Progressed"]


def left(rig: Rig) -> tuple[int, int, int]:
    """Visible, hidden, dead."""
    depth = rig.jobs.depth()
    return depth.visible, depth.in_flight, rig.dead.depth().visible


def own(rig: Rig) -> dict[str, Any]:
    """A task as a user writes it."""
    task = rig.task(b"")
    for name in ("job_id", "task_id", "token", "grants_end_at"):
        del task[name]
    task["source"] = {"fetch": {"url": rig.bucket.url("mine/clip.mp4")}}
    task["upload"] = {"by": "put", "urls": {"video.mp4": {"url": rig.bucket.url("mine/out.mp4")}}}
    return task


def recipe(name: str) -> Recipe:
    return all_presets()[name].recipe


@pytest.fixture
def rig(bucket: store.Store, settings: WorkerSettings) -> Rig:
    return Rig(bucket, settings)


@pytest.fixture
def given(rig: Rig) -> Rig:
    """A rig whose work is done at once."""
    rig.work = Doing()
    return rig
