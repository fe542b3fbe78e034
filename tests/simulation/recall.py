"""`make sim-planted`: does the search find the bugs that others shipped?

Each is planted in a process of its own (`planting.py`), and the search over it must break a law
within so many seeds. It must import nothing of the code under test.
"""

import argparse
import concurrent.futures
import dataclasses
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence

from tests.simulation.planted import BUGS, Bug, bug_of
from tests.simulation.planting import ROOT, Hunted

SEEDS_MAX = 1000
PAGE = ROOT / "docs/simulation.md"
_BEGIN, _END = "<!-- planted bugs -->\n", "<!-- end of the planted bugs -->\n"


class Failed(Exception):
    """The hunt itself did not come to its end."""


def hunt(bug: Bug, first: int, seeds: int) -> Hunted:
    """In another process. Raises Failed."""
    asked = (str(bug.number), "--first", str(first), "--seeds", str(seeds))
    command = (sys.executable, "-m", "tests.simulation.planting", *asked)
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise Failed(f"Bug {bug.number}: {ran.stderr.strip()}")
    return Hunted(**json.loads(ran.stdout.splitlines()[-1]))


def table(found: Sequence[Hunted]) -> Iterator[str]:
    """For the page: what depends on the machine stands there roughly."""
    yield "| | planted | known from | lives to find | what said so |"
    yield "|---:|---|---|---:|---|"
    for hunted in found:
        bug = bug_of(hunted.number)
        title = bug.title + (" \\*" if bug.nearest else "")
        lives = hunted.lives if hunted.seed is not None else "not found"
        said = told(hunted).replace("|", "\\|")
        yield f"| {bug.number} | {title} | {bug.source} | {lives} | {said} |"


def told(hunted: Hunted) -> str:
    """The violation in one line, without the ids of one life."""
    last = hunted.violation.strip().splitlines()[-1:] or [""]
    return re.sub(r"[0-9a-z]{16,}|(?<![0-9a-z])(?=[a-z]*[0-9])[0-9a-z]{6}", "…", last[0])[:120]


def written(page: str, found: Sequence[Hunted]) -> str:
    """The page with a new table."""
    before, _, rest = page.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    return before + _BEGIN + "\n".join(table(found)) + "\n" + _END + after


def main() -> int:
    """0 when every bug was found."""
    asked = _arguments()
    bugs = [bug_of(asked.bug)] if asked.bug else BUGS
    found: dict[int, Hunted] = {}
    with concurrent.futures.ThreadPoolExecutor(asked.at_once) as pool:
        hunts = [pool.submit(hunt, bug, asked.first, asked.seeds) for bug in bugs]
        for done in concurrent.futures.as_completed(hunts):
            hunted = done.result()
            found[hunted.number] = hunted
            if not asked.json:
                _tell(hunted)
    ordered = [found[bug.number] for bug in bugs]
    missed = [hunted.number for hunted in ordered if hunted.seed is None]
    if asked.json:
        print(json.dumps([dataclasses.asdict(hunted) for hunted in ordered]))
    else:
        print(f"{len(ordered) - len(missed)} of {len(ordered)} found within {asked.seeds} seeds")
    if asked.write:
        PAGE.write_text(written(PAGE.read_text(), ordered))
    return 1 if missed else 0


def _tell(hunted: Hunted) -> None:
    after = f"{hunted.lives:4} lives" if hunted.seed is not None else "NOT FOUND "
    print(f"{hunted.number:3}  {after}  {hunted.seconds:5.1f} s  {bug_of(hunted.number).title}")
    if hunted.seed is not None:
        print(f"     seed {hunted.seed}: {told(hunted)}", flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make sim-planted", description=__doc__)
    parser.add_argument("--bug", type=int, help="this one only")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--seeds", type=int, default=SEEDS_MAX, help="how many at most")
    parser.add_argument("--at-once", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--json", action="store_true", help="answer with one line of JSON")
    parser.add_argument("--write", action="store_true", help="write the table into the page")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
