"""Finds the recipes that users gave names to: `presets/<name>.json` in the stack's bucket.

Whoever may write there adds a preset without a deployment. Nothing is kept from one look to the
next, so the next upload is done by what stands there then; and a job carries its resolved recipe,
so what stands there later changes no job.
"""

import functools

from mayfly.contract.presets import Preset, all_presets, is_name
from mayfly.contract.recipe import Recipe
from mayfly.contract.request import Request, preset_from_json, resolve_recipe
from mayfly.contract.wire import Refusal
from mayfly.core import limits, naming
from mayfly.perform.ports import TooLarge
from mayfly.perform.world import World


def find(world: World, name: str) -> Preset | None:
    """A user's preset by one GET; None when there is none.

    Raises Refusal for one that cannot be read, Temporary.
    """
    if not is_name(name):
        return None
    key = naming.preset_key(name)
    try:
        found = world.store.read(world.settings.bucket, key, bytes_max=limits.PRESET_BYTES_MAX)
    except TooLarge:
        most = f"a preset of {limits.PRESET_BYTES_MAX} bytes at most"
        raise Refusal(key, "more", most) from None
    if found is None:
        return None
    try:
        return preset_from_json(found[0])
    except Refusal as refusal:
        raise refusal.inside(key) from None


def recipe(world: World, name: str) -> Recipe | None:
    """What a user's preset stands for. Raises as `find` does."""
    preset = find(world, name)
    return preset.recipe if preset else None


def resolved(world: World, request: Request) -> tuple[str, Recipe]:
    """The name and the recipe that a request means in this stack. Raises Refusal, Temporary."""
    default = world.settings.default_preset
    return resolve_recipe(request, default, functools.partial(recipe, world))


def any_recipe(world: World, name: str) -> Recipe | None:
    """What a preset's name stands for, ours or a user's. Raises as `find` does."""
    ours = all_presets().get(name)
    return ours.recipe if ours else recipe(world, name)


def names(world: World, limit: int) -> list[str]:
    """The first names that lie in the bucket, `limit` objects looked at. Raises Temporary."""
    listed = world.store.list(world.settings.bucket, naming.PRESETS, limit=limit)
    return [name for one in listed if (name := naming.preset_of_key(one.key)) is not None]
