"""A time-lapse: photographs are brought, looked at, put into one order and one shape, and laid
behind each other as a source; what follows is what follows of any source.

Each photograph is opened by a program of its own, so a hostile or broken one ends itself and no
other, and what it may use is bounded for each. One that cannot be read is left out and named; too
many of them end the job. The photographs of a job lie on the disk together until their order is
known, and then each is gone when its picture is made.
"""

import dataclasses
import logging
import os
import shutil
from collections.abc import Hashable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path

from mayfly.contract.photographs import (
    PHOTOGRAPHS_MAX,
    Photograph,
    Photographs,
    read_photographs,
)
from mayfly.contract.recipe import Timelapse
from mayfly.contract.task import Fetch
from mayfly.core import limits
from mayfly.core import limits_of_photographs as bounds
from worker import compile_lapse, lapse_plan, luma, photograph, run, searching, whole
from worker.bringing import AT_ONCE, Renewed, in_order
from worker.ends import WorkFailed
from worker.ffmpeg_words import last_words
from worker.lapse_plan import Place, Shot
from worker.opening import SOURCE
from worker.order import Done
from worker.photograph import Unusable
from worker.picture import Size
from worker.room import Room
from worker.run import Bounds, Fate

_LOG = logging.getLogger("mayfly.worker")

_BROUGHT, _PICTURES, _SEQUENCE = "in/photographs", "in/pictures", "in/sequence"
#: 64 megapixels, decoded and scaled, take 400 MiB and a few seconds.
_MEMORY_BYTES_MAX = 1 << 30
_SECONDS_MAX = 120
_NAMED_MAX = 3
#: What fetching says when somebody else was at the bucket.
_CHANGED = ("source_missing", "source_replaced")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Refused:
    """One that is left out."""

    number: int
    name: str
    why: str


def do(room: Room) -> Done:
    """Raises WorkFailed, Halted."""
    wanted = room.order.task.recipe.timelapse
    if wanted is None or room.order.grants.inputs is None:
        raise WorkFailed("request_refused", "a time-lapse is made of a list of photographs")
    for folder in (_BROUGHT, _PICTURES, _SEQUENCE):
        (room.folder / folder).mkdir()
    return _Lapse(room=room, wanted=wanted).made()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Lapse:
    """One job's."""

    room: Room
    wanted: Timelapse

    def made(self) -> Done:
        """Raises WorkFailed, Halted."""
        room = self.room
        listed = Renewed(room, read_photographs, _by_number)
        asked = listed.first.photographs
        if not asked:
            raise WorkFailed("images_changed", "the list of them is not kept any more")
        if len(asked) > PHOTOGRAPHS_MAX:  # of a task that a user wrote
            detail = f"{len(asked)} photographs, at most {PHOTOGRAPHS_MAX}"
            raise WorkFailed("request_refused", detail)
        shots, refused = self._brought(listed)
        self._check(refused, len(asked))
        canvas = lapse_plan.canvas(shots, room.order.task.recipe)
        shots, more = self._pictured(shots, canvas)
        refused = sorted([*refused, *more], key=lambda one: one.number)
        self._check(refused, len(asked))
        shots = lapse_plan.ordered(shots, self.wanted, listed=listed.first.listed)
        if self.wanted.deflicker:
            self._even(shots, canvas)
        frames = self._sequence(shots)
        material = room.looked_at()
        if material.scan.frames != frames:
            got = material.scan.frames
            raise WorkFailed("output_broken", f"{frames} photographs became {got} pictures")
        room, told = searching.settled(room, material)
        note = f"{_note(len(shots), listed.first, refused, frames)} {told}".strip()
        return whole.encode(room, material, note, "")

    # --- Each by itself ----------------------------------------------------------------------

    def _brought(self, listed: Renewed[Photographs]) -> tuple[list[Shot], list[_Refused]]:
        """All of them on the disk, and what they say of themselves."""
        room = self.room
        room.order.progress.stage = "fetching"
        asked = listed.first.photographs
        self._check_disk(sum(one.size_bytes or 0 for one in asked))

        def bring(number: int, one: Photograph) -> Shot | _Refused:
            try:
                path = room.fetch(
                    lambda: listed.now(number, one.fetch), _brought(number), one.size_bytes
                )
            except WorkFailed as failed:
                if failed.code in _CHANGED:
                    raise WorkFailed("images_changed", _shown(one.name)) from None
                raise
            try:
                return Shot(number=number, name=one.name, photo=photograph.look(path))
            except Unusable as why:
                path.unlink()
                return _Refused(number=number, name=one.name, why=str(why))

        with in_order(asked, bring, at_once=AT_ONCE) as found:
            return _parted(found)

    def _pictured(self, shots: Sequence[Shot], canvas: Size) -> tuple[list[Shot], list[_Refused]]:
        """A picture of each, of one size."""
        room = self.room
        room.order.progress.stage = "opening the photographs"
        self._check_disk(len(shots) * luma.frame_bytes(canvas) - _bytes_in(room.folder / _BROUGHT))

        def picture(_: int, shot: Shot) -> Shot | _Refused:
            why = self._picture(shot, canvas)
            (room.folder / _brought(shot.number)).unlink()
            return _Refused(number=shot.number, name=shot.name, why=why) if why else shot

        with in_order(shots, picture, at_once=room.settings.threads) as found:
            return _parted(found)

    def _picture(self, shot: Shot, canvas: Size) -> str:
        """Makes it; why not, where that cannot be done."""
        room, target = self.room, _picture(shot.number)
        size = luma.frame_bytes(canvas)
        plan = compile_lapse.compile_photograph(
            _brought(shot.number),
            shot.photo,
            self._place(shot, canvas),
            canvas,
            target,
            crop=self.wanted.mixed == "crop",
            ffmpeg_path=room.settings.ffmpeg,
        )
        ending = run.run(
            plan.argv,
            folder=room.folder,
            bounds=Bounds(
                seconds=_SECONDS_MAX, memory_bytes=_MEMORY_BYTES_MAX, file_bytes=size + 4096
            ),
            halt=room.order.halt,
            on_line=lambda _: True,
        )
        path = room.folder / target
        if ending.fate is Fate.SUCCEEDED and path.is_file() and path.stat().st_size == size:
            return ""
        path.unlink(missing_ok=True)
        self._check_disk(size)  # a full disk is no fault of the photograph's
        _LOG.info("A photograph cannot be opened: %s.", last_words(ending))
        if ending.fate is Fate.MEMORY_LIMIT:
            return "it needs more memory than a photograph may"
        return "it is damaged, or ends too early"

    def _place(self, shot: Shot, canvas: Size) -> Place:
        return lapse_plan.place(shot.photo, canvas, self.wanted.mixed)

    def _check(self, refused: Sequence[_Refused], asked: int) -> None:
        if len(refused) == asked:
            raise WorkFailed("no_images", _told(refused))
        if len(refused) > self.wanted.skip_max * asked:
            raise WorkFailed("images_refused", f"{len(refused)} of {asked}: {_told(refused)}")

    def _check_disk(self, more_bytes: int) -> None:
        free = shutil.disk_usage(self.room.folder).free
        if more_bytes + limits.RESERVED_DISK_BYTES > free:
            detail = f"the photographs need {more_bytes} bytes, and {free} are free"
            raise WorkFailed("source_too_large", detail)

    # --- All together ------------------------------------------------------------------------

    def _even(self, shots: Sequence[Shot], canvas: Size) -> None:
        """Makes pictures that lie there alike in brightness."""
        room = self.room
        room.order.progress.stage = "evening out brightness"
        paths = [room.folder / _picture(shot.number) for shot in shots]
        levels = []
        for shot, path in zip(shots, paths, strict=True):
            room.order.halt.check()
            levels.append(luma.brightness(path, canvas, self._place(shot, canvas)))
        for path, gain in zip(paths, luma.gains(levels), strict=True):
            room.order.halt.check()
            path.write_bytes(luma.brightened(path.read_bytes(), canvas, gain))

    def _sequence(self, shots: Sequence[Shot]) -> int:
        """Lays them behind each other; how many pictures that makes."""
        room = self.room
        rate = lapse_plan.rate_of(self.wanted, len(shots))
        number = 0
        for shot, times in zip(shots, lapse_plan.held(shots, self.wanted, rate), strict=True):
            path = room.folder / _picture(shot.number)
            for _ in range(times):
                os.link(path, room.folder / _SEQUENCE / f"{number:07d}.pgmyuv")
                number += 1
        rate = lapse_plan.rate_of(self.wanted, number)
        plan = compile_lapse.compile_sequence(
            f"{_SEQUENCE}/%07d.pgmyuv",
            rate,
            SOURCE,
            ffmpeg_path=room.settings.ffmpeg,
            threads=room.settings.threads,
        )
        room.run(plan, float(Fraction(number) / rate))
        for folder in (_PICTURES, _SEQUENCE):
            shutil.rmtree(room.folder / folder)
        room.order.progress.fraction = 0.0
        return number


def _by_number(listed: Photographs) -> dict[Hashable, Fetch]:
    return {number: one.fetch for number, one in enumerate(listed.photographs)}


def _parted(found: Iterator[Shot | _Refused]) -> tuple[list[Shot], list[_Refused]]:
    shots: list[Shot] = []
    refused: list[_Refused] = []
    for one in found:
        if isinstance(one, Shot):
            shots.append(one)
        else:
            refused.append(one)
    return shots, refused


def _brought(number: int) -> str:
    return f"{_BROUGHT}/{number:05d}"


def _picture(number: int) -> str:
    return f"{_PICTURES}/{number:05d}.pgmyuv"


def _bytes_in(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


def _shown(name: str) -> str:
    """A user's word, in an outcome."""
    text = "".join(sign if sign.isprintable() else "?" for sign in name)
    return (
        text
        if len(text) <= bounds.NAME_CHARACTERS_MAX
        else f"…{text[-bounds.NAME_CHARACTERS_MAX :]}"
    )


def _told(refused: Sequence[_Refused]) -> str:
    told = [f"{_shown(one.name)} ({one.why})" for one in refused[:_NAMED_MAX]]
    more = len(refused) - len(told)
    return "; ".join(told) + (f"; and {more} more" if more else "")


def _note(used: int, listed: Photographs, refused: Sequence[_Refused], frames: int) -> str:
    asked = len(listed.photographs)
    said = [
        f"Made of {used} photographs" if not refused else f"Made of {used} of {asked} photographs"
    ]
    if refused:
        said.append(f"left out: {_told(refused)}")
    if frames > used:
        said.append(f"{frames - used} pictures stand for pauses")
    if listed.ignored:
        said.append(f"{listed.ignored} other files in the folder were not looked at")
    return "; ".join(said) + "."
