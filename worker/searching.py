"""Finds, for one source, with which rate factor each picture looks as good as its recipe wants.

A few windows are encoded as chunks would be, and looked at. It must never decide what follows from
that: `mayfly.core.quality` does.
"""

import dataclasses
import logging
from collections.abc import Mapping, Sequence

import msgspec

from mayfly.contract import formats
from mayfly.contract.plan import Decided, Factor, PlanClock, Scope
from mayfly.contract.recipe import LadderOutput, Quality, Recipe, VideoOutput
from mayfly.core import grids, quality
from worker import cuts, looks, windows
from worker.compile_quality import Look, compile_sample, of_films, of_grid
from worker.picture import Size
from worker.preflight import Material
from worker.promise import OUTPUTS
from worker.room import Room
from worker.rungs import path, rungs_of

_LOG = logging.getLogger("mayfly.worker")

#: Which picture of a recipe: the number of its output, and of its rung.
Key = tuple[int, int | None]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """A picture whose factor is open, or of which it is only asked how it looks."""

    key: Key
    size: Size
    first: int
    quality: Quality | None
    bounds: tuple[int, int]

    def next(self, tried: Mapping[int, float]) -> int | None:
        """What to try, after these."""
        if self.quality is None:
            return None if tried else self.first
        return quality.next_factor(self.quality.vmaf, self.bounds, self.first, tried)

    def chosen(self, tried: Mapping[int, float]) -> int:
        """What it is made with, after these."""
        return self.first if self.quality is None else quality.chosen(self.quality.vmaf, tried)


def settled(room: Room, material: Material) -> tuple[Room, str]:
    """The room of a recipe that leaves nothing open, and what to tell about that; the outputs'
    folder is empty as before. Raises WorkFailed, Halted."""
    wanted = room.order.task.recipe
    if room.decided is not None or material.picture is None or not quality.asks(wanted):
        return room, ""
    still_open = _open(wanted, material)
    if why := cuts.uncuttable(material):
        told = f"Its quality could not be searched, for {why}: it has the usual one."
        return dataclasses.replace(room, decided=_unsearched(still_open)), told
    search = _Search(room=room, material=material, clock=cuts.clock_of(material, wanted))
    decided = search.decide(still_open)
    room.empty_outputs()
    return dataclasses.replace(room, decided=decided), ""


def _open(wanted: Recipe, material: Material) -> list[Open]:
    assert material.picture is not None
    found = []
    for number, output in enumerate(wanted.outputs):
        if isinstance(output, VideoOutput) and output.quality is not None:
            size = cuts.size_of(output, material.picture)
            first = formats.CRF_DEFAULT[output.codec]
            bounds = output.quality.bounds(output.codec)
            found.append(
                Open(
                    key=(number, None),
                    size=size,
                    first=first,
                    quality=output.quality,
                    bounds=bounds,
                )
            )
        if isinstance(output, LadderOutput) and (output.quality or output.vmaf_apart):
            bounds = output.quality.bounds(output.codec) if output.quality else (0, 0)
            found += [
                Open(
                    key=(number, output.rungs.index(rung.wanted)),
                    size=rung.size,
                    first=rung.wanted.crf or formats.CRF_DEFAULT[output.codec],
                    quality=output.quality,
                    bounds=bounds,
                )
                for rung in rungs_of(output, material.picture)
            ]
    return found


def _unsearched(still_open: Sequence[Open]) -> Decided:
    factors = (
        Factor(output=one.key[0], rung=one.key[1], crf=one.chosen({one.first: 0.0}), vmaf=0.0)
        for one in still_open
    )
    return Decided(factors=tuple(factors), windows=())


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Search:
    room: Room
    material: Material
    clock: PlanClock

    def decide(self, still_open: Sequence[Open]) -> Decided:
        """Raises WorkFailed, Halted."""
        seen = windows.windows(self.material, self.clock)
        scopes = [
            Scope(number=number, clock=self.clock, start_ticks=start, end_ticks=end)
            for number, (start, end) in enumerate(seen, start=1)
        ]
        tried: dict[Key, dict[int, float]] = {one.key: {} for one in still_open}
        while asked := {
            one.key: factor
            for one in still_open
            if (factor := one.next(tried[one.key])) is not None
        }:
            found = self._scores(asked, scopes)
            for key, vmaf in found.items():
                tried[key][asked[key]] = vmaf
            told = ", ".join(f"{asked[key]}: {vmaf:.2f}" for key, vmaf in found.items())
            _LOG.info("Samples with these crfs have these VMAFs: %s.", told)
        chosen = {one.key: one.chosen(tried[one.key]) for one in still_open}
        made = self._apart(still_open, chosen, scopes)
        return Decided(
            factors=tuple(
                Factor(
                    output=one.key[0],
                    rung=one.key[1],
                    crf=chosen[one.key],
                    vmaf=round(tried[one.key].get(chosen[one.key], 0.0), 3),
                    made=made.get(one.key, True),
                )
                for one in still_open
            ),
            windows=seen,
        )

    def _apart(
        self, still_open: Sequence[Open], chosen: Mapping[Key, int], scopes: Sequence[Scope]
    ) -> dict[Key, bool]:
        """Which rungs are made, where they are to look different."""
        made: dict[Key, bool] = {}
        for number, output in enumerate(self.room.order.task.recipe.outputs):
            if not isinstance(output, LadderOutput) or output.vmaf_apart is None:
                continue
            rungs = sorted(
                (one for one in still_open if one.key[0] == number),
                key=lambda one: one.size.width * one.size.height,
            )
            asked = {one.key: chosen[one.key] for one in rungs}
            seen = self._scores(asked, scopes, at=rungs[-1])
            worth = quality.apart([seen[one.key] for one in rungs], output.vmaf_apart)
            made |= {one.key: its for one, its in zip(rungs, worth, strict=True)}
        return made

    def _scores(
        self, asked: Mapping[Key, int], scopes: Sequence[Scope], at: Open | None = None
    ) -> dict[Key, float]:
        """The means over all windows; `at` brings all to its size and holds them against its."""
        sums = dict.fromkeys(asked, 0.0)
        sampled = _asked(self.room.order.task.recipe, asked)
        compared = sampled if at is None else _asked(self.room.order.task.recipe, {at.key: 1})
        settings = self.room.settings
        for scope in scopes:
            plan = compile_sample(
                sampled,
                self.material,
                scope,
                ffmpeg_path=settings.ffmpeg,
                threads=settings.threads,
            )
            self.room.run(plan, None, self.material.opening)
            wanted = [self._look(key, asked, scope, at) for key in asked]
            found = looks.look(self.room, compared, self.material, scope, wanted)
            for key, vmaf in zip(asked, found, strict=True):
                sums[key] += vmaf / len(scopes)
            self.room.empty_outputs()
        return sums

    def _look(self, key: Key, asked: Mapping[Key, int], scope: Scope, at: Open | None) -> Look:
        output, demuxer = self.room.order.task.recipe.outputs[key[0]], "mov"
        if isinstance(output, LadderOutput):
            made = path(output, _track(key, asked))
            start, end = of_grid(self.clock, _whole(grids.segments_of(scope)))
            reference = made if at is None else path(output, "v0")
        else:
            made = reference = f"{OUTPUTS}/{output.file}"
            start, end = of_films(scope, demuxer)
        return Look(
            reference=reference if isinstance(output, LadderOutput) else output.file,
            path=made,
            demuxer=demuxer,
            sought=isinstance(output, LadderOutput),
            start_seconds=start,
            end_seconds=end,
            enlarged=None if at is None else at.size,
        )


def _whole(segments: tuple[int, int | None]) -> tuple[int, int]:
    first, end = segments
    assert end is not None
    return first, end


def _track(key: Key, asked: Mapping[Key, int]) -> str:
    """Of a ladder that has only the rungs that are asked for."""
    return f"v{sorted(rung or 0 for number, rung in asked if number == key[0]).index(key[1] or 0)}"


def _asked(wanted: Recipe, asked: Mapping[Key, int]) -> Recipe:
    """Only these pictures, with these factors."""
    factors = tuple(
        Factor(output=number, rung=rung, crf=crf, vmaf=0.0) for (number, rung), crf in asked.items()
    )
    named = quality.settled(wanted, Decided(factors=factors, windows=()))
    numbers = {number for number, _ in asked}
    # Nobody has laid out yet what is drawn into the picture, and it is lost on both sides.
    outputs = tuple(
        msgspec.structs.replace(one, burn_in=None)
        for number, one in enumerate(named.outputs)
        if number in numbers and isinstance(one, VideoOutput | LadderOutput)
    )
    return msgspec.structs.replace(named, outputs=outputs)
