"""What the tests play ladders with comes by hash, and whoever lacks a browser is told so."""

import json
import os
import re
import shutil
from pathlib import Path

import pytest

from build_tools import players

_LOCK = json.loads((players.WANTED / "package-lock.json").read_text())
_ASKED = json.loads((players.WANTED / "package.json").read_text())


def test_every_package_has_a_hash_and_names_no_registry() -> None:
    brought = {name: told for name, told in _LOCK["packages"].items() if name}
    assert {"node_modules/hls.js", "node_modules/dashjs"} <= set(brought)
    assert all(told["integrity"].startswith("sha512-") for told in brought.values())
    assert not any("resolved" in told for told in brought.values())


def test_the_players_are_pinned_exactly() -> None:
    assert _LOCK["packages"][""]["dependencies"] == _ASKED["dependencies"]
    assert all(
        re.fullmatch(r"\d+\.\d+\.\d+", version) for version in _ASKED["dependencies"].values()
    )


def test_who_is_not_root_is_told_and_nothing_is_installed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(players, "bring_packages", lambda: "")
    assert players.main() == 0
    assert (
        "apt-get install --no-install-recommends chromium chromium-driver" in capfd.readouterr().err
    )


def test_an_apt_that_cannot_bring_it_fails_nobody(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    refusing = tmp_path / "apt-get"
    refusing.write_text(f"#!{shutil.which('sh')}\nexit 100\n")
    refusing.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert "could not be brought" in players.bring_browser()


def test_a_browser_that_is_there_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for program in players.PROGRAMS:
        (tmp_path / program).touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert players.bring_browser() == ""
