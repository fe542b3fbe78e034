"""`make sim`: lives by the thousand, and one command that replays any of them."""

import argparse
import json
import re
import sys
import time
from collections import Counter

from tests.simulation.kinds import Kind
from tests.simulation.life import Life, live


def main() -> int:
    """0 when no law was broken, 1 when one was."""
    asked = _arguments()
    if asked.seed is not None:
        return _replay(asked.seed, asked.jobs)
    fired: Counter[Kind] = Counter()
    found: dict[str, list[int]] = {}
    began, lived, jobs = time.process_time(), 0, 0
    first = asked.first
    until = time.monotonic() + asked.seconds if asked.seconds else None
    for seed in range(first, first + asked.seeds):
        if until is not None and time.monotonic() > until:
            break
        life = live(seed, asked.jobs)
        lived += 1
        jobs += life.jobs
        fired.update(life.fired)
        if life.violations and not asked.all:
            _tell(life)
            return 1
        for wrong in life.violations[:1]:
            found.setdefault(_kind_of(wrong), []).append(seed)
    seconds = time.process_time() - began
    rate = lived / seconds
    wrongs = sum(map(len, found.values()))
    if asked.json:
        struck = {kind.name: fired[kind] for kind in Kind}
        told = {"seeds": lived, "first": first, "jobs": jobs, "cpu_seconds": round(seconds, 1)}
        print(json.dumps(told | {"violations": found, "fired": struck}))
        return 1 if found else 0
    print(f"{lived} seeds from {first}, {jobs} jobs, {rate:.0f} a CPU second, {wrongs} violations")
    for wrong, seeds in sorted(found.items(), key=lambda item: -len(item[1])):
        print(f"VIOLATION in {len(seeds)} seeds, as {seeds[:6]}: {wrong}")
    for kind in Kind:
        print(f"  {fired[kind]:8} {kind.name}")
    return 1 if found else 0


def _kind_of(wrong: str) -> str:
    """Without ids and numbers, so that the same violation of two seeds is one."""
    return re.sub(r"[0-9a-z]{6,}[0-9][0-9a-z]*|[0-9.]+", "…", wrong.splitlines()[-1])[:150]


def _replay(seed: int, jobs: int | None) -> int:
    life = live(seed, jobs)
    print(life.options.told())
    for at, who, what in life.trace:
        print(f"{at - life.began:10.3f}  {who:24}  {what}")
    _tell(life)
    return 1 if life.violations else 0


def _tell(life: Life) -> None:
    print(
        f"seed {life.seed}: {life.jobs} jobs {dict(life.ends)}, {life.steps} steps, "
        f"{life.seconds:.0f} s of virtual time, trace {life.hash()[:16]}"
    )
    for wrong in life.violations:
        print(f"VIOLATION: {wrong}")
    if life.violations:
        print(f"Replay it: make sim SEED={life.seed}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make sim", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="how many lives")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--seconds", type=float, help="stop after so many seconds")
    parser.add_argument("--seed", type=int, help="replay one life, with its trace")
    parser.add_argument("--jobs", type=int, help="requests in each life, instead of drawing them")
    parser.add_argument("--all", action="store_true", help="go on after a violation")
    parser.add_argument("--json", action="store_true", help="answer with one line of JSON")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
