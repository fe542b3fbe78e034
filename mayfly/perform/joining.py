"""Writes the list of what a finish task joins: one object, read through one signed GET.

Ten thousand signed URLs are 14 MB, which no message holds; packed they are a tenth of it.
"""

from mayfly.contract import packed, wire
from mayfly.contract.task import Fetch, Input, Inputs
from mayfly.core import naming
from mayfly.core.rows import TaskRow, from_item
from mayfly.perform.world import World

#: In this order they are listed, each kind by number.
_KINDS = ("chunk", "audio")


def write_inputs(world: World, job_id: str) -> Fetch:
    """Signs a GET for every file that a part has stored. Raises Temporary."""
    bucket, key = world.settings.bucket, naming.inputs_key(job_id)
    rows = [from_item(TaskRow, item) for item in world.table.rows(f"job#{job_id}", "task#")]
    listed = sorted(
        (row for row in rows if row.kind in _KINDS),
        key=lambda row: (_KINDS.index(row.kind), row.number),
    )
    found = tuple(
        Input(
            kind=row.kind,
            number=row.number,
            file=artifact.file,
            fetch=world.signer.get(bucket, artifact.key),
            size_bytes=artifact.size_bytes,
            sha256=artifact.sha256,
            key=artifact.key,
            scope=row.scope,
            samples=artifact.media.samples,
            sounds=artifact.media.sounds,
            tags=artifact.media.tags or {},
        )
        for row in listed
        for artifact in row.artifacts
    )
    body = packed.pack(wire.encode(Inputs(parts=found)))
    world.store.write(bucket, key, body, content_type="application/gzip")
    return world.signer.get(bucket, key)
