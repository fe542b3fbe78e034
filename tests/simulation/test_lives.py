"""A minute of lives, so that CI searches too; `make sim` searches for longer."""

import dataclasses
import functools
import itertools
import os
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from tests.simulation.kinds import Kind
from tests.simulation.life import Life, live, lived
from tests.simulation.options import draw, fair, scrambled
from tests.simulation.stack import Stack

#: Blocks of seeds: together about a minute of CPU. `tests/conftest.py` tells how many they were.
_BLOCKS = range(24)
_BLOCK_SEEDS = 25
_STALE_DELETES = (
    Kind.SQS_STALE_DELETE_DELETES,
    Kind.SQS_STALE_DELETE_NOTHING,
    Kind.SQS_STALE_DELETE_REFUSED,
)
_FIRST = int(os.environ.get("FIRST_SEED", "0"))


@functools.cache
def _told(seed: int) -> tuple[str, Life]:
    """What was wrong in a life, and the life."""
    life = live(seed)
    life.trace.clear()  # nobody reads a thousand of them
    wrong = "; ".join(life.violations)
    return wrong and f"make sim SEED={seed}\n{life.options.told()}\n{wrong}", life


@pytest.mark.parametrize("block", _BLOCKS)
def test_whatever_goes_wrong_every_law_holds_and_everything_ends(
    block: int, record_property: Callable[[str, object], None]
) -> None:
    first = _FIRST + block * _BLOCK_SEEDS
    jobs = 0
    for seed in range(first, first + _BLOCK_SEEDS):
        wrong, life = _told(seed)
        assert not wrong, wrong
        jobs += life.jobs
    record_property("lives", (first, _BLOCK_SEEDS, jobs))


def _lives_of_the_rare() -> Iterator[Life]:
    """Of what few seeds draw."""
    halfday = Stack(0, options=fair(0))
    halfday.people.trickle()
    yield lived(halfday)
    for seed in range(20):  # workers that come to after their messages are others'
        late = Stack(seed, options=fair(seed, WORKER_FROZEN=0.5, SQS_BRANCHES=1.0))
        late.people.put("late", b"split 60 12 0")
        yield lived(late)
    for seed in range(5):  # a machine of several that work
        crowd = dataclasses.replace(fair(seed, ECS_SPOT_TOGETHER=0.5), spot_hours=0.05)
        taken = Stack(seed, options=crowd)
        taken.people.put("taken", b"split 60 12 0")
        yield lived(taken)
    for seed in range(6):  # slow machines among others, at the end of a film
        slow = Stack(seed, options=fair(seed, workers_max=4, WORKER_SLOW=0.3))
        slow.people.put("slow", b"split 600 12 0")
        yield lived(slow)
    again = Stack(0, options=fair(0))  # somebody comes as soon as it has failed for the last time
    again.people.put("again", b"broken 9")
    again.scheduler.after(200.0, again.people.redrive)
    yield lived(again)


def _likely(kind: Kind) -> Iterator[int]:
    """Seeds of lives in which it should happen soon."""
    for seed in itertools.count(_FIRST):
        drawn = draw(seed, scrambled(seed))
        if kind in _STALE_DELETES:  # a machine stands still, and another takes its message
            likely = drawn.rates[Kind.SQS_BRANCHES] > 0 and drawn.rates[Kind.WORKER_FROZEN] > 0.2
            likely = likely and drawn.workers_max > 1 and drawn.storm_seconds > 800
        else:
            likely = drawn.rates[kind] >= 0.03
        if likely:
            yield seed


@pytest.mark.timeout(600)  # some kinds are rare
def test_every_kind_of_misfortune_takes_effect() -> None:
    """A kind that is drawn and changes nothing would prove nothing."""
    fired: Counter[Kind] = Counter()
    for life in _lives_of_the_rare():
        assert life.violations == ()
        fired.update(life.fired)
    for kind in Kind:
        for seed in itertools.islice(_likely(kind), 100):
            if fired[kind]:
                break
            fired.update(_told(seed)[1].fired)
    assert [kind.name for kind in Kind if not fired[kind]] == []


def test_a_seed_is_one_life_and_no_other() -> None:
    assert live(7).hash() == live(7).hash()
    assert live(7).hash() != live(8).hash()
