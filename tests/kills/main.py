"""`make kills`: a worker dies at every point of a chunk's life, with Spot's notice and without any,
and the film that comes out must be the one of a job in which nobody died.

It ends with 0 when nothing was wrong and no more was encoded again than may be, 1 otherwise; in
each case with one line of JSON.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

from mayfly.core import limits
from tests.kills import matrix
from tests.kills.points import (
    ANNOUNCED_SECONDS_MAX,
    STEPS,
    UNANNOUNCED_LIVES_MAX,
    Death,
    points,
    summary,
)

#: Jobs in a row whose chunks were all quicker than expected.
_BARREN_MAX = 3


def main() -> int:
    """What the process ends with."""
    asked = _arguments()
    deaths: list[Death] = []
    flaws: list[str] = []
    with tempfile.TemporaryDirectory(prefix="kills-") as name:
        folder = Path(name)
        source = asked.source or matrix.make_source(
            folder / "source.mp4", seconds=asked.seconds, size=asked.size
        )
        with matrix.cloud(
            folder / "cloud", chunk_seconds=asked.chunk_seconds, stop_seconds=asked.stop_seconds
        ) as cloud:
            film = matrix.Matrix(cloud, source)
            print(f"undisturbed: {len(film.lives)} tasks", flush=True)
            left, barren = points(asked.steps), 0
            while left:
                died, wrong = film.struck(left[: matrix.PER_JOB])
                barren = 0 if died else barren + 1
                if barren > _BARREN_MAX:
                    flaws.append("nobody could be killed")
                    break
                for death in died:
                    left.remove(death.point)
                deaths += died
                flaws += wrong
                told = "; ".join(wrong) or "the same film"
                print(f"{len(deaths)} deaths, {len(left)} to come: {told}", flush=True)
    line = summary(deaths, flaws)
    print(json.dumps(line))
    lost = line["conditions"]["unannounced_lives_lost"]
    cheap = line["value"] <= ANNOUNCED_SECONDS_MAX and lost <= UNANNOUNCED_LIVES_MAX
    return int(bool(flaws) or not cheap)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make kills", description=__doc__)
    parser.add_argument("--source", type=Path, help="a clip; else one is made")
    parser.add_argument("--seconds", type=int, default=26, help="of the clip that is made")
    parser.add_argument("--size", default="1280x720", help="of the clip that is made")
    parser.add_argument("--chunk-seconds", type=int, default=2)
    parser.add_argument("--steps", type=int, default=STEPS, help="points of a life")
    parser.add_argument(
        "--stop-seconds", type=int, default=limits.STOP_SECONDS, help="what a notice leaves"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
