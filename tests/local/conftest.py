"""An embedded AWS for the tests of this folder, and a cluster of its own for each test."""

import json
import os
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from local import embedded, fargate

#: For what should take a second. Reached only when it never happens.
DEADLINE_SECONDS = 15.0


def wait_for(what: Callable[[], Any], seconds: float = DEADLINE_SECONDS) -> Any:
    """Polls until it is true; the last answer."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        answer = what()
        if answer:
            return answer
        time.sleep(0.02)
    raise AssertionError(f"not within {seconds} s: {what}")


def living(folder: Path) -> list[str]:
    """The processes that were started with this folder."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            about = (place / "environ").read_bytes() + (place / "cmdline").read_bytes()
        except OSError:
            continue
        if str(folder).encode() in about and place.name != str(os.getpid()):
            found.append(place.name)
    return found


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[embedded.EmbeddedAws]:
    """One embedded AWS for all of them."""
    with embedded.start(tmp_path_factory.mktemp("aws")) as running:
        yield running


@dataclass(slots=True, kw_only=True)
class Cluster:
    """A cluster, and what a test says about it."""

    aws: embedded.EmbeddedAws
    name: str
    task_definition: str
    ecs: Any
    events_url: str
    sqs: Any
    seen: list[dict[str, Any]] = field(default_factory=list)

    def create(self, service: str, count: int, **more: Any) -> dict[str, Any]:
        """A service on Spot."""
        answer = self.ecs.create_service(
            cluster=self.name,
            serviceName=service,
            taskDefinition=self.task_definition,
            desiredCount=count,
            **{
                "capacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT", "weight": 1}],
                **more,
            },
        )
        made: dict[str, Any] = answer["service"]
        return made

    def scale(self, service: str, count: int) -> None:
        """Another desired count."""
        self.ecs.update_service(cluster=self.name, service=service, desiredCount=count)

    def service(self, service: str) -> dict[str, Any]:
        """What ECS says of a service."""
        answer = self.ecs.describe_services(cluster=self.name, services=[service])
        found: dict[str, Any] = answer["services"][0]
        return found

    def tasks(self, desired: str = "RUNNING") -> list[str]:
        """The ARNs of the tasks that shall run, or that shall not."""
        answer = self.ecs.list_tasks(cluster=self.name, desiredStatus=desired)
        arns: list[str] = answer["taskArns"]
        return arns

    def task(self, arn: str) -> dict[str, Any]:
        """What ECS says of a task."""
        answer = self.ecs.describe_tasks(cluster=self.name, tasks=[arn])
        found: dict[str, Any] = answer["tasks"][0]
        return found

    def running_all(self) -> list[str]:
        """Says RUNNING for every task, as an agent would; their ARNs, oldest first."""
        arns = self.tasks()
        for arn in arns:
            self.say(arn, "RUNNING")
        return arns

    def running(self, count: int) -> list[str]:
        """Waits until so many tasks are RUNNING; their ARNs."""

        def look() -> list[str]:
            arns = self.tasks()
            states = [self.task(arn)["lastStatus"] for arn in arns]
            return arns if states == ["RUNNING"] * count else []

        found: list[str] = wait_for(look)
        return found

    def say(self, arn: str, status: str, **more: Any) -> None:
        """What the agent would say."""
        self.ecs.submit_task_state_change(cluster=self.name, task=arn, status=status, **more)

    def protect(self, arn: str, enabled: bool = True, minutes: int = 5) -> str | None:
        """UpdateTaskProtection: the reason of the refusal, if any."""
        answer = self.ecs.update_task_protection(
            cluster=self.name, tasks=[arn], protectionEnabled=enabled, expiresInMinutes=minutes
        )
        return answer["failures"][0]["reason"] if answer["failures"] else None

    def events(self, arn: str) -> list[dict[str, Any]]:
        """The task's events so far, in order of their version."""
        while True:
            answer = self.sqs.receive_message(QueueUrl=self.events_url, MaxNumberOfMessages=10)
            if not answer.get("Messages"):
                break
            for message in answer["Messages"]:
                self.seen.append(json.loads(message["Body"]))
                self.sqs.delete_message(
                    QueueUrl=self.events_url, ReceiptHandle=message["ReceiptHandle"]
                )
        ours = [event for event in self.seen if event["detail"]["taskArn"] == arn]
        return sorted(ours, key=lambda event: int(event["detail"]["version"]))


@pytest.fixture
def cluster(aws: embedded.EmbeddedAws) -> Cluster:
    """A cluster with a task definition and a queue that gets its events."""
    name = f"c-{uuid.uuid4().hex[:8]}"
    ecs, sqs, events = (aws.client(service) for service in ("ecs", "sqs", "events"))
    ecs.create_cluster(clusterName=name, capacityProviders=["FARGATE", "FARGATE_SPOT"])
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    pattern = {
        "source": ["aws.ecs"],
        "detail-type": ["ECS Task State Change"],
        "detail": {"clusterArn": [{"suffix": f"cluster/{name}"}]},
    }
    events.put_rule(Name=name, EventPattern=json.dumps(pattern))
    queue_arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    events.put_targets(
        Rule=name, Targets=[{"Id": "queue", "Arn": queue_arn["Attributes"]["QueueArn"]}]
    )
    made = Cluster(aws=aws, name=name, task_definition="", ecs=ecs, events_url=url, sqs=sqs)
    made.task_definition = define(made, {})
    return made


def define(cluster: Cluster, environment: dict[str, str], stop_seconds: int = 2) -> str:
    """Registers a task definition with a container of this environment; its ARN."""
    answer = cluster.ecs.register_task_definition(
        family=cluster.name,
        cpu="1024",
        memory="2048",
        networkMode="awsvpc",
        requiresCompatibilities=["FARGATE"],
        containerDefinitions=[
            {
                "name": "worker",
                "image": "worker:test",
                "stopTimeout": stop_seconds,
                "environment": [
                    {"name": name, "value": value} for name, value in environment.items()
                ],
            }
        ],
    )
    arn: str = answer["taskDefinition"]["taskDefinitionArn"]
    return arn


@pytest.fixture
def agent(cluster: Cluster, tmp_path: Path) -> Iterator[fargate.LocalFargate]:
    """A started agent whose containers run the worker of `stand_in.py`."""
    running = fargate.LocalFargate(stand_in_settings(cluster, tmp_path))
    running.start()
    yield running
    running.stop()


def stand_in_settings(cluster: Cluster, folder: Path) -> fargate.Settings:
    """An agent's settings whose containers run `stand_in.py`."""
    return fargate.Settings(
        endpoint_url=cluster.aws.endpoint_url,
        cluster=cluster.name,
        folder=folder,
        command=stand_in_command(),
        python_path=[],
        environment={"STAND_IN_REPORT": str(folder / "report")},
    )


def stand_in_command() -> list[str]:
    """What the containers of these tests run instead of the worker."""
    return [sys.executable, "-I", str(Path(__file__).with_name("stand_in.py"))]
