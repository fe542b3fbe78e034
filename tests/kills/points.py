"""When a worker is to die, what that cost, and whether it was allowed to. Pure.

A point is a part of a chunk's life: from `The task has begun.` to `The task is done.`, as long as
the same chunk's life was when nobody was killed, and stretched as the last one's that was spared.
"""

import dataclasses
import statistics
from collections.abc import Iterable, Sequence
from typing import Any

#: In how many steps a life is gone through.
STEPS = 20
#: An announced death may cost so many seconds that are encoded again, on average; an unannounced
#: one so much of a life.
ANNOUNCED_SECONDS_MAX, UNANNOUNCED_LIVES_MAX = 1.0, 0.5


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One death."""

    #: Spot's notice, or none.
    announced: bool
    #: Of a life.
    part: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Death:
    """What became of it."""

    point: Point
    task_id: str
    #: How old the attempt was.
    age_seconds: float
    #: How old it was expected to become, by when nobody was killed, and by its neighbours.
    life_seconds: float
    #: It ended its work all the same.
    committed: bool
    #: Seconds of work that another worker did again.
    lost_seconds: float
    #: What its worker chose, and why.
    told: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Film:
    """What came out of one job."""

    #: SHA-256 of the file that people get.
    joined: str
    #: SHA-256 of what each task brought, by task and file.
    parts: dict[tuple[str, str], str]
    #: How often each task was said to be done.
    done: dict[str, int]

    def flaws(self, undisturbed: "Film") -> list[str]:
        """How it differs from the film of a job in which nobody was killed."""
        found = []
        if self.joined != undisturbed.joined:
            found.append("the joined file has other bytes")
        if self.parts.keys() != undisturbed.parts.keys():
            found.append(f"other parts: {sorted(self.parts.keys() ^ undisturbed.parts.keys())}")
        found += [
            f"{file} of {task} has other bytes"
            for (task, file), digest in sorted(self.parts.items())
            if undisturbed.parts.get((task, file), digest) != digest
        ]
        twice = sorted(task for task, times in self.done.items() if times != 1)
        return found + [f"{task} was done {self.done[task]} times" for task in twice]


def points(steps: int = STEPS) -> list[Point]:
    """Every step of a life, announced and not; those that follow each other lie apart."""
    parts = [step / steps for step in range(steps)]
    return [
        Point(announced=announced, part=part)
        for offset in range(4)
        for part in parts[offset::4]
        for announced in (True, False)
    ]


def summary(deaths: Sequence[Death], flaws: Sequence[str]) -> dict[str, Any]:
    """One line's."""
    announced = [death for death in deaths if death.point.announced]
    silent = [death for death in deaths if not death.point.announced]
    seconds = _mean(death.lost_seconds for death in announced)
    lives = _mean(death.lost_seconds / death.life_seconds for death in silent)
    return {
        "metric": "seconds_encoded_again_after_a_notice",
        "value": seconds,
        "limit": ANNOUNCED_SECONDS_MAX,
        "conditions": {
            "announced": len(announced),
            "finished_in_their_notice": sum(death.committed for death in announced),
            "unannounced": len(silent),
            "unannounced_lives_lost": lives,
            "unannounced_lives_limit": UNANNOUNCED_LIVES_MAX,
            "unannounced_seconds": _mean(death.lost_seconds for death in silent),
            "life_seconds": _mean(death.life_seconds for death in deaths),
            "flaws": list(flaws),
        },
        "deaths": [_row(death) for death in sorted(deaths, key=_order)],
    }


def _order(death: Death) -> tuple[bool, float]:
    return not death.point.announced, death.point.part


def _row(death: Death) -> dict[str, Any]:
    return {
        "announced": death.point.announced,
        "part": death.point.part,
        "task": death.task_id,
        "age_seconds": round(death.age_seconds, 2),
        "life_seconds": round(death.life_seconds, 2),
        "committed": death.committed,
        "lost_seconds": round(death.lost_seconds, 2),
        "told": death.told,
    }


def _mean(values: Iterable[float]) -> float:
    listed = list(values)
    return round(statistics.fmean(listed), 3) if listed else 0.0
