"""How long an hour of film takes, from its upload to its outcome, by how many workers there may be.

The real dispatcher, completion handler, planner and worker's loop, in the simulator. Modelled are
ffmpeg (the work that the product's own table predicts for the preset's four sizes of 1080p at 24
frames a second, on two processors, cut as the worker cuts it), AWS and its machines: a minute from
asking for one to its first call, and the starts a minute that ECS allows a service in its largest
regions and elsewhere. The source's bytes are told, so that workers are called before it is cut. Not
modelled: to read the index and to look at the first frames, and what publishing copies take; both
are named beside the figure.

    python -m bench.one_hour
"""

import dataclasses
import itertools
import json
import math
from typing import Any
from unittest import mock

from mayfly.contract.presets import all_presets
from mayfly.contract.recipe import LadderOutput
from mayfly.core import limits, prediction, sizing
from mayfly.core.prediction import Encode, Source
from tests.simulation import fleet
from tests.simulation.life import Life, lived
from tests.simulation.options import fair
from tests.simulation.stack import Stack

PRESET = "web-hls"
#: bnusunny/serverless-video-transcoder: an hour in one size, on Lambda. And the aim for four.
TO_BEAT_SECONDS, LIMIT = 230, 180
WORKERS = (1, 3, 10, 30, 60, 100, 200, 400)
FRAMES, VCPU = 3600 * 24, 2
SOURCE_PIXELS, SOURCE_BYTES = 1920 * 1080, 2_700_000_000
START_SECONDS = 60.0
#: Starts that ECS allows a service each minute: 500 in its largest regions, 125 elsewhere
#: (ECS, "service throttle logic"); the simulator's fleet starts a burst each five seconds.
BURSTS = {500: 41, 125: 10}
#: As many workers as pay when all shall be done in two minutes; and one for each task.
FINISHES = (limits.FINISH_SECONDS_MIN, 0)
#: Workers called by the source's bytes before anybody has looked at it, and bits a pixel that it is
#: assumed to spend: as installed; and as an operator sets it whose sources are long and of 3 Mbit/s
#: (this one has 6, so twice as many come as would be done in two minutes).
FORESEEN = ((limits.FORESEEN_WORKERS, limits.SOURCE_BITS_PER_PIXEL), (400, 0.06))
#: Segments of four sizes and of the sound, 16 copies at once of 40 ms each.
_COPY_SECONDS = 5 * 900 * 0.04 / 16


def main() -> None:
    """Prints a line for each, then one JSON line."""
    work = work_seconds()
    rows: list[dict[str, Any]] = []
    for finish, starts, foreseen in itertools.product(FINISHES, BURSTS, FORESEEN):
        if not finish and foreseen != FORESEEN[0]:
            continue  # without a target nothing is foreseen
        for workers in WORKERS:
            with mock.patch.object(fleet, "_BURST_MAX", BURSTS[starts]):
                found = _measured(work, workers, finish, foreseen)
            rows.append(
                {
                    "finish_seconds": finish,
                    "starts_a_minute": starts,
                    "foreseen": foreseen if finish else None,
                    **found,
                }
            )
            print(rows[-1])
    best = min(rows, key=lambda row: row["wall_seconds"])
    figure = {
        "metric": "one_hour_wall_seconds",
        "value": best["wall_seconds"],
        "limit": LIMIT,
        "conditions": {
            "best_is": best,
            "to_beat_seconds": TO_BEAT_SECONDS,
            "work_seconds_of_one_worker": round(work),
            "rows": rows,
            "machine_start_seconds": START_SECONDS,
            "preset": f"{PRESET}, of 1080p at 24 frames a second",
            "new_accounts_quota": "6 vCPU, so 3 workers",
            "not_in_it": f"looking at the source; copies, about {_COPY_SECONDS:.0f} s",
        },
    }
    print(json.dumps(figure))


def work_seconds() -> float:
    """Of one worker, by the product's table."""
    (ladder,) = all_presets()[PRESET].recipe.outputs
    assert isinstance(ladder, LadderOutput)
    encodes = [
        Encode(codec=ladder.codec, speed=ladder.speed, pixels=rung.box.width * rung.box.height)
        for rung in ladder.rungs
    ]
    source = Source(codec="h264", pixels=SOURCE_PIXELS, frames=FRAMES)
    return prediction.seconds(source, encodes, VCPU)


def _measured(
    work: float, workers: int, finish: int, foreseen: tuple[int, float]
) -> dict[str, float]:
    among = sizing.divided_among(work, finish, workers)
    # As `worker.cuts` divides work.
    wanted = math.sqrt(work * limits.CHUNK_COST_SECONDS / (among * limits.TAIL_FACTOR))
    length = min(max(wanted, limits.WORK_SECONDS_MIN), limits.WORK_SECONDS_MAX)
    chunks = max(2, round(work / length))
    options = dataclasses.replace(
        fair(1, workers_max=workers),
        finish_seconds=finish,
        foreseen_workers_max=foreseen[0],
        start_seconds=START_SECONDS,
    )
    stack = Stack(1, options=options)
    busy = work + chunks * limits.CHUNK_COST_SECONDS
    recipe = all_presets()[PRESET].recipe
    guess = prediction.guessed_seconds(recipe, SOURCE_BYTES, foreseen[1], VCPU)
    with mock.patch.object(prediction, "guessed_seconds", lambda *_: guess):
        stack.people.put("film", b"split %d %d 1 %d" % (busy, chunks, work))
        life = lived(stack)
    if life.violations or set(life.ends) != {"succeeded"}:
        raise SystemExit(f"{workers} workers: {life.ends} {life.violations}")
    return {
        "workers_max": workers,
        "workers": life.machines,
        "chunks": chunks,
        "wall_seconds": round(_took(life), 1),
        "billed_hours": round(life.billed_seconds / 3600, 2),
        "at_best_seconds": round(START_SECONDS + busy / workers, 1),
    }


def _took(life: Life) -> float:
    """From the upload to the outcome."""
    return max(at for at, _, what in life.trace if "bus.publish" in what) - life.began


if __name__ == "__main__":
    main()
