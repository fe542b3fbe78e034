"""One laptop cloud for all scenes: the template that goes to AWS, in the embedded AWS, with the
real Lambda code, real worker processes and the real ffmpeg. Everything is observed from outside.
"""

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import pytest

from local.cloud import LocalCloud, Options
from local.tools import ffmpeg_path
from mayfly.contract import wire
from mayfly.contract.outcome import Outcome

#: Longer than a task's visibility (90 s) and an encode together.
PATIENCE_SECONDS = 240


class Stage:
    """The cloud with eyes and hands for the scenes."""

    def __init__(self, cloud: LocalCloud) -> None:
        self.cloud = cloud
        self.bucket = cloud.outputs["Bucket"]
        self.s3, self.sqs, self.ecs = (cloud.client(name) for name in ("s3", "sqs", "ecs"))
        self.pool: dict[str, Any] = json.loads(cloud.outputs["Pools"])[0]
        self._outcomes: dict[str, list[Outcome]] = {}
        self._listening = self._listen()

    def _listen(self) -> str:
        """A queue of our own on the outcome events, as a user would have one."""
        url: str = self.sqs.create_queue(QueueName="outcomes")["QueueUrl"]
        arn = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        events = self.cloud.client("events")
        pattern = json.dumps({"source": ["mayfly"], "detail-type": ["Mayfly Outcome"]})
        events.put_rule(Name="outcomes", EventPattern=pattern)
        target = {"Id": "q", "Arn": arn["Attributes"]["QueueArn"]}
        events.put_targets(Rule="outcomes", Targets=[target])
        return url

    def upload(self, path: Path, key: str) -> str:
        """Stores a file under `uploads/` and answers with its key."""
        self.s3.upload_file(str(path), self.bucket, f"uploads/{key}")
        return f"uploads/{key}"

    def request(self, **fields: Any) -> None:
        """A message on the requests queue."""
        self.sqs.send_message(
            QueueUrl=self.cloud.outputs["RequestsQueueUrl"], MessageBody=json.dumps(fields)
        )

    def notify_again(self, key: str, times: int) -> None:
        """S3's notification of an object, delivered again."""
        seen = self.s3.head_object(Bucket=self.bucket, Key=key)
        record = {
            "eventSource": "aws:s3",
            "eventName": "ObjectCreated:Put",
            "s3": {
                "bucket": {"name": self.bucket},
                "object": {
                    "key": quote_plus(key, safe="/"),
                    "size": seen["ContentLength"],
                    "eTag": seen["ETag"].strip('"'),
                    "sequencer": "00AA",
                },
            },
        }
        for _ in range(times):
            self.request(Records=[record])

    def outcomes(self, source: str) -> list[Outcome]:
        """The outcomes of one source so far."""
        asked = {"QueueUrl": self._listening, "MaxNumberOfMessages": 10, "WaitTimeSeconds": 0}
        while messages := self.sqs.receive_message(**asked).get("Messages"):
            for message in messages:
                detail = json.loads(message["Body"])["detail"]
                outcome = wire.convert(Outcome, detail)
                self._outcomes.setdefault(outcome.source, []).append(outcome)
                self.sqs.delete_message(
                    QueueUrl=self._listening, ReceiptHandle=message["ReceiptHandle"]
                )
        return self._outcomes.get(source, [])

    def outcome(self, key: str, patience_seconds: float = PATIENCE_SECONDS) -> Outcome:
        """Waits for the outcome of an upload."""
        return self.outcome_of(f"s3://{self.bucket}/{key}", patience_seconds)

    def outcome_of(self, source: str, patience_seconds: float = PATIENCE_SECONDS) -> Outcome:
        """Waits for the outcome of a source."""
        until(lambda: self.outcomes(source), f"an outcome of {source}", patience_seconds)
        return self.outcomes(source)[0]

    def services(self) -> list[str]:
        """Services that ECS still lists."""
        arns = self.ecs.list_services(cluster=self.cloud.outputs["Cluster"])["serviceArns"]
        return [arn.rpartition("/")[2] for arn in arns]

    def depth(self) -> dict[str, int]:
        """Messages on every queue of the stack, hidden ones included."""
        names = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
        found = {}
        for url in self.sqs.list_queues(QueueNamePrefix="mayfly")["QueueUrls"]:
            told = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(names))
            found[url.rpartition("/")[2]] = sum(int(told["Attributes"][n]) for n in names)
        return found

    def is_quiet(self) -> bool:
        """No service, no task, no message."""
        return not (self.services() or self.cloud.ps() or any(self.depth().values()))

    def wait_until_quiet(self) -> None:
        """Ticks, as a minute would, until nothing is left."""

        def quiet() -> bool:
            if self.is_quiet():
                return True
            self.cloud.tick()
            return False

        until(quiet, "nothing to be left", 150, every_seconds=2)

    def logs(self) -> str:
        """Everything that the Lambdas and the workers have logged."""
        client = self.cloud.client("logs")
        lines = []
        for group in client.describe_log_groups()["logGroups"]:
            pages = client.get_paginator("filter_log_events").paginate(
                logGroupName=group["logGroupName"]
            )
            lines += [event["message"] for page in pages for event in page["events"]]
        files = sorted((self.cloud.folder / "logs").rglob("*.log"))
        return "\n".join(lines + [file.read_text(errors="replace") for file in files])


def until(
    holds: Callable[[], Any], what: str, patience_seconds: float, every_seconds: float = 0.25
) -> None:
    """Looks again and again until it holds; says what was waited for when it does not."""
    deadline = time.monotonic() + patience_seconds
    while not holds():
        if time.monotonic() > deadline:
            raise AssertionError(f"Waited {patience_seconds:.0f} s for {what}.")
        time.sleep(every_seconds)


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """The running cloud."""
    folder = tmp_path_factory.mktemp("cloud")
    with LocalCloud.start(folder, Options(workers={"standard": 2})) as cloud:
        yield Stage(cloud)


Film = Callable[..., Path]


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> Film:
    """Makes clips: `film(seconds=3, size="640x360")`. The same arguments make the same file."""
    folder = tmp_path_factory.mktemp("films")

    def make(
        *,
        seconds: float = 2,
        size: str = "320x180",
        rate: int = 24,
        seed: int = 0,
        sound: bool = True,
    ) -> Path:
        path = folder / f"{seconds}-{size}-{rate}-{seed}-{sound}.mp4"
        if path.exists():
            return path
        picture = f"testsrc2=size={size}:rate={rate}:duration={seconds}"
        argv = [str(ffmpeg_path()), "-v", "error", "-nostdin"]
        argv += ["-f", "lavfi", "-i", f"{picture},hue=h={seed * 17}"]
        if sound:
            argv += ["-f", "lavfi", "-i", f"sine=frequency=440:duration={seconds}"]
            argv += ["-c:a", "aac"]
        argv += ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", str(path)]
        subprocess.run(argv, check=True, timeout=60)
        return path

    return make
