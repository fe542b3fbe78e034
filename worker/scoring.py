"""How the outputs themselves look, where a recipe asks for a quality: the windows that were
searched are looked at once more in what was made.

A chunk looks at what of them begins in its interval, and its finish puts that together. It must
never say that a picture looks well which nobody has looked at.
"""

import itertools
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import msgspec

from mayfly.contract import wire
from mayfly.contract.plan import Decided, Factor, PlanClock, Scope
from mayfly.contract.recipe import LadderOutput, Recipe, VideoOutput
from mayfly.contract.report import Media, Scored, Window
from mayfly.core import grids
from worker import containers, cuts, looks, windows
from worker.compile_quality import MODEL, SUBSAMPLING, Look, of_films, of_grid
from worker.ends import Doubted
from worker.picture import Size
from worker.preflight import Material, Seen
from worker.promise import OUTPUTS
from worker.room import Room
from worker.rungs import path, rungs_of

#: What a chunk stores of its share. No file of a recipe can be called so.
GLANCES = "_glances.json"

_GLANCES_BYTES_MAX = 4 << 20


class Glance(msgspec.Struct, frozen=True, kw_only=True):
    """One picture over one window, or over what of it lies in one chunk."""

    output: int
    rung: int | None = None
    width: int
    height: int
    start_ticks: int
    end_ticks: int
    vmaf: float


class Glances(msgspec.Struct, frozen=True, kw_only=True):
    """All of a chunk."""

    seen: tuple[Glance, ...] = ()


def of_chunk(room: Room, seen: Seen, scope: Scope) -> list[tuple[str, Media]]:
    """The file of a chunk's glances, if a quality is asked for. Raises WorkFailed, Halted."""
    if room.decided is None:
        return []
    found = [
        glance
        for window in room.decided.windows
        if (inner := windows.within(window, scope)) is not None
        for glance in _glances(room, room.decided, seen, inner, part=True)
    ]
    target = f"{OUTPUTS}/{GLANCES}"
    (room.folder / target).write_bytes(msgspec.json.encode(Glances(seen=tuple(found))))
    return [(target, Media(container="list"))]


def of_whole(room: Room, material: Material) -> tuple[Scored, ...]:
    """Of a source that was not cut. Raises WorkFailed, Halted."""
    decided = room.decided
    if decided is None or not decided.windows:
        return ()
    clock = cuts.clock_of(material, room.order.task.recipe)
    found = [
        glance
        for number, (start, end) in enumerate(decided.windows, start=1)
        for glance in _glances(
            room,
            decided,
            material,
            Scope(number=number, clock=clock, start_ticks=start, end_ticks=end),
            part=False,
        )
    ]
    return _scored(room.order.task.recipe, decided, clock, found)


def joined(room: Room, clock: PlanClock, paths: Sequence[Path]) -> tuple[Scored, ...]:
    """Of all chunks, whose files these are. Raises Doubted."""
    if clock.quality is None:
        return ()
    found: list[Glance] = []
    for one in paths:
        if one.stat().st_size > _GLANCES_BYTES_MAX:
            raise Doubted("what a chunk says of its looks is too long")
        try:
            found += wire.decode(Glances, one.read_bytes()).seen
        except wire.Refusal as refusal:
            raise Doubted(f"what a chunk says of its looks: {refusal}") from None
    return _scored(room.order.task.recipe, clock.quality, clock, found)


def _glances(room: Room, decided: Decided, seen: Seen, scope: Scope, *, part: bool) -> list[Glance]:
    wanted: list[tuple[Factor, Size, Look]] = []
    outputs = []
    for number, output in enumerate(room.recipe.outputs):
        factors = [one for one in decided.factors if one.output == number and one.made]
        if not factors:
            continue
        outputs.append(output)
        if isinstance(output, LadderOutput):
            wanted += _of_ladder(output, sorted(factors, key=_rung), seen, scope)
        elif isinstance(output, VideoOutput):
            wanted.append(_of_film(output, factors[0], seen, scope, part=part))
    compared = msgspec.structs.replace(room.recipe, outputs=tuple(outputs))
    found = looks.look(room, compared, seen, scope, [look for _, _, look in wanted])
    assert scope.start_ticks is not None and scope.end_ticks is not None
    return [
        Glance(
            output=factor.output,
            rung=factor.rung,
            width=size.width,
            height=size.height,
            start_ticks=scope.start_ticks,
            end_ticks=scope.end_ticks,
            vmaf=round(vmaf, 3),
        )
        for (factor, size, _), vmaf in zip(wanted, found, strict=True)
    ]


def _rung(factor: Factor) -> int:
    return factor.rung or 0


def _of_ladder(
    ladder: LadderOutput, factors: Sequence[Factor], seen: Seen, scope: Scope
) -> list[tuple[Factor, Size, Look]]:
    assert seen.picture is not None
    first, end = grids.segments_of(scope)
    assert end is not None
    start_seconds, end_seconds = of_grid(scope.clock, (first, end))
    return [
        (
            factor,
            rung.size,
            Look(
                reference=path(ladder, rung.name),
                path=path(ladder, rung.name),
                demuxer="mov",
                start_seconds=start_seconds,
                end_seconds=end_seconds,
            ),
        )
        for factor, rung in zip(factors, rungs_of(ladder, seen.picture), strict=True)
    ]


def _of_film(
    film: VideoOutput, factor: Factor, seen: Seen, scope: Scope, *, part: bool
) -> tuple[Factor, Size, Look]:
    assert seen.picture is not None
    demuxer = "mov" if part else containers.demuxer(film.holds)
    start, end = of_films(scope, demuxer)
    look = Look(
        reference=film.file,
        path=f"{OUTPUTS}/{film.file}",
        demuxer=demuxer,
        sought=not part,
        start_seconds=start,
        end_seconds=end,
    )
    return factor, cuts.size_of(film, seen.picture), look


def _scored(
    recipe: Recipe, decided: Decided, clock: PlanClock, glances: Sequence[Glance]
) -> tuple[Scored, ...]:
    """By output and rung, in the recipe's order."""

    def key(glance: Glance) -> tuple[int, int]:
        return glance.output, -1 if glance.rung is None else glance.rung

    found = []
    for (number, rung), group in itertools.groupby(sorted(glances, key=key), key=key):
        seen = sorted(group, key=lambda glance: glance.start_ticks)
        factor = next(
            one
            for one in decided.factors
            if (one.output, -1 if one.rung is None else one.rung) == (number, rung)
        )
        output = recipe.outputs[number]
        assert isinstance(output, VideoOutput | LadderOutput)
        values = [glance.vmaf for glance in seen]
        found.append(
            Scored(
                file=output.file,
                width=seen[0].width,
                height=seen[0].height,
                crf=factor.crf,
                vmaf=round(sum(values) / len(values), 2),
                vmaf_min=min(values),
                wanted=None if output.quality is None else output.quality.vmaf,
                sampled=factor.vmaf,
                model=MODEL,
                subsampling=SUBSAMPLING,
                windows=tuple(_window(glance, clock) for glance in seen),
            )
        )
    return tuple(found)


def _window(glance: Glance, clock: PlanClock) -> Window:
    tick = Fraction(*clock.time_base)
    start = (glance.start_ticks - clock.origin_ticks) * tick
    return Window(
        start_seconds=round(float(start), 3),
        seconds=round(float((glance.end_ticks - glance.start_ticks) * tick), 3),
        vmaf=glance.vmaf,
    )
