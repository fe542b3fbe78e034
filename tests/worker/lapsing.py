"""Photographs for a worker: tasks as the dispatcher writes them, and what the films show."""

from pathlib import Path
from typing import Any

from mayfly.contract import report, wire
from mayfly.contract.photographs import Photograph, Photographs
from mayfly.contract.task import Fetch
from tests.photographs import exif, grey
from tests.worker.conftest import Rig
from tests.worker.showing import shown

VIDEO = {"kind": "video", "file": "v.mp4", "crf": 4, "speed": "ultrafast", "audio": None}


def asked(rig: Rig, photographs: dict[str, bytes], **wanted: Any) -> dict[str, Any]:
    """A task of these, as the dispatcher writes it."""
    keys = {name: f"photographs/{number}" for number, name in enumerate(photographs)}
    rig.bucket.objects |= {keys[name]: body for name, body in photographs.items()}
    roll = Photographs(
        photographs=tuple(
            Photograph(
                name=name,
                fetch=Fetch(url=rig.bucket.url(keys[name])),
                size_bytes=len(body),
            )
            for name, body in photographs.items()
        ),
        listed=wanted.pop("listed", False),
        ignored=wanted.pop("ignored", 0),
    )
    outputs = wanted.pop("outputs", [VIDEO])
    task = rig.task(wire.encode(roll), recipe={"outputs": outputs, "timelapse": wanted})
    fetch = task["source"]["fetch"]
    return {**task, "inputs": fetch, "source": {"fetch": fetch}}


def said_of(rig: Rig, photographs: dict[str, bytes], **wanted: Any) -> report.Report:
    """The last word of a worker that was given these."""
    rig.put(asked(rig, photographs, **wanted))
    return rig.run_once()[-1]


def made_of(rig: Rig, photographs: dict[str, bytes], **wanted: Any) -> report.Encoded:
    """The same where a film comes of it."""
    said = said_of(rig, photographs, **wanted)
    assert isinstance(said, report.Encoded), said
    return said


def refused(rig: Rig, photographs: dict[str, bytes], **wanted: Any) -> tuple[str, str]:
    """Code and detail where none does."""
    said = said_of(rig, photographs, **wanted)
    assert isinstance(said, report.Failed), said
    return said.code, said.detail


def film(rig: Rig, said: report.Encoded) -> bytes:
    return rig.bucket.objects[said.outputs[0].key]


def order(rig: Rig, said: report.Encoded, ffmpeg: Path, size: str = "320x240") -> list[int]:
    """Which photographs the film shows."""
    return [number(tone.lower_right) for tone in shown(ffmpeg, film(rig, said), size)]


def number(tone: float) -> int:
    """Which photograph is of that grey."""
    found = round((tone - grey(0)) / (grey(1) - grey(0)))
    assert abs(tone - grey(found)) < 2.6, f"no photograph has {tone}"
    return found


def taken(minute: int) -> bytes:
    return exif(taken=f"2024:05:01 10:{minute:02d}:00")
