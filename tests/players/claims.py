"""What must be true of a ladder that is played, each on a page of its own. A ladder that is broken
on purpose goes through the very same.

Flash and beep are compared on the clock of the film, as the browser has it when it has taken the
player's segments, their beginnings and edit lists: the moment at which the first white frame is to
be shown (`requestVideoFrameCallback`), and how many samples after a seek the beep comes out of the
element (an AudioWorklet behind it counts them one by one). So both are what a viewer gets, and a
busy machine, which shows a frame late, moves neither.
"""

import itertools
from pathlib import Path

from tests.players import films
from tests.players.watching import Event, Late, Page, Told, Way

#: What a viewer does not notice.
_APART_SECONDS_MAX = 0.020

#: How fast a film goes by, so that a test takes half the time.
_QUICK = 2.0

#: Some lie before the one before them, some inside of segments, one at the beginning of one.
_PLACES = (10.0, 3.0, 13.5, 12.012, 0.4)

#: Around a flash: long enough before it that no beep is under way.
_BEFORE_SECONDS, _AFTER_SECONDS = 0.5, 0.15
_LOUD = 0.2
_WHITE = 200

#: Where the machine was too busy to show a frame before the flash and the flash, once more.
_LOOKS_MAX = 5


def plays_to_its_end(page: Page, way: Way, url: str) -> None:
    """It starts, never waits, and comes to its end."""
    page.open(way.player, url)
    page.play(1)
    page.fill()
    page.end(_QUICK)
    told = page.told()
    assert told.ended
    assert abs(told.at - films.SECONDS) < films.FRAME
    undisturbed(told)


def finds_five_places(page: Page, way: Way, url: str) -> None:
    """While it plays: the frame there is shown, or one shortly after on a busy machine."""
    page.open(way.player, url)
    page.play(1)
    for place in _PLACES:
        # Before it has all, some players forget what they were fetching when they are sent away.
        page.fill()
        shows = page.seek(place)
        assert place - films.FRAME < shows, place
        if shows > place + 1:
            raise Late(f"The first frame after a seek to {place} was that at {shows}")
    undisturbed(page.told())


def takes_every_size(page: Page, way: Way, url: str, photograph: Path | None = None) -> None:
    """Each in the place of another one, while it plays, at one of the next segments."""
    smallest, middle, largest = films.sizes(way.ladder)
    opened = page.open(way.player, url, ahead_seconds=3)
    assert sorted(map(tuple, opened.sizes)) == films.sizes(way.ladder)
    page.play(_QUICK)
    for size in (smallest, largest, middle):
        page.choose(size)
        assert page.told().size == size
    if photograph is not None:
        page.photograph(photograph)
    undisturbed(page.told())


def is_in_one_piece(page: Page, way: Way, url: str) -> dict[str, list[list[float]]]:
    """Each track is one range, from 0 to the end of the film to a frame; by MIME."""
    opened = page.open(way.player, url)
    assert abs(opened.duration - films.SECONDS) < films.FRAME
    try:
        page.fill()
    finally:
        # However long it takes, what is there has no gap: that would be no machine's fault.
        found = {buffer.mime: buffer.ranges for buffer in page.told().buffered}
        assert all(len(ranges) <= 1 for ranges in found.values()), found
    told = page.told()
    found = {buffer.mime: buffer.ranges for buffer in told.buffered}
    assert sorted(mime.partition("/")[0] for mime in found) == ["audio", "video"], found
    for mime, ranges in found.items():
        frame = films.FRAME if mime.startswith("video") else 1024 / films.SAMPLES_HZ
        assert len(ranges) == 1, found
        assert ranges[0][0] == 0, found
        assert abs(ranges[0][1] - films.SECONDS) < frame, found
    undisturbed(told)
    return found


def flashes_when_it_beeps(page: Page, way: Way, url: str) -> list[float]:
    """At five seeks; how many seconds after the flash each beep came."""
    page.open(way.player, url)
    apart = []
    for number in (2, 7, 4, 8, 0):
        apart.append(_apart(page, float(films.FLASHES[number])))
        assert abs(apart[-1]) < _APART_SECONDS_MAX, f"{1000 * apart[-1]:.3f} ms at flash {number}"
    undisturbed(page.told())
    return apart


def says_what_the_film_says(page: Page, way: Way, url: str) -> None:
    """When it does, to a millisecond, each thing once."""
    page.open(way.player, url)
    page.fill()
    page.play(1)  # before that dash.js takes none
    language, *cues = page.spoken()
    assert language == ["de"]
    assert [(round(start, 3), round(end, 3), said) for start, end, said in cues] == list(films.CUES)
    undisturbed(page.told())


def _apart(page: Page, flash: float) -> float:
    """After a seek to shortly before it. The white frame must be the one at that moment."""
    since = flash - _BEFORE_SECONDS
    page.fill()
    frames: list[tuple[float, float]] = []
    for _ in range(_LOOKS_MAX):
        seen = page.perceive(since, _BEFORE_SECONDS + _AFTER_SECONDS, films.SAMPLES_HZ, loud=_LOUD)
        frames = seen.frames
        assert seen.beep is not None, f"no beep within {_AFTER_SECONDS} s of {flash}"
        if seen.still:
            raise Late(f"{seen.still} samples were missing before {flash}")
        for (before, dark), (moment, bright) in itertools.pairwise(frames):
            if dark < _WHITE <= bright and moment - before < 1.5 * films.FRAME:
                assert abs(moment - flash) < films.FRAME / 2, (moment, flash)
                return since + seen.beep - moment
    raise Late(f"The flash at {flash} was not seen: {frames}")


def undisturbed(told: Told) -> None:
    """No error, though it be one that a player gets over; and it never waited."""
    assert told.errors == []
    if waited := waits(told.events):
        raise Late(f"It waited at {waited}\n{told}")


def waits(events: list[Event]) -> list[float]:
    """Where it waited for media, after it had begun to play. A seek itself is a wait: it lasts from
    `seeking` to the first `canplay`, when the frames and samples of the new place are there."""
    begun, seeking, found = False, False, []
    for event in events:
        begun = begun or event.name == "playing"
        if event.name in ("seeking", "canplay"):
            seeking = event.name == "seeking"
        if event.name == "waiting" and begun and not seeking:
            found.append(event.at)
    return found
