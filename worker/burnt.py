"""Compiles subtitles into pictures: the filter that draws them, and what it draws from. Pure.

It must never open anything but what stands here: a file that we wrote, and our own font. A source's
subtitles and fonts are a stranger's programs to whoever draws them.
"""

import unicodedata
from collections.abc import Sequence
from typing import Any

from worker.picture import Size
from worker.subtitle_text import Cue, Line, Run

# Beneath the attempt's folder, under names that no source has a word in.
FONTS = "in/fonts"
#: What keeps the machine's own fonts away: a film is to look alike wherever it is made.
NO_OTHER_FONTS = (
    '<?xml version="1.0"?>\n<fontconfig>'
    f'<dir prefix="cwd">{FONTS}</dir><cachedir prefix="cwd">in/fonts-seen</cachedir>'
    "</fontconfig>\n"
)
_FONT = "Noto Sans"

#: Of the shorter side of a picture that is as wide as most: broadcasters' letters are as high.
_LETTER_HEIGHT = 0.06
_WIDEST = 4 / 3
_MARGIN, _OUTLINE = 0.05, 0.004

#: Signs that a font need not have: they are left out. Letters it must have.
_DISPENSABLE = ("So", "Sk", "Cf", "Co", "Cn", "Zs", "Mn", "Me")

_WORD_JOINER = "\u2060"

_STYLE = (
    "Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, Bold,"
    " Italic, Underline, StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow,"
    " Alignment, MarginL, MarginR, MarginV, Encoding"
)


def path(size: Size) -> str:
    """Where the subtitles for pictures of a size lie."""
    return f"in/burnt-{size.width}x{size.height}.ass"


def drawn(picture: Any, size: Size) -> Any:
    """With what is said at each frame's moment, counted from the film's beginning."""
    return picture.filter("subtitles", filename=path(size), fontsdir=FONTS)


def written(cues: Sequence[Cue], size: Size) -> str:
    """All of them for pictures of a size, in ASS: white letters with a black edge, below."""
    side = min(size.height, size.width / _WIDEST)
    letters, margin = round(side * _LETTER_HEIGHT, 1), round(side * _MARGIN)
    edge = round(max(1.0, side * _OUTLINE), 1)
    style = (
        f"Default,{_FONT},{letters},&H00FFFFFF,&H00FFFFFF,&H00000000,&H00000000,0,0,0,0,100,100,0,0,"
        f"1,{edge},0,2,{margin},{margin},{margin},1"
    )
    lines = [
        "[Script Info]",
        "ScriptType: v4.00+",
        f"PlayResX: {size.width}",
        f"PlayResY: {size.height}",
        "WrapStyle: 0",
        "ScaledBorderAndShadow: yes",
        "",
        "[V4+ Styles]",
        f"Format: {_STYLE}",
        f"Style: {style}",
        "",
        "[Events]",
        "Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text",
        *(
            f"Dialogue: 0,{_clock(cue.start_ms)},{_clock(cue.end_ms)},Default,,0,0,0,,{_text(cue)}"
            for cue in cues
        ),
        "",
    ]
    return "\n".join(lines)


def undrawable(cues: Sequence[Cue], known: frozenset[int]) -> str:
    """Letters that the font has not, each once, in the order of their numbers."""
    said = {one for cue in cues for one in cue.said() if one != "\n" and ord(one) not in known}
    return "".join(sorted(one for one in said if not _is_dispensable(one)))


def without_signs(cues: Sequence[Cue], known: frozenset[int]) -> list[Cue]:
    """What can be drawn of them: without the signs that the font has not."""
    kept = []
    for cue in cues:
        lines = tuple(line for line in (_drawable(line, known) for line in cue.lines) if line)
        if lines:
            kept.append(Cue(cue.start_ms, cue.end_ms, lines))
    return kept


def _drawable(line: Line, known: frozenset[int]) -> Line:
    runs = [
        Run("".join(one for one in run.text if ord(one) in known), run.bold, run.italic,
            run.underlined)
        for run in line
    ]  # fmt: skip
    return tuple(runs) if any(run.text.strip() for run in runs) else ()


def _is_dispensable(one: str) -> bool:
    return unicodedata.category(one) in _DISPENSABLE


def _text(cue: Cue) -> str:
    return r"\N".join("".join(map(_marked, line)) for line in cue.lines)


def _marked(run: Run) -> str:
    """What would be a command is parted by a sign that nobody sees."""
    text = run.text.replace("\\", f"\\{_WORD_JOINER}")
    text = text.replace("{", r"\{").replace("}", r"\}")
    for name, wanted in (("u", run.underlined), ("i", run.italic), ("b", run.bold)):
        if wanted:
            text = f"{{\\{name}1}}{text}{{\\{name}0}}"
    return text


def _clock(ms: int) -> str:
    """In hundredths, since ASS knows no more: never before its time."""
    hundredths = -(-ms // 10)
    seconds, hundredths = divmod(hundredths, 100)
    return f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{hundredths:02d}"
