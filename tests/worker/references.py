"""MP4 files whose samples lie elsewhere, as QuickTime's data references have it."""

import struct
from pathlib import Path

_WAY = (b"moov", b"trak", b"mdia", b"minf", b"dinf")


def elsewhere(path: Path, name: str) -> bytes:
    """The same file, whose first track says that its samples are in the file `name` beside it. Its
    index must be at the end."""
    whole = bytearray(path.read_bytes())
    at, end, opened = 0, len(whole), []
    for kind in _WAY:
        at = _find(whole, kind, at, end)
        opened.append(at)
        (size,) = struct.unpack_from(">I", whole, at)
        at, end = at + 8, at + size
    at = _find(whole, b"dref", at, end)
    (size,) = struct.unpack_from(">I", whole, at)
    body = struct.pack(">II", 0, 1) + _alias(name)
    box = struct.pack(">I", 8 + len(body)) + b"dref" + body
    whole[at : at + size] = box
    for start in opened:
        (old,) = struct.unpack_from(">I", whole, start)
        struct.pack_into(">I", whole, start, old + len(box) - size)
    return bytes(whole)


def _alias(name: str) -> bytes:
    """A Macintosh alias record, of which a demuxer reads the path and how far it is relative."""
    path = name.encode()
    path += b"\0" * (len(path) % 2)
    body = b"\0" * 10 + bytes([6]) + b"volume".ljust(27, b"\0") + b"\0" * 12
    body += bytes([len(name)]) + name.encode().ljust(63, b"\0") + b"\0" * 16
    body += struct.pack(">HH", 1, 1) + b"\0" * 16
    body += struct.pack(">HH", 2, len(path)) + path + struct.pack(">HH", 0xFFFF, 0)
    return struct.pack(">I", 12 + len(body)) + b"alis" + b"\0" * 4 + body


def _find(whole: bytearray, kind: bytes, at: int, end: int) -> int:
    while at < end:
        size, its_kind = struct.unpack_from(">I4s", whole, at)
        if its_kind == kind:
            return at
        at += size
    raise AssertionError(kind)
