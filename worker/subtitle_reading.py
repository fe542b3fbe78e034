"""Reads files of subtitles back, as strictly as no player does, before anybody gets them.

It must never share a line with what writes them (`worker.subtitle_files`), or one mistake would be
made twice; and never be lenient: a line that it does not know is one that a stranger brought in.
"""

import re
from collections.abc import Callable, Sequence

from worker.made import broken
from worker.subtitle_text import Cue

_MOMENT = r"(\d{2,}):([0-5]\d):([0-5]\d)[.,](\d{3})"
_TIMES = re.compile(rf"{_MOMENT} --> {_MOMENT}")
_TAG = re.compile(r"<(/?)([biu])>")
_ENTITIES = {"&amp;": "&", "&lt;": "<", "&gt;": ">"}

#: When it is shown, in milliseconds, and what it says without marks.
Read = tuple[int, int, str]


def check_webvtt(text: str, cues: Sequence[Cue], *heads: str, until_ms: int | None = None) -> None:
    """That it holds just these, in order, within the film, and nothing else. Raises
    WorkFailed(output_broken)."""
    head, *blocks = _blocks(text)
    if head.split("\n") != ["WEBVTT", *heads]:
        broken("subtitles do not begin as WebVTT")
    _compare([_cue(block.split("\n"), _of_webvtt, ".") for block in blocks], cues, until_ms)


def check_subrip(text: str, cues: Sequence[Cue], *, until_ms: int | None = None) -> None:
    """The same of SubRip. Raises WorkFailed(output_broken)."""
    read = []
    for number, block in enumerate(_blocks(text) if text else [], start=1):
        first, *lines = block.split("\n")
        if first != str(number):
            broken(f"subtitle {number} is numbered {first[:20]}")
        read.append(_cue(lines, _of_subrip, ","))
    _compare(read, cues, until_ms)


def _blocks(text: str) -> list[str]:
    if not text.endswith("\n") or "\r" in text or "\x00" in text:
        broken("subtitles that end in the middle of a line, or in other lines than ours")
    return text[:-1].removesuffix("\n").split("\n\n")


def _cue(lines: Sequence[str], plain: Callable[[str], str], point: str) -> Read:
    found = _TIMES.fullmatch(lines[0]) if lines else None
    if found is None or point not in lines[0] or len(lines) < 2:
        broken("a subtitle cannot be read")
    start, end = _ms(found.groups()[:4]), _ms(found.groups()[4:])
    return start, end, "\n".join(_said(line, plain) for line in lines[1:])


def _said(line: str, plain: Callable[[str], str]) -> str:
    """A line's text. Its tags are b, i and u, each closed in it, the last one first."""
    said, opened, at = "", list[str](), 0
    for tag in _TAG.finditer(line):
        said += plain(line[at : tag.start()])
        at = tag.end()
        if not tag[1]:
            opened.append(tag[2])
        elif not opened or opened.pop() != tag[2]:
            broken("a subtitle closes what it has not opened")
    said += plain(line[at:])
    if opened or not said.strip():
        broken("a subtitle with an empty line, or a tag that is left open")
    return said


def _of_webvtt(text: str) -> str:
    if any(part not in _ENTITIES for part in re.findall(r"&\w*;?|[<>]", text)):
        broken("a subtitle with something else than text in it")
    return re.sub(r"&\w+;", lambda found: _ENTITIES[found[0]], text)


def _of_subrip(text: str) -> str:
    if "-->" in text or "{\\" in text or re.search(r"<[A-Za-z/!]", text):
        broken("a subtitle with something else than text in it")
    return text.replace("\u2060", "")


def _compare(read: Sequence[Read], cues: Sequence[Cue], until_ms: int | None) -> None:
    if len(read) != len(cues):
        broken(f"{len(read)} subtitles, not {len(cues)}")
    before = 0
    for (start, end, said), cue in zip(read, cues, strict=True):
        if not before <= start < end or (until_ms is not None and end > until_ms):
            broken(f"a subtitle from {start} to {end} ms, behind one of {before} ms")
        before = start
        if (start, end) != (cue.start_ms, cue.end_ms):
            broken(f"a subtitle at {start} ms, not at {cue.start_ms}")
        if said != cue.said():
            broken(f"the subtitle at {start} ms says something else")


def _ms(fields: Sequence[str]) -> int:
    hours, minutes, seconds, ms = map(int, fields)
    return ((hours * 60 + minutes) * 60 + seconds) * 1000 + ms
