"""Which pool a job goes to. A request may name one; else its recipe picks."""

from collections.abc import Sequence

from mayfly.contract.recipe import Recipe, VideoOutput
from mayfly.contract.wire import Refusal

#: The pool for picture work, and the one for sound and stills where the stack has it.
VIDEO_POOL, LIGHT_POOL = "standard", "small"


def choose_pool(recipe: Recipe, wanted: str | None, available: Sequence[str]) -> str:
    """The name of one of the stack's pools. Raises Refusal for a pool that it does not have."""
    if wanted is not None:
        if wanted not in available:
            raise Refusal("pool", f'"{wanted}"', "one of: " + ", ".join(available))
        return wanted
    encodes = any(isinstance(output, VideoOutput) for output in recipe.outputs)
    best = VIDEO_POOL if encodes else LIGHT_POOL
    return best if best in available else available[0]
