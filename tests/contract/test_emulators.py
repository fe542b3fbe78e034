"""`docs/emulators.md` says what the suite says: no row of it is older, and none is made up."""

import ast
import dataclasses
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from mayfly.memory.branches import CHOICES, Branches
from tests.contract import emulators
from tests.contract.gaps import GAPS

ROOT = Path(__file__).parents[2]
WORLDS = {"memory", "moto", "embedded"}


def test_the_page_is_not_stale() -> None:
    assert emulators.PAGE.read_text() == emulators.page(), (
        "write it anew: python -m tests.contract.emulators"
    )


def test_every_branch_is_told_of_and_drawn() -> None:
    fields = {field.name for field in dataclasses.fields(Branches)}
    assert {branch.name for branch in emulators.branches()} == fields == set(CHOICES)
    page = emulators.page()
    assert [name for name in fields if f"`{name}`" not in page] == []


def test_every_gap_names_branches_that_are() -> None:
    fields = {field.name for field in dataclasses.fields(Branches)}
    services = {branch.service for branch in emulators.branches()}
    for gap in GAPS.values():
        assert set(gap.branches) <= fields
        assert gap.service in services
        assert gap.instead or gap.branches
        assert not {*gap.instead} & {*gap.how}
        assert not {*gap.instead, *gap.how} & {*gap.unasked}


def claims() -> dict[str, set[str]]:
    """The claims that name each gap."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in (ROOT / "tests" / "contract").glob("test_*.py"):
        for function in ast.walk(ast.parse(path.read_text())):
            if not isinstance(function, ast.FunctionDef):
                continue
            for node in ast.walk(function):
                match node:
                    case ast.Call(func=ast.Name("gap"), args=[ast.Constant(str(name))]):
                        found[name].add(f"{path.name}::{function.name}")
    return found


def test_every_gap_is_the_failure_of_a_claim() -> None:
    assert set(claims()) == set(GAPS)


@pytest.fixture(scope="module")
def asked() -> dict[str, set[str]]:
    """In which worlds each claim of the suite is made."""
    listed = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "tests/contract"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    found: dict[str, set[str]] = defaultdict(set)
    for file, function, params in re.findall(r"(\w+\.py)::(\w+)\[(.*)\]$", listed, re.MULTILINE):
        found[f"{file}::{function}"] |= WORLDS & {*params.split("-")}
    return found


def test_a_gap_says_of_every_world_whether_it_is_asked_there(asked: dict[str, set[str]]) -> None:
    for name, functions in claims().items():
        worlds = set[str]().union(*(asked[function] for function in functions))
        assert worlds == WORLDS - {*GAPS[name].unasked}, name
