"""What happened, past tense. Events carry every time and id that a decision needs."""

import dataclasses

from mayfly.contract.failure import Failure
from mayfly.contract.plan import Plan, Scope
from mayfly.contract.recipe import Recipe
from mayfly.contract.report import Artifact, Proof
from mayfly.core.identity import SourceObject


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Event:
    #: Unix time at which the deciding side learned of it.
    at: float


# --- Of jobs -----------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RequestAccepted(_Event):
    """A valid request for an existing source. A job it names already is joined, not repeated."""

    job_id: str
    tenant: str
    pool: str
    preset: str
    recipe: Recipe
    source: SourceObject
    run: int
    priority: int
    #: For the job's first task, should it be new.
    token: str
    #: Within so long of its acceptance it should be done, if anybody said so.
    deadline_seconds: int | None = None
    request_id: str | None = None
    #: The upload that asks (`identity.upload_id`): remembered, so that no round asks for it again.
    upload: str | None = None
    #: The source was seen to stand in the bucket just now. S3's events may be of long ago.
    standing: bool = False
    #: What it may take one worker, by its bytes, if it would be cut then; else 0.
    guessed_seconds: float = 0.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RequestRefused(_Event):
    """A request that cannot become work: its job is its refusal."""

    job_id: str
    tenant: str
    preset: str
    source: str
    failure: Failure
    request_id: str | None = None
    upload: str | None = None
    #: The message, if it died through no fault of its own and may be sent again.
    request: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RerunRequested(_Event):
    """Somebody wants an ended job done once more."""

    #: The next run, as if the same request had come for it.
    accepted: RequestAccepted


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RequestRedriven(_Event):
    """The dead request of a refused job was sent again: whatever comes of it is another job."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TaskAdopted(_Event):
    """A worker took a task that a user had put straight onto the jobs queue."""

    job_id: str
    task_id: str
    token: str
    pool: str
    recipe: Recipe
    source: str
    attempt: str
    worker: str
    service: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TasksCounted(_Event):
    """The head was read after a change, or by the tick: is every task done?"""

    #: For the task that joins the parts, should it be time for it.
    token: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TokensDrawn(_Event):
    """There are tokens for the next tasks of a plan."""

    plan: Plan
    tokens: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OutputsPublished(_Event):
    """Every output stands under its clean name."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PublishFailed(_Event):
    """The outputs cannot be published, ever."""

    failure: Failure


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeAnnounced(_Event):
    """EventBridge took the outcome."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CancelRequested(_Event):
    """Somebody wants it stopped."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PoolBroke(_Event):
    """Workers of its pool stop before they begin, or there is no such pool any more."""

    detail: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TickPassed(_Event):
    """The tick looked at the job: whatever a crash left unperformed is asked for again."""


# --- Of tasks ----------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TaskReleased(_Event):
    """It was chosen to go onto the queue. Chosen first, sent then: two Lambdas send it once."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TaskEnqueued(_Event):
    """Its message was sent."""

    #: Which release of it: the task may have been given back and chosen anew meanwhile.
    released_at: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Attempted(_Event):
    """Something that an attempt said."""

    attempt: str
    worker: str = ""
    service: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TaskStarted(_Attempted):
    """An attempt has begun."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TaskProgressed(_Attempted):
    """An attempt got on."""

    fraction: float
    stage: str
    speed: float | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TaskPlanned(_Attempted):
    """An attempt cut the source into chunks, and goes on with the first of them."""

    plan: Plan


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TaskEncoded(_Attempted):
    """An attempt stored and proved every output."""

    artifacts: tuple[Artifact, ...]
    busy_seconds: float
    #: Which chunk; None for the whole source, or for whatever else the task is.
    scope: Scope | None = None
    #: How it was made, in a sentence and in figures.
    note: str = ""
    proof: Proof | None = None
    #: What its encode was predicted to take.
    predicted_seconds: float = 0.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TaskInterrupted(_Attempted):
    """An attempt stopped through no fault of its own and deleted its message."""

    reason: str
    busy_seconds: float = 0.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TaskRefused(_Attempted):
    """An attempt found the input at fault."""

    failure: Failure
    busy_seconds: float = 0.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TaskFailed(_Attempted):
    """An attempt failed and nobody knows why; its message is back on the queue."""

    failure: Failure
    busy_seconds: float = 0.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RenewalWanted(_Attempted):
    """An attempt will outlive its grants."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TaskDeadLettered(_Event):
    """Its message was received too often."""

    #: The message's id: Lambda hands out the same letter again.
    letter: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MessageVanished(_Event):
    """It waits on the queue, and the queue has fewer messages than tasks wait there."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TaskDropped(_Event):
    """Its job has ended: it need not be released or waited for any more."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TaskWentSilent(_Event):
    """It runs and nobody has said a word of it for SILENCE_SECONDS."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TaskLagged(_Event):
    """It will take longer than a fresh attempt would, and a worker is free for one."""

    #: Of those that were seen, the one at work.
    attempt: str
    #: Until another worker begins.
    start_seconds: float


JobEvent = (
    RequestAccepted
    | RequestRefused
    | RerunRequested
    | RequestRedriven
    | TaskAdopted
    | TasksCounted
    | TokensDrawn
    | OutputsPublished
    | PublishFailed
    | OutcomeAnnounced
    | CancelRequested
    | PoolBroke
    | TickPassed
)
TaskEvent = (
    TaskReleased
    | TaskEnqueued
    | TaskStarted
    | TaskProgressed
    | TaskPlanned
    | TaskEncoded
    | TaskInterrupted
    | TaskRefused
    | TaskFailed
    | RenewalWanted
    | TaskDeadLettered
    | MessageVanished
    | TaskDropped
    | TaskWentSilent
    | TaskLagged
)
Event = JobEvent | TaskEvent
