"""`mayfly local …`: AWS on this machine."""

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from console import options, reach
from console.ends import WrongCall, speaking
from console.voice import Voice

if TYPE_CHECKING:
    from console import folders, presets
    from local.cloud import LocalCloud
    from mayfly.contract.outcome import Outcome

app = typer.Typer(
    name="local",
    help="AWS on this machine: the same template, the same code, no account.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Workers = Annotated[
    int | None,
    typer.Option(min=1, max=64, help="The most workers at once. Default: the template's."),
]

Images = Annotated[
    list[str] | None,
    typer.Option(
        "--asset", metavar="NAME=FILE", help="An image that the recipe draws. May be repeated."
    ),
]

ChunkSeconds = Annotated[
    int | None,
    typer.Option(min=1, max=86400, help="Media seconds of a chunk. Default: as the work asks."),
]


@app.command()
def up(
    workers: Workers = None,
    chunk_seconds: ChunkSeconds = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free one.")] = 0,
    as_json: options.AsJson = False,
) -> None:
    """Start the laptop cloud and keep it, until Ctrl-C or `mayfly local down`; both exit 0.

    JSON: one document when it is ready: {"endpoint_url", "region", "outputs", "workers"}.
    """
    with speaking(as_json) as voice:
        from local import cloud

        cloud.up(
            lambda ready: _ready(voice, ready),
            options=_options(workers, chunk_seconds, port),
            say=lambda text: voice.say(f"… {text}"),
        )


def _options(workers: int | None, chunk_seconds: int | None, port: int = 0) -> Any:
    from local import cloud

    return cloud.Options(
        workers={"standard": workers} if workers else {},
        context={"chunk_seconds": str(chunk_seconds)} if chunk_seconds else {},
        port=port,
    )


def _ready(voice: Voice, ready: "LocalCloud") -> None:
    from local import cloud

    voice.document(cloud.describe(ready))
    outputs = ready.outputs
    exports = " ".join(f"{name}={value}" for name, value in ready.environment.items())
    voice.say(f"The laptop cloud stands at {ready.endpoint_url}.", style="green")
    voice.say("Use it from another terminal:")
    voice.say("  mayfly submit FILE --wait")
    voice.say("or with the plain AWS CLI:")
    voice.say(f"  export {exports}")
    voice.say(f"  aws s3 cp FILE s3://{outputs['Bucket']}/uploads/{outputs['DefaultPreset']}/")
    voice.say(f"  requests queue: {outputs['RequestsQueueUrl']}")
    voice.say(f"Logs: {ready.folder / 'logs'}. End it with Ctrl-C or `mayfly local down`.")


@app.command()
def down(as_json: options.AsJson = False) -> None:
    """End the running laptop cloud and everything in it.

    JSON: {"ended": true}.
    """
    with speaking(as_json) as voice:
        from local import cloud

        cloud.down()
        voice.document({"ended": True})
        voice.say("The laptop cloud is gone.")


@app.command()
def ps(as_json: options.AsJson = False) -> None:
    """List the workers that run in the laptop cloud.

    JSON: {"workers": [task, arn, pool, service, capacity, status, desired_status, protected,
    started_at, vcpu, memory_mib, log]}.
    """
    with speaking(as_json) as voice:
        from local import cloud

        workers = cloud.attach().ps()
        voice.document({"workers": [dataclasses.asdict(worker) for worker in workers]})
        if not workers:
            voice.say("No worker runs.")
            return
        voice.table(
            ("TASK", "POOL", "STATUS", "PROTECTED", "CAPACITY", "LOG"),
            [
                (w.task, w.pool, w.status, "yes" if w.protected else "no", w.capacity, w.log)
                for w in workers
            ],
        )


@app.command()
def interrupt(
    task: Annotated[str, typer.Argument(help="The task, or the beginning of its name: see ps.")],
    kill: Annotated[bool, typer.Option("--kill", help="At once, without Spot's notice.")] = False,
    as_json: options.AsJson = False,
) -> None:
    """Take a worker's machine away, as Spot does.

    JSON: {"task", "kill"}.
    """
    with speaking(as_json) as voice:
        from local import cloud

        cloud.attach().interrupt(task, kill=kill)
        voice.document({"task": task, "kill": kill})
        voice.say("Killed without notice." if kill else "Interrupted, as Spot does.")


@app.command()
def encode(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="The video, or a folder of photographs.")
    ],
    out: Annotated[
        Path, typer.Option("--out", help="The folder for the outputs; same names are replaced.")
    ],
    preset: options.PresetOrFile = None,
    asset: Images = None,
    workers: Workers = None,
    chunk_seconds: ChunkSeconds = None,
    as_json: options.AsJson = False,
) -> None:
    """Encode a file or a folder of photographs on this machine, through the whole system.

    Uses the running laptop cloud, else starts one for the time being.

    JSON: {"job_id", "outcome", "receipt", "files"}.
    """
    with speaking(as_json) as voice:
        from console import imaging

        source, images = _source(file), imaging.checked(asset or [])
        make_folder(out)
        own = own_preset(preset)
        with laptop(voice, workers, chunk_seconds) as (cloud, _):
            at = reach.of_laptop(cloud)
            imaging.keep(at, images)
            _encode(voice, at, source, named(at, own) or preset, out)


def _source(name: str) -> "Path | folders.Chosen":
    """A file, or the photographs of a folder, asked before a cloud is started. Raises WrongCall."""
    from console import folders, submitting

    path = Path(name)
    return folders.chosen(path) if path.is_dir() else submitting.checked_file(name)


def _encode(
    voice: Voice, at: reach.Stack, source: "Path | folders.Chosen", preset: str | None, out: Path
) -> None:
    from console import folders, jobs, jobview, submitting
    from mayfly.perform import receipts

    if isinstance(source, Path):
        submitted = submitting.upload(voice, at, source, preset)
    else:
        submitted = folders.upload(voice, at, source, preset, {})
    job_id = submitting.opened(at, submitted).head.job_id
    try:
        outcome = jobs.follow_job(voice, at, job_id)
    except KeyboardInterrupt:
        jobs.cancel_job(at, job_id)  # nobody waits for it any more
        raise
    files = fetch(at, outcome, out)
    receipt = receipts.receipt_of(at.world, job_id)
    voice.document(
        {"job_id": job_id, "outcome": outcome, "receipt": receipt}
        | {"files": [str(file) for file in files]}
    )
    jobs.tell_end(voice, outcome)
    for file in files:
        voice.say(f"→ {file}")
    voice.say(jobview.receipt_line(receipt))


def fetch(at: reach.Stack, outcome: "Outcome", out: Path) -> list[Path]:
    """Downloads the deliverables; each file appears whole. A ladder's come into a folder, and what
    is answered with is what players open."""
    files, named = [], {output.key for output in outcome.outputs}
    for output in outcome.outputs:
        path = out / output.file
        folder = output.key.rpartition("/")[0]
        if output.files > 1:
            for key in _beside(at, f"{folder}/", output.files):
                if key not in named:
                    _download(at, key, path.parent / key.removeprefix(f"{folder}/"))
        _download(at, output.key, path)  # last, for whoever waits for it
        files.append(path)
    return files


def _beside(at: reach.Stack, folder: str, count: int) -> list[str]:
    """The keys of a ladder's files."""
    found = at.world.store.list(at.bucket, folder, limit=count)
    return [one.key for one in found if ".." not in one.key]


def _download(at: reach.Stack, key: str, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    at.cargo.download(key, path, lambda _: None)


def make_folder(folder: Path) -> None:
    """The folder for outputs. Raises WrongCall."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WrongCall(
            f"The folder {folder} cannot be made: {error.strerror}.", "Give another with --out."
        ) from None


def own_preset(preset: str | None) -> "presets.Own | None":
    """A preset that was given as a file. Asked before a cloud is started for it, as is a name that
    cannot be in the bucket of a cloud that does not run yet. Raises Refusal, WrongCall."""
    from console import presets
    from mayfly.contract.request import Request, resolve_recipe

    if preset is not None and presets.is_file(preset):
        return presets.from_file(preset)
    if preset is not None and reach.laptop_facts() is None:
        resolve_recipe(Request(source="s3://-/-", preset=preset), preset)
    return None


def named(at: reach.Stack, own: "presets.Own | None") -> str | None:
    """The name of a preset from a file, which the laptop's bucket has from now on."""
    from console import presets

    if own is None:
        return None
    presets.keep(at, own)
    return own.name


@contextmanager
def laptop(
    voice: Voice, workers: int | None = None, chunk_seconds: int | None = None
) -> Iterator[tuple[Any, bool]]:
    """The running laptop cloud, else one for the time being; and whether it is our own."""
    from local import cloud

    facts = reach.laptop_facts()
    if facts is not None:
        if workers or chunk_seconds:
            raise WrongCall(
                "A laptop cloud is running, with its own workers and chunks.",
                "Leave --workers and --chunk-seconds out, or end it first: mayfly local down.",
            )
        voice.say(f"Uses the laptop cloud that is running ({facts.endpoint_url}).")
        yield cloud.AttachedCloud(facts), False
        return
    with cloud.LocalCloud.start(
        options=_options(workers, chunk_seconds), say=lambda text: voice.say(f"… {text}")
    ) as own:
        yield own, True
