"""The rows of the one table: what is remembered of jobs, tasks, pools and services.

The head of a job is small (< 1 KB) because every closing task touches it; what is large or rarely
read lies beside it. This module knows shapes and keys only; who may change what stands in
`machine.py` and `pool.py`.
"""

import enum
from typing import Any, TypeVar

import msgspec

from mayfly.contract.failure import Failure
from mayfly.contract.plan import PlanClock, Scope
from mayfly.contract.report import Artifact, Proof
from mayfly.contract.task import TaskKind
from mayfly.core.changes import Key
from mayfly.core.identity import SourceObject

T = TypeVar("T", bound=msgspec.Struct)


class JobState(enum.StrEnum):
    """Where a job is. The last four are the ends."""

    #: Accepted; no worker has begun.
    QUEUED = "queued"
    #: A worker has begun at least one of its tasks.
    RUNNING = "running"
    #: Every part is done; one worker joins them.
    FINISHING = "finishing"
    #: Every task is done; outputs are being copied to their clean names.
    PUBLISHING = "publishing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    #: Its source was replaced while it ran; the newer upload has a job of its own.
    SUPERSEDED = "superseded"


ENDS = frozenset({JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED, JobState.SUPERSEDED})


class TaskState(enum.StrEnum):
    """Where a task is."""

    #: In the table, not on the queue: waits to be released.
    OPEN = "open"
    #: On the queue.
    RELEASED = "released"
    #: A worker has begun it.
    RUNNING = "running"
    #: Its outputs are stored and proven.
    DONE = "done"
    #: Not a stored state: what every task is once its job has ended.
    ENDED = "ended"


class JobHead(msgspec.Struct, frozen=True, kw_only=True):
    """The counters and the state of a job."""

    job_id: str
    state: JobState
    tenant: str
    pool: str
    preset: str
    #: `s3://bucket/key`, or a user's own URL without its query.
    source: str
    run: int
    priority: int
    accepted_at: float
    #: When its asker wants it done; it orders and sizes, and nothing fails for it.
    deadline_at: float | None = None
    updated_at: float
    #: Tasks not yet done, those included that are still to be opened.
    open_tasks: int
    #: Tasks of its plan, the finish not counted; 1 without a plan.
    parts: int = 1
    #: How many of them have a row.
    opened: int = 1
    #: Outputs were stored through a user's own URLs: there is nothing to publish.
    adopted: bool = False
    attempts: int = 0
    interruptions: int = 0
    #: What all chunks of its plan take one worker, as predicted. In short names and whole numbers,
    #: since they are added, and the head is small.
    plan_ms: int = 0
    #: The same of those of its tasks that are done, and what these took.
    done_ms: int = 0
    took_ms: int = 0
    #: How many of its chunks are done.
    chunks: int = 0
    ended_at: float | None = None
    failure: Failure | None = None
    #: The outcome event was sent.
    announced: bool = False
    #: The next run of the same work.
    rerun_as: str = ""
    #: When that was asked for, or when its dead request was sent again.
    rerun_at: float = 0.0
    #: (event, from, to), oldest first: a job changes its state at most seven times.
    story: tuple[str, ...] = ()


class JobSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What a job was asked to do. Beside the head because it can be large."""

    recipe: str = ""
    source: SourceObject | None = None
    #: An upload asks for it: `latest.json` may name it.
    uploaded: bool = False
    #: Of a planned job: what each of its parts needs of the plan.
    clock: PlanClock | None = None
    #: Of a refused job: its dead request, until it is sent again.
    request: str = ""


class PlanRow(msgspec.Struct, frozen=True, kw_only=True):
    """The plan of a job as its worker told it. Read while tasks are opened, and never after."""

    plan: str


class TaskRow(msgspec.Struct, frozen=True, kw_only=True):
    """One task."""

    job_id: str
    task_id: str
    state: TaskState
    pool: str
    tenant: str
    token: str
    priority: int
    #: Those of its job, which say when it is its turn.
    accepted_at: float
    deadline_at: float | None = None
    created_at: float
    kind: TaskKind = "encode"
    #: The chunk's number, or the track's. Parts are put in order by it, never by their names.
    number: int = 0
    #: Of a chunk: what it covers.
    scope: Scope | None = None
    #: Grows with every change: a decision made on an older row is refused.
    version: int = 0
    #: Of the first task of a large source: what it may take one worker, by its bytes.
    guessed_seconds: float = 0.0
    #: When it was last chosen to go onto the queue.
    released_at: float | None = None
    #: Its message was sent since then (the outbox mark).
    enqueued: bool = False
    #: The nonce of the attempt that reported last.
    attempt: str = ""
    #: When the newest attempt was first heard of; 0 when none was.
    began_at: float = 0.0
    #: The attempt that lagged, while a second message is out beside its own; empty with one.
    lagging: str = ""
    #: How often that was so.
    backups: int = 0
    #: Nonces of attempts that said something, the last few: each counts once.
    heard_attempts: tuple[str, ...] = ()
    #: Nonces of attempts that have ended: a late word of theirs is stale.
    ended_attempts: tuple[str, ...] = ()
    attempts: int = 0
    interruptions: int = 0
    #: Attempts that failed for unknown reasons.
    failures: int = 0
    #: Workers that vanished, by dead letters and silences that no failure explains.
    lost: int = 0
    #: Dead letters that were judged.
    letters: tuple[str, ...] = ()
    fraction: float = 0.0
    stage: str = ""
    speed: float | None = None
    reported_at: float | None = None
    worker: str = ""
    #: Every service that worked on it, for the receipt.
    services: tuple[str, ...] = ()
    last_failure: Failure | None = None
    artifacts: tuple[Artifact, ...] = ()
    #: How they were made, in a sentence and in figures.
    note: str = ""
    proof: Proof | None = None
    busy_seconds: float = 0.0
    #: (event, from, to), newest last, bounded.
    story: tuple[str, ...] = ()


class TenantRow(msgspec.Struct, frozen=True, kw_only=True):
    """The open jobs of one tenant in a pool. Together they are the pool's.

    A row of its own, for a pool's row could not hold the tenants of a large service. Its place in
    the index says when the tenant had its last turn, so those who waited longest stand first.
    """

    tenant: str
    open_jobs: int = 0
    #: When a job was last opened or closed.
    changed_at: float = 0.0


class ServiceRow(msgspec.Struct, frozen=True, kw_only=True):
    """A service of a pool, as its planner last asked for it."""

    name: str
    #: The desired count last asked for.
    asked: int
    #: CreateService was last called.
    created_at: float
    capacity_provider: str
    task_definition: str
    #: CreateService was answered; before that it may or may not exist.
    created: bool = False
    #: ECS did not show it, for the first time in a row.
    missed_at: float | None = None
    #: It was last raised from none.
    raised_at: float = 0.0
    #: DeleteService was last decided, or somebody else's seen: it serves no more.
    deleted_at: float | None = None


class PoolRow(msgspec.Struct, frozen=True, kw_only=True):
    """One task size: its open jobs and its services."""

    pool: str
    open_jobs: int = 0
    services: dict[str, ServiceRow] = {}
    lease_owner: str = ""
    lease_until: float = 0.0
    #: Task stops in a row without any `started`.
    crashes: int = 0
    #: The brake was pulled at this time.
    broken_at: float | None = None
    #: Users' own tasks were seen on the queue without any open job.
    foreign: bool = False
    #: Planners that came while another held the lease: it looks again before it lets go.
    looks_wanted: int = 0
    #: One of them was the tick.
    settled_wanted: bool = False
    #: Since this tick Spot has given fewer workers than asked for.
    short_since: float | None = None
    #: The last tick at which open work waited through no fault of its own: the pool was paused, or
    #: not one worker ran.
    held_at: float = 0.0


class RoundRow(msgspec.Struct, frozen=True, kw_only=True):
    """The newest round over the uploads."""

    began_at: float
    #: Uploads stored before this are not ours to ask about: they were there before the stack.
    since: float
    #: The last key that was looked at.
    cursor: str = ""
    #: None while keys are left.
    done_at: float | None = None


def head_key(job_id: str) -> Key:
    """The head of a job."""
    return Key(f"job#{job_id}", "head")


def spec_key(job_id: str) -> Key:
    """The spec of a job."""
    return Key(f"job#{job_id}", "spec")


def plan_key(job_id: str) -> Key:
    """The plan of a job."""
    return Key(f"job#{job_id}", "plan")


def task_key(job_id: str, task_id: str) -> Key:
    """One task of a job."""
    return Key(f"job#{job_id}", f"task#{task_id}")


def request_key(job_id: str, request_id: str) -> Key:
    """One asker's own name for a request that led to this job."""
    return Key(f"job#{job_id}", f"request#{request_id}")


def upload_key(upload: str) -> Key:
    """That an upload has led to a job."""
    return Key(f"upload#{upload}", "seen")


def pool_key(pool: str) -> Key:
    """The row of a pool."""
    return Key(f"pool#{pool}", "head")


def tenant_key(pool: str, tenant: str) -> Key:
    """The row of a tenant in a pool."""
    return Key(f"pool#{pool}", f"tenant#{tenant}")


def busy_key(service: str, job_id: str, attempt: str) -> Key:
    """Seconds one attempt kept a worker of a service busy."""
    return Key(f"service#{service}", f"busy#{job_id}#{attempt}")


def billed_key(service: str, worker: str) -> Key:
    """What AWS bills for one worker of a service."""
    return Key(f"service#{service}", f"billed#{worker}")


def first_act_key(service: str, worker: str) -> Key:
    """What a worker did first: begin a task, or crash."""
    return Key(f"service#{service}", f"first#{worker}")


#: The row that stops every planner (maintenance, destroy).
PAUSED_KEY = Key("stack", "paused")

#: The newest round over the uploads.
ROUND_KEY = Key("stack", "reconciled")

#: Index partitions of jobs: those whose outcome is not yet announced, and the others.
OPEN_JOBS, ENDED_JOBS = "jobs#open", "jobs#ended"


def open_tasks_partition(pool: str, tenant: str) -> str:
    """The index partition of a tenant's tasks that wait to be released."""
    return f"tasks#{pool}#open#{tenant}"


def out_tasks_partition(pool: str) -> str:
    """The index partition of a pool's tasks that are on the queue or in work."""
    return f"tasks#{pool}#out"


def tenants_partition(pool: str) -> str:
    """The index partition of a pool's tenants with open jobs."""
    return f"tenants#{pool}#open"


def idle_tenants_partition(pool: str) -> str:
    """The index partition of a pool's tenants that were found without open jobs."""
    return f"tenants#{pool}#idle"


def job_order(at: float, job_id: str) -> str:
    """Sorts jobs by time."""
    return f"{at:017.3f}#{job_id}"


def tenant_order(at: float, tenant: str) -> str:
    """Sorts tenants by their last turns."""
    return f"{at:017.3f}#{tenant}"


def to_item(row: msgspec.Struct) -> dict[str, Any]:
    """A row as plain values."""
    item: dict[str, Any] = msgspec.to_builtins(row)
    return item


def from_item(kind: type[T], item: Any) -> T:
    """A row from plain values; fields it does not know (keys, index, TTL) are ignored."""
    return msgspec.convert(item, kind, strict=False)
