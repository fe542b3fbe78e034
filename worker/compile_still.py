"""Compiles still pictures: which frames they are of, their encoder, and the sheets that many of
them come onto. Pure."""

from typing import Any

import ffmpeg

from mayfly.contract.recipe import PosterOutput, PreviewOutput, SampledOutput, StoryboardOutput
from mayfly.core import limits
from worker.compile_ladder import Cut
from worker.compile_picture import Images, drawn
from worker.preflight import Material
from worker.promise import OUTPUTS, Promise
from worker.sampling import sampling
from worker.streams import branches

#: A file of pictures has no clock, and its demuxer invents one.
_RAW = {"format": "mjpeg", "c:v": "mjpeg", "fps_mode:v": "passthrough", "threads": 1}

#: To copy and hash a picture takes a tenth of what it takes to decode it, or more. A corner of it
#: costs nothing, in every format of pixels, where only times are asked for.
_CORNER = {"w": "min(16,iw)", "h": "min(16,ih)", "x": 0, "y": 0}


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


def moments(output: SampledOutput) -> str:
    """Where it is listed when each picture of an output is shown: no file of a recipe can be called
    so."""
    return f"{OUTPUTS}/_{output.file}.txt"


def sheets(output: StoryboardOutput) -> str:
    """Where the sheets of a storyboard lie, one behind the other."""
    return f"{OUTPUTS}/_{output.file}.sheets"


def sampled(stem: Any, promise: Promise, cut: Cut, images: Images) -> dict[str, Any]:
    """The chosen frames of an output, and the same for the list of their moments, by the files that
    they become. What is chosen depends on the frame before, so the cut comes behind that."""
    output = promise.output
    assert isinstance(output, SampledOutput) and promise.drawing is not None
    wanted = sampling(output, cut.tick, promise.places)
    clocked = stem.filter("settb", f"{cut.tick.numerator}/{cut.tick.denominator}")
    own = cut.own(clocked.filter("select", wanted.expression(cut.first_tick)))
    shown, listed = branches(own, "split", 2)
    return {
        output.file: drawn(shown, promise.drawing, cut.tick, images, jpeg=True),
        moments(output): listed,
    }


def gallery(promise: Promise, pictures: dict[str, Any]) -> list[Any]:
    """What ffmpeg writes of an output: pictures one behind the other in one file, of which two make
    another, and the list of their moments."""
    output = promise.output
    assert isinstance(output, SampledOutput)
    # One more tells that there are too many; where no clock can be trusted, nobody knows before.
    bound = {"frames:v": limits.PICTURES_MAX + 1}
    shown = ffmpeg.output(
        pictures[output.file],
        f"file:{promise.path}",
        **_RAW,
        **bound,
        **{"q:v": _quality(output), "enc_time_base:v": "demux", "map_metadata": -1},
    )
    return [shown, timed(pictures[moments(output)], moments(output), **bound)]


def timed(stream: Any, path: str, **options: Any) -> Any:
    """The list of when each frame is shown; its hashes are of a corner."""
    return listed(stream.filter("crop", **_CORNER), path, **options)


def listed(stream: Any, path: str, **options: Any) -> Any:
    """The list of the time and the hash of each frame."""
    return ffmpeg.output(
        stream,
        f"file:{path}",
        format="framehash",
        hash="murmur3",
        **{"fps_mode:v": "passthrough", "enc_time_base:v": "demux"},
        **options,
    )


def sheets_of(output: StoryboardOutput, pictures: str, rows: int) -> Any:
    """Sheets, one behind the other, of a file of pictures."""
    guard = {"protocol_whitelist": "file", "format_whitelist": "mjpeg", "f": "mjpeg"}
    source = ffmpeg.input(f"file:{pictures}", threads=1, **guard)
    tiled = source["v:0"].filter("tile", f"{output.columns}x{rows}")
    options = {**_RAW, "q:v": output.quality, "map_metadata": -1}
    return ffmpeg.output(tiled, f"file:{sheets(output)}", **options)


def _quality(output: SampledOutput) -> int:
    """What becomes of a preview's pictures is coded once more: they are the best there are."""
    return 2 if isinstance(output, PreviewOutput) else output.quality


def preview_of(output: PreviewOutput, pictures: str, target: str) -> Any:
    """What moves, of a file with a picture for each of its moments."""
    guard = {"protocol_whitelist": "file", "format_whitelist": "mjpeg", "f": "mjpeg"}
    source = ffmpeg.input(f"file:{pictures}", threads=1, framerate=output.fps, **guard)["v:0"]
    # Over and over, in both.
    shared = {"loop": 0, "map_metadata": -1, "threads": 1, "fps_mode:v": "passthrough"}
    if output.file.endswith(".webp"):
        limited = source.filter("scale", out_range="limited").filter("format", "yuv420p")
        options = {"c:v": "libwebp_anim", "quality": 75, "f": "webp", **shared}
        return ffmpeg.output(limited, f"file:{target}", **options)
    counted, shown = branches(source, "split", 2)
    # One palette of what moves; ordered dithering, which does not crawl and packs well.
    palette = counted.filter("palettegen", stats_mode="diff")
    drawn = ffmpeg.filter([shown, palette], "paletteuse", dither="bayer", bayer_scale=4)
    return ffmpeg.output(drawn, f"file:{target}", **{"c:v": "gif", "f": "gif", **shared})
