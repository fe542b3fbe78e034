"""The Clock and Dice ports."""

import re
import time

import pytest

from mayfly.aws.clock import SystemClock, SystemDice
from mayfly.memory.clock import SeededDice, VirtualClock
from mayfly.perform.ports import Dice


@pytest.mark.parametrize("dice", [SystemDice(), SeededDice()])
def test_a_token_is_new_and_fit_for_names(dice: Dice) -> None:
    tokens = {dice.token() for _ in range(1000)}
    assert len(tokens) == 1000
    assert all(re.fullmatch(r"[a-z2-7]{26}", token) for token in tokens)


@pytest.mark.parametrize("dice", [SystemDice(), SeededDice()])
def test_jitter_stays_within_its_bound(dice: Dice) -> None:
    drawn = [dice.jitter(2.0) for _ in range(200)]
    assert all(0 <= seconds <= 2 for seconds in drawn)
    assert max(drawn) - min(drawn) > 1
    assert dice.jitter(0) == 0


def test_the_same_seed_gives_the_same_tokens() -> None:
    first, second = SeededDice(7), SeededDice(7)
    assert [first.token(), first.jitter(1)] == [second.token(), second.jitter(1)]
    assert SeededDice(8).token() != SeededDice(7).token()


def test_virtual_time_passes_only_by_sleeping() -> None:
    clock = VirtualClock(start=100)
    assert clock.now() == clock.now() == 100
    clock.sleep(60)
    clock.sleep(-5)
    assert clock.now() == 160


def test_the_system_clock_is_the_systems() -> None:
    assert abs(SystemClock().now() - time.time()) < 5
