"""Which tasks go onto the queue next. The queue is short on purpose.

Open tasks live in the table; only about twice as many as there are workers are released, so a
cancel takes effect, a film of 10,000 chunks does not stand before a clip of ten seconds, and a
grant waits minutes at most.
"""

from collections.abc import Sequence

from mayfly.core import limits
from mayfly.core.rows import TaskRow, TaskState


def room(out: Sequence[TaskRow], workers_max: int) -> int:
    """How many more may be released beside those that are on the queue or in work."""
    return max(0, limits.RELEASED_PER_WORKER * workers_max - len(out))


def release(
    waiting: Sequence[TaskRow], out: Sequence[TaskRow], workers_max: int
) -> tuple[TaskRow, ...]:
    """The next tasks, in the order of priority and age."""
    distinct = {(row.job_id, row.task_id): row for row in waiting if row.state is TaskState.OPEN}
    ordered = sorted(distinct.values(), key=lambda r: (-r.priority, r.created_at, r.job_id))
    return tuple(ordered[: room(out, workers_max)])


def unsent(out: Sequence[TaskRow], now: float) -> tuple[TaskRow, ...]:
    """Chosen, but never sent: a crash came between."""
    return tuple(
        row
        for row in out
        if row.state is TaskState.RELEASED
        and not row.enqueued
        and now - (row.released_at or 0.0) > limits.HEAL_SECONDS
    )


def vanished(out: Sequence[TaskRow], free: int, held: int, now: float) -> tuple[TaskRow, ...]:
    """Waiting on the queue for long, while fewer messages than such tasks are there: `free` ones,
    and of those that are `held` what is not in work. The oldest are taken for those without."""
    waiting = [row for row in out if row.state is TaskState.RELEASED and row.enqueued]
    running = sum(1 for row in out if row.state is TaskState.RUNNING)
    missing = len(waiting) - free - max(0, held - running)
    old = sorted((row for row in waiting if is_overdue(row, now)), key=last_moved)
    return tuple(old[: max(0, missing)])


def is_overdue(row: TaskRow, now: float) -> bool:
    """A message that is still there would have been received, or would be known to wait."""
    return now - last_moved(row) > limits.SILENCE_SECONDS


def last_moved(row: TaskRow) -> float:
    """When it was sent, or last heard of."""
    return max(row.created_at, row.released_at or 0.0, row.reported_at or 0.0)


def silent(out: Sequence[TaskRow], now: float) -> tuple[TaskRow, ...]:
    """Running, and not a word for too long."""
    return tuple(
        row
        for row in out
        if row.state is TaskState.RUNNING
        and now - (row.reported_at or row.created_at) > limits.SILENCE_SECONDS
    )
