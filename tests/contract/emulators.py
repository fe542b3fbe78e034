"""Writes `docs/emulators.md`: where emulators differ from AWS, and what memory does.

The page is made of `gaps.py`, whose claims are expected to fail, strictly, and of the sentences in
`mayfly/memory/branches.py`. Write it anew with `python -m tests.contract.emulators`.
"""

import dataclasses
import inspect
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from mayfly.memory.branches import CHOICES, Branches
from tests.contract.gaps import GAPS, Gap

PAGE = Path(__file__).parents[2] / "docs" / "emulators.md"

_OPENING = """\
# Emulators and AWS

This page is generated; a test fails when it is older than what it is made of. The claims about the
emulators are those of `tests/contract`: each is made in memory, with moto and with MiniStack, and
where one is known to fail, its failure is expected strictly, so that a mended emulator is noticed.

The ports in memory (`mayfly/memory`), which the simulator runs on, take AWS's side. Where AWS's
documents leave open what happens, they can do all of it: `Branches` in `mayfly/memory/branches.py`
is one account's behaviour, drawn anew for each seed. A number that is drawn is a chance from 0 to 1
when the field is called a rate, and seconds when it is called that.

| in a cell | means |
|---|---|
| yes | the claim holds there |
| not asked | what the claim needs is missing there |
| – | no claim of ours asks |

"""

_HEAD = "| what AWS does | who says so | moto {moto} | MiniStack {ministack} | in memory |\n"


@dataclasses.dataclass(frozen=True, slots=True)
class Branch:
    """A field of `Branches`, as its comment tells of it."""

    name: str
    service: str
    behaviour: str
    document: str


def branches() -> list[Branch]:
    """In the order of the fields. Raises ValueError for one without a sentence and a page."""
    told: list[Branch] = []
    service, said = "", list[str]()
    for line in inspect.getsource(Branches).splitlines():
        text = line.strip()
        if text.startswith("#: "):
            said.append(text[3:])
        elif text.startswith("# "):
            service = text[2:]
        elif field := re.match(r"(\w+): ", text):
            *sentences, document = said or [""]
            if not sentences or not document.startswith("https://"):
                raise ValueError(f"{field[1]} says not what it is, or not who says so.")
            told.append(Branch(field[1], service, " ".join(sentences), document))
            said = []
    return told


def page() -> str:
    """The whole page."""
    told = {branch.name: branch for branch in branches()}
    in_gaps = {name for gap in GAPS.values() for name in gap.branches}
    services = list(dict.fromkeys(branch.service for branch in told.values()))
    head = _HEAD.format(moto=version("moto"), ministack=version("ministack"))
    parts = [_OPENING]
    for service in services:
        rows = [*_of_gaps(service)]
        rows += [
            _of_branch(branch)
            for branch in told.values()
            if branch.service == service and branch.name not in in_gaps
        ]
        parts.append(f"## {service}\n\n{head}|---|---|---|---|---|\n{''.join(rows)}\n")
    return "".join(parts).rstrip() + "\n"


def _of_gaps(service: str) -> Iterator[str]:
    for gap in GAPS.values():
        if gap.service == service:
            fake = "as AWS" if not gap.branches else "; ".join(map(_drawn, gap.branches))
            cells = (_in_world(gap, world) for world in ("moto", "embedded"))
            yield _row([gap.behaviour, _link(gap.document), *cells, fake])


def _of_branch(branch: Branch) -> str:
    return _row([branch.behaviour, _link(branch.document), "–", "–", _drawn(branch.name)])


def _in_world(gap: Gap, world: str) -> str:
    if world in gap.unasked:
        return "not asked"
    return gap.instead.get(world) or gap.how.get(world, "yes")


def _drawn(name: str) -> str:
    """What a field may be, and what it is when nobody drew it."""
    kind = {field.name: field.default for field in dataclasses.fields(Branches)}[name]
    values: Iterable[Any] = dict.fromkeys(CHOICES[name])
    others = ", ".join(_told(value) for value in values if value != kind)
    return f"`{name}`: {_told(kind)}; drawn also {others}"


def _told(value: Any) -> str:
    words: Mapping[Any, str] = {True: "yes", False: "no", math.inf: "for ever"}
    if isinstance(value, bool) or value == math.inf:
        return words[value]
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def _link(document: str) -> str:
    if issue := re.match(r"https://github.com/\w+/([\w-]+)/(?:issues|pull)/(\d+)$", document):
        return f"[{issue[1]}#{issue[2]}]({document})"
    name = document.rpartition("/")[2].removesuffix(".html").removeprefix("API_")
    return f"[{name}]({document})"


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |\n"


if __name__ == "__main__":
    PAGE.write_text(page())
