"""Writes control objects: the only way back to a running worker."""

from mayfly.contract import wire
from mayfly.contract.task import Control
from mayfly.core import naming
from mayfly.core.rows import JobSpec, TaskRow, TaskState, from_item, spec_key, task_key
from mayfly.perform import signing
from mayfly.perform.world import World


def renew_grants(world: World, job_id: str, task_id: str) -> None:
    """The task's URLs, signed anew. Raises Temporary."""
    task_item, spec_item = world.table.get(task_key(job_id, task_id), spec_key(job_id))
    if task_item is None or spec_item is None:
        return
    spec = from_item(JobSpec, spec_item)
    if spec.source is None:
        return  # a user's own URLs cannot be renewed by us
    grants = signing.grants(world, from_item(TaskRow, task_item), spec)
    _write(world, job_id, task_id, Control(grants=grants))


def stop_worker(world: World, job_id: str, task_id: str, reason: str) -> None:
    """Tells whoever is at a task to stop. Raises Temporary."""
    _write(world, job_id, task_id, Control(order="stop", reason=reason))


def stop_workers(world: World, job_id: str, reason: str) -> list[TaskRow]:
    """Tells those to stop who may be at work for a job. Raises Temporary.

    Answers with the tasks that are in their pool's index, where an ended job's have no place.
    """
    left: list[TaskRow] = []
    for item in world.table.rows(f"job#{job_id}", "task#"):
        row = from_item(TaskRow, item)
        if row.state in (TaskState.RELEASED, TaskState.RUNNING):
            stop_worker(world, job_id, row.task_id, reason)
        if "gpk" in item:
            left.append(row)
    return left


def _write(world: World, job_id: str, task_id: str, control: Control) -> None:
    world.store.write(
        world.settings.bucket,
        naming.control_key(job_id, task_id),
        wire.encode(control),
        content_type="application/json",
    )
