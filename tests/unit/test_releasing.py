"""What goes onto a pool's queue: chosen, sent, marked; and what is let go on the way."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from mayfly.contract import wire
from mayfly.contract.task import Task
from mayfly.core import events as e
from mayfly.core import limits
from mayfly.core.changes import Create
from mayfly.core.decision import Decision
from mayfly.core.release import Line
from mayfly.core.rows import (
    JobHead,
    JobSpec,
    JobState,
    TaskRow,
    TaskState,
    head_key,
    spec_key,
    task_key,
    tenant_key,
    to_item,
)
from mayfly.memory.world import MemoryWorld
from mayfly.perform import releasing, waiting
from mayfly.perform.ports import Depth, Temporary
from tests.unit.given import RECIPE, SOURCE, a_job, a_task

SPEC = JobSpec(recipe=msgspec.json.encode(RECIPE).decode(), source=SOURCE)
OUT = "tasks#standard#out"


def stands(
    w: MemoryWorld,
    name: str,
    place: str,
    state: JobState = JobState.RUNNING,
    *,
    tenant: str = "default",
    spec: JobSpec = SPEC,
    **fields: Any,
) -> TaskRow:
    """A job with its one task, which is in this partition of the index."""
    given = {"job_id": name, "tenant": tenant} | fields
    row = a_task(TaskState.OPEN if "open" in place else TaskState.RELEASED, **given)
    rows = {
        head_key(name): to_item(a_job(state, job_id=name, tenant=tenant)),
        spec_key(name): to_item(spec),
        task_key(name, row.task_id): {**to_item(row), "gpk": place, "gsk": name},
    }
    w.table.commit([Create(key=key, item=item) for key, item in rows.items()])
    return row


def a_tenant(w: MemoryWorld, name: str = "default", jobs: int = 9) -> None:
    item = {"tenant": name, "open_jobs": jobs, "gpk": "tenants#standard#open", "gsk": name}
    w.table.commit([Create(key=tenant_key("standard", name), item=item)])


class Applied:
    """The engine, as those who release see it."""

    def __init__(self, *ignored: str) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.ignored = ignored
        self.fails: dict[str, Exception] = {}

    def __call__(
        self,
        world: Any,
        event: e.Event,
        job_id: str,
        task_id: str | None = None,
        *,
        known: tuple[JobHead | None, TaskRow | None] | None = None,
    ) -> Decision:
        self.asked.append((event, job_id, task_id, known))
        if job_id in self.fails:
            raise self.fails[job_id]
        return Decision(ignored="taken" if job_id in self.ignored else "")

    def kinds(self) -> list[tuple[str, str]]:
        return [(type(event).__name__, job) for event, job, *_ in self.asked]


def sent(w: MemoryWorld) -> list[str | None]:
    found = []
    while messages := w.jobs.receive(wait_seconds=0, limit=10):
        found += [wire.decode(Task, one.body).job_id for one in messages]
    return found


def waiting_line(tenant: str = "default") -> str:
    return f"tasks#standard#open#{tenant}"


def test_a_task_is_chosen_then_sent_then_marked(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_tenant(w)
    row = stands(w, "job1", waiting_line())
    apply, now = Applied(), w.clock.now()

    def looked(*given: Any) -> Any:
        raise AssertionError("nobody was in the way")

    monkeypatch.setattr(releasing, "_behind_ended", looked)
    releasing.release_tasks(w.world, "standard", frozenset(), apply)
    head = a_job()
    chosen = msgspec.structs.replace(
        row, state=TaskState.RELEASED, version=row.version + 1, released_at=now
    )
    assert apply.asked == [
        (e.TaskReleased(at=now), "job1", "encode", (head, row)),
        (e.TaskEnqueued(at=now, released_at=now), "job1", "encode", (head, chosen)),
    ]
    assert sent(w) == ["job1"]


def test_what_somebody_else_chose_is_theirs_to_send(w: MemoryWorld) -> None:
    a_tenant(w)
    stands(w, "job1", waiting_line())
    apply = Applied("job1")
    releasing.release_tasks(w.world, "standard", frozenset(), apply)
    assert apply.kinds() == [("TaskReleased", "job1")] and sent(w) == []


def test_a_users_own_task_is_never_sent_by_us(w: MemoryWorld) -> None:
    a_tenant(w)
    stands(w, "job1", waiting_line(), spec=JobSpec(recipe=SPEC.recipe))
    releasing.release_tasks(w.world, "standard", frozenset(), Applied())
    assert sent(w) == []


def test_the_first_error_is_raised_when_the_others_are_sent(w: MemoryWorld) -> None:
    a_tenant(w)
    for name in ("a", "b", "c"):
        stands(w, name, waiting_line())
    apply, first = Applied(), Temporary("first")
    apply.fails = {"a": first, "b": Temporary("second")}
    with pytest.raises(Temporary) as raised:
        releasing.release_tasks(w.world, "standard", frozenset(), apply)
    assert raised.value is first and sent(w) == ["c"]


def test_as_many_go_out_as_there_is_room_for(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_tenant(w)
    for n in range(4):
        stands(w, f"out{n}", OUT)
    for n in range(4):
        stands(w, f"w{n}", waiting_line())
    asked: list[int] = []
    lines = waiting.lines

    def noted(world: Any, pool: str, some: Any, limit: int) -> Any:
        asked.append(limit)
        return lines(world, pool, some, limit)

    monkeypatch.setattr(waiting, "lines", noted)
    releasing.release_tasks(w.world, "standard", frozenset(), Applied())
    assert asked == [2] and sent(w) == ["w0", "w1"]


def test_a_full_queue_asks_for_nobody(w: MemoryWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    for n in range(6):
        stands(w, f"out{n}", OUT)

    def asked(*given: Any) -> Any:
        raise AssertionError("there is no room")

    monkeypatch.setattr(waiting, "tenants", asked)
    releasing.release_tasks(w.world, "standard", frozenset(), Applied())
    assert sent(w) == []


def test_tenants_are_looked_at_until_there_is_enough(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = limits.TENANTS_LOOKED_AT_MAX
    for n in range(2 * size + 1):
        a_tenant(w, f"t{n:02d}")
    looked: list[int] = []
    answers: list[list[Line]] = []

    def lines(world: Any, pool: str, some: Sequence[Any], limit: int) -> list[Line]:
        looked.append(len(some))
        return answers[len(looked) - 1]

    monkeypatch.setattr(waiting, "lines", lines)
    for name, count in (("x", 2), ("y", 4)):
        some = [stands(w, f"{name}{n}", f"{name}#open", tenant=name) for n in range(count)]
        answers.append([Line(tenant=name, tasks=tuple(some))])
    releasing.release_tasks(w.world, "standard", frozenset(), Applied())
    assert looked == [size, size]
    assert sorted(map(str, sent(w))) == ["x0", "x1", "y0", "y1", "y2", "y3"]


def test_what_was_opened_just_now_goes_out_unless_it_is_out(w: MemoryWorld) -> None:
    stands(w, "job1", "nowhere#open")
    stands(w, "job2", OUT)
    opened = frozenset({("job1", "encode"), ("job2", "encode")})
    releasing.release_tasks(w.world, "standard", opened, Applied())
    assert sent(w) == ["job1"]


def test_the_turns_of_those_served_are_ended(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b"):
        a_tenant(w, name)
    stands(w, "job1", waiting_line("b"), tenant="b")
    ended: list[Any] = []
    monkeypatch.setattr(waiting, "end_turns", lambda world, *given: ended.append(given))
    releasing.release_tasks(w.world, "standard", frozenset(), Applied())
    ((pool, tenants, served),) = ended
    assert (pool, [row.tenant for row in tenants], served) == ("standard", ["a", "b"], ("b",))


def test_what_stands_behind_tasks_of_ended_jobs_goes_out_in_their_place(w: MemoryWorld) -> None:
    a_tenant(w, "a")
    a_tenant(w, "b")
    for n in range(6):
        stands(w, f"e{n}", waiting_line("a"), JobState.CANCELLED, tenant="a")
    for n in range(8):
        stands(w, f"live{n}", waiting_line("a"), tenant="a")
    stands(w, "other", waiting_line("b"), tenant="b")
    releasing.release_tasks(w.world, "standard", frozenset(), Applied())
    assert sent(w) == ["other", "live0", "live1", "live2", "live3", "live4"]
    left = [item["job_id"] for item in w.table.index(waiting_line("a"), limit=99)]
    assert left == [f"live{n}" for n in range(8)]


def test_what_went_out_first_counts_for_whose_turn_it_is_behind_ended_jobs(
    w: MemoryWorld,
) -> None:
    for name in ("a", "b"):
        a_tenant(w, name)
        for n in range(6):
            state = JobState.CANCELLED if name == "a" else JobState.RUNNING
            stands(w, f"{name}{n}", waiting_line(name), state, tenant=name)
    for n in range(6, 9):
        stands(w, f"a{n}", waiting_line("a"), tenant="a")
    releasing.release_tasks(w.world, "standard", frozenset(), Applied())
    assert sent(w) == ["b0", "b1", "b2", "a6", "a7", "a8"]


def test_so_many_pages_are_looked_at_for_what_ended_jobs_left(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = {}
    for name in ("a", "b", "c", "d"):
        a_tenant(w, name)
        state = JobState.RUNNING if name == "b" else JobState.CANCELLED
        rows[name] = stands(w, f"job{name}", waiting_line(name), state, tenant=name)
    asked: list[tuple[Any, ...]] = []
    most = limits.PAGES_PER_RELEASE_MAX

    def past(world: Any, pool: str, tenant: str, *, wanted: int, pages: int) -> Any:
        asked.append((pool, tenant, wanted, pages))
        return [rows[tenant]], pages if tenant == "c" else 1

    monkeypatch.setattr(waiting, "past_ended", past)
    releasing.release_tasks(w.world, "standard", frozenset(), Applied())
    assert asked == [("standard", "a", 1, most), ("standard", "c", 1, most - 1)]
    assert sent(w) == ["jobb"]


def test_what_a_crash_left_unsent_is_sent_again_and_marked(w: MemoryWorld) -> None:
    now = w.clock.now()
    late = now - limits.HEAL_SECONDS - 1
    stands(w, "a", OUT, JobState.CANCELLED, released_at=late)
    stands(w, "b", OUT, released_at=late)
    stands(w, "c", OUT, released_at=now)
    apply = Applied()
    releasing.send_again(w.world, "standard", apply)
    assert apply.asked == [(e.TaskEnqueued(at=now, released_at=late), "b", "encode", None)]
    assert sent(w) == ["b"]


def test_what_was_never_timed_is_of_the_beginning_of_time(w: MemoryWorld) -> None:
    stands(w, "a", OUT)
    apply = Applied()
    releasing.send_again(w.world, "standard", apply)
    assert apply.asked[0][0].released_at == 0.0


def test_what_the_index_showed_too_late_is_not_sent_again(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = w.clock.now() - limits.HEAL_SECONDS - 1
    row = stands(w, "a", OUT, released_at=late, enqueued=True)
    stands(w, "b", OUT, released_at=late)
    stale = msgspec.structs.replace(row, enqueued=False)
    real = releasing.out_tasks
    monkeypatch.setattr(releasing, "out_tasks", lambda world, pool: [stale, *real(world, pool)[1:]])
    releasing.send_again(w.world, "standard", Applied())
    assert sent(w) == ["b"]


def test_tasks_of_ended_jobs_are_let_go_and_the_others_are_as_they_are_now(
    w: MemoryWorld,
) -> None:
    ended = stands(w, "a", OUT, JobState.CANCELLED)
    live = stands(w, "b", OUT)
    stale = msgspec.structs.replace(live, version=0)
    vanished = a_task(job_id="nobody")
    apply = Applied()
    assert releasing.drop_ended(w.world, [ended, stale, vanished], apply) == [live]
    head = a_job(JobState.CANCELLED, job_id="a")
    dropped = e.TaskDropped(at=w.clock.now())
    assert apply.asked == [(dropped, "a", "encode", (head, ended))]


@pytest.mark.parametrize(
    ("depth", "missed"),
    [
        (Depth(visible=0, in_flight=0, delayed=0), 3),
        (Depth(visible=1, in_flight=0, delayed=0), 2),
        (Depth(visible=0, in_flight=1, delayed=0), 2),
        (Depth(visible=0, in_flight=0, delayed=1), 2),
        (Depth(visible=1, in_flight=1, delayed=1), 0),
    ],
)
def test_every_message_on_the_queue_is_somebodys(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch, depth: Depth, missed: int
) -> None:
    old = w.clock.now() - limits.SILENCE_SECONDS - 1
    moved: dict[str, Any] = {"created_at": old, "released_at": old, "enqueued": True}
    out = [a_task(TaskState.RELEASED, task_id=f"t{n}", **moved) for n in range(3)]
    monkeypatch.setattr(w.jobs, "depth", lambda: depth)
    assert len(releasing.vanished(w.world, "standard", out)) == missed


def test_a_queue_is_not_asked_how_deep_it_is_while_nothing_has_waited_for_long(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked() -> Depth:
        raise AssertionError("nobody need know")

    monkeypatch.setattr(w.jobs, "depth", asked)
    young = a_task(TaskState.RELEASED, enqueued=True, created_at=w.clock.now())
    assert releasing.vanished(w.world, "standard", [young]) == ()


def test_as_much_is_read_of_what_is_out_as_matters(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[tuple[str, int]] = []

    def index(gpk: str, *, limit: int) -> list[Any]:
        read.append((gpk, limit))
        return []

    monkeypatch.setattr(w.table, "index", index)
    assert releasing.out_tasks(w.world, "standard") == []
    assert releasing.out_tasks(w.world, "gone") == []
    assert releasing.stranded_tasks(w.world, "gone") == []
    assert read == [(OUT, 6), ("tasks#gone#out", 100)]


def test_rows_are_read_many_at_once_and_what_has_vanished_is_left_out(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [stands(w, f"j{n:02d}", OUT) for n in range(34)]
    asked: list[int] = []
    get = w.table.get

    def noted(*keys: Any) -> Any:
        asked.append(len(keys))
        return get(*keys)

    monkeypatch.setattr(w.table, "get", noted)
    gone = a_task(job_id="j00", task_id="gone")
    found = releasing._read(w.world, [*rows, a_task(job_id="nobody"), gone])
    assert asked == [99, 9]
    assert [(head.job_id, row, spec) for head, row, spec in found] == [
        (row.job_id, row, SPEC) for row in rows
    ]
