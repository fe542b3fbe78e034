"""Makes a ladder of what its parts told: proves out of their indexes that it is whole, writes its
playlists and its manifest, and says where each file stands. No byte of media is read.

It must never say of a ladder with a gap, with an overlap or with two kinds of beginnings that it is
ready: its players would stop there.
"""

import dataclasses
from collections.abc import Sequence
from fractions import Fraction

import msgspec

from mayfly.contract.ladder import Index, Layer, Ready, Run, Segment, Text, Texts, Track
from mayfly.contract.plan import Grid
from mayfly.contract.recipe import LadderOutput
from mayfly.contract.report import Artifact, Media, SoundTrack
from mayfly.core import dash, ladders, playlists
from worker import ladder, read_back
from worker.deliver import Stored
from worker.ends import Doubted
from worker.pieces import Span, all_of
from worker.promise import OUTPUTS
from worker.room import Room
from worker.rungs import is_sound, sound_name


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What one attempt has stored."""

    #: Its folder in the work folder.
    prefix: str
    index: Index
    #: Of a chunk: its number.
    chunk: int | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """All tracks of a ladder, and where they stand."""

    pictures: tuple[Track, ...]
    #: The default first.
    sounds: tuple[Track, ...]
    layers: tuple[Layer, ...]
    #: Its subtitles, and the folder in the work folder of the attempt that made them.
    texts: tuple[Text, ...] = ()
    texts_at: str = ""


def whole(wanted: LadderOutput, shares: Sequence[Share]) -> Whole:
    """All shares together: the pictures' in the order of chunks. Raises Doubted."""
    for share in shares:
        if share.index.folder != wanted.file:
            raise _doubted(share, f"the ladder {share.index.folder}, not {wanted.file}")
        if len(set(_names(share))) < len(_names(share)):
            raise _doubted(share, "a track twice")
    # The sound's task may have told of subtitles alone.
    heard = [share for share in shares if any(map(is_sound, _names(share)))]
    shown = [
        share
        for share in shares
        if (not _names(share) or not is_sound(_names(share)[0])) and _may_show(share)
    ]
    said = [share for share in shares if share.index.texts]
    if not shown or len(heard) > 1 or len(said) > 1:
        told = f"{len(shown)} parts with pictures, {len(heard)} with sound"
        raise Doubted(f"{told}, {len(said)} with subtitles")
    names = tuple(name for name in _names(shown[0]) if not is_sound(name))
    for share in shown:
        if tuple(name for name in _names(share) if not is_sound(name)) != names:
            raise _doubted(share, "other sizes than the first")
    pictures = tuple(_joined(name, shown) for name in names)
    cuts = [[(one.number, one.start, one.length) for one in track.segments] for track in pictures]
    if any(cut != cuts[0] for cut in cuts):
        raise Doubted("sizes that are cut in other places than the first")
    layers = [Layer(tracks=names, runs=tuple(_run(share, names[0]) for share in shown))]
    spoken = [name for share in heard for name in _names(share) if is_sound(name)]
    if spoken != [sound_name(number) for number in range(len(spoken))]:
        raise _doubted(heard[0], f"the sounds {', '.join(spoken)}")
    layers += [Layer(tracks=(name,), runs=(_run(heard[0], name),)) for name in spoken]
    sounds = tuple(_joined(name, heard) for name in spoken)
    found = Whole(pictures=pictures, sounds=sounds, layers=tuple(layers))
    return _with_texts(wanted, found, said[0]) if said else found


def _with_texts(wanted: LadderOutput, found: Whole, share: Share) -> Whole:
    """Raises Doubted where they are not for all of the picture, or cannot be told apart."""
    texts = share.index.texts
    names = [text.name for text in texts]
    if names != [f"s{number}" for number in range(len(texts))]:
        raise _doubted(share, f"the subtitles {', '.join(names)}")
    if len({text.label for text in texts}) < len(texts):
        raise _doubted(share, "subtitles of one name")
    count = len(found.pictures[0].segments)
    for text in texts:
        if "hls" in wanted.manifests and len(text.segment_bytes) < count:
            raise _doubted(share, f"{text.name} ends before the picture")
    return dataclasses.replace(found, texts=texts, texts_at=share.prefix)


def check(found: Whole, grid: Grid, last_frame: int) -> None:
    """That the grid is covered as far as the source has frames, and by the sound as well. Raises
    Doubted."""
    rate = Fraction(*grid.rate)
    (*others, last) = found.pictures[0].segments
    if any(one.length != grid.segment_frames for one in others) or not (
        0 < last.length <= grid.segment_frames
    ):
        raise Doubted(f"segments of other lengths than {grid.segment_frames} frames")
    # The very last frame may be half a frame of the grid, and rounded away.
    if _end(found.pictures[0]) < last_frame:
        raise Doubted(f"{_end(found.pictures[0])} frames of the grid, the last is {last_frame}")
    if any(Fraction(*track.rate) != rate for track in found.pictures):
        raise Doubted("frames of another rate than the plan's")
    for sound in found.sounds:
        heard = _end(sound) / Fraction(*sound.rate)
        if heard < last_frame / rate:
            raise Doubted(f"sound for {float(heard):.3f} s, pictures for longer")


def deliver(room: Room, wanted: LadderOutput, found: Whole) -> tuple[Artifact, ...]:
    """Stores what players open and the list of where everything stands. What the outcome names is
    the former; the first of them stands for how much there is. Raises WorkFailed, Halted."""
    prefix = ladder.here(room)
    tracks = [*found.pictures, *found.sounds]
    texts = _texts(wanted, found, tracks)
    read_back.check(texts, tracks, found.texts)
    segments = len(found.pictures[0].segments)
    ready = Ready(
        folder=wanted.file,
        playlists=prefix,
        layers=found.layers,
        manifests=wanted.manifests,
        iframes=playlists.has_iframes(found.pictures),
        texts=Texts(
            prefix=found.texts_at,
            names=tuple(text.name for text in found.texts),
            segments=segments,
        )
        if found.texts
        else None,
    )
    texted = [_written(room, f"{wanted.file}/{name}", text) for name, text in texts.items()]
    listed = _written(room, ladders.PUBLISHED, msgspec.json.encode(ready).decode())
    stored = {one.file: one for one in room.store_many([*texted, listed])}
    made = [
        _artifact(stored[file], _media(found, wanted, kind))
        for kind, file in zip(wanted.manifests, ladders.delivered(wanted), strict=True)
    ]
    media = sum(track.init_bytes + sum(s.size_bytes for s in track.segments) for track in tracks)
    files = sum(1 + len(track.segments) for track in tracks)
    for text in found.texts:
        files += len(ladders.text_files(text.name, segments, wanted.manifests))
        media += sum(text.segment_bytes[:segments])
        media += text.size_bytes if "dash" in wanted.manifests else 0
    made[0] = msgspec.structs.replace(
        made[0],
        size_bytes=media + sum(span.size for span in texted),
        files=files + len(texted),
    )
    return (*made, _artifact(stored[ladders.PUBLISHED], Media(container="list")))


def _texts(wanted: LadderOutput, found: Whole, tracks: Sequence[Track]) -> dict[str, str]:
    """What is written, by its name in the ladder's folder."""
    texts = {}
    if "hls" in wanted.manifests:
        texts = {ladders.playlist(track.name): playlists.media(track) for track in tracks}
        if playlists.has_iframes(found.pictures):
            texts |= {ladders.iframes(t.name): playlists.iframes(t) for t in found.pictures}
        for text in found.texts:
            texts[ladders.playlist(text.name)] = playlists.text(text, found.pictures[0])
        texts[ladders.MASTER] = playlists.master(found.pictures, found.sounds, found.texts)
    if "dash" in wanted.manifests:
        texts[ladders.MANIFEST] = dash.manifest(found.pictures, found.sounds, found.texts)
    return texts


def _artifact(stored: Stored, media: Media) -> Artifact:
    return Artifact(
        file=stored.file,
        key=stored.key,
        size_bytes=stored.size_bytes,
        sha256=stored.sha256,
        media=media,
    )


def _written(room: Room, file: str, text: str) -> Span:
    where = room.folder / OUTPUTS / f"_{file.replace('/', '-')}"
    where.write_text(text, encoding="utf-8")
    return all_of(where, file)


def _media(found: Whole, wanted: LadderOutput, container: str) -> Media:
    """Of the largest picture."""
    largest = max(found.pictures, key=lambda track: track.width * track.height)
    frames, sound = _end(largest), next(iter(found.sounds), None)
    return Media(
        container=container,
        duration_seconds=float(frames / Fraction(*largest.rate)),
        video_codec=wanted.codec,
        width=largest.width,
        height=largest.height,
        frames=frames,
        audio_codec="aac" if sound else None,
        sample_rate_hz=sound.rate[0] if sound else None,
        channels=sound.channels if sound else None,
        codecs=",".join([largest.codec, *([sound.codec] if sound else [])]),
        sounds=tuple(
            SoundTrack(
                channels=one.channels,
                language=one.language,
                title=one.title,
                loudness=one.loudness,
            )
            for one in found.sounds
        ),
    )


def _joined(name: str, shares: Sequence[Share]) -> Track:
    """One track out of its shares: one beginning, and segments without a gap. Raises Doubted."""
    first: Track | None = None
    all_segments: list[Segment] = []
    at = 0
    for share in shares:
        track = next(one for one in share.index.tracks if one.name == name)
        first = first or track
        if _kind(track) != _kind(first):
            raise _doubted(share, f"{name} is of another making")
        for segment in track.segments:
            if segment.number != len(all_segments) or segment.start != at or not segment.length:
                raise _doubted(share, f"{name} has a gap or an overlap at {segment.number}")
            at += segment.length
            all_segments.append(segment)
    if first is None or not all_segments:
        raise Doubted(f"{name} has no segment")
    return msgspec.structs.replace(first, segments=tuple(all_segments))


def _kind(track: Track) -> Track:
    """All but its segments."""
    return msgspec.structs.replace(track, segments=())


def _run(share: Share, name: str) -> Run:
    track = next(one for one in share.index.tracks if one.name == name)
    if not track.segments:
        raise _doubted(share, f"{name} has no segment")
    return Run(share.prefix, track.segments[0].number, track.segments[-1].number + 1)


def _names(share: Share) -> tuple[str, ...]:
    return tuple(track.name for track in share.index.tracks)


def _may_show(share: Share) -> bool:
    return share.chunk is not None or bool(_names(share))


def _end(track: Track) -> int:
    last = track.segments[-1]
    return last.start + last.length


def _doubted(share: Share, detail: str) -> Doubted:
    if share.chunk is None:
        return Doubted(detail)
    return Doubted(f"chunk {share.chunk}: {detail}", [share.chunk])
