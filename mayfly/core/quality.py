"""Which rate factor makes a picture look as good as a recipe wants, and which rungs are worth it.

The worker encodes samples and tells how they look; here is what to try next, and when to be
content. It must never ask for more than a handful: a search is to cost less than what it saves.
"""

from collections.abc import Mapping, Sequence

import msgspec

from mayfly.contract.plan import Decided, Factor
from mayfly.contract.recipe import LadderOutput, Output, Recipe, VideoOutput

#: Each is an encode of all windows. From a codec's default on, four find it within one of its
#: steps on nearly every film.
TRIES_MAX = 5

#: Of a plan: each size of as many outputs as a recipe may have, and far more windows than are used.
FACTORS_MAX = 16 * 8
WINDOWS_MAX = 64

#: A look this much better than what is wanted is what is wanted: a try costs more than it saves.
_NEAR = 0.5

#: What one step of a rate factor costs, where nobody knows better yet.
_SLOPE = 1.0
_SLOPE_MIN = 0.25


def next_factor(
    wanted: float, bounds: tuple[int, int], first: int, tried: Mapping[int, float]
) -> int | None:
    """Which factor to try, after these and how they looked; None: no more."""
    low, high = bounds
    if not tried:
        return min(max(first, low), high)
    if len(tried) >= TRIES_MAX:
        return None
    good = max((factor for factor, vmaf in tried.items() if vmaf >= wanted), default=None)
    poor = min((factor for factor, vmaf in tried.items() if vmaf < wanted), default=None)
    if good is not None and tried[good] - wanted <= _NEAR:
        return None
    if good is not None and poor is not None:
        return _between(wanted, good, poor, tried)
    if good is not None:
        further = max(1, int((tried[good] - wanted) / _slope(tried)))
        return None if good >= high else min(good + further, high)
    assert poor is not None
    back = max(1, -int(-(wanted - tried[poor]) // _slope(tried)))
    return None if poor <= low else max(poor - back, low)


def chosen(wanted: float, tried: Mapping[int, float]) -> int:
    """The worst factor that looks good enough; where none does, the best that was tried."""
    good = [factor for factor, vmaf in tried.items() if vmaf >= wanted]
    return max(good) if good else min(tried)


def apart(scores: Sequence[float], least: float) -> tuple[bool, ...]:
    """Which rungs are made, by how they look at one size, from the smallest to the largest: those
    that look so much better than the last one below them that is made."""
    made: list[bool] = []
    below = None
    for vmaf in scores:
        worth = below is None or vmaf - below >= least
        made.append(worth)
        below = vmaf if worth else below
    return tuple(made)


def asks(recipe: Recipe) -> bool:
    """Whether a recipe leaves to its source how something is encoded."""
    return any(_asks(output) for output in recipe.outputs)


def settled(recipe: Recipe, decided: Decided | None) -> Recipe:
    """The recipe with what was decided in it, and no question left."""
    if decided is None:
        return recipe
    outputs = tuple(
        _settled(output, {f.rung: f for f in decided.factors if f.output == number})
        for number, output in enumerate(recipe.outputs)
    )
    return msgspec.structs.replace(recipe, outputs=outputs)


def _asks(output: Output) -> bool:
    if isinstance(output, LadderOutput):
        return output.quality is not None or output.vmaf_apart is not None
    return isinstance(output, VideoOutput) and output.quality is not None


def _settled(output: Output, factors: Mapping[int | None, Factor]) -> Output:
    if not factors:
        return output
    if isinstance(output, VideoOutput):
        return msgspec.structs.replace(output, crf=factors[None].crf, quality=None)
    assert isinstance(output, LadderOutput)
    rungs = tuple(
        msgspec.structs.replace(rung, crf=factors[number].crf)
        for number, rung in enumerate(output.rungs)
        if number in factors and factors[number].made
    )
    return msgspec.structs.replace(output, rungs=rungs, quality=None, vmaf_apart=None)


def _between(wanted: float, good: int, poor: int, tried: Mapping[int, float]) -> int | None:
    """On the straight line between the two nearest; None where they are neighbours."""
    if poor - good <= 1:
        return None
    share = (tried[good] - wanted) / (tried[good] - tried[poor])
    return min(max(good + round(share * (poor - good)), good + 1), poor - 1)


def _slope(tried: Mapping[int, float]) -> float:
    """How much a step costs, by the two outermost that were tried."""
    low, high = min(tried), max(tried)
    if low == high:
        return _SLOPE
    return max((tried[low] - tried[high]) / (high - low), _SLOPE_MIN)
