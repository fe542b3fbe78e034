"""`make sim`: lives by the thousand, and one command that replays any of them.

It ends with 0 when no law was broken, 1 when one was, 130 when it was interrupted; in each case
with a summary of the lives that were led.
"""

import argparse
import contextlib
import datetime
import json
import os
import sys
import time
from collections.abc import Iterator

from tests.simulation.kinds import Kind
from tests.simulation.life import Life, live
from tests.simulation.options import draw, scrambled
from tests.simulation.search import Found, Wanted, search

_SEEDS = 1000
#: Seeds of one night, more than any machine lives in one, so that no two nights are the same.
_NIGHT_SEEDS = 10_000_000
_NIGHT_SECONDS = 3600.0
#: How often a long search says how far it is, to a person at a terminal.
_TELL_SECONDS = 30.0
_INTERRUPTED = 130


def main() -> int:
    """What the process ends with."""
    asked = _arguments()
    if asked.options:
        return _print(_drawn(asked), 0)
    if asked.seed is not None:
        life = live(asked.seed, asked.jobs)
        return _print(_replayed(life, asked.jobs), 1 if life.violations else 0)
    found, interrupted = _search(asked)
    wrong = bool(found.violations)
    if wrong and not asked.all and not asked.json:
        life = live(found.seeds()[0], asked.jobs)
        lines = [*_summary(found), *_told(life, asked.jobs)]
    else:
        lines = [_as_json(found)] if asked.json else [*_summary(found), *_fired(found)]
    return _print(iter(lines), _INTERRUPTED if interrupted else int(wrong))


def _search(asked: argparse.Namespace) -> tuple[Found, bool]:
    """What was found, and whether somebody wanted no more."""
    bounded = asked.seeds or (None if asked.seconds else _SEEDS)
    wanted = Wanted(
        first=asked.first,
        seeds=bounded,
        seconds=asked.seconds,
        jobs=asked.jobs,
        cores=asked.cores,
    )
    found, told_at = Found(asked.first, asked.first), time.monotonic()
    try:
        if not asked.json:
            print(f"from seed {asked.first} on", flush=True)
        with contextlib.closing(search(wanted)) as batches:
            for some in batches:
                found.join(some)
                if found.violations and not asked.all:
                    break
                if sys.stderr.isatty() and time.monotonic() - told_at > _TELL_SECONDS:
                    told_at = time.monotonic()
                    print(*_summary(found), sep="\n", file=sys.stderr)
    except KeyboardInterrupt:
        return found, True
    return found, False


def _summary(found: Found) -> Iterator[str]:
    if not found.lives:
        yield "no life was led"
        return
    cpu = found.cpu_seconds or 1e-9
    wrong = len(found.seeds())
    yield (
        f"seeds {found.first} to {found.end - 1}: {found.lives} lives, {found.jobs} jobs, "
        f"{found.calls} port calls, {found.steps} steps; {found.lives / cpu:.0f} lives and "
        f"{found.calls / cpu:.0f} port calls a CPU second; "
        f"{wrong or 'no'} {'violation' if wrong == 1 else 'violations'}"
    )
    for told, seeds in sorted(found.violations.items(), key=lambda item: -len(item[1])):
        yield f"VIOLATION in {len(seeds)} seeds, as {sorted(seeds)[:6]}: {told}"


def _fired(found: Found) -> Iterator[str]:
    for kind in Kind:
        yield f"  {found.fired[kind]:8} {kind.name}"


def _as_json(found: Found) -> str:
    told = {
        "first": found.first,
        "seeds": found.lives,
        "jobs": found.jobs,
        "port_calls": found.calls,
        "steps": found.steps,
        "cpu_seconds": round(found.cpu_seconds, 1),
        "violations": found.violations,
        "fired": {kind.name: found.fired[kind] for kind in Kind},
    }
    return json.dumps(told)


def _drawn(asked: argparse.Namespace) -> Iterator[str]:
    first = asked.first if asked.seed is None else asked.seed
    count = 1 if asked.seed is not None else asked.seeds or _SEEDS
    for seed in range(first, first + count):
        yield draw(seed, scrambled(seed), asked.jobs).told()


def _replayed(life: Life, jobs: int | None) -> Iterator[str]:
    yield life.options.told()
    for at, who, what in life.trace:
        yield f"{at - life.began:10.3f}  {who:24}  {what}"
    yield from _told(life, jobs)


def _told(life: Life, jobs: int | None) -> Iterator[str]:
    yield (
        f"seed {life.seed}: {life.jobs} jobs {dict(life.ends)}, {life.steps} steps, "
        f"{life.seconds:.0f} s of virtual time, trace {life.hash()[:16]}"
    )
    for wrong in life.violations:
        yield f"VIOLATION: {wrong}"
    if life.violations:
        yield f"Replay it: make sim SEED={life.seed}" + (f" JOBS={jobs}" if jobs else "")


def _print(lines: Iterator[str], code: int) -> int:
    """Whoever reads may leave early, as `head` does."""
    try:
        for line in lines:
            print(line)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make sim", description=__doc__)
    parser.add_argument("--seeds", type=int, help=f"how many lives; {_SEEDS} if nothing is said")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--seconds", type=float, help="begin no life after so many seconds")
    parser.add_argument("--cores", type=int, default=1, help="how many processes")
    parser.add_argument("--seed", type=int, help="replay one life, with its trace")
    parser.add_argument("--jobs", type=int, help="requests in each life; 1 makes a small world")
    parser.add_argument("--all", action="store_true", help="go on after a violation")
    parser.add_argument("--options", action="store_true", help="only tell what each seed draws")
    parser.add_argument("--json", action="store_true", help="answer with one line of JSON")
    parser.add_argument(
        "--night",
        type=datetime.date.fromisoformat,
        metavar="DATE",
        help="an hour on all cores, of seeds that are this date's own; goes on after a violation",
    )
    asked = parser.parse_args()
    if asked.night is not None:
        asked.first = asked.night.toordinal() * _NIGHT_SEEDS
        asked.seconds = asked.seconds or _NIGHT_SECONDS
        asked.cores = asked.cores if asked.cores > 1 else os.cpu_count() or 1
        asked.all = True
    return asked


if __name__ == "__main__":
    sys.exit(main())
