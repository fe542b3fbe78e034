"""ffmpeg, ffprobe and Node are the pinned ones, unless somebody names another."""

import os
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from local import tools

Finder = Callable[[Mapping[str, str]], Path]
EVERY_TOOL = [
    pytest.param(tools.ffmpeg_path, "MAYFLY_FFMPEG", id="ffmpeg"),
    pytest.param(tools.ffprobe_path, "MAYFLY_FFPROBE", id="ffprobe"),
    pytest.param(tools.node_path, "JSII_NODE", id="node"),
]


@pytest.mark.parametrize(("find", "variable"), EVERY_TOOL)
def test_a_tool_comes_from_the_lock_whatever_is_on_the_path(
    find: Finder, variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    impostor = tmp_path / find({}).name
    for name in ("ffmpeg", "ffprobe", "node", impostor.name):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "site-packages" in find({}).parts
    assert os.access(find({}), os.X_OK)


@pytest.mark.parametrize(("find", "variable"), EVERY_TOOL)
def test_a_tool_that_somebody_names_is_used(find: Finder, variable: str, tmp_path: Path) -> None:
    own = tmp_path / "my tool"
    own.write_text("#!/bin/sh\n")
    own.chmod(0o755)
    assert find({variable: str(own)}) == own


@pytest.mark.parametrize(("find", "variable"), EVERY_TOOL)
def test_a_tool_that_is_not_there_is_refused_by_the_variables_name(
    find: Finder, variable: str, tmp_path: Path
) -> None:
    with pytest.raises(tools.ToolMissing, match=variable):
        find({variable: str(tmp_path / "absent")})


@pytest.mark.parametrize(
    ("find", "option", "version"),
    [
        pytest.param(tools.ffmpeg_path, "-version", "ffmpeg version n9.0.2", id="ffmpeg"),
        pytest.param(tools.ffprobe_path, "-version", "ffprobe version", id="ffprobe"),
        pytest.param(tools.node_path, "--version", "v24.", id="node"),
    ],
)
def test_each_tool_runs_here(find: Finder, option: str, version: str) -> None:
    said = subprocess.run([find({}), option], capture_output=True, text=True, check=True).stdout
    assert said.startswith(version)
