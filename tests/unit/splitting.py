"""Hands on a job that is cut into chunks: what its workers say, and what they store."""

from mayfly.contract import wire
from mayfly.contract.plan import Plan, Scope
from mayfly.contract.report import Artifact, Encoded, Media, Planned, Started
from mayfly.contract.task import Fetch, Task
from mayfly.core import parts
from mayfly.core.rows import (
    JobHead,
    TaskRow,
    TaskState,
    from_item,
    head_key,
)
from mayfly.memory.signer import MemorySigner
from mayfly.memory.world import MemoryWorld
from tests.unit.acting import dispatch, outcomes, receive, report, said, tick, upload
from tests.unit.given import PLAN


def plan_of(chunks: int, audio_tracks: int = 1) -> Plan:
    """Chunks of six seconds."""
    return Plan(
        time_base=(1, 90_000),
        origin_ticks=0,
        margin_seconds=10.0,
        boundaries=tuple(540_000 * number for number in range(1, chunks)),
        audio_tracks=audio_tracks,
    )


def planned(task: Task, plan: Plan = PLAN, attempt: str = "n1") -> Planned:
    return Planned(**said(task, attempt), plan=plan)


def brought(w: MemoryWorld, task: Task, attempt: str = "n1", scope: Scope | None = None) -> Encoded:
    """What an attempt has stored: of a finish, the deliverable."""
    file = "video.mp4" if task.kind in ("encode", "finish") and scope is None else "part.mp4"
    key = f"work/{task.job_id}/{task.task_id}/{attempt}/{file}"
    body = f"{task.task_id} by {attempt}".encode()
    w.store.write("media", key, body, content_type="video/mp4")
    artifact = Artifact(
        file=file, key=key, size_bytes=len(body), sha256="0" * 64, media=Media(container="mov")
    )
    return Encoded(
        **said(task, attempt),
        outputs=(artifact,),
        source=Media(container="mov"),
        busy_seconds=9.0,
        scope=scope or task.scope,
    )


def begun(w: MemoryWorld, plan: Plan = PLAN) -> Task:
    """A job whose first worker has said its plan; its task as the queue gave it."""
    dispatch(w, upload(w))
    task, message = receive(w)
    report(w, Started(**said(task)), planned(task, plan))
    w.jobs.delete(message.handle)
    return task


def first_scope(plan: Plan = PLAN) -> Scope:
    return plan.scope(0)


def take_all(w: MemoryWorld) -> list[Task]:
    """Every task on the queue, taken for good."""
    taken = []
    while messages := w.jobs.receive(wait_seconds=0, limit=10):
        for message in messages:
            taken.append(wire.decode(Task, message.body))
            w.jobs.delete(message.handle)
    return taken


def finish_parts(w: MemoryWorld, first: Task, plan: Plan = PLAN) -> list[Task]:
    """Does whatever is released until the finish comes; all tasks that were taken, in order."""
    report(w, brought(w, first, scope=first_scope(plan)))
    taken: list[Task] = []
    while tasks := take_all(w):
        taken += tasks
        if tasks[-1].kind == "finish":
            break
        report(w, *(brought(w, task) for task in tasks))
    return taken


def work_to_the_end(w: MemoryWorld, first: Task, plan: Plan = PLAN) -> list[Task]:
    """The first worker does its chunk, others take what comes, the tick passes; until the job's
    outcome is told. All tasks that were taken."""
    taken: list[Task] = []
    report(w, brought(w, first, scope=first_scope(plan)))
    for _ in range(40):
        for task in take_all(w):
            taken.append(task)
            report(w, Started(**said(task, "n2")), brought(w, task, "n2"))
        if w.bus.published:
            return taken
        tick(w)
    raise AssertionError(f"it never ends: {head_of(w, first.job_id)}")


def fetched(w: MemoryWorld, fetch: Fetch) -> bytes:
    """What a signed GET answers with, now."""
    assert isinstance(w.world.signer, MemorySigner)
    return w.world.signer.fetched(fetch).body


def indexed(w: MemoryWorld) -> list[str]:
    """What the pool still sees of any task."""
    rows = w.table.snapshot().values()
    return [str(item["sk"]) for item in rows if str(item.get("gpk", "")).startswith("tasks#")]


def assert_whole(w: MemoryWorld, job_id: str | None, plan: Plan = PLAN) -> None:
    """Every part was done once, they were joined once, and nothing is left."""
    head, tasks = head_of(w, job_id), tasks_of(w, job_id)
    assert {row.state for row in tasks.values()} == {TaskState.DONE}
    made = {parts.part(plan, index).task_id for index in range(parts.count(plan))}
    assert set(tasks) == {*made, parts.FINISH_TASK}
    assert (head.open_tasks, head.opened, head.parts) == (0, len(made), len(made))
    assert len({outcome.event_id for outcome in outcomes(w)}) == 1
    assert {outcome.state for outcome in outcomes(w)} == {"succeeded"}
    assert indexed(w) == []


def head_of(w: MemoryWorld, job_id: str | None) -> JobHead:
    (item,) = w.table.get(head_key(job_id or ""))
    return from_item(JobHead, item)


def tasks_of(w: MemoryWorld, job_id: str | None) -> dict[str, TaskRow]:
    rows = [from_item(TaskRow, item) for item in w.table.rows(f"job#{job_id}", "task#")]
    return {row.task_id: row for row in rows}
