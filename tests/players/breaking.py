"""Ladders broken on purpose, each as a mistake in Mayfly would break it. Every file is still one
that a parser of boxes reads: only who plays it finds out.
"""

import shutil
import struct
from collections.abc import Iterator
from pathlib import Path

#: A segment in the midst of the film, in which one of the flashes is that the test looks at.
_SEGMENT = 4

_FIRST_FLAGS, _ENTRY_BYTES = 0x4, 8
#: What `trun` says in our pictures: an offset, the first sample's flags, sizes, offsets in time.
_TRUN = 0x1 | _FIRST_FLAGS | 0x200 | 0x800


def copied(folder: Path, target: Path) -> Path:
    """The same ladder once more, to be broken."""
    shutil.copytree(folder, target)
    return target


def segment_late(hls: Path) -> None:
    """A segment of the picture is shown a tenth of a second late."""
    _later(hls / "v0", _SEGMENT, 0.1)


def segment_gone(hls: Path) -> None:
    """A segment of the picture was not published."""
    _segment(hls / "v0", _SEGMENT).unlink()


def sound_twice(hls: Path) -> None:
    """In the place of a segment of the sound the one before it stands once more."""
    shutil.copyfile(_segment(hls / "a0", _SEGMENT - 1), _segment(hls / "a0", _SEGMENT))


def keyframes_gone(hls: Path) -> None:
    """Segments of a size begin one frame after their keyframe."""
    for path in (hls / "v1").glob("*.m4s"):
        path.write_bytes(_without_first(path.read_bytes()))


def sound_late(hls: Path) -> None:
    """All sound comes 30 ms late."""
    for number in range(len(list((hls / "a0").glob("*.m4s")))):
        _later(hls / "a0", number, 0.030)


def priming_heard(hls: Path) -> None:
    """The sound's edit list, which hides the encoder's first samples, is lost."""
    path = hls / "a0" / "init.mp4"
    path.write_bytes(path.read_bytes().replace(b"edts", b"free"))


def _segment(track: Path, number: int) -> Path:
    return track / f"{number:05d}.m4s"


def _later(track: Path, number: int, seconds: float) -> None:
    begin = (track / "init.mp4").read_bytes()
    (ticks,) = struct.unpack_from(">I", begin, begin.index(b"mdhd") + 16)
    path = _segment(track, number)
    content = bytearray(path.read_bytes())
    at = content.index(b"tfdt") + 8
    (decoded_at,) = struct.unpack_from(">Q", content, at)
    struct.pack_into(">Q", content, at, decoded_at + round(seconds * ticks))
    path.write_bytes(content)


def _without_first(content: bytes) -> bytes:
    """A segment of a picture less its first sample."""
    moof, mdat = (body for _, body in _boxes(content))
    mfhd, traf = _boxes(moof)
    (_, tfhd), (_, tfdt), (_, trun) = _boxes(traf[1])
    flags, count, offset = struct.unpack_from(">III", trun)
    assert flags & 0xFFFFFF == _TRUN
    size, _ = struct.unpack_from(">II", trun, 16)
    (frame,) = struct.unpack_from(">I", tfhd, 8)
    (decoded_at,) = struct.unpack_from(">Q", tfdt, 4)
    shorter = (
        struct.pack(">III", flags - _FIRST_FLAGS, count - 1, offset - 4 - _ENTRY_BYTES)
        + trun[16 + _ENTRY_BYTES :]
    )
    later = tfdt[:4] + struct.pack(">Q", decoded_at + frame)
    inside = _box(b"tfhd", tfhd) + _box(b"tfdt", later) + _box(b"trun", shorter)
    return _box(b"moof", _box(*mfhd) + _box(b"traf", inside)) + _box(b"mdat", mdat[size:])


def _boxes(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at < len(content):
        size, kind = struct.unpack_from(">I4s", content, at)
        yield kind, content[at + 8 : at + size]
        at += size


def _box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(body), kind) + body
