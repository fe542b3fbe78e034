"""Compiles the runs that measure how loud something is: the source's sound as its encoder will be
given it, and what came of it. Pure. They write no file."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import ffmpeg

from worker import compile as whole
from worker import compile_sound
from worker.compile_parts import own
from worker.levels import Level
from worker.preflight import Material
from worker.promise import Promise
from worker.tracks import Chosen


def of_source(
    material: Material,
    promise: Promise,
    track: Chosen,
    level: Level | None,
    origin_seconds: Fraction | None,
    *,
    ffmpeg_path: str,
    threads: int,
) -> tuple[str, ...]:
    """One track of an output, before it is encoded; with a level, behind its gain and limiter."""
    source = whole.opened(material, threads)
    stem = compile_sound.stem(source, track.numbers, origin_seconds)
    heard = compile_sound.shaped(stem, promise, track)
    if level is not None:
        heard = compile_sound.levelled(heard, promise, track, level)
    return whole.command(
        ffmpeg_path, threads, whole.strictness(material), [_metered(heard, track.channels)]
    )


def of_file(
    path: str, demuxer: str, number: int, channels: int, *, ffmpeg_path: str, threads: int
) -> tuple[str, ...]:
    """One track of a file of our own, decoded."""
    heard = own(path, demuxer)[f"a:{number}"]
    return whole.command(ffmpeg_path, threads, ("-xerror",), [_metered(heard, channels)])


def _metered(heard: Any, channels: int) -> Any:
    # Without words of its own for each tenth of a second; at its end it says what all came to.
    said: dict[str, Sequence[str] | str | int] = {"peak": "true", "framelog": "quiet"}
    if channels == 1:
        said["dualmono"] = 1  # a player has two loudspeakers
    metered = heard.filter("ebur128", **said)
    return ffmpeg.output(metered, "-", format="null", **{"c:a": "pcm_f64le"})
