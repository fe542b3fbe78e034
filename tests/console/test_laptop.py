"""What `mayfly local up` and `mayfly local encode` hand to the laptop cloud."""

from pathlib import Path
from typing import Any

import pytest

from console import reach
from infra.config import Config
from local import cloud
from tests.console.conftest import Run


class Stopped(Exception):
    """Nothing is started here."""


@pytest.fixture
def chosen(monkeypatch: pytest.MonkeyPatch) -> list[cloud.Options]:
    """What was chosen for the clouds that would have been started."""
    found: list[cloud.Options] = []

    def start(*, options: cloud.Options, **_: Any) -> None:
        found.append(options)
        raise Stopped

    def up(_ready: Any, *, options: cloud.Options, **_: Any) -> None:
        found.append(options)

    monkeypatch.setattr(reach, "laptop_facts", lambda: None)
    monkeypatch.setattr(cloud.LocalCloud, "start", start)
    monkeypatch.setattr(cloud, "up", up)
    return found


def test_encode_has_a_clip_cut_for_so_many_workers(
    run: Run, chosen: list[cloud.Options], clip: Path, tmp_path: Path
) -> None:
    run("local", "encode", clip, "--out", tmp_path, "--workers", 2, "--chunk-seconds", 4)

    (options,) = chosen
    config = Config.from_context(options.template_settings())
    assert [(pool.name, pool.workers_max) for pool in config.pools] == [("standard", 2)]
    assert config.chunk_seconds == 4


@pytest.mark.parametrize("named", ["logo.png", "logo.gif=x", "../logo.png=x", "=x", "a.png="])
def test_an_image_has_a_name_that_recipes_can_call_it(
    named: str, run: Run, chosen: list[cloud.Options], clip: Path, tmp_path: Path
) -> None:
    ended = run("local", "encode", clip, "--out", tmp_path, "--asset", named)
    assert ended.exit_code == 2
    assert not chosen, "nothing was started for it"


def test_up_takes_it_too(run: Run, chosen: list[cloud.Options]) -> None:
    assert run("local", "up", "--chunk-seconds", 30).exit_code == 0
    assert Config.from_context(chosen[0].template_settings()).chunk_seconds == 30


def test_unless_told_the_work_decides_and_every_task_gets_a_worker(
    run: Run, chosen: list[cloud.Options]
) -> None:
    assert run("local", "up").exit_code == 0
    assert Config.from_context(chosen[0].template_settings()) == Config(
        source_hosts=(".amazonaws.com", "127.0.0.1", "localhost"),
        finish_seconds=0,
        spot_vcpu_quota=0,
        on_demand_vcpu_quota=0,
    )


def test_a_laptop_has_no_quota(run: Run, chosen: list[cloud.Options]) -> None:
    assert run("local", "up", "--workers", 40).exit_code == 0
    assert Config.from_context(chosen[0].template_settings()).pools[0].workers_max == 40


@pytest.mark.parametrize("seconds", ["0", "86401", "1.5"])
def test_a_chunk_is_a_second_to_a_day(
    run: Run, chosen: list[cloud.Options], clip: Path, tmp_path: Path, seconds: str
) -> None:
    result = run("local", "encode", clip, "--out", tmp_path, "--chunk-seconds", seconds)
    assert result.exit_code == 2
    assert chosen == []


@pytest.mark.parametrize("option", ["--workers", "--chunk-seconds"])
def test_a_cloud_that_runs_already_keeps_its_own(
    run: Run, chosen: list[cloud.Options], clip: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, option: str,
) -> None:  # fmt: skip
    monkeypatch.setattr(reach, "laptop_facts", object)
    result = run("local", "encode", clip, "--out", tmp_path, option, 2)
    assert result.exit_code == 2
    assert "with its own workers and chunks" in result.stderr
    assert "mayfly local down" in result.stderr
    assert chosen == []
