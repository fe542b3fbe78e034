"""What Spot's interruptions cost: billed seconds over useful ones, beside what they must cost.

The real dispatcher, completion handler, planner and worker's loop, in the simulator: a film of ten
hours of work on four machines, of which Spot takes each after a time that is drawn with the mean,
with its notice. Modelled are ffmpeg (time at an even pace, so many seconds a chunk beside its
encode), AWS and the machines (a minute from asking for one to its first call, which is billed).
What the same machines are billed for beside work when Spot takes none, their first start and their
idle end, is no tax of Spot's and is left out.

The limit is the closed form. Of a try that needs `a` seconds beyond the notice, a kill in these
loses all that was done, and tries until one is spared cost M(e^(a/M) - 1) for these `a` seconds;
and each kill costs a machine's start. `whole` is an hour in one piece.

    python -m bench.spot_tax [films]
"""

import dataclasses
import json
import math
import sys

from mayfly.core import limits
from tests.simulation.kinds import Kind
from tests.simulation.life import Life, lived
from tests.simulation.options import Options, fair
from tests.simulation.stack import Stack

#: Of work, in one film; short ones would end while machines idle, and drown the figure in that.
FILM_HOURS = 10
MACHINES = 4
#: From asking for a machine to its first call.
START_SECONDS = 60.0
NOTICE_SECONDS = limits.STOP_SECONDS - limits.LEAVE_SECONDS
#: Mean time to a kill, and what the tax shall be at most for chunks.
AIMS = {1: 1.04, 8: 1.012, 24: 1.008}
CHUNKS_SECONDS = (60, 110)
WHOLE_SECONDS = 3600
#: Beside the encode.
COST_SECONDS = limits.CHUNK_COST_SECONDS
#: Lives of each kind.
FILMS = 4


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """Something to encode, again and again."""

    seconds: int
    chunked: bool

    @property
    def pieces(self) -> int:
        """In one life."""
        return FILM_HOURS * 3600 // self.seconds

    @property
    def billed(self) -> float:
        """Seconds of one piece, undisturbed."""
        return self.seconds + COST_SECONDS

    def sources(self) -> list[bytes]:
        """As the simulator's encoder reads them."""
        if self.chunked:
            return [b"split %d %d 0" % (self.billed * self.pieces, self.pieces)]
        return [b"clip %d %d" % (self.billed, number) for number in range(self.pieces)]


def main() -> None:
    """Prints one JSON line."""
    films = int(sys.argv[1]) if len(sys.argv) > 1 else FILMS
    works = [Work(seconds=seconds, chunked=True) for seconds in CHUNKS_SECONDS]
    works.append(Work(seconds=WHOLE_SECONDS, chunked=False))
    rows = [row for work in works for row in measured(work, films)]
    worst = max(
        (row for row in rows if row["chunk_seconds"]),
        key=lambda row: float(row["interruptions"]) / AIMS[int(row["mean_hours"])],
    )
    figure = {
        "metric": "spot_tax_of_interruptions",
        "value": worst["interruptions"],
        "limit": worst["interruptions_limit"],
        "conditions": {
            "rows": rows,
            "aims": AIMS,
            "worst_is": f"{worst['chunk_seconds']} s chunks, a kill in {worst['mean_hours']} h",
            "seconds_beside_each_encode": COST_SECONDS,
            "machine_start_seconds": START_SECONDS,
            "notice_seconds": NOTICE_SECONDS,
            "machines": MACHINES,
            "films": films,
            "hours_of_work_in_each": FILM_HOURS,
            "modelled": "ffmpeg's time, AWS, the machines; all else is the real code",
        },
    }
    print(json.dumps(figure))


def measured(work: Work, films: int) -> list[dict[str, float]]:
    """A row for each mean time to a kill."""
    useful = work.seconds * work.pieces
    beside = _life(work, 0, 1e9).billed_seconds - work.billed * work.pieces
    rows = []
    for mean in AIMS:
        lives = [_life(work, seed, mean) for seed in range(films)]
        billed = sum(life.billed_seconds - beside for life in lives)
        kills = sum(life.fired[Kind.ECS_SPOT_NOTICE] for life in lives)
        taxed, least = billed / (films * useful), limit(work, mean)
        alone = work.seconds / work.billed
        rows.append(
            {
                "chunk_seconds": work.seconds if work.chunked else 0,
                "mean_hours": mean,
                "kills": kills,
                "interruptions": round(taxed * alone, 4),
                "interruptions_limit": round(least * alone, 4),
                "with_the_cost_of_chunks": round(taxed, 4),
                "with_the_cost_of_chunks_limit": round(least, 4),
            }
        )
    return rows


def limit(work: Work, mean_hours: float) -> float:
    """Billed over useful seconds, when everybody knows how long everything takes."""
    mean = mean_hours * 3600
    beyond = max(0.0, work.billed - NOTICE_SECONDS)
    again = mean * math.expm1(beyond / mean) - beyond
    return (work.billed + again) * (1 + START_SECONDS / mean) / work.seconds


def _life(work: Work, seed: int, mean_hours: float) -> Life:
    stack = Stack(seed, options=_options(seed, mean_hours))
    for number, source in enumerate(work.sources()):
        stack.people.put(f"film {number}", source)
    life = lived(stack)
    if life.violations or set(life.ends) != {"succeeded"}:
        raise SystemExit(f"seed {seed} of {work}: {life.ends} {life.violations}")
    return life


def _options(seed: int, mean_hours: float) -> Options:
    return dataclasses.replace(
        fair(seed, workers_max=MACHINES),
        storm_seconds=1e6,  # Spot takes machines until all is done
        start_seconds=START_SECONDS,
        spot_hours=mean_hours,
    )


if __name__ == "__main__":
    main()
