"""Compiles the parts of a source that was cut: one interval of its picture, one sound track whole,
and what joins them. Pure.

Whole and parts are made by the same filters (`compile`) on one clock: `setpts` sets it to 0 at the
plan's origin before the first filter, whatever a container says; then come the filters that
remember frames, then the cut, in ticks, then all others.
"""

import dataclasses
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import ffmpeg

from mayfly.contract.plan import PlanClock, Scope
from mayfly.contract.recipe import (
    AudioOutput,
    LadderOutput,
    Output,
    PosterOutput,
    PreviewOutput,
    Recipe,
    SampledOutput,
    StoryboardOutput,
    SubtitlesOutput,
    ThumbnailsOutput,
    VideoOutput,
)
from mayfly.contract.report import SoundTrack
from mayfly.core import grids
from worker import compile as whole
from worker import compile_ladder, compile_sound, compile_still, compile_video, containers, pace
from worker.compile_ladder import Cut
from worker.ends import WorkFailed
from worker.preflight import Seen
from worker.promise import OUTPUTS, Plan, Promise, promise
from worker.streams import ANONYMOUS, branches
from worker.thinning import slower

# No file of a recipe can have these names, which begin with no letter or digit.

#: Every frame of the interval, and of what comes just before it: when it is shown, as ffmpeg lists
#: it (`-f framehash`), on the plan's clock. The hashes there are of a corner of it.
LISTED = "_listed.txt"

#: Those on both sides of a seam: the same, with the hash of all of it.
HASHED = "_hashed.txt"

#: What of it is stored (`seams`).
FRAMES = "_frames.txt.gz"

#: When each packet of the whole source is shown, on the same clock.
PACKETS = "_packets.txt.gz"

#: So much of its predecessor does a chunk hash, and of its own end: a seam's two sides must agree.
SEAM_SECONDS = Fraction(1, 2)

#: What a decoder drops at a source's beginning, it drops before these.
_LOOKED_AT_FRAMES = 24

#: ffmpeg seeks a little earlier than it is told, and by times of decoding. Where that lies before
#: the first keyframe, some demuxers (FLV's) answer that the file has ended.
_SEEKABLE_SECONDS = 2.0

_AS_IT_IS: compile_sound.Levels = {}

#: Fragments of a chunk are numbered from its number times this: unique in the joined file.
_FRAGMENTS_MAX = 100_000


def compile_chunk(
    recipe: Recipe, material: Seen, scope: Scope, *, ffmpeg_path: str, threads: int
) -> Plan:
    """The pictures of one interval, and the list of its frames."""
    promises, pictures, seen = interval(recipe, material, scope, threads)
    outputs = encoded(promises, pictures, material, scope, threads)
    outputs += _lists(_trimmed(seen, scope, early_ticks=seam_ticks(scope.clock)), scope)
    flags = ("-xerror", "-copyts")
    return Plan(argv=whole.command(ffmpeg_path, threads, flags, outputs), promises=promises)


def interval(
    recipe: Recipe, material: Seen, scope: Scope, threads: int, *, listed: bool = True
) -> tuple[tuple[Promise, ...], dict[str, Any], Any]:
    """What the encoders of an interval are given, by their files; and all that was decoded, where
    that is to be listed."""
    assert material.picture is not None
    promises = tuple(
        dataclasses.replace(
            promise(output, material, scope.clock),
            tracks=(),
            places=_places(output, recipe, scope),
        )
        for output in recipe.outputs
        if _shows(output, recipe, scope)
    )
    source = ffmpeg.input(
        material.opening.url, **_seek(scope, material), **whole.input_options(threads, material)
    )
    clocked = whole.picture_since(source[str(material.picture.index)], _origin(scope))
    decoded, *seen = branches(clocked, "split", 1 + listed)
    steady = compile_video.steady(decoded, material)
    pictures = whole.all_shown(
        steady, promises, lambda poster: _chosen(poster, recipe, scope), _cut(scope)
    )
    return promises, pictures, seen[0] if seen else None


def encoded(
    promises: Sequence[Promise],
    pictures: dict[str, Any],
    material: Seen,
    scope: Scope,
    threads: int,
) -> list[Any]:
    """A file of each picture of an interval."""
    return [output for p in promises for output in _pictures(p, pictures, material, scope, threads)]


def compile_beginning(material: Seen, scope: Scope, *, ffmpeg_path: str, threads: int) -> Plan:
    """The list of the source's first frames, as its first chunk will have it, and no picture."""
    assert material.picture is not None
    source = ffmpeg.input(material.opening.url, **whole.input_options(threads, material))
    clocked = whole.picture_since(source[str(material.picture.index)], _origin(scope))
    output = _timed(_trimmed(clocked, scope), **{"frames:v": _LOOKED_AT_FRAMES})
    flags = ("-xerror", "-copyts")
    return Plan(argv=whole.command(ffmpeg_path, threads, flags, [output]), promises=())


def compile_track(
    recipe: Recipe,
    material: Seen,
    clock: PlanClock,
    *,
    ffmpeg_path: str,
    threads: int,
    levels: compile_sound.Levels = _AS_IT_IS,
) -> Plan:
    """The sound of every output, whole, from the plan's origin on. Without any, nothing to run."""
    promises = promised_sounds(recipe, material, clock)
    if not promises:
        return Plan(argv=(), promises=())
    source = ffmpeg.input(material.opening.url, **whole.input_options(threads, material))
    sounds = compile_sound.heard_in(source, promises, origin_seconds(clock), levels)
    outputs = [output for promise in promises for output in _sounds(promise, sounds)]
    flags = ("-xerror", "-copyts")
    return Plan(argv=whole.command(ffmpeg_path, threads, flags, outputs), promises=promises)


def promised_sounds(recipe: Recipe, material: Seen, clock: PlanClock) -> tuple[Promise, ...]:
    """Of every output that has sound, that alone."""
    promises = (promise(output, material, clock) for output in recipe.outputs)
    return tuple(
        dataclasses.replace(promise, drawing=None, rungs=())
        for promise in promises
        if promise.tracks
    )


def origin_seconds(clock: PlanClock) -> Fraction:
    """What all parts of a plan count from."""
    return clock.origin_ticks * Fraction(*clock.time_base)


def compile_join(
    picture: str,
    sound: str | None,
    promise: Promise,
    tracks: Sequence[SoundTrack] = (),
    *,
    ffmpeg_path: str,
    threads: int,
) -> Plan:
    """One file to deliver out of the joined pictures and the sound, which has these tracks: nothing
    is encoded."""
    assert isinstance(promise.output, VideoOutput)
    streams = [own(picture, "mov")["v:0"]]
    if sound is not None:
        heard = own(sound, containers.sound_demuxer(promise.output.holds))
        streams += [heard[f"a:{number}"] for number in range(max(1, len(tracks)))]
    options = {**containers.tag(promise.output), **containers.delivered(promise.output)}
    options |= containers.told(promise.holds, promise.tags, tracks)
    output = ffmpeg.output(*streams, f"file:{promise.path}", c="copy", **options)
    flags = ("-xerror", "-copyts")
    return Plan(argv=whole.command(ffmpeg_path, threads, flags, [output]), promises=(promise,))


def own(path: str, demuxer: str, **options: Any) -> Any:
    """A file that a worker of ours has made, as an input; and nothing that it may name."""
    guard = {"protocol_whitelist": "file", "format_whitelist": demuxer, "f": demuxer}
    return ffmpeg.input(f"file:{path}", **guard, **options)


def seam_ticks(clock: PlanClock) -> int:
    """SEAM_SECONDS on the plan's clock."""
    return round(SEAM_SECONDS / Fraction(*clock.time_base))


def _shows(output: Output, recipe: Recipe, scope: Scope) -> bool:
    """Whether a chunk has to do with an output. A still picture is one chunk's alone."""
    match output:
        case VideoOutput() | LadderOutput() | StoryboardOutput() | ThumbnailsOutput():
            return True
        case PreviewOutput():
            return True
        case AudioOutput() | SubtitlesOutput():
            return False
        case PosterOutput():
            tick = _still(output, recipe, scope)
            begun = scope.start_ticks is None or scope.start_ticks <= tick
            return begun and (scope.end_ticks is None or tick < scope.end_ticks)


def _still(poster: PosterOutput, recipe: Recipe, scope: Scope) -> int:
    """The tick of a still's frame, which the plan names by the recipe's order."""
    posters = [output.file for output in recipe.outputs if isinstance(output, PosterOutput)]
    if len(scope.stills) != stills_of(recipe):
        detail = f"{len(scope.stills)} stills for {stills_of(recipe)} of the recipe"
        raise WorkFailed("plan_refused", detail)
    return scope.stills[posters.index(poster.file)]


def stills_of(recipe: Recipe) -> int:
    """How many moments a plan names: one of each poster, then those of previews."""
    one = sum(isinstance(output, PosterOutput) for output in recipe.outputs)
    return one + sum(o.places for o in recipe.outputs if isinstance(o, PreviewOutput))


def _places(output: Output, recipe: Recipe, scope: Scope) -> tuple[int, ...]:
    """Where a preview's places begin, on the plan's clock."""
    if not isinstance(output, PreviewOutput):
        return ()
    if len(scope.stills) != stills_of(recipe):
        detail = f"{len(scope.stills)} stills for {stills_of(recipe)} of the recipe"
        raise WorkFailed("plan_refused", detail)
    at = sum(isinstance(one, PosterOutput) for one in recipe.outputs)
    for one in recipe.outputs:
        if one == output:
            break
        at += one.places if isinstance(one, PreviewOutput) else 0
    return tuple(tick - _origin(scope) for tick in scope.stills[at : at + output.places])


def _chosen(poster: PosterOutput, recipe: Recipe, scope: Scope) -> str:
    """Selects the poster's picture, or the one after it where a decoder swallowed that."""
    return f"gte(pts,{_still(poster, recipe, scope) - _origin(scope)})"


def _seek(scope: Scope, material: Seen) -> dict[str, Any]:
    """To a keyframe before the interval. By timestamp: else ffmpeg adds where the container begins;
    and not to the frame itself, which the cut finds."""
    assert material.picture is not None
    # No source is cut that shows a frame before its first keyframe; a chunk lists no packets.
    first = material.picture.start_time
    if scope.start_ticks is None or first is None:
        return {}
    tick = Fraction(*scope.clock.time_base)
    begin = float(scope.start_ticks * tick - SEAM_SECONDS) - scope.clock.margin_seconds
    if begin <= max(first, float(scope.clock.origin_ticks * tick)) + _SEEKABLE_SECONDS:
        return {}
    return {"ss": f"{begin:.6f}", "seek_timestamp": 1, "noaccurate_seek": None}


def _lists(seen: Any, scope: Scope) -> list[Any]:
    """When each frame is shown, and the hashes of those at a seam."""
    times, pictures = branches(seen, "split", 2)
    seam = seam_ticks(scope.clock)
    # Always one, for ffmpeg opens no encoder where only some of its outputs have no frame.
    sides = ["eq(n,0)"]
    if scope.start_ticks is not None:
        sides.append(f"lt(pts,{scope.start_ticks - _origin(scope)})")
    if scope.end_ticks is not None:
        sides.append(f"gte(pts,{scope.end_ticks - _origin(scope) - seam})")
    at_sides = pictures.filter("select", "+".join(sides))
    return [_timed(times), compile_still.listed(at_sides, f"{OUTPUTS}/{HASHED}")]


def _timed(stream: Any, **options: Any) -> Any:
    """When each frame is shown."""
    return compile_still.timed(stream, f"{OUTPUTS}/{LISTED}", **options)


def _origin(scope: Scope) -> int:
    return scope.clock.origin_ticks


def _trimmed(stream: Any, scope: Scope, *, early_ticks: int = 0) -> Any:
    """Only the frames of the interval. Some filters halve the tick; cuts are in the plan's."""
    numerator, denominator = scope.clock.time_base
    stream = stream.filter("settb", f"{numerator}/{denominator}")
    ends = {}
    if scope.start_ticks is not None:
        ends["start_pts"] = scope.start_ticks - _origin(scope) - early_ticks
    if scope.end_ticks is not None:
        ends["end_pts"] = scope.end_ticks - _origin(scope)
    return stream.filter("trim", **ends)


def _cut(scope: Scope) -> Cut:
    """Of a source's own times, and, where a ladder comes of it, of the grid."""
    first = end = None
    if scope.clock.grid is not None:
        segments = grids.segments_of(scope)
        frames = scope.clock.grid.segment_frames
        first = None if scope.start_ticks is None else segments[0] * frames
        end = None if segments[1] is None else segments[1] * frames
    return Cut(
        tick=Fraction(*scope.clock.time_base),
        origin_ticks=scope.clock.origin_ticks,
        own=lambda stream: _trimmed(stream, scope),
        first_tick=None if scope.start_ticks is None else scope.start_ticks - _origin(scope),
        first_frame=first,
        end_frame=end,
    )


def _pictures(
    promise: Promise, pictures: dict[str, Any], material: Seen, scope: Scope, threads: int
) -> list[Any]:
    output = promise.output
    if isinstance(output, SampledOutput):
        return compile_still.gallery(promise, pictures)
    if not isinstance(output, LadderOutput):
        return [_picture(promise, pictures, material, scope, threads)]
    assert promise.grid is not None
    segment = grids.segments_of(scope)[0]
    return compile_ladder.rungs(output, promise.rungs, promise.grid, pictures, segment, threads)


def _picture(
    promise: Promise, pictures: dict[str, Any], material: Seen, scope: Scope, threads: int
) -> Any:
    stream, target = pictures[promise.output.file], f"file:{promise.path}"
    if isinstance(promise.output, PosterOutput):
        return ffmpeg.output(stream, target, **compile_still.jpeg(promise.output))
    assert isinstance(promise.output, VideoOutput) and material.picture is not None
    early = {}
    picture = slower(material.picture, promise.thinning)
    if depth := pace.depth(promise.output, picture):
        step = scope.clock.frame_ticks
        first = f"STARTPTS-{depth * step}+{step}*N"
        early = {"bsf:v": f"setts=pts=PTS:dts=if(lt(DTS\\,STARTPTS)\\,{first}\\,DTS)"}
    return ffmpeg.output(
        stream,
        target,
        **early,
        **compile_video.encoded(promise.output, picture, threads, later=scope.number > 0),
        format="mp4",
        movflags=containers.FRAGMENTS,
        fragment_index=scope.number * _FRAGMENTS_MAX + 1,
        video_track_timescale=scope.clock.time_base[1],  # times stay the source's own
        **ANONYMOUS,
    )


def _sounds(promise: Promise, sounds: dict[str, list[Any]]) -> list[Any]:
    if isinstance(promise.output, LadderOutput):
        return compile_sound.of_ladder(promise, sounds)
    return [_sound(promise, sounds)]


def _sound(promise: Promise, sounds: dict[str, list[Any]]) -> Any:
    streams, target = sounds[promise.output.file], f"file:{promise.path}"
    assert isinstance(promise.output, AudioOutput | VideoOutput)
    if isinstance(promise.output, AudioOutput):
        written = containers.delivered(promise.output)
        written |= containers.told(promise.holds, promise.tags, promise.tracks)
    else:
        written = containers.sound_part(promise.output.holds)
    return ffmpeg.output(*streams, target, **compile_sound.encoder(promise), **written)
