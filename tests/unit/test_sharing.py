"""Many share a pool: nobody stands before all others, and what a release costs depends on none."""

from collections import Counter

import msgspec
import pytest

from mayfly.contract.report import Failed, Started
from mayfly.core import limits
from mayfly.core.changes import Update
from mayfly.core.rows import spec_key
from mayfly.memory.world import MemoryWorld, memory_world
from mayfly.perform import planning
from tests.unit.acting import cancel, report, said, tick
from tests.unit.interrupting import Interruption
from tests.unit.sharing import (
    POOL,
    ask,
    cut,
    done,
    heads,
    name_of,
    release,
    tenants,
    waiting,
)
from tests.unit.splitting import take_all

MEASURE = 6  # twice the three workers of the pool


def test_a_clip_waits_behind_no_more_of_a_film_than_what_is_out_already(w: MemoryWorld) -> None:
    ask(w, "film")
    cut(w, 500)
    out = take_all(w)
    assert len(out) == MEASURE - 1  # and the first chunk, which goes on
    ask(w, "clip")
    assert take_all(w) == []
    done(w, out[0])
    assert [name_of(w, task) for task in take_all(w)] == ["clip"]


def test_a_tenants_one_clip_goes_before_another_tenants_thousand(w: MemoryWorld) -> None:
    for number in range(50):
        ask(w, f"many {number}", "ann")
        w.clock.sleep(1)
    out = take_all(w)
    ask(w, "one", "bob")
    ask(w, "two", "bob")
    done(w, *out[:3])
    assert sorted(name_of(w, task) for task in take_all(w)) == ["many 6", "one", "two"]


def test_a_deadline_counts_from_when_the_job_was_accepted(w: MemoryWorld) -> None:
    ask(w, "clip", deadline_seconds=3600)
    (head,) = heads(w).values()
    assert head.deadline_at == w.clock.now() + 3600


def test_what_has_a_deadline_goes_before_what_has_none(w: MemoryWorld) -> None:
    for number in range(9):
        ask(w, f"clip {number}")
    out = take_all(w)
    ask(w, "hurried", deadline_seconds=600)
    done(w, out[0])
    assert [name_of(w, task) for task in take_all(w)] == ["hurried"]


def test_a_job_keeps_the_priority_and_the_deadline_of_its_first_asker(w: MemoryWorld) -> None:
    ask(w, "clip", priority=-5)
    ask(w, "clip", priority=5, deadline_seconds=60, request_id="another")
    (head,) = heads(w).values()
    assert (head.priority, head.deadline_at) == (-5, None)


def test_a_job_that_ends_before_all_is_done_makes_room_at_once(w: MemoryWorld) -> None:
    for number in range(MEASURE + 2):
        ask(w, f"clip {number}")
    first, second, *_ = take_all(w)
    report(w, Started(**said(first)), Failed(**said(first), code="not_media"))
    assert len(take_all(w)) == 1
    cancel(w, second.job_id)
    assert len(take_all(w)) == 1


def test_each_tenants_count_is_that_of_its_open_jobs(w: MemoryWorld) -> None:
    for number, tenant in enumerate(("ann", "ann", "bob")):
        ask(w, f"clip {number}", tenant)
    assert {name: row.open_jobs for name, row in tenants(w).items()} == {"ann": 2, "bob": 1}
    ann, *_ = take_all(w)
    done(w, ann)
    assert {name: row.open_jobs for name, row in tenants(w).items()} == {"ann": 1, "bob": 1}


def test_tenants_without_open_jobs_are_forgotten(w: MemoryWorld) -> None:
    for number in range(3):
        ask(w, f"clip {number}", f"tenant{number}")
    done(w, *take_all(w))
    assert {row.open_jobs for row in tenants(w).values()} == {0}
    for _ in range(3):
        tick(w)
    assert tenants(w) == {}


def test_a_tenant_that_comes_back_is_not_forgotten_with_its_job(w: MemoryWorld) -> None:
    ask(w, "first", "ann")
    done(w, *take_all(w))
    tick(w)
    ask(w, "second", "ann")
    for _ in range(3):
        tick(w)
    assert tenants(w)["ann"].open_jobs == 1
    assert [name_of(w, task) for task in take_all(w)] == ["second"]


def released_for(w: MemoryWorld, *, rounds: int) -> list[str]:
    """Whose task goes out when always the last that went out is done."""
    (task, *others) = take_all(w)
    order = []
    for _ in range(rounds):
        w.clock.sleep(1)
        done(w, task)
        (task,) = take_all(w)
        order.append(heads(w)[task.job_id or ""].tenant)
    assert len(others) == MEASURE - 1
    return order


def nine_tenants(w: MemoryWorld) -> list[str]:
    """Each asks for four clips, by turns; their names."""
    names = [f"tenant{number:02}" for number in range(9)]
    for number in range(4):
        for name in names:
            ask(w, f"clip {number} of {name}", name)
            w.clock.sleep(1)
    return names


def test_more_tenants_than_there_is_room_for_take_turns(w: MemoryWorld) -> None:
    names = nine_tenants(w)
    order = released_for(w, rounds=12)
    # Those of whom nothing is out: the six that are served first hold what is not done.
    assert Counter(order[:4]) == dict.fromkeys((names[0], *names[6:]), 1)
    assert all(len(set(order[n : n + 4])) == 4 for n in range(9))


def test_more_tenants_than_are_looked_at_take_turns_too(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "TENANTS_LOOKED_AT_MAX", 2)
    names = nine_tenants(w)
    order = released_for(w, rounds=27)
    for name in names[6:]:
        assert name in order[: len(names)], order


def test_tasks_of_an_ended_job_do_not_stand_before_others(w: MemoryWorld) -> None:
    ask(w, "film", priority=5)
    film = cut(w, 40)
    out = take_all(w)
    for number in range(3):
        ask(w, f"clip {number}")
    cancel(w, film.job_id, crashing=True)
    assert len(waiting(w)) > 30
    # What is out of the film is still held to be at work, until its workers say their last words.
    done(w, *out)
    release(w)
    assert sorted(name_of(w, task) for task in take_all(w)) == ["clip 0", "clip 1", "clip 2"]
    assert waiting(w) == []


def test_a_release_looks_past_a_bounded_number_of_tasks_of_ended_jobs() -> None:
    at = Interruption()
    w = memory_world(faults=at)
    ask(w, "film", priority=5)
    film = cut(w, 2_000)
    ask(w, "clip")
    done(w, *take_all(w))
    cancel(w, film.job_id, crashing=True)
    done(w, film)
    left = [len(waiting(w))]
    while left[-1] > 1:
        at.calls.clear()
        release(w)
        left.append(len(waiting(w)))
        assert (
            0
            < left[-2] - left[-1]
            <= limits.PAGES_PER_RELEASE_MAX * limits.ROWS_PER_TRANSACTION + 1
        )
        assert len(at.calls) < 30
    assert "clip" in [name_of(w, task) for task in take_all(w)]
    assert len(left) <= 1 + -(
        -left[0] // (limits.PAGES_PER_RELEASE_MAX * limits.ROWS_PER_TRANSACTION)
    )


def test_the_tick_lets_go_of_what_ended_jobs_left_behind(w: MemoryWorld) -> None:
    for number in range(12):
        ask(w, f"clip {number}", f"tenant{number % 3}")
    for job_id in heads(w):
        cancel(w, job_id, crashing=True)
    assert len(waiting(w)) == 12 - MEASURE
    for _ in range(4):
        tick(w)
    assert waiting(w) == []
    assert tenants(w) == {}


def backlog(chunks: int, others: int) -> tuple[MemoryWorld, Interruption]:
    """A film of so many chunks, beside so many tenants with a clip."""
    at = Interruption()
    w = memory_world(faults=at)
    ask(w, "film")
    cut(w, chunks)
    for number in range(others):
        ask(w, f"clip {number}", f"tenant{number}")
    return w, at


@pytest.mark.parametrize("others", [0, 3])
def test_a_release_costs_the_same_whatever_waits(others: int) -> None:
    costs = []
    for chunks in (10, 10_000):
        w, at = backlog(chunks, others)
        (task, *_) = take_all(w)
        at.calls.clear()
        done(w, task)
        assert len(take_all(w)) == 1
        costs.append(Counter(at.calls))
    assert costs[0] == costs[1]


def test_a_full_queue_is_found_full_by_one_query() -> None:
    w, at = backlog(10_000, 0)
    at.calls.clear()
    release(w)
    assert at.calls == ["table.index"]


def test_a_release_looks_at_a_bounded_number_of_tenants() -> None:
    costs = []
    for others in (limits.TENANTS_LOOKED_AT_MAX * 2, limits.TENANTS_READ_MAX * 3):
        w, at = backlog(10, others)
        (task, *_) = take_all(w)
        at.calls.clear()
        done(w, task)
        costs.append(Counter(at.calls))
    assert costs[0] == costs[1]
    assert costs[0]["table.index"] < limits.TENANTS_LOOKED_AT_MAX + 10


def test_open_tasks_are_counted_over_tenants_and_no_further_than_workers(w: MemoryWorld) -> None:
    for number in range(9):
        ask(w, f"clip {number}", f"tenant{number}")
    assert planning.open_task_count(w.world, POOL, 20) == 9
    assert planning.open_task_count(w.world, POOL, 8) == 8
    assert planning.open_task_count(w.world, POOL, 0) == 0


def test_a_release_that_cannot_send_one_task_sends_the_others(w: MemoryWorld) -> None:
    for number in range(MEASURE + 2):
        ask(w, f"clip {number}")
    first = take_all(w)
    broken = min(waiting(w), key=lambda row: row.accepted_at)
    w.table.commit([Update(key=spec_key(broken.job_id), set={"recipe": ""})])
    with pytest.raises(msgspec.DecodeError):
        done(w, *first[:2])
    assert len(take_all(w)) == 1
