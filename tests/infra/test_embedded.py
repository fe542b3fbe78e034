"""The very template that goes to AWS, unmodified, in an embedded AWS."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from local import embedded
from mayfly.aws import stack
from tests.infra.synthesised import Template

pytestmark = pytest.mark.embedded


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[embedded.EmbeddedAws]:
    with embedded.start(tmp_path_factory.mktemp("aws")) as running:
        yield running


def resources(aws: embedded.EmbeddedAws, name: str) -> list[dict[str, Any]]:
    pages = aws.client("cloudformation").get_paginator("list_stack_resources")
    return [
        resource
        for page in pages.paginate(StackName=name)
        for resource in page["StackResourceSummaries"]
    ]


@pytest.mark.parametrize("name", ["mayfly", "another"])
def test_every_resource_is_created_under_any_name(
    aws: embedded.EmbeddedAws, any_template: Template, name: str
) -> None:
    """Twice each: what the first one kept must not stand in the way of the second."""
    outputs = stack.deploy(aws.client, any_template.folder, name)
    try:
        made = resources(aws, name)
        assert len(made) == len(any_template.body["Resources"])
        assert {resource["ResourceStatus"] for resource in made} == {"CREATE_COMPLETE"}
        assert outputs.keys() == any_template.outputs.keys()
        assert outputs["Cluster"] == f"{name}-workers"
    finally:
        stack.destroy(aws.client, name)


def test_an_upload_reaches_the_requests_queue_and_an_attempt_does_not(
    aws: embedded.EmbeddedAws, template: Template
) -> None:
    outputs = stack.deploy(aws.client, template.folder, "uploads")
    try:
        # Nobody but this test shall read the queue.
        functions = aws.client("lambda")
        for mapping in functions.list_event_source_mappings()["EventSourceMappings"]:
            functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
        s3, sqs = aws.client("s3"), aws.client("sqs")
        for key in ("work/job/output.mp4", "uploads/mp4-720p/my clip.mp4"):
            s3.put_object(Bucket=outputs["Bucket"], Key=key, Body=b"video")
        keys: list[str] = []
        while not keys:
            answer = sqs.receive_message(QueueUrl=outputs["RequestsQueueUrl"], WaitTimeSeconds=5)
            assert answer.get("Messages"), "no message came"
            for message in answer["Messages"]:
                records = json.loads(message["Body"]).get("Records", [])
                keys.extend(record["s3"]["object"]["key"] for record in records)
        assert keys == ["uploads/mp4-720p/my+clip.mp4"]
    finally:
        stack.destroy(aws.client, "uploads")
