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


def silent(out: Sequence[TaskRow], now: float) -> tuple[TaskRow, ...]:
    """Running, and not a word for too long."""
    return tuple(
        row
        for row in out
        if row.state is TaskState.RUNNING
        and now - (row.reported_at or row.created_at) > limits.SILENCE_SECONDS
    )
