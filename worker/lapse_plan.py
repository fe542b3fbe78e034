"""From many photographs to one sequence: in which order, in which shape, how quickly. Pure.

It must never open a photograph: what these say of themselves is all it knows.
"""

import dataclasses
import re
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from statistics import median_low

from mayfly.contract.recipe import (
    LAPSE_FPS,
    LAPSE_FPS_MAX,
    LAPSE_FPS_MIN,
    AudioOutput,
    Box,
    LadderOutput,
    Recipe,
    SubtitlesOutput,
    Timelapse,
)
from worker.ends import WorkFailed
from worker.photograph import Photo
from worker.picture import Size, fit

#: Shapes that differ by less are one: cameras round their sides to multiples of eight.
_SHAPES_A_UNIT = 100
#: A pause is what takes so many times the usual distance of two photographs.
_PAUSE = Fraction(3, 2)

_NUMBER = re.compile(r"([0-9]+)")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """One photograph that can be used."""

    #: Where it was in the list.
    number: int
    name: str
    photo: Photo


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a photograph stands in the picture: scaled to `size`; then padded, or cropped."""

    size: Size
    left: int = 0
    top: int = 0

    def fills(self, canvas: Size) -> bool:
        """Whether it is the picture."""
        return self.size == canvas


def ordered(shots: Sequence[Shot], wanted: Timelapse, *, listed: bool) -> list[Shot]:
    """As they are shown. By the camera's clock, one that does not say when it was taken stands
    behind the one before it by name; and whoever was taken at the same moment goes by name."""
    if wanted.order is None and listed:
        return sorted(shots, key=lambda shot: shot.number)
    by_name = sorted(shots, key=lambda shot: _natural(shot.name))
    if wanted.order == "name":
        return by_name
    moment = next((s.photo.taken_us for s in by_name if s.photo.taken_us is not None), 0)
    moments = []
    for shot in by_name:
        moment = moment if shot.photo.taken_us is None else shot.photo.taken_us
        moments.append(moment)
    by_time = sorted(
        zip(moments, range(len(by_name)), by_name, strict=True), key=lambda one: one[:2]
    )
    return [shot for _, _, shot in by_time]


def _natural(name: str) -> tuple[list[tuple[int, int, str]], str]:
    """IMG_2 before IMG_10."""
    parts = [
        (0, int(part), "") if part.isascii() and part.isdigit() else (1, 0, part.casefold())
        for part in _NUMBER.split(name)
        if part
    ]
    return parts, name


def canvas(shots: Sequence[Shot], recipe: Recipe) -> Size:
    """The one size of all: that of most photographs in the shape of most, and no larger than the
    largest output needs."""
    shapes = Counter(_shape(shot.photo) for shot in shots)
    winner = max(shapes, key=lambda shape: (shapes[shape], shape))
    sizes = Counter(shot.photo.upright for shot in shots if _shape(shot.photo) == winner)
    width, height = max(sizes, key=lambda size: (sizes[size], size))
    fits = [fit((width, height), box) for box in _boxes(recipe)]
    return max(fits, key=lambda size: (size.width * size.height, size.width))


def _shape(photo: Photo) -> int:
    width, height = photo.upright
    return round(_SHAPES_A_UNIT * width / height)


def _boxes(recipe: Recipe) -> list[Box | Size]:
    boxes: list[Box | Size] = []
    for output in recipe.outputs:
        if isinstance(output, AudioOutput | SubtitlesOutput):
            continue
        its = (
            [rung.box for rung in output.rungs]
            if isinstance(output, LadderOutput)
            else [output.box]
        )
        whole = output.fit != "fill" and output.crop is None
        # Of what is cut off at its sides, more is needed than fits inside.
        boxes += its if whole else [Size(2 * box.width, 2 * box.height) for box in its]
    return boxes


def place(photo: Photo, on: Size, mixed: str) -> Place:
    """Where it stands; one in the shape of the canvas fills it."""
    width, height = photo.upright
    if abs(width * on.height - height * on.width) * _SHAPES_A_UNIT <= width * on.height:
        return Place(size=on)
    across, down = Fraction(on.width, width), Fraction(on.height, height)
    scale = max(across, down) if mixed == "crop" else min(across, down)
    size = Size(_even(width * scale), _even(height * scale))
    if mixed == "crop":
        size = Size(max(size.width, on.width), max(size.height, on.height))
    else:
        size = Size(min(size.width, on.width), min(size.height, on.height))
    return Place(
        size=size,
        left=_even_below(abs(on.width - size.width) // 2),
        top=_even_below(abs(on.height - size.height) // 2),
    )


def _even(length: Fraction) -> int:
    return max(2, 2 * round(length / 2))


def _even_below(length: int) -> int:
    """4:2:0 colour has no place between two lines."""
    return length - length % 2


def held(shots: Sequence[Shot], wanted: Timelapse, rate: Fraction) -> list[int]:
    """How many times each is shown. Where the camera paused, the last photograph before it as many
    times as usual ones would have come, a second of film at most."""
    if wanted.gaps == "ignore":
        return [1] * len(shots)
    taken = [shot.photo.taken_us for shot in shots]
    steps = [
        None if now is None or then is None else then - now
        for now, then in zip(taken, [*taken[1:], None], strict=True)
    ]
    known = [step for step in steps if step is not None and step > 0]
    usual = median_low(known) if known else 0
    most = max(1, int(rate))
    return [
        min(most, round(Fraction(step, usual)))
        if step is not None and usual and step >= _PAUSE * usual
        else 1
        for step in steps
    ]


def rate_of(wanted: Timelapse, count: int) -> Fraction:
    """Photographs a second. Raises WorkFailed where so many make no film of that length."""
    if wanted.seconds is None:
        return Fraction(wanted.fps or LAPSE_FPS)
    rate = Fraction(count, wanted.seconds)
    if LAPSE_FPS_MIN <= rate <= LAPSE_FPS_MAX:
        return rate
    least, most = -(-count // LAPSE_FPS_MAX), count // LAPSE_FPS_MIN
    raise WorkFailed(
        "request_refused",
        f"{count} photographs make no film of {wanted.seconds} s: take seconds from {least} to"
        f" {most}",
    )
