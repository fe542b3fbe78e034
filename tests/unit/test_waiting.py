"""Who waits in a pool: what is read of the index, in which measure, and what is let go."""

from collections.abc import Sequence
from typing import Any

import pytest

from mayfly.contract.failure import failure
from mayfly.core import limits
from mayfly.core.changes import Change, Create, Delete, Update
from mayfly.core.release import Line
from mayfly.core.rows import (
    JobState,
    TaskRow,
    TaskState,
    TenantRow,
    head_key,
    task_key,
    tenant_key,
    to_item,
)
from mayfly.memory.world import MemoryWorld
from mayfly.perform import waiting
from mayfly.perform.ports import Conflict
from tests.unit.given import a_job, a_task

PAGE = limits.ROWS_PER_TRANSACTION
OPEN_TENANTS, IDLE_TENANTS = "tenants#p#open", "tenants#p#idle"


def tenant(w: MemoryWorld, name: str, jobs: int, *, partition: str = OPEN_TENANTS) -> TenantRow:
    row = TenantRow(tenant=name, open_jobs=jobs, changed_at=w.clock.now())
    item = {**to_item(row), "gpk": partition, "gsk": name}
    w.table.commit([Create(key=tenant_key("p", name), item=item)])
    return row


def task(w: MemoryWorld, tenant: str, name: str, job: str = "job1") -> TaskRow:
    row = a_task(TaskState.OPEN, job_id=job, task_id=name, tenant=tenant, pool="p")
    item = {**to_item(row), "gpk": f"tasks#p#open#{tenant}", "gsk": f"{job}{name}"}
    w.table.commit([Create(key=task_key(job, name), item=item)])
    return row


def job(w: MemoryWorld, name: str, state: JobState = JobState.RUNNING) -> None:
    row = a_job(state, job_id=name, failure=failure("cancelled") if state == "failed" else None)
    w.table.commit([Create(key=head_key(name), item=to_item(row))])


class Index:
    """Notes how the index is read and what is committed."""

    def __init__(self, w: MemoryWorld, patch: pytest.MonkeyPatch) -> None:
        self.read: list[tuple[str, int, str]] = []
        self.did: list[Sequence[Change]] = []
        self._index, self._commit = w.table.index, w.table.commit
        patch.setattr(w.table, "index", self.index)
        patch.setattr(w.table, "commit", self.commit)

    def index(self, gpk: str, *, limit: int, after: str = "") -> Any:
        self.read.append((gpk, limit, after))
        return self._index(gpk, limit=limit, after=after)

    def commit(self, changes: Sequence[Change]) -> None:
        self.did.append(changes)
        self._commit(changes)


def test_tenants_are_read_in_the_order_of_their_turns_as_many_as_may_be(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [tenant(w, name, 1) for name in ("a", "b")]
    index = Index(w, monkeypatch)
    assert waiting.tenants(w.world, "p") == rows
    assert index.read == [(OPEN_TENANTS, limits.TENANTS_READ_MAX, "")]


def test_each_line_is_read_as_far_as_it_is_wanted(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenants = [tenant(w, name, 1) for name in ("a", "b")]
    first = [task(w, "a", f"t{n}") for n in range(3)]
    index = Index(w, monkeypatch)
    assert waiting.lines(w.world, "p", tenants, 2) == [
        Line(tenant="a", tasks=tuple(first[:2])),
        Line(tenant="b", tasks=()),
    ]
    assert index.read == [("tasks#p#open#a", 2, ""), ("tasks#p#open#b", 2, "")]


def test_waiting_tasks_are_counted_until_there_are_enough(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b", "c"):
        tenant(w, name, 1)
        for n in range(2):
            task(w, name, f"{name}{n}")
    index = Index(w, monkeypatch)
    assert len(waiting.first_tasks(w.world, "p", (), 9)) == 6
    assert [limit for gpk, limit, _ in index.read if "open#" in gpk] == [9, 7, 5]
    index.read.clear()
    assert len(waiting.first_tasks(w.world, "p", (), 4)) == 4
    assert [gpk for gpk, *_ in index.read[1:]] == ["tasks#p#open#a", "tasks#p#open#b"]
    out = [a_task(tenant="a")]
    index.read.clear()
    assert len(waiting.first_tasks(w.world, "p", out, 1)) == 1
    assert index.read[1][0] == "tasks#p#open#b"  # of whom nothing is out
    assert waiting.first_tasks(w.world, "nobody's", (), 9) == []


def test_what_was_opened_just_now_is_read_and_stands_in_its_tenants_line(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    known, new, other = task(w, "a", "t1"), task(w, "a", "t2"), task(w, "b", "t3")
    asked: list[tuple[Any, ...]] = []
    get = w.table.get

    def noted(*keys: Any) -> Any:
        asked.append(keys)
        return get(*keys)

    monkeypatch.setattr(w.table, "get", noted)
    lines = [Line(tenant="a", tasks=(known,))]
    opened = [("job1", "t3"), ("job1", "t1"), ("job1", "t2"), ("job1", "gone")]
    assert waiting.with_opened(w.world, lines, opened) == [
        Line(tenant="a", tasks=(known, new)),
        Line(tenant="b", tasks=(other,)),
    ]
    assert asked == [tuple(task_key("job1", name) for name in ("gone", "t2", "t3"))]
    asked.clear()
    assert waiting.with_opened(w.world, lines, [("job1", "t1")]) == lines
    assert asked == []
    many = [("job2", f"t{n:03d}") for n in range(PAGE + 1)]
    waiting.with_opened(w.world, [], many)
    assert len(asked[0]) == PAGE


def test_who_was_served_goes_to_the_end_and_who_wants_nothing_goes_aside(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b, c = tenant(w, "a", 1), tenant(w, "b", 0), tenant(w, "c", 2)
    index = Index(w, monkeypatch)
    waiting.end_turns(w.world, "p", [a, b, c], ["c"])
    now = f"{w.clock.now():017.3f}"
    assert index.did == [
        [
            Update(key=tenant_key("p", "c"), set={"gsk": f"{now}#c"}),
            Update(key=tenant_key("p", "b"), set={"gpk": IDLE_TENANTS}, require={"open_jobs": 0}),
        ]
    ]
    waiting.end_turns(w.world, "p", [a, c], [])
    assert len(index.did) == 1


def test_turns_that_meet_somebody_are_left_to_the_next_look(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    def meets(changes: Sequence[Change]) -> None:
        assert len(changes) <= PAGE
        raise Conflict("TransactionConflict")

    monkeypatch.setattr(w.table, "commit", meets)
    waiting.end_turns(w.world, "p", [], [f"t{n}" for n in range(PAGE + 1)])


def test_what_ended_jobs_left_in_a_line_is_let_go_page_by_page(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    job(w, "ended", JobState.CANCELLED)
    job(w, "lives")
    for n in range(PAGE):
        task(w, "a", f"t{n:03d}", "ended")
    live = [task(w, "a", f"t{n}", "lives") for n in range(3)]
    index = Index(w, monkeypatch)
    found = waiting.past_ended(w.world, "p", "a", wanted=2, pages=4)
    assert found == (live, 2)
    assert [(limit, bool(after)) for _, limit, after in index.read] == [
        (PAGE, False),
        (PAGE, True),
    ]
    assert [len(changes) for changes in index.did] == [PAGE]
    assert len(w.table.index("tasks#p#open#a", limit=PAGE)) == 3


def test_a_line_is_looked_at_until_enough_is_found_or_the_pages_are_used_up(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    job(w, "lives")
    rows = [task(w, "a", f"t{n:03d}", "lives") for n in range(PAGE + 5)]
    index = Index(w, monkeypatch)
    found, pages = waiting.past_ended(w.world, "p", "a", wanted=3, pages=4)
    assert (found, pages, len(index.read)) == (rows[:PAGE], 1, 1)
    assert waiting.past_ended(w.world, "p", "a", wanted=999, pages=1) == (rows[:PAGE], 1)
    assert waiting.past_ended(w.world, "p", "a", wanted=999, pages=9) == (rows, 2)
    exactly = waiting.past_ended(w.world, "p", "a", wanted=PAGE, pages=9)
    assert exactly == (rows[:PAGE], 1)
    assert index.did == []


def test_a_line_in_which_nobody_stands_asks_for_no_jobs(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked(*keys: Any) -> Any:
        raise AssertionError("there is nothing to read")

    monkeypatch.setattr(w.table, "get", asked)
    assert waiting.past_ended(w.world, "p", "nobody", wanted=1, pages=9) == ([], 1)


def test_tasks_are_let_go_all_or_none(w: MemoryWorld) -> None:
    head = a_job(JobState.CANCELLED)
    row, moved = task(w, "a", "t1"), task(w, "a", "t2")
    stale = a_task(TaskState.OPEN, task_id="t2", version=1)
    assert waiting.drop(w.world, [(head, row), (head, stale)]) is False
    assert len(w.table.index("tasks#p#open#a", limit=9)) == 2
    assert waiting.drop(w.world, [(head, row), (head, moved)]) is True
    assert w.table.index("tasks#p#open#a", limit=9) == []
    (item,) = w.table.get(task_key("job1", "t1"))
    assert item is not None and item["story"] == ["TaskDropped: open -> ended"]


def test_an_idle_tenant_is_forgotten_when_nothing_of_it_is_left_and_some_time_has_passed(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant(w, "idle", 0, partition=IDLE_TENANTS)
    index = Index(w, monkeypatch)
    w.clock.sleep(limits.HEAL_SECONDS)
    waiting.see_out(w.world, "p")
    assert index.did == []
    w.clock.sleep(1)
    waiting.see_out(w.world, "p")
    gone = Delete(key=tenant_key("p", "idle"), require={"open_jobs": 0})
    assert index.did == [[gone]] and w.table.get(tenant_key("p", "idle")) == [None]
    assert (IDLE_TENANTS, limits.TENANTS_LOOKED_AT_MAX, "") in index.read


def test_a_tenant_that_came_back_meanwhile_is_kept(w: MemoryWorld) -> None:
    tenant(w, "back", 1, partition=IDLE_TENANTS)
    w.clock.sleep(limits.HEAL_SECONDS + 1)
    waiting.see_out(w.world, "p")
    assert w.table.get(tenant_key("p", "back")) != [None]


def test_a_tenant_without_open_jobs_goes_aside_first(w: MemoryWorld) -> None:
    tenant(w, "done", 0)
    waiting.see_out(w.world, "p")
    (item,) = w.table.get(tenant_key("p", "done"))
    assert item is not None and item["gpk"] == IDLE_TENANTS


def test_what_idle_tenants_left_behind_is_let_go_in_a_measure(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    job(w, "ended", JobState.CANCELLED)
    for name in ("a", "b"):
        tenant(w, name, 0, partition=IDLE_TENANTS)
        task(w, name, f"{name}1", "ended")
    left: list[tuple[Any, ...]] = []
    real = waiting.past_ended

    def noted(world: Any, pool: str, name: str, *, wanted: int, pages: int) -> Any:
        left.append((pool, name, wanted, pages))
        return real(world, pool, name, wanted=wanted, pages=pages)

    monkeypatch.setattr(waiting, "past_ended", noted)
    w.clock.sleep(limits.HEAL_SECONDS + 1)
    waiting.see_out(w.world, "p")
    most = limits.PAGES_PER_TICK_MAX
    assert left == [("p", "a", 1, most), ("p", "b", 1, most - 1)]
    assert w.table.index("tasks#p#open#a", limit=1) == []
    assert w.table.get(tenant_key("p", "a")) != [None]  # gone with the next tick
    waiting.see_out(w.world, "p")
    assert w.table.get(tenant_key("p", "a"), tenant_key("p", "b")) == [None, None]
