"""How work is brought in, and what is refused with a sentence."""

import json
import os
from pathlib import Path

import pytest

from console import submitting
from console.ends import WrongCall
from tests.console.conftest import Run, document
from tests.console.scene import Scene

NAMES = [
    "a b.mp4",
    "my clip (1)+ü.mp4",
    """it's "quoted" [red].mp4""",
    "50% & more #1?.mp4",
    "日本.mp4",
    "--wait.mp4",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_files_name_survives(scene: Scene, run: Run, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"video")

    result = run("submit", path, "--json")

    assert result.exit_code == 0, result.output
    assert document(result)["source"] == f"s3://media/uploads/mp4-720p/{name}"
    assert document(result)["job_id"] == scene.the_job()


def test_the_id_is_known_from_the_content_and_is_the_dispatchers(
    scene: Scene, run: Run, clip: Path
) -> None:
    result = run("submit", clip)

    assert result.stdout.strip() == scene.the_job()


def test_a_preset_is_a_folder_of_uploads(scene: Scene, run: Run, clip: Path) -> None:
    found = document(run("submit", clip, "--preset", "poster", "--json"))

    assert found["source"] == "s3://media/uploads/poster/my clip.mp4"
    assert scene.jobs(1)[0].preset == "poster"


def test_the_same_file_again_joins_its_job(scene: Scene, run: Run, clip: Path) -> None:
    first = document(run("submit", clip, "--json"))
    scene.w.clock.sleep(1)
    second = document(run("submit", clip, "--json"))

    assert (first["joined"], second["joined"]) == (False, True)
    assert first["job_id"] == second["job_id"]


def test_an_object_of_the_bucket_is_asked_for_by_a_message(scene: Scene, run: Run) -> None:
    scene.w.store.put("media", "uploads/a b.mp4", b"video")

    result = run("submit", "s3://media/uploads/a b.mp4", "--tenant", "acme", "--priority", 7)

    assert result.exit_code == 0, result.output
    (head,) = scene.jobs(9)
    assert (head.tenant, head.priority, head.job_id) == ("acme", 7, result.stdout.strip())


def test_waiting_shows_the_outcome_and_what_it_cost(scene: Scene, run: Run, clip: Path) -> None:
    scene.script = [scene.starts, scene.encodes]

    result = run("submit", clip, "--wait", "--json")

    assert result.exit_code == 0, result.output
    found = document(result)
    assert found["state"] == found["outcome"]["state"] == "succeeded"
    assert found["outcome"]["outputs"][0]["file"] == "video.mp4"
    assert found["receipt"]["busy_seconds"] == 10.0


def test_waiting_for_a_job_that_fails_exits_with_1_and_says_what_to_do(
    scene: Scene, run: Run, clip: Path
) -> None:
    scene.script = [scene.starts, scene.fails]

    result = run("submit", clip, "--wait")

    assert result.exit_code == 1
    assert "not_media: This is not a media file that Mayfly reads" in result.stdout
    assert "What to do: Upload a video" in result.stdout


def test_a_file_that_is_not_there_is_a_sentence(scene: Scene, run: Run) -> None:
    result = run("submit", "no such (1).mp4")

    assert result.exit_code == 2
    assert result.stderr.startswith("There is no file no such (1).mp4.\n")
    assert result.stdout == ""


def test_a_refusal_is_a_document_for_programs(scene: Scene, run: Run, tmp_path: Path) -> None:
    result = run("submit", tmp_path, "--json")

    assert result.exit_code == 2
    assert document(result)["error"]["sentence"] == f"{tmp_path} has no photographs in it."


def test_a_preset_that_is_not_known_is_refused_with_those_that_are(
    scene: Scene, run: Run, clip: Path
) -> None:
    result = run("submit", clip, "--preset", "mp4-9000p")

    assert result.exit_code == 2
    assert "archive-lossless, audio-m4a, " in result.stderr


def test_wishes_that_an_upload_cannot_carry_are_refused(scene: Scene, run: Run, clip: Path) -> None:
    result = run("submit", clip, "--tenant", "acme")

    assert result.exit_code == 2
    assert "--tenant does not go with a file" in result.stderr
    assert scene.jobs(9) == []


def test_a_request_out_of_bounds_is_refused_before_it_is_sent(scene: Scene, run: Run) -> None:
    scene.w.store.put("media", "uploads/a.mp4", b"video")

    result = run("submit", "s3://media/uploads/a.mp4", "--priority", 99)

    assert result.exit_code == 2
    assert "priority: got 99, but it must be a whole number from -50 to 50." in result.stderr


@pytest.mark.parametrize("source", ["s3://other/uploads/a.mp4", "s3://media/outputs/a.mp4"])
def test_a_source_elsewhere_is_refused(scene: Scene, run: Run, source: str) -> None:
    result = run("submit", source)

    assert result.exit_code == 2
    assert "is not under s3://media/uploads/" in result.stderr


def test_an_object_that_is_not_there_is_refused(scene: Scene, run: Run) -> None:
    result = run("submit", "s3://media/uploads/nothing.mp4")

    assert result.exit_code == 2
    assert "There is no object s3://media/uploads/nothing.mp4." in result.stderr


def test_an_upload_that_nobody_hears_of_is_told_with_its_id(
    scene: Scene, run: Run, clip: Path
) -> None:
    scene.dispatches = False

    result = run("submit", clip)

    assert result.exit_code == 3
    assert "No job was opened for s3://media/uploads/mp4-720p/my clip.mp4 within" in result.stderr
    assert "mayfly queues" in result.stderr


def test_a_name_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    path = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.mp4")
    Path(path).write_bytes(b"video")

    with pytest.raises(WrongCall, match="not UTF-8"):
        submitting.checked_file(path)


def test_a_name_too_long_for_s3_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WrongCall, match="too long"):
        submitting.upload_key(tmp_path / ("ü" * 520 + ".mp4"), "mp4-720p")


def test_an_upload_tells_how_far_it_is_only_to_people(scene: Scene, run: Run, clip: Path) -> None:
    result = run("submit", clip, "--json")

    assert json.loads(result.stdout)["state"] == "queued"
