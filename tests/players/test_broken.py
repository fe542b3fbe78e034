"""A ladder that is broken fails the claims that a right one keeps, and by what it lacks."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.players import breaking, claims, films
from tests.players.conftest import Watch
from tests.players.watching import Event, Page, Way

pytestmark = [pytest.mark.worker, pytest.mark.xdist_group("players"), pytest.mark.timeout(400)]

_WAY = Way(player="hls.js", manifest=films.opened("cut"), ladder="cut")


@pytest.mark.parametrize(
    ("broken", "claim", "says"),
    [
        (breaking.segment_late, claims.is_in_one_piece, r"\[0, 8\.00\d+\], \[8\.10\d+,"),
        (breaking.segment_gone, claims.plays_to_its_end, "fragLoadError"),
        (breaking.segment_gone, claims.finds_five_places, "fragLoadError"),
        (breaking.sound_twice, claims.is_in_one_piece, r"\[0, 7\.99\d+\]"),
        (breaking.keyframes_gone, claims.takes_every_size, "NoProgress|192x108: not in"),
        (breaking.sound_late, claims.flashes_when_it_beeps, r"^30\.\d+ ms at flash"),
        (breaking.priming_heard, claims.flashes_when_it_beeps, r"^21\.\d+ ms at flash"),
    ],
    ids=lambda given: getattr(given, "__name__", "says"),
)
def test_a_broken_ladder_is_noticed(
    watch: Watch,
    made: films.Made,
    address: str,
    broken: Callable[[Path], None],
    claim: Callable[[Page, Way, str], object],
    says: str,
) -> None:
    name = f"{broken.__name__}-{claim.__name__}"
    folder = breaking.copied(made.ladder(_WAY.ladder), made.folder / name)
    broken((folder / _WAY.manifest).parent)

    def noticed(page: Page) -> None:
        try:
            claim(page, _WAY, f"{address}/ladders/{name}/{_WAY.manifest}")
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
