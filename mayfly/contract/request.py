"""What a user asks for. Four doors (upload, message, HTTP, command line), this one type.

Strict: people and their programs write it.
"""

from collections.abc import Callable
from typing import Annotated, Literal

import msgspec

from mayfly.contract import presets
from mayfly.contract.photographs import PHOTOGRAPHS_MAX
from mayfly.contract.recipe import LadderOutput, Recipe
from mayfly.contract.wire import Refusal, Version, decode

#: A deadline nearer than a worker's start, or further than anybody waits, says nothing.
DEADLINE_SECONDS_MIN, DEADLINE_SECONDS_MAX = 60, 7 * 24 * 3600

Name = Annotated[str, msgspec.Meta(pattern=presets.NAME_PATTERN)]
#: `s3://bucket/key`.
Address = Annotated[str, msgspec.Meta(pattern=r"^s3://[^/]+/.+$", max_length=1100)]

#: Finds the recipe of a name that is none of ours; None when it knows none either. Raises Refusal
#: for one that cannot be read.
Elsewhere = Callable[[str], Recipe | None]


class Request(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A message on the requests queue, or the body of an HTTP POST."""

    #: Where the video is: `s3://bucket/key`, in the stack's bucket under `uploads/`. For a
    #: time-lapse, the folder with its photographs: it ends with a slash.
    source: Address | None = None
    #: Instead, for a time-lapse: its photographs one by one, in this order unless the recipe names
    #: another.
    sources: Annotated[tuple[Address, ...], msgspec.Meta(max_length=PHOTOGRAPHS_MAX)] = ()
    #: The name of a preset; the stack's default when neither preset nor recipe is given.
    preset: Name | None = None
    #: Outputs of one's own, instead of a preset.
    recipe: Recipe | None = None
    #: Whose work it is: jobs of different tenants are different jobs and are served fairly.
    tenant: Name = "default"
    #: Higher goes first among waiting work.
    priority: Annotated[int, msgspec.Meta(ge=-50, le=50)] = 0
    #: It should be done within so many seconds: among waiting work of one priority the nearest
    #: deadline goes first, and a long job gets more workers for it. A job that comes late is done
    #: all the same.
    deadline_seconds: (
        Annotated[int, msgspec.Meta(ge=DEADLINE_SECONDS_MIN, le=DEADLINE_SECONDS_MAX)] | None
    ) = None
    #: The task size to use; chosen from the recipe when null.
    pool: Literal["small", "standard", "large"] | None = None
    #: The asker's own name for this request, given back with its answer.
    request_id: Annotated[str, msgspec.Meta(max_length=128)] | None = None
    version: Version = 1

    def __post_init__(self) -> None:
        if (self.source is None) == (not self.sources):
            raise ValueError(
                "name a source, s3://bucket/uploads/…, or sources, the photographs of a time-lapse"
            )

    @property
    def asked_for(self) -> str:
        """What its asker would know it by: its source, or the first of several."""
        return self.source or self.sources[0]


def split_source(source: str) -> tuple[str, str]:
    """Bucket and key of `s3://bucket/key`."""
    bucket, _, key = source.removeprefix("s3://").partition("/")
    return bucket, key


def resolve_recipe(
    request: Request, default_preset: str, elsewhere: Elsewhere = lambda _: None
) -> tuple[str, Recipe]:
    """The preset's name ("custom" for inline outputs) and the recipe it stands for.

    Ours go before those that `elsewhere` knows: a name of ours means the same in every stack.
    Raises Refusal for both at once, an unknown preset, and outputs that go against each other.
    """
    if request.recipe is not None:
        if request.preset is not None:
            raise Refusal(
                "preset", f'"{request.preset}" beside a recipe', "one of the two, not both"
            )
        check_outputs(request.recipe)
        return "custom", request.recipe
    name = request.preset or default_preset
    known = presets.all_presets()
    recipe = known[name].recipe if name in known else elsewhere(name)
    if recipe is None:
        raise Refusal("preset", f'"{name}"', "one of: " + ", ".join(known))
    return name, recipe


def check_outputs(recipe: Recipe) -> None:
    """What the types do not say. Raises Refusal for two outputs with one file name, or a ladder
    that is listed twice for the same players."""
    files = [output.file for output in recipe.outputs]
    twice = sorted({file for file in files if files.count(file) > 1})
    if twice:
        raise Refusal(
            "recipe.outputs", f"two files named {twice[0]}", "outputs with different file names"
        )
    for number, output in enumerate(recipe.outputs):
        if isinstance(output, LadderOutput) and output.listed_twice():
            field = f"recipe.outputs[{number}].manifests"
            raise Refusal(field, f"{output.manifests[0]} twice", "a list with each kind once")


def preset_from_json(body: bytes) -> presets.Preset:
    """A user's preset, checked as a recipe in a request would be. Raises Refusal."""
    preset = decode(presets.Preset, body)
    check_outputs(preset.recipe)
    return preset
