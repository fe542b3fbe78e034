"""Speaks: lines, tables and bars for people; JSON for programs. Never both at once.

With `--json` standard output holds one document, or one document a line for a command that
follows something; people's words are left out. On a terminal there are bars and colours
(`NO_COLOR` is respected); elsewhere plain lines. What other people named (files, keys) may hold
anything, so control characters are shown, not sent to the terminal.
"""

import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from rich.console import Console

#: Plain progress is one line at each of these steps, and none for what is quickly done.
_PLAIN_STEP = 0.1
_PLAIN_SECONDS = 2.0


class Bar(Protocol):
    """A progress bar under way."""

    def to(self, fraction: float | None, note: str = "") -> None:
        """How far it is, 0..1; None: nobody knows. `note` stands beside it."""


class Voice:
    """One command's way to speak."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self._console: Console | None = None

    @property
    def on_terminal(self) -> bool:
        """Whether a person is looking at moving things."""
        return not self.as_json and self._rich().is_terminal

    def say(self, text: str, *, style: str = "") -> None:
        """One line, or several."""
        if not self.as_json:
            self._rich().print(clean(text), style=style or None)

    def document(self, document: Any) -> None:
        """The answer, for programs."""
        if self.as_json:
            print(json.dumps(plain(document), ensure_ascii=False, indent=2), flush=True)

    def event(self, document: Any) -> None:
        """One of many answers, for programs: one line each."""
        if self.as_json:
            print(json.dumps(plain(document), ensure_ascii=False), flush=True)

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Rows under their columns; everything but the last column keeps its whole width."""
        if self.as_json:
            return
        cells = [[clean(cell) for cell in row] for row in (columns, *rows)]
        widths = [max(len(row[at]) for row in cells) for at in range(len(columns))]
        for number, row in enumerate(cells):
            padded = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
            line = "  ".join(padded).rstrip()
            self._rich().print(line, style=None if number else "bold", overflow="ignore")

    def error(self, sentence: str, advice: str = "") -> None:
        """What is wrong and what to do: on standard error, or as the document."""
        if self.as_json:
            print(json.dumps({"error": {"sentence": sentence, "advice": advice}}), flush=True)
            return
        out = sys.stderr
        print(clean(sentence), file=out)
        if advice:
            print(clean(advice), file=out, flush=True)

    def interrupted(self) -> None:
        """Ctrl-C."""
        self.error("Interrupted.")

    @contextmanager
    def bar(self, name: str) -> Iterator[Bar]:
        """A bar while the body runs: drawn on a terminal, a line at each tenth elsewhere."""
        if self.as_json:
            yield _Silent()
        elif self.on_terminal:
            with _drawn(self._rich(), clean(name)) as bar:
                yield bar
        else:
            yield _Lines(self, name)

    def _rich(self) -> "Console":
        if self._console is None:
            from rich.console import Console

            # Neither markup nor emoji: a file may be called "[red] :smile:.mp4".
            self._console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
        return self._console


class _Silent:
    def to(self, fraction: float | None, note: str = "") -> None:
        """Programs read events."""


class _Lines:
    def __init__(self, voice: Voice, name: str) -> None:
        self._voice = voice
        self._name = name
        self._next = 0.0
        self._quiet_until = time.monotonic() + _PLAIN_SECONDS

    def to(self, fraction: float | None, note: str = "") -> None:
        if fraction is None or fraction < self._next or time.monotonic() < self._quiet_until:
            return
        self._quiet_until = time.monotonic() + _PLAIN_SECONDS
        self._next = (int(fraction / _PLAIN_STEP) + 1) * _PLAIN_STEP
        self._voice.say(f"{self._name}: {fraction:.0%}{f' ({note})' if note else ''}")


@contextmanager
def _drawn(console: "Console", name: str) -> Iterator[Bar]:
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    progress = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[note]}", markup=False),
        console=console,
        transient=True,
    )
    with progress:
        task = progress.add_task(name, total=None, note="")

        class Drawn:
            def to(self, fraction: float | None, note: str = "") -> None:
                total = None if fraction is None else 1.0
                progress.update(task, completed=fraction or 0.0, total=total, note=clean(note))

        yield Drawn()


def clean(text: str) -> str:
    """Control characters shown as escapes; line ends stay."""
    return "".join(c if c.isprintable() or c == "\n" else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()


def plain(document: Any) -> Any:
    """JSON values of contract types, rows and dataclasses."""
    import msgspec

    if isinstance(document, Mapping):
        return {str(key): plain(value) for key, value in document.items()}
    if isinstance(document, list | tuple):
        return [plain(value) for value in document]
    return msgspec.to_builtins(document)
