"""Hands on a stack in memory: what users, S3, SQS, workers and the tick do to it."""

import json
from typing import Any

from completion_handler import desk as completion
from dispatcher import desk as dispatcher
from mayfly.contract import wire
from mayfly.contract.outcome import Outcome
from mayfly.contract.report import (
    Adopted,
    Artifact,
    Encoded,
    Media,
    Report,
    Started,
)
from mayfly.contract.task import Fetch, PutUrls, Source, Task
from mayfly.core import commands, events, limits
from mayfly.core.identity import adopted_job_id, adopted_token
from mayfly.core.rows import JobHead, from_item
from mayfly.memory.world import MemoryWorld
from mayfly.perform import engine, ticking
from mayfly.perform.ports import Message
from tests.unit.given import RECIPE

KEY = "uploads/mp4-720p/my clip (1)+ü.mp4"
LATEST = "outputs/my clip (1)+ü/mp4-720p/latest.json"
SERVICE = "mayfly-standard-s1"
#: What ECS tells of a worker that stopped of itself.
CRASHED: dict[str, Any] = {
    "lastStatus": "STOPPED",
    "stopCode": "EssentialContainerExited",
    "stoppedAt": "2026-11-21T09:05:00Z",
    "containers": [{"name": "worker", "exitCode": 1}],
}


def upload(w: MemoryWorld, key: str = KEY, body: bytes = b"video", sequencer: str = "0A") -> str:
    """Stores an object and answers with S3's notification of it, as S3 words it."""
    from urllib.parse import quote_plus

    w.store.write("media", key, body, content_type="video/mp4")
    seen = w.store.head("media", key)
    assert seen is not None
    record = {
        "eventSource": "aws:s3",
        "eventName": "ObjectCreated:Put",
        "s3": {
            "bucket": {"name": "media"},
            "object": {
                "key": quote_plus(key, safe="/"),
                "size": len(body),
                "eTag": seen.etag,
                "sequencer": sequencer,
            },
        },
    }
    return json.dumps({"Records": [record]})


def dispatch(w: MemoryWorld, *bodies: str) -> None:
    todo = [command for body in bodies for command in dispatcher.take(w.world, body)]
    engine.run(w.world, todo)


def report(w: MemoryWorld, *reports: Report) -> None:
    todo: list[commands.Command] = []
    for said in reports:
        todo += completion.take(w.world, "mayfly-done", letter(wire.encode(said).decode()))
    engine.run(w.world, todo)


def letter(body: str, message_id: str = "m1") -> Message:
    return Message(body=body, handle="h", message_id=message_id, receives=1)


def tick(w: MemoryWorld, after: float = 60) -> None:
    w.clock.sleep(after)
    engine.run(w.world, ticking.tick(w.world))


def ecs_says(w: MemoryWorld, worker: str, *, service: str = SERVICE, **fields: Any) -> None:
    """ECS tells of a worker, as AWS words it."""
    detail = {
        "taskArn": f"arn:aws:ecs:r:0:task/mayfly/{worker}",
        "group": f"service:{service}",
        "createdAt": "2026-11-21T09:00:00Z",
        "cpu": "2048",
        "memory": "4096",
    }
    body = letter(json.dumps({"detail": detail | fields}))
    engine.run(w.world, completion.take(w.world, "mayfly-events", body))


def cancel(w: MemoryWorld, job_id: str | None, *, crashing: bool = False) -> None:
    """Somebody cancels; crashing, the invocation is cut off before its commands are run."""
    asked = events.CancelRequested(at=w.clock.now())
    todo = engine.apply(w.world, asked, job_id or "").commands
    engine.run(w.world, () if crashing else todo)


def receive(w: MemoryWorld) -> tuple[Task, Message]:
    (message,) = w.jobs.receive(wait_seconds=0)
    return wire.decode(Task, message.body), message


def said(task: Task, attempt: str = "n1") -> dict[str, Any]:
    return {
        "job_id": task.job_id,
        "task_id": task.task_id,
        "token": task.token,
        "attempt": attempt,
        "at": 1.0,
        "worker": "w1",
        "service": SERVICE,
    }


def encoded(w: MemoryWorld, task: Task, attempt: str = "n1") -> Encoded:
    key = f"work/{task.job_id}/{task.task_id}/{attempt}/video.mp4"
    w.store.write("media", key, b"encoded", content_type="video/mp4")
    artifact = Artifact(
        file="video.mp4", key=key, size_bytes=7, sha256="0" * 64, media=Media(container="mov")
    )
    return Encoded(
        **said(task, attempt),
        outputs=(artifact,),
        source=Media(container="mov"),
        busy_seconds=9.0,
    )


def a_users_own_task() -> bytes:
    """As its user puts it onto the queue, with URLs that nobody else knows."""
    source = Source(fetch=Fetch(url="https://b.s3.amazonaws.com/x.mp4?X-Amz-Signature=0"))
    return wire.encode(Task(source=source, recipe=RECIPE, upload=PutUrls(urls={})))


def taken_by_hand(w: MemoryWorld) -> tuple[Message, dict[str, Any]]:
    """A user's own task that a worker has received, and the fields of what this worker says."""
    w.jobs.send(a_users_own_task())
    (message,) = w.jobs.receive(wait_seconds=0)
    raw = message.body.encode()
    ids: dict[str, Any] = {
        "job_id": adopted_job_id(raw, message.message_id),
        "task_id": "encode",
        "token": adopted_token(raw),
        "attempt": "n1",
        "at": 1.0,
    }
    return message, ids


def adopted(ids: dict[str, Any]) -> Adopted:
    """The first word of a worker that has a user's own task."""
    return Adopted(**ids, pool="standard", recipe=RECIPE, source="b/x.mp4")


def begun_by_hand(w: MemoryWorld) -> tuple[Message, dict[str, Any]]:
    """The same, and the worker has begun it."""
    message, ids = taken_by_hand(w)
    report(w, adopted(ids), Started(**ids))
    return message, ids


def outcomes(w: MemoryWorld) -> list[Outcome]:
    return [wire.decode(Outcome, detail) for _, detail in w.bus.published]


def a_round(w: MemoryWorld) -> None:
    """The tick of an hour later, and one more for what the round opened."""
    tick(w, after=limits.RECONCILE_SECONDS)
    tick(w)


def heads(w: MemoryWorld) -> list[JobHead]:
    """Every job."""
    found = w.table.snapshot().items()
    return [from_item(JobHead, i) for k, i in found if k.pk.startswith("job#") and k.sk == "head"]


def finish(w: MemoryWorld) -> str:
    """The one job on the queue is done by its worker."""
    task, message = receive(w)
    report(w, Started(**said(task)), encoded(w, task))
    w.jobs.delete(message.handle)
    return task.job_id or ""


def the_newest(w: MemoryWorld) -> str:
    found = w.store.get("media", LATEST)
    assert found is not None
    return str(json.loads(found.body)["job_id"])
