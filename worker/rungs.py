"""Which sizes a ladder comes to with a source, and where ffmpeg writes them. Pure."""

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType

from mayfly.contract import recipe
from mayfly.contract.recipe import LadderOutput
from worker.assets import Asset
from worker.drawing import Drawing, drawing
from worker.picture import Size
from worker.probe import Stream


def sound_name(number: int) -> str:
    """The name of a sound's track."""
    return f"a{number}"


def is_sound(track: str) -> bool:
    """Whether a track of that name is one."""
    return track.startswith("a")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """One size of the picture."""

    #: Its track.
    name: str
    drawing: Drawing
    wanted: recipe.Rung

    @property
    def size(self) -> Size:
        """Of all of it."""
        return self.drawing.size


def rungs_of(
    ladder: LadderOutput, picture: Stream, assets: Mapping[str, Asset] = MappingProxyType({})
) -> tuple[Rung, ...]:
    """In the recipe's order. Boxes above the source come to the source's own size, and of those of
    one size the smallest box is kept, whose cap is meant for it: so the source's size is there,
    whichever it is, and nothing twice."""
    fitted = [
        (drawing(picture, ladder, wanted.box, climbs=True, assets=assets), wanted)
        for wanted in ladder.rungs
    ]
    kept: dict[Size, recipe.Rung] = {}
    for its, wanted in fitted:
        other = kept.get(its.size)
        if other is None or _area(wanted) < _area(other):
            kept[its.size] = wanted
    in_order = [pair for pair in fitted if kept[pair[0].size] is pair[1]]
    return tuple(
        Rung(name=f"v{number}", drawing=its, wanted=wanted)
        for number, (its, wanted) in enumerate(in_order)
    )


def path(ladder: LadderOutput, track: str) -> str:
    """Where ffmpeg writes all of a track, in one file: no output of a recipe can be called so."""
    return f"out/_{ladder.file}-{track}.mp4"


def _area(wanted: recipe.Rung) -> int:
    return wanted.box.width * wanted.box.height
