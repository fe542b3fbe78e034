"""What a plan means: whether it may be carried out, and which tasks it makes, in which order.

Sound comes before the other chunks: a track is encoded whole, so it is what everybody waits for.
"""

import dataclasses
import itertools

from mayfly.contract.ladder import SEGMENTS_MAX
from mayfly.contract.plan import Decided, Grid, Plan, Scope
from mayfly.contract.task import TaskKind
from mayfly.core import grids, limits, quality

#: The first task of every job; with a plan, its first chunk.
FIRST_TASK = "encode"

#: The task that joins the parts.
FINISH_TASK = "finish"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One task of a planned job."""

    task_id: str
    kind: TaskKind
    #: The chunk's number, or the track's.
    number: int
    scope: Scope | None = None


def flaw(plan: Plan) -> str:
    """Why it cannot be carried out; empty when it can."""
    cuts, (numerator, denominator) = plan.boundaries, plan.time_base
    if numerator <= 0 or denominator <= 0:
        return f"a tick of {numerator}/{denominator} s"
    if not 0 <= plan.margin_seconds <= limits.SOURCE_SECONDS_MAX:
        return f"a margin of {plan.margin_seconds} s"
    if plan.frame_ticks < 1:
        return f"frames of {plan.frame_ticks} ticks"
    if not 2 <= plan.chunks <= limits.CHUNKS_MAX:
        return f"{plan.chunks} chunks, where 2 to {limits.CHUNKS_MAX} may be"
    if not 0 <= plan.audio_tracks <= limits.AUDIO_TRACKS_MAX:
        return f"{plan.audio_tracks} sound tracks, at most {limits.AUDIO_TRACKS_MAX}"
    if not 0 <= plan.predicted_seconds <= limits.PREDICTED_SECONDS_MAX:
        return f"a work of {plan.predicted_seconds} s"
    if len(plan.stills) > limits.STILLS_MAX:
        return f"{len(plan.stills)} still pictures, at most {limits.STILLS_MAX}"
    if any(later <= cut for cut, later in itertools.pairwise(cuts)):
        return "cuts that do not follow each other"
    ticks = (*cuts, *plan.stills, plan.origin_ticks, plan.frame_ticks, numerator, denominator)
    if max(map(abs, ticks)) > limits.TICKS_MAX:
        return "ticks beyond 64 bits"
    if plan.quality is not None and (why := _flaw_of_quality(plan.quality)):
        return why
    if plan.own is not None and (said := _flaw_of_frames(plan.own)):
        return said
    return "" if plan.grid is None else _flaw_of_grid(plan, plan.grid)


def _flaw_of_quality(decided: Decided) -> str:
    if len(decided.factors) > quality.FACTORS_MAX or len(decided.windows) > quality.WINDOWS_MAX:
        return f"{len(decided.factors)} crfs after {len(decided.windows)} windows"
    if any(not 0 <= factor.crf <= 63 for factor in decided.factors):
        return "a crf that no codec has"
    if any(max(map(abs, window)) > limits.TICKS_MAX for window in decided.windows):
        return "ticks beyond 64 bits"
    return ""


def _flaw_of_grid(plan: Plan, grid: Grid) -> str:
    """Cuts lie where segments begin, and nowhere else."""
    if said := _flaw_of_frames(grid):
        return said
    if not 1 <= grid.segment_frames <= limits.SEGMENT_FRAMES_MAX:
        return f"segments of {grid.segment_frames} frames"
    segments = [grids.segment_at(cut, plan.clock) for cut in plan.boundaries]
    # The last one's number is not known here, but a chunk has at least one.
    if segments[0] < 1 or segments[-1] >= SEGMENTS_MAX - 1:
        return f"cuts at the segments {segments[0]} to {segments[-1]}"
    starts = tuple(grids.cut_at(number, plan.clock) for number in segments)
    if starts != plan.boundaries:
        return "cuts inside of a segment"
    return ""


def _flaw_of_frames(grid: Grid) -> str:
    numerator, denominator = grid.rate
    if not (0 < numerator <= limits.TIMESCALE_MAX and 0 < denominator <= limits.TIMESCALE_MAX):
        return f"a grid of {numerator}/{denominator} frames a second"
    return "ticks beyond 64 bits" if abs(grid.zero_ticks) > limits.TICKS_MAX else ""


def count(plan: Plan) -> int:
    """How many tasks it makes, the finish not counted: that one is opened when these are done."""
    return plan.chunks + plan.audio_tracks


def part(plan: Plan, index: int) -> Part:
    """The task that is opened as number `index`: the first chunk, the sound, the other chunks."""
    if 0 < index <= plan.audio_tracks:
        track = index - 1
        return Part(task_id=f"audio-{track}", kind="audio", number=track)
    number = index - plan.audio_tracks if index else 0
    task_id = f"chunk-{number:05d}" if number else FIRST_TASK
    return Part(task_id=task_id, kind="chunk", number=number, scope=plan.scope(number))


assert limits.CHUNKS_MAX <= 10**5, "a chunk's number has five digits"
