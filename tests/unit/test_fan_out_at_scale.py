"""Ten thousand chunks cost, each, what ten do: calls are counted, sizes are measured."""

import math
from collections import Counter
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from mayfly.contract import wire
from mayfly.contract.plan import Plan
from mayfly.contract.report import Artifact, Media
from mayfly.contract.task import Task, read_inputs
from mayfly.core import commands, limits, parts
from mayfly.core.changes import Update
from mayfly.core.rows import JobState, TaskState, head_key, open_tasks_partition, task_key, to_item
from mayfly.memory.world import MemoryWorld, memory_world
from mayfly.perform import engine
from tests.unit.acting import cancel, outcomes, report
from tests.unit.interrupting import Interruption
from tests.unit.splitting import (
    begun,
    brought,
    fetched,
    head_of,
    plan_of,
    take_all,
    tasks_of,
)

MANY = plan_of(limits.CHUNKS_MAX)


def opened(plan: Plan) -> tuple[MemoryWorld, Interruption, Task]:
    at = Interruption()
    w = memory_world(faults=at)
    return w, at, begun(w, plan)


def weighed(w: MemoryWorld) -> list[int]:
    """The sizes of whatever goes to the table and comes from it, from now on."""
    sizes: list[int] = []
    for name in ("get", "rows", "index", "commit"):
        setattr(w.table, name, _weighing(getattr(w.table, name), sizes))
    return sizes


def _weighing(call: Callable[..., Any], sizes: list[int]) -> Callable[..., Any]:
    def weighing(*given: Any, **named: Any) -> Any:
        answer = call(*given, **named)
        sizes.append(len(msgspec.json.encode((given, answer))))
        return answer

    return weighing


def test_closing_one_of_ten_thousand_chunks_costs_what_closing_one_of_ten_does() -> None:
    spent: list[list[str]] = []
    moved: list[int] = []
    for plan in (plan_of(10), MANY):
        w, at, _ = opened(plan)
        sound, *_ = take_all(w)
        last = brought(w, sound)
        at.calls.clear()
        traffic = weighed(w)
        report(w, last)
        spent.append(list(at.calls))
        moved.append(sum(traffic))
    few, many = spent
    assert many == few
    assert len(many) < 20
    assert moved[1] == pytest.approx(moved[0], rel=0.05)


def test_opening_ten_thousand_tasks_takes_as_many_transactions_as_are_needed() -> None:
    w, at, first = opened(MANY)
    rows = tasks_of(w, first.job_id)
    assert len(rows) == parts.count(MANY)
    assert len({row.token for row in rows.values()}) == len(rows)
    batches = math.ceil((parts.count(MANY) - 1) / limits.ROWS_PER_TRANSACTION)
    spent = Counter(at.calls)
    assert batches < spent["table.commit"] < batches + 40
    assert spent["table.get"] < batches + 40


def test_workers_are_called_for_the_first_tasks_before_the_others_are_opened() -> None:
    at = Interruption()
    w = memory_world(faults=at)
    begun(w, MANY)
    called = at.calls.index("services.create")
    assert at.calls[called:].count("table.commit") > 100


def test_the_head_stays_small_and_knows_how_far_the_job_is() -> None:
    w, _, first = opened(MANY)
    head = head_of(w, first.job_id)
    assert (head.parts, head.opened, head.open_tasks) == (10_001, 10_001, 10_001)
    assert len(msgspec.json.encode(to_item(head))) < 1024


def test_the_largest_plan_fits_into_a_message_and_into_a_row() -> None:
    cuts = tuple(range(limits.TICKS_MAX - limits.CHUNKS_MAX + 2, limits.TICKS_MAX + 1))
    largest = msgspec.structs.replace(MANY, boundaries=cuts)
    assert parts.flaw(largest) == ""
    assert len(wire.encode(largest)) < 300_000  # a row holds 400 KB, a message 1 MiB


def test_ending_a_job_of_ten_thousand_waiting_tasks_lets_them_go_in_batches() -> None:
    w, at, first = opened(MANY)
    at.calls.clear()
    cancel(w, first.job_id)
    spent = Counter(at.calls)
    batches = math.ceil(parts.count(MANY) / limits.ROWS_PER_TRANSACTION)
    assert spent["table.commit"] <= batches + 20
    assert spent["table.get"] <= 10
    assert spent["store.write"] <= 2 * limits.RELEASED_PER_WORKER * 3
    assert w.table.index(open_tasks_partition("standard", "default"), limit=1) == []
    assert [outcome.state for outcome in outcomes(w)] == ["cancelled"]


def all_done(w: MemoryWorld, job_id: str) -> None:
    """As if every part had been done; otherwise this would be a test of hours."""
    for row in tasks_of(w, job_id).values():
        artifact = Artifact(
            file="part.mp4",
            key=f"work/{job_id}/{row.task_id}/n1/part.mp4",
            size_bytes=row.number,
            sha256=f"{row.number:064x}",
            media=Media(container="mov"),
        )
        done = {"state": TaskState.DONE.value, "artifacts": [to_item(artifact)]}
        key = task_key(job_id, row.task_id)
        w.table.commit([Update(key=key, set=done, remove=("gpk", "gsk"))])
    w.table.commit([Update(key=head_key(job_id), set={"open_tasks": 0})])


@pytest.fixture(scope="module")
def joined() -> tuple[MemoryWorld, Interruption, Task]:
    """The finish of a job of ten thousand chunks, just received."""
    w, at, first = opened(MANY)
    take_all(w)
    all_done(w, first.job_id or "")
    at.calls.clear()
    engine.run(w.world, [commands.CountTasks(job_id=first.job_id or "")])
    (finish,) = take_all(w)
    return w, at, finish


Joined = tuple[MemoryWorld, Interruption, Task]


def test_the_finish_of_ten_thousand_chunks_finds_them_in_order(joined: Joined) -> None:
    w, _, finish = joined
    assert finish.inputs is not None
    listed = read_inputs(fetched(w, finish.inputs)).parts
    assert [part.number for part in listed if part.kind == "chunk"] == list(range(10_000))
    assert [(part.kind, part.number) for part in listed[-1:]] == [("audio", 0)]
    assert all(part.size_bytes == part.number for part in listed)


def test_the_message_of_a_finish_is_small_however_much_it_joins(joined: Joined) -> None:
    assert len(wire.encode(joined[2])) < 10_000


def test_all_parts_are_read_once_when_they_are_joined_and_never_when_one_is_closed(
    joined: Joined,
) -> None:
    _, at, _ = joined
    assert at.calls.count("table.rows") == 1


def test_publishing_reads_the_finish_alone(joined: Joined) -> None:
    w, at, finish = joined
    at.calls.clear()
    report(w, brought(w, finish))
    assert head_of(w, finish.job_id).state is JobState.SUCCEEDED
    # The one that is left asks who wanted to know the outcome.
    assert at.calls.count("table.rows") == 1
