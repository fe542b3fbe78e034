"""Mints the grants of a task: the only rights a worker has on the bucket.

Signed just before they are needed, by the signer role, for this task's keys alone.
"""

import msgspec

from mayfly.contract.recipe import Recipe, assets_of
from mayfly.contract.task import Fetch, Grants, Source, Task
from mayfly.core import limits, naming
from mayfly.core.identity import SourceObject
from mayfly.core.rows import JobSpec, TaskRow
from mayfly.perform import joining, photographs
from mayfly.perform.world import World

#: The kinds of tasks whose outputs may be those of the job.
_PUBLISHED = ("encode", "finish")


def grants(world: World, task: TaskRow, spec: JobSpec) -> Grants:
    """URLs for the source (pinned), the attempts' prefix, the control object, the images that the
    recipe draws and, for a finish or a time-lapse, the list of what it is made of, which is written
    anew."""
    assert spec.source is not None, "an adopted task brings its own URLs"
    bucket = world.settings.bucket
    source = spec.source
    # Asked first: what is signed for a finish may take its time.
    end_at = world.signer.grants_end_at()
    inputs = joining.write_inputs(world, task.job_id) if task.kind == "finish" else None
    if source.is_set:
        first = inputs = photographs.write_signed(world, task, source)
    else:
        first = world.signer.get(
            source.bucket, source.key, etag=source.etag, version_id=source.version_id
        )
    return Grants(
        source=first,
        upload=msgspec.structs.replace(
            world.signer.post(
                bucket, naming.work_prefix(task.job_id, task.task_id), limits.POST_BYTES_MAX
            ),
            # What is not published as it is must be one object.
            output_bytes_max=limits.OUTPUT_BYTES_MAX if task.kind in _PUBLISHED else 0,
        ),
        control=world.signer.get(bucket, naming.control_key(task.job_id, task.task_id)),
        grants_end_at=end_at,
        inputs=inputs,
        assets=_assets(world, task, spec),
    )


def _assets(world: World, task: TaskRow, spec: JobSpec) -> dict[str, Fetch]:
    """The images that the recipe draws, for tasks that may draw."""
    if task.kind == "audio":
        return {}
    names = assets_of(msgspec.json.decode(spec.recipe, type=Recipe))
    bucket = world.settings.bucket
    return {name: world.signer.get(bucket, naming.asset_key(name)) for name in names}


def task_message(world: World, task: TaskRow, spec: JobSpec) -> Task:
    """The message for the jobs queue."""
    assert spec.source is not None
    signed = grants(world, task, spec)
    return Task(
        source=_source(signed, spec.source),
        recipe=msgspec.json.decode(spec.recipe, type=Recipe),
        upload=signed.upload,
        job_id=task.job_id,
        task_id=task.task_id,
        token=task.token,
        control=signed.control,
        grants_end_at=signed.grants_end_at,
        kind=task.kind,
        scope=task.scope,
        plan_clock=spec.clock,
        track=task.number if task.kind == "audio" else None,
        inputs=signed.inputs,
        assets=signed.assets,
    )


def _source(signed: Grants, source: SourceObject) -> Source:
    if source.is_set:
        return Source(fetch=signed.source)  # the list of them, whose size nobody need know
    return Source(fetch=signed.source, size_bytes=source.size_bytes, etag=source.etag)
