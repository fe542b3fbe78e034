"""The commands about recipes that have a name: ours, and those that users keep in a stack's bucket.

Listing them must work without any stack. What is added is checked first by the code by which the
dispatcher would refuse it.
"""

import dataclasses
from typing import TYPE_CHECKING, Annotated, Any

import typer

from console import options, reach
from console.ends import Ended, WrongCall, speaking
from console.voice import Voice

if TYPE_CHECKING:
    from mayfly.contract.presets import Preset
    from mayfly.contract.recipe import Recipe

#: A worker of the standard pool.
_VCPU, _GIB_PER_VCPU = 2, 2

#: Of a bucket's presets: each is read, some 30 ms.
_LISTED_MAX = 100

app = typer.Typer(name="presets", rich_markup_mode=None)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Own:
    """A preset in a file, checked."""

    name: str
    preset: "Preset"
    body: bytes


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What lies in a stack's bucket."""

    stack: str
    where: str
    presets: "dict[str, Preset]"
    #: Why the others are not used, by name.
    unusable: dict[str, str]


@app.callback(invoke_without_command=True)
def presets(
    context: typer.Context, stack: options.StackName = None, as_json: options.AsJson = False
) -> None:
    """List the named recipes, and what an hour of 1080p costs with each.

    Mayfly's own, and those in the stack's bucket if one is within reach.

    JSON: {"presets": {NAME: {"why", "recipe", "hour": {"work_seconds" (of one worker of 2 vCPU),
    "dollars"}, "of": "mayfly" or "stack"}}, "unusable": {NAME: why} (in the bucket), "stack" (null:
    none is within reach)}. Pictures alone, on Fargate Spot, as `mayfly estimate` reckons.
    """
    context.obj = stack
    if context.invoked_subcommand is not None:
        return
    with speaking(as_json) as voice:
        from mayfly.contract.presets import all_presets

        kept, why_not = _kept(stack)
        ours, theirs = all_presets(), kept.presets if kept else {}
        voice.document(
            {
                "presets": {name: _told(preset, "mayfly") for name, preset in ours.items()}
                | {name: _told(preset, "stack") for name, preset in theirs.items()},
                "unusable": kept.unusable if kept else {},
                "stack": kept.stack if kept else None,
            }
        )
        _table(voice, ours, {})
        voice.say("")
        if kept is None:
            voice.say(f"No stack was asked for presets of its own. {why_not}")
        elif not theirs and not kept.unusable:
            voice.say(f"None in the bucket of {kept.stack} ({kept.where}): mayfly presets add FILE")
        else:
            voice.say(f"In the bucket of {kept.stack} ({kept.where}):")
            _table(voice, theirs, kept.unusable)


def _table(voice: Voice, usable: "dict[str, Preset]", unusable: dict[str, str]) -> None:
    from console import jobview

    voice.table(
        ("PRESET", "AN HOUR", "WHY"),
        [
            *(
                (name, jobview.dollars(_hour(preset.recipe)["dollars"]), preset.why)
                for name, preset in usable.items()
            ),
            *((name, "unusable", why) for name, why in unusable.items()),
        ],
    )


def _told(preset: "Preset", of: str) -> dict[str, Any]:
    recipe = preset.recipe
    return {"why": preset.why, "recipe": recipe, "hour": _hour(recipe), "of": of}


def _hour(recipe: "Recipe") -> dict[str, float]:
    """What an hour of 1080p takes one worker, and what that costs."""
    from mayfly.core import prediction, receipt

    seconds = prediction.recipe_seconds(recipe, prediction.HOUR, _VCPU)
    billed = max(seconds, receipt.BILLED_SECONDS_MIN)
    spent = receipt.dollars(billed, _VCPU, _VCPU * _GIB_PER_VCPU)
    return {"work_seconds": round(seconds, 1), "dollars": round(spent, 6)}


def _kept(stack: str | None) -> tuple[Kept | None, str]:
    """What the stack's bucket holds; else why it was not asked, unless the stack was named."""
    from mayfly.aws.errors import Refused
    from mayfly.perform.ports import Gone, Temporary

    try:
        return _in_bucket(reach.reach(stack)), ""
    except (Ended, Refused, Gone, Temporary) as error:
        if stack is not None:
            raise
        return None, str(error)


def _in_bucket(at: reach.Stack) -> Kept:
    from mayfly.contract.presets import all_presets
    from mayfly.contract.wire import Refusal
    from mayfly.perform import presets_of_users

    found: dict[str, Preset] = {}
    unusable: dict[str, str] = {}
    for name in presets_of_users.names(at.world, _LISTED_MAX):
        try:
            preset = presets_of_users.find(at.world, name)
        except Refusal as refusal:
            unusable[name] = str(refusal)
            continue
        if name in all_presets():
            unusable[name] = "Mayfly has a preset of this name, and that one is used."
        elif preset is not None:
            found[name] = preset
    return Kept(stack=at.name, where=at.where, presets=found, unusable=unusable)


@app.command()
def add(
    context: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE", help='JSON: {"why": …, "recipe": …}.')],
    name: Annotated[
        str | None,
        typer.Option("--name", help="Default: the file's, without .json.", show_default=False),
    ] = None,
    stack: options.StackName = None,
    as_json: options.AsJson = False,
) -> None:
    """Check a preset of your own and put it into the stack's bucket, over one of the same name.

    The next upload or request that names it uses it; jobs that there are keep their recipes.

    JSON: {"name", "stack", "key", "replaced"}.
    """
    with speaking(as_json) as voice:
        own = from_file(file, name)
        at = reach.reach(stack or context.obj)
        key, replaced = keep(at, own)
        voice.document({"name": own.name, "stack": at.name, "key": key, "replaced": replaced})
        word = "replaced" if replaced else "added"
        voice.say(f"The preset {own.name} was {word}: s3://{at.bucket}/{key}")
        voice.say(f"Use it with: mayfly submit FILE --preset {own.name}")


def is_file(preset: str | None) -> bool:
    """Whether what was given with --preset is a file and no name."""
    return preset is not None and preset.endswith(".json")


def from_file(file: str, name: str | None = None) -> Own:
    """A preset in a file; it is called `name`, else as the file is. Raises WrongCall, Refusal."""
    from console import submitting
    from mayfly.contract.presets import NAME_PATTERN, all_presets, is_name
    from mayfly.contract.request import preset_from_json
    from mayfly.contract.wire import Refusal
    from mayfly.core import limits

    path = submitting.checked_file(file)
    called = name or path.name.removesuffix(".json")
    if not is_name(called):
        raise WrongCall(
            f"A preset cannot be called {called}: a name matches {NAME_PATTERN}.",
            "Give it another with --name, or rename the file.",
        )
    if called in all_presets():
        raise WrongCall(
            f"Mayfly has a preset {called}, and that would be used.",
            "Give yours another name: --name, or rename the file.",
        )
    with path.open("rb") as opened:
        body = opened.read(limits.PRESET_BYTES_MAX + 1)
    if len(body) > limits.PRESET_BYTES_MAX:
        raise WrongCall(f"{file} is larger than a preset may be: {limits.PRESET_BYTES_MAX} bytes.")
    try:
        return Own(name=called, preset=preset_from_json(body), body=body)
    except Refusal as refusal:
        raise refusal.inside(path.name) from None


def keep(at: reach.Stack, own: Own) -> tuple[str, bool]:
    """Puts it into the bucket: its key, and whether there was one. Raises Temporary, Refused."""
    from mayfly.core import naming

    key = naming.preset_key(own.name)
    replaced = at.world.store.head(at.bucket, key) is not None
    at.world.store.write(at.bucket, key, own.body, content_type="application/json")
    return key, replaced
