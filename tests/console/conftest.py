"""The command line over a stack in memory."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from console import main, reach
from tests.console.scene import Scene

Run = Callable[..., Result]


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Scene:
    """The stack that every command reaches."""
    made = Scene(monkeypatch)
    monkeypatch.setattr(reach, "reach", lambda _name: made.stack)
    monkeypatch.setattr(reach, "laptop_facts", lambda: None)
    return made


@pytest.fixture
def run() -> Run:
    """`mayfly …`."""
    runner = CliRunner()
    return lambda *words: runner.invoke(main.app, [str(word) for word in words])


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """A file to upload."""
    path = tmp_path / "my clip.mp4"
    path.write_bytes(b"video")
    return path


def document(result: Result) -> Any:
    """The one JSON document on standard output."""
    return json.loads(result.stdout)
