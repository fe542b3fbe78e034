"""What of its sound and picture a file of our own presents, by its ISO boxes: how many samples are
left when the edit list has cut the priming off, and when each of the two begins.

Why not a length in seconds: a lost AAC frame is 23 ms, and a forgotten edit list as much; ears hear
either, and no tolerance of a duration sees it. It must never decode.
"""

import dataclasses
from fractions import Fraction
from pathlib import Path

from worker import boxes, moov
from worker.boxes import Malformed


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Presented:
    """Of one track."""

    #: Seconds on the file's clock.
    begins: Fraction
    #: Ticks of the track's own clock, which for sound are samples.
    ticks: int


def sounds(path: Path, count: int) -> list[Presented]:
    """Of each sound track of a file, in fragments or not, of which it has so many. Raises
    Malformed."""
    if _in_fragments(path):
        return [_sound(boxes.samples(path, b"soun", number)) for number in range(count)]
    found = _indexed(path, b"soun")
    if len(found) != count:
        raise Malformed(f"{len(found)} tracks soun")
    return found


def _sound(found: boxes.Samples) -> Presented:
    if not found.decoded_at:
        raise Malformed("sound without a sample")
    if found.decoded_at[0] != 0:
        raise Malformed("sound that does not begin with its file")
    early = found.decoded_at[0] - found.shown_at[0]
    return Presented(begins=Fraction(0), ticks=found.end - early)


def picture(path: Path) -> Presented:
    """Of the one picture track of a file, in fragments or not. Raises Malformed."""
    if not _in_fragments(path):
        found = _indexed(path, b"vide")
        if len(found) != 1:
            raise Malformed(f"{len(found)} tracks vide")
        return found[0]
    shown = boxes.samples(path, b"vide")
    if not shown.shown_at:
        raise Malformed("no picture")
    begins = min(shown.shown_at)
    ticks = shown.end - shown.decoded_at[0]
    return Presented(begins=Fraction(begins, shown.timescale), ticks=ticks)


def _in_fragments(path: Path) -> bool:
    return any(box.kind == b"moof" for box in boxes.boxes(path))


def _indexed(path: Path, kind: bytes) -> list[Presented]:
    with path.open("rb") as file:
        try:
            found = moov.read_index(file, path.stat().st_size).presented(kind)
        except moov.Unclear as unclear:
            raise Malformed(str(unclear)) from None
    return [Presented(begins=begins, ticks=ticks) for begins, ticks in found]
