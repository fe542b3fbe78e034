"""When the frames of an MP4 are shown, out of its index alone: a film can then be cut before a byte
of its pictures has been read.

It must never guess. Whatever is not the plain case (fragments, an edit list that hides frames,
lengths that contradict each other) gives nothing, and the packets are read instead; so does a list
that ffprobe's own words about the file do not bear out. And it believes no length: the file is a
stranger's.
"""

import dataclasses
import struct
from array import array
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from typing import Protocol

from worker.probe import Stream
from worker.scan import REORDER_SECONDS_MAX, Scan

#: A file has a handful of boxes outside, fragments apart; each costs a look that may be far away.
_OUTER_BOXES_MAX = 32
_INNER_BOXES_MAX = 4096
_TABLE_BYTES_MAX = 64 << 20
#: A day at 34 frames a second: their ticks take 100 MB while they are sorted.
_SAMPLES_MAX = 3_000_000
#: `stts` is read as signed: some writers take back a little. Not here.
_DELTA_MAX = 1 << 31


class Unclear(Exception):
    """Not the plain case."""


class Seekable(Protocol):
    """A file, wherever it is."""

    def seek(self, offset: int, /) -> object:
        """Where the next read begins."""

    def read(self, count: int, /) -> bytes:
        """So many bytes, fewer at the end."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Box:
    kind: bytes
    start: int
    end: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """The tracks of a file, in order: where the tables of each are."""

    file: Seekable
    movie_timescale: int
    tracks: tuple[_Box, ...]

    def scan(self, picture: Stream) -> Scan:
        """What a reading of the picture's packets would have found. Raises Unclear."""
        if picture.index >= len(self.tracks):
            raise Unclear("no such track")
        track = self.tracks[picture.index]
        media = _only(self.file, track, b"mdia")
        if _read(self.file, _only(self.file, media, b"hdlr"), 12)[8:12] != b"vide":
            raise Unclear("no picture")
        timescale = _timescale(self.file, _only(self.file, media, b"mdhd"))
        if picture.tick != Fraction(1, timescale):
            raise Unclear("another clock")
        minf = _only(self.file, media, b"minf")
        _check_here(self.file, _only(self.file, _only(self.file, minf, b"dinf"), b"dref"))
        table = _only(self.file, minf, b"stbl")
        shown_at, reordered = _shown_at(self.file, table)
        _shift(shown_at, _edits(self.file, track), self.movie_timescale, timescale)
        scan = _scan(shown_at, _keys(self.file, table), picture.tick, reordered=reordered)
        return _confirmed(scan, picture)

    def presented(self, kind: bytes) -> list[tuple[Fraction, int]]:
        """Of each track of a kind: when it begins, in seconds, and how many of its ticks are
        presented from then on. Raises Unclear."""
        found = []
        for track in self.tracks:
            media = _only(self.file, track, b"mdia")
            if _read(self.file, _only(self.file, media, b"hdlr"), 12)[8:12] == kind:
                found.append(self._presented(track, media))
        return found

    def _presented(self, track: _Box, media: _Box) -> tuple[Fraction, int]:
        timescale = _timescale(self.file, _only(self.file, media, b"mdhd"))
        table = _only(self.file, _only(self.file, media, b"minf"), b"stbl")
        pairs = _pairs(self.file, _only(self.file, table, b"stts"), ">II")
        total, first = sum(count * delta for count, delta in pairs), _first(self.file, table)
        edits = _edits(self.file, track)
        if not edits:
            return Fraction(first, timescale), total
        *pauses, (length, cut, speed) = edits
        if any(start != -1 for _, start, _ in pauses) or cut < 0 or speed != 1 << 16:
            raise Unclear("an edit list that cuts")
        pause = Fraction(sum(pause for pause, _, _ in pauses), self.movie_timescale)
        played = Fraction(length * timescale, self.movie_timescale)
        if round(played) < total - cut:
            raise Unclear("an edit list that hides its end")
        return pause + Fraction(max(first - cut, 0), timescale), total - cut


def read_index(file: Seekable, size: int) -> Index:
    """Of a file with so many bytes. Raises Unclear, and what the file raises."""
    moov = None
    for box in _boxes(file, 0, size, _OUTER_BOXES_MAX):
        if box.kind in (b"moof", b"sidx", b"styp"):
            raise Unclear("it is in fragments")
        if box.kind == b"moov":
            moov = box
    if moov is None:
        raise Unclear("it has no index")
    inside = list(_boxes(file, moov.start, moov.end, _INNER_BOXES_MAX))
    if any(box.kind in (b"mvex", b"cmov") for box in inside):
        raise Unclear("its index is not all there is")
    return Index(
        file=file,
        movie_timescale=_timescale(file, _only(file, moov, b"mvhd")),
        tracks=tuple(box for box in inside if box.kind == b"trak"),
    )


def _check_here(file: Seekable, dref: _Box) -> None:
    """All samples are in this file. Raises Unclear."""
    for box in _boxes(file, dref.start + 8, dref.end, _INNER_BOXES_MAX):
        if not _read(file, box, 4)[3] & 1:
            raise Unclear("its samples lie elsewhere")


def _shown_at(file: Seekable, table: _Box) -> tuple["array[int]", bool]:
    """Ticks, in the order of decoding; and whether some are not those of decoding."""
    ticks, at = array("q"), 0
    for count, delta in _pairs(file, _only(file, table, b"stts"), ">II"):
        if delta >= _DELTA_MAX or len(ticks) + count > _SAMPLES_MAX:
            raise Unclear("times that nobody can have")
        ticks.extend(range(at, at + count * delta, delta) if delta else [at] * count)
        at += count * delta
    offsets = _maybe(file, table, b"ctts")
    if offsets is None:
        return ticks, False
    number, earliest, latest = 0, 0, -(1 << 31)
    for count, offset in _pairs(file, offsets, ">Ii"):
        if number + count > len(ticks):
            raise Unclear("more offsets than frames")
        for one in range(number, number + count):
            ticks[one] += offset
        number += count
        if count:
            earliest, latest = min(earliest, offset), max(latest, offset)
    if number != len(ticks):
        raise Unclear("fewer offsets than frames")
    # Where an offset is negative, ffmpeg decodes all so much earlier.
    return ticks, latest > earliest


def _first(file: Seekable, table: _Box) -> int:
    """When the first sample is shown, in ticks; its decoding begins at 0."""
    offsets = _maybe(file, table, b"ctts")
    return 0 if offsets is None else int(struct.unpack_from(">i", _read(file, offsets, 16), 12)[0])


def _keys(file: Seekable, table: _Box) -> "array[int] | None":
    """Numbers of those at which a decoder can begin, from 1; None: at all."""
    box = _maybe(file, table, b"stss")
    if box is None:
        return None
    body = _body(file, box)
    return array("q", (number for (number,) in struct.iter_unpack(">I", body)))


def _edits(file: Seekable, track: _Box) -> list[tuple[int, int, int]]:
    """Length in the movie's ticks, beginning in the track's (-1: a pause), and speed of each."""
    edts = _maybe(file, track, b"edts")
    box = None if edts is None else _maybe(file, edts, b"elst")
    if box is None:
        return []
    wide = _read(file, box, 1) == b"\x01"
    form = struct.Struct(">QqI" if wide else ">IiI")
    return list(form.iter_unpack(_body(file, box, form.size)))


def _shift(
    shown_at: "array[int]", edits: list[tuple[int, int, int]], movie: int, timescale: int
) -> None:
    """To when they are shown by the edit list: a pause or more, then all of the track."""
    if not edits or not shown_at:
        return
    *pauses, (length, begins, speed) = edits
    if any(start != -1 for _, start, _ in pauses) or begins < 0 or speed != 1 << 16:
        raise Unclear("an edit list that cuts")
    if min(shown_at) < begins or max(shown_at) >= begins + length * timescale // movie:
        raise Unclear("an edit list that hides frames")
    # Rounded as ffmpeg does.
    pause = round(Fraction(sum(pause for pause, _, _ in pauses) * timescale, movie))
    for number, tick in enumerate(shown_at):
        shown_at[number] = tick - begins + pause


def _scan(
    shown_at: "array[int]", keys: "array[int] | None", tick: Fraction, *, reordered: bool
) -> Scan:
    count = len(shown_at)
    if keys is not None and any(not 1 <= key <= count for key in keys):
        raise Unclear("a keyframe that is none of its frames")
    reach = REORDER_SECONDS_MAX / float(tick)
    latest, jumped = float("-inf"), False
    for shown in shown_at:
        jumped |= shown < latest - reach
        latest = max(latest, shown)
    ticks = array("q", sorted(shown_at))
    key_ticks = ticks if keys is None else array("q", sorted(shown_at[key - 1] for key in keys))
    first = 1 if keys is None else min(keys, default=0)
    return Scan(
        frames=count,
        packets=count,
        ticks=ticks,
        tick=tick,
        key_ticks=key_ticks,
        headless=bool(shown_at) and (first != 1 or ticks[0] < shown_at[0]),
        reordered=reordered,
        regular=not jumped and all(a < b for a, b in pairwise(ticks)),
    )


def _confirmed(scan: Scan, picture: Stream) -> Scan:
    """ffprobe has read the same index, and says how many there are and when the first is shown."""
    if not scan.ticks or picture.nb_frames != scan.frames or picture.start_time is None:
        raise Unclear("another number of frames")
    # Said in microseconds.
    off_max = scan.tick / 2 + Fraction(1, 10**6)
    if abs(scan.ticks[0] * scan.tick - Fraction(picture.start_time)) > off_max:
        raise Unclear("another beginning")
    return scan


def _timescale(file: Seekable, box: _Box) -> int:
    """Of `mvhd` and `mdhd`: ticks of a second."""
    head = _read(file, box, 24)
    (found,) = struct.unpack_from(">I", head, 20 if head[:1] == b"\x01" else 12)
    if not found:
        raise Unclear("a clock that stands still")
    return int(found)


def _pairs(file: Seekable, box: _Box, form: str) -> Iterator[tuple[int, ...]]:
    return struct.iter_unpack(form, _body(file, box, struct.calcsize(form)))


def _body(file: Seekable, box: _Box, entry_bytes: int = 4) -> bytes:
    """The entries of a table, as many as it says."""
    (count,) = struct.unpack_from(">I", _read(file, box, 8), 4)
    if count * entry_bytes > min(box.end - box.start - 8, _TABLE_BYTES_MAX):
        raise Unclear("a table larger than its box")
    return _read(file, box, 8 + count * entry_bytes)[8:]


def _only(file: Seekable, box: _Box, kind: bytes) -> _Box:
    found = _maybe(file, box, kind)
    if found is None:
        raise Unclear(f"it has no {kind.decode()}")
    return found


def _maybe(file: Seekable, outer: _Box, kind: bytes) -> _Box | None:
    inside = _boxes(file, outer.start, outer.end, _INNER_BOXES_MAX)
    found = [box for box in inside if box.kind == kind]
    if len(found) > 1:
        raise Unclear(f"it has more than one {kind.decode()}")
    return found[0] if found else None


def _boxes(file: Seekable, at: int, end: int, count_max: int) -> Iterator[_Box]:
    """Those of one level; each from its body's first byte."""
    for _ in range(count_max):
        if at >= end:
            return
        file.seek(at)
        header = file.read(16)
        if len(header) < 8:
            raise Unclear("a box is cut off")
        length, kind = struct.unpack_from(">I4s", header)
        begins = 8
        if length == 1 and len(header) == 16:
            (length,) = struct.unpack_from(">Q", header, 8)
            begins = 16
        if not begins <= length <= end - at:
            raise Unclear("a box beyond its end")
        yield _Box(kind, at + begins, at + length)
        at += length
    raise Unclear("too many boxes")


def _read(file: Seekable, box: _Box, count: int) -> bytes:
    file.seek(box.start)
    found = file.read(min(count, box.end - box.start))
    if len(found) < count:
        raise Unclear("a box is cut off")
    return found
