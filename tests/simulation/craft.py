"""What the fake encoder makes of a source: bodies that tell of what they were made.

Pure. A whole output names its source, file and recipe; a part names its interval; a joined output
is its parts in order, so that whoever holds it can see whether every frame is there once.
"""

import itertools
from collections.abc import Sequence

from mayfly.contract.plan import Plan, Scope
from mayfly.core.identity import digest

#: Ticks of a second in the fake sources.
_TICKS = 1000


def whole(source: bytes, file: str, recipe: bytes) -> bytes:
    """One output, made in one piece."""
    return b"|".join((b"whole", digest(source).encode(), file.encode(), digest(recipe).encode()))


def chunk(source: bytes, file: str, scope: Scope) -> bytes:
    """One output's part of one interval."""
    interval = f"{scope.start_ticks}..{scope.end_ticks}"
    return b"|".join((b"chunk", digest(source).encode(), file.encode(), interval.encode()))


def sound(source: bytes, file: str, track: int) -> bytes:
    """One output's sound."""
    return b"|".join((b"sound", digest(source).encode(), file.encode(), str(track).encode()))


def joined(parts: Sequence[bytes]) -> bytes:
    """As a finish task joins them: in the order in which they are given."""
    return b"\n".join(parts)


#: What a prediction makes of a source that says nothing of it: none, too little, far too much.
_PREDICTED = (0.0, 0.3, 1.0, 1.0, 3.0, 1e5)


def predicted_seconds(words: Sequence[str]) -> float:
    """Of a source "split <seconds> <chunks> <tracks> [<predicted>]", the same whoever predicts."""
    if len(words) > 4:
        return float(words[4])
    factor = _PREDICTED[digest(" ".join(words).encode())[0].encode()[0] % len(_PREDICTED)]
    return float(words[1]) * factor


def plan_of(words: Sequence[str], variant: int) -> Plan:
    """The cuts of such a source; a variant is another worker's."""
    seconds, chunks, tracks = float(words[1]), int(words[2]), int(words[3])
    length = int(seconds * _TICKS) // chunks
    cuts = tuple(length * number + variant for number in range(1, chunks))
    return Plan(
        time_base=(1, _TICKS),
        origin_ticks=0,
        margin_seconds=1.0,
        boundaries=cuts,
        audio_tracks=tracks,
        predicted_seconds=predicted_seconds(words),
    )


def wrong_with_whole(body: bytes, right: bytes) -> str:
    """What is wrong with an output that was made in one piece, or nothing."""
    if body == right:
        return ""
    if right.startswith(body):
        return "it is cut short"
    source = body.split(b"|")[1:2] == right.split(b"|")[1:2]
    return "it is made as nobody asked" if source else "it is made of something else"


def wrong_with(body: bytes, source: bytes, file: str, tracks: int) -> str:
    """What is wrong with a joined output, or nothing: its intervals must cover all time once."""
    parts = [part.split(b"|") for part in body.split(b"\n")]
    name = (digest(source).encode(), file.encode())
    if any(len(part) != 4 for part in parts):
        return "it is cut short"
    if any((part[1], part[2]) != name for part in parts):
        return "it has parts of something else"
    pictures = [part[3].decode() for part in parts if part[0] == b"chunk"]
    sounds = [part[3].decode() for part in parts if part[0] == b"sound"]
    if [part[0] for part in parts] != [b"chunk"] * len(pictures) + [b"sound"] * len(sounds):
        return "picture and sound are mixed up"
    ends = [interval.split("..") for interval in pictures]
    if not ends or ends[0][0] != "None" or ends[-1][1] != "None":
        return f"it does not cover all time: {pictures}"
    if any(before[1] != after[0] for before, after in itertools.pairwise(ends)):
        return f"its intervals do not follow each other: {pictures}"
    return "" if sounds == [str(track) for track in range(tracks)] else f"its sound is {sounds}"
