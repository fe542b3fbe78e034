"""An image that a recipe draws onto its pictures, and what it may be. Pure.

It must never be taken for what its name says: its first bytes say what it is.
"""

import dataclasses

from worker.picture import Size

#: Logos have kilobytes.
BYTES_MAX = 10 * 10**6

#: 64 MiB of memory in red, green, blue and opacity.
PIXELS_MAX = 4096 * 4096

#: So many bytes tell its kind.
HEAD_BYTES = 32

_PNG, _JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
#: Of the header of a WebP that is more than one picture.
_WEBP_MOVES = 0x02


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """One image on the disk."""

    path: str
    #: The only one that may open it.
    demuxer: str
    size: Size


def kind(head: bytes) -> str:
    """The demuxer of an image, by its first bytes; empty where it is none that we draw."""
    if head.startswith(_PNG):
        return "png_pipe"
    if head.startswith(_JPEG):
        return "jpeg_pipe"
    if head[:4] + head[8:12] != b"RIFFWEBP":
        return ""
    moves = head[12:16] == b"VP8X" and len(head) > 20 and head[20] & _WEBP_MOVES
    return "" if moves else "webp_pipe"
