"""Stores a ladder's segments, and tells of them in one index; the sound's share, or a chunk's, or
all of it.
"""

import dataclasses
import functools
from collections.abc import Sequence
from pathlib import Path

import msgspec

from mayfly.contract import packed
from mayfly.contract.ladder import Index, Segment, Track
from mayfly.contract.packed import Unreadable
from mayfly.contract.recipe import LadderOutput
from mayfly.contract.report import Loudness
from mayfly.contract.task import PostForm
from mayfly.core import ladders
from worker import lists, segments
from worker.early import Sent
from worker.early import Track as Growing
from worker.ends import WorkFailed
from worker.pieces import Span
from worker.preflight import Material
from worker.promise import OUTPUTS, Promise
from worker.prove_sound import prove_sound_seconds
from worker.room import Room
from worker.rungs import path, sound_name
from worker.segments import Cut

#: Where an index lies before it is stored.
INDEX = f"{OUTPUTS}/{ladders.INDEX}"


def pictures(room: Room, promise: Promise, segment: int, end: int | None) -> list[Cut]:
    """All sizes of a promise, proven: from a segment on; to before the frame `end`, or as long as
    they are. Raises WorkFailed."""
    ladder = promise.output
    assert isinstance(ladder, LadderOutput) and promise.grid is not None
    cuts = [
        segments.of_picture(
            room.folder / path(ladder, rung.name), rung, ladder, promise.grid, segment, end
        )
        for rung in promise.rungs
    ]
    segments.check_together(cuts)
    return cuts


def sounds(
    room: Room, promise: Promise, material: Material, loudness: Sequence[Loudness | None]
) -> list[Cut]:
    """The sounds of a promise, and how loud each is. Raises WorkFailed."""
    ladder = promise.output
    assert isinstance(ladder, LadderOutput)
    cuts = []
    for number, (track, loud) in enumerate(zip(promise.tracks, loudness, strict=True)):
        name = sound_name(number)
        where = path(ladder, name)
        sound = room.judge.heard(promise, track, where).sound()
        assert sound is not None  # the judge has heard it
        cut = segments.of_sound(room.folder / where, name, sound.sample_rate, track.channels)
        prove_sound_seconds(promise, track, float(cut.end / cut.rate), material)
        cuts.append(
            dataclasses.replace(
                cut, loudness=loud, language=track.language, title=track.title.replace('"', "'")
            )
        )
    return cuts


def growing(room: Room, promises: Sequence[Promise], segment: int) -> list[Growing]:
    """The files of a ladder, if there is one, that ffmpeg is about to write, from a segment on."""
    promise = only(promises)
    if promise is None:
        return []
    ladder = promise.output
    assert isinstance(ladder, LadderOutput)
    names = [rung.name for rung in promise.rungs]
    names += [sound_name(number) for number in range(len(promise.tracks))]
    return [
        Growing(
            path=room.folder / path(ladder, name),
            named=functools.partial(_named, ladder, name, segment),
        )
        for name in names
    ]


def _named(ladder: LadderOutput, track: str, segment: int, count: int) -> str:
    """Under which name a track's beginning is stored (0), or one of its segments (from 1 on)."""
    if not count:
        return f"{ladder.file}/{ladders.beginning(track)}"
    return f"{ladder.file}/{ladders.segment(track, segment + count - 1)}"


def store(room: Room, ladder: LadderOutput, cuts: Sequence[Cut], sent: Sent) -> Index:
    """What was not sent yet. Raises WorkFailed, Halted."""
    spans = [
        Span(
            file=_named(ladder, cut.name, cut.pieces[0].number, count),
            path=cut.path,
            start=span.start,
            size=span.size,
        )
        for cut in cuts
        for count, span in enumerate([cut.beginning, *(piece.span for piece in cut.pieces)])
    ]
    stored = iter(room.store_many(spans, sent))
    tracks = []
    for cut in cuts:
        beginning = next(stored)
        tracks.append(
            Track(
                name=cut.name,
                codec=cut.codec,
                rate=(cut.rate.numerator, cut.rate.denominator),
                init_bytes=beginning.size_bytes,
                init_sha256=beginning.sha256,
                segments=tuple(
                    Segment(
                        number=piece.number,
                        start=piece.start,
                        length=piece.length,
                        size_bytes=one.size_bytes,
                        sha256=one.sha256,
                        key_bytes=piece.key_bytes,
                    )
                    # `stored` goes on with the next track.
                    for piece, one in zip(cut.pieces, stored, strict=False)
                ),
                width=cut.width,
                height=cut.height,
                channels=cut.channels,
                language=cut.language,
                title=cut.title,
                loudness=cut.loudness,
            )
        )
    return Index(folder=ladder.file, tracks=tuple(tracks))


def write(room: Room, index: Index) -> str:
    """Where it lies now, to be stored with all else that the attempt brings."""
    (room.folder / INDEX).write_bytes(packed.pack(msgspec.json.encode(index)))
    return INDEX


def read(where: Path) -> Index:
    """Another worker's. Raises Unreadable."""
    try:
        return msgspec.json.decode(lists.unpack(where), type=Index)
    except msgspec.MsgspecError:
        raise Unreadable("it is no index of a ladder") from None


def only(promises: Sequence[Promise]) -> Promise | None:
    """A recipe has one ladder at most."""
    return next((p for p in promises if isinstance(p.output, LadderOutput)), None)


def of_recipe(room: Room) -> LadderOutput | None:
    """The task's."""
    outputs = room.recipe.outputs
    return next((output for output in outputs if isinstance(output, LadderOutput)), None)


def here(room: Room) -> str:
    """Where in the work folder this attempt stores things. Raises WorkFailed where nobody can
    know."""
    upload = room.order.grants.upload
    if not isinstance(upload, PostForm):
        raise WorkFailed("delivery_refused", "a ladder has files whose names nobody knows before")
    return f"{upload.key_prefix}{room.order.nonce}/"
