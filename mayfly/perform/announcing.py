"""Tells the world how a job ended: one EventBridge event with a fixed id.

Sent at least once; whoever must not act twice keeps the ids it has seen.
"""

from collections.abc import Sequence

from mayfly.contract import wire
from mayfly.contract.outcome import Outcome, OutcomeState, Published
from mayfly.core import ladders, naming, receipt
from mayfly.core.rows import (
    ENDS,
    JobHead,
    JobSpec,
    JobState,
    TaskRow,
    from_item,
    head_key,
    spec_key,
)
from mayfly.perform.publishing import delivering
from mayfly.perform.world import World

DETAIL_TYPE = "Mayfly Outcome"

_NAMES: dict[JobState, OutcomeState] = {
    JobState.SUCCEEDED: "succeeded",
    JobState.FAILED: "failed",
    JobState.CANCELLED: "cancelled",
    JobState.SUPERSEDED: "superseded",
}


def announce(world: World, job_id: str) -> None:
    """Sends the outcome of an ended job. Raises Temporary."""
    found = outcome_of(world, job_id)
    if found is None:
        return
    world.bus.publish(DETAIL_TYPE, wire.encode(found))
    state = found.state.capitalize()
    if found.failure is not None:
        world.tally.add("JobsFailed", code=found.failure.code)
    world.tally.add(f"Jobs{state}")
    seconds = found.ended_at - found.accepted_at
    world.tally.add("TimeToOutcomeSeconds", seconds, unit="Seconds")


def outcome_of(world: World, job_id: str) -> Outcome | None:
    """The outcome of a job, or None while it has not ended."""
    head_item, spec_item = world.table.get(head_key(job_id), spec_key(job_id))
    if head_item is None:
        return None
    head = from_item(JobHead, head_item)
    if head.state not in ENDS:
        return None
    spec = from_item(JobSpec, spec_item) if spec_item else None
    requests = world.table.rows(f"job#{job_id}", "request#")
    tasks = delivering(world, head) if head.state is JobState.SUCCEEDED else []
    return Outcome(
        job_id=job_id,
        event_id=f"{job_id}-{head.run}",
        state=_NAMES[head.state],
        source=head.source,
        preset=head.preset,
        tenant=head.tenant,
        run=head.run,
        accepted_at=head.accepted_at,
        ended_at=head.ended_at or head.updated_at,
        attempts=head.attempts,
        interruptions=head.interruptions,
        outputs=_published(head, spec, tasks),
        failure=head.failure,
        note=" ".join(task.note for task in tasks if task.note),
        proof=next((task.proof for task in tasks if task.proof), None),
        work=receipt.work_done(head),
        request_ids=tuple(str(row["request_id"]) for row in requests),
    )


def _published(
    head: JobHead, spec: JobSpec | None, tasks: Sequence[TaskRow]
) -> tuple[Published, ...]:
    if spec is None:
        return ()
    source = spec.source
    return tuple(
        Published(
            file=artifact.file,
            key=naming.output_key(source.key, head.preset, head.job_id, artifact.file)
            if source
            else "",
            size_bytes=artifact.size_bytes,
            sha256=artifact.sha256,
            media=artifact.media,
            files=artifact.files,
        )
        for task in tasks
        for artifact in task.artifacts
        if artifact.file != ladders.PUBLISHED
    )
