"""Which tasks go onto the queue next. The queue is short on purpose.

Open tasks live in the table; only about twice as many as there are workers are released, so a
cancel takes effect, a film of 10,000 chunks does not stand before a clip of ten seconds, and a
grant waits minutes at most. The rules:

1. Higher priority goes first, whosever it is.
2. At one priority the tenant with the fewest tasks out goes first; among those with as many, the
   one whose last turn is longest ago. So a tenant of whom nothing is out waits for one task of each
   other tenant, and for no more, however much these have.
3. Within a tenant what is due first goes first: by its deadline, or without one a while after its
   job was accepted, each chunk a round later than the one before it. So a newcomer goes before the
   chunks of a film, films take turns, and yet nothing waits for ever: only what was accepted before
   a task is due can pass it.
"""

import dataclasses
import heapq
from collections import Counter
from collections.abc import Iterable, Sequence

from mayfly.core import limits
from mayfly.core.rows import TaskRow, TaskState, TenantRow


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """The waiting tasks of one tenant, as far as they were read, the next one first."""

    tenant: str
    tasks: tuple[TaskRow, ...]


def line(tenant: str, rows: Iterable[TaskRow]) -> Line:
    """What waits of these rows, each task once: the index may be behind."""
    distinct = {(row.job_id, row.task_id): row for row in rows if row.state is TaskState.OPEN}
    return Line(tenant=tenant, tasks=tuple(sorted(distinct.values(), key=order_of)))


def room(out: Sequence[TaskRow], workers_max: int) -> int:
    """How many more may be released beside those that are on the queue or in work."""
    return max(0, limits.RELEASED_PER_WORKER * workers_max - tries(out))


def tries(out: Sequence[TaskRow]) -> int:
    """Messages that are on the queue or in work: one a task, and one for each backup attempt."""
    return len(out) + sum(1 for row in out if row.lagging)


def looked_at(
    tenants: Sequence[TenantRow], out: Sequence[TaskRow]
) -> Sequence[Sequence[TenantRow]]:
    """Whose lines are read, some at a time, until there are enough tasks. Those with open jobs of
    whom nothing is out have something waiting, and it is their turn first."""
    held = Counter(row.tenant for row in out)
    some = [row for row in tenants if row.open_jobs > 0]
    some.sort(key=lambda row: held[row.tenant])  # stable: those with as many keep their order
    size = limits.TENANTS_LOOKED_AT_MAX
    return [some[start : start + size] for start in range(0, len(some), size)]


def release(lines: Sequence[Line], out: Sequence[TaskRow], room: int) -> tuple[TaskRow, ...]:
    """The next tasks. `lines` of tenants with as many tasks out stand in the order of their last
    turns, oldest first."""
    held = Counter(row.tenant for row in out)
    claims = [_claim(line, 0, held, turn) for turn, line in enumerate(lines) if line.tasks]
    heapq.heapify(claims)
    chosen: list[TaskRow] = []
    while claims and len(chosen) < room:
        *_, at, line = heapq.heappop(claims)
        chosen.append(line.tasks[at])
        held[line.tenant] += 1
        if at + 1 < len(line.tasks):
            last = len(lines) + len(chosen)
            heapq.heappush(claims, _claim(line, at + 1, held, last))
    return tuple(chosen)


#: Priority, tasks out and turn: the smallest goes first, and no two have the same turn. Then which
#: task of which line.
_Claim = tuple[int, int, int, int, Line]


def _claim(line: Line, at: int, held: Counter[str], turn: int) -> _Claim:
    return -line.tasks[at].priority, held[line.tenant], turn, at, line


def turned(
    tenants: Sequence[TenantRow], lines: Sequence[Line], chosen: Sequence[TaskRow]
) -> tuple[str, ...]:
    """The tenants that had their turn. When there may be more than were read, also those that have
    nothing waiting; of a single tenant nobody need know."""
    had = {row.tenant for row in chosen}
    if len(tenants) >= limits.TENANTS_READ_MAX:
        had |= {line.tenant for line in lines if not line.tasks}
    elif sum(1 for row in tenants if row.open_jobs > 0) < 2:
        return ()
    return tuple(line.tenant for line in lines if line.tenant in had)


def order_of(task: TaskRow) -> str:
    """Sorts a tenant's waiting tasks. Those due at the same time take turns by rounds."""
    urgency = f"{50 - task.priority:03d}#{due_at(task):017.3f}#{round_of(task):05d}"
    return f"{urgency}#{task.job_id}#{task.task_id}"


def due_at(task: TaskRow) -> float:
    """When a task is due, among those of its tenant."""
    if task.deadline_at is not None:
        return task.deadline_at
    return task.accepted_at + limits.UNHURRIED_SECONDS + round_of(task) * limits.ROUND_SECONDS


def round_of(task: TaskRow) -> int:
    """How many chunks of its job come before it. Sound and finish come before none of them, for
    everybody waits for these."""
    return task.number if task.kind == "chunk" else 0


def unsent(out: Sequence[TaskRow], now: float) -> tuple[TaskRow, ...]:
    """Chosen, but never sent: a crash came between. Of a task in work, its backup's message."""
    return tuple(
        row
        for row in out
        if (row.state is TaskState.RELEASED or row.lagging)
        and not row.enqueued
        and now - (row.released_at or 0.0) > limits.HEAL_SECONDS
    )


def vanished(out: Sequence[TaskRow], free: int, held: int, now: float) -> tuple[TaskRow, ...]:
    """Waiting on the queue for long, while fewer messages than such tasks are there: `free` ones,
    and of those that are `held` what is not in work. Of these one is a backup's, wherever a task
    has one. The oldest are taken for those without."""
    waiting = [row for row in out if row.state is TaskState.RELEASED and row.enqueued]
    running = sum(1 for row in out if row.state is TaskState.RUNNING)
    backups = sum(1 for row in out if row.lagging and row.enqueued)
    missing = len(waiting) + backups - free - max(0, held - running)
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
