"""One Chromium for all, one web server, and the ladders of one film.

Where there is no Chromium, or too much else to do, these tests are skipped and say so; with
MAYFLY_PLAYERS_TEST=1 that is a failure, for a machine whose duty it is to play.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest
from selenium.webdriver import Chrome

from local import tools
from tests.players import browser, films, serving, watching

#: What a run has seen is looked at there afterwards.
SEEN = Path(__file__).resolve().parents[2] / "build" / "players"

#: A machine that is idle for less of its time may be too slow to play.
_IDLE_MIN = 0.1
_TRIES = 3

Watch = Callable[..., Any]


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> films.Made:
    return films.Made(tools.ffmpeg_path(), tmp_path_factory.mktemp("ladders"))


@pytest.fixture(scope="session")
def address(made: films.Made) -> Iterator[str]:
    """Of what is served: ladders below `ladders/`."""
    folders = {"page": watching.PAGE, "npm": browser.PACKAGES, "ladders": made.folder}
    with serving.serving(folders) as running:
        yield running


@pytest.fixture(scope="session")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    if missing := browser.what_is_missing():
        _unplayed(missing)
    with browser.chromium(tmp_path_factory.mktemp("chromium")) as started:
        yield started


@pytest.fixture
def watch(driver: Chrome, address: str) -> Watch:
    """Has a new page watched. What comes late on a machine that has nothing left to give is watched
    once more, since films are played in their own time or not at all; any other failure stands."""

    def watched(claim: Callable[[watching.Page], Any], patience: float = 1) -> Any:
        why = ""
        for _ in range(_TRIES):
            before = _machine()
            try:
                return claim(watching.Page(driver, address, patience))
            except watching.Late as late:
                if _idle(before, _machine()) >= _IDLE_MIN:
                    raise
                why = str(late)
        return _unplayed(f"This machine is too busy to play a film. {why}")

    return watched


def _machine() -> tuple[int, int]:
    """How long its processors have been idle, and how long there have been any; Linux tells."""
    try:
        told = Path("/proc/stat").read_text().split(maxsplit=9)[1:9]
    except OSError:
        return (0, 0)
    times = [int(ticks) for ticks in told]
    return (times[3] + times[4], sum(times))


def _idle(before: tuple[int, int], after: tuple[int, int]) -> float:
    """The share of the time in between; all of it where nobody tells."""
    whole = after[1] - before[1]
    return (after[0] - before[0]) / whole if whole else 1.0


def _unplayed(why: str) -> NoReturn:
    if os.environ.get("MAYFLY_PLAYERS_TEST") == "1":
        pytest.fail(why)
    pytest.skip(why)


@pytest.fixture
def seen() -> Path:
    SEEN.mkdir(parents=True, exist_ok=True)
    return SEEN
