"""Pushing the image: the registry's password is told to the tool alone, and soon forgotten."""

import os
from pathlib import Path

import pytest

from build_tools import image, image_tools, push

TOOL = """#!/bin/sh
# Stands in for buildah: notes how it is called, and what it is told on its standard input.
echo "$@" >> "$NOTES"
if [ "$1" = login ]; then cat >> "$NOTES.stdin"; fi
exit "${REFUSES:-0}"
"""


@pytest.fixture
def notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH with one tool, which writes down how it is called."""
    tool = tmp_path / "bin" / "buildah"
    tool.parent.mkdir()
    tool.write_text(TOOL)
    tool.chmod(0o755)
    (tmp_path / "bin" / "cat").symlink_to("/bin/cat")
    (tmp_path / "bin" / "sh").symlink_to("/bin/sh")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("NOTES", str(tmp_path / "notes"))
    return tmp_path / "notes"


def test_the_password_is_never_an_argument(notes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []
    monkeypatch.setattr(image, "main", asked.append)
    push.push("arm64", "host/mayfly/worker:t", base="registry", user="AWS", password="secret")
    assert notes.read_text().splitlines() == [
        "login --username AWS --password-stdin host",
        "logout host",
    ]
    assert Path(f"{notes}.stdin").read_text() == "secret"
    [arguments] = asked
    assert arguments[-2:] == ["--push", "host/mayfly/worker:t"]
    assert "secret" not in " ".join(arguments)


def test_the_tool_forgets_the_password_when_the_build_fails(
    notes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: list[str]) -> None:
        raise SystemExit(1)

    monkeypatch.setattr(image, "main", fail)
    with pytest.raises(SystemExit):
        push.push("x86_64", "host/x:t", base="registry", user="AWS", password="secret")
    assert notes.read_text().splitlines()[-1] == "logout host"


def test_a_refused_login_is_told_by_the_registrys_name(
    notes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REFUSES", "1")
    with pytest.raises(image_tools.Unable, match=r"log in to host\b"):
        push.push("x86_64", "host/x:t", base="registry", user="AWS", password="secret")


def test_without_any_tool_the_way_out_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(image_tools.Unable, match="make deploy IMAGE="):
        push.usable_tool()


def test_the_same_sources_are_one_tag(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context = tmp_path / "context"
    context.mkdir()
    (context / "app.py").write_text("1")
    monkeypatch.setattr(image, "ROOT", tmp_path)
    monkeypatch.setattr(image, "stage_context", lambda _: context)
    (tmp_path / "docker").mkdir()
    (tmp_path / "docker" / "Dockerfile").write_text("FROM scratch\n")
    first = push.tag_of("arm64")
    os.utime(context / "app.py", (0, 0))
    assert push.tag_of("arm64") == first
    assert push.tag_of("x86_64") != first
    (context / "app.py").write_text("2")
    assert push.tag_of("arm64") != first
