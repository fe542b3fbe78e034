"""A leaky bucket (ITU-T H.264, annex C): whether a player that buffers as much as a capped size
asks for ever waits for it, and how much its segments run over the cap.

It knows nothing of the encoder: it reads what ffprobe lists of the segments laid behind each other.
"""

import dataclasses
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

from mayfly.core import ladders

#: How full x264 takes it to be when a stream begins.
_FULL_AT_FIRST = Fraction(9, 10)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A frame as it is decoded."""

    bits: int
    seconds: Fraction
    begins_segment: bool


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """What a size asks of a line that carries its cap and no more."""

    #: How much later a player had to begin so as never to wait: what was missing at the worst
    #: frame, in seconds of the cap.
    late_seconds: float
    #: The largest segment over what the cap allows in its time.
    peak: float
    #: All of it over the same.
    mean: float


def flow(samples: Sequence[Sample], cap_kbps: int, buffer_seconds: Fraction = Fraction(1)) -> Flow:
    """Through a bucket of so many seconds of the cap. Nothing is forgiven: what was missing at one
    frame is missing at the next."""
    rate = cap_kbps * 1000
    size = rate * buffer_seconds
    full, least = size * _FULL_AT_FIRST, Fraction(0)
    for sample in samples:
        full -= sample.bits
        least = min(least, full)
        full = min(full + rate * sample.seconds, size)
    segments = [(_bits(part), _seconds(part)) for part in _segments(samples)]
    return Flow(
        late_seconds=float(-least / rate),
        peak=max(float(bits / (seconds * rate)) for bits, seconds in segments),
        mean=float(_bits(samples) / (_seconds(samples) * rate)),
    )


def track(files: Mapping[str, bytes], folder: str, name: str) -> bytes:
    """A track of a ladder's published files, as one: its segments laid behind its beginning."""
    begin = f"{folder}/{ladders.beginning(name)}"
    count = sum(file.startswith(f"{folder}/{name}/") for file in files) - 1
    segments = (files[f"{folder}/{ladders.segment(name, number)}"] for number in range(count))
    return files[begin] + b"".join(segments)


def samples(ffprobe: Path, track: bytes, folder: Path) -> list[Sample]:
    """Those of a track of pictures, in the order in which they are decoded."""
    path = folder / "track.mp4"
    path.write_bytes(track)
    said = subprocess.run(
        [str(ffprobe), "-v", "error", "-show_entries", "stream=time_base:packet=dts,size,flags",
         "-of", "csv", str(path)],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    rows = [line.split(",") for line in said.stdout.splitlines()]
    (tick,) = {Fraction(row[1]) for row in rows if row[0] == "stream"}
    packets = [row for row in rows if row[0] == "packet"]
    times = [int(row[1]) for row in packets]
    lengths = [later - time for time, later in pairwise(times)]
    return [
        Sample(bits=8 * int(row[2]), seconds=length * tick, begins_segment="K" in row[3])
        for row, length in zip(packets, (*lengths, lengths[-1]), strict=True)
    ]


def _segments(samples: Sequence[Sample]) -> Iterator[Sequence[Sample]]:
    starts = [number for number, sample in enumerate(samples) if sample.begins_segment]
    for start, end in pairwise((*starts, len(samples))):
        yield samples[start:end]


def _bits(samples: Sequence[Sample]) -> int:
    return sum(sample.bits for sample in samples)


def _seconds(samples: Sequence[Sample]) -> Fraction:
    return sum((sample.seconds for sample in samples), Fraction(0))
