"""Which of a source's sound tracks an output has, and what they are called. Pure.

It must never ask what a track sounds like, only what the file says of it.
"""

import dataclasses
from collections.abc import Sequence

from mayfly.contract.recipe import Sound
from worker import words
from worker.probe import Stream

#: Of one output: broadcasters' files have sixteen.
TRACKS_MAX = 16

_SIX, _TWO = 6, 2


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """One sound track of an output."""

    #: Of the source: one, or mono ones that become its channels, in their order.
    streams: tuple[Stream, ...]
    #: How many it will have.
    channels: int
    #: What the file shall say of it.
    language: str = ""
    title: str = ""

    @property
    def numbers(self) -> tuple[int, ...]:
        """Of its streams in the source."""
        return tuple(stream.index for stream in self.streams)

    @property
    def rate_hz(self) -> int:
        """At how many samples a second the source has it."""
        return self.streams[0].sample_rate


def chosen(sound: Sound, streams: Sequence[Stream], *, most: int) -> list[tuple[Stream, ...]]:
    """Those of the source's tracks that are wanted, at most so many, the default first: each one,
    or mono ones that belong together."""
    found = _grouped(sound, streams)
    if isinstance(sound.tracks, tuple):
        by_language = [
            [group for group in found if words.language(group[0].language) == wanted]
            for wanted in dict.fromkeys(map(words.language, sound.tracks))
        ]
        found = [group for groups in by_language for group in groups]
    return found[:1] if sound.tracks == "first" else found[:most]


def missing(sound: Sound, languages: Sequence[str]) -> list[str]:
    """Which of the wanted languages are not among these, as a file says them; none where it has no
    word for one that it holds (MP3, FLAC; QuickTime for some)."""
    if not isinstance(sound.tracks, tuple):
        return []
    by_code = {words.language(wanted): wanted for wanted in sound.tracks}
    if "" in languages and "" not in by_code:
        return []
    return [wanted for code, wanted in by_code.items() if code not in languages]


def _grouped(sound: Sound, streams: Sequence[Stream]) -> list[tuple[Stream, ...]]:
    """Mono tracks in front are a programme's channels, where a recipe says so: six of them, or two
    and two."""
    left, found = list(streams), list[tuple[Stream, ...]]()
    if sound.mono_tracks == "apart":
        return [(one,) for one in left]
    if sound.mono_tracks == "5.1" and _together(left[:_SIX], _SIX):
        found.append(tuple(left[:_SIX]))
        del left[:_SIX]
    while _together(left[:_TWO], _TWO):
        found.append(tuple(left[:_TWO]))
        del left[:_TWO]
    return [*found, *((one,) for one in left)]


def _together(streams: Sequence[Stream], count: int) -> bool:
    """Whether they can be channels of one sound."""
    return len(streams) == count and all(
        (one.channels, one.sample_rate, one.language)
        == (1, streams[0].sample_rate, streams[0].language)
        for one in streams
    )
