"""A stack in memory that the command line can reach, with its Lambdas and a worker on strings.

The console only waits by the world's clock; each wait plays the next step of the script.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import pytest

from console import reach
from dispatcher import desk as dispatcher
from mayfly.aws.census import TaskSeen
from mayfly.contract import report
from mayfly.core.rows import ENDED_JOBS, OPEN_JOBS, JobHead, TaskRow, from_item, task_key
from mayfly.memory.queue import MemoryQueue
from mayfly.memory.world import memory_world
from mayfly.perform import engine, reporting, ticking, watching

MEDIA = report.Media(
    container="mov,mp4,m4a,3gp,3g2,mj2",
    duration_seconds=30.0,
    video_codec="h264",
    width=854,
    height=480,
    frames=720,
    audio_codec="aac",
    sample_rate_hz=48000,
    channels=2,
)


class Waited(AssertionError):
    """The console waits for what will never come."""


class Scene:
    """The stack, and what happens in it."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.w = memory_world()
        self.script: list[Callable[[], None]] = []
        #: Whether S3's notifications reach the dispatcher.
        self.dispatches = True
        self.idle_waits_max = 400
        self._idle = 0
        pass_time = self.w.clock.sleep

        def sleep(seconds: float) -> None:
            pass_time(seconds)
            self.play()

        patch.setattr(self.w.clock, "sleep", sleep)
        self.requests = MemoryQueue(self.w.clock)
        others = {name: MemoryQueue(self.w.clock) for name in ("requests-dead", "done-dead")}
        self.stack = reach.Stack(
            name="mayfly",
            where="memory",
            world=self.w.world,
            queues={
                "requests": self.requests,
                "jobs-standard": self.w.jobs,
                "jobs-standard-dead": self.w.jobs_dead,
                "done": self.w.done,
                **others,
            },
            census=self,
            history=self,
            cargo=self,
        )

    # --- what the stack answers ---

    def tasks(self) -> list[TaskSeen]:
        """ECS's tasks: one for each that a service runs."""
        return [
            TaskSeen(
                task=f"{service.name}-{number}",
                service=service.name,
                status="RUNNING",
                desired_status="RUNNING",
                capacity="FARGATE_SPOT",
                vcpu=2,
                memory_mib=4096,
            )
            for service in self.w.services.tagged()
            for number in range(service.running)
        ]

    def jobs(self, limit: int) -> list[JobHead]:
        """Newest first."""
        rows = [
            item
            for part in (OPEN_JOBS, ENDED_JOBS)
            for item in reversed(self.w.table.index(part, limit=1000))
        ]
        return [from_item(JobHead, row) for row in rows][:limit]

    def upload(self, path: Path, key: str, on_bytes: Callable[[int], None]) -> None:
        """As S3 does it: the object, then the notification."""
        body = path.read_bytes()
        on_bytes(len(body))
        stored = self.w.store.put("media", key, body)
        thing = {
            "key": quote_plus(key, safe="/"),
            "size": len(body),
            "eTag": stored.etag,
            "sequencer": "0A",
        }
        s3 = {"bucket": {"name": "media"}, "object": thing}
        record = {"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": s3}
        if self.dispatches:
            self.dispatch(json.dumps({"Records": [record]}))

    def download(self, key: str, path: Path, on_bytes: Callable[[int], None]) -> None:
        """The object's bytes."""
        found = self.w.store.get("media", key)
        assert found is not None
        on_bytes(len(found.body))
        path.write_bytes(found.body)

    # --- what happens ---

    def play(self) -> None:
        """The next step, if there is one; requests are always taken."""
        for message in self.requests.receive(wait_seconds=0, limit=10):
            self.dispatch(message.body)
            self.requests.delete(message.handle)
        self._idle = 0 if self.script else self._idle + 1
        if self._idle > self.idle_waits_max:
            raise Waited
        if self.script:
            self.script.pop(0)()

    def dispatch(self, body: str) -> None:
        """The dispatcher takes a message."""
        engine.run(self.w.world, dispatcher.take(self.w.world, body))

    def the_job(self) -> str:
        """The one job there is."""
        (head,) = self.jobs(10)
        return head.job_id

    def token(self) -> str:
        """The secret of the one job's task."""
        return self._task().token

    def starts(self) -> None:
        """A worker begins, and is protected from now on."""
        (service,) = self.w.services.tagged()
        self.w.services.keep(service.name, 1)
        self.says(report.Started)

    def progresses(self, fraction: float) -> Callable[[], None]:
        """It gets on."""
        return lambda: self.says(report.Progressed, fraction=fraction, speed=2.0)

    def encodes(self) -> None:
        """It is done, and its outputs are stored."""
        key = f"work/{self.the_job()}/encode/n1/video.mp4"
        self.w.store.put("media", key, b"encoded")
        made = report.Artifact(file="video.mp4", key=key, size_bytes=7, sha256="0", media=MEDIA)
        proof = report.Proof(frames=720)
        self.says(report.Encoded, outputs=(made,), source=MEDIA, busy_seconds=10.0, proof=proof)

    def fails(self) -> None:
        """It finds that the file is no video."""
        self.says(report.Failed, code="not_media")

    def drains(self) -> None:
        """ECS's word that the worker has stopped."""
        (service,) = self.w.services.tagged()
        self.w.services.keep(service.name, 0)
        now = self.w.clock.now()
        event = {
            "group": f"service:{service.name}",
            "taskArn": "arn:aws:ecs:::task/w1",
            "lastStatus": "STOPPED",
            "pullStartedAt": now - 60,
            "stoppedAt": now,
            "cpu": "2048",
            "memory": "4096",
            "stopCode": "ServiceSchedulerInitiated",
            "containers": [{"exitCode": 0}],
        }
        engine.run(self.w.world, watching.take_task_event(self.w.world, event))

    def ticks(self) -> None:
        """A minute has passed for the completion handler."""
        engine.run(self.w.world, ticking.tick(self.w.world))

    def whole_life(self) -> list[Callable[[], None]]:
        """From the first word of a worker to its end."""
        return [self.starts, self.progresses(0.5), self.encodes, self.drains]

    def _task(self) -> TaskRow:
        (item,) = self.w.table.get(task_key(self.the_job(), "encode"))
        return from_item(TaskRow, item)

    def says(self, kind: Any, **words: Any) -> None:
        """A word of the one job's worker, who then has no message any more."""
        (service,) = self.w.services.tagged()
        said = kind(
            job_id=self.the_job(),
            task_id="encode",
            token=self.token(),
            attempt="n1",
            at=self.w.clock.now(),
            worker="w1",
            service=service.name,
            **words,
        )
        engine.run(self.w.world, reporting.take_report(self.w.world, said))
        held = self.w.jobs.receive(wait_seconds=0)
        for message in held:
            self.w.jobs.delete(message.handle)
