"""What a file's tracks are called where players ask before they fetch anything (`CODECS` of a
playlist, `codecs` of a manifest and of `MediaSource.isTypeSupported`): RFC 6381 and what each codec
says of itself, read from the file's own sample entries.

It must never take a name from a recipe or from what an encoder was told: a player that is promised
another level or depth than there is refuses what it could show, or fails in the midst of it. What a
name may leave out where it is the usual (the colours of AV1 and VP9) is left out.
"""

import dataclasses
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from worker.boxes import Malformed

#: An entry with its parameter sets has a few hundred bytes; a file has a few tracks, and each box
#: a handful of others.
_ENTRY_BYTES_MAX = 1 << 16
_BOXES_MAX = 4096
_TO_ENTRIES = (b"mdia", b"minf", b"stbl", b"stsd")

#: How much of an entry stands before its boxes; QuickTime's of sound has more, by its version.
_PICTURE_BYTES = 78
_SOUND_BYTES = {0: 28, 1: 44, 2: 64}

#: Of `esds` (ISO/IEC 14496-1, 7.2.6): a stream, its decoder, and what that must know.
_STREAM, _DECODER, _SPECIFIC = 3, 4, 5
_AUDIO_MPEG4 = 0x40
#: A stream's flags: it depends on another one, or is at some address.
_ELSEWHERE = 0xE0
_OBJECT_ESCAPE = 31


@dataclasses.dataclass(frozen=True, slots=True)
class _Box:
    kind: bytes
    start: int
    end: int


def codecs(path: Path) -> tuple[str, ...]:
    """Of each picture and sound, in the file's order. Raises Malformed."""
    with path.open("rb") as file:
        # In files of ours it stands in front: thousands of fragments may follow.
        outer = _inside(file, _Box(b"", 0, path.stat().st_size))
        moov = next((box for box in outer if box.kind == b"moov"), None)
        if moov is None:
            raise Malformed("no index")
        tracks = [box for box in _inside(file, moov) if box.kind == b"trak"]
        return tuple(_codec(file, track) for track in tracks if _is_played(file, track))


def configured(name: str, told: bytes) -> str:
    """Of a picture whose samples are of a kind, by what its decoder must know, wherever that
    stands. Raises Malformed."""
    try:
        return f"{name}.{_READERS[name][1](told)}"
    except (struct.error, IndexError):
        raise Malformed(f"what {name} must know is cut off") from None


def aac(specific: bytes) -> str:
    """Of sound, by what its decoder must know. Raises Malformed."""
    if len(specific) < 2:
        raise Malformed("what mp4a must know is cut off")
    kind = specific[0] >> 3
    if kind == _OBJECT_ESCAPE:
        kind = 32 + (((specific[0] & 7) << 3) | specific[1] >> 5)
    return f"mp4a.{_AUDIO_MPEG4:02x}.{kind}"


def _is_played(file: BinaryIO, track: _Box) -> bool:
    """Not a list of chapters, nor words."""
    handler = _body(file, _only(file, _only(file, track, b"mdia"), b"hdlr"))[8:12]
    return handler in (b"vide", b"soun")


def _codec(file: BinaryIO, box: _Box) -> str:
    for kind in _TO_ENTRIES:
        box = _only(file, box, kind)
    # Before the entry: a version, flags and how many there are.
    entries = list(_inside(file, dataclasses.replace(box, start=box.start + 8)))
    if len(entries) != 1:
        raise Malformed(f"{len(entries)} kinds of samples in a track")
    (entry,) = entries
    if entry.end - entry.start > _ENTRY_BYTES_MAX:
        raise Malformed("a sample entry that is too long")
    name = entry.kind.decode("latin-1")
    if name in _SAID_BY_NAME:
        return name
    if name == "mp4a":
        return _mpeg(file, entry)
    if name not in _READERS:
        raise Malformed(f"samples of an unknown kind, {name!a}")
    inside = dataclasses.replace(entry, start=entry.start + _PICTURE_BYTES)
    return configured(name, _body(file, _only(file, inside, _READERS[name][0])))


def _avc(told: bytes) -> str:
    """Profile, constraints, level (ISO/IEC 14496-15, 5.3.3.1)."""
    if len(told) < 4:
        raise IndexError
    return told[1:4].hex()


def _hevc(told: bytes) -> str:
    """`1.6.L93.90`: profile, whom it is compatible with from the lowest bit on, tier and level,
    constraints up to the last that is any (ISO/IEC 14496-15, E.3)."""
    space, tier, profile = told[1] >> 6, told[1] >> 5 & 1, told[1] & 0x1F
    (compatible,) = struct.unpack_from(">I", told, 2)
    backwards = int(f"{compatible:032b}"[::-1], 2)
    parts = [
        f"{('', 'A', 'B', 'C')[space]}{profile}",
        f"{backwards:X}",
        f"{'LH'[tier]}{told[12]}",
        *(f"{byte:X}" for byte in told[6:12].rstrip(b"\0")),
    ]
    return ".".join(parts)


def _av1(told: bytes) -> str:
    """`0.04M.10`: profile, level, tier, bits (AV1 in ISO boxes, 5)."""
    deep, deeper = told[2] >> 6 & 1, told[2] >> 5 & 1
    bits = (8, 10, 12)[deep + (deep & deeper)]
    return f"{told[1] >> 5}.{told[1] & 0x1F:02d}{'MH'[told[2] >> 7]}.{bits:02d}"


def _vp9(told: bytes) -> str:
    """`00.10.08`: profile, level, bits (VP9 in ISO boxes), after a version and flags."""
    return f"{told[4]:02d}.{told[5]:02d}.{told[6] >> 4:02d}"


#: Of pictures: the box in an entry that says what a decoder must know.
_READERS: dict[str, tuple[bytes, Callable[[bytes], str]]] = {
    "avc1": (b"avcC", _avc),
    "hvc1": (b"hvcC", _hevc),
    "hev1": (b"hvcC", _hevc),
    "av01": (b"av1C", _av1),
    "vp09": (b"vpcC", _vp9),
}
#: Of sound: whose name says all.
_SAID_BY_NAME = ("Opus", "fLaC")


def _mpeg(file: BinaryIO, entry: _Box) -> str:
    """`mp4a.40.2`: MPEG-4, and which of its kinds."""
    file.seek(entry.start)
    version = int.from_bytes(file.read(10)[8:], "big")
    inside = dataclasses.replace(entry, start=entry.start + _SOUND_BYTES.get(version, 28))
    for box in _inside(file, inside):
        if box.kind == b"wave":  # QuickTime's, which holds the other
            inside = box
    try:
        stream = _described(_body(file, _only(file, inside, b"esds"))[4:], _STREAM)
        if stream[2] & _ELSEWHERE:
            raise Malformed("sound that leads elsewhere")
        decoder = _described(stream[3:], _DECODER)
        if decoder[0] != _AUDIO_MPEG4:
            return f"mp4a.{decoder[0]:02x}"
        return aac(_described(decoder[13:], _SPECIFIC))
    except IndexError:
        raise Malformed("a sample entry mp4a that is cut off") from None


def _described(content: bytes, tag: int) -> bytes:
    """What a descriptor at the beginning holds, whose length has seven bits a byte. Raises
    IndexError."""
    if not content or content[0] != tag:
        raise Malformed("sound that does not say what it is")
    length, at = 0, 1
    while True:
        length = length << 7 | content[at] & 0x7F
        at += 1
        if not content[at - 1] & 0x80:
            return content[at : at + length]


def _body(file: BinaryIO, box: _Box) -> bytes:
    file.seek(box.start)
    return file.read(min(box.end - box.start, _ENTRY_BYTES_MAX))


def _only(file: BinaryIO, outer: _Box, kind: bytes) -> _Box:
    found = [box for box in _inside(file, outer) if box.kind == kind]
    if len(found) != 1:
        raise Malformed(f"{len(found)} boxes {kind.decode()}")
    return found[0]


def _inside(file: BinaryIO, outer: _Box) -> Iterator[_Box]:
    """The boxes of one level, each from its body's first byte."""
    at = outer.start
    for _ in range(_BOXES_MAX):
        if at >= outer.end:
            return
        file.seek(at)
        head = file.read(16)
        if len(head) < 8:
            raise Malformed("a box is cut off")
        length, kind = struct.unpack_from(">I4s", head)
        begins = 8
        if length == 1 and len(head) == 16:
            (length,) = struct.unpack_from(">Q", head, 8)
            begins = 16
        if not begins <= length <= outer.end - at:
            raise Malformed(f"a box of {length} bytes, where {outer.end - at} are left")
        yield _Box(kind, at + begins, at + length)
        at += length
    raise Malformed("too many boxes")
