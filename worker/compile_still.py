"""Compiles still pictures: which frame they are of, and their encoder. Pure."""

from typing import Any

from mayfly.contract.recipe import PosterOutput
from worker.preflight import Material


def poster_frame(poster: PosterOutput, material: Material) -> int:
    """Which frame is wanted, counted from 0."""
    return round(poster.at_fraction * (material.scan.frames - 1))


def chosen(poster: PosterOutput, material: Material) -> str:
    """Selects the poster's picture. By its moment: a decoder that swallows the first pictures of a
    recording shifts the numbers. By number only where the clock is not to be trusted."""
    scan, number = material.scan, poster_frame(poster, material)
    if not scan.regular or number == 0:
        return f"gte(n,{number})"
    # Half a picture early, against rounding.
    early = (scan.ticks[number] + scan.ticks[number - 1]) / 2
    if (origin_ticks := material.origin_ticks) is not None:
        moment = (early - origin_ticks) * float(scan.tick)
    else:  # ffmpeg counts time from the container's start
        moment = early * float(scan.tick) - (material.probe.format.start_time or 0.0)
    return f"gte(t,{moment:.6f})"


def jpeg(poster: PosterOutput) -> dict[str, Any]:
    """One still picture."""
    return {
        "format": "image2",
        "update": 1,  # one file, whatever its name
        "c:v": "mjpeg",
        "q:v": poster.quality,
        "frames:v": 1,
        "fps_mode:v": "passthrough",  # the one chosen, none for the gap before
        "map_metadata": -1,
        "threads": 1,
    }
