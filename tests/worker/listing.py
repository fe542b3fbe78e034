"""Lists as workers store them, in plain lines: `tick` or `tick hash`."""

import gzip
import itertools
from collections.abc import Sequence


def opened(packed: bytes) -> list[str]:
    """One line for each frame, or packet."""
    lines = [line.partition(" ") for line in gzip.decompress(packed).decode().splitlines()]
    ticks = itertools.accumulate(int(distance) for distance, _, _ in lines)
    return [f"{tick}{gap}{hashed}" for tick, (_, gap, hashed) in zip(ticks, lines, strict=True)]


def closed(lines: Sequence[str]) -> bytes:
    """The same as it is stored."""
    parted = [line.partition(" ") for line in lines]
    ticks = [int(tick) for tick, _, _ in parted]
    distances = (later - tick for tick, later in itertools.pairwise([0, *ticks]))
    told = (f"{one}{gap}{more}" for one, (_, gap, more) in zip(distances, parted, strict=True))
    return gzip.compress("\n".join(told).encode())
