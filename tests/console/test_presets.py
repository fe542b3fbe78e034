"""Presets of one's own: listed, checked, added, used; and ours without any stack."""

import json
from pathlib import Path
from typing import Any

import pytest

from console import reach
from console.ends import NoStack
from local import cloud
from mayfly.core import limits
from mayfly.perform.ports import Temporary
from tests.console.conftest import Run, document
from tests.console.scene import Scene

MINE = {"why": "Mine.", "recipe": {"outputs": [{"kind": "video", "file": "video.mp4"}]}}


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """No stack is within reach."""

    def reached(_name: str | None) -> reach.Stack:
        raise NoStack("There is none.")

    monkeypatch.setattr(reach, "reach", reached)
    monkeypatch.setattr(reach, "laptop_facts", lambda: None)


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A preset in a file."""
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(MINE))
    return path


def test_ours_are_listed_with_their_reasons_without_any_stack(run: Run, nowhere: None) -> None:
    told = document(run("presets", "--json"))
    assert told["presets"]["poster"]["recipe"]["outputs"][0]["file"] == "poster.jpg"
    assert "start" in told["presets"]["mp4-720p"]["why"]
    assert {one["of"] for one in told["presets"].values()} == {"mayfly"}
    assert (told["stack"], told["unusable"]) == (None, {})
    assert "No stack was asked for presets of its own. There is none." in run("presets").output


def test_presets_say_what_an_hour_costs_and_none_is_free(run: Run, nowhere: None) -> None:
    hours = {n: one["hour"] for n, one in document(run("presets", "--json"))["presets"].items()}
    # Fargate bills a minute at least.
    assert all(hour["dollars"] > 0.0003 for hour in hours.values())
    assert hours["poster"]["work_seconds"] == 0
    assert 0.01 < hours["mp4-720p"]["dollars"] < hours["web-hls"]["dollars"] < 0.2
    assert "$0.0" in run("presets").output


def test_a_stack_that_was_named_and_is_not_there_is_told(run: Run, nowhere: None) -> None:
    assert run("presets", "--stack", "other").exit_code == 3


def test_a_bucket_that_does_not_answer_hides_none_of_ours(
    scene: Scene, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(*_: Any, **__: Any) -> None:
        raise Temporary("S3 is busy.")

    monkeypatch.setattr(scene.w.store, "list", busy)
    told = run("presets")
    assert told.exit_code == 0 and "poster" in told.output and "S3 is busy." in told.output


def test_those_of_the_stack_are_listed_and_why_one_is_not_used(scene: Scene, run: Run) -> None:
    assert "None in the bucket of mayfly" in run("presets").output
    for key, body in {
        "mine.json": json.dumps(MINE),
        "broken.json": "{",
        "poster.json": json.dumps(MINE),
        "mine.yaml": "why: not JSON",
        "more/deep.json": json.dumps(MINE),
    }.items():
        scene.w.store.put("media", f"presets/{key}", body.encode())
    told = document(run("presets", "--json"))
    assert [name for name, one in told["presets"].items() if one["of"] == "stack"] == ["mine"]
    assert told["presets"]["mine"]["hour"]["dollars"] > 0
    assert told["presets"]["poster"]["of"] == "mayfly"
    assert sorted(told["unusable"]) == ["broken", "poster"]
    assert told["unusable"]["broken"].startswith("presets/broken.json: the message: got 1 bytes")
    shown = run("presets").output
    assert "In the bucket of mayfly (memory):" in shown and "that one is used" in shown


def test_one_is_added_and_used_by_the_next_upload(
    scene: Scene, run: Run, mine: Path, clip: Path
) -> None:
    added = document(run("presets", "add", mine, "--json"))
    assert added == {
        "name": "mine",
        "stack": "mayfly",
        "key": "presets/mine.json",
        "replaced": False,
    }
    told = document(run("submit", clip, "--preset", "mine", "--json"))
    assert (told["preset"], told["job_id"]) == ("mine", scene.the_job())
    assert told["source"] == "s3://media/uploads/mine/my clip.mp4"
    again = run("presets", "add", mine)
    assert "The preset mine was replaced: s3://media/presets/mine.json" in again.output


def test_a_request_for_what_is_there_may_name_it(scene: Scene, run: Run, mine: Path) -> None:
    run("presets", "add", mine)
    scene.w.store.put("media", "uploads/a.mp4", b"video")
    told = document(run("submit", "s3://media/uploads/a.mp4", "--preset", "mine", "--json"))
    assert (told["preset"], told["job_id"]) == ("mine", scene.the_job())


def test_it_is_added_under_the_name_that_was_given(scene: Scene, run: Run, mine: Path) -> None:
    assert document(run("presets", "add", mine, "--name", "shop.v2", "--json"))["name"] == "shop.v2"
    assert scene.w.store.keys("media", "presets/") == ["presets/shop.v2.json"]


@pytest.mark.parametrize(
    ("name", "body", "says"),
    [
        ("poster", json.dumps(MINE), "Mayfly has a preset poster"),
        ("my own", json.dumps(MINE), "cannot be called my own"),
        ("../x", json.dumps(MINE), "cannot be called ../x"),
        ("a", "{}", "mine.json: why: got nothing"),
        ("a", '{"why": "", "recipe": {"outputs": []}}', "mine.json: recipe.outputs"),
        ("a", " " * (limits.PRESET_BYTES_MAX + 1), "larger than a preset may be: 65536 bytes."),
    ],
)
def test_what_would_be_refused_is_not_added(
    scene: Scene, run: Run, mine: Path, name: str, body: str, says: str
) -> None:
    mine.write_text(body)
    result = run("presets", "add", mine, "--name", name)
    assert result.exit_code == 2 and says in result.stderr
    assert scene.w.store.keys("media") == []


def test_a_stack_named_before_add_is_the_stack(
    scene: Scene, run: Run, mine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str | None] = []

    def reached(name: str | None) -> reach.Stack:
        asked.append(name)
        return scene.stack

    monkeypatch.setattr(reach, "reach", reached)
    run("presets", "--stack", "mine", "add", mine)
    run("presets", "add", mine, "--stack", "yours")
    assert asked == ["mine", "yours"]


def test_a_preset_in_a_file_is_checked_before_a_cloud_is_started_for_it(
    run: Run, nowhere: None, mine: Path, clip: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    started: list[object] = []
    monkeypatch.setattr(cloud.LocalCloud, "start", lambda **options: started.append(options))
    mine.write_text("{}")
    for words in (("local", "encode", clip, "--out", tmp_path), ("demo", clip, "--out", tmp_path)):
        result = run(*words, "--preset", mine)
        assert result.exit_code == 2 and "mine.json: why: got nothing" in result.stderr
        unknown = run(*words, "--preset", "mine")
        assert unknown.exit_code == 2 and "one of: archive-lossless" in unknown.stderr
    assert started == []
