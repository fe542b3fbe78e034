"""Compiles samples of a source, and what tells how good pictures look beside what their encoder was
given. Pure.

Both sides go through the graph by which the output itself is made: what is compared is what an
encoder has lost, and nothing else. It must never compare frames of different moments.
"""

import dataclasses
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import ffmpeg

from mayfly.contract.plan import PlanClock, Scope
from mayfly.contract.recipe import Recipe
from worker import compile as whole
from worker.compile_parts import encoded, interval, own
from worker.picture import Size
from worker.preflight import Seen
from worker.promise import OUTPUTS, Plan
from worker.streams import branches

#: Netflix' of 2018 for a television of 1080 lines; what nearly all published figures are of.
MODEL = "vmaf_v0.6.1"

#: Every third frame: B-frames come by twos and fours, and differ in quality.
SUBSAMPLING = 3

#: So much before the first frame that is wanted does a reader begin: behind a keyframe.
_EARLY_SECONDS = 1.0

#: Of the clock on which frames are compared, by their number alone.
_TICKS = 1000


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A comparison of one made picture with one that an encoder is given."""

    #: By the file that its encoder writes (`interval`).
    reference: str
    #: What was made, beneath the folder, and what reads it.
    path: str
    demuxer: str
    #: Of which moments, from the origin on: none of its frames is shown at one of the ends.
    start_seconds: Fraction
    end_seconds: Fraction
    #: What was made is brought to the reference's size first.
    enlarged: Size | None = None
    #: Its reader begins near these moments: in a file that has no list of its fragments, and frames
    #: that are decoded before the first one is shown, it would begin behind them.
    sought: bool = True


def log_of(number: int) -> str:
    """Where a comparison is told, by its number."""
    return f"{OUTPUTS}/_vmaf-{number}.json"


def compile_sample(
    recipe: Recipe, material: Seen, scope: Scope, *, ffmpeg_path: str, threads: int
) -> Plan:
    """The pictures of one interval, just as a chunk would have them, and nothing that proves it."""
    promises, pictures, _ = interval(recipe, material, scope, threads, listed=False)
    outputs = encoded(promises, pictures, material, scope, threads)
    return Plan(argv=_command(ffmpeg_path, threads, outputs), promises=promises)


def compile_looks(
    recipe: Recipe,
    material: Seen,
    scope: Scope,
    looks: Sequence[Look],
    *,
    ffmpeg_path: str,
    threads: int,
) -> Plan:
    """Compares all these over one interval; each picture of the recipe is looked at by one of them
    or more."""
    promises, pictures, _ = interval(recipe, material, scope, threads, listed=False)
    references = {
        name: branches(shown, "split", sum(look.reference == name for look in looks))
        for name, shown in pictures.items()
    }
    outputs = []
    for number, look in enumerate(looks):
        reference = references[look.reference].pop()
        compared = ffmpeg.filter(
            [_counted(_made(look)), _counted(reference)],
            "libvmaf",
            model=f"version={MODEL}",
            log_fmt="json",
            log_path=log_of(number),
            n_subsample=SUBSAMPLING,
            n_threads=threads,
            # A frame that one of them has and the other has not is nobody's to stand for.
            shortest=1,
        )
        outputs.append(ffmpeg.output(compared, "-", format="null", **{"fps_mode:v": "passthrough"}))
    return Plan(argv=_command(ffmpeg_path, threads, outputs), promises=promises)


def of_films(scope: Scope, demuxer: str) -> tuple[Fraction, Fraction]:
    """The moments of an interval of a source's own frames, in a file that this reads. ISO files
    keep its ticks; Matroska rounds them to milliseconds, less than a quarter of a frame."""
    clock = scope.clock
    early = Fraction(1, 2) if demuxer == "mov" else Fraction(clock.frame_ticks, 4)
    assert scope.start_ticks is not None and scope.end_ticks is not None
    start, end = (
        (tick - clock.origin_ticks - early) * Fraction(*clock.time_base)
        for tick in (scope.start_ticks, scope.end_ticks)
    )
    return start, end


def of_grid(clock: PlanClock, segments: tuple[int, int]) -> tuple[Fraction, Fraction]:
    """The same of whole segments of a grid, on its clock."""
    assert clock.grid is not None
    start, end = (
        (number * clock.grid.segment_frames - Fraction(1, 2)) / Fraction(*clock.grid.rate)
        for number in segments
    )
    return start, end


def _made(look: Look) -> Any:
    begin = float(look.start_seconds) - _EARLY_SECONDS
    seek = (
        {"ss": f"{begin:.6f}", "noaccurate_seek": None}
        if look.sought and begin > _EARLY_SECONDS
        else {}
    )
    start, end = float(look.start_seconds), float(look.end_seconds)
    made = own(look.path, look.demuxer, **seek)["v:0"]
    made = made.filter("select", f"gte(t,{start:.6f})*lt(t,{end:.6f})")
    if look.enlarged is not None:
        made = made.filter("scale", look.enlarged.width, look.enlarged.height, flags="bicubic")
    return made


def _counted(stream: Any) -> Any:
    """By its number: files round times in different ways."""
    return stream.filter("settb", f"1/{_TICKS}").filter("setpts", f"N*{_TICKS}")


def _command(ffmpeg_path: str, threads: int, outputs: Sequence[Any]) -> tuple[str, ...]:
    return whole.command(ffmpeg_path, threads, ("-xerror", "-copyts"), outputs)
