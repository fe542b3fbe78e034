"""Rows and events that unit tests start from."""

from typing import Any

import msgspec

from mayfly.contract import presets
from mayfly.contract.failure import failure
from mayfly.contract.plan import Plan
from mayfly.contract.recipe import Recipe
from mayfly.contract.report import Artifact, Media
from mayfly.core import events as e
from mayfly.core.identity import SourceObject
from mayfly.core.rows import JobHead, JobState, TaskRow, TaskState

AT = 1_800_000_000.0
RECIPE: Recipe = presets.all_presets()["mp4-720p"].recipe
SOURCE = SourceObject(
    bucket="media", key="uploads/mp4-720p/a clip.mp4", etag="e1", size_bytes=1000, sequencer="0A"
)
#: Three chunks and a sound track.
PLAN = Plan(
    time_base=(1, 90_000),
    origin_ticks=126_000,
    margin_seconds=10.1,
    boundaries=(540_000, 1_080_000),
    audio_tracks=1,
)
ARTIFACT = Artifact(
    file="video.mp4",
    key="work/job1/encode/nonce1/video.mp4",
    size_bytes=10,
    sha256="0" * 64,
    media=Media(container="mov", frames=24),
)


def a_job(state: JobState = JobState.RUNNING, **fields: Any) -> JobHead:
    head = JobHead(
        job_id="job1",
        state=state,
        tenant="default",
        pool="standard",
        preset="mp4-720p",
        source=SOURCE.address,
        run=1,
        priority=0,
        accepted_at=AT,
        updated_at=AT,
        open_tasks=1,
    )
    return msgspec.structs.replace(head, **fields)


def a_task(state: TaskState = TaskState.RUNNING, **fields: Any) -> TaskRow:
    """Of whom one attempt was heard of; what the first word of another does is `first_word`'s."""
    row = TaskRow(
        job_id="job1",
        task_id="encode",
        state=state,
        pool="standard",
        tenant="default",
        token="token1",
        priority=0,
        accepted_at=AT,
        created_at=AT,
        version=3,
        attempt="nonce1" if state is TaskState.RUNNING else "",
        began_at=AT,
        heard_attempts=("nonce1",),
        attempts=1 if state is TaskState.RUNNING else 0,
    )
    return msgspec.structs.replace(row, **fields)


def every_event() -> dict[type[Any], Any]:
    """One of each kind."""
    return {type(event): event for event in (*_of_jobs(), *_of_tasks())}


def an_acceptance(**fields: Any) -> e.RequestAccepted:
    given: dict[str, Any] = {"at": AT, "job_id": "job1", "tenant": "default", "preset": "mp4-720p"}
    given |= {"pool": "standard", "recipe": RECIPE, "source": SOURCE, "run": 1, "priority": 0}
    return e.RequestAccepted(**(given | {"token": "token1"} | fields))


def _of_jobs() -> list[Any]:
    job: dict[str, Any] = {"at": AT, "job_id": "job1"}
    asked: dict[str, Any] = {**job, "tenant": "default", "preset": "mp4-720p"}
    new: dict[str, Any] = {"pool": "standard", "recipe": RECIPE, "token": "token1"}
    return [
        an_acceptance(),
        e.RequestRefused(**asked, source="s", failure=failure("request_refused")),
        e.RerunRequested(at=AT, accepted=an_acceptance(job_id="job2", run=2)),
        e.RequestRedriven(at=AT),
        e.TaskAdopted(
            **job, **new, task_id="encode", source="u", attempt="nonce1", worker="w1", service="s"
        ),
        e.TasksCounted(at=AT, token="token9"),
        e.TokensDrawn(at=AT, plan=PLAN, tokens=("token2", "token3", "token4")),
        e.OutputsPublished(at=AT),
        e.PublishFailed(at=AT, failure=failure("publish_failed")),
        e.OutcomeAnnounced(at=AT),
        e.CancelRequested(at=AT),
        e.PoolBroke(at=AT),
        e.TickPassed(at=AT),
    ]


def _of_tasks() -> list[Any]:
    said: dict[str, Any] = {"at": AT, "attempt": "nonce1", "worker": "w1"}
    said["service"] = "mayfly-standard-s1"
    return [
        e.TaskReleased(at=AT),
        e.TaskEnqueued(at=AT, released_at=AT),
        e.TaskStarted(**said),
        e.TaskProgressed(**said, fraction=0.5, stage="encoding", speed=2.0),
        e.TaskPlanned(**said, plan=PLAN),
        e.TaskEncoded(**said, artifacts=(ARTIFACT,), busy_seconds=10.0),
        e.TaskInterrupted(**said, reason="spot_interruption", busy_seconds=5.0),
        e.TaskRefused(**said, failure=failure("not_media"), busy_seconds=1.0),
        e.TaskFailed(**said, failure=failure("encoder_failed"), busy_seconds=1.0),
        e.RenewalWanted(**said),
        e.TaskDeadLettered(at=AT),
        e.MessageVanished(at=AT),
        e.TaskDropped(at=AT),
        e.TaskWentSilent(at=AT),
        e.TaskLagged(at=AT, attempt="nonce1", start_seconds=5.0),
    ]
