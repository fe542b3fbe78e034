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
from tests.players import browser, films, machine, serving, watching

#: What a run has seen is looked at there afterwards.
SEEN = Path(__file__).resolve().parents[2] / "build" / "players"

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
    """Has a new page watched, and once more when something came late."""

    def watched(claim: Callable[[watching.Page], Any], patience: float = 1) -> Any:
        try:
            return machine.in_time(lambda: claim(watching.Page(driver, address, patience)))
        except machine.Busy as busy:
            return _unplayed(str(busy))

    return watched


def _unplayed(why: str) -> NoReturn:
    if os.environ.get("MAYFLY_PLAYERS_TEST") == "1":
        pytest.fail(why)
    pytest.skip(why)


@pytest.fixture
def seen() -> Path:
    SEEN.mkdir(parents=True, exist_ok=True)
    return SEEN
