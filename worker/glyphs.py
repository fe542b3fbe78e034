"""Which characters a font can draw, by its own table of them (`cmap`, ISO/IEC 14496-22).

The font is ours, so what cannot be read is a mistake of ours. It must never be asked about a
stranger's font.
"""

import struct
from pathlib import Path

_TABLE = struct.Struct(">4sLLL")


def characters(path: Path) -> frozenset[int]:
    """All that one has. Raises ValueError for a font without a table that we read."""
    font = path.read_bytes()
    (tables,) = struct.unpack_from(">H", font, 4)
    for number in range(tables):
        name, _, start, _ = _TABLE.unpack_from(font, 12 + number * _TABLE.size)
        if name == b"cmap":
            return _mapped(font, start)
    raise ValueError(f"{path.name} has no table of characters")


def _mapped(font: bytes, start: int) -> frozenset[int]:
    (count,) = struct.unpack_from(">H", font, start + 2)
    found: set[int] = set()
    for number in range(count):
        (offset,) = struct.unpack_from(">L", font, start + 4 + number * 8 + 4)
        (form,) = struct.unpack_from(">H", font, start + offset)
        if form == 4:
            found |= _of_segments(font, start + offset)
        elif form == 12:
            found |= _of_groups(font, start + offset)
    if not found:
        raise ValueError("a font without characters")
    return frozenset(found)


def _of_segments(font: bytes, at: int) -> set[int]:
    """Of the first 65,536 characters."""
    (doubled,) = struct.unpack_from(">H", font, at + 6)
    ends = struct.unpack_from(f">{doubled // 2}H", font, at + 14)
    starts = struct.unpack_from(f">{doubled // 2}H", font, at + 16 + doubled)
    spans = zip(starts, ends, strict=True)
    return {one for first, last in spans for one in range(first, last + 1) if one != 0xFFFF}


def _of_groups(font: bytes, at: int) -> set[int]:
    """Of all."""
    (count,) = struct.unpack_from(">L", font, at + 12)
    groups = struct.iter_unpack(">LLL", font[at + 16 : at + 16 + 12 * count])
    return {one for first, last, _ in groups for one in range(first, last + 1)}
