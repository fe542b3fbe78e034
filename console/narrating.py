"""Tells the stages of a run as they are seen, each once. Pure: moments in, sentences out.

A stage is told when something shows it, never because its time has come; what came and went
between two looks is told from what it left behind, or not at all.
"""

from collections.abc import Callable

from console import jobview
from console.observing import Seen, messages
from mayfly.core.rows import JobState, TaskState

#: A stage: its sentence when the moment shows it, else None.
Stage = Callable[[Seen], str | None]


def _on_requests_queue(seen: Seen) -> str | None:
    if seen.job is not None or not messages(seen.depths["requests"]):
        return None
    return "S3 has told the requests queue of the upload."


def _opened(seen: Seen) -> str | None:
    if seen.job is None:
        return None
    head = seen.job.head
    return f"The dispatcher has opened job {head.job_id} in the pool {head.pool or '-'}."


def _on_jobs_queue(seen: Seen) -> str | None:
    task = seen.job.tasks[0] if seen.job and seen.job.tasks else None
    if task is None or not task.enqueued:
        return None
    return f"Its task {task.task_id} is on the queue jobs-{task.pool}, with signed URLs."


def _service(seen: Seen) -> str | None:
    standing = {service.name: service for service in seen.services}
    rows = seen.pool.services.values() if seen.pool else ()
    made = next((row for row in rows if row.name in standing), None)
    if made is None:
        return None
    return (
        f"CreateService: {made.name} on {made.capacity_provider}, "
        f"{standing[made.name].desired} worker asked for."
    )


def _worker(seen: Seen) -> str | None:
    running = next((worker for worker in seen.workers if worker.status == "RUNNING"), None)
    if running is None:
        return None
    return (
        f"ECS runs task {running.task[:8]} on {running.capacity}: "
        f"{running.vcpu:g} vCPU, {running.memory_mib} MiB."
    )


def _begun(seen: Seen) -> str | None:
    task = seen.job.tasks[0] if seen.job and seen.job.tasks else None
    if task is None or not task.attempts or not task.worker:
        return None
    return f"Worker {task.worker.rpartition('/')[2][:8]} has taken the task and encodes."


def _done(seen: Seen) -> str | None:
    task = seen.job.tasks[0] if seen.job and seen.job.tasks else None
    if task is None or task.state is not TaskState.DONE:
        return None
    return "The worker has reported on the done queue: encoded, stored and proven."


def _ended(seen: Seen) -> str | None:
    if seen.job is None or seen.job.head.ended_at is None:
        return None
    head = seen.job.head
    taken = jobview.seconds((head.ended_at or seen.at) - head.accepted_at)
    if head.state is JobState.SUCCEEDED:
        return f"The completion handler has published the outputs ({taken} after it was opened)."
    return f"The job ended as {head.state.value} after {taken}."


def _draining(seen: Seen) -> str | None:
    over = seen.job is not None and seen.job.head.ended_at is not None
    draining = next((s for s in seen.services if s.desired == 0), None)
    if not over or draining is None:
        return None
    return f"No work is left: service {draining.name} drains."


STAGES: tuple[Stage, ...] = (
    _on_requests_queue,
    _opened,
    _on_jobs_queue,
    _service,
    _worker,
    _begun,
    _done,
    _ended,
    _draining,
)


class Narrator:
    """Remembers what was told."""

    def __init__(self) -> None:
        self._untold = list(STAGES)
        self._interruptions = 0
        self._service = ""

    def hear(self, seen: Seen) -> list[str]:
        """The sentences that this moment adds."""
        told = [(stage, stage(seen)) for stage in self._untold]
        self._untold = [stage for stage, sentence in told if sentence is None]
        sentences = [sentence for _, sentence in told if sentence is not None]
        return [*sentences, *self._interrupted(seen), *self._deleted(seen)]

    def _interrupted(self, seen: Seen) -> list[str]:
        count = seen.job.head.interruptions if seen.job else 0
        if count <= self._interruptions:
            return []
        self._interruptions = count
        return ["A worker was interrupted; its task goes to another."]

    def _deleted(self, seen: Seen) -> list[str]:
        over = seen.job is not None and seen.job.head.ended_at is not None
        if seen.services:
            self._service = seen.services[0].name
        elif self._service and over:
            gone, self._service = self._service, ""
            return [f"DeleteService: {gone} is gone."]
        return []
