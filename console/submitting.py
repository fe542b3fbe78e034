"""Brings work in: uploads a file, or asks for an object that is there already."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from console import folders, options, reach
from console.ends import NoStack, WrongCall, speaking
from console.voice import Voice

#: From an upload to its job: S3's notification takes a second, rarely a minute.
OPEN_SECONDS_MAX = 90

#: S3's bound of a key.
_KEY_BYTES_MAX = 1024


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Submitted:
    """Work that was brought in."""

    job_id: str
    source: str
    preset: str
    asked_at: float


def submit(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE", help="A file, a folder of photographs, or s3://bucket/uploads/…"
        ),
    ],
    preset: options.PresetName = None,
    tenant: Annotated[
        str | None, typer.Option(help="Whose work it is (of an s3:// source).", show_default=False)
    ] = None,
    priority: Annotated[
        int | None, typer.Option(help="-50..50, higher first (of an s3:// source).")
    ] = None,
    pool: Annotated[
        str | None, typer.Option(help="small, standard or large (of an s3:// source).")
    ] = None,
    wait: options.Wait = False,
    stack: options.StackName = None,
    as_json: options.AsJson = False,
) -> None:
    """Upload a file or a folder of photographs, or ask for what is in the bucket; print the job's
    id.

    The same content and recipe is the same job: what was done once is not done again.

    JSON: {"job_id", "source", "preset", "stack", "state", "joined" (the job was there before)};
    with --wait also "outcome" and "receipt".
    """
    with speaking(as_json) as voice:
        wishes = {"tenant": tenant, "priority": priority, "pool": pool}
        given = {name: value for name, value in wishes.items() if value is not None}
        if source.startswith("s3://"):
            at = reach.reach(stack)
            submitted = ask_for(at, source, preset, given)
        elif Path(source).is_dir():
            chosen = folders.chosen(Path(source))
            at = reach.reach(stack)
            submitted = folders.upload(voice, at, chosen, preset, given)
        else:
            path = checked_file(source)
            if given:
                raise WrongCall(
                    f"--{next(iter(given))} does not go with a file: an upload opens its job "
                    "by itself.",
                    "Upload it without, or give an s3:// source under uploads/.",
                )
            at = reach.reach(stack)
            submitted = upload(voice, at, path, preset)
        _answer(voice, at, submitted, wait)


def _answer(voice: Voice, at: reach.Stack, submitted: Submitted, wait: bool) -> None:
    from console import following, jobs
    from mayfly.perform import receipts

    head = opened(at, submitted).head
    submitted = dataclasses.replace(submitted, job_id=head.job_id)
    joined = head.accepted_at < submitted.asked_at
    about = {**dataclasses.asdict(submitted), "stack": at.name, "joined": joined}
    del about["asked_at"]
    voice.say(submitted.job_id)
    if joined and voice.on_terminal:
        voice.say("This content was asked for before: the same job.")
        if head.state.value in ("failed", "cancelled"):
            voice.say(f"It {head.state.value}. To do it once more: mayfly rerun {head.job_id}")
    if not wait:
        voice.document({**about, "state": head.state.value})
        if voice.on_terminal:
            voice.say(f"Follow it with: mayfly watch {submitted.job_id}")
        return
    outcome = jobs.follow_job(voice, at, submitted.job_id)
    receipt = receipts.receipt_of(at.world, submitted.job_id)
    seen = following.known(at.world, submitted.job_id)
    state = seen.head.state.value
    voice.document({**about, "state": state, "outcome": outcome, "receipt": receipt})
    jobs.tell_end(voice, outcome)


def checked_file(name: str) -> Path:
    """A file that can be uploaded. Raises WrongCall."""
    path = Path(name)
    if path.is_dir():
        raise WrongCall(
            f"{name} is a folder.", "Name one file; a folder of photographs is for mayfly submit."
        )
    try:
        with path.open("rb"):
            pass
    except FileNotFoundError:
        raise WrongCall(f"There is no file {name}.", "Check the path.") from None
    except OSError as error:
        raise WrongCall(f"{name} cannot be read: {error.strerror}.") from None
    try:
        path.name.encode()
    except UnicodeEncodeError:
        raise WrongCall(
            f"The name of {name} is not UTF-8, which S3 asks of its keys.", "Rename the file."
        ) from None
    return path


def upload_key(path: Path, preset: str) -> str:
    """Where a file goes. Raises WrongCall."""
    from mayfly.core import naming

    key = f"{naming.UPLOADS}{preset}/{path.name}"
    if len(key.encode()) > _KEY_BYTES_MAX:
        raise WrongCall(f"The name of {path} is too long for S3.", "Give the file a shorter name.")
    return key


def upload(voice: Voice, at: reach.Stack, path: Path, preset: str | None) -> Submitted:
    """Puts the file under `uploads/<preset>/`, where S3 tells the requests queue of it."""
    from mayfly.contract.request import Request
    from mayfly.core.identity import SourceObject, job_id
    from mayfly.perform import presets_of_users

    world = at.world
    name, _ = presets_of_users.resolved(world, Request(source="s3://-/-", preset=preset))
    key = upload_key(path, name)
    asked_at = world.clock.now()
    send(voice, at, path, key)
    seen = world.store.head(at.bucket, key)
    if seen is None:
        raise NoStack(f"{path} was uploaded and is not there: somebody removed it.")
    source = SourceObject(bucket=at.bucket, key=key, etag=seen.etag, size_bytes=seen.size_bytes)
    _, recipe = presets_of_users.resolved(world, Request(source=source.address, preset=name))
    return Submitted(
        job_id=job_id("default", source, recipe, 1),
        source=source.address,
        preset=name,
        asked_at=asked_at,
    )


def send(voice: Voice, at: reach.Stack, path: Path, key: str) -> None:
    """The upload alone, with a bar."""
    whole = path.stat().st_size
    sent = 0
    with voice.bar("uploads") as bar:

        def on_bytes(count: int) -> None:
            nonlocal sent
            sent += count
            bar.to(sent / whole if whole else 1.0)

        at.cargo.upload(path, key, on_bytes)


def ask_for(
    at: reach.Stack, source: str, preset: str | None, wishes: Mapping[str, object]
) -> Submitted:
    """Sends a request for an object that is in the bucket. Raises Refusal, WrongCall."""
    from mayfly.contract import wire
    from mayfly.contract.request import Request, split_source
    from mayfly.core.identity import job_id
    from mayfly.perform import intake, presets_of_users

    fields = {"source": source, **({"preset": preset} if preset else {}), **wishes}
    request = wire.convert(Request, fields)
    name, recipe = presets_of_users.resolved(at.world, request)
    bucket, key = split_source(source)
    _check_place(at, bucket, key)
    found = intake.found_of(at.world, request, recipe)
    if found is None:
        raise WrongCall(f"There is no object s3://{bucket}/{key}.", "Check the key.")
    asked_at = at.world.clock.now()
    at.queues["requests"].send(wire.encode(request))
    return Submitted(
        job_id=job_id(request.tenant, found.source, recipe, 1),
        source=source,
        preset=name,
        asked_at=asked_at,
    )


def _check_place(at: reach.Stack, bucket: str, key: str) -> None:
    from mayfly.core import naming

    if bucket != at.bucket or not key.startswith(naming.UPLOADS):
        raise WrongCall(
            f"s3://{bucket}/{key} is not under s3://{at.bucket}/{naming.UPLOADS}, where this "
            "stack's sources are.",
            "Copy it there: aws s3 cp.",
        )


def opened(at: reach.Stack, submitted: Submitted) -> "following.Look":
    """The job, once the dispatcher has opened it. Raises NoStack."""
    from console import following

    seen = following.until_opened(at.world, submitted.job_id, OPEN_SECONDS_MAX)
    if seen is None:
        raise NoStack(
            f"No job was opened for {submitted.source} within {OPEN_SECONDS_MAX} s; it would be "
            f"{submitted.job_id}.",
            "`mayfly queues` shows whether requests wait; then see the dispatcher's log.",
        )
    return seen


if TYPE_CHECKING:
    from console import following
