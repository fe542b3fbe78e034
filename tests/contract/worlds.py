"""The worlds in which the same claims are made: memory, moto, the embedded AWS.

A world makes ports. Time in memory is virtual, elsewhere real, so tests let it pass by waiting on
a queue or with `pass_seconds`, never by looking at a clock.
"""

import time
import uuid
from collections.abc import Callable
from typing import Any, Protocol

from mayfly.aws.clock import SystemClock
from mayfly.aws.dynamodb import DynamoTable
from mayfly.aws.ecs import EcsServices
from mayfly.aws.s3 import S3Store
from mayfly.aws.signer import StsSigner
from mayfly.aws.sqs import SqsQueue
from mayfly.memory.clock import VirtualClock
from mayfly.memory.queue import MemoryQueue
from mayfly.memory.services import MemoryServices
from mayfly.memory.signer import MemorySigner
from mayfly.memory.store import MemoryStore
from mayfly.memory.table import MemoryTable
from mayfly.perform.ports import Clock, JobTable, Queue, Services, Signer, Store

STACK = "mayfly-test"
SIGNER_ROLE_ARN = "arn:aws:iam::000000000000:role/signer"


class World(Protocol):
    """Makes ports, each with nothing in it yet."""

    kind: str
    clock: Clock

    def queue(self, visibility_seconds: int = 30) -> Queue: ...
    def queue_with_dead_letters(self, receives_max: int) -> tuple[Queue, Queue]: ...
    def table(self) -> JobTable: ...
    def bucket(self, *, versioned: bool = False) -> str: ...
    def store(self) -> Store: ...
    def signer(self) -> Signer: ...
    def services(self) -> Services: ...
    def task_definition(self) -> str: ...
    def put(self, bucket: str, key: str, body: bytes) -> None: ...
    def pass_seconds(self, seconds: float) -> None: ...


class MemoryWorld:
    """Virtual time."""

    kind = "memory"

    def __init__(self) -> None:
        self._virtual = VirtualClock()
        self.clock: Clock = self._virtual
        self.objects = MemoryStore(clock=self.clock)

    def queue(self, visibility_seconds: int = 30) -> Queue:
        return MemoryQueue(self.clock, visibility_seconds=visibility_seconds)

    def queue_with_dead_letters(self, receives_max: int) -> tuple[Queue, Queue]:
        dead = MemoryQueue(self.clock, name="dead")
        return MemoryQueue(self.clock, receives_max=receives_max, dead_letters=dead), dead

    def table(self) -> JobTable:
        return MemoryTable()

    def bucket(self, *, versioned: bool = False) -> str:
        self.objects.versioned = versioned
        return "bucket"

    def store(self) -> Store:
        return self.objects

    def signer(self) -> MemorySigner:
        return MemorySigner(self.clock, self.objects)

    def services(self) -> Services:
        return MemoryServices(self.clock, stack=STACK)

    def task_definition(self) -> str:
        return "worker:1"

    def put(self, bucket: str, key: str, body: bytes) -> None:
        self.objects.put(bucket, key, body)

    def pass_seconds(self, seconds: float) -> None:
        self._virtual.sleep(seconds)


class AwsWorld:
    """The adapters on clients that speak to something like AWS."""

    def __init__(self, kind: str, client: Callable[[str], Any]) -> None:
        self.kind = kind
        self.client = client
        self.clock: Clock = SystemClock()

    def queue(self, visibility_seconds: int = 30) -> Queue:
        return self._queue({"VisibilityTimeout": str(visibility_seconds)})

    def queue_with_dead_letters(self, receives_max: int) -> tuple[Queue, Queue]:
        dead, arn = self.queue_with_arn()
        redrive = f'{{"deadLetterTargetArn": "{arn}", "maxReceiveCount": {receives_max}}}'
        return self._queue({"RedrivePolicy": redrive}), dead

    def queue_with_arn(self) -> tuple[Queue, str]:
        url = self._queue_url({})
        told = self.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        return SqsQueue(self.client("sqs"), url), str(told["Attributes"]["QueueArn"])

    def _queue(self, attributes: dict[str, str]) -> Queue:
        return SqsQueue(self.client("sqs"), self._queue_url(attributes))

    def _queue_url(self, attributes: dict[str, str]) -> str:
        answer = self.client("sqs").create_queue(QueueName=_new("queue"), Attributes=attributes)
        return str(answer["QueueUrl"])

    def table(self) -> JobTable:
        name = _new("table")
        self.client("dynamodb").create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=_keys("pk", "sk"),
            AttributeDefinitions=[
                {"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk", "gpk", "gsk")
            ],
            GlobalSecondaryIndexes=[
                {
                    "IndexName": "by_state",
                    "KeySchema": _keys("gpk", "gsk"),
                    "Projection": {"ProjectionType": "ALL"},
                }
            ],
        )
        return DynamoTable(self.client("dynamodb"), name)

    def bucket(self, *, versioned: bool = False) -> str:
        name = _new("bucket")
        self.client("s3").create_bucket(Bucket=name)
        if versioned:
            self.client("s3").put_bucket_versioning(
                Bucket=name, VersioningConfiguration={"Status": "Enabled"}
            )
        return name

    def store(self) -> Store:
        return S3Store(self.client("s3"))

    def signer(self) -> Signer:
        return StsSigner(self.client("sts"), SIGNER_ROLE_ARN, self.clock)

    def services(self) -> Services:
        cluster = _new("cluster")
        self.client("ecs").create_cluster(
            clusterName=cluster, capacityProviders=["FARGATE", "FARGATE_SPOT"]
        )
        return EcsServices(
            self.client("ecs"),
            cluster=cluster,
            stack=STACK,
            subnets=["subnet-1"],
            security_groups=["sg-1"],
            assign_public_ip=True,
        )

    def task_definition(self) -> str:
        answer = self.client("ecs").register_task_definition(
            family=_new("worker"),
            requiresCompatibilities=["FARGATE"],
            networkMode="awsvpc",
            cpu="256",
            memory="512",
            containerDefinitions=[
                {"name": "worker", "image": "worker", "cpu": 256, "memory": 512, "essential": True}
            ],
        )
        return str(answer["taskDefinition"]["taskDefinitionArn"])

    def put(self, bucket: str, key: str, body: bytes) -> None:
        self.client("s3").put_object(Bucket=bucket, Key=key, Body=body)

    def pass_seconds(self, seconds: float) -> None:
        time.sleep(seconds)


def _new(what: str) -> str:
    return f"{what}-{uuid.uuid4().hex[:12]}"


def _keys(partition: str, sort: str) -> list[dict[str, str]]:
    return [
        {"AttributeName": partition, "KeyType": "HASH"},
        {"AttributeName": sort, "KeyType": "RANGE"},
    ]
