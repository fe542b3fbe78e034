"""Reads as much of Matroska's elements (RFC 8794, RFC 9559) as tells what kind of file one is, and
whether its index is in front. It reads files of our own making only, and still believes no length
in them."""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from worker.boxes import Malformed

_HEADER, _SEGMENT, _DOC_TYPE = 0x1A45DFA3, 0x18538067, 0x4282
_CUES, _CLUSTER = 0x1C53BB6B, 0x1F43B675

_HEADER_BYTES_MAX = 4096
#: A few dozen stand before the pictures.
_ELEMENTS_MAX = 256


def doc_type(path: Path) -> str:
    """`matroska` or `webm`. Raises Malformed."""
    with path.open("rb") as file:
        kind, start, size = _element(file, 0)
        if kind != _HEADER or size > _HEADER_BYTES_MAX:
            raise Malformed("no header of EBML")
        for inner, at, length in _elements(file, start, start + size):
            if inner == _DOC_TYPE:
                file.seek(at)
                return file.read(length).decode("ascii", "replace")
    raise Malformed("it does not say its kind")


def index_in_front(path: Path) -> bool:
    """Whether its index stands before its pictures. Raises Malformed."""
    with path.open("rb") as file:
        _, start, size = _element(file, 0)
        kind, start, _ = _element(file, start + size)
        if kind != _SEGMENT:
            raise Malformed("no segment behind its header")
        for inner, _, _ in _elements(file, start, path.stat().st_size):
            if inner in (_CUES, _CLUSTER):
                return inner == _CUES
    raise Malformed("no pictures")


def _elements(file: BinaryIO, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Kind, where its content begins, and how long that is."""
    for _ in range(_ELEMENTS_MAX):
        if at >= end:
            return
        kind, start, size = _element(file, at)
        yield kind, start, size
        at = start + size


def _element(file: BinaryIO, at: int) -> tuple[int, int, int]:
    file.seek(at)
    head = file.read(12)
    kind_bytes = _width(head, 0)
    size_bytes = _width(head, kind_bytes)
    kind = int.from_bytes(head[:kind_bytes], "big")
    size = int.from_bytes(head[kind_bytes : kind_bytes + size_bytes], "big")
    return kind, at + kind_bytes + size_bytes, size & ((1 << 7 * size_bytes) - 1)


def _width(head: bytes, at: int) -> int:
    """As many bytes as zeros before the first bit, and one."""
    if at >= len(head) or not head[at]:
        raise Malformed("an element is cut off")
    return 9 - head[at].bit_length()
