"""Reads ISO boxes (ISO/IEC 14496-12): where a fragmented file begins, and the times of its samples.

Why not ffprobe: it misreads times that lie before their decoding (`trun` version 1 without an edit
list), which is what our fragments have. It reads files of our own making only, and still believes
no length in them.
"""

import dataclasses
import struct
from array import array
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

#: What stands before the first fragment, and what a fragment is made of.
_BEGINNING, _FRAGMENT = (b"ftyp", b"moov"), (b"moof", b"mdat")
_HEADER_BYTES = 8
#: A `moof` of ten thousand samples has 160 KB.
_PARSED_BYTES_MAX = 64 << 20

#: Beyond these times no sum of two fits into 64 bits.
_TICKS_MAX = 1 << 62

_NON_SYNC = 0x10000

#: Flags of `tfhd`: offsets count from where its `moof` begins. Of `trun`: the offset is there.
_BASE_IS_MOOF, _BASE_GIVEN = 0x20000, 0x1
_OFFSET_GIVEN, _FIRST_FLAGS_GIVEN, _DURATIONS_GIVEN, _SIZES_GIVEN = 0x1, 0x4, 0x100, 0x200


class Malformed(Exception):
    """Not what our encoder writes."""


@dataclasses.dataclass(frozen=True, slots=True)
class Box:
    """One box of a file."""

    kind: bytes
    start: int
    size: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """The samples of a fragmented file, in the order in which they are decoded; in ticks."""

    shown_at: "array[int]"
    decoded_at: "array[int]"
    #: Numbers of those at which a decoder can begin.
    sync: "array[int]"
    #: When each fragment's decoding begins.
    fragments: "array[int]"
    end: int
    #: How many of these ticks a second has.
    timescale: int = 1


def boxes(path: Path) -> list[Box]:
    """Those of the outermost level. Raises Malformed."""
    size = path.stat().st_size
    found, at = [], 0
    with path.open("rb") as file:
        while at < size:
            file.seek(at)
            length, kind = _header(file.read(16), size - at)
            found.append(Box(kind, at, length))
            at += length
    return found


def beginning(path: Path) -> bytes:
    """The boxes before the first fragment: one and the same for all chunks. Raises Malformed."""
    with path.open("rb") as file:
        return b"".join(_read(file, box) for box in boxes(path) if box.kind in _BEGINNING)


def fragments(path: Path) -> list[Box]:
    """Those that hold samples, in order. Raises Malformed."""
    return [box for box in boxes(path) if box.kind in _FRAGMENT]


@dataclasses.dataclass(frozen=True, slots=True)
class Span:
    """Bytes of a file."""

    start: int
    size: int


def spans(path: Path) -> tuple[Span, tuple[Span, ...]]:
    """Where the beginning stands, and each fragment, whole. Raises Malformed."""
    found = [box for box in boxes(path) if box.kind in (*_BEGINNING, *_FRAGMENT)]
    kinds = [box.kind for box in found]
    count, odd = divmod(len(kinds) - len(_BEGINNING), len(_FRAGMENT))
    if odd or tuple(kinds) != (*_BEGINNING, *_FRAGMENT * count) or found[0].start:
        raise Malformed("other boxes than a beginning and fragments")
    joined = [
        Span(one.start, one.size + other.size)
        for one, other in zip(found[::2], found[1::2], strict=True)
        if other.start == one.start + one.size
    ]
    if len(joined) != count + 1:
        raise Malformed("something stands in between")
    return joined[0], tuple(joined[1:])


def grown(file: BinaryIO, start: int, size: int) -> list[Span]:
    """The same of a file that is still written and has `size` bytes by now: each beginning and
    fragment from `start` on that is whole. Nothing from where anything else stands."""
    found: list[Span] = []
    while True:
        kinds, at = [], start
        try:
            for _ in _FRAGMENT:
                file.seek(at)
                length, kind = _header(file.read(16), size - at)
                kinds.append(kind)
                at += length
        except Malformed:  # not yet
            return found
        if tuple(kinds) != (_FRAGMENT if start else _BEGINNING):
            return found
        found.append(Span(start, at - start))
        start = at


def first_sample(path: Path, fragment: Span) -> tuple[int, bytes]:
    """A fragment's first sample, and how many bytes of the fragment hold it, from its first on.
    Raises Malformed."""
    with path.open("rb") as file:
        file.seek(fragment.start)
        moof, _ = _header(file.read(16), fragment.size)
        begins = moof + _HEADER_BYTES
        offset, size = _first_sample(_read(file, Box(b"moof", fragment.start, moof))[8:])
        ends = begins + size
        if offset != begins or ends > fragment.size:
            raise Malformed("a first sample that is not where its fragment begins")
        file.seek(fragment.start + begins)
        return ends, file.read(size)


def _first_sample(moof: bytes) -> tuple[int, int]:
    """Where it lies, from where its `moof` begins, and how many bytes it has."""
    traf = _one(moof, b"traf")
    tfhd, trun = _one(traf, b"tfhd"), _inside(traf, b"trun")
    based = int.from_bytes(tfhd[1:4], "big") & (_BASE_IS_MOOF | _BASE_GIVEN)
    if not trun or based != _BASE_IS_MOOF:
        raise Malformed("samples in an unknown place")
    flags = int.from_bytes(trun[0][1:4], "big")
    count, offset = _unpack(">Ii", trun[0], 4)
    if not count or not flags & _OFFSET_GIVEN:
        raise Malformed("samples in an unknown place")
    if not flags & _SIZES_GIVEN:
        return offset, _defaults(tfhd).size
    at = 12 + 4 * sum(bool(flags & bit) for bit in (_FIRST_FLAGS_GIVEN, _DURATIONS_GIVEN))
    return offset, _unpack(">I", trun[0], at)[0]


def samples(path: Path, kind: bytes = b"", number: int = 0) -> Samples:
    """Of the one track of a fragmented file, or of one of a kind (`vide`, `soun`), counted from 0,
    as its edit list has it shown. Raises Malformed."""
    found = Samples(
        shown_at=array("q"), decoded_at=array("q"), sync=array("q"), fragments=array("q"), end=0
    )
    end, track = 0, _Track()
    samples_max = path.stat().st_size  # none is smaller than a byte
    with path.open("rb") as file:
        for box in boxes(path):
            if box.kind == b"moov":
                track = _track(_read(file, box)[8:], kind, number)
            elif box.kind == b"moof":
                moof = _read(file, box)[8:]
                end = _add(found, _runs(moof, track.number), track.early, samples_max) or end
    return dataclasses.replace(found, end=end, timescale=track.timescale)


def astray(found: Samples, shown_at: "array[int]") -> str:
    """Why these are not frames for just these times, which are in order; else nothing."""
    if array("q", sorted(found.shown_at)) != shown_at:
        return f"{len(found.shown_at)} frames, not {len(shown_at)} in their places"
    # What copies them later would move them out of each other's way, and say so only in its log.
    if any(later <= one for one, later in pairwise(found.decoded_at)):
        return "frames that are to be decoded at one time"
    if not found.sync or found.sync[0] != 0:
        return "no keyframe to begin with"
    return ""


@dataclasses.dataclass(frozen=True, slots=True)
class _Track:
    #: None: there is but one.
    number: int | None = None
    timescale: int = 1
    #: So many ticks earlier are samples shown than they say.
    early: int = 0


def _track(moov: bytes, kind: bytes, which: int) -> _Track:
    if not kind:
        return _Track(early=_edits(_one(moov, b"trak"), pauses=0)[1])
    tracks = [trak for trak in _inside(moov, b"trak") if _handler(trak) == kind]
    if which >= len(tracks):
        raise Malformed(f"{len(tracks)} tracks {kind.decode()}")
    trak = tracks[which]
    tkhd = _one(trak, b"tkhd")
    (number,) = _unpack(">I", tkhd, 20 if tkhd[0] == 1 else 12)
    timescale = _timescale(_one(_one(trak, b"mdia"), b"mdhd"))
    pause, media_time = _edits(trak, pauses=1)
    late = round(pause * timescale / _timescale(_one(moov, b"mvhd")))
    return _Track(number, timescale, media_time - late)


def _timescale(header: bytes) -> int:
    """Of `mdhd` and `mvhd`: how many ticks a second has."""
    (ticks,) = _unpack(">I", header, 20 if header[:1] == b"\1" else 12)
    if not ticks:
        raise Malformed("a clock that stands still")
    return int(ticks)


def _handler(trak: bytes) -> bytes:
    return _one(_one(trak, b"mdia"), b"hdlr")[8:12]


def _edits(trak: bytes, *, pauses: int) -> tuple[int, int]:
    """`elst`: a pause, in ticks of the movie, if one may be, and where the track begins then."""
    if not _inside(trak, b"edts"):
        return 0, 0
    elst = _one(_one(trak, b"edts"), b"elst")
    (count,) = _unpack(">I", elst, 4)
    form = ">QqHH" if elst[0] == 1 else ">IiHH"
    if not 1 <= count <= 1 + pauses:
        raise Malformed("an edit list of more than one piece")
    entries = [_unpack(form, elst, 8 + n * struct.calcsize(form)) for n in range(count)]
    pause = entries[0][0] if count == 2 else 0
    media_time = entries[-1][1]
    if not 0 <= media_time <= _TICKS_MAX or (count == 2 and entries[0][1] != -1):
        raise Malformed("an edit list of more than one piece")
    return pause, media_time


def _runs(moof: bytes, track: int | None) -> bytes | None:
    """What a fragment has of a track, if anything."""
    if track is None:
        return _one(moof, b"traf")
    trafs = _inside(moof, b"traf")
    own = [traf for traf in trafs if _unpack(">I", _one(traf, b"tfhd"), 4)[0] == track]
    if len(own) > 1:
        raise Malformed(f"{len(own)} boxes traf")
    return own[0] if own else None


def _add(found: Samples, traf: bytes | None, early: int, samples_max: int) -> int:
    if traf is None:
        return found.end
    tfhd, tfdt = _one(traf, b"tfhd"), _one(traf, b"tfdt")
    default = _defaults(tfhd)
    (short,) = _unpack(">I", tfdt, 4)
    at = _unpack(">Q", tfdt, 4)[0] if tfdt[0] == 1 else short
    if at > _TICKS_MAX:
        raise Malformed(f"a fragment that begins at {at}")
    found.fragments.append(at)
    for trun in _inside(traf, b"trun"):
        if _unpack(">I", trun, 4)[0] > samples_max - len(found.decoded_at):
            raise Malformed("more samples than bytes")
        for duration, flags, shown_after in _run(trun, default):
            if not flags & _NON_SYNC:
                found.sync.append(len(found.decoded_at))
            found.decoded_at.append(at)
            found.shown_at.append(at + shown_after - early)
            at += duration
    return at


@dataclasses.dataclass(frozen=True, slots=True)
class _Default:
    duration: int
    size: int
    flags: int


def _defaults(tfhd: bytes) -> _Default:
    """`tfhd`: what its runs leave unsaid."""
    flags = int.from_bytes(tfhd[1:4], "big")
    at = 8
    for bit, width in ((0x1, 8), (0x2, 4)):
        at += width if flags & bit else 0
    values = []
    for bit in (0x8, 0x10, 0x20):  # duration, size, flags
        values.append(_unpack(">I", tfhd, at)[0] if flags & bit else 0)
        at += 4 if flags & bit else 0
    return _Default(*values)


def _run(trun: bytes, default: _Default) -> Iterator[tuple[int, int, int]]:
    """Of each sample: how long, its flags, and how much after its decoding it is shown."""
    flags = int.from_bytes(trun[1:4], "big")
    (count,) = _unpack(">I", trun, 4)
    at = 8 + (4 if flags & 0x1 else 0)
    first = None
    if flags & 0x4:
        (first,) = _unpack(">I", trun, at)
        at += 4
    for number in range(count):
        duration, its_flags, shown_after = default.duration, default.flags, 0
        if flags & 0x100:
            (duration,) = _unpack(">I", trun, at)
            at += 4
        at += 4 if flags & 0x200 else 0
        if flags & 0x400:
            (its_flags,) = _unpack(">I", trun, at)
            at += 4
        elif number == 0 and first is not None:
            its_flags = first
        if flags & 0x800:
            (shown_after,) = _unpack(">i" if trun[0] == 1 else ">I", trun, at)
            at += 4
        yield duration, its_flags, shown_after


def _inside(body: bytes, kind: bytes) -> list[bytes]:
    """Bodies of the boxes of a kind, one level down."""
    found, at = [], 0
    while at < len(body):
        length, its_kind = _header(body[at : at + 16], len(body) - at)
        if its_kind == kind:
            found.append(body[at + 8 : at + length])
        at += length
    return found


def _one(body: bytes, kind: bytes) -> bytes:
    found = _inside(body, kind)
    if len(found) != 1:
        raise Malformed(f"{len(found)} boxes {kind.decode()}")
    return found[0]


def _header(start: bytes, left: int) -> tuple[int, bytes]:
    if len(start) < 8:
        raise Malformed("a box is cut off")
    length, kind = struct.unpack_from(">I4s", start)
    if length == 1 and len(start) >= 16:
        (length,) = struct.unpack_from(">Q", start, 8)
    if not 8 <= length <= left:
        raise Malformed(f"a box of {length} bytes, where {left} are left")
    return length, kind


def _read(file: BinaryIO, box: Box) -> bytes:
    if box.size > _PARSED_BYTES_MAX:
        raise Malformed(f"a box of {box.size} bytes")
    file.seek(box.start)
    return file.read(box.size)


def _unpack(form: str, body: bytes, at: int) -> tuple[int, ...]:
    try:
        return struct.unpack_from(form, body, at)
    except struct.error:
        raise Malformed("a box is cut off") from None
