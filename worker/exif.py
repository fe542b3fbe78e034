"""What a camera wrote beside a photograph: which side is up, and when it was taken.

Read here and by no library: three numbers are wanted, the bytes are a stranger's, and what reads
them is not in ffmpeg's bounds but in the worker itself. Strict: whatever is not as the standard
(CIPA DC-008, TIFF 6.0) has it counts as not said, and never as an error of the photograph.
"""

import dataclasses
import re
import struct
from collections.abc import Callable
from datetime import datetime, timedelta

#: Bytes at an offset, so many or fewer.
Read = Callable[[int, int], bytes]

#: Cameras write some fifty.
_ENTRIES_MAX = 1000
_ORIENTATION, _CHANGED, _EXIF = 0x0112, 0x0132, 0x8769
_TAKEN, _SUBSECONDS = 0x9003, 0x9291
_WIDTH, _HEIGHT = 0x0100, 0x0101
#: Where the strips or tiles of a TIFF's picture begin, and how long they are.
_PIECES = ((0x0111, 0x0117), (0x0144, 0x0145))
_PIECES_MAX = 100_000
_ASCII, _SHORT, _LONG = 2, 3, 4
_VALUE_BYTES_MAX = 64

_MOMENT = re.compile(rb"(\d{4}):(\d\d):(\d\d) (\d\d):(\d\d):(\d\d)\0*")
_FRACTION = re.compile(rb"(\d{1,6})\d* *\0*")
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - cameras know no zone, and only differences count


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Exif:
    """What was said."""

    #: 1 to 8, as the standard counts them; 1 is upright.
    orientation: int = 1
    #: Microseconds on the camera's own clock; None: it did not say.
    taken_us: int | None = None
    #: Of a TIFF's own picture; 0: not said.
    width: int = 0
    height: int = 0
    #: Of the same: the byte behind its last piece.
    end: int = 0


NOTHING = Exif()


def read_exif(read: Read) -> Exif:
    """From what begins with a TIFF header, at offset 0."""
    head = read(0, 8)
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(head[:4])
    if order is None or len(head) < 8:
        return NOTHING
    (first,) = struct.unpack(f"{order}I", head[4:])
    top = _Folder(read, order, first)
    inner = _Folder(read, order, top.number(_EXIF) or 0)
    orientation = top.number(_ORIENTATION) or 1
    moment = inner.text(_TAKEN) or top.text(_CHANGED)
    return Exif(
        orientation=orientation if 1 <= orientation <= 8 else 1,
        taken_us=_moment(moment, inner.text(_SUBSECONDS)),
        width=top.number(_WIDTH) or 0,
        height=top.number(_HEIGHT) or 0,
        end=max(_end(top.numbers(at), top.numbers(length)) for at, length in _PIECES),
    )


def _end(starts: tuple[int, ...], lengths: tuple[int, ...]) -> int:
    return max((at + length for at, length in zip(starts, lengths, strict=False)), default=0)


class _Folder:
    """One list of entries."""

    def __init__(self, read: Read, order: str, offset: int) -> None:
        self._read, self._order = read, order
        self._entries: dict[int, tuple[int, int, bytes]] = {}
        if offset < 8:
            return
        count = read(offset, 2)
        if len(count) < 2:
            return
        number = min(struct.unpack(f"{order}H", count)[0], _ENTRIES_MAX)
        body = read(offset + 2, 12 * number)
        for at in range(0, len(body) - 11, 12):
            tag, kind, length = struct.unpack(f"{order}HHI", body[at : at + 8])
            self._entries.setdefault(tag, (kind, length, body[at + 8 : at + 12]))

    def number(self, tag: int) -> int | None:
        """One whole number."""
        found = self.numbers(tag)
        return found[0] if len(found) == 1 else None

    def numbers(self, tag: int) -> tuple[int, ...]:
        """Whole numbers; none where it has others."""
        kind, length, value = self._entries.get(tag, (0, 0, b""))
        if kind not in (_SHORT, _LONG) or not 0 < length <= _PIECES_MAX:
            return ()
        code, size = ("H", 2) if kind == _SHORT else ("I", 4)
        if length * size > 4:
            (offset,) = struct.unpack(f"{self._order}I", value)
            value = self._read(offset, length * size)
        if len(value) < length * size:
            return ()
        return struct.unpack(f"{self._order}{length}{code}", value[: length * size])

    def text(self, tag: int) -> bytes:
        """Text of some characters; nothing where it is none."""
        kind, length, value = self._entries.get(tag, (0, 0, b""))
        if kind != _ASCII or not 0 < length <= _VALUE_BYTES_MAX:
            return b""
        if length <= 4:
            return value[:length]
        (offset,) = struct.unpack(f"{self._order}I", value)
        return self._read(offset, length)


def _moment(text: bytes, fraction: bytes) -> int | None:
    found = _MOMENT.fullmatch(text)
    if found is None:
        return None
    try:
        moment = datetime(*map(int, found.groups()))  # type: ignore[arg-type]  # noqa: DTZ001
    except ValueError:
        return None  # 0000:00:00, of a clock that was never set
    part = _FRACTION.fullmatch(fraction)
    below = int(part[1].ljust(6, b"0")) if part else 0
    return (moment - _EPOCH) // timedelta(microseconds=1) + below
