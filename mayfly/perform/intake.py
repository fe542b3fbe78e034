"""Takes what comes through the doors: uploads, request messages, POSTs. Opens jobs.

Whatever is refused becomes an outcome too, with the sentence that says why. It signs and releases
nothing itself; the commands it answers with do.
"""

import dataclasses
from collections.abc import Callable, Sequence

import msgspec

from mayfly.contract.failure import Failure, failure
from mayfly.contract.recipe import Recipe
from mayfly.contract.request import Request, split_source
from mayfly.contract.wire import Refusal
from mayfly.core import limits, naming, prediction, sizing
from mayfly.core.commands import Command
from mayfly.core.events import RequestAccepted, RequestRefused
from mayfly.core.identity import SourceObject, digest, job_id, upload_id
from mayfly.perform import engine, photographs, presets_of_users
from mayfly.perform.photographs import Found
from mayfly.perform.world import World

_NO_SET = Refusal(
    "source",
    "one object, and a recipe with timelapse",
    "a folder of photographs (s3://…/uploads/…/), or another preset for a video",
)


def take_upload(world: World, source: SourceObject, *, standing: bool = False) -> Sequence[Command]:
    """An object appeared under `uploads/`; `standing`: it was seen there just now. One that says
    that a folder of photographs is whole stands for these.

    Raises Temporary.
    """
    meant = source
    try:
        preset, recipe = _of_upload(world, source.key)
        pool = _pool(world, recipe, None)
        folder = naming.folder_of_ready(source.key)
        if folder is not None:
            found = _set(recipe, lambda: photographs.in_folder(world, folder))
            photographs.keep(world, found)
            meant = msgspec.structs.replace(found.source, sequencer=source.sequencer)
            standing = True
        elif recipe.timelapse is not None:
            raise _NO_SET
    except Refusal as refusal:
        return _refuse(world, _unfit_upload(world, source, str(refusal)))[1]
    accepted = _accepted(world, Request(source=meant.address), meant, preset, recipe, pool)
    accepted = dataclasses.replace(accepted, upload=upload_id(source), standing=standing)
    return _take(world, accepted)[1]


def _of_upload(world: World, key: str) -> tuple[str, Recipe]:
    """`uploads/<preset>/…` names its preset, ours or a user's; anything else takes the stack's
    default. Raises Refusal, Temporary."""
    folder = naming.folder_of_upload(key)
    recipe = presets_of_users.any_recipe(world, folder)
    if recipe is not None:
        return folder, recipe
    return presets_of_users.resolved(world, Request(source=key))


def found_of(world: World, request: Request, recipe: Recipe) -> Found | None:
    """What stands in the bucket of that which a request names; None where it is not there. Raises
    Refusal, Temporary."""
    bucket = world.settings.bucket
    if request.sources:
        keys = [_key(world, "sources", source) for source in request.sources]
        return _set(recipe, lambda: photographs.listed(world, keys))
    key = _key(world, "source", request.asked_for)
    if key == naming.UPLOADS:
        raise Refusal("source", f"all of {key}", f"a folder under {key}")
    if key.endswith("/"):
        return _set(recipe, lambda: photographs.in_folder(world, key))
    if recipe.timelapse is not None:
        raise _NO_SET
    seen = world.store.head(bucket, key)
    if seen is None:
        return None
    return Found(
        source=SourceObject(
            bucket=bucket,
            key=key,
            etag=seen.etag,
            size_bytes=seen.size_bytes,
            version_id=seen.version_id,
        )
    )


def _set(recipe: Recipe, find: Callable[[], Found]) -> Found:
    if recipe.timelapse is None:
        raise Refusal(
            "recipe", "photographs and no timelapse", "the preset timelapse, or one with timelapse"
        )
    found = find()
    assert found.roll is not None
    photographs.check_length(recipe.timelapse, len(found.roll.exposures))
    return found


def take_request(world: World, request: Request, body: bytes) -> tuple[str, Sequence[Command]]:
    """A request message or POST: the id of its job, and what to do. Raises Temporary."""
    try:
        preset, recipe = presets_of_users.resolved(world, request)
        pool = _pool(world, recipe, request.pool)
        found = found_of(world, request, recipe)
    except Refusal as refusal:
        return take_refusal(world, str(refusal), body, request)
    if found is None:
        return _refuse(world, _unfit(world, body, failure("source_missing"), request))
    photographs.keep(world, found)
    accepted = _accepted(world, request, found.source, preset, recipe, pool)
    return _take(world, dataclasses.replace(accepted, standing=True))


def take_refusal(
    world: World, why: str, body: bytes, request: Request | None = None
) -> tuple[str, Sequence[Command]]:
    """A message that is no request: its outcome is the refusal. Raises Temporary."""
    return _refuse(world, _unfit(world, body, failure("request_refused", why), request))


def _unfit(world: World, body: bytes, why: Failure, request: Request | None) -> RequestRefused:
    return RequestRefused(
        at=world.clock.now(),
        job_id=digest(body),
        tenant=request.tenant if request else "default",
        preset=(request.preset or "") if request else "",
        source=request.asked_for if request else "",
        failure=why,
        request_id=request.request_id if request else None,
    )


def _unfit_upload(world: World, source: SourceObject, why: str) -> RequestRefused:
    """Named by its content and the reason, so that it is told once, and anew when it is another."""
    upload = upload_id(source)
    return RequestRefused(
        at=world.clock.now(),
        job_id=digest(f"{upload}\n{why}".encode()),
        tenant="default",
        preset=naming.folder_of_upload(source.key),
        source=source.address,
        failure=failure("request_refused", why),
        upload=upload,
    )


def _key(world: World, field: str, source: str) -> str:
    bucket, key = split_source(source)
    if bucket != world.settings.bucket:
        raise Refusal(field, f"the bucket {bucket}", f"in the bucket {world.settings.bucket}")
    if not key.startswith(naming.UPLOADS):
        raise Refusal(field, f"the key {key}", f"a key under {naming.UPLOADS}")
    return key


def _pool(world: World, recipe: Recipe, wanted: str | None) -> str:
    return sizing.choose_pool(recipe, wanted, [pool.name for pool in world.settings.pools])


def _accepted(
    world: World, request: Request, source: SourceObject, preset: str, recipe: Recipe, pool: str
) -> RequestAccepted:
    return RequestAccepted(
        at=world.clock.now(),
        job_id=job_id(request.tenant, source, recipe, 1),
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
        guessed_seconds=guessed_seconds(world, recipe, source.size_bytes, pool),
    )


def guessed_seconds(world: World, recipe: Recipe, size_bytes: int, pool: str) -> float:
    """What a source may take one worker of the pool, if it would be cut then; else 0. Photographs
    are never cut: what takes long of them is to open each."""
    if recipe.timelapse is not None:
        return 0.0
    bits, vcpu = world.settings.source_bits_per_pixel, world.settings.pool(pool).vcpu
    guess = prediction.guessed_seconds(recipe, size_bytes, bits, vcpu)
    return round(guess, 1) if guess >= limits.SPLIT_SECONDS_MIN else 0.0


def _take(world: World, accepted: RequestAccepted) -> tuple[str, Sequence[Command]]:
    """Opens the job, or joins the latest run of it."""
    if accepted.source.size_bytes == 0:
        return _refuse(world, _empty(accepted))
    # Most uploads are new: the job is opened without looking, and looked for when that is refused.
    decision = engine.apply(world, accepted, accepted.job_id, known=(None, None))
    for _ in range(limits.RUNS_MAX + 1):
        if decision.ignored and decision.later:
            run = accepted.run + 1
            accepted = dataclasses.replace(accepted, job_id=decision.later, run=run)
        elif decision.ignored and not accepted.standing and _stands(world, accepted.source):
            accepted = dataclasses.replace(accepted, standing=True)
        else:
            break
        decision = engine.apply(world, accepted, accepted.job_id)
    return decision.later or accepted.job_id, decision.commands


def _stands(world: World, source: SourceObject) -> bool:
    seen = world.store.head(source.bucket, source.key)
    return seen is not None and seen.etag == source.etag


def _empty(accepted: RequestAccepted) -> RequestRefused:
    return RequestRefused(
        at=accepted.at,
        job_id=accepted.job_id,
        tenant=accepted.tenant,
        preset=accepted.preset,
        source=accepted.source.address,
        failure=failure("source_empty"),
        request_id=accepted.request_id,
        upload=accepted.upload,
    )


def _refuse(world: World, refused: RequestRefused) -> tuple[str, Sequence[Command]]:
    return refused.job_id, engine.apply(world, refused, refused.job_id).commands
