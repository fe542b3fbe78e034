"""Ladders as people watch them: by hls.js and by dash.js in a browser, from the files that would be
published.

That they are right by the letter is shown elsewhere; here a player that knows nothing of us says
whether they play.
"""

import json
from pathlib import Path

import pytest

from mayfly.contract.recipe import Manifest
from tests.players import claims, films
from tests.players.conftest import Watch
from tests.players.watching import Way

pytestmark = [pytest.mark.worker, pytest.mark.xdist_group("players"), pytest.mark.timeout(400)]

#: The player of each kind of manifest.
_PLAYERS: dict[Manifest, str] = {"hls": "hls.js", "dash": "dash.js"}

WAYS = [
    Way(player=player, manifest=films.opened(name, manifest), ladder=name)
    for manifest, player in _PLAYERS.items()
    for name in films.LADDERS
]


@pytest.fixture(params=WAYS, ids=str)
def way(request: pytest.FixtureRequest) -> Way:
    found: Way = request.param
    return found


@pytest.fixture
def url(way: Way, made: films.Made, address: str) -> str:
    made.ladder(way.ladder)
    return f"{address}/ladders/{way.ladder}/{way.manifest}"


def test_a_ladder_plays_to_its_end_and_never_waits(watch: Watch, way: Way, url: str) -> None:
    watch(lambda page: claims.plays_to_its_end(page, way, url))


def test_five_places_are_found_while_it_plays(watch: Watch, way: Way, url: str) -> None:
    watch(lambda page: claims.finds_five_places(page, way, url))


def test_every_size_takes_the_place_of_another(
    watch: Watch, way: Way, url: str, seen: Path
) -> None:
    watch(lambda page: claims.takes_every_size(page, way, url, seen / f"{way}.png"))


def test_subtitles_say_what_the_film_says_and_when(watch: Watch, way: Way, url: str) -> None:
    watch(lambda page: claims.says_what_the_film_says(page, way, url))


def test_flash_and_beep_are_together_and_each_track_is_in_one_piece(
    watch: Watch, way: Way, url: str, seen: Path
) -> None:
    buffered = watch(lambda page: claims.is_in_one_piece(page, way, url))
    apart = watch(lambda page: claims.flashes_when_it_beeps(page, way, url))
    told = {"buffered": buffered, "beep_after_flash_ms": [round(1000 * s, 3) for s in apart]}
    (seen / f"{way}.json").write_text(json.dumps(told, indent=2))
