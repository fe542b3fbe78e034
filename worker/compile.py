"""Compiles a recipe and a source into one ffmpeg command line: one decode for all outputs. Pure.

Here the graph is laid and the line written; what each kind of output wants of filters and encoders
stands in `compile_video`, `compile_sound`, `compile_still` and `compile_ladder`. Nothing that a
user typed becomes an option, a filter or a path, but for file names of the recipe's narrow pattern;
there is never a URL on the line.
"""

from collections.abc import Callable, Sequence
from typing import Any

import ffmpeg

from mayfly.contract.recipe import (
    AudioOutput,
    LadderOutput,
    PosterOutput,
    PreviewOutput,
    Recipe,
    SampledOutput,
    StoryboardOutput,
    ThumbnailsOutput,
    VideoOutput,
)
from mayfly.core import limits
from worker import compile_ladder, compile_sound, compile_still, compile_video, containers
from worker.compile_ladder import Cut
from worker.opening import DEMUXERS
from worker.preflight import Material, Seen
from worker.promise import Plan, Promise, promise
from worker.streams import branches, scaled

#: Where nobody says when a frame is shown, or what it is made of is missing, ffmpeg guesses, and
#: two may fall upon the same moment or change places: the later one comes a tick after the other.
#: What goes back further is no guess.
_FORWARD = "if(gte(PREV_OUTPTS-PTS,0)*lt(PREV_OUTPTS-PTS,0.5/TB),PREV_OUTPTS+1,PTS)"

_GLOBAL = (
    "-hide_banner",
    "-nostdin",  # a key press on a terminal must not stop an encode
    "-v", "level+verbose",  # each line says how grave it is; verbose ends with what was decoded
    "-nostats",
    "-progress", "pipe:1",
    "-stats_period", "1",
    "-max_alloc", str(1 << 30),  # one block, of which a hostile header could ask for any size
    "-y",
)  # fmt: skip


def compile_plan(recipe: Recipe, material: Material, *, ffmpeg_path: str, threads: int) -> Plan:
    """The one command line of a recipe."""
    source = ffmpeg.input(
        material.opening.url, **_torn_clock(material), **input_options(threads, material)
    )
    origin_ticks = material.origin_ticks
    promises = tuple(promise(output, material) for output in recipe.outputs)
    pictured = [p for p in promises if p.size is not None]
    pictures: dict[str, Any] = {}
    if material.picture is not None and pictured:
        # ffmpeg turns the picture upright by itself before the first filter (-autorotate).
        decoded = source[str(material.picture.index)]
        if origin_ticks is not None:
            decoded = picture_since(decoded, origin_ticks)
        if origin_ticks is None or material.scan.headless:
            decoded = decoded.filter("setpts", _FORWARD)
        steady = compile_video.steady(decoded, material)
        cut = Cut(tick=material.picture.tick, origin_ticks=origin_ticks)
        pictures = all_shown(
            steady, pictured, lambda poster: compile_still.chosen(poster, material), cut
        )
    sounds: dict[str, Any] = {}
    sounding = [p for p in promises if p.channels is not None]
    if material.sound is not None and sounding:
        heard = source[str(material.sound.index)]
        if origin_ticks is not None:
            heard = compile_sound.sound_since(heard, origin_ticks * material.scan.tick)
        sounds = compile_sound.heard_in(heard, material, sounding)
    outputs = [
        output for p in promises for output in _outputs(p, material, pictures, sounds, threads)
    ]
    # The first error of a demuxer or decoder ends it; without, a damaged source exits 0. Where a
    # stream is spliced the demuxer's word counts for nothing, so there the decoder alone is
    # strict (`err_detect`), and the proof reads how many errors it met.
    strict = () if material.spliced else ("-xerror",)
    clock = () if origin_ticks is None else ("-copyts",)
    flags = (*strict, *clock)
    return Plan(argv=command(ffmpeg_path, threads, flags, outputs), promises=promises)


def command(
    ffmpeg_path: str, threads: int, flags: Sequence[str], outputs: Sequence[Any]
) -> tuple[str, ...]:
    """The line of one run that makes all these."""
    # Filters run in a thread each and may use more of their own: bounded like the encoder's.
    graph = ("-filter_complex_threads", str(threads))
    arguments = ffmpeg.merge_outputs(*outputs).get_args()
    return (ffmpeg_path, *_GLOBAL, *flags, *graph, *arguments)


def input_options(threads: int, material: Seen) -> dict[str, Any]:
    """What keeps a hostile source within its bounds."""
    return {
        **material.opening.options,
        **({"err_detect": "explode"} if material.spliced else {}),
        "protocol_whitelist": material.opening.protocols,  # nothing nested
        # Content decides the demuxer, so name those that may.
        "format_whitelist": ",".join(DEMUXERS),
        "max_pixels": limits.SOURCE_PIXELS_MAX,  # a 1 MB picture can decode to gigabytes
        "threads": threads,  # fixed: the same task takes the same memory everywhere
    }


def _torn_clock(material: Material) -> dict[str, Any]:
    """Where two recordings meet, a packet of the first may come behind the second's first ones.
    ffmpeg takes it for a third recording, and shifts what follows once more, unless it believes
    such a jump as soon as it is a long one."""
    if not material.spliced or material.scan.regular:
        return {}
    return {"dts_delta_threshold": 2}


def picture_since(decoded: Any, origin_ticks: int) -> Any:
    """On a clock that is 0 at that tick, whatever a container says."""
    return decoded.filter("setpts", f"PTS-({origin_ticks})")


def shown_in(
    steady: Any, promises: Sequence[Promise], chosen: Callable[[PosterOutput], str]
) -> dict[str, Any]:
    """A filtered stream for each output that shows a picture, all from one decode. `chosen` selects
    the frame of a still."""
    return {
        promise.output.file: _filtered(branch, promise, chosen)
        for branch, promise in zip(branches(steady, "split", len(promises)), promises, strict=True)
    }


def all_shown(
    steady: Any, promises: Sequence[Promise], chosen: Callable[[PosterOutput], str], cut: Cut
) -> dict[str, Any]:
    """A filtered stream for each picture of each output. What lives on a grid, or is chosen by the
    frame before, is cut behind the filter that must see that; all else on the source's times."""
    many = [promise for promise in promises if isinstance(promise.output, SampledOutput)]
    ladders = [promise for promise in promises if promise.rungs]
    quick = [promise for promise in promises if promise.quick is not None]
    others = [*many, *ladders, *quick]
    flat = [promise for promise in promises if promise not in others]
    stems = branches(steady, "split", bool(flat) + len(others))
    pictures = shown_in(cut.own(stems.pop(0)), flat, chosen) if flat else {}
    for film in quick:
        pictures[film.output.file] = compile_video.sped(stems.pop(0), film, cut.tick)
    for gallery in many:
        pictures |= compile_still.sampled(stems.pop(0), gallery, cut)
    for ladder, stem in zip(ladders, stems, strict=True):
        assert ladder.grid is not None and isinstance(ladder.output, LadderOutput)
        pictures |= compile_ladder.pictures(stem, ladder.output, ladder.rungs, ladder.grid, cut)
    return pictures


def _filtered(branch: Any, promise: Promise, chosen: Callable[[PosterOutput], str]) -> Any:
    assert promise.size is not None
    if isinstance(promise.output, VideoOutput):
        return scaled(branch, promise.size, bits=promise.output.bits)
    assert isinstance(promise.output, PosterOutput)
    return scaled(branch.filter("select", chosen(promise.output)), promise.size, full_range=True)


def _outputs(
    promise: Promise,
    material: Material,
    pictures: dict[str, Any],
    sounds: dict[str, Any],
    threads: int,
) -> list[Any]:
    output, target = promise.output, f"file:{promise.path}"
    match output:
        case VideoOutput():
            streams = [pictures[output.file]]
            options = compile_video.encoded(output, material, threads)
            if promise.channels is not None:
                streams.append(sounds[output.file])
                options |= compile_sound.encoder(promise)
            return [ffmpeg.output(*streams, target, **options, **containers.delivered(output))]
        case AudioOutput():
            options = {**compile_sound.encoder(promise), **containers.delivered(output)}
            return [ffmpeg.output(sounds[output.file], target, **options)]
        case PosterOutput():
            return [ffmpeg.output(pictures[output.file], target, **compile_still.jpeg(output))]
        case StoryboardOutput() | ThumbnailsOutput() | PreviewOutput():
            return compile_still.gallery(promise, pictures)
        case LadderOutput():
            assert promise.grid is not None
            made = compile_ladder.rungs(output, promise.rungs, promise.grid, pictures, 0, threads)
            return [*made, *compile_sound.of_ladder(promise, sounds)]
