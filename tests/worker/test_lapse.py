"""Photographs become a film: each usable one is one picture of it, upright, in its place."""

from pathlib import Path
from typing import Any

import pytest

from mayfly.contract import report, wire
from mayfly.contract.photographs import Photograph, Photographs
from mayfly.contract.task import Fetch
from tests.photographs import Camera, grey
from tests.worker.conftest import Rig
from tests.worker.showing import shown

pytestmark = pytest.mark.worker

VIDEO = {"kind": "video", "file": "v.mp4", "crf": 4, "speed": "ultrafast", "audio": None}


@pytest.fixture(scope="module")
def camera(ffmpeg: Path, tmp_path_factory: pytest.TempPathFactory) -> Camera:
    return Camera(ffmpeg, tmp_path_factory.mktemp("camera"))


def made_of(
    rig: Rig, photographs: dict[str, bytes], *, listed: bool = False, **wanted: Any
) -> report.Report:
    """The last word of a worker that was given these."""
    rig.bucket.objects |= {f"photographs/{name}": body for name, body in photographs.items()}
    roll = Photographs(
        photographs=tuple(
            Photograph(
                name=name,
                fetch=Fetch(url=rig.bucket.url(f"photographs/{name}")),
                size_bytes=len(body),
            )
            for name, body in photographs.items()
        ),
        listed=listed,
    )
    outputs = wanted.pop("outputs", [VIDEO])
    task = rig.task(wire.encode(roll), recipe={"outputs": outputs, "timelapse": wanted})
    fetch = task["source"]["fetch"]
    rig.put({**task, "inputs": fetch, "source": {"fetch": fetch}})
    return rig.run_once()[-1]


def film(rig: Rig, said: report.Report) -> bytes:
    assert isinstance(said, report.Encoded), said
    return rig.bucket.objects[said.outputs[0].key]


def number(tone: float) -> int:
    """Which photograph is of that grey."""
    found = round((tone - grey(0)) / (grey(1) - grey(0)))
    assert abs(tone - grey(found)) < 2.6, f"no photograph has {tone}"
    return found


def test_each_photograph_is_one_picture_of_the_film(rig: Rig, camera: Camera, ffmpeg: Path) -> None:
    said = made_of(rig, {f"IMG_{n}.jpg": camera.shoot(n) for n in range(12)}, fps=6)
    tones = shown(ffmpeg, film(rig, said), "320x240")
    assert isinstance(said, report.Encoded)
    assert [number(tone.lower_right) for tone in tones] == list(range(12))
    assert said.outputs[0].media.frames == 12
    assert said.outputs[0].media.duration_seconds == pytest.approx(2.0, abs=0.01)
    assert said.note == "Made of 12 photographs."
