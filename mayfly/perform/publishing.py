"""Publishes a job's outputs: server-side copies from the attempt that won to clean names, joined
where they were stored in pieces.

Outputs appear whole (a copy does, and so does what is joined), the last one last, a ladder's
playlists after all others; `latest.json` moves only forward. Doing it twice does the same.
"""

import logging

import msgspec

from mayfly.contract.recipe import (
    GalleryOutput,
    LadderOutput,
    Recipe,
    StoryboardOutput,
    ThumbnailsOutput,
)
from mayfly.contract.report import Artifact
from mayfly.core import galleries, ladders, naming, pieces
from mayfly.core.events import OutputsPublished, PublishFailed
from mayfly.core.identity import SourceObject
from mayfly.core.parts import FINISH_TASK
from mayfly.core.rows import JobHead, JobSpec, TaskRow, from_item, head_key, spec_key, task_key
from mayfly.perform import climbing
from mayfly.perform.climbing import NotWhole
from mayfly.perform.ports import Conflict, Gone
from mayfly.perform.world import World

log = logging.getLogger("mayfly")

_LATEST_TRIES_MAX = 5


class _Pointer(msgspec.Struct, frozen=True, kw_only=True):
    """What `latest.json` says: which job is the newest of an upload path."""

    job_id: str = ""
    run: int = 0
    #: Of the upload that the job was made of.
    etag: str = ""
    sequencer: str = ""
    outputs: dict[str, str] = {}


def publish(world: World, job_id: str) -> OutputsPublished | PublishFailed:
    """Copies every output to its clean name. Raises Temporary."""
    head_item, spec_item = world.table.get(head_key(job_id), spec_key(job_id))
    head, spec = from_item(JobHead, head_item), from_item(JobSpec, spec_item)
    artifacts = tuple(made for row in delivering(world, head) for made in row.artifacts)
    recipe = msgspec.json.decode(spec.recipe, type=Recipe)
    ladder = climbing.wanted(recipe)
    many = {galleries.delivered(o): o for o in recipe.outputs if isinstance(o, GalleryOutput)}
    try:
        if problem := _not_whole(job_id, spec, artifacts):
            raise NotWhole("output_broken", problem)
        assert spec.source is not None
        target = naming.output_key(spec.source.key, head.preset, job_id, "")
        climb = climbing.begin(world, job_id, ladder, artifacts, target) if ladder else None
        if climb is not None:
            climb.media()
        for artifact in artifacts:
            if artifact.file in many:
                _copy_all(world, artifact, galleries.copies(many[artifact.file], artifact, target))
            elif ladder is None or artifact.file not in _of_ladder(ladder):
                _copy(world, artifact, f"{target}{artifact.file}")
        if climb is not None:
            climb.playlists()
    except NotWhole as problem:
        return PublishFailed(at=world.clock.now(), failure=problem.failure)
    _move_latest(world, head, spec, artifacts)
    return OutputsPublished(at=world.clock.now())


def _bring(world: World, artifact: Artifact, key: str) -> None:
    """To its clean name. Raises Gone, Temporary."""
    bucket = world.settings.bucket
    if not artifact.pieces:
        world.store.copy(bucket, artifact.key, key)
        return
    standing = world.store.head(bucket, key)
    if standing is not None and standing.size_bytes == artifact.size_bytes:
        return  # joined before: it takes minutes, and nobody but this job writes there
    keys = pieces.keys(artifact)
    for piece_key, piece in zip(keys, artifact.pieces, strict=True):
        seen = world.store.head(bucket, piece_key)
        if seen is None or seen.size_bytes != piece.size_bytes:
            raise Gone(f"{piece_key} is not there as it was stored.")
    world.store.join(bucket, keys, key)


def _copy(world: World, artifact: Artifact, key: str) -> None:
    """Raises NotWhole, Temporary."""
    try:
        _bring(world, artifact, key)
    except Gone:
        if world.store.head(world.settings.bucket, key) is None:
            detail = f"{artifact.file} is not where its worker put it"
            raise NotWhole("publish_failed", detail) from None


def _copy_all(world: World, artifact: Artifact, copies: list[galleries.Copy]) -> None:
    """All files of a folder that are not there yet, and at last the one that stands for them.
    Raises NotWhole, Temporary."""
    bucket, (*_, last) = world.settings.bucket, copies
    folder = last[1].rpartition("/")[0]
    there = {found.key for found in world.store.list(bucket, f"{folder}/", limit=len(copies))}
    try:
        world.store.copy_many(bucket, [copy for copy in copies[:-1] if copy[1] not in there])
    except Gone:
        detail = f"a file of {artifact.file} is not where its worker put it"
        raise NotWhole("publish_failed", detail) from None
    _copy(world, artifact, last[1])


def _of_ladder(ladder: LadderOutput) -> set[str]:
    """What stands for it among the artifacts."""
    return {*ladders.delivered(ladder), ladders.PUBLISHED}


def delivering(world: World, head: JobHead) -> list[TaskRow]:
    """The tasks whose artifacts are the deliverables: of a job that was cut into parts, the finish
    that joined these."""
    if head.parts > 1:
        rows = [row for row in world.table.get(task_key(head.job_id, FINISH_TASK)) if row]
    else:
        rows = world.table.rows(f"job#{head.job_id}", "task#")
    return [from_item(TaskRow, row) for row in rows]


def _not_whole(job_id: str, spec: JobSpec, artifacts: tuple[Artifact, ...]) -> str:
    """A worker is believed only within its own prefix, and only with every file of the recipe."""
    recipe = msgspec.json.decode(spec.recipe, type=Recipe)
    promised: set[str] = set()
    for output in recipe.outputs:
        match output:
            case LadderOutput():
                promised |= _of_ladder(output)
            case StoryboardOutput() | ThumbnailsOutput():
                promised.add(galleries.delivered(output))
            case _:
                promised.add(output.file)
    brought = {artifact.file for artifact in artifacts}
    if promised != brought:
        return f"promised {', '.join(sorted(promised))}, got {', '.join(sorted(brought))}"
    prefix = naming.job_prefix(job_id)
    strays = [a.file for a in artifacts if not a.key.startswith(prefix) or ".." in a.key]
    if strays:
        return f"{strays[0]} lies outside of its job"
    flaws = [pieces.flaw(artifact) for artifact in artifacts]
    flaws += [
        galleries.flaw(output, artifact)
        for output in recipe.outputs
        if isinstance(output, GalleryOutput)
        for artifact in artifacts
        if artifact.file == galleries.delivered(output)
    ]
    return next((flaw for flaw in flaws if flaw), "")


def _move_latest(
    world: World, head: JobHead, spec: JobSpec, artifacts: tuple[Artifact, ...]
) -> None:
    """Points `latest.json` at this job unless a newer upload's job was quicker."""
    source = spec.source
    if source is None or not spec.uploaded:
        return  # only uploads have an order
    key = naming.latest_key(source.key, head.preset)
    body = _latest(head, source, artifacts)
    for _ in range(_LATEST_TRIES_MAX):
        found = world.store.read(world.settings.bucket, key)
        if found and not _is_newer(world, head, source, _pointer(found[0])):
            return
        try:
            world.store.write(
                world.settings.bucket,
                key,
                body,
                content_type="application/json",
                if_match=found[1] if found else "",
                if_absent=found is None,
            )
            return
        except Conflict:
            continue
    log.warning("latest.json is contended; left as it is.", extra={"job_id": head.job_id})


def _is_newer(world: World, head: JobHead, source: SourceObject, named: _Pointer) -> bool:
    """Whether this job is newer than the one that `latest.json` names.

    S3's sequencers order the events of a key. An upload that was found by a round has none: then
    what stands under the key now is the newest, and whoever is not that does not move the pointer.
    """
    if source.etag == named.etag and source.sequencer == named.sequencer:
        return head.run > named.run
    if source.sequencer and named.sequencer:
        return naming.is_newer(source.sequencer, named.sequencer)
    if source.is_set:
        return True  # their `_ready` was seen to stand, and nothing else is known of when it came
    standing = world.store.head(source.bucket, source.key)
    return standing is not None and standing.etag == source.etag


def _latest(head: JobHead, source: SourceObject, artifacts: tuple[Artifact, ...]) -> bytes:
    outputs = {
        artifact.file: naming.output_key(source.key, head.preset, head.job_id, artifact.file)
        for artifact in artifacts
        if artifact.file != ladders.PUBLISHED
    }
    pointer = _Pointer(
        job_id=head.job_id,
        run=head.run,
        etag=source.etag,
        sequencer=source.sequencer,
        outputs=outputs,
    )
    return msgspec.json.encode(pointer)


def _pointer(body: bytes) -> _Pointer:
    try:
        return msgspec.json.decode(body, type=_Pointer)
    except msgspec.DecodeError:
        return _Pointer()  # somebody else's file: every job is newer
