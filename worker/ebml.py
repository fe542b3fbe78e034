"""Reads as much of Matroska's elements (RFC 8794, RFC 9559) as tells what kind of file one is,
whether its index is in front, and what its tracks are called where players ask for codecs. It reads
files of our own making only, and still believes no length in them."""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from worker import sample_entries
from worker.boxes import Malformed

_HEADER, _SEGMENT, _DOC_TYPE = 0x1A45DFA3, 0x18538067, 0x4282
_CUES, _CLUSTER = 0x1C53BB6B, 0x1F43B675
_TRACKS, _TRACK, _CODEC, _PRIVATE = 0x1654AE6B, 0xAE, 0x86, 0x63A2

#: Of a track that says no more than this, what players call it.
_SAID_BY_NAME = {
    "V_VP9": "vp9",  # ffmpeg writes nothing beside it
    "A_OPUS": "opus",
    "A_FLAC": "flac",
    "A_MPEG/L3": "mp3",
}
#: Of one that holds what a decoder must know, just as an MP4 does, how samples are called there.
_PICTURES = {"V_MPEG4/ISO/AVC": "avc1", "V_MPEGH/ISO/HEVC": "hvc1", "V_AV1": "av01"}
_CODEC_BYTES_MAX = 1 << 16

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


def codecs(path: Path) -> tuple[str, ...]:
    """Of each picture and sound, in the file's order (RFC 6381; `sample_entries`). Raises
    Malformed."""
    with path.open("rb") as file:
        _, start, size = _element(file, 0)
        kind, start, _ = _element(file, start + size)
        if kind != _SEGMENT:
            raise Malformed("no segment behind its header")
        for inner, at, length in _elements(file, start, path.stat().st_size):
            if inner == _TRACKS:
                tracks = list(_elements(file, at, at + length))
                found = [
                    _codec(file, at, at + length) for kind, at, length in tracks if kind == _TRACK
                ]
                return tuple(name for name in found if name)
    raise Malformed("no tracks")


def _codec(file: BinaryIO, start: int, end: int) -> str:
    """Of a track; nothing of what is neither picture nor sound."""
    told: dict[int, bytes] = {}
    for kind, at, length in _elements(file, start, end):
        if kind in (_CODEC, _PRIVATE):
            file.seek(at)
            told[kind] = file.read(min(length, _CODEC_BYTES_MAX))
    name, private = told.get(_CODEC, b"").decode("ascii", "replace"), told.get(_PRIVATE, b"")
    if name in _PICTURES:
        return sample_entries.configured(_PICTURES[name], private)
    if name == "A_AAC":
        return sample_entries.aac(private)
    return _SAID_BY_NAME.get(name, "")


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
