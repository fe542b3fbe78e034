"""Claims about the template as a whole."""

import ast
import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest
from aws_cdk import App, Stack, Validations
from aws_cdk import aws_sqs as sqs
from cdk_nag import AwsSolutionsChecks

from infra import app
from mayfly.contract.settings import FunctionSettings, PoolSettings, pools_from_json
from mayfly.core import limits
from tests.infra.synthesised import Template

#: Types that CloudFormation cannot tag, or that are part of another resource.
UNTAGGABLE = {
    "AWS::SQS::QueuePolicy",
    "AWS::S3::BucketPolicy",
    "AWS::IAM::Policy",
    "AWS::EC2::SubnetRouteTableAssociation",
    "AWS::EC2::Route",
    "AWS::EC2::VPCGatewayAttachment",
    "AWS::Lambda::EventInvokeConfig",
    "AWS::Lambda::Permission",
}


def test_cfn_lint_finds_nothing(any_template: Template) -> None:
    path = any_template.folder / "mayfly.template.json"
    lint = Path(sys.executable).with_name("cfn-lint")
    regions = ["us-east-1", "eu-west-1", "ap-southeast-1"]
    done = subprocess.run(
        [str(lint), "--regions", *regions, "--", str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_cdk_nag_is_awake(tmp_path: Path) -> None:
    """Both templates were synthesised under cdk-nag; this shows that it would have spoken."""
    canary = App(outdir=str(tmp_path), analytics_reporting=False)
    sqs.Queue(Stack(canary, "canary"), "without-tls")
    Validations.of(canary).add_plugins(AwsSolutionsChecks(canary))
    with pytest.raises(RuntimeError, match="AwsSolutions-SQS4"):
        canary.synth()


def test_every_acknowledgement_gives_a_reason() -> None:
    for path in Path("infra").glob("*.py"):
        for call in ast.walk(ast.parse(path.read_text())):
            if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "acknowledge":
                assert [keyword.arg for keyword in call.keywords] == ["why"], path


def test_the_assembly_asks_for_no_role_no_bootstrap_and_no_docker(template: Template) -> None:
    assets = json.loads((template.folder / "mayfly.assets.json").read_text())
    assert assets["dockerImages"] == {}
    destinations = [d for f in assets["files"].values() for d in f["destinations"].values()]
    # Two functions and the template.
    assert len(destinations) == 3
    for destination in destinations:
        assert destination.keys() == {"bucketName", "objectKey"}
        assert destination["bucketName"] == "mayfly-assets-${AWS::AccountId}-${AWS::Region}"
    assert "Parameters" not in template.body
    assert "Rules" not in template.body


def test_there_is_no_lambda_but_our_two(any_template: Template) -> None:
    functions = any_template.all("AWS::Lambda::Function")
    assert {f["Handler"] for f in functions} == {
        "dispatcher.handler.handler",
        "completion_handler.handler.handler",
    }
    kinds = {resource.type for resource in any_template.all()}
    assert not {k for k in kinds if k.startswith("Custom::") or "CustomResource" in k}


def test_nothing_in_the_template_runs_while_there_is_no_work(any_template: Template) -> None:
    kinds = {resource.type for resource in any_template.all()}
    assert not kinds & {
        "AWS::ECS::Service",
        "AWS::EC2::NatGateway",
        "AWS::EC2::EIP",
        "AWS::EC2::Instance",
        "AWS::KMS::Key",
        "AWS::Lambda::Version",
    }
    assert {t["VpcEndpointType"] for t in any_template.all("AWS::EC2::VPCEndpoint")} <= {"Gateway"}


def test_every_handler_resolves_in_the_repository(template: Template) -> None:
    for function in template.all("AWS::Lambda::Function"):
        module, _, name = function["Handler"].rpartition(".")
        found = importlib.util.find_spec(module)
        assert found is not None, f"{module} does not exist"
        assert found.origin is not None
        # Read, not run: a handler's module reads its environment while it is imported.
        tree = ast.parse(Path(found.origin).read_text())
        defined = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
        assert name in defined, f"{module} defines no {name}()"


def test_everything_taggable_says_whose_it_is(any_template: Template) -> None:
    for resource in any_template.all():
        tags = resource.properties.get("Tags")
        if resource.type in UNTAGGABLE:
            assert tags is None, f"{resource.type} can be tagged after all"
            continue
        listed = tags if isinstance(tags, dict) else {t["Key"]: t["Value"] for t in tags or []}
        assert listed.get("mayfly:stack") == "mayfly", resource


def test_only_the_bucket_and_its_demand_for_tls_outlive_the_stack(template: Template) -> None:
    kept = [r.type for r in template.all() if r.raw.get("DeletionPolicy", "Delete") != "Delete"]
    assert kept == ["AWS::S3::Bucket", "AWS::S3::BucketPolicy"]
    replaced = [
        r.type for r in template.all() if r.raw.get("UpdateReplacePolicy", "Delete") != "Delete"
    ]
    assert replaced == ["AWS::S3::Bucket", "AWS::S3::BucketPolicy"]


def test_a_throwaway_stack_keeps_nothing(other_template: Template) -> None:
    assert {r.raw.get("DeletionPolicy", "Delete") for r in other_template.all()} == {"Delete"}


def test_nothing_is_protected_from_deletion(any_template: Template) -> None:
    assert not [
        r for r in any_template.all() if r.properties.get("DeletionProtectionEnabled", False)
    ]


def test_every_log_ends(any_template: Template) -> None:
    groups = any_template.all("AWS::Logs::LogGroup")
    assert len(groups) == 3
    days = 14 if "subnet-0a1b2c3d" not in str(any_template.body) else 30
    assert {group["RetentionInDays"] for group in groups} == {days}
    written = [f["LoggingConfig"]["LogGroup"] for f in any_template.all("AWS::Lambda::Function")]
    for task in any_template.all("AWS::ECS::TaskDefinition"):
        (container,) = task["ContainerDefinitions"]
        written.append(container["LogConfiguration"]["Options"]["awslogs-group"])
    assert set(written) == {f"<{group.name}>" for group in groups}


def test_the_outputs_are_what_the_command_line_reads(template: Template) -> None:
    outputs = template.outputs
    assert outputs.keys() == {
        "Table",
        "Bucket",
        "RequestsQueueUrl",
        "DoneQueueUrl",
        "Cluster",
        "Pools",
        "DashboardName",
        "DispatcherFunction",
        "CompletionFunction",
        "DefaultPreset",
        "EventBus",
    }
    assert outputs["RequestsQueueUrl"] == "<mayfly-requests>"
    assert outputs["DefaultPreset"] == "mp4-720p"
    assert pools_from_json(outputs["Pools"]) == (
        PoolSettings(
            name="standard",
            jobs_queue_url="<mayfly-jobs-standard>",
            dead_letter_queue_url="<mayfly-jobs-standard-dead>",
            task_definition="<mayfly-standard>",
            vcpu=2,
            memory_mib=4096,
            workers_max=3,
            on_demand_after_seconds=300,
        ),
    )


def test_both_functions_read_the_same_settings(template: Template) -> None:
    seen = [
        FunctionSettings.from_env(function["Environment"]["Variables"])
        for function in template.all("AWS::Lambda::Function")
    ]
    assert seen[0] == seen[1]
    settings = seen[0]
    assert settings.stack == "mayfly"
    assert settings.table == f"<{template.one('AWS::DynamoDB::Table').name}>"
    assert settings.bucket == f"<{template.one('AWS::S3::Bucket').name}>"
    assert settings.cluster == f"<{template.one('AWS::ECS::Cluster').name}>"
    assert len(settings.subnets) == 3
    assert settings.assign_public_ip
    assert settings.pools == pools_from_json(template.outputs["Pools"])
    assert settings.finish_seconds == limits.FINISH_SECONDS
    assert settings.foreseen_workers_max == limits.FORESEEN_WORKERS
    assert settings.source_bits_per_pixel == limits.SOURCE_BITS_PER_PIXEL
    assert (settings.spot_vcpu_quota, settings.on_demand_vcpu_quota) == (6, 6)
    assert settings.dollars_per_hour_max == 0


def test_what_an_operator_says_of_the_account_reaches_the_functions(
    other_template: Template,
) -> None:
    function = other_template.one("AWS::Lambda::Function", "mayfly-dispatcher")
    settings = FunctionSettings.from_env(function["Environment"]["Variables"])
    assert settings.finish_seconds == 900
    assert settings.foreseen_workers_max == 40
    assert settings.source_bits_per_pixel == 0.1
    assert (settings.spot_vcpu_quota, settings.on_demand_vcpu_quota) == (64, 16)
    assert settings.dollars_per_hour_max == 3.5


def test_the_name_of_the_stack_is_nowhere_spelt(template: Template) -> None:
    """One synthesised template can stand under any name: only AWS::StackName names it."""
    for resource in template.all("AWS::SQS::Queue", "AWS::DynamoDB::Table", "AWS::ECS::Cluster"):
        assert {"Ref": "AWS::StackName"} in resource.raw["Properties"][
            {
                "AWS::SQS::Queue": "QueueName",
                "AWS::DynamoDB::Table": "TableName",
                "AWS::ECS::Cluster": "ClusterName",
            }[resource.type]
        ]["Fn::Join"][1]


def test_a_missing_build_is_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert app.main(["--out", str(tmp_path / "out"), "-c", f"build_dir={tmp_path}"]) == 2
    assert "run `make build` first" in capsys.readouterr().err
