"""Lists every failure code for readers: the last section of `docs/failures.md` is this module's.

What stands before it is written by hand and kept. A test compares the two, so the page cannot be
older than the codes. Write it anew with `python -m mayfly.core.failure_page docs/failures.md`.
"""

import sys
from pathlib import Path

from mayfly.contract.failure import KNOWN, FailureClass, failure

_HEADING = "## Every code\n"

_OPENING = f"""{_HEADING}
This section is generated from `mayfly/contract/failure.py`; a test fails when it is older.

| code | class | for good? | what happened | what to do |
|---|---|---|---|---|
"""

#: Whether the very same would fail once more.
_FOR_GOOD = {
    FailureClass.BAD_INPUT: "permanent",
    FailureClass.INTERRUPTION: "temporary",
    FailureClass.UNKNOWN: "unknown",
}


def renewed(page: str) -> str:
    """The page with its last section as the codes are now."""
    prose = page.partition(_HEADING)[0].rstrip("\n")
    return f"{prose}\n\n{_OPENING}" + "".join(map(_line, KNOWN))


def _line(code: str) -> str:
    kind, told = KNOWN[code].failure_class, failure(code)
    cells = (f"`{code}`", kind.value, _FOR_GOOD[kind], told.sentence, told.advice)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


if __name__ == "__main__":
    file = Path(sys.argv[1])
    file.write_text(renewed(file.read_text(encoding="utf-8")), encoding="utf-8")
