"""Large objects that tasks hand to each other, packed: URLs that are signed in one go differ in a
few characters only, and times come at even distances.

Who unpacks believes no length: a few bytes could become gigabytes. The same content always gives
the same bytes.
"""

import gzip
import zlib

_MAGIC = b"\x1f\x8b"
_GZIP = 16 + zlib.MAX_WBITS


class Unreadable(Exception):
    """Not packed, cut off, or larger than it may be."""


def pack(content: bytes) -> bytes:
    """As gzip does."""
    return gzip.compress(content, mtime=0)


def unpack(packed: bytes, bytes_max: int) -> bytes:
    """Raises Unreadable."""
    opened = zlib.decompressobj(_GZIP)
    try:
        content = opened.decompress(packed, bytes_max)
    except zlib.error:
        raise Unreadable("it cannot be unpacked") from None
    if not opened.eof:
        raise Unreadable("it is cut off, or larger than any list")
    return content


def is_packed(content: bytes) -> bool:
    """By its first bytes, which no JSON has."""
    return content.startswith(_MAGIC)
