"""One command makes of a clip a storyboard that a player finds: all its files, in their folder."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from console import main
from local import standing
from tests.e2e.conftest import Film

pytestmark = pytest.mark.timeout(240)


def test_a_clip_becomes_a_storyboard_that_names_what_is_there(
    film: Film, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standing, "home", lambda: tmp_path / "standing")
    clip, out = film(seconds=25, rate=12, seed=71), tmp_path / "out"
    words = ["local", "encode", str(clip), "--preset", "storyboard", "--out", str(out), "--json"]
    result = CliRunner().invoke(main.app, words)
    assert result.exit_code == 0, result.output
    said: dict[str, Any] = json.loads(result.stdout)

    (output,) = said["outcome"]["outputs"]
    cues = out / "storyboard" / "storyboard.vtt"
    assert said["files"] == [str(cues)]
    assert (output["file"], output["files"]) == ("storyboard/storyboard.vtt", 2)
    assert output["media"]["frames"] == 3
    named = re.findall(r"^(\S+)#xywh=(\d+),", cues.read_text(), re.MULTILINE)
    assert [sheet for sheet, _ in named] == ["sheet-001.jpg"] * 3
    there = list(cues.parent.iterdir())
    assert sorted(path.name for path in there) == ["sheet-001.jpg", "storyboard.vtt"]
    assert output["size_bytes"] == sum(path.stat().st_size for path in there)
