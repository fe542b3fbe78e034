"""A minute of lives, so that CI searches too; `make sim` searches for longer."""

import os

import pytest

from tests.simulation.life import live

#: Blocks of seeds: together about half a minute of CPU.
_BLOCKS = range(8)
_BLOCK_SEEDS = 50


@pytest.mark.parametrize("block", _BLOCKS)
def test_whatever_goes_wrong_every_law_holds_and_everything_ends(block: int) -> None:
    first = int(os.environ.get("FIRST_SEED", "0")) + block * _BLOCK_SEEDS
    for seed in range(first, first + _BLOCK_SEEDS):
        life = live(seed)
        wrong = "; ".join(life.violations)
        assert not wrong, f"make sim SEED={seed}\n{life.options.told()}\n{wrong}"


def test_a_seed_is_one_life_and_no_other() -> None:
    assert live(7).hash() == live(7).hash()
    assert live(7).hash() != live(8).hash()
