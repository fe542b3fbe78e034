"""A folder of photographs is one job, asked for once all of them are there."""

from pathlib import Path

import pytest

from tests.console.conftest import Run, document
from tests.console.scene import Scene


@pytest.fixture
def trip(tmp_path: Path) -> Path:
    """A folder as cameras leave it."""
    folder = tmp_path / "our trip"
    (folder / "100CANON").mkdir(parents=True)
    (folder / ".thumbs").mkdir()
    for name in ("a.JPG", "100CANON/b.jpg", "notes.txt", ".hidden.jpg", ".thumbs/a.jpg"):
        (folder / name).write_bytes(name.encode())
    return folder


def keys(scene: Scene) -> list[str]:
    return [one.key for one in scene.w.store.list("media", "uploads/")]


def test_its_photographs_are_uploaded_and_one_job_is_asked_for(
    scene: Scene, run: Run, trip: Path
) -> None:
    found = document(run("submit", trip, "--preset", "timelapse", "--priority", "3", "--json"))
    assert found["source"] == "s3://media/uploads/timelapse/our trip/"
    assert keys(scene) == [
        "uploads/timelapse/our trip/100CANON/b.jpg",
        "uploads/timelapse/our trip/a.JPG",
    ]
    (job,) = scene.jobs(1)
    assert (job.job_id, job.preset, job.priority) == (found["job_id"], "timelapse", 3)


def test_the_same_folder_again_is_the_same_job_and_uploads_nothing(
    scene: Scene, run: Run, trip: Path
) -> None:
    first = document(run("submit", trip, "--json"))
    stored = scene.w.store.list("media", "uploads/")
    scene.w.clock.sleep(5)
    second = document(run("submit", trip, "--json"))
    assert second["joined"] and second["job_id"] == first["job_id"]
    assert scene.w.store.list("media", "uploads/") == stored


def test_another_folder_of_the_same_name_is_not_mixed_with_it(
    scene: Scene, run: Run, trip: Path
) -> None:
    run("submit", trip)
    (trip / "a.JPG").rename(trip / "c.jpg")
    result = run("submit", trip)
    assert result.exit_code == 2
    assert "has other photographs in it, such as 'a.JPG'" in result.output


@pytest.mark.parametrize(
    ("name", "preset", "sentence"),
    [
        ("a.heic", "timelapse", "a.heic is of a kind that Mayfly does not read (1 of 3 are)"),
        ("b.jpg", "mp4-720p", "mp4-720p is for a video"),
    ],
)
def test_what_would_be_refused_is_refused_before_anything_is_uploaded(
    scene: Scene, run: Run, trip: Path, name: str, preset: str, sentence: str
) -> None:
    (trip / name).write_bytes(b"x")
    result = run("submit", trip, "--preset", preset)
    assert result.exit_code == 2 and sentence in " ".join(result.output.split())
    assert keys(scene) == []


def test_a_folder_without_photographs_is_refused(run: Run, tmp_path: Path) -> None:
    result = run("submit", tmp_path)
    assert result.exit_code == 2 and "no photographs" in result.output


def test_a_prefix_of_the_bucket_is_asked_for_as_it_is(scene: Scene, run: Run) -> None:
    scene.w.store.write("media", "uploads/x/a.jpg", b"a", content_type="image/jpeg")
    found = document(run("submit", "s3://media/uploads/x/", "--preset", "timelapse", "--json"))
    assert scene.jobs(1)[0].job_id == found["job_id"]
    result = run("submit", "s3://media/uploads/x/", "--preset", "poster")
    assert result.exit_code == 2 and "no timelapse" in " ".join(result.output.split())


def test_photographs_are_not_estimated(run: Run, clip: Path) -> None:
    result = run("estimate", clip, "--preset", "timelapse")
    assert result.exit_code == 2 and "photographs" in result.output
