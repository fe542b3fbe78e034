"""`make deploy` and `make destroy` with the real template, on an embedded AWS."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from local import embedded
from mayfly.aws import images

ROOT = Path(__file__).resolve().parents[2]

pytestmark = [pytest.mark.embedded, pytest.mark.xdist_group("stack"), pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[embedded.EmbeddedAws]:
    with embedded.start(tmp_path_factory.mktemp("aws")) as running:
        yield running


def run(aws: embedded.EmbeddedAws, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=ROOT,
        env={**os.environ, **aws.environment},
        check=False,
        capture_output=True,
        text=True,
    )


def standing(aws: embedded.EmbeddedAws) -> dict[str, object]:
    """Everything that could be left behind, but for the buckets."""
    return {
        "queues": aws.client("sqs").list_queues().get("QueueUrls", []),
        "functions": aws.client("lambda").list_functions()["Functions"],
        "tables": aws.client("dynamodb").list_tables()["TableNames"],
        "logs": aws.client("logs").describe_log_groups()["logGroups"],
        "clusters": aws.client("ecs").list_clusters()["clusterArns"],
        "rules": aws.client("events").list_rules()["Rules"],
        "dashboards": aws.client("cloudwatch").list_dashboards()["DashboardEntries"],
        "alarms": aws.client("cloudwatch").describe_alarms()["MetricAlarms"],
        "roles": aws.client("iam").list_roles()["Roles"],
        "repositories": aws.client("ecr").describe_repositories()["repositories"],
        "vpcs": [vpc for vpc in aws.client("ec2").describe_vpcs()["Vpcs"] if not vpc["IsDefault"]],
    }


def test_up_again_and_down_leaves_nothing_but_the_data(
    aws: embedded.EmbeddedAws, tmp_path: Path
) -> None:
    staged = run(aws, "build_tools.stage", "lambda")
    assert staged.returncode == 0, staged.stderr
    before = standing(aws)
    out = str(tmp_path / "cdk.out")
    up = ("infra.deploy", "deploy", "--out", out, "--image", "registry.example/worker:1")

    first = run(aws, *up)
    assert first.returncode == 0, first.stderr
    assert "mayfly stands" in first.stdout
    assert "CREATE_COMPLETE" in first.stdout

    again = run(aws, *up)
    assert again.returncode == 0, again.stderr
    assert "is up to date" in again.stdout
    assert "UPDATE" not in again.stdout

    images.ensure_repository(aws.client, "mayfly")
    down = run(aws, "infra.deploy", "destroy", "--drain-seconds", "0")
    assert down.returncode == 0, down.stderr
    assert down.stdout.index("pauses") < down.stdout.index("DELETE_COMPLETE")
    assert "removed the repository" in down.stdout
    assert standing(aws) == before
    [bucket] = [item["Name"] for item in aws.client("s3").list_buckets()["Buckets"]]
    assert f"The bucket {bucket} stays" in down.stdout

    nothing = run(aws, "infra.deploy", "destroy")
    assert nothing.returncode == 3
    assert "no stack mayfly" in nothing.stdout


def test_a_wrong_setting_is_refused_before_anything_is_asked_of_aws(
    aws: embedded.EmbeddedAws, tmp_path: Path
) -> None:
    out = str(tmp_path / "cdk.out")
    said = run(aws, "infra.deploy", "deploy", "--out", out, "--image", "x", "-c", "pools=tiny")
    assert said.returncode == 2
    assert "tiny" in said.stderr


def test_without_credentials_the_next_step_is_named(tmp_path: Path) -> None:
    settings = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
    said = subprocess.run(
        [sys.executable, "-m", "infra.deploy", "destroy"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "AWS_DEFAULT_REGION": "us-east-1", **settings}
        | {"AWS_EC2_METADATA_DISABLED": "true"},
        check=False,
        capture_output=True,
        text=True,
    )
    assert said.returncode == 1
    assert "aws sts get-caller-identity" in said.stderr
    assert "Traceback" not in said.stderr


def test_a_repository_is_made_once_and_its_password_is_not_shown(
    aws: embedded.EmbeddedAws,
) -> None:
    first = images.ensure_repository(aws.client, "Film")
    assert images.ensure_repository(aws.client, "Film") == first
    assert first.endswith("/film/worker")
    login = images.login(aws.client)
    assert login.password
    assert login.password not in repr(login)
    assert images.digest_of(aws.client, "Film", "absent") is None
    assert images.remove_repository(aws.client, "Film")
    assert not images.remove_repository(aws.client, "Film")
