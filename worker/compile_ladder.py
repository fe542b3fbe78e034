"""Compiles a ladder: all sizes of a picture out of one decode, on one grid of even frames, and its
sound. Pure.

Whole and chunks go through the same filters. What makes rungs interchangeable is here: a keyframe
at which a decoder begins anew at the beginning of every segment, and nowhere else.
"""

import dataclasses
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import ffmpeg

from mayfly.contract.plan import Grid
from mayfly.contract.recipe import LadderOutput, VideoOutput
from mayfly.core import grids
from worker import burnt, compile_codecs, containers, pace
from worker.compile_codecs import Making
from worker.compile_picture import Images, drawn
from worker.rungs import Rung, path
from worker.streams import ANONYMOUS, branches

#: Found on ffmpeg 9: with these the beginnings of all chunks are one and the same, each fragment
#: begins at its own time, and no edit list says otherwise.
_PICTURE = "+cmaf+frag_keyframe+delay_moov+frag_discont"
#: With `frag_discont` the priming of AAC would be a time before 0.
_SOUND = "+cmaf+delay_moov"

#: Of what ffmpeg writes, a quarter of a megabyte may else be in its memory until more comes: so a
#: fragment that is written is in the file, where it can be stored while the next one is made.
_AT_ONCE = {"flush_packets": 1}

#: So many frames before it is shown is the first one decoded: x264 and x265 want two. Three, since
#: players made of ffmpeg count in microseconds and round them in two ways: where this is no whole
#: number of them, as two frames of 24 or 29.97 a second are not, a seek ends a segment late.
_DELAY_FRAMES = 3

#: What a player buffers of a capped rung before it begins, in seconds of the cap. With two, single
#: segments run a fifth over it.
_BUFFER_SECONDS = 1


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """Which frames an output has: of the source's own times, and of a ladder's grid."""

    #: The clock's, and what of it is 0.
    tick: Fraction
    origin_ticks: int | None
    own: Callable[[Any], Any] = lambda stream: stream
    #: From the first to before the last; None: from the origin, and to the end.
    first_frame: int | None = None
    end_frame: int | None = None
    #: The first tick of a chunk's own, counted from the origin; None where nothing comes before.
    first_tick: int | None = None


def pictures(
    steady: Any,
    ladder: LadderOutput,
    made: Sequence[Rung],
    grid: Grid,
    cut: Cut,
    images: Images,
) -> dict[str, Any]:
    """A stream of each size, by its file: what the source shows at each frame of the grid."""
    if cut.origin_ticks is not None:
        steady = _since_zero(steady, cut.tick, grid.zero_ticks - cut.origin_ticks)
    even = _gridded(steady, grid, cut.first_frame, cut.end_frame)
    return {
        path(ladder, rung.name): _of_rung(branch, ladder, rung, 1 / Fraction(*grid.rate), images)
        for rung, branch in zip(made, branches(even, "split", len(made)), strict=True)
    }


def _of_rung(branch: Any, ladder: LadderOutput, rung: Rung, tick: Fraction, images: Images) -> Any:
    sized = drawn(branch, rung.drawing, tick, images, bits=ladder.bits)
    return sized if ladder.burn_in is None else burnt.drawn(sized, rung.size)


def _since_zero(steady: Any, tick: Fraction, late_ticks: int) -> Any:
    """On a clock that is 0 where the grid's frame 0 is shown. Some filters halve the tick."""
    if not late_ticks:
        return steady
    clocked = steady.filter("settb", f"{tick.numerator}/{tick.denominator}")
    return clocked.filter("setpts", f"PTS-({late_ticks})")


def _gridded(steady: Any, grid: Grid, first: int | None, end: int | None) -> Any:
    """From `first` to before `end`. From the origin on, the first picture stands for what is not
    there yet."""
    start = {"start_time": 0} if first is None else {}
    even = steady.filter("fps", fps="/".join(map(str, grid.rate)), **start)
    if first is None and end is None:
        return even
    ends = {"start_pts": first, "end_pts": end}
    return even.filter("trim", **{name: n for name, n in ends.items() if n is not None})


def rungs(
    ladder: LadderOutput,
    made: Sequence[Rung],
    grid: Grid,
    streams: dict[str, Any],
    segment: int,
    threads: int,
) -> list[Any]:
    """A file of each size, a fragment a segment; the first one's number is `segment`."""
    return [
        ffmpeg.output(
            streams[path(ladder, rung.name)],
            f"file:{path(ladder, rung.name)}",
            **_delayed(ladder),
            **encoded(ladder, rung, grid, threads, later=segment > 0),
            format="mp4",
            movflags=_PICTURE,
            **_AT_ONCE,
            fragment_index=segment + 1,
            video_track_timescale=grids.timescale(Fraction(*grid.rate)),
            **ANONYMOUS,
        )
        for rung in made
    ]


def _delayed(ladder: LadderOutput) -> dict[str, Any]:
    if not pace.reorders(ladder.codec, ladder.speed):
        return {}
    return {"bsf:v": f"setts=pts=PTS:dts=DTS-{_DELAY_FRAMES}+STARTPTS-STARTDTS"}


def encoded(
    ladder: LadderOutput, rung: Rung, grid: Grid, threads: int, *, later: bool
) -> dict[str, Any]:
    """The encoder of one size, which is told what it would be of a film; `later` of a chunk that is
    not the first."""
    wanted, frames = rung.wanted, grid.segment_frames
    numerator, denominator = grid.rate
    film = VideoOutput(
        codec=ladder.codec,
        box=wanted.box,
        crf=wanted.crf,
        maxrate_kbps=wanted.maxrate_kbps,
        bits=ladder.bits,
        speed=ladder.speed,
    )
    making = Making(
        threads=threads,
        rate=numerator / denominator,
        later=later,
        buffer_seconds=_BUFFER_SECONDS,
        even=True,
    )
    return {
        **compile_codecs.told(film, making),
        **containers.tag(film),
        # The grid's frames, each once, on the grid's clock.
        "fps_mode:v": "passthrough",
        "enc_time_base:v": f"{denominator}:{numerator}",
        # A keyframe at each segment of every size, by its number, and no group that is open: at no
        # other frame, whatever the picture does.
        "g": frames,
        "keyint_min": frames,
        "sc_threshold": 0,
        "flags:v": "+cgop",
        "max_muxing_queue_size": 9999,
    }


def sound(ladder: LadderOutput, track: str, heard: Any, encoder: dict[str, Any]) -> Any:
    """All of a sound, in fragments about as long as a segment."""
    return ffmpeg.output(
        heard,
        f"file:{path(ladder, track)}",
        **encoder,
        format="mp4",
        movflags=_SOUND,
        **_AT_ONCE,
        frag_duration=round(ladder.segment_seconds * 10**6),
        **ANONYMOUS,
    )
