"""What shall be done, imperative. Every command is idempotent: a redelivered event repeats it."""

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseTasks:
    """Put the next waiting tasks of the pool on its queue.

    `opened` names tasks that were opened just now (job, task): the index may not know them yet.
    """

    pool: str
    opened: frozenset[tuple[str, str]] = frozenset()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SeeToPool:
    """Compare what is open with what runs, and act.

    `settled`: the tick looks. Only then fewer workers are asked for while there is work, since
    jobs that close one by one would otherwise cost a call to ECS each.
    """

    pool: str
    settled: bool = False
    #: As with ReleaseTasks: what a planner would not find in the index yet.
    opened: frozenset[tuple[str, str]] = frozenset()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CountTasks:
    """Read the head again and ask whether every task is done."""

    job_id: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OpenTasks:
    """Make rows for those tasks of the job's plan that have none yet."""

    job_id: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PublishOutputs:
    """Copy the outputs to their clean names, the last object last."""

    job_id: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AnnounceOutcome:
    """Send the outcome to EventBridge."""

    job_id: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RenewGrants:
    """Sign the task's URLs anew, into its control object."""

    job_id: str
    task_id: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StopWorkers:
    """Write "stop" into the control object of one task. Without a task the job has ended: stop
    whoever is at work for it, let go of the tasks that wait, and only then tell the outcome, since
    the tick looks after an ended job for no longer than that."""

    job_id: str
    reason: str
    task_id: str | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NoteWorkerStarted:
    """The pool's workers do begin: its crash count starts anew."""

    pool: str


Command = (
    ReleaseTasks
    | SeeToPool
    | CountTasks
    | OpenTasks
    | PublishOutputs
    | AnnounceOutcome
    | RenewGrants
    | StopWorkers
    | NoteWorkerStarted
)
