"""JPEG pictures one behind the other, as ffmpeg writes them (`-f mjpeg`): where each begins and
ends, and how large it is shown. Pure.

Such files of two chunks, one behind the other, are such a file again: that is why stills are parts
of this kind. It must never search for the mark of an end where any bytes may stand.
"""

import dataclasses
import mmap

from worker.boxes import Malformed

_BEGIN, _END, _SCAN = 0xD8, 0xD9, 0xDA
#: Marks without anything behind them: restarts, and what is stuffed into a scan.
_ALONE = frozenset([0x00, *range(0xD0, 0xD8)])
#: Frames: SOF0 to SOF15, without the three marks of other tables among them.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


#: Pictures of a whole film need not lie in memory at once.
Bytes = bytes | mmap.mmap


@dataclasses.dataclass(frozen=True, slots=True)
class Jpeg:
    """One picture of a file."""

    start: int
    size: int
    width: int
    height: int


def pictures(content: Bytes) -> list[Jpeg]:
    """All of them, in order. Raises Malformed."""
    found = []
    at = 0
    while at < len(content):
        found.append(_one(content, at))
        at += found[-1].size
    return found


def _one(content: Bytes, start: int) -> Jpeg:
    if content[start : start + 2] != bytes((0xFF, _BEGIN)):
        raise Malformed("a picture does not begin as a JPEG does")
    at, width, height = start + 2, 0, 0
    while len(header := content[at : at + 4]) >= 2:
        if header[0] != 0xFF:
            raise Malformed("a picture is no JPEG")
        mark = header[1]
        if mark == _END:
            if not width:
                raise Malformed("a picture has no size")
            return Jpeg(start, at + 2 - start, width, height)
        length = int.from_bytes(header[2:4], "big")
        if mark in _FRAMES:
            height = int.from_bytes(content[at + 5 : at + 7], "big")
            width = int.from_bytes(content[at + 7 : at + 9], "big")
        if length < 2:
            raise Malformed("a picture is no JPEG")
        at += 2 + length
        if mark == _SCAN:
            at = _behind_scan(content, at)
    raise Malformed("a picture was cut off")


def _behind_scan(content: Bytes, at: int) -> int:
    """Where the next mark stands that belongs to no scan."""
    while (at := content.find(b"\xff", at)) >= 0 and at + 1 < len(content):
        if content[at + 1] not in _ALONE:
            return at
        at += 2
    raise Malformed("a picture was cut off")
