"""Writes subtitles as files that players read: WebVTT, and SubRip. Pure: the same subtitles give
the same bytes, whatever program and container they come from.

It must never let a word of a subtitle become anything but text: WebVTT has escapes for that, and
SubRip, which has none, gets an invisible sign that joins what it parts.
"""

import re
from collections.abc import Callable, Sequence

from worker.subtitle_text import Cue, Line, Run

#: In HLS, each segment says which moment of the film its times are counted from.
FROM_ZERO = "X-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:0"

_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
#: What players of SubRip take for a mark: a tag, a command of ASS, an arrow.
_MARKS = re.compile(r"<(?=[A-Za-z/!])|\{(?=\\)|--(?=>)")


def webvtt(cues: Sequence[Cue], *heads: str) -> str:
    """All of them, in the order of time; `heads` are lines below the first."""
    blocks = ["\n".join(["WEBVTT", *heads])]
    blocks += [
        f"{_clock(cue.start_ms, '.')} --> {_clock(cue.end_ms, '.')}\n{_text(cue, _escaped)}"
        for cue in cues
    ]
    return "\n\n".join([*blocks, ""])


def subrip(cues: Sequence[Cue]) -> str:
    """The same for players that know no WebVTT."""
    blocks = [
        f"{number}\n{_clock(cue.start_ms, ',')} --> {_clock(cue.end_ms, ',')}\n"
        f"{_text(cue, _parted)}"
        for number, cue in enumerate(cues, start=1)
    ]
    return "\n\n".join([*blocks, ""])


def _text(cue: Cue, safe: Callable[[str], str]) -> str:
    return "\n".join(_line(line, safe) for line in cue.lines)


def _line(line: Line, safe: Callable[[str], str]) -> str:
    """What begins in a line, ends in it: players differ in whether it would go on."""
    return "".join(_marked(run, safe(run.text)) for run in line)


def _marked(run: Run, text: str) -> str:
    for name, wanted in (("u", run.underlined), ("i", run.italic), ("b", run.bold)):
        if wanted:
            text = f"<{name}>{text}</{name}>"
    return text


def _escaped(text: str) -> str:
    return "".join(_ESCAPES.get(one, one) for one in text)


def _parted(text: str) -> str:
    return _MARKS.sub(lambda found: f"{found[0]}\u2060", text)


def _clock(ms: int, point: str) -> str:
    seconds, ms = divmod(ms, 1000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{point}{ms:03d}"
