"""A person's way into a stack on AWS: whole files, the newest jobs, ECS's tasks."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from moto import mock_aws

from mayfly.aws import census, clients, dynamodb, history, transfer, visitor
from mayfly.core.changes import Create
from mayfly.core.rows import ENDED_JOBS, OPEN_JOBS, JobState, head_key, job_order, to_item
from mayfly.perform.ports import Gone
from tests.unit.given import AT, a_job


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    with mock_aws():
        yield


@pytest.fixture
def cargo(aws: None) -> transfer.Cargo:
    clients.make("s3").create_bucket(Bucket="media")
    return transfer.Cargo(visitor.Late(clients.make, "s3"), "media")


@pytest.mark.parametrize("size", [0, 5, transfer.ONE_PUT_BYTES_MAX + 1])
def test_a_file_comes_back_as_it_went(cargo: transfer.Cargo, tmp_path: Path, size: int) -> None:
    path, back = tmp_path / "there ü (1).mp4", tmp_path / "back.mp4"
    path.write_bytes(bytes(size))
    moved: list[int] = []

    cargo.upload(path, "uploads/there ü (1).mp4", moved.append)
    cargo.download("uploads/there ü (1).mp4", back, lambda _: None)

    assert back.stat().st_size == sum(moved) == size
    assert sorted(found.name for found in tmp_path.iterdir()) == ["back.mp4", "there ü (1).mp4"]


def test_an_object_that_is_not_there_leaves_no_file(cargo: transfer.Cargo, tmp_path: Path) -> None:
    with pytest.raises(Gone):
        cargo.download("outputs/nothing", tmp_path / "back.mp4", lambda _: None)

    assert list(tmp_path.iterdir()) == []


def test_the_newest_jobs_come_first_and_open_ones_before_them(aws: None) -> None:
    client = clients.make("dynamodb")
    _make_table(client)
    table = dynamodb.DynamoTable(client, "jobs")
    for number in range(5):
        for state, part in ((JobState.QUEUED, OPEN_JOBS), (JobState.FAILED, ENDED_JOBS)):
            ident = f"{state.value}{number}"
            placed = {"gpk": part, "gsk": job_order(AT + number, ident)}
            head = to_item(a_job(state, job_id=ident))
            table.commit([Create(key=head_key(ident), item={**head, **placed})])

    found = history.History(client, "jobs").jobs(7)

    newest = ["queued4", "queued3", "queued2", "queued1", "queued0", "failed4", "failed3"]
    assert [head.job_id for head in found] == newest


def test_a_task_that_was_told_to_stop_counts_until_it_has() -> None:
    class Ecs:
        def list_tasks(self, **asked: Any) -> dict[str, Any]:
            if asked["desiredStatus"] == "RUNNING":
                return {"taskArns": ["arn/a"]}
            if "nextToken" not in asked:
                return {"taskArns": ["arn/b"], "nextToken": "more"}
            return {"taskArns": ["arn/c"]}

        def describe_tasks(self, **asked: Any) -> dict[str, Any]:
            last = {"arn/a": "RUNNING", "arn/b": "STOPPING", "arn/c": "STOPPED"}
            return {
                "tasks": [
                    {
                        "taskArn": arn,
                        "lastStatus": last[arn],
                        "desiredStatus": "RUNNING",
                        "group": "service:mayfly-standard-x",
                        "capacityProviderName": "FARGATE_SPOT",
                        "cpu": "2048",
                        "memory": "4096",
                    }
                    for arn in asked["tasks"]
                ]
            }

    seen = census.Census(Ecs(), "mayfly").tasks()

    assert [(task.task, task.status) for task in seen] == [("a", "RUNNING"), ("b", "STOPPING")]
    assert (seen[0].vcpu, seen[0].service) == (2, "mayfly-standard-x")


def _make_table(client: Any) -> None:
    def keys(partition: str, sort: str) -> list[dict[str, str]]:
        return [
            {"AttributeName": partition, "KeyType": "HASH"},
            {"AttributeName": sort, "KeyType": "RANGE"},
        ]

    client.create_table(
        TableName="jobs",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk", "gpk", "gsk")
        ],
        KeySchema=keys("pk", "sk"),
        GlobalSecondaryIndexes=[
            {
                "IndexName": dynamodb.INDEX,
                "KeySchema": keys("gpk", "gsk"),
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
    )
