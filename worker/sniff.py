"""What a file's own first bytes and boxes say, read before any parser of ffmpeg's is let at them.

Two questions that ffmpeg answers badly: is it a playlist (ffmpeg would fetch what it names), and
does the file end before its container says (ffmpeg exits 0 on many a stump). It must never follow
anything, and reads a few bytes at each step.
"""

import dataclasses
import struct
from pathlib import Path
from typing import BinaryIO

_HEAD_BYTES = 4096
#: A two-hour film in two-second fragments has 7,200 boxes.
_BOXES_MAX = 200_000

_BOXES_FIRST = {b"ftyp", b"moov", b"mdat", b"moof", b"styp", b"free", b"skip", b"wide", b"pnot"}
#: Losing the end of one of these loses media; of `free`, nothing.
_BOXES_OF_WEIGHT = {b"moov", b"mdat", b"moof"}

_PLAYLIST_STARTS = (b"#EXTM3U", b"ffconcat version", b"[playlist]")
_PLAYLIST_ROOTS = (b"<MPD", b"<SmoothStreamingMedia", b"<CompositionPlaylist")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Sniffed:
    """What was seen without a parser."""

    size_bytes: int
    playlist: bool = False
    #: A sentence, when the file ends before its container says.
    truncated: str = ""


def sniff(path: Path) -> Sniffed:
    """Looks at a file."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
        return Sniffed(
            size_bytes=size, playlist=_is_playlist(head), truncated=_truncated(file, head, size)
        )


def _is_playlist(head: bytes) -> bool:
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith(_PLAYLIST_STARTS):
        return True
    return text.startswith(b"<") and any(root in text for root in _PLAYLIST_ROOTS)


def _truncated(file: BinaryIO, head: bytes, size: int) -> str:
    if head[4:8] in _BOXES_FIRST:
        return _iso(file, size)
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return _matroska(head, size)
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        (length,) = struct.unpack("<I", head[4:8])
        if 0 < length < 0xFFFFFFFF and length + 8 > size:
            return f"its RIFF chunk ends at byte {length + 8}, the file at {size}"
    return ""


def _iso(file: BinaryIO, size: int) -> str:
    """Walks the outermost boxes of an MP4 or MOV."""
    at, seen = 0, set[bytes]()
    for _ in range(_BOXES_MAX):
        file.seek(at)
        header = file.read(16)
        if len(header) < 8:
            break
        length, kind = struct.unpack(">I4s", header[:8])
        if length == 1 and len(header) == 16:
            (length,) = struct.unpack(">Q", header[8:])
        if not kind.isascii() or (length and length < 8):
            break  # not a box: old cameras pad the end
        seen.add(kind)
        if kind in _BOXES_OF_WEIGHT and at + length > size:
            return f"its {kind.decode()} box ends at byte {at + length}, the file at {size}"
        if length == 0:
            break
        at += length
    if not seen & {b"moov", b"moof"}:
        return "its index, the moov box, is missing"
    return ""


def _matroska(head: bytes, size: int) -> str:
    """The segment's length, where its writer could go back and fill it in."""
    header_length, at = _ebml_size(head, 4)
    if header_length is None:
        return ""
    at += header_length
    if head[at : at + 4] != b"\x18\x53\x80\x67":
        return ""
    length, at = _ebml_size(head, at + 4)
    if length is not None and at + length > size:
        return f"its segment ends at byte {at + length}, the file at {size}"
    return ""


def _ebml_size(data: bytes, at: int) -> tuple[int | None, int]:
    """A variable-length size and what follows it; None when it is unknown by design."""
    if at >= len(data) or data[at] == 0:
        return None, at
    width = 9 - data[at].bit_length()
    raw = data[at : at + width]
    value = int.from_bytes(raw, "big") & ((1 << 7 * width) - 1)
    unknown = len(raw) < width or value == (1 << 7 * width) - 1
    return None if unknown else value, at + width
