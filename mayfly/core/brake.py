"""The brake on crash loops. ECS replaces a worker that exits, at full price, for ever; stopping
that is ours.

A worker that stops before a `started` of its own counts, once however often ECS tells of it;
`started` of any worker of the pool sets the count back. At CRASHES_MAX the pool is closed and its
jobs fail with a code.
"""

import dataclasses

from mayfly.core import limits
from mayfly.core.changes import Above, Absent, Change, Create, Put, Update
from mayfly.core.rows import PoolRow, first_act_key, pool_key


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WorkerStopped:
    """An ECS task of ours reached STOPPED."""

    worker: str
    service: str
    pool: str
    stop_code: str
    reason: str
    exit_code: int | None


#: Stops that say nothing about the worker: AWS or we wanted them.
_INNOCENT = frozenset(
    {"SpotInterruption", "ServiceSchedulerInitiated", "UserInitiated", "TerminationNotice"}
)


def is_crash(stop: WorkerStopped) -> bool:
    """Whether the worker stopped of itself, and not well."""
    if stop.stop_code in _INNOCENT:
        return False
    return stop.stop_code == "TaskFailedToStart" or stop.exit_code != 0


def counted(stop: WorkerStopped, at: float) -> tuple[Change, ...]:
    """One more crash, unless the worker has begun a task or was counted before."""
    fading = {"act": "crashed", "expires_at": int(at) + limits.RECORD_SECONDS}
    return (
        Create(key=first_act_key(stop.service, stop.worker), item=fading),
        Update(key=pool_key(stop.pool), set={"pool": stop.pool}, add={"crashes": 1}, upsert=True),
    )


def begun(service: str, worker: str, at: float) -> tuple[Change, ...]:
    """The worker has begun a task: however it ends, it is no loop."""
    if not service or not worker:
        return ()
    fading = {"act": "began", "expires_at": int(at) + limits.RECORD_SECONDS}
    return (Put(key=first_act_key(service, worker), item=fading),)


def set_back(pool: str) -> Update:
    """Workers do begin."""
    return Update(key=pool_key(pool), set={"crashes": 0}, require={"crashes": Above(0)})


def pulled(row: PoolRow, at: float) -> Update | None:
    """Closes the pool, once, when it has crashed too often."""
    if row.crashes < limits.CRASHES_MAX or row.broken_at is not None:
        return None
    return Update(
        key=pool_key(row.pool),
        set={"broken_at": at, "foreign": False},
        # A worker may have begun since the row was read.
        require={"broken_at": Absent(), "crashes": Above(limits.CRASHES_MAX - 1)},
    )
