"""What one subtitle says: lines of text, some of it bold, italic or underlined, and nothing else.

ffmpeg's decoders of all kinds of text give it in the language of ASS, which has commands for fonts,
places, colours, drawings and movement; a stranger has written it. Here is what is kept of that. It
must never keep a character that could mean anything to a player but itself.
"""

import dataclasses
import re
import unicodedata
from collections.abc import Iterator

from worker.ends import WorkFailed

#: Of one subtitle: a screen full of small letters.
CHARACTERS_MAX = 4000

#: A break, a space that breaks nowhere, a brace; or what is in braces.
_TOKEN = re.compile(r"\\([Nnh{}])|\{([^{}]*)\}")

#: `\b1`, `\i0`, `\p2`, `\r`: no other command begins like these and ends there.
_COMMAND = re.compile(r"\\(?:([biup])(\d*)(?![A-Za-z(])|(r))")

#: ASS takes weights too: from here on it is bold.
_BOLD_FROM = 600

_WORD_JOINER, _BYTE_ORDER = "\u2060", "\ufeff"
_NO_BREAK = "\u00a0"


@dataclasses.dataclass(frozen=True, slots=True)
class Run:
    """Some text that looks one way."""

    text: str
    bold: bool = False
    italic: bool = False
    underlined: bool = False


Line = tuple[Run, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Cue:
    """One subtitle: shown from a millisecond to before another."""

    start_ms: int
    end_ms: int
    lines: tuple[Line, ...]

    def said(self) -> str:
        """The text alone, a line each."""
        return "\n".join("".join(run.text for run in line) for line in self.lines)


def lines_of(event: str, *, comments: bool) -> tuple[Line, ...]:
    """What an event of ASS says; nothing of a drawing. `comments`: its author wrote ASS, where
    braces around anything else than commands hide it; to others they are braces. Raises
    WorkFailed(source_absurd)."""
    if len(event) > 16 * CHARACTERS_MAX:
        raise WorkFailed("source_absurd", f"a subtitle of {len(event)} characters")
    lines: list[list[Run]] = [[]]
    for run in _runs(event, comments=comments):
        for number, part in enumerate(run.text.split("\n")):
            if number:
                lines.append([])
            if text := _plain(part):
                _append(lines[-1], dataclasses.replace(run, text=text))
    said = tuple(line for line in map(_trimmed, lines) if line)
    if (count := sum(len(run.text) for line in said for run in line)) > CHARACTERS_MAX:
        raise WorkFailed("source_absurd", f"a subtitle of {count} characters")
    return said


def _runs(event: str, *, comments: bool) -> Iterator[Run]:
    """What is between two commands, with line feeds where lines end."""
    look, drawing, at = Run(""), False, 0
    for found in _TOKEN.finditer(event):
        if not drawing:
            yield dataclasses.replace(look, text=event[at : found.start()].replace("\n", " "))
        at = found.end()
        if found[2] is not None:
            if "\\" in found[2]:
                look, drawing = _looking(look, found[2], drawing=drawing)
            elif not comments and not drawing:
                yield dataclasses.replace(look, text=found[0])
        elif not drawing:
            text = {"N": "\n", "n": "\n", "h": _NO_BREAK}.get(found[1], found[1])
            yield dataclasses.replace(look, text=text)
    if not drawing:
        yield dataclasses.replace(look, text=event[at:].replace("\n", " "))


def _looking(look: Run, commands: str, *, drawing: bool) -> tuple[Run, bool]:
    """How text looks behind these, and whether it is one."""
    for what, number, reset in _COMMAND.findall(commands):
        amount = int(number[:4] or 0)
        match what:
            case "b":
                look = dataclasses.replace(look, bold=amount == 1 or amount >= _BOLD_FROM)
            case "i":
                look = dataclasses.replace(look, italic=amount == 1)
            case "u":
                look = dataclasses.replace(look, underlined=amount == 1)
            case "p":
                drawing = amount > 0
        if reset:
            look = Run("")
    return look, drawing


def _plain(text: str) -> str:
    """Without what is no character to be seen: controls, surrogates, marks of order of bytes. What
    turns the direction of writing stays: Arabic and Hebrew need it."""
    kept = (
        " " if unicodedata.category(one) in ("Zl", "Zp") or one == "\t" else one
        for one in text
        if one == "\t" or unicodedata.category(one) not in ("Cc", "Cs")
    )
    return "".join(kept).replace(_WORD_JOINER, "").replace(_BYTE_ORDER, "")


def _append(line: list[Run], run: Run) -> None:
    if line and dataclasses.replace(line[-1], text="") == dataclasses.replace(run, text=""):
        line[-1] = dataclasses.replace(run, text=line[-1].text + run.text)
    else:
        line.append(run)


def _trimmed(line: list[Run]) -> Line:
    """Without spaces around it; nothing when there is nothing else."""
    runs = [run for run in line if run.text]
    while runs and not runs[0].text.strip():
        runs.pop(0)
    while runs and not runs[-1].text.strip():
        runs.pop()
    if runs:
        runs[0] = dataclasses.replace(runs[0], text=runs[0].text.lstrip())
        runs[-1] = dataclasses.replace(runs[-1], text=runs[-1].text.rstrip())
    return tuple(runs)
