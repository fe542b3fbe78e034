"""The lists by which a source that was cut is proven, as they are stored: small, since the finish
reads all of them and otherwise nothing of a ladder.

Times are kept as distances, which hardly change and so pack well. Of the hashes, which do not pack
at all, those are kept that somebody compares: at the seams. Who reads them believes no length: a
list comes from another worker, and a few bytes of it could unpack into gigabytes.
"""

import itertools
from array import array
from collections.abc import Iterable
from pathlib import Path

from mayfly.contract import packed
from mayfly.contract.packed import Unreadable
from mayfly.contract.plan import Scope
from worker.seams import Frames, since_origin

#: Of each hash. A seam is a dozen frames, so both sides agree in 700 bits.
_HASH_CHARACTERS = 16

#: A day at 100 frames a second, at a distance of six digits each.
UNPACKED_BYTES_MAX = 64 << 20


def unpack(path: Path) -> bytes:
    """Raises Unreadable."""
    return packed.unpack(path.read_bytes(), UNPACKED_BYTES_MAX)


def pack_ticks(ticks: Iterable[int]) -> bytes:
    """Times in order."""
    return packed.pack("\n".join(map(str, _distances(ticks))).encode())


def unpack_ticks(path: Path) -> "array[int]":
    """Raises Unreadable."""
    try:
        return array("q", itertools.accumulate(map(int, unpack(path).split())))
    except (ValueError, OverflowError):
        raise Unreadable("it holds something else than times") from None


def pack_frames(frames: Frames, scope: Scope, seam_ticks: int) -> bytes:
    """A chunk's: times of all, hashes of those at its seams, shortened."""
    start = since_origin(scope.start_ticks, scope)
    end = since_origin(scope.end_ticks, scope)
    lines = []
    for tick, distance, hashed in zip(
        frames.ticks, _distances(frames.ticks), frames.hashes, strict=True
    ):
        at_seam = (start is not None and tick < start) or (
            end is not None and tick >= end - seam_ticks
        )
        lines.append(f"{distance} {hashed[:_HASH_CHARACTERS]}" if at_seam else str(distance))
    return packed.pack("\n".join(lines).encode())


def unpack_frames(path: Path) -> Frames:
    """The hashes that were left out are empty. Raises Unreadable."""
    ticks, hashes, tick = array("q"), [], 0
    try:
        for line in unpack(path).decode("ascii").splitlines():
            distance, _, hashed = line.partition(" ")
            tick += int(distance)
            ticks.append(tick)
            hashes.append(hashed)
    except (ValueError, OverflowError):
        raise Unreadable("it holds something else than frames") from None
    return Frames(ticks, tuple(hashes))


def _distances(ticks: Iterable[int]) -> Iterable[int]:
    last = 0
    for tick in ticks:
        yield tick - last
        last = tick
