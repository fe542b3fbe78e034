"""Many lives: batches of seeds, in this process or in several, and what they come to together."""

import concurrent.futures
import dataclasses
import itertools
import re
import signal
import time
from collections import Counter
from collections.abc import Generator, Iterator

from tests.simulation.kinds import Kind
from tests.simulation.life import Life, live

#: Seeds that a process is given at once: less than a second or two of work.
_BATCH = 20


@dataclasses.dataclass(slots=True)
class Found:
    """What some lives came to."""

    #: Of the lives that were led, the first seed and the one after the last.
    first: int
    end: int
    lives: int = 0
    jobs: int = 0
    steps: int = 0
    calls: int = 0
    cpu_seconds: float = 0.0
    fired: Counter[Kind] = dataclasses.field(default_factory=Counter)
    #: Seeds, by what is wrong with them.
    violations: dict[str, list[int]] = dataclasses.field(default_factory=dict)

    def add(self, life: Life) -> None:
        """One more."""
        self.lives += 1
        self.jobs += life.jobs
        self.steps += life.steps
        self.calls += sum(life.calls.values())
        self.fired.update(life.fired)
        for wrong in life.violations[:1]:
            self.violations.setdefault(_kind_of(wrong), []).append(life.seed)

    def join(self, other: "Found") -> None:
        """Some more."""
        self.first, self.end = min(self.first, other.first), max(self.end, other.end)
        for name in ("lives", "jobs", "steps", "calls", "cpu_seconds"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.fired.update(other.fired)
        for wrong, seeds in other.violations.items():
            self.violations.setdefault(wrong, []).extend(seeds)

    def seeds(self) -> list[int]:
        """Those with violations."""
        return sorted(itertools.chain.from_iterable(self.violations.values()))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which lives, and how."""

    first: int
    seeds: int | None
    #: Wall seconds, after which no other batch is begun.
    seconds: float | None
    jobs: int | None
    cores: int


def search(wanted: Wanted) -> Generator[Found, None, None]:
    """Batch by batch, as they are done. Whoever has enough just leaves."""
    batches = _batches(wanted)
    if wanted.cores == 1:
        for seed in itertools.chain.from_iterable(batches):
            yield lead(range(seed, seed + 1), wanted.jobs)
        return
    pool = concurrent.futures.ProcessPoolExecutor(wanted.cores, initializer=_hear_no_interrupt)
    try:
        begun = itertools.islice(batches, 2 * wanted.cores)
        running = {pool.submit(lead, batch, wanted.jobs) for batch in begun}
        while running:
            done, running = concurrent.futures.wait(
                running, return_when=concurrent.futures.FIRST_COMPLETED
            )
            for batch in itertools.islice(batches, len(done)):
                running.add(pool.submit(lead, batch, wanted.jobs))
            for future in done:
                yield future.result()
    finally:
        pool.shutdown(cancel_futures=True)


def lead(seeds: range, jobs: int | None) -> Found:
    """Some lives, one after the other."""
    found, began = Found(seeds.start, seeds.start), time.process_time()
    for seed in seeds:
        found.add(live(seed, jobs))
        found.end = seed + 1
    found.cpu_seconds = time.process_time() - began
    return found


def _batches(wanted: Wanted) -> Iterator[range]:
    until = None if wanted.seconds is None else time.monotonic() + wanted.seconds
    end = None if wanted.seeds is None else wanted.first + wanted.seeds
    for start in itertools.count(wanted.first, _BATCH):
        if (until is not None and time.monotonic() > until) or (end is not None and start >= end):
            return
        yield range(start, start + _BATCH if end is None else min(end, start + _BATCH))


def _hear_no_interrupt() -> None:
    """Ctrl-C is for the process that tells what was found so far."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _kind_of(wrong: str) -> str:
    """Without ids and numbers, so that the same violation of two seeds is one."""
    return re.sub(r"[0-9a-z]{6,}[0-9][0-9a-z]*|[0-9.]+", "…", wrong.splitlines()[-1])[:150]
