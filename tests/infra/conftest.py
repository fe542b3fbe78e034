"""Two synths for all tests of this folder: the default stack, and one with every setting changed.

A synth costs seconds, so all of these tests run in one process, whatever the number of workers.
"""

import json
from pathlib import Path

import pytest

from infra import app

# After `infra`, which tells jsii where Node is: jsii starts it while aws_cdk is imported.
# isort: split
from aws_cdk import Validations
from cdk_nag import AwsSolutionsChecks

from infra.config import Config
from tests.infra.synthesised import Template

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.xdist_group("infra"))


@pytest.fixture(scope="session")
def staged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `make build` stages, with nothing in it."""
    folder = tmp_path_factory.mktemp("staged")
    for package in ("dispatcher", "completion_handler"):
        module = folder / package / package / "handler.py"
        module.parent.mkdir(parents=True)
        module.write_text("def handler(event, context):\n    return {'batchItemFailures': []}\n")
    return folder


def synthesise(out: Path, **settings: object) -> Template:
    """Synthesises with cdk-nag, which raises when it finds something unacknowledged."""
    built, _ = app.build(Config.from_context(settings), out=out)
    Validations.of(built).add_plugins(AwsSolutionsChecks(built))
    built.synth()
    return Template(body=json.loads((out / "mayfly.template.json").read_text()), folder=out)


@pytest.fixture(scope="session")
def template(staged: Path, tmp_path_factory: pytest.TempPathFactory) -> Template:
    """The stack as it is without any setting."""
    return synthesise(tmp_path_factory.mktemp("default"), build_dir=staged)


@pytest.fixture(scope="session")
def other_template(staged: Path, tmp_path_factory: pytest.TempPathFactory) -> Template:
    """Every setting that changes what resources there are, changed."""
    return synthesise(
        tmp_path_factory.mktemp("other"),
        build_dir=staged,
        pools="small,standard,large=7",
        image="210987654321.dkr.ecr.eu-west-1.amazonaws.com/tools/worker@sha256:0abc",
        vpc="vpc-0a1b2c3d",
        subnets="subnet-0a1b2c3d,subnet-4e5f6a7b",
        assign_public_ip="false",
        retain_bucket="false",
        worker_architecture="arm64",
        lambda_architecture="x86_64",
        log_retention_days="30",
        source_hosts=".amazonaws.com,media.example.com",
        chunk_seconds="30",
        finish_seconds="900",
        spot_vcpu_quota="64",
        on_demand_vcpu_quota="16",
        foreseen_workers_max="40",
        source_bits_per_pixel="0.1",
        dollars_per_hour_max="3.5",
        alarm_topic="arn:aws:sns:eu-west-1:123456789012:ops",
    )


@pytest.fixture(params=["template", "other_template"])
def any_template(request: pytest.FixtureRequest) -> Template:
    """A claim about both."""
    found: Template = request.getfixturevalue(request.param)
    return found
