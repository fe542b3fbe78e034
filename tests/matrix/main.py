"""`make matrix`: sources by the hundred, each encoded whole and cut; and one command that replays
any of them.

It ends with 0 when nothing was wrong, 1 when something was; in each case with one line of JSON.
"""

import argparse
import collections
import concurrent.futures
import contextlib
import itertools
import json
import logging
import queue
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from local import tools
from mayfly.contract.settings import WorkerSettings
from tests.matrix.cases import Case, cases, draw
from tests.matrix.verdict import Court, Verdict
from tests.worker import climbing, store

_CASES = 600


def main() -> int:
    """What the process ends with."""
    asked = _arguments()
    began = time.monotonic()
    if asked.case is not None:
        drawn: Iterable[tuple[int, Case]] = [(asked.case, draw(asked.case))]
    else:
        drawn = itertools.islice(cases(asked.seed), asked.cases)
    found = []
    for verdict in judged(drawn, asked.cores):
        found.append(verdict)
        print(f"{len(found)} {verdict.told()}", flush=True)
    print(json.dumps(summary(found, time.monotonic() - began)))
    return int(any(verdict.wrong for verdict in found))


def settings(scratch: Path) -> WorkerSettings:
    """Of the one worker that does it all."""
    return WorkerSettings(
        pool="standard",
        jobs_queue_url="http://127.0.0.1/jobs",
        done_queue_url="http://127.0.0.1/done",
        scratch=str(scratch),
        threads=1,
        memory_mib=4096,
        source_hosts=("127.0.0.1",),
        ffmpeg=str(tools.ffmpeg_path()),
        ffprobe=str(tools.ffprobe_path()),
    )


def judged(drawn: Iterable[tuple[int, Case]], cores: int) -> Iterator[Verdict]:
    """Verdicts in the order of their cases; so many are under way at once."""
    logging.basicConfig(handlers=[logging.NullHandler()])  # failures are told in verdicts
    with (
        tempfile.TemporaryDirectory(prefix="matrix-") as folder,
        contextlib.ExitStack() as opened,
        # Threads do: nearly all of the time is ffmpeg's.
        concurrent.futures.ThreadPoolExecutor(cores) as threads,
    ):
        idle = queue.SimpleQueue[Court]()
        for number in range(cores):
            idle.put(opened.enter_context(court(Path(folder) / str(number))))

        def judge(one: tuple[int, Case]) -> Verdict:
            own = idle.get()
            try:
                return own.judge(*one)
            finally:
                idle.put(own)

        yield from threads.map(judge, drawn)


@contextlib.contextmanager
def court(folder: Path) -> Iterator[Court]:
    """While inside, its storage is served, and ladders lose nothing."""
    with climbing.lossless(), store.running() as running:
        yield Court(settings(folder / "scratch"), running, folder)


def summary(found: list[Verdict], seconds: float) -> dict[str, object]:
    """One line's."""
    chunked = [verdict for verdict in found if verdict.chunks]
    by_container: dict[str, dict[str, int]] = {}
    for verdict in found:
        row = by_container.setdefault(
            verdict.case.clip.container, {"cases": 0, "chunked": 0, "whole": 0, "wrong": 0}
        )
        row["cases"] += 1
        row["chunked" if verdict.chunks else "whole"] += 1
        row["wrong"] += bool(verdict.wrong)
    return {
        "cases": len(found),
        "chunked": len(chunked),
        "chunks": sum(verdict.chunks for verdict in chunked),
        "frames": sum(verdict.frames for verdict in chunked),
        "whole": dict(collections.Counter(v.whole for v in found if not v.chunks)),
        "by_container": by_container,
        "failures": [
            {"seed": v.seed, "case": v.case.told(), "wrong": v.wrong} for v in found if v.wrong
        ],
        "seconds": round(seconds, 1),
    }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make matrix", description=__doc__)
    parser.add_argument("--cases", type=int, default=_CASES, help="how many distinct ones")
    parser.add_argument("--seed", type=int, default=0, help="the first one's seed")
    parser.add_argument("--case", type=int, help="replay the case of one seed")
    parser.add_argument("--cores", type=int, default=1, help="how many processes")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
