"""How large: which task size a job goes to, and how many workers a pool should have for its work.

Theory of the second, all of it about workers that are to be added:

- Work whose length was predicted gets as many workers as finish it in the time that is left until
  its job should be done. Predictions are corrected by what the job's finished parts took. Other
  tasks get a worker each.
- Workers that stand already are kept while there is a task for each: two for a minute cost what one
  for two minutes costs. So a prediction that wavers moves nobody, and only its law (never more
  workers than tasks) lets workers go.
- A worker is billed a minute and takes about a minute to start, and Fargate starts only so many a
  second. So none is added that would not have its minute of work left when it comes.
- All pools of a stack share the account's processors, by Spot and on-demand, and what an operator
  allows it to cost an hour. Each pool with work may always have one worker.

It must never be the reason that work stands still: whatever it is told, a pool with work gets one.
"""

import dataclasses
import math
from collections.abc import Sequence

from mayfly.contract.recipe import LadderOutput, Recipe, VideoOutput
from mayfly.contract.wire import Refusal
from mayfly.core import limits, receipt
from mayfly.core.rows import JobHead, JobState, TaskRow, TaskState

#: The pool for picture work, and the one for sound and stills where the stack has it.
VIDEO_POOL, LIGHT_POOL = "standard", "small"

#: Those who stand are enough while they would take up to so much longer than there is time.
_SLACK = 1.1

#: As many parts as this must be done until what they took weighs as much as what was predicted:
#: one that met a slow machine, or was mostly waiting, says little.
_PRIOR_PARTS = 2

#: What nobody bounds.
UNBOUNDED = 10**6


def choose_pool(recipe: Recipe, wanted: str | None, available: Sequence[str]) -> str:
    """The name of one of the stack's pools. Raises Refusal for a pool that it does not have."""
    if wanted is not None:
        if wanted not in available:
            raise Refusal("pool", f'"{wanted}"', "one of: " + ", ".join(available))
        return wanted
    encodes = any(isinstance(output, VideoOutput | LadderOutput) for output in recipe.outputs)
    best = VIDEO_POOL if encodes else LIGHT_POOL
    return best if best in available else available[0]


# --- By the work -------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Remaining:
    """What is left of one job whose work was predicted."""

    #: Open tasks: more workers find nothing to do.
    tasks: int
    #: Of one worker.
    seconds: float
    #: Until it should be done.
    left_seconds: float


def part_seconds(head: JobHead) -> float:
    """What one part of a job that was cut takes a worker: as predicted, and the more of them are
    done, as these took."""
    done = max(0, head.parts - head.open_tasks)
    predicted = head.plan_ms / head.parts
    return (_PRIOR_PARTS * predicted + head.took_ms) / (_PRIOR_PARTS + done) / 1e3


def remaining(head: JobHead, finish_seconds: float, now: float) -> Remaining | None:
    """Of a job that was cut; None where nothing was predicted, or only the joining is left."""
    if not finish_seconds or not head.plan_ms:
        return None
    if head.state not in (JobState.QUEUED, JobState.RUNNING) or head.open_tasks <= 0:
        return None
    due_at = head.accepted_at + finish_seconds
    if head.deadline_at is not None:
        due_at = min(due_at, head.deadline_at)
    return Remaining(
        tasks=head.open_tasks,
        seconds=part_seconds(head) * head.open_tasks,
        left_seconds=due_at - now,
    )


def foreseen(task: TaskRow, finish_seconds: float, most: int, now: float) -> int:
    """Workers beside the first, `most` at most, that a large source will want when it is cut, while
    nobody has looked at it. For some minutes only: a first worker that takes longer to look does
    not keep others waiting at our cost."""
    begun = task.state is TaskState.RUNNING and (task.fraction > 0 or task.stage == "encoding")
    if not finish_seconds or task.kind != "encode" or begun:
        return 0
    if now - task.accepted_at > limits.FORESEEN_SECONDS:
        return 0
    if task.deadline_at is not None:
        finish_seconds = min(finish_seconds, task.deadline_at - task.accepted_at)
    first_looks = limits.WORKER_START_SECONDS + limits.LOOK_SECONDS
    wanted = int(task.guessed_seconds / max(finish_seconds - first_looks, first_looks))
    return min(max(wanted - 1, 0), most)


def divided_among(seconds: float, finish_seconds: float, workers_max: int) -> int:
    """Workers to count on for so much work, when a source is cut: the pool is asked for as many
    when its plan is known."""
    if not finish_seconds:
        return workers_max
    first_looks = limits.WORKER_START_SECONDS + limits.LOOK_SECONDS
    left = Remaining(tasks=workers_max, seconds=seconds, left_seconds=finish_seconds - first_looks)
    return min(workers_max, workers(workers_max, (left,), 0))


def workers(tasks: int, planned: Sequence[Remaining], standing: int) -> int:
    """How many workers so many open tasks want, those of the planned jobs among them, where
    `standing` were asked for already. One for each task of which nothing was predicted."""
    parts = sum(job.tasks for job in planned)
    loose = max(0, tasks - parts)
    if not planned:
        return loose
    return loose + min(parts, _for_planned(planned, max(0, standing - loose)))


def _for_planned(planned: Sequence[Remaining], standing: int) -> int:
    if _needed(planned, 0.0) <= standing * _SLACK:
        return max(1, standing)
    wanted = math.ceil(_needed(planned, limits.WORKER_START_SECONDS))
    worth = worthwhile(sum(job.seconds for job in planned), standing)
    return max(1, min(wanted, worth))


def _needed(planned: Sequence[Remaining], start_seconds: float) -> float:
    """Workers that finish each job in time, if they take so long to start."""
    floor = limits.WORKER_START_SECONDS
    return sum(
        min(job.tasks, job.seconds / max(job.left_seconds - start_seconds, floor))
        for job in planned
    )


def worthwhile(seconds: float, standing: int) -> int:
    """The most workers of whom each that is added still has its billed minute of work.

    Of m that are added, r start each second, the last of them m/r after the first; until then
    `standing` and those before it have done (m/r + start) * standing + m*m/2r seconds of the work.
    What is left must be a minute for everybody; the largest such m solves a quadratic equation.
    """
    rate, minute = limits.LAUNCHES_PER_SECOND, receipt.BILLED_SECONDS_MIN
    left = seconds - standing * (limits.WORKER_START_SECONDS + minute)
    if left <= 0:
        return standing
    half = minute + standing / rate
    return standing + int(rate * (math.sqrt(half * half + 2 * left / rate) - half))


# --- By the means ------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """One worker of a pool."""

    vcpu: float
    memory_gib: float

    def hourly_dollars(self, *, spot: bool) -> float:
        """Its list price with its address."""
        return receipt.dollars(3600, self.vcpu, self.memory_gib, spot=spot)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What all pools of a stack may use together; 0 is not bounded."""

    spot_vcpu: float = 0.0
    on_demand_vcpu: float = 0.0
    dollars_per_hour: float = 0.0

    @property
    def bounded(self) -> bool:
        """Whether pools have anything to share."""
        return any(dataclasses.astuple(self))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What one pool has of them: workers that it asked for, or may ask for."""

    spot: int
    on_demand: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Neighbour:
    """Another pool of the stack, as its planner last left it."""

    size: Size
    asked: Share
    #: It has work: one worker is kept for it, even if it has none yet.
    works: bool

    @property
    def spot(self) -> int:
        """Workers that are its own."""
        return max(self.asked.spot, int(self.works))


def share(
    size: Size,
    workers_max: int,
    means: Means,
    neighbours: Sequence[Neighbour] = (),
    *,
    stands_in: bool = False,
) -> Share:
    """The most workers of each kind that a pool may ask for beside its neighbours. One on Spot in
    any case; and where on-demand `stands_in` for it, the price of one such worker is kept free."""
    spot, on_demand = workers_max, workers_max
    if means.spot_vcpu:
        taken = sum(other.spot * other.size.vcpu for other in neighbours)
        spot = min(spot, _times(means.spot_vcpu - taken, size.vcpu))
    if means.on_demand_vcpu:
        taken = sum(other.asked.on_demand * other.size.vcpu for other in neighbours)
        on_demand = min(on_demand, _times(means.on_demand_vcpu - taken, size.vcpu))
    if means.dollars_per_hour:
        left = means.dollars_per_hour - sum(map(_cost, neighbours))
        full = size.hourly_dollars(spot=False)
        cheap = size.hourly_dollars(spot=True)
        spot = min(spot, _times(left - (full if stands_in else 0.0), cheap))
        on_demand = min(on_demand, _times(left - max(1, spot) * cheap, full))
    return Share(spot=max(min(1, workers_max), spot), on_demand=max(0, on_demand))


def _cost(other: Neighbour) -> float:
    """Dollars an hour of what it has, or will have at once."""
    cheap = other.spot * other.size.hourly_dollars(spot=True)
    return cheap + other.asked.on_demand * other.size.hourly_dollars(spot=False)


def _times(all_of_it: float, one: float) -> int:
    """How often one fits, rounding errors forgiven."""
    return max(0, math.floor(all_of_it / one + 1e-9))
