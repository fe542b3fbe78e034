"""Subtitles of a ladder: every track of text that the source has, cut where its picture is cut.

Whole in each list's own way: a player of HLS reads a file a segment, one of DASH one file of all.
They are made by whoever has the whole source, and are small. It must never name a track in a
stranger's words but for those that cannot end a quotation.
"""

import itertools
import re
from collections.abc import Sequence
from fractions import Fraction

from mayfly.contract.ladder import SEGMENTS_MAX, TEXTS_MAX, Text
from mayfly.contract.plan import Grid
from mayfly.contract.recipe import LadderOutput
from mayfly.core import ladders, languages
from worker import ladder, subtitle_files, subtitle_reading, subtitle_tracks, subtitles
from worker.evenness import last_frame
from worker.pieces import Span, all_of
from worker.preflight import Material
from worker.probe import Stream
from worker.promise import OUTPUTS
from worker.room import Room
from worker.subtitle_text import Cue

#: The last frame may be rounded onto a segment of its own, and what follows it onto one more.
_BEHIND_FRAMES = 2

#: What a source calls its tracks, as far as that is words: the rest of it is left out.
_UNSPEAKABLE = re.compile(r"[^\w ()\[\].,:;!?+/-]+")
_LABEL_CHARACTERS_MAX = 60


def store(
    room: Room, material: Material, grid: Grid, origin: Fraction, segments: int | None = None
) -> tuple[Text, ...]:
    """What each track has come to, stored, if the recipe's ladder is to have any; `segments` of the
    picture, where somebody knows that. Raises WorkFailed, Halted."""
    wanted = ladder.of_recipe(room)
    if wanted is None or wanted.subtitles == "none":
        return ()
    tracks = subtitle_tracks.texts(material.probe)[:TEXTS_MAX]
    cues = subtitles.read(room, material, tracks, origin)
    if segments is None:
        segments = (last_frame(material, grid) + _BEHIND_FRAMES) // grid.segment_frames + 1
    seconds = grid.segment_frames / Fraction(*grid.rate)
    made = [
        _store(room, wanted, f"s{number}", cues[track.index], min(segments, SEGMENTS_MAX), seconds)
        for number, track in enumerate(tracks)
    ]
    return tuple(
        Text(
            name=f"s{number}",
            language=languages.tag(subtitle_tracks.language(track)),
            label=label,
            forced=subtitle_tracks.is_forced(track),
            segment_bytes=segment_bytes,
            size_bytes=size_bytes,
        )
        for number, (track, label, (segment_bytes, size_bytes)) in enumerate(
            zip(tracks, labels(tracks), made, strict=True)
        )
    )


def labels(tracks: Sequence[Stream]) -> list[str]:
    """What viewers choose by: what the source calls each, else its language; each another."""
    found: list[str] = []
    for track in tracks:
        title = " ".join(_UNSPEAKABLE.sub(" ", track.tags.get("title", "")).split())
        language = subtitle_tracks.language(track)
        name = title[:_LABEL_CHARACTERS_MAX].strip() or languages.name(language) or "Subtitles"
        if not title and subtitle_tracks.is_forced(track):
            name += " (forced)"
        told = (f"{name} {number}" if number > 1 else name for number in itertools.count(1))
        found.append(next(one for one in told if one not in found))
    return found


def _store(
    room: Room,
    wanted: LadderOutput,
    name: str,
    cues: Sequence[Cue],
    segments: int,
    seconds: Fraction,
) -> tuple[tuple[int, ...], int]:
    """Bytes of each segment, and of all in one. Raises WorkFailed, Halted."""
    text = subtitle_files.webvtt(cues)
    subtitle_reading.check_webvtt(text, cues)
    whole = text.encode()
    spans: list[Span] = []
    if "dash" in wanted.manifests:
        where = room.folder / OUTPUTS / f"_{wanted.file}-{name}.vtt"
        where.write_bytes(whole)
        spans.append(all_of(where, f"{wanted.file}/{ladders.text_whole(name)}"))
    sizes: list[int] = []
    if "hls" in wanted.manifests:
        files = [one.encode() for one in cut(cues, segments, seconds)]
        sizes = [len(one) for one in files]
        where = room.folder / OUTPUTS / f"_{wanted.file}-{name}-cut.vtt"
        where.write_bytes(b"".join(files))
        spans += [
            Span(
                path=where,
                file=f"{wanted.file}/{ladders.text_segment(name, number)}",
                start=sum_before,
                size=size,
            )
            for number, (sum_before, size) in enumerate(
                zip(itertools.accumulate([0, *sizes[:-1]]), sizes, strict=True)
            )
        ]
    room.store_many(spans)
    return tuple(sizes), len(whole)


def cut(cues: Sequence[Cue], segments: int, seconds: Fraction) -> list[str]:
    """Of each segment, whatever is to be shown in it: a player may begin with any of them, and
    knows what it is told twice. Times are the film's."""
    within: list[list[Cue]] = [[] for _ in range(segments)]
    for cue in cues:
        first = int(Fraction(cue.start_ms, 1000) / seconds)
        end = -int(-Fraction(cue.end_ms, 1000) // seconds)
        for number in range(first, min(end, segments)):
            within[number].append(cue)
    head = subtitle_files.FROM_ZERO
    texts = [subtitle_files.webvtt(own, head) for own in within]
    for text, own in zip(texts, within, strict=True):
        subtitle_reading.check_webvtt(text, own, head)
    return texts
