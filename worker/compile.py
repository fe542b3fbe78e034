"""Compiles a recipe and a source into one ffmpeg command line: one decode for all outputs. Pure.

Here the graph is laid and the line written; what each kind of output wants of filters and encoders
stands in `compile_video`, `compile_sound`, `compile_still` and `compile_ladder`. Nothing that a
user typed becomes an option, a filter or a path, but for file names of the recipe's narrow pattern;
there is never a URL on the line.
"""

import functools
from collections.abc import Callable, Sequence
from fractions import Fraction
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
    SubtitlesOutput,
    ThumbnailsOutput,
    VideoOutput,
)
from mayfly.core import limits
from worker import burnt, compile_ladder, compile_sound, compile_still, compile_video, containers
from worker.compile_ladder import Cut
from worker.compile_picture import Images, drawn
from worker.ends import WorkFailed
from worker.opening import DEMUXERS
from worker.preflight import Material, Seen
from worker.promise import Plan, Promise, promise
from worker.streams import branches
from worker.thinning import slower

#: Where nobody says when a frame is shown, or what it is made of is missing, ffmpeg guesses, and
#: two may fall upon the same moment or change places: the later one comes a tick after the other.
#: What goes back further is no guess.
_FORWARD = "if(gte(PREV_OUTPTS-PTS,0)*lt(PREV_OUTPTS-PTS,0.5/TB),PREV_OUTPTS+1,PTS)"

_AS_IT_IS: compile_sound.Levels = {}

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


def compile_plan(
    recipe: Recipe,
    material: Material,
    *,
    ffmpeg_path: str,
    threads: int,
    levels: compile_sound.Levels = _AS_IT_IS,
) -> Plan:
    """The one command line of a recipe; without any output that it is for, nothing to run."""
    promises = promised(recipe, material)
    if not promises:
        return Plan(argv=(), promises=())
    source = opened(material, threads)
    origin_ticks = material.origin_ticks
    pictured = [p for p in promises if p.drawing is not None]
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
    sounding = [p for p in promises if p.tracks]
    sounds = compile_sound.heard_in(source, sounding, material.origin_seconds, levels)
    outputs = [
        output for p in promises for output in _outputs(p, material, pictures, sounds, threads)
    ]
    return Plan(
        argv=command(ffmpeg_path, threads, strictness(material), outputs), promises=promises
    )


def promised(recipe: Recipe, material: Material) -> tuple[Promise, ...]:
    """What each output will be."""
    return tuple(
        promise(output, material)
        for output in recipe.outputs
        if not isinstance(output, SubtitlesOutput)
    )


def opened(material: Material, threads: int) -> Any:
    """The source, as a run that makes all of it reads it."""
    return ffmpeg.input(
        material.opening.url, **_torn_clock(material), **input_options(threads, material)
    )


def strictness(material: Material) -> tuple[str, ...]:
    """What such a run forgives, and whose clock it is on."""
    # The first error of a demuxer or decoder ends it; without, a damaged source exits 0. Where a
    # stream is spliced the demuxer's word counts for nothing, so there the decoder alone is
    # strict (`err_detect`), and the proof reads how many errors it met.
    strict = () if material.spliced else ("-xerror",)
    return (*strict, *(() if material.origin_ticks is None else ("-copyts",)))


def command(
    ffmpeg_path: str, threads: int, flags: Sequence[str], outputs: Sequence[Any]
) -> tuple[str, ...]:
    """The line of one run that makes all these."""
    # Filters run in a thread each and may use more of their own: bounded like the encoder's.
    graph = ("-filter_complex_threads", str(threads))
    arguments = containers.repeated(ffmpeg.merge_outputs(*outputs).get_args())
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
    steady: Any,
    promises: Sequence[Promise],
    chosen: Callable[[PosterOutput], str],
    tick: Fraction,
    images: Images,
) -> dict[str, Any]:
    """A filtered stream for each output that shows a picture, all from one decode. `chosen` selects
    the frame of a still."""
    return {
        promise.output.file: _filtered(branch, promise, chosen, tick, images)
        for branch, promise in zip(branches(steady, "split", len(promises)), promises, strict=True)
    }


def all_shown(
    steady: Any, promises: Sequence[Promise], chosen: Callable[[PosterOutput], str], cut: Cut
) -> dict[str, Any]:
    """A filtered stream for each picture of each output. What lives on a grid, or is chosen by the
    frame before, is cut behind the filter that must see that; all else on the source's times.
    Raises WorkFailed for an image that nobody brought."""
    images = _images(promises)
    many = [promise for promise in promises if isinstance(promise.output, SampledOutput)]
    ladders = [promise for promise in promises if promise.rungs]
    thinned = [promise for promise in promises if promise.thinning is not None]
    quick = [promise for promise in promises if promise.quick is not None]
    apart = [*many, *ladders, *thinned, *quick]
    flat = [promise for promise in promises if promise not in apart]
    stems = branches(steady, "split", bool(flat) + len(apart))
    show = functools.partial(shown_in, chosen=chosen, tick=cut.tick, images=images)
    pictures = show(cut.own(stems.pop(0)), flat) if flat else {}
    for film in thinned:
        assert film.thinning is not None
        clocked = stems.pop().filter("settb", f"{cut.tick.numerator}/{cut.tick.denominator}")
        kept = clocked.filter("select", film.thinning.expression())
        pictures |= show(cut.own(kept), [film])
    for film in quick:
        pictures |= show(compile_video.sped(stems.pop(), film, cut.tick), [film])
    for gallery in many:
        pictures |= compile_still.sampled(stems.pop(0), gallery, cut, images)
    for ladder, stem in zip(ladders, stems, strict=True):
        assert ladder.grid is not None and isinstance(ladder.output, LadderOutput)
        pictures |= compile_ladder.pictures(
            stem, ladder.output, ladder.rungs, ladder.grid, cut, images
        )
    return pictures


def _images(promises: Sequence[Promise]) -> Images:
    """Those of all outputs. Raises WorkFailed."""
    for one in promises:
        wanted = isinstance(one.output, VideoOutput | LadderOutput) and one.output.watermark
        if wanted and any(drawing.mark is None for drawing in one.drawings):
            raise WorkFailed("worker_failed", f"{one.output.file} without its image")
    return Images(drawing for one in promises for drawing in one.drawings)


def _filtered(
    branch: Any,
    promise: Promise,
    chosen: Callable[[PosterOutput], str],
    tick: Fraction,
    images: Images,
) -> Any:
    assert promise.drawing is not None
    if isinstance(promise.output, VideoOutput):
        film = drawn(branch, promise.drawing, tick, images, bits=promise.output.bits)
        if promise.output.burn_in is None:
            return film
        return burnt.drawn(film, promise.drawing.size)
    assert isinstance(promise.output, PosterOutput)
    return drawn(
        branch.filter("select", chosen(promise.output)), promise.drawing, tick, images, jpeg=True
    )


def _outputs(
    promise: Promise,
    material: Material,
    pictures: dict[str, Any],
    sounds: dict[str, list[Any]],
    threads: int,
) -> list[Any]:
    output, target = promise.output, f"file:{promise.path}"
    match output:
        case VideoOutput():
            streams = [pictures[output.file]]
            assert material.picture is not None
            picture = slower(material.picture, promise.thinning)
            options = compile_video.encoded(output, picture, threads)
            if promise.channels is not None:
                streams += sounds[output.file]
                options |= compile_sound.encoder(promise)
            options |= containers.told(output.holds, promise.tags, promise.tracks)
            return [ffmpeg.output(*streams, target, **options, **containers.delivered(output))]
        case AudioOutput():
            options = {**compile_sound.encoder(promise), **containers.delivered(output)}
            options |= containers.told(output.holds, promise.tags, promise.tracks)
            return [ffmpeg.output(*sounds[output.file], target, **options)]
        case PosterOutput():
            return [ffmpeg.output(pictures[output.file], target, **compile_still.jpeg(output))]
        case StoryboardOutput() | ThumbnailsOutput() | PreviewOutput():
            return compile_still.gallery(promise, pictures)
        case SubtitlesOutput():
            raise TypeError(f"{output.file} is made beside the one run.")
        case LadderOutput():
            assert promise.grid is not None
            made = compile_ladder.rungs(output, promise.rungs, promise.grid, pictures, 0, threads)
            return [*made, *compile_sound.of_ladder(promise, sounds)]
