"""The cues of a storyboard, as players read them: WebVTT, each cue's text a rectangle of a sheet
(`sheet-001.jpg#xywh=160,90,160,90`, W3C Media Fragments). Written, and read back. Pure.

What reads must never share a line with what writes but for the sheets' names.
"""

import dataclasses
import re
from fractions import Fraction
from itertools import pairwise

from mayfly.core import galleries
from worker.made import broken
from worker.picture import Size

_CUE = re.compile(
    r"(\d\d+):([0-5]\d):([0-5]\d)\.(\d{3}) --> (\d\d+):([0-5]\d):([0-5]\d)\.(\d{3})\n"
    r"(\S+)#xywh=(\d+),(\d+),(\d+),(\d+)"
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """How a storyboard is laid out, and which stretch of the film each picture stands for."""

    columns: int
    rows: int
    #: Of one picture.
    size: Size
    every_seconds: int
    #: Of each picture, in order: counted from 0.
    stretches: tuple[int, ...]
    #: When the film is over, in seconds; None where its clock does not tell.
    until: Fraction | None

    @property
    def sheets(self) -> int:
        """How many there are."""
        return -(-len(self.stretches) // (self.columns * self.rows))

    @property
    def sheet_size(self) -> Size:
        """All are of one size, the last as well."""
        return Size(self.columns * self.size.width, self.rows * self.size.height)

    def bounds_ms(self) -> list[int]:
        """When each picture begins to stand for the film, and when the last ends. The first does
        from the beginning; where no frame is in a stretch, the picture before it stands on."""
        starts = [0, *(number * self.every_seconds * 1000 for number in self.stretches[1:])]
        last = (self.stretches[-1] + 1) * self.every_seconds * 1000
        if self.until is not None:
            last = min(last, round(self.until * 1000))
        return [*starts, max(last, starts[-1] + 1)]


def written(board: Board) -> str:
    """All cues."""
    width, height = board.size.width, board.size.height
    lines = ["WEBVTT", ""]
    for number, (start, end) in enumerate(pairwise(board.bounds_ms())):
        sheet, place = divmod(number, board.columns * board.rows)
        row, column = divmod(place, board.columns)
        lines += [
            f"{_clock(start)} --> {_clock(end)}",
            f"{galleries.sheet(sheet + 1)}#xywh={column * width},{row * height},{width},{height}",
            "",
        ]
    return "\n".join(lines)


def check(text: str, board: Board) -> None:
    """That it has a cue for each picture, one after the other without a gap, and that each names a
    place of its own on a sheet that there is. Raises WorkFailed(output_broken)."""
    head, *blocks = text.rstrip("\n").split("\n\n")
    cues = [_CUE.fullmatch(block) for block in blocks]
    if head != "WEBVTT" or len(cues) != len(board.stretches):
        broken(f"the storyboard has {len(cues)} cues for {len(board.stretches)} pictures")
    at, places = 0, []
    for cue in cues:
        if cue is None:
            broken("a cue of the storyboard cannot be read")
        start, end = _ms(cue.groups()[:4]), _ms(cue.groups()[4:8])
        x, y, width, height = map(int, cue.groups()[9:])
        if start != at or end <= start:
            broken(f"a cue of the storyboard begins at {start} ms, not at {at}")
        at = end
        places.append((cue[9], y, x))
        if (width, height) != (board.size.width, board.size.height):
            broken("a cue of the storyboard is of another size than its picture")
        if x + width > board.sheet_size.width or y + height > board.sheet_size.height:
            broken("a cue of the storyboard leads beyond its sheet")
    if sorted(set(places)) != places:
        broken("cues of the storyboard show one place twice, or are out of order")
    if {name for name, _, _ in places} != {galleries.sheet(n + 1) for n in range(board.sheets)}:
        broken("the storyboard names other sheets than there are")


def _clock(ms: int) -> str:
    seconds, ms = divmod(ms, 1000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{ms:03d}"


def _ms(fields: tuple[str, ...]) -> int:
    hours, minutes, seconds, ms = map(int, fields)
    return ((hours * 60 + minutes) * 60 + seconds) * 1000 + ms
