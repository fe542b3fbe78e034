"""Where the segments of a ladder's tracks lie in what ffmpeg wrote, each track one file of
fragments; and the proof that they are what players may switch between.

A segment is a fragment as it stands: nothing is copied or patched. It must never let one through
that does not begin when it should, or not with a picture for which nothing before it is needed: a
player shows such things as a jump, and ffmpeg's exit code is 0 for all of them.
"""

import dataclasses
from array import array
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from mayfly.contract.plan import Grid
from mayfly.contract.recipe import LadderOutput
from mayfly.contract.report import Loudness
from mayfly.core import grids
from worker import boxes, keyframes, sample_entries
from worker.boxes import Span
from worker.ends import WorkFailed
from worker.prove_picture import prove_named
from worker.rungs import Rung

#: What AAC's players know best, and the only one that ffmpeg's encoder writes unasked.
_AAC_LC = "mp4a.40.2"


@dataclasses.dataclass(frozen=True, slots=True)
class Piece:
    """One segment: its place among all, and where its bytes are."""

    number: int
    #: Frames of the grid, or samples of sound.
    start: int
    length: int
    span: Span
    #: Of a picture: how many bytes, from its first on, hold its keyframe whole.
    key_bytes: int = 0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """A track that ffmpeg wrote, as segments."""

    name: str
    path: Path
    codec: str
    #: Frames or samples a second.
    rate: Fraction
    beginning: Span
    pieces: tuple[Piece, ...]
    width: int = 0
    height: int = 0
    channels: int = 0
    language: str = ""
    title: str = ""
    loudness: Loudness | None = None

    @property
    def end(self) -> int:
        """The first frame or sample that is none of it any more."""
        return self.pieces[-1].start + self.pieces[-1].length


def of_picture(
    path: Path, rung: Rung, ladder: LadderOutput, grid: Grid, segment: int, end: int | None
) -> Cut:
    """A size, from a segment on; to before the frame `end`, or as long as it is. Raises
    WorkFailed."""
    try:
        found, (beginning, fragments) = boxes.samples(path), boxes.spans(path)
        (codec,) = sample_entries.codecs(path)
        prove_named(rung.name, codec, ladder.codec, ladder.bits)
        keys = [keyframes.key_bytes(path, one, ladder.codec) for one in fragments]
    except boxes.Malformed as error:
        raise _broken(rung.name, str(error)) from None
    if 0 in keys:
        first = segment + keys.index(0)
        raise _broken(rung.name, f"a decoder cannot begin at the segment {first}")
    starts = _starts(rung.name, found, grid, segment, end)
    ends = (*starts[1:], segment * grid.segment_frames + len(found.shown_at))
    return Cut(
        name=rung.name,
        path=path,
        codec=codec,
        rate=Fraction(*grid.rate),
        beginning=beginning,
        pieces=tuple(
            Piece(segment + number, start, later - start, span, key)
            for number, (start, later, span, key) in enumerate(
                zip(starts, ends, fragments, keys, strict=True)
            )
        ),
        width=rung.size.width,
        height=rung.size.height,
    )


def _starts(
    name: str, found: boxes.Samples, grid: Grid, segment: int, end: int | None
) -> tuple[int, ...]:
    """The frames at which segments begin, when all is as it should be."""
    one, frames = grids.frame_ticks(Fraction(*grid.rate)), grid.segment_frames
    first = segment * frames
    count = len(found.shown_at)
    if not count or (end is not None and count != end - first):
        raise _broken(name, f"{count} frames of the grid, not {first} to {end}")
    wanted = array("q", range(first * one, (first + count) * one, one))
    if astray := boxes.astray(found, wanted):
        raise _broken(name, astray)
    starts = range(first, first + count, frames)
    begun = array("q", (start * one for start in starts))
    # Decoded at the very moment at which the first is shown: so the next begins where this ends.
    keys = array("q", (found.decoded_at[number] for number in found.sync))
    if found.fragments != begun or keys != begun or found.end != (first + count) * one:
        raise _broken(name, f"segments or keyframes elsewhere than at each {frames} frames")
    return tuple(starts)


def of_sound(path: Path, name: str, rate_hz: int, channels: int) -> Cut:
    """All of a sound. Raises WorkFailed."""
    try:
        found, (beginning, fragments) = boxes.samples(path), boxes.spans(path)
        (codec,) = sample_entries.codecs(path)
    except boxes.Malformed as error:
        raise _broken(name, str(error)) from None
    if codec != _AAC_LC:
        raise _broken(name, f"sound of the kind {codec}")
    # What the encoder needs to get going is hidden by the edit list, and lies before 0.
    primed = min(found.shown_at, default=0)
    if not fragments or len(fragments) != len(found.fragments) or found.fragments[0] or primed > 0:
        raise _broken(name, "sound that does not begin at 0")
    marks = (0, *(tick + primed for tick in found.fragments[1:]), found.end + primed)
    return Cut(
        name=name,
        path=path,
        codec=codec,
        rate=Fraction(rate_hz),
        beginning=beginning,
        pieces=tuple(
            Piece(number, marks[number], marks[number + 1] - marks[number], span)
            for number, span in enumerate(fragments)
        ),
        channels=channels,
    )


def check_together(cuts: Sequence[Cut]) -> None:
    """All sizes are cut in the same places. Raises WorkFailed."""
    first = [(piece.number, piece.start, piece.length) for piece in cuts[0].pieces]
    for cut in cuts[1:]:
        if [(piece.number, piece.start, piece.length) for piece in cut.pieces] != first:
            raise _broken(cut.name, f"other segments than {cuts[0].name}")


def _broken(name: str, detail: str) -> WorkFailed:
    return WorkFailed("output_broken", f"{name}: {detail}")
