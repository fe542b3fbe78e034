"""Hands on a pool that many share: who asks, what goes out, what that costs."""

import json

from mayfly.contract.plan import Plan
from mayfly.contract.report import Started
from mayfly.contract.task import Task
from mayfly.core import commands
from mayfly.core.rows import JobHead, TaskRow, TenantRow, from_item, head_key, out_tasks_partition
from mayfly.memory.world import MemoryWorld
from mayfly.perform import engine
from tests.unit.acting import dispatch, report, said
from tests.unit.splitting import brought, plan_of, planned, take_all

POOL = "standard"


def ask(w: MemoryWorld, name: str, tenant: str = "default", **wishes: object) -> None:
    """Somebody asks for a source of their own."""
    key = f"uploads/{name}.mp4"
    if w.store.head("media", key) is None:
        w.store.write("media", key, name.encode(), content_type="video/mp4")
    asked = {"source": f"s3://media/{key}", "tenant": tenant, **wishes}
    dispatch(w, json.dumps(asked))


def cut(w: MemoryWorld, chunks: int) -> Task:
    """The one task on the queue is a film's, and its worker says so."""
    (task,) = take_all(w)
    plan: Plan = plan_of(chunks, audio_tracks=0)
    report(w, Started(**said(task)), planned(task, plan))
    return task


def done(w: MemoryWorld, *tasks: Task) -> None:
    """They are encoded."""
    report(w, *(brought(w, task) for task in tasks))


def release(w: MemoryWorld) -> None:
    """One look, as any event brings it."""
    engine.run(w.world, [commands.ReleaseTasks(pool=POOL)])


def heads(w: MemoryWorld) -> dict[str, JobHead]:
    """Jobs by their ids."""
    rows = w.table.snapshot().items()
    found = [row for key, row in rows if key.pk.startswith("job#") and key.sk == "head"]
    return {row["job_id"]: from_item(JobHead, row) for row in found}


def name_of(w: MemoryWorld, task: Task) -> str:
    """What was asked for, by its name."""
    (item,) = w.table.get(head_key(task.job_id or ""))
    return from_item(JobHead, item).source.removeprefix("s3://media/uploads/").removesuffix(".mp4")


def waiting(w: MemoryWorld) -> list[TaskRow]:
    """What the index shows of tasks that wait."""
    found = [r for r in w.table.snapshot().values() if "#open#" in str(r.get("gpk"))]
    return [from_item(TaskRow, row) for row in found]


def out(w: MemoryWorld) -> list[TaskRow]:
    """What the index shows of tasks on the queue or in work."""
    items = w.table.index(out_tasks_partition(POOL), limit=99)
    return [from_item(TaskRow, item) for item in items]


def tenants(w: MemoryWorld) -> dict[str, TenantRow]:
    """The pool's tenants."""
    rows = w.table.snapshot().items()
    found = [from_item(TenantRow, r) for key, r in rows if key.sk.startswith("tenant#")]
    return {row.tenant: row for row in found}
