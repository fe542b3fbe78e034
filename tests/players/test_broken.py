"""A ladder that is broken fails the claims that a right one keeps, and by what it lacks."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.players import breaking, claims, films
from tests.players.conftest import Watch
from tests.players.watching import Event, Page, Way

pytestmark = [pytest.mark.worker, pytest.mark.xdist_group("players"), pytest.mark.timeout(400)]

_HLS = Way(player="hls.js", manifest=films.opened("cut"), ladder="cut")
_DASH = Way(player="dash.js", manifest=films.opened("cut", "dash"), ladder="cut")


@pytest.mark.parametrize(
    ("way", "broken", "claim", "says"),
    [
        (_HLS, breaking.segment_late, claims.is_in_one_piece, r"\[0, 8\.00\d+\], \[8\.10\d+,"),
        (_HLS, breaking.segment_gone, claims.plays_to_its_end, "fragLoadError"),
        (_HLS, breaking.segment_gone, claims.finds_five_places, "fragLoadError"),
        (_HLS, breaking.sound_twice, claims.is_in_one_piece, r"\[0, 7\.99\d+\]"),
        (_HLS, breaking.keyframes_gone, claims.takes_every_size, "NoProgress|192x108: not in"),
        (_HLS, breaking.sound_late, claims.flashes_when_it_beeps, r"^30\.\d+ ms at flash"),
        (_HLS, breaking.priming_heard, claims.flashes_when_it_beeps, r"^21\.\d+ ms at flash"),
        (_DASH, breaking.segment_late, claims.is_in_one_piece, r"\[0, 8\.00\d+\], \[8\.10\d+,"),
        (_DASH, breaking.sound_twice, claims.is_in_one_piece, r"\[0, 7\.99\d+\]"),
        (_DASH, breaking.sound_late, claims.flashes_when_it_beeps, r"^30\.\d+ ms at flash"),
    ],
    ids=lambda given: getattr(given, "__name__", str(given) if isinstance(given, Way) else "says"),
)
def test_a_broken_ladder_is_noticed(
    watch: Watch,
    made: films.Made,
    address: str,
    way: Way,
    broken: Callable[[Path], None],
    claim: Callable[[Page, Way, str], object],
    says: str,
) -> None:
    name = f"{way.player}-{broken.__name__}-{claim.__name__}"
    folder = breaking.copied(made.ladder(way.ladder), made.folder / name)
    broken((folder / way.manifest).parent)

    def noticed(page: Page) -> None:
        try:
            claim(page, way, f"{address}/ladders/{name}/{way.manifest}")
        except AssertionError as failed:
            if not re.search(says, str(failed)):
                raise
        else:
            pytest.fail("nobody noticed")

    watch(noticed, patience=0.3)


def test_a_wait_counts_but_for_that_of_a_seek_and_of_the_beginning() -> None:
    names = ["waiting", "playing", "waiting", "playing", "seeking", "waiting", "seeked", "waiting"]
    names += ["canplay", "playing", "waiting"]
    events = [Event(name=name, at=at) for at, name in enumerate(names)]
    assert claims.waits(events) == [2, 10]
