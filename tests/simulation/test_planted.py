"""The simulator is itself tested: bugs that others shipped are planted, and must be found.

All of them: `make sim-planted`. Here those that a few lives find, and that all still fit the code.
"""

import pytest

from tests.simulation.planted import BUGS, Bug, bug_of
from tests.simulation.planting import altered
from tests.simulation.recall import PAGE, hunt

#: Each found within a second or two.
_QUICK = (2, 5, 8, 9, 11, 13)
_LIVES_MAX = 60


def _named(bug: Bug) -> str:
    return f"{bug.number}"


def test_all_of_the_catalogue_is_planted() -> None:
    assert [bug.number for bug in BUGS] == list(range(1, 27))


@pytest.mark.parametrize("bug", BUGS, ids=_named)
def test_a_bug_fits_the_code_as_it_is(bug: Bug) -> None:
    for file, text in altered(bug).items():
        compile(text, file, "exec")


@pytest.mark.parametrize("number", _QUICK)
def test_a_planted_bug_is_found(number: int) -> None:
    hunted = hunt(bug_of(number), first=0, seeds=_LIVES_MAX)
    assert hunted.seed is not None, f"bug {number} lived through {hunted.lives} lives"


@pytest.mark.parametrize("bug", BUGS, ids=_named)
def test_the_page_tells_of_every_bug(bug: Bug) -> None:
    """Written by `make sim-planted FLAGS=--write`."""
    assert f"| {bug.number} | {bug.title}" in PAGE.read_text()
    assert bug.source in PAGE.read_text()
