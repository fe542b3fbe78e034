"""What a file says of the photograph in it: which kind, how large, which side is up, when taken.

By its content and never by its name, and before any decoder sees it: the decoder is then named, and
opens nothing else. It reads a few bytes at each step, follows nothing outside of the file, and must
never decide what becomes of it.
"""

import dataclasses
import struct
from pathlib import Path

from mayfly.core import limits
from worker import exif
from worker.exif import Exif, Read

#: What ffmpeg is told that it is.
_JPEG, _PNG, _WEBP, _TIFF = "jpeg_pipe", "png_pipe", "webp_pipe", "tiff_pipe"
#: Segments or chunks that are looked past. A PNG has one for each 8 KB of its picture at worst.
_STEPS_MAX = 100_000
#: EXIF fits into 64 KB in a JPEG; elsewhere a thumbnail may make it larger.
_EXIF_BYTES_MAX = 4 << 20
_EXIF_MARK = b"Exif\0\0"
#: JPEG's frames (SOF0 to SOF15), but for what only looks like one.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_MOVES = 0x02


class Unusable(Exception):
    """No photograph that can be used, and why, for its author."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Photo:
    """One photograph, unopened."""

    demuxer: str
    #: As it is stored.
    width: int
    height: int
    orientation: int = 1
    taken_us: int | None = None

    @property
    def upright(self) -> tuple[int, int]:
        """Width and height as people see it."""
        stored = (self.width, self.height)
        return stored[::-1] if self.orientation >= 5 else stored


def look(path: Path) -> Photo:
    """Raises Unusable."""
    size = path.stat().st_size
    if size == 0:
        raise Unusable("it has no bytes")
    with path.open("rb") as file:

        def read(offset: int, count: int) -> bytes:
            if offset >= size:
                return b""
            file.seek(offset)
            return file.read(count)

        photo = _of_kind(read)
    if min(photo.width, photo.height) < 1:
        raise Unusable("it does not say how large it is")
    if photo.width * photo.height > limits.SOURCE_PIXELS_MAX:
        raise Unusable(f"{photo.width}x{photo.height} are too many pixels")
    return photo


def _of_kind(read: Read) -> Photo:
    head = read(0, 16)
    if head.startswith(b"\xff\xd8\xff"):
        return _jpeg(read)
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return _png(read)
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return _webp(read)
    if head[:4] in (b"II*\0", b"MM\0*"):
        said = exif.read_exif(read)
        if said.end and not read(said.end - 1, 1):
            raise Unusable("it ends before its own strips do")
        return _photo(_TIFF, said.width, said.height, said)
    if head[4:8] == b"ftyp":
        raise Unusable("it is HEIC or AVIF, whatever its name says")
    raise Unusable("it is no JPEG, PNG, WebP or TIFF")


def _photo(demuxer: str, width: int, height: int, said: Exif) -> Photo:
    return Photo(
        demuxer=demuxer,
        width=width,
        height=height,
        orientation=said.orientation,
        taken_us=said.taken_us,
    )


def _jpeg(read: Read) -> Photo:
    at, said = 2, exif.NOTHING
    for _ in range(_STEPS_MAX):
        head = read(at, 4)
        if len(head) < 4 or head[0] != 0xFF:
            break
        if head[1] == 0xFF:  # padding
            at += 1
            continue
        (length,) = struct.unpack(">H", head[2:])
        if head[1] in _FRAMES:
            height, width = struct.unpack(">HH", read(at + 5, 4).ljust(4, b"\0"))
            return _photo(_JPEG, width, height, said)
        if head[1] == 0xE1 and said is exif.NOTHING:
            said = _marked(read(at + 4, max(0, length - 2)))
        at += 2 + length
    raise Unusable("it ends before its picture begins")


def _png(read: Read) -> Photo:
    at, said, size = 8, exif.NOTHING, (0, 0)
    for _ in range(_STEPS_MAX):
        head = read(at, 8)
        if len(head) < 8:
            break
        length, kind = struct.unpack(">I4s", head)
        if kind == b"IHDR":
            size = struct.unpack(">II", read(at + 8, 8).ljust(8, b"\0"))
        if kind == b"eXIf" and length <= _EXIF_BYTES_MAX:
            said = _marked(read(at + 8, length))
        if kind == b"IEND":
            return _photo(_PNG, *size, said)
        at += 12 + length
    raise Unusable("it ends before its own end mark")


def _webp(read: Read) -> Photo:
    (length,) = struct.unpack("<I", read(4, 4))
    at, end, said, size = 12, 8 + length, exif.NOTHING, (0, 0)
    if len(read(end - 1, 1)) < 1:
        raise Unusable("it ends before its own length says")
    for _ in range(_STEPS_MAX):
        head = read(at, 8)
        if at >= end or len(head) < 8:
            break
        kind, length = struct.unpack("<4sI", head)
        body = read(at + 8, min(length, 10)).ljust(10, b"\0")
        if kind == b"VP8X" and body[0] & _MOVES:
            raise Unusable("it moves")
        if kind == b"VP8 ":
            size = tuple(side & 0x3FFF for side in struct.unpack("<HH", body[6:10]))
        if kind == b"VP8L":
            (bits,) = struct.unpack("<I", body[1:5])
            size = ((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
        if kind == b"EXIF" and length <= _EXIF_BYTES_MAX:
            said = _marked(read(at + 8, length))
        at += 8 + length + length % 2
    return _photo(_WEBP, *size, said)


def _marked(block: bytes) -> Exif:
    """EXIF as it stands in a JPEG, with its mark; elsewhere some leave that out."""
    block = block.removeprefix(_EXIF_MARK)
    return exif.read_exif(lambda offset, count: block[offset : offset + count])
