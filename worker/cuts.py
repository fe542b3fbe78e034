"""Whether one source becomes many tasks, and where it is cut. Pure: packets in, a plan out.

It must never cut where a chunk could not be proven: a clock that repeats itself, runs backwards or
is missing, a decoder that could not begin near a cut. Such a source is encoded whole, and that is
never an error.
"""

import dataclasses
import itertools
import math
from bisect import bisect_left
from collections.abc import Sequence
from fractions import Fraction

from mayfly.contract.plan import Grid, Plan, PlanClock
from mayfly.contract.recipe import LadderOutput, PosterOutput, PreviewOutput, Recipe, VideoOutput
from mayfly.core import grids, limits, parts, prediction, sizing
from mayfly.core.prediction import Encode, Source
from worker import pace, thinning
from worker.compile_parts import SEAM_SECONDS
from worker.compile_still import poster_frame
from worker.drawing import Drawing, drawing
from worker.evenness import grid_of
from worker.picture import Size
from worker.preflight import Material, Seen
from worker.probe import Stream
from worker.rungs import rungs_of
from worker.sampling import places_of
from worker.scan import Scan
from worker.thinning import own_grid

#: Beyond the longest distance of two keyframes: B-frames are shown before what they are made of.
_MARGIN_SECONDS = 1.0
#: A longer way to the last keyframe costs more than it saves.
_MARGIN_SECONDS_MAX = 60.0
#: Fewer frames at an end would be a chunk with an edit list of its own.
_FRAMES_MIN = 12


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How work is to be divided."""

    #: Processors of a worker.
    threads: int
    #: The most workers of the pool.
    workers: int
    #: In so long after its acceptance the job should be done, by no more of them than that takes;
    #: 0: by all.
    finish_seconds: int = 0
    #: Media seconds of a chunk, when somebody wants them so; 0 leaves it to the work.
    chunk_seconds: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class Whole:
    """Why a source is not cut; empty where nobody would expect it to be."""

    why: str = ""


def cut(material: Material, recipe: Recipe, policy: Policy) -> Plan | Whole:
    """The plan of a source that pays to be cut."""
    videos = [output for output in recipe.outputs if isinstance(output, VideoOutput)]
    ladder = next((one for one in recipe.outputs if isinstance(one, LadderOutput)), None)
    if not videos and ladder is None:
        return Whole()
    if any(video.speedup is not None for video in videos):
        return Whole("a film that is sped up is made in one piece")
    if why := uncuttable(material):
        return Whole(why)
    scan, clock = material.scan, clock_of(material, recipe)
    origin_ticks, grid = clock.origin_ticks, clock.grid
    if (margin := clock.margin_seconds) > _MARGIN_SECONDS_MAX:
        return Whole(f"its keyframes are up to {margin - _MARGIN_SECONDS:.0f} s apart")
    work = predicted_seconds(material, recipe, scan.frames, policy.threads)
    if not policy.chunk_seconds and work < limits.SPLIT_SECONDS_MIN:
        return Whole()
    if _draws_subtitles(recipe):
        # Each chunk would need all of the source's subtitles, which lie scattered through it.
        return Whole("subtitles are drawn into its pictures")
    seconds = policy.chunk_seconds or _media_seconds(work, material.scan.span_seconds(), policy)
    least = _FRAMES_MIN * thinning.most(recipe, clock.own)
    boundaries = (
        _segment_starts(material, grid, seconds, least)
        if grid
        else _boundaries(material, seconds, least)
    )
    if not boundaries:
        return Whole("there is no place to cut it")
    plan = Plan(
        time_base=clock.time_base,
        origin_ticks=origin_ticks,
        margin_seconds=margin,
        frame_ticks=clock.frame_ticks,
        grid=grid,
        own=clock.own,
        boundaries=boundaries,
        stills=_stills(material, recipe, origin_ticks),
        predicted_seconds=work,
        audio_tracks=1,  # which lists the packets, too, and has nothing else to do without sound
    )
    return Whole(flaw) if (flaw := parts.flaw(plan)) else plan


def clock_of(material: Material, recipe: Recipe) -> PlanClock:
    """The clock of all parts of a source that is not `uncuttable`."""
    scan = material.scan
    assert material.origin_ticks is not None
    ladder = next((one for one in recipe.outputs if isinstance(one, LadderOutput)), None)
    return PlanClock(
        time_base=(scan.tick.numerator, scan.tick.denominator),
        origin_ticks=material.origin_ticks,
        margin_seconds=round(_gap_seconds(material) + _MARGIN_SECONDS, 3),
        frame_ticks=pace.frame_ticks(material),
        grid=grid_of(material, ladder) if ladder else None,
        own=own_grid(material) if thinning.wanted(recipe) else None,
    )


def _stills(material: Material, recipe: Recipe, origin_ticks: int) -> tuple[int, ...]:
    """The moments of posters, then those at which the places of previews begin."""
    scan = material.scan
    shown = [scan.ticks[0] - origin_ticks, scan.ticks[-1] - origin_ticks]
    posters = [
        scan.ticks[poster_frame(output, material)]
        for output in recipe.outputs
        if isinstance(output, PosterOutput)
    ]
    previews = [
        origin_ticks + place
        for output in recipe.outputs
        if isinstance(output, PreviewOutput)
        for place in places_of(output, shown, scan.tick)
    ]
    return (*posters, *previews)


def predicted_seconds(seen: Seen, recipe: Recipe, frames: int, threads: int) -> float:
    """Wall seconds that so many of the source's pictures take one worker."""
    picture = seen.picture
    if picture is None:
        return 0.0
    encodes = [
        Encode(
            codec=output.codec,
            speed=output.speed,
            pixels=its.size.width * its.size.height / prediction.speedup_of(output),
            tonemapped=its.grading.tonemapped,
        )
        for output in recipe.outputs
        if isinstance(output, VideoOutput | LadderOutput)
        for its in _drawings(output, picture)
    ]
    if not encodes:
        return 0.0
    pixels = picture.width * picture.height
    source = Source(codec=picture.codec_name, pixels=pixels, frames=frames)
    return round(prediction.seconds(source, encodes, threads), 3)


def _drawings(output: VideoOutput | LadderOutput, picture: Stream) -> list[Drawing]:
    """All pictures of an output."""
    if isinstance(output, LadderOutput):
        return [rung.drawing for rung in rungs_of(output, picture)]
    return [drawing(picture, output, output.box)]


def size_of(output: VideoOutput, picture: Stream) -> Size:
    """Of a film."""
    return drawing(picture, output, output.box).size


def _draws_subtitles(recipe: Recipe) -> bool:
    return any(
        isinstance(output, VideoOutput | LadderOutput) and output.burn_in is not None
        for output in recipe.outputs
    )


def uncuttable(material: Material) -> str:
    """Why no part of it can be found by its moment; empty where it can."""
    scan = material.scan
    if material.picture is None or not scan.ticks:
        return "no frame says its time"
    if material.decoding_order:
        return "its packets say when they are decoded, not when they are shown"
    if material.origin_ticks is None:
        return "its clock is set anew, repeats itself or is missing"
    if scan.goes_back:
        return "its packets are out of order"
    if scan.headless:
        return "it begins between two keyframes"
    if not scan.key_ticks:
        return "it has no keyframe"
    return ""


def _gap_seconds(material: Material) -> float:
    """The longest way to a keyframe, the ends included."""
    scan = material.scan
    marks = (scan.ticks[0], *scan.key_ticks, scan.ticks[-1])
    return float(max(b - a for a, b in itertools.pairwise(marks)) * scan.tick)


def _media_seconds(work: float, span: float, policy: Policy) -> float:
    """Of a chunk: so long that what each costs beside its encode does not count, and so short that
    all are done soon and a Spot notice suffices for one."""
    among = sizing.divided_among(work, policy.finish_seconds, policy.workers)
    wanted = math.sqrt(work * limits.CHUNK_COST_SECONDS / (among * limits.TAIL_FACTOR))
    return min(max(wanted, limits.WORK_SECONDS_MIN), limits.WORK_SECONDS_MAX) * span / work


def _segment_starts(material: Material, grid: Grid, seconds: float, least: int) -> tuple[int, ...]:
    """Ticks at which segments of the grid begin, about so far apart."""
    scan = material.scan
    last = grids.frame_of(scan.ticks[-1], grid, scan.tick)
    count = last // grid.segment_frames + 1
    step = max(1, round(Fraction(seconds) * Fraction(*grid.rate) / grid.segment_frames))
    chunks = max(1, round(count / step))
    found: list[int] = []
    for number in range(1, chunks):
        segment = round(number * count / chunks)
        tick = grids.tick_of(segment * grid.segment_frames, grid, scan.tick)
        is_chunk = last - segment * grid.segment_frames >= _FRAMES_MIN
        if is_chunk and _is_seam(scan, found[-1] if found else None, tick, least):
            found.append(tick)
    return tuple(found[: limits.CHUNKS_MAX - 1])


def _is_seam(scan: Scan, before: int | None, tick: int, least: int) -> bool:
    """Whether both chunks have frames enough of their own, and see each other's."""
    at = bisect_left(scan.ticks, tick)
    last = 0 if before is None else bisect_left(scan.ticks, before)
    is_chunk = at - last >= least and scan.frames - at >= least
    # A seam at which neither side sees a frame of the other is proven by nobody.
    return is_chunk and (scan.ticks[at] - scan.ticks[at - 1]) * scan.tick <= SEAM_SECONDS


def _boundaries(material: Material, seconds: float, least: int) -> tuple[int, ...]:
    """Ticks of frames, about so far apart; of keyframes where one is near."""
    scan = material.scan
    step = seconds / float(scan.tick)
    if not math.isfinite(step):
        return ()
    found: list[int] = []
    first, end = scan.ticks[0], scan.ticks[-1]
    count = max(1, round((end - first) / step))
    for number in range(1, count):
        wanted = first + number * (end - first) / count
        at = bisect_left(scan.ticks, _near_key(scan.key_ticks, wanted, step / 4))
        if _is_seam(scan, found[-1] if found else None, scan.ticks[at], least):
            found.append(scan.ticks[at])
    return tuple(found[: limits.CHUNKS_MAX - 1])


def _near_key(keys: Sequence[int], wanted: float, reach: float) -> float:
    """The nearest keyframe that is no further than that; else where it was wanted."""
    at = bisect_left(keys, wanted)
    near = [key for key in keys[max(0, at - 1) : at + 1] if abs(key - wanted) <= reach]
    return min(near, key=lambda key: abs(key - wanted), default=wanted)
