"""The Makefile's doors: they are all there, short, and pass on what people type, unharmed."""

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MAKEFILE = (ROOT / "Makefile").read_text()
DOORS = [
    "demo",
    "test",
    "bench",
    "build",
    "synth",
    "image",
    "deploy",
    "destroy",
    "clean",
    "help",
    "setup",
    "lint",
    "fmt",
    "players",
]


def make(*arguments: str) -> str:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MAKE")}
    return subprocess.run(
        ["make", "-s", "-C", str(ROOT), *arguments],
        check=True,
        capture_output=True,
        text=True,
        env=environment,
    ).stdout


def test_make_alone_shows_every_door() -> None:
    shown = make()
    assert [door for door in DOORS if f"make {door} " not in shown] == []


def test_every_target_that_is_no_file_says_so_beside_it() -> None:
    assert [door for door in DOORS if f".PHONY: {door}\n{door}:" not in MAKEFILE] == []


def test_no_recipe_is_longer_than_five_lines() -> None:
    recipes = re.findall(r"(?:^\t[^\n]*\n)+", MAKEFILE, re.MULTILINE)
    assert len(recipes) > len(DOORS)
    assert [recipe for recipe in recipes if recipe.count("\n") > 5] == []


@pytest.mark.parametrize(
    "name", ["plain.mp4", "my clip (1)+ü.mp4", 'it\'s "quoted".mp4', "a;b & c.mp4", "-dash.mp4"]
)
def test_a_files_name_reaches_the_demo_as_it_was_typed(name: str) -> None:
    shown = make("-n", "demo", f"VIDEO={name}", "PRESET=poster")
    [recipe] = [line for line in shown.splitlines() if "mayfly demo" in line]
    spoken = recipe.replace(".venv/bin/mayfly demo", "printf '%s\\n'")
    said = subprocess.run(
        ["sh", "-c", spoken],
        env={"DEMO_VIDEO": name, "DEMO_PRESET": "poster", "PATH": os.environ["PATH"]},
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert said.splitlines() == ["--preset", "poster", "--", name]


def test_make_hands_a_files_name_to_the_recipe_unexpanded(tmp_path: Path) -> None:
    probe = tmp_path / "Makefile"
    probe.write_text(f"include {ROOT}/Makefile\nprobe:\n\t@printf '%s' \"$$DEMO_VIDEO\"\n")
    name = "it's $5 (1).mp4"
    said = subprocess.run(
        ["make", "-s", "-f", str(probe), "probe", f"VIDEO={name}"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert said == name


def test_ci_runs_make_test_and_nothing_else() -> None:
    lines = (ROOT / ".ci" / "run").read_text().splitlines()
    assert lines[-1] == "exec make test"
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


def test_the_bootstrap_and_the_build_backend_name_one_uv() -> None:
    pinned = re.search(r"^uv==(\S+)", (ROOT / "requirements-bootstrap.txt").read_text(), re.M)
    backend = re.search(r'"uv_build==([^"]+)"', (ROOT / "pyproject.toml").read_text())
    assert pinned
    assert backend
    assert pinned[1] == backend[1]
