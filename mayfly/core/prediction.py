"""How long pictures will take to encode, before anybody has begun: pixels times a measured table.

One table for the worker that cuts a source, for the dispatcher that asks for workers, and for a
person who asks for an estimate, so that all three say the same. It predicts pictures alone: sound
is a task of its own beside them, and what a task costs besides stands in `limits.py`. It must never
decide anything: who reads it bounds what may follow, since content makes an encode half or twice as
long, and a processor of another kind makes it something else.

Renewing it: `MAYFLY_MEDIA=<folder of clips> python -m bench.encode_table` prints the table; the
numbers here are what it printed. Whether they are right on the workers that one has, outcomes tell:
`work` has the predicted and the measured seconds of what was done (docs/operating.md).
"""

import dataclasses
import math
from collections.abc import Sequence

from mayfly.contract.recipe import Box, LadderOutput, Recipe, VideoOutput

#: Processor milliseconds to encode a million pixels, by codec and speed. Measured by
#: `bench.encode_table` on two virtual processors of an Intel Xeon, with ffmpeg 9.0.2, on three
#: seconds of each of three real clips (480p24, 720p50 in 10 bits, 432p12.5); the rows that are not
#: H.264, on one second of each, once, beside other work on the machine: a tenth is noise. In 10
#: bits and without loss they take longer than that.
ENCODE_MS: dict[tuple[str, str], float] = {
    ("h264", "ultrafast"): 5.81,
    ("h264", "veryfast"): 15.76,
    ("h264", "faster"): 25.21,
    ("h264", "fast"): 33.06,
    ("h264", "medium"): 36.96,
    ("h264", "slow"): 49.1,
    ("h264", "slower"): 79.91,
    ("hevc", "ultrafast"): 21.96,
    ("hevc", "veryfast"): 40.48,
    ("hevc", "faster"): 39.51,
    ("hevc", "fast"): 51.67,
    ("hevc", "medium"): 47.15,
    ("hevc", "slow"): 95.86,
    ("hevc", "slower"): 282.97,
    ("av1", "ultrafast"): 15.52,
    ("av1", "veryfast"): 27.29,
    ("av1", "faster"): 33.75,
    ("av1", "fast"): 43.81,
    ("av1", "medium"): 59.88,
    ("av1", "slow"): 67.77,
    ("av1", "slower"): 135.84,
    ("vp9", "ultrafast"): 12.1,
    ("vp9", "veryfast"): 14.23,
    ("vp9", "faster"): 13.82,
    ("vp9", "fast"): 58.96,
    ("vp9", "medium"): 65.32,
    ("vp9", "slow"): 72.83,
    ("vp9", "slower"): 98.76,
}

#: The same to decode a million pixels of a source, by its codec as ffprobe names it.
DECODE_MS: dict[str, float] = {
    "av1": 1.12,
    "h264": 2.13,
    "hevc": 2.11,
    "mpeg2video": 0.42,
    "mpeg4": 0.58,
    "prores": 6.22,
    "vp9": 1.79,
}

#: A codec that is not in the table counts as the dearest that is.
_DECODE_OTHER_MS = max(DECODE_MS.values())

#: The same to bring a million pixels of a source to another size.
SCALE_MS = 0.67

#: The same to bring a million pixels, as many as come out, from high dynamic range to standard:
#: 40 frames of 720p on two virtual processors with ffmpeg 9.0.2.
TONEMAP_MS = 13.8

#: The same to open a photograph of twelve megapixels and lay it behind the others, before anything
#: is encoded (`bench.timelapse`: 306 ms each on a busy machine, some 80 of which are the film's).
PHOTOGRAPH_MS = 200.0

#: What each doubling of a worker's processors costs: two threads take 1.02 times the processor
#: time of one (same bench, the slowest speed). Beyond two it is assumed to go on like that;
#: outcomes tell how it is.
_DOUBLING_COST = 1.02

#: The pictures of a source of which only its bytes are known.
_GUESSED_PIXELS = 1920 * 1080


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Encode:
    """One picture that comes out, of each frame."""

    codec: str
    speed: str
    pixels: float
    tonemapped: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The picture that is decoded, and how often."""

    codec: str
    pixels: float
    frames: float


#: By which recipes are compared: an hour of 1080p at 24 frames a second.
HOUR = Source(codec="h264", pixels=1920 * 1080, frames=24 * 3600)


def seconds(source: Source, encodes: Sequence[Encode], threads: float) -> float:
    """Wall seconds that these pictures take a worker with so many processors."""
    ms = DECODE_MS.get(source.codec, _DECODE_OTHER_MS) * source.pixels
    for encode in encodes:
        ms += ENCODE_MS[encode.codec, encode.speed] * encode.pixels
        ms += TONEMAP_MS * encode.pixels if encode.tonemapped else 0.0
        ms += SCALE_MS * source.pixels if encode.pixels < source.pixels else 0.0
    return ms / 1e6 / 1e3 * source.frames / _processors(threads)


def recipe_seconds(recipe: Recipe, source: Source, threads: float) -> float:
    """The same of all pictures of a recipe, none larger than the source, and of opening each where
    it is a photograph; 0 where there is none to encode."""
    encodes = [
        Encode(
            codec=output.codec,
            speed=output.speed,
            pixels=min(box.width * box.height, source.pixels) / speedup_of(output),
        )
        for output in recipe.outputs
        if isinstance(output, VideoOutput | LadderOutput)
        for box in _boxes(output)
    ]
    opened = PHOTOGRAPH_MS / 1e3 * source.frames / _processors(threads) if recipe.timelapse else 0.0
    return seconds(source, encodes, threads) + opened if encodes else 0.0


def guessed_seconds(
    recipe: Recipe, size_bytes: int, bits_per_pixel: float, threads: float
) -> float:
    """The same of a source that nobody has looked at."""
    frames = size_bytes * 8 / bits_per_pixel / _GUESSED_PIXELS
    source = Source(codec="h264", pixels=_GUESSED_PIXELS, frames=frames)
    return recipe_seconds(recipe, source, threads)


def speedup_of(output: VideoOutput | LadderOutput) -> int:
    """Of so many frames one is encoded."""
    return (output.speedup or 1) if isinstance(output, VideoOutput) else 1


def _boxes(output: VideoOutput | LadderOutput) -> list[Box]:
    if isinstance(output, LadderOutput):
        return [rung.box for rung in output.rungs]
    return [output.box]


def _processors(threads: float) -> float:
    """As many as are at work at once."""
    doublings = math.log2(max(threads, 1.0))
    return float(threads / _DOUBLING_COST**doublings)
