"""A minute of lives, so that CI searches too; `make sim` searches for longer."""

import functools
import os
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.simulation.kinds import Kind
from tests.simulation.life import Life, live, lived
from tests.simulation.options import fair
from tests.simulation.stack import Stack

#: Blocks of seeds: together about half a minute of CPU.
_BLOCKS = range(8)
_BLOCK_SEEDS = 50
_FIRST = int(os.environ.get("FIRST_SEED", "0"))


@functools.cache
def _told(seed: int) -> tuple[str, Counter[Kind]]:
    """What was wrong in a life, and what struck."""
    life = live(seed)
    wrong = "; ".join(life.violations)
    return wrong and f"make sim SEED={seed}\n{life.options.told()}\n{wrong}", life.fired


@pytest.mark.parametrize("block", _BLOCKS)
def test_whatever_goes_wrong_every_law_holds_and_everything_ends(block: int) -> None:
    first = _FIRST + block * _BLOCK_SEEDS
    for seed in range(first, first + _BLOCK_SEEDS):
        wrong, _ = _told(seed)
        assert not wrong, wrong


def _lives_of_the_rare() -> Iterator[Life]:
    """Of what few seeds draw."""
    halfday = Stack(0, options=fair(0))
    halfday.people.trickle()
    yield lived(halfday)


def test_every_kind_of_misfortune_takes_effect() -> None:
    """A kind that is drawn and changes nothing would prove nothing."""
    fired: Counter[Kind] = Counter()
    for life in _lives_of_the_rare():
        assert life.violations == ()
        fired.update(life.fired)
    for seed in range(_FIRST, _FIRST + len(_BLOCKS) * _BLOCK_SEEDS):
        if all(fired[kind] for kind in Kind):
            break
        fired.update(_told(seed)[1])
    assert [kind.name for kind in Kind if not fired[kind]] == []


def test_a_seed_is_one_life_and_no_other() -> None:
    assert live(7).hash() == live(7).hash()
    assert live(7).hash() != live(8).hash()
