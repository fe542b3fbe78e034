"""Whoever asks for whatever in whatever order: the queue is full while anything waits, everything
goes out once, and nobody is passed over again and again.

The real use cases over the ports in memory; the random order is that of people and workers.
"""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mayfly.contract.report import Started
from mayfly.contract.task import Task
from mayfly.core import events, limits
from mayfly.core.rows import ENDS, JobState, TaskRow, from_item, task_key
from mayfly.memory.world import memory_world
from mayfly.perform import engine
from tests.unit.acting import report, said, tick
from tests.unit.sharing import ask, heads, out, tenants, waiting
from tests.unit.splitting import brought, plan_of, planned, take_all

MEASURE = 6
TENANTS = ("ann", "bob", "cid", "dora", "eve", "fay", "gus", "hal")

ASKS: Any = st.tuples(
    st.just("ask"),
    st.sampled_from(TENANTS),
    st.sampled_from((1, 1, 1, 3, 12)),
    st.fixed_dictionaries(
        {},
        optional={
            "priority": st.sampled_from((-5, 5)),
            "deadline_seconds": st.sampled_from((60, 4000)),
        },
    ),
)
PLAIN_ASKS: Any = st.tuples(
    st.just("ask"), st.sampled_from(TENANTS), st.sampled_from((1, 1, 3, 12)), st.just({})
)
WORK = st.tuples(st.just("work"), st.sampled_from((-1, -1, 0, 2, 5)))
CANCEL = st.tuples(st.just("cancel"), st.integers(0, 99))
TICK = st.just(("tick",))


def acts(asks: Any) -> Any:
    """What happens, one after another: first a crowd comes, then workers get on."""
    crowd = st.lists(asks, min_size=8, max_size=24)
    then = st.lists(st.one_of(asks, WORK, WORK, WORK, CANCEL, TICK), min_size=20, max_size=60)
    return st.builds(list.__add__, crowd, then)


class Crowd:
    """Everybody who shares one pool, and an observer who sees every step."""

    def __init__(self) -> None:
        self.w = memory_world()
        #: Tasks that workers have.
        self.held: list[Task] = []
        self.chunks: dict[str, int] = {}
        self.cancelled: set[str] = set()
        self.gone: Counter[tuple[str, str]] = Counter()
        #: How many tasks of others went out since one of a tenant's, of whom nothing is out.
        self.passed: Counter[str] = Counter()

    def act(self, what: tuple[Any, ...]) -> None:
        """One thing happens."""
        match what:
            case ("ask", tenant, chunks, wishes):
                self._step(lambda: self._ask(tenant, chunks, wishes))
            case ("work", number) if self.held:
                task = self.held.pop(number % len(self.held))
                self._step(lambda: self._work(task))
            case ("cancel", number) if self.chunks:
                job_id = sorted(self.chunks)[number % len(self.chunks)]
                self.cancelled.add(job_id)
                self._step(lambda: self._cancel(job_id))
            case ("tick",):
                self._step(lambda: tick(self.w, after=5))

    def drain(self) -> None:
        """Nobody asks any more; workers go on."""
        for _ in range(9999):
            if not self.held:
                return
            self.act(("work", 0))
        raise AssertionError("it never ends")

    def _ask(self, tenant: str, chunks: int, wishes: dict[str, Any]) -> None:
        ask(self.w, f"source {len(self.chunks)}", tenant, **wishes)
        self.chunks |= {name: chunks for name in heads(self.w) if name not in self.chunks}

    def _work(self, task: Task) -> None:
        chunks = self.chunks[task.job_id or ""]
        if task.kind != "encode" or chunks == 1:
            report(self.w, Started(**said(task)), brought(self.w, task))
            return
        plan = plan_of(chunks)
        report(self.w, Started(**said(task)), planned(task, plan))
        report(self.w, brought(self.w, task, scope=plan.scope(0)))

    def _cancel(self, job_id: str) -> None:
        asked = events.CancelRequested(at=self.w.clock.now())
        engine.run(self.w.world, engine.apply(self.w.world, asked, job_id).commands)

    def _step(self, act: Callable[[], None]) -> None:
        before = waiting(self.w)
        before_out = {(task.job_id, task.task_id) for task in self.held}
        self.w.clock.sleep(1)
        act()
        went = take_all(self.w)
        self.held += went
        rows = [self._row(task) for task in went]
        self.gone.update((row.job_id, row.task_id) for row in rows)
        left = {(row.job_id, row.task_id) for row in waiting(self.w)}
        passed_by = [row for row in before if (row.job_id, row.task_id) in left]
        self._judge_order(passed_by, rows)
        self._judge_turns(passed_by, rows, before_out)
        # The room is used, and no more than that.
        assert len(out(self.w)) <= MEASURE
        assert len(out(self.w)) == MEASURE or not left

    def _row(self, task: Task) -> TaskRow:
        (item,) = self.w.table.get(task_key(task.job_id or "", task.task_id or ""))
        return from_item(TaskRow, item)

    def _judge_order(self, passed_by: list[TaskRow], went: list[TaskRow]) -> None:
        """Of one tenant's tasks none goes before one that is more urgent, or of an earlier round
        when neither is late."""
        for row in went:
            for other in passed_by:
                assert other.priority <= row.priority
                if (other.tenant, other.priority) == (row.tenant, row.priority):
                    assert (other.deadline_at or 9e9) >= (row.deadline_at or 9e9)
                    if other.deadline_at == row.deadline_at:
                        assert _round(other) >= _round(row)

    def _judge_turns(
        self, passed_by: list[TaskRow], went: list[TaskRow], held: set[tuple[Any, Any]]
    ) -> None:
        found = heads(self.w)
        nothing_out = {row.tenant for row in passed_by}
        nothing_out -= {found[job_id].tenant for job_id, _ in held if job_id in found}
        for row in went:
            for tenant in nothing_out - {row.tenant}:
                self.passed[tenant] += 1
            self.passed[row.tenant] = 0
        for tenant in list(self.passed):
            if tenant not in nothing_out:
                del self.passed[tenant]

    def judge_end(self) -> None:
        """Everything went out once, and nothing is left."""
        assert set(self.gone.values()) <= {1}
        assert waiting(self.w) == []
        for job_id, head in heads(self.w).items():
            assert head.state in ENDS
            assert head.state is JobState.SUCCEEDED or job_id in self.cancelled
        for _ in range(2 + len(TENANTS)):
            tick(self.w)
        assert tenants(self.w) == {}


def _round(row: TaskRow) -> int:
    return row.number if row.kind == "chunk" else 0


@settings(max_examples=40, deadline=None)
@given(acts(ASKS))
def test_everything_goes_out_once_and_in_order_and_the_queue_is_never_short(what: Any) -> None:
    crowd = Crowd()
    for one in what:
        crowd.act(one)
    crowd.drain()
    crowd.judge_end()


@pytest.mark.parametrize("looked_at", [limits.TENANTS_LOOKED_AT_MAX, 2])
def test_nobody_is_passed_over_more_often_than_there_are_others(
    looked_at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "TENANTS_LOOKED_AT_MAX", looked_at)

    @settings(max_examples=25, deadline=None)
    @given(acts(PLAIN_ASKS))
    def passes(what: Any) -> None:
        crowd = Crowd()
        for one in what:
            crowd.act(one)
            assert all(count < len(TENANTS) for count in crowd.passed.values()), crowd.passed
        while crowd.held:
            crowd.act(("work", 0))
            assert all(count < len(TENANTS) for count in crowd.passed.values()), crowd.passed
        crowd.judge_end()

    passes()
