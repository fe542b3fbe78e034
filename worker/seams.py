"""The proof of a source that was cut: every frame of it is there once, in its place, and both sides
of every seam saw the same pictures. Pure.

Why two witnesses: the list of packets is read from the whole file and knows nothing of chunks, but
pictures need not be what packets promise; hashes are of decoded pictures, but a decoder that began
too late knows nothing of what it missed. Each chunk also hashes the end of its predecessor, which
has decoded that from further back.
"""

import dataclasses
from array import array
from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from mayfly.contract.plan import Scope


@dataclasses.dataclass(frozen=True, slots=True)
class Frames:
    """Decoded frames, in order: when each is shown, and its hash."""

    ticks: "array[int]"
    hashes: tuple[str, ...]

    def between(self, start: int | None, end: int | None) -> "Frames":
        """Those of a half-open interval."""
        kept = [
            n
            for n, tick in enumerate(self.ticks)
            if (start is None or tick >= start) and (end is None or tick < end)
        ]
        hashes = tuple(self.hashes[n] for n in kept) if self.hashes else ()
        return Frames(array("q", (self.ticks[n] for n in kept)), hashes)

    def unhashed(self) -> "Frames":
        """When they are shown, and no more."""
        return Frames(self.ticks, ())


def read_frames(path: Path) -> Frames:
    """What `-f framehash` wrote: `0, 51200, 51200, 512, 86400, f2227c8a…`."""
    ticks, hashes = array("q"), []
    with path.open("r", encoding="ascii") as file:
        for line in file:
            if not line.startswith("#"):
                fields = line.split(",")
                ticks.append(int(fields[2]))
                hashes.append(fields[5].strip())
    return Frames(ticks, tuple(hashes))


def hashed(times: Frames, at_seams: Frames) -> Frames:
    """All of them, with the hashes of those at the seams and none of the others."""
    hashes = dict(zip(at_seams.ticks, at_seams.hashes, strict=True))
    return Frames(times.ticks, tuple(hashes.get(tick, "") for tick in times.ticks))


def of_interval(ticks: "array[int]", scope: Scope) -> "array[int]":
    """Those of the chunk; times count from the plan's origin."""
    start, end = since_origin(scope.start_ticks, scope), since_origin(scope.end_ticks, scope)
    first = 0 if start is None else bisect_left(ticks, start)
    return ticks[first : len(ticks) if end is None else bisect_left(ticks, end)]


def own(frames: Frames, scope: Scope) -> Frames:
    """Those of the chunk itself; times count from the plan's origin."""
    return frames.between(
        since_origin(scope.start_ticks, scope), since_origin(scope.end_ticks, scope)
    )


def before(frames: Frames, scope: Scope) -> Frames:
    """What the chunk saw of its predecessor."""
    start = since_origin(scope.start_ticks, scope)
    return frames.between(None, start) if start is not None else Frames(array("q"), ())


def torn(chunks: Sequence[tuple[Scope, Frames]], seam_ticks: int) -> list[int]:
    """Numbers of the chunks whose beginning does not fit the end of the one before."""
    found = []
    for (scope, frames), (later_scope, later) in pairwise(chunks):
        start = since_origin(later_scope.start_ticks, later_scope)
        if start is None:
            found.append(later_scope.number)  # nothing comes before the first
            continue
        tail = own(frames, scope).between(start - seam_ticks, None)
        # A chunk may be shorter than that; what came before it is another seam's.
        if tail != before(later, later_scope).between(since_origin(scope.start_ticks, scope), None):
            found.append(later_scope.number)
    return found


def amiss(packets: "array[int]", chunks: Sequence[tuple[Scope, Frames]]) -> list[int]:
    """Numbers of the chunks whose frames are not the packets of their interval."""
    return [
        scope.number
        for scope, frames in chunks
        if own(frames, scope).ticks != of_interval(packets, scope)
    ]


def flaw(packets: "array[int]", chunks: Sequence[tuple[Scope, Frames]]) -> str:
    """Why the chunks' frames are not the source's packets, each once and in order; else nothing."""
    at = 0
    for scope, frames in chunks:
        mine = own(frames, scope).ticks
        wanted = packets[at : at + len(mine)]
        if mine != wanted:
            lost = len(set(wanted) - set(mine))
            return f"chunk {scope.number} has {len(mine)} frames, {lost} of them misplaced"
        at += len(mine)
    missing = len(packets) - at
    return f"{missing} frames are in no chunk" if missing else ""


def since_origin(tick: int | None, scope: Scope) -> int | None:
    """A tick of the source on the clock that lists count from."""
    return None if tick is None else tick - scope.clock.origin_ticks
