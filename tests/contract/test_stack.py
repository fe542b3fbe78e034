"""The deployer against an embedded AWS: a tiny stack goes up, changes, fails and goes down."""

import json
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local import embedded
from mayfly.aws import assets, cloudformation, leftovers, stack

pytestmark = [pytest.mark.embedded, pytest.mark.xdist_group("stack")]

ASSETS_BUCKET = f"tiny-assets-000000000000-{embedded.REGION}"


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[embedded.EmbeddedAws]:
    with embedded.start(tmp_path_factory.mktemp("aws")) as running:
        yield running


@pytest.fixture
def assembly(tmp_path: Path) -> Path:
    """A cloud assembly as CDK writes one, with a queue, a kept bucket, a cluster and a function."""
    code = tmp_path / "asset.code"
    code.mkdir()
    (code / "index.py").write_text("def handler(event, context):\n    return event\n")
    write_assembly(tmp_path, template())
    return tmp_path


def template(**changes: Any) -> dict[str, Any]:
    resources = {
        "Queue": {"Type": "AWS::SQS::Queue", "Properties": {"VisibilityTimeout": {"Ref": "Hide"}}},
        "Data": {"Type": "AWS::S3::Bucket", "DeletionPolicy": "Retain"},
        "Cluster": {"Type": "AWS::ECS::Cluster"},
        "Role": {
            "Type": "AWS::IAM::Role",
            "Properties": {"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": []}},
        },
        "Function": {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "Handler": "index.handler",
                "Runtime": "python3.13",
                "Role": {"Fn::GetAtt": ["Role", "Arn"]},
                "Code": {"S3Bucket": {"Fn::Sub": BUCKET_PATTERN}, "S3Key": "code-hash.zip"},
            },
        },
        **changes,
    }
    return {
        "Parameters": {"Hide": {"Type": "Number"}},
        "Resources": resources,
        "Outputs": {
            "QueueUrl": {"Value": {"Ref": "Queue"}},
            "Bucket": {"Value": {"Ref": "Data"}},
            "Cluster": {"Value": {"Ref": "Cluster"}},
        },
    }


BUCKET_PATTERN = "tiny-assets-${AWS::AccountId}-${AWS::Region}"


def write_assembly(folder: Path, content: dict[str, Any]) -> None:
    (folder / "tiny.template.json").write_text(json.dumps(content))
    destination = {"bucketName": BUCKET_PATTERN, "objectKey": "code-hash.zip"}
    files = {
        "code-hash": {
            "source": {"path": "asset.code", "packaging": "zip"},
            "destinations": {"here": destination},
        }
    }
    (folder / "tiny.assets.json").write_text(json.dumps({"files": files, "dockerImages": {}}))
    artifacts = {
        "tiny.assets": {
            "type": "cdk:asset-manifest",
            "properties": {"file": "tiny.assets.json"},
        },
        "tiny": {
            "type": "aws:cloudformation:stack",
            "properties": {"templateFile": "tiny.template.json", "tags": {"team": "film"}},
        },
    }
    (folder / "manifest.json").write_text(json.dumps({"artifacts": artifacts}))


def visibility(aws: embedded.EmbeddedAws, outputs: dict[str, str]) -> str:
    asked = aws.client("sqs").get_queue_attributes(
        QueueUrl=outputs["QueueUrl"], AttributeNames=["VisibilityTimeout"]
    )
    return str(asked["Attributes"]["VisibilityTimeout"])


def test_a_stack_goes_up_changes_says_when_there_is_nothing_to_do_and_goes_down_whole(
    aws: embedded.EmbeddedAws, assembly: Path
) -> None:
    steps: list[stack.Step] = []

    def deploy(**parameters: str) -> dict[str, str]:
        steps.clear()
        return stack.deploy(
            aws.client, assembly, "tiny", parameters=parameters, on_event=steps.append
        )

    outputs = deploy(Hide="30")
    assert visibility(aws, outputs) == "30"
    assert ("Queue", "CREATE_COMPLETE") in [(step.name, step.status) for step in steps]
    assert deploy(Hide="31") == outputs
    assert visibility(aws, outputs) == "31"
    assert deploy() == outputs, "a parameter that is not given keeps its value"
    assert visibility(aws, outputs) == "31"
    assert [step.status for step in steps] == ["is up to date"]

    ended = stack.destroy(aws.client, "tiny", drain_seconds=0)

    [sentence] = ended.kept
    assert outputs["Bucket"] in sentence
    assert stack.outputs(aws.client, "tiny") == {}
    assert not assets.exists(lambda: aws.client("s3").head_bucket(Bucket=ASSETS_BUCKET))
    assert assets.exists(lambda: aws.client("s3").head_bucket(Bucket=outputs["Bucket"]))


def test_data_goes_only_when_somebody_says_so(aws: embedded.EmbeddedAws, assembly: Path) -> None:
    outputs = stack.deploy(aws.client, assembly, "data", parameters={"Hide": "30"})
    aws.client("s3").put_object(Bucket=outputs["Bucket"], Key="uploads/a.mp4", Body=b"x")
    ended = stack.destroy(aws.client, "data", delete_data=True, drain_seconds=0)
    assert ended.kept == ()
    assert not assets.exists(lambda: aws.client("s3").head_bucket(Bucket=outputs["Bucket"]))


def test_a_failure_names_the_resource_and_the_reason_and_the_next_try_starts_afresh(
    aws: embedded.EmbeddedAws, assembly: Path
) -> None:
    broken = {"Type": "AWS::SQS::Queue", "Properties": {"VisibilityTimeout": 99999999}}
    write_assembly(assembly, template(Broken=broken))
    with pytest.raises(stack.StackFailed) as failure:
        stack.deploy(aws.client, assembly, "fails", parameters={"Hide": "30"})
    assert "Broken" in failure.value.resource
    assert failure.value.reason

    write_assembly(assembly, template())
    assert stack.deploy(aws.client, assembly, "fails", parameters={"Hide": "30"})
    stack.destroy(aws.client, "fails", delete_data=True, drain_seconds=0)


def test_services_hatched_at_run_time_go_before_the_stack(
    aws: embedded.EmbeddedAws, assembly: Path
) -> None:
    outputs = stack.deploy(aws.client, assembly, "hatched", parameters={"Hide": "30"})
    ecs = aws.client("ecs")
    container = {"name": "worker", "image": "none", "memory": 128}
    definition = ecs.register_task_definition(family="w", containerDefinitions=[container])
    ecs.create_service(
        cluster=outputs["Cluster"],
        serviceName="mayfly-standard-1",
        taskDefinition=definition["taskDefinition"]["taskDefinitionArn"],
        desiredCount=0,
        tags=[{"key": "mayfly:stack", "value": "hatched"}],
    )
    order: list[str] = []
    stack.destroy(
        aws.client,
        "hatched",
        before_delete=lambda: order.append("paused"),
        delete_data=True,
        drain_seconds=0,
        on_event=lambda step: order.append(step.status),
    )
    said = [word for word in order if word in ("paused", "drains 1 services", "DELETE_COMPLETE")]
    assert said[:3] == ["paused", "drains 1 services", "DELETE_COMPLETE"]
    assert outputs["Cluster"] not in " ".join(ecs.list_clusters()["clusterArns"])


class SlowToStop:
    """ECS with one worker that is busy for two looks and stopping for two more."""

    def __init__(self) -> None:
        self.looks = 0
        self.calls: list[str] = []

    def get_paginator(self, name: str) -> "SlowToStop":
        self.listing = name
        return self

    def paginate(self, **asked: str) -> list[dict[str, list[str]]]:
        if self.listing == "list_services":
            return [{"serviceArns": ["service"]}]
        return [{"taskArns": ["task"] if asked["desiredStatus"] == "STOPPED" else []}]

    def describe_services(self, **_: object) -> dict[str, Any]:
        tags = [{"key": "mayfly:stack", "value": "slow"}]
        return {"services": [{"serviceArn": "service", "tags": tags}]}

    def describe_tasks(self, **_: object) -> dict[str, Any]:
        self.looks += 1
        status = {1: "RUNNING", 2: "RUNNING"}.get(self.looks, "STOPPED")
        return {"tasks": [{"lastStatus": status}]}

    def update_service(self, **asked: object) -> None:
        self.calls.append(f"desired {asked['desiredCount']} after {self.looks} looks")

    def delete_service(self, **asked: object) -> None:
        self.calls.append(f"force {asked['force']} after {self.looks} looks")


def test_a_busy_worker_is_let_finish_before_its_service_goes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cloudformation, "_PAUSE_FIRST_SECONDS", 0.0)
    ecs = SlowToStop()
    leftovers.clear_services(lambda _: ecs, "cluster", "slow", lambda _: None, drain_seconds=60)
    assert ecs.calls == ["desired 0 after 0 looks", "force True after 3 looks"]


def test_a_service_of_another_stack_is_left_alone() -> None:
    ecs = SlowToStop()
    leftovers.clear_services(lambda _: ecs, "cluster", "other", lambda _: None, drain_seconds=0)
    assert ecs.calls == []


def test_destroying_what_is_not_there_is_no_error(aws: embedded.EmbeddedAws) -> None:
    assert stack.destroy(aws.client, "nowhere") == stack.Destroyed(kept=())


def test_two_stacks_share_the_assets_and_the_last_one_takes_them_along(
    aws: embedded.EmbeddedAws, assembly: Path
) -> None:
    for name in ("one", "two"):
        stack.deploy(aws.client, assembly, name, parameters={"Hide": "30"})
    stack.destroy(aws.client, "one", delete_data=True, drain_seconds=0)
    assert assets.exists(
        lambda: aws.client("s3").head_object(Bucket=ASSETS_BUCKET, Key="code-hash.zip")
    )
    stack.destroy(aws.client, "two", delete_data=True, drain_seconds=0)
    assert not assets.exists(lambda: aws.client("s3").head_bucket(Bucket=ASSETS_BUCKET))


def test_a_bucket_that_somebody_else_made_is_used_and_left_alone(
    aws: embedded.EmbeddedAws, assembly: Path
) -> None:
    s3 = aws.client("s3")
    s3.create_bucket(Bucket=ASSETS_BUCKET)
    s3.put_object(Bucket=ASSETS_BUCKET, Key="theirs", Body=b"x")
    stack.deploy(aws.client, assembly, "guest", parameters={"Hide": "30"})
    stack.destroy(aws.client, "guest", delete_data=True, drain_seconds=0)
    assert s3.get_object(Bucket=ASSETS_BUCKET, Key="theirs")["Body"].read() == b"x"
    assets.empty_bucket(s3, {"Bucket": ASSETS_BUCKET})
    s3.delete_bucket(Bucket=ASSETS_BUCKET)


def test_what_an_older_deployment_left_is_removed_once_the_new_one_stands(
    aws: embedded.EmbeddedAws, assembly: Path
) -> None:
    stack.deploy(aws.client, assembly, "pruned", parameters={"Hide": "30"})
    s3 = aws.client("s3")
    s3.put_object(Bucket=ASSETS_BUCKET, Key="older.zip", Body=b"x")
    stack.deploy(aws.client, assembly, "pruned", parameters={"Hide": "32"})
    listed = s3.list_objects_v2(Bucket=ASSETS_BUCKET)["Contents"]
    assert "older.zip" not in [item["Key"] for item in listed]
    stack.destroy(aws.client, "pruned", delete_data=True, drain_seconds=0)


def test_the_bucket_of_assets_is_private_encrypted_and_speaks_tls_only(
    aws: embedded.EmbeddedAws, assembly: Path
) -> None:
    stack.deploy(aws.client, assembly, "private", parameters={"Hide": "30"})
    s3 = aws.client("s3")
    blocked = s3.get_public_access_block(Bucket=ASSETS_BUCKET)["PublicAccessBlockConfiguration"]
    assert all(blocked.values())
    assert len(blocked) == 4
    [rule] = s3.get_bucket_encryption(Bucket=ASSETS_BUCKET)["ServerSideEncryptionConfiguration"][
        "Rules"
    ]
    assert rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    policy = json.loads(s3.get_bucket_policy(Bucket=ASSETS_BUCKET)["Policy"])
    assert policy["Statement"][0]["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    stack.destroy(aws.client, "private", delete_data=True, drain_seconds=0)


def test_equal_folders_make_equal_zips(tmp_path: Path) -> None:
    made = []
    for name in ("first", "second"):
        folder = tmp_path / name
        (folder / "inner").mkdir(parents=True)
        for file in ("b.py", "a.py", "inner/c.py"):
            (folder / file).write_text(file)
        target = BytesIO()
        assets.zip_folder(folder, target)
        made.append(target.getvalue())
    assert made[0] == made[1]
    with zipfile.ZipFile(BytesIO(made[0])) as archive:
        assert archive.namelist() == ["a.py", "b.py", "inner/c.py"]


def test_an_assembly_that_was_never_written_says_how_to_write_it(tmp_path: Path) -> None:
    place = assets.Place(account="1", region="us-east-1", partition="aws")
    with pytest.raises(assets.AssemblyUnreadable, match="make synth"):
        assets.read_assembly(tmp_path, place)


def test_a_stack_that_is_being_changed_is_not_changed_by_us() -> None:
    class Busy:
        def describe_stacks(self, **_: object) -> dict[str, Any]:
            return {"Stacks": [{"StackStatus": "UPDATE_IN_PROGRESS", "StackId": "x"}]}

    assert cloudformation.describe(Busy(), "x") is not None
    with pytest.raises(stack.StackBusy, match="wait"):
        stack._refuse_busy("x", "UPDATE_IN_PROGRESS")
    with pytest.raises(stack.StackBusy, match="make destroy"):
        stack._refuse_busy("x", "UPDATE_ROLLBACK_FAILED")


def test_a_call_that_aws_refuses_is_not_taken_for_absence() -> None:
    class Denied:
        def describe_stacks(self, **_: object) -> dict[str, Any]:
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "Describe")

    with pytest.raises(ClientError):
        cloudformation.describe(Denied(), "x")
