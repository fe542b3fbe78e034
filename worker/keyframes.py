"""Whether a decoder can begin anew at a picture, read from its first bytes: an IDR of H.264 and
HEVC, a keyframe of AV1 and VP9 that is shown at once.

A container only says that a sample is one to seek to, which encoders say of open groups of pictures
as well; who changes the size there would show what is not there. It must never take the container's
word for it, and decodes nothing.
"""

import struct
from collections.abc import Callable
from pathlib import Path

from mayfly.contract.formats import VideoCodec
from worker import boxes
from worker.boxes import Malformed, Span

#: H.264 (ISO/IEC 14496-10, table 7-1): kinds of NAL units that hold a picture.
_AVC_SLICES, _AVC_IDR = range(1, 6), {5}
#: HEVC (ISO/IEC 23008-2, table 7-1): the same. An IDR may have leading pictures that need no other.
_HEVC_SLICES, _HEVC_IDR = range(32), {19, 20}
_NAL_LENGTH_BYTES = 4

#: AV1 (6.2.2): kinds of its units.
_OBU_SEQUENCE, _OBU_FRAMES = 1, {3, 6}
_OBU_HAS_EXTENSION, _OBU_HAS_SIZE = 0x4, 0x2
_LEB128_BYTES_MAX = 8
#: The first four bits of a frame's header: not one that was decoded before, a keyframe, shown.
_AV1_KEYFRAME = 0b0001

#: VP9 (6.2): the same after the marker and the profile, which of 4:2:0 has two bits; then a word by
#: which every keyframe is known.
_VP9_MARKER, _VP9_KEYFRAME, _VP9_SYNC = 0b10, 0b001, b"\x49\x83\x42"


def key_bytes(path: Path, fragment: Span, codec: VideoCodec) -> int:
    """How many bytes of a fragment, from its first on, hold its first picture whole; 0 unless that
    is one for which nothing before it is needed. Raises Malformed."""
    ends, sample = boxes.first_sample(path, fragment)
    return ends if _READERS[codec](sample) else 0


def _avc(sample: bytes) -> bool:
    kinds = {head & 0x1F for head in _units(sample)}
    if 0 in kinds:
        raise Malformed("a sample that its units do not fill")
    return _all_slices(kinds & set(_AVC_SLICES), _AVC_IDR)


def _hevc(sample: bytes) -> bool:
    return _all_slices({head >> 1 for head in _units(sample)} & set(_HEVC_SLICES), _HEVC_IDR)


def _all_slices(kinds: set[int], idr: set[int]) -> bool:
    if not kinds:
        raise Malformed("a fragment without a picture")
    return kinds <= idr


def _units(sample: bytes) -> list[int]:
    """The first byte of each unit of a sample, which they must fill."""
    heads, at = [], 0
    while at < len(sample):
        try:
            length, head = struct.unpack_from(">IB", sample, at)
        except struct.error:
            raise Malformed("a box is cut off") from None
        if not length:
            raise Malformed("a sample that its units do not fill")
        heads.append(head)
        at += _NAL_LENGTH_BYTES + length
    if at != len(sample):
        raise Malformed("a sample that its units do not fill")
    return heads


def _av1(sample: bytes) -> bool:
    """A decoder that begins there needs the sequence's header before it (AV1 in ISO boxes, 2.4)."""
    at, introduced = 0, False
    while at < len(sample):
        kind, start, end = _obu(sample, at)
        if kind in _OBU_FRAMES:
            if start == end:
                raise Malformed("a frame without a header")
            return introduced and sample[start] >> 4 == _AV1_KEYFRAME
        introduced |= kind == _OBU_SEQUENCE
        at = end
    raise Malformed("a fragment without a picture")


def _obu(sample: bytes, at: int) -> tuple[int, int, int]:
    """Of the unit there: its kind, where its content begins and where it ends."""
    head = sample[at]
    start = at + (2 if head & _OBU_HAS_EXTENSION else 1)
    if not head & _OBU_HAS_SIZE:  # the last one may leave it out
        length = len(sample) - start
    else:
        length, start = _leb128(sample, start)
    if length < 0 or start + length > len(sample):
        raise Malformed("a sample that its units do not fill")
    return head >> 3 & 0xF, start, start + length


def _leb128(sample: bytes, at: int) -> tuple[int, int]:
    """A number of seven bits a byte, the lowest first; and where it ends."""
    value = 0
    for count, byte in enumerate(sample[at : at + _LEB128_BYTES_MAX]):
        value |= (byte & 0x7F) << 7 * count
        if not byte & 0x80:
            return value, at + count + 1
    raise Malformed("a number without an end")


def _vp9(sample: bytes) -> bool:
    if len(sample) < 1 + len(_VP9_SYNC) or sample[0] >> 6 != _VP9_MARKER:
        raise Malformed("a fragment without a picture")
    shown_key = sample[0] >> 1 & 0b111 == _VP9_KEYFRAME
    return shown_key and sample[1 : 1 + len(_VP9_SYNC)] == _VP9_SYNC


_READERS: dict[VideoCodec, Callable[[bytes], bool]] = {
    "h264": _avc,
    "hevc": _hevc,
    "av1": _av1,
    "vp9": _vp9,
}
