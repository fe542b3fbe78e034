"""Named recipes, one file each with its reason. The file's name is the preset's name."""

import functools
from importlib import resources

import msgspec

from mayfly.contract import wire
from mayfly.contract.recipe import Recipe


class Preset(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A recipe with a name and the reason why somebody would choose it."""

    why: str
    recipe: Recipe


@functools.cache
def all_presets() -> dict[str, Preset]:
    """Every preset by name, in the order of names."""
    files = sorted(
        (file for file in resources.files(__name__).iterdir() if file.name.endswith(".json")),
        key=lambda file: file.name.removesuffix(".json"),
    )
    return {
        file.name.removesuffix(".json"): wire.decode(Preset, file.read_bytes()) for file in files
    }
