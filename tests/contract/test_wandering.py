"""The ports in memory repeat themselves exactly, and every branch makes a difference some day."""

import dataclasses
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

from mayfly.memory.branches import Branches
from tests.contract.wandering import Walk

ROOT = Path(__file__).parents[2]
WALKS = 250


def test_the_same_seed_is_the_same_walk_whatever_the_interpreter_hashes() -> None:
    digests = {
        subprocess.run(
            [sys.executable, "-m", "tests.contract.wandering", "40"],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": hashes},
            capture_output=True,
            check=True,
        ).stdout
        for hashes in ("1", "2")
    }
    assert len(digests) == 1


def test_two_seeds_are_two_walks() -> None:
    assert len({Walk(seed).seen() for seed in range(20)}) == 20


def test_every_branch_makes_a_difference_some_day() -> None:
    taken: Counter[str] = Counter()
    for seed in range(WALKS):
        walk = Walk(seed)
        walk.seen()
        taken += walk.faults.taken
    assert {field.name for field in dataclasses.fields(Branches)} == set(taken)


def test_the_kind_branches_draw_nothing() -> None:
    """So a seed's other draws do not depend on how often a port is called."""
    walk = Walk(1)
    walk.branches = Branches()
    for port in (walk.queue, walk.dead, walk.table, walk.store, walk.services, walk.bus):
        port.branches = walk.branches
    before = walk.chance.getstate()
    for step in walk.steps[:1]:
        step()
    walk.queue.receive(wait_seconds=0, limit=10)
    walk.queue.depth()
    walk.table.rows("p")
    walk.services.describe(["s1"])
    walk.bus.publish("a", b"{}")
    assert walk.chance.getstate() == before
