"""The terminal record of a job: also the detail of its EventBridge event."""

from typing import Literal

import msgspec

from mayfly.contract.failure import Failure
from mayfly.contract.report import Media, Proof
from mayfly.contract.wire import Version

OutcomeState = Literal["succeeded", "failed", "cancelled", "superseded"]


class Published(msgspec.Struct, frozen=True, kw_only=True):
    """One deliverable. `key` is empty when it was stored through a user's own URL.

    Of a ladder it names what players open, one for each kind of them; what that leads to stands in
    the same folder. The first stands for all of its files, the others for themselves."""

    file: str
    key: str
    #: Of all its files together, where it stands for more.
    size_bytes: int
    sha256: str
    media: Media
    files: int = 1


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """What a job cost. Named as an estimate until its workers have stopped."""

    #: Seconds that AWS bills, from image pull to stop, at least 60 a worker: this job's share.
    billed_seconds: float
    #: Of these, the seconds in which a worker did this job's work.
    busy_seconds: float
    vcpu: float
    memory_gib: float
    dollars: float
    #: Workers still running when this was computed: the bill is not final.
    final: bool
    #: Of the billed seconds, those on-demand, at about three times Spot's price.
    on_demand_seconds: float = 0.0


class WorkDone(msgspec.Struct, frozen=True, kw_only=True):
    """How long a job's pictures took over how long they were predicted to take: whether the table
    of `mayfly.core.prediction` is right on these workers."""

    #: Of all its chunks, when it was cut; 0 of a job that was not.
    planned_seconds: float
    #: Of those of its tasks that were done and predicted: wall seconds of one worker.
    predicted_seconds: float
    #: What they took, from receiving the task to its report.
    measured_seconds: float


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How a job ended."""

    job_id: str
    #: Fixed per job and run, so that a repeated event can be told from a new one.
    event_id: str
    state: OutcomeState
    #: `s3://bucket/key` of the source, or a user's own URL without its query.
    source: str
    preset: str
    tenant: str
    run: int
    accepted_at: float
    ended_at: float
    attempts: int
    interruptions: int
    outputs: tuple[Published, ...] = ()
    failure: Failure | None = None
    #: How the work was divided and proven, or why it was not divided.
    note: str = ""
    #: The same in figures.
    proof: Proof | None = None
    #: Null where nothing was predicted: sound, stills, tasks of a user's own.
    work: WorkDone | None = None
    request_ids: tuple[str, ...] = ()
    version: Version = 1
