"""Takes what comes through the doors: uploads, request messages, POSTs. Opens jobs.

Whatever is refused becomes an outcome too, with the sentence that says why. It signs and releases
nothing itself; the commands it answers with do.
"""

from collections.abc import Sequence

from mayfly.contract import presets
from mayfly.contract.failure import Failure, failure
from mayfly.contract.recipe import Recipe
from mayfly.contract.request import Request, resolve_recipe, split_source
from mayfly.contract.wire import Refusal
from mayfly.core import naming, sizing
from mayfly.core.commands import Command
from mayfly.core.events import RequestAccepted, RequestRefused
from mayfly.core.identity import SourceObject, digest, job_id, upload_id
from mayfly.perform import engine
from mayfly.perform.world import World


def take_upload(world: World, source: SourceObject) -> Sequence[Command]:
    """An object appeared under `uploads/`. Raises Temporary."""
    known = presets.all_presets()
    default = world.settings.default_preset
    preset = naming.preset_of_upload(source.key, frozenset(known), default)
    request, recipe = Request(source=source.address, preset=preset), known[preset].recipe
    pool = _pool(world, recipe, None)
    return _take(world, request, source, preset, recipe, pool, upload_id(source))


def take_request(world: World, request: Request, body: bytes) -> tuple[str, Sequence[Command]]:
    """A request message or POST: the id of its job, and what to do. Raises Temporary."""
    try:
        preset, recipe = resolve_recipe(request, world.settings.default_preset)
        bucket, key = split_source(request.source)
        _check_source(world, bucket, key)
        pool = _pool(world, recipe, request.pool)
    except Refusal as refusal:
        return take_refusal(world, str(refusal), body, request)
    seen = world.store.head(bucket, key)
    if seen is None:
        return _refuse(world, request, digest(body), request.source, failure("source_missing"))
    source = SourceObject(
        bucket=bucket,
        key=key,
        etag=seen.etag,
        size_bytes=seen.size_bytes,
        version_id=seen.version_id,
    )
    commands = _take(world, request, source, preset, recipe, pool)
    return job_id(request.tenant, source, recipe, 1), commands


def take_refusal(
    world: World, why: str, body: bytes, request: Request | None = None
) -> tuple[str, Sequence[Command]]:
    """A message that is no request: its outcome is the refusal. Raises Temporary."""
    source = request.source if request else ""
    return _refuse(world, request, digest(body), source, failure("request_refused", why))


def _check_source(world: World, bucket: str, key: str) -> None:
    if bucket != world.settings.bucket:
        raise Refusal("source", f"the bucket {bucket}", f"in the bucket {world.settings.bucket}")
    if not key.startswith(naming.UPLOADS):
        raise Refusal("source", f"the key {key}", f"a key under {naming.UPLOADS}")


def _pool(world: World, recipe: Recipe, wanted: str | None) -> str:
    return sizing.choose_pool(recipe, wanted, [pool.name for pool in world.settings.pools])


def _take(
    world: World,
    request: Request,
    source: SourceObject,
    preset: str,
    recipe: Recipe,
    pool: str,
    upload: str | None = None,
) -> Sequence[Command]:
    ident = job_id(request.tenant, source, recipe, 1)
    if source.size_bytes == 0:
        found = failure("source_empty")
        return _refuse(world, request, ident, source.address, found, preset, upload)[1]
    accepted = RequestAccepted(
        at=world.clock.now(),
        job_id=ident,
        tenant=request.tenant,
        pool=pool,
        preset=preset,
        recipe=recipe,
        source=source,
        run=1,
        priority=request.priority,
        deadline_seconds=request.deadline_seconds,
        token=world.dice.token(),
        request_id=request.request_id,
        upload=upload,
    )
    # Most uploads are new: the job is opened without looking, and looked for when that is refused.
    return engine.apply(world, accepted, ident, known=(None, None)).commands


def _refuse(
    world: World,
    request: Request | None,
    ident: str,
    source: str,
    why: Failure,
    preset: str = "",
    upload: str | None = None,
) -> tuple[str, Sequence[Command]]:
    refused = RequestRefused(
        at=world.clock.now(),
        job_id=ident,
        tenant=request.tenant if request else "default",
        preset=preset or (request.preset or "" if request else ""),
        source=source,
        failure=why,
        request_id=request.request_id if request else None,
        upload=upload,
    )
    return ident, engine.apply(world, refused, ident).commands
