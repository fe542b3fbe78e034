"""Photographs that a folder of uploads holds become one film, on the whole system."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from console import main
from local import standing
from local.tools import ffmpeg_path
from tests.e2e.conftest import Stage
from tests.photographs import Camera, exif, grey, tagged
from tests.worker.showing import shown

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

#: What each photograph is: in the order of time, not of names; the camera's counter began anew.
_KINDS = ("jpg", "jpg", "png", "webp", "jpg", "jpg")
_SIZES = ("320x240", "320x240", "640x480", "320x240", "240x320", "480x270")


def trip(camera: Camera) -> dict[str, bytes]:
    """Thirty photographs of mixed sizes and kinds, a broken one, and something else."""
    found = {}
    for number in range(30):
        kind, size = _KINDS[number % 6], _SIZES[number % 6]
        body = camera.shoot(number, size=size, kind=kind)
        # Those that stand upright are stored so, or lie and say how they are to be turned.
        turned = 6 if size == "240x320" else 1
        taken = f"2024:05:01 10:{number:02d}:00"
        name = f"IMG_{(number + 9985) % 10_000:04d}.{kind}"
        found[name] = tagged(body, exif(orientation=turned, taken=taken))
    found["IMG_5000.jpg"] = camera.shoot(3)[:500]
    found["notes.txt"] = b"sunny"
    return found


def test_a_folder_of_mixed_photographs_becomes_one_film(stage: Stage, tmp_path: Path) -> None:
    photographs = trip(Camera(ffmpeg_path(), tmp_path))
    for name, body in photographs.items():
        key = f"uploads/holiday/trip/{name}"
        stage.s3.put_object(Bucket=stage.bucket, Key=key, Body=body)
    folder = f"s3://{stage.bucket}/uploads/holiday/trip/"
    stage.request(source=folder, preset="timelapse", request_id="trip")
    outcome = stage.outcome_of(folder)

    assert outcome.state == "succeeded", outcome.failure
    film, poster = outcome.outputs
    assert film.key.startswith("outputs/holiday/trip/timelapse/") and poster.file == "poster.jpg"
    assert (film.media.frames, film.media.width, film.media.height) == (30, 320, 240)
    assert film.media.duration_seconds == pytest.approx(30 / 24, abs=0.01)
    assert "Made of 30 of 31 photographs" in outcome.note
    assert "IMG_5000.jpg" in outcome.note and "1 other file" in outcome.note
    body = stage.s3.get_object(Bucket=stage.bucket, Key=film.key)["Body"].read()
    tones = shown(ffmpeg_path(), body, "320x240")
    assert len(tones) == 30
    # As the camera took them, which is lighter and lighter, whatever its counter said.
    middles = [tones[number].lower_right for number in range(30) if _SIZES[number % 6][:3] != "240"]
    assert middles == sorted(middles) and middles[-1] > middles[0] + grey(20) - grey(0)


def test_the_word_that_all_are_there_makes_the_film_and_uploads_make_nothing(
    stage: Stage, tmp_path: Path
) -> None:
    camera = Camera(ffmpeg_path(), tmp_path)
    for number in range(6):
        key = f"uploads/timelapse/walk/{number}.jpg"
        stage.s3.put_object(Bucket=stage.bucket, Key=key, Body=camera.shoot(number))
    stage.s3.put_object(Bucket=stage.bucket, Key="uploads/timelapse/walk/_ready")
    outcome = stage.outcome("uploads/timelapse/walk/")
    assert outcome.state == "succeeded", outcome.failure
    assert outcome.outputs[0].media.frames == 6
    latest = stage.s3.get_object(Bucket=stage.bucket, Key="outputs/walk/timelapse/latest.json")
    assert json.load(latest["Body"])["job_id"] == outcome.job_id
    assert not any(stage.outcomes(f"s3://{stage.bucket}/{key}") for key in (key, f"{key}_ready"))


def test_one_command_makes_a_film_of_a_folder_on_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standing, "home", lambda: tmp_path / "standing")
    photos, out = tmp_path / "photos", tmp_path / "out"
    photos.mkdir()
    camera = Camera(ffmpeg_path(), tmp_path)
    for number in range(5):
        (photos / f"IMG_{number}.jpg").write_bytes(camera.shoot(number))
    words = ["local", "encode", str(photos), "--preset", "timelapse", "--out", str(out), "--json"]
    result = CliRunner().invoke(main.app, words)
    assert result.exit_code == 0, result.output
    said = json.loads(result.stdout)
    assert said["files"] == [str(out / "timelapse.mp4"), str(out / "poster.jpg")]
    assert said["outcome"]["outputs"][0]["media"]["frames"] == 5
    assert said["outcome"]["note"] == "Made of 5 photographs."
