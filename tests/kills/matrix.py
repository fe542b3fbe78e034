"""A film that is cut, again and again on one laptop cloud: first nobody dies, then workers do, at
every point of a chunk's life; and each time it must be the same film, to the byte.
"""

import collections
import contextlib
import hashlib
import json
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from local.cloud import LocalCloud, Options
from local.tools import ffmpeg_path
from tests.kills.points import Death, Film, Point
from tests.kills.reaper import Attempt, Logs, Reaper

#: Deaths in one job of a dozen chunks: so many are other chunks.
PER_JOB = 8
#: A killed worker's message shows again after this; 90 s in a real stack. Longer than the time
#: between two heartbeats, so that nobody else gets what somebody works on.
HIDDEN_SECONDS = 30
#: Longer than all of a job under a machine's full load.
_PATIENCE_SECONDS = 900.0


class Matrix:
    """One cloud, one source, and what came of it when nobody died."""

    def __init__(self, cloud: LocalCloud, source: Path, *, warm: bool = True) -> None:
        """`warm`: a job before all others, for the first workers of a cloud are slow to begin."""
        self._cloud, self._source = cloud, source
        self._logs = Logs(cloud.folder)
        self._jobs = 0
        #: Seconds of each task's life, by its name.
        self.lives: dict[str, float] = {}
        if warm:
            self._film(())
        self.undisturbed, reaper = self._film(())
        self.lives = {a.task_id: _seconds(a) for a in reaper.attempts()}

    def struck(self, points: Sequence[Point]) -> tuple[list[Death], list[str]]:
        """One job in which workers die at these points; and what is wrong with its film. Points for
        which no chunk was left are not among the deaths."""
        film, reaper = self._film(points)
        return reaper.deaths(), film.flaws(self.undisturbed)

    def _film(self, points: Sequence[Point]) -> tuple[Film, Reaper]:
        self._jobs += 1
        key = f"uploads/film-{self._jobs}.mp4"
        bucket = self._cloud.outputs["Bucket"]
        reaper = Reaper(self._cloud, self._logs, list(points), self.lives)
        self._cloud.client("s3").upload_file(str(self._source), bucket, key)
        deadline = time.monotonic() + _PATIENCE_SECONDS
        heads: list[dict[str, Any]] = []

        def over() -> bool:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{key} has no end: {heads}")
            heads[:] = [head for head in self._heads() if key in head["source"]["S"]]
            return any(head["state"]["S"] in ("succeeded", "failed") for head in heads)

        reaper.watch(over)
        (head,) = heads
        if head["state"]["S"] != "succeeded":
            raise AssertionError(f"{key} {head}")
        return self._found(head["job_id"]["S"], reaper), reaper

    def _heads(self) -> list[dict[str, Any]]:
        items = self._cloud.client("dynamodb").scan(
            TableName=self._cloud.outputs["Table"],
            FilterExpression="sk = :head",
            ExpressionAttributeValues={":head": {"S": "head"}},
        )["Items"]
        return [item for item in items if item["pk"]["S"].startswith("job#")]

    def _found(self, job_id: str, reaper: Reaper) -> Film:
        rows = self._cloud.client("dynamodb").query(
            TableName=self._cloud.outputs["Table"],
            KeyConditionExpression="pk = :job AND begins_with(sk, :task)",
            ExpressionAttributeValues={":job": {"S": f"job#{job_id}"}, ":task": {"S": "task#"}},
        )["Items"]
        parts = {
            (row["task_id"]["S"], one["M"]["file"]["S"]): one["M"]["sha256"]["S"]
            for row in rows
            for one in row["artifacts"]["L"]
        }
        done = collections.Counter(a.task_id for a in reaper.attempts() if a.done)
        return Film(joined=self._joined(job_id), parts=parts, done=dict(done))

    def _joined(self, job_id: str) -> str:
        s3, bucket = self._cloud.client("s3"), self._cloud.outputs["Bucket"]
        listed = s3.list_objects_v2(Bucket=bucket, Prefix="outputs/")["Contents"]
        (key,) = [one["Key"] for one in listed if job_id in one["Key"]]
        return hashlib.sha256(s3.get_object(Bucket=bucket, Key=key)["Body"].read()).hexdigest()


@contextlib.contextmanager
def cloud(folder: Path, *, chunk_seconds: int, stop_seconds: int) -> Iterator[LocalCloud]:
    """Two workers, who cut everything; while inside."""
    options = Options(
        workers={"standard": 2},
        context={"chunk_seconds": str(chunk_seconds)},
        worker_environment={"MAYFLY_STOP_SECONDS": str(stop_seconds)},
    )
    with LocalCloud.start(folder, options) as running:
        (pool,) = json.loads(running.outputs["Pools"])
        running.client("sqs").set_queue_attributes(
            QueueUrl=pool["jobs_queue_url"], Attributes={"VisibilityTimeout": str(HIDDEN_SECONDS)}
        )
        yield running


def make_source(path: Path, *, seconds: int, size: str) -> Path:
    """A film with some grain, since without it an encode is unusually cheap."""
    picture = f"testsrc2=size={size}:rate=24:duration={seconds},noise=alls=6:allf=t"
    argv = [
        str(ffmpeg_path()), "-v", "error", "-nostdin", "-f", "lavfi", "-i", picture,
        "-f", "lavfi", "-i", f"sine=duration={seconds}", "-c:v", "libx264", "-g", "24",
        "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac", str(path),
    ]  # fmt: skip
    subprocess.run(argv, check=True, timeout=300)
    return path


def _seconds(attempt: Attempt) -> float:
    assert attempt.ended is not None
    return attempt.ended - attempt.began
