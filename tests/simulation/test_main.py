"""The command by which people search: what it prints, and how it ends."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.simulation.search import Found, Wanted, search

_ROOT = Path(__file__).resolve().parents[2]
_MAIN = (sys.executable, "-m", "tests.simulation.main")


def _sim(*asked: str, **environment: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [*_MAIN, *asked],
        cwd=_ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _ended(asked: Sequence[str], **environment: str) -> tuple[int, str]:
    with _sim(*asked, **environment) as process:
        said, wrong = process.communicate()
    assert wrong == ""
    return process.returncode, said


def _found(cores: int) -> Found:
    found = Found(0, 0)
    wanted = Wanted(first=0, seeds=45, seconds=None, jobs=1, cores=cores)
    for some in search(wanted):
        found.join(some)
    found.cpu_seconds = 0.0
    return found


def test_two_processes_find_what_one_finds() -> None:
    one = _found(cores=1)
    assert (one.first, one.end, one.lives) == (0, 45, 45)
    assert _found(cores=2) == one


def test_a_seed_is_the_same_life_whatever_the_process_hashes_with() -> None:
    told = [_ended(["--seed", "7"], PYTHONHASHSEED=seed) for seed in ("1", "2")]
    assert told[0] == told[1]


def test_a_search_tells_its_seeds_and_every_misfortune_in_one_line_of_json() -> None:
    code, said = _ended(["--json", "--seeds", "5", "--first", "20", "--jobs", "1"])
    (line,) = said.splitlines()
    told = json.loads(line)
    assert (code, told["first"], told["seeds"], told["violations"]) == (0, 20, 5, {})
    assert "LAMBDA_CRASH" in told["fired"]


def test_a_night_has_seeds_of_its_own_and_prints_them() -> None:
    for date, first in (("2026-01-31", 7_396_470_000_000), ("2026-02-01", 7_396_480_000_000)):
        _, said = _ended(["--night", date, "--seeds", "1"])
        assert said.startswith(f"from seed {first} on\nseeds {first} to {first}: 1 lives, ")


def test_who_interrupts_a_search_is_told_what_was_found_so_far() -> None:
    for cores in ("1", "2"):
        with _sim("--seconds", "60", "--cores", cores) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "from seed 0 on\n"
            process.send_signal(signal.SIGINT)
            said, wrong = process.communicate()
        assert (process.returncode, wrong) == (130, "")
        assert said.startswith(("seeds 0 to ", "no life was led\n"))


def test_who_reads_only_the_first_lines_is_not_told_of_a_broken_pipe() -> None:
    with _sim("--seed", "7") as process:
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.readline().startswith("seed 7, ")
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 0
