"""Lives with slow machines: a film is done sooner because what lags is given to a second worker,
for no more money; and what comes late of a film that is done changes nothing."""

import dataclasses
import math
from collections.abc import Callable
from unittest import mock

import pytest

from mayfly.core import limits
from mayfly.core.changes import Key
from tests.simulation.kinds import Kind
from tests.simulation.life import Life, lived
from tests.simulation.lines import Line
from tests.simulation.options import fair
from tests.simulation.people import BUCKET
from tests.simulation.stack import Stack

#: Twelve chunks of fifty seconds.
_FILM = b"split 600 12 0"


def _stack(seed: int, **rates: float) -> Stack:
    options = fair(seed, workers_max=4, **rates)
    stack = Stack(seed, options=dataclasses.replace(options, storm_seconds=4000.0))
    stack.people.put("film", _FILM)
    return stack


def _film(seed: int, per_look: int) -> tuple[Life, float]:
    """A life in which some machines are slow, and how long its film took."""
    stack = _stack(seed, WORKER_SLOW=0.3)
    with mock.patch.object(limits, "BACKUPS_PER_LOOK", per_look):
        life = lived(stack)
    assert life.violations == ()
    assert life.ends == {"succeeded": 1}
    (ident,) = stack.job_ids()
    head = stack.table.peek(Key(f"job#{ident}", "head"))
    assert head is not None
    return life, head["ended_at"] - head["accepted_at"]


def test_a_film_with_a_straggler_is_done_sooner_when_it_is_given_to_a_second_worker() -> None:
    sooner, asked = [], 0
    billed = [0.0, 0.0]
    for seed in range(12):
        without, long_seconds = _film(seed, 0)
        with_, seconds = _film(seed, limits.BACKUPS_PER_LOOK)
        assert without.fired[Kind.WORKER_BACKED_UP] == 0
        asked += with_.fired[Kind.WORKER_BACKED_UP]
        assert seconds < long_seconds + 1
        if with_.fired[Kind.WORKER_BACKED_UP]:
            sooner.append(long_seconds / seconds)
        billed[0] += without.billed_seconds
        billed[1] += with_.billed_seconds
    print(f"{asked} backups; {[round(times, 2) for times in sooner]} times as fast; {billed}")
    assert asked >= 3 and max(sooner) > 2.0
    assert billed[1] < billed[0]


@pytest.mark.parametrize("seed", range(3))
def test_whatever_of_a_film_comes_again_after_its_end_changes_nothing(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every task and every report that there was, as soon as it has ended, when its service has
    gone, and an hour later."""
    stack = _stack(seed, WORKER_SLOW=0.5)
    stack.options = dataclasses.replace(stack.options, storm_seconds=8000.0, idle_seconds=math.inf)
    lines = (stack.jobs, stack.done)
    said: list[tuple[Line, bytes]] = []
    for line in lines:
        monkeypatch.setattr(line, "put", _heard(line, said))
    kept: list[object] = []
    counts: dict[str, int] = {}

    def again() -> None:
        kept.append(_kept(stack))
        for line, body in said[: counts.setdefault("said", len(said))]:
            line.put(body)

    for seconds in (2500.0, 2700.0, 6500.0):
        stack.scheduler.after(seconds, again)
    life = lived(stack)
    assert life.violations == ()
    assert life.ends == {"succeeded": 1}
    assert len(kept) == 3 and kept == [_kept(stack)] * 3


def _heard(line: Line, said: list[tuple[Line, bytes]]) -> Callable[[bytes], None]:
    put = line.put

    def heard(body: bytes) -> None:
        said.append((line, body))
        put(body)

    return heard


def _kept(stack: Stack) -> object:
    """What is committed, delivered and told of the one job."""
    (ident,) = stack.job_ids()
    pk = f"job#{ident}"
    rows = {key.sk: stack.table.peek(key) or {} for key in stack.table.keys_of(pk)}
    tasks = {sk: (row["state"], row["artifacts"]) for sk, row in rows.items() if "task#" in sk}
    head = (rows["head"]["state"], rows["head"]["ended_at"], rows["head"]["open_tasks"])
    outputs = {key: stack.store.get(BUCKET, key) for key in stack.store.keys(BUCKET, "outputs/")}
    return tasks, head, outputs, sorted(stack.bus.published)
