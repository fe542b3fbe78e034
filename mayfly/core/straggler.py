"""Which tasks lag so far behind that a second worker is given the same: the backup attempt.

Everybody who waits for a film waits for the last of its chunks, and one slow machine among many is
enough to make that late. So, as MapReduce does with its backup tasks, a chunk that lags is put onto
the queue a second time; who commits first wins, and the other is told to stop. The rules:

1. Only when nothing waits in the pool and there may be one more worker: a backup displaces nobody.
2. Only chunks of a plan. Of a whole source, a sound track or a join there is no other to compare
   with, and a second try would take as long as the first and could be as large as a film.
3. By the time left (LATE: longest approximate time to end), not by progress: an attempt lags when
   it has run for `LAG_FACTOR` times the mean of the job's done chunks and is expected to need
   longer still than a fresh attempt, a worker's start included. What is nearly done is left alone.
4. Whose worker was not heard of lately is left to SQS, which gives its message to another; unless
   that time has passed, and nobody has taken it.
5. What has failed or lost its workers is no straggler, but maybe poison: never given to two.

A backup costs no more than one attempt at one chunk, and ends within two heartbeats of the other's
commit; a task has `BACKUPS_MAX` in its life, one at a time. This module decides from rows alone; it
must never say that an attempt is dead.
"""

import heapq
import math
from collections.abc import Sequence

from mayfly.core import limits, release
from mayfly.core.rows import JobHead, PoolRow, TaskRow, TaskState


def free(out: Sequence[TaskRow], workers_max: int) -> int:
    """How many more attempts the pool may have workers for, where nothing waits."""
    if any(row.state is not TaskState.RUNNING for row in out):
        return 0
    return min(limits.BACKUPS_PER_LOOK, max(0, workers_max - release.tries(out)))


def start_seconds(pool: PoolRow, out: Sequence[TaskRow]) -> float:
    """Until another worker begins: one that idles has only to look at the queue."""
    asked = sum(service.asked for service in pool.services.values())
    idles = asked > release.tries(out)
    return limits.POLL_SECONDS if idles else limits.START_SECONDS


def may_lag(task: TaskRow, now: float) -> bool:
    """Whether it is worth looking at its job."""
    return (
        task.state is TaskState.RUNNING
        and task.kind == "chunk"
        and not task.lagging
        and task.backups < limits.BACKUPS_MAX
        and not (task.failures or task.lost)
        and task.began_at != 0
        and now - task.began_at >= limits.LAG_SECONDS_MIN
    )


def lags(head: JobHead, task: TaskRow, now: float, start_seconds: float) -> bool:
    """Whether a fresh attempt is expected to be done sooner than the one at work."""
    if not may_lag(task, now) or head.opened < head.parts or not head.chunks:
        return False
    mean = max(0, head.took_ms) / 1000 / head.chunks
    is_late = now - task.began_at >= limits.LAG_FACTOR * mean
    return is_late and left_seconds(task, now) > mean + start_seconds


def left_seconds(task: TaskRow, now: float) -> float:
    """How much longer the attempt at work is expected to take, going on as it went so far."""
    heard_at = max(task.began_at, task.reported_at or task.began_at)
    silent_seconds = now - heard_at
    if silent_seconds > limits.VISIBILITY_SECONDS + limits.HEARTBEAT_SECONDS:
        return math.inf  # its message is on the queue, and nobody has taken it
    if silent_seconds > 2 * limits.HEARTBEAT_SECONDS:
        return 0.0
    if task.fraction <= 0:
        return math.inf
    return (heard_at - task.began_at) * (1 / task.fraction - 1) - silent_seconds


def worst(
    looked_at: Sequence[tuple[JobHead, TaskRow]], free: int, now: float, start_seconds: float
) -> tuple[TaskRow, ...]:
    """Those that lag, the longest to its end first, for as many as there are workers."""
    late = [task for head, task in looked_at if lags(head, task, now, start_seconds)]
    return tuple(heapq.nlargest(free, late, key=lambda task: left_seconds(task, now)))
