"""Named recipes, one file each with its reason. The file's name is the preset's name.

Those beside this module are ours and mean the same in every stack. Users have their own, in files
of the same shape; this module knows that shape and never where they are.
"""

import functools
import re
from importlib import resources

import msgspec

from mayfly.contract import wire
from mayfly.contract.recipe import Recipe

#: What can be a folder of uploads, a part of a key and a word of a command line.
NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"


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


def is_name(text: str) -> bool:
    """Whether a preset can be called so."""
    return bool(re.fullmatch(NAME_PATTERN, text)) and "\n" not in text
