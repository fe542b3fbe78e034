"""Grants outlive what they are for: a long wait, a long encode; and none is used after a cancel."""

import pytest

from mayfly.contract import wire
from mayfly.contract.plan import Plan
from mayfly.contract.task import Inputs, Task, read_inputs
from mayfly.core import limits
from mayfly.core.rows import JobState
from mayfly.memory.signer import UrlRefused
from mayfly.memory.world import MemoryWorld
from tests.unit.acting import cancel, dispatch, outcomes, tick, upload
from tests.unit.shifts import Shift
from tests.unit.splitting import head_of, plan_of, tasks_of
from worker.ends import Reason
from worker.order import Order

HOUR = 3600
#: Three workers, and as much again on the queue.
MEASURE = 3 * limits.RELEASED_PER_WORKER


def briefly(shift: Shift, order: Order) -> None:
    shift.passes(order, 30)


def test_jobs_that_waited_thirteen_hours_run_when_a_worker_comes(w: MemoryWorld) -> None:
    """Those in the table are signed when they are released. Those on the queue carry URLs that have
    died meanwhile: they go back and are signed anew, at the cost of a message."""
    names = [f"uploads/film-{number}.mp4" for number in range(MEASURE + 3)]
    dispatch(w, *(upload(w, name, name.encode()) for name in names))
    for _ in range(13 * 6):
        tick(w, after=600)
    assert w.bus.published == []
    waiting = [row for name in jobs_of(w) for row in tasks_of(w, name).values()]
    assert len(waiting) == len(names)
    assert sum(row.released_at is None for row in waiting) == 3

    shift = Shift(w, briefly)
    for _ in range(20):
        shift.works()
        if len(w.bus.published) == len(names):
            break
        tick(w)

    assert [outcome.state for outcome in outcomes(w)] == ["succeeded"] * len(names)
    # Nobody worked for nothing, and no failure was counted.
    assert len(shift.orders) == len(names)
    rows = [row for name in jobs_of(w) for row in tasks_of(w, name).values()]
    assert {row.failures for row in rows} == {row.lost for row in rows} == {0}


def test_an_encode_of_five_hours_keeps_its_message_and_stores_its_output(w: MemoryWorld) -> None:
    first_end: list[float] = []

    def for_hours(shift: Shift, order: Order) -> None:
        first_end.append(order.task.grants_end_at or 0.0)
        shift.passes(order, 5 * HOUR)

    dispatch(w, upload(w))
    began = w.clock.now()
    shift = Shift(w, for_hours)
    shift.works()

    assert w.clock.now() >= began + 5 * HOUR
    assert [outcome.state for outcome in outcomes(w)] == ["succeeded"]
    (outcome,) = outcomes(w)
    assert (outcome.attempts, outcome.interruptions) == (1, 0)
    # It was signed for 45 minutes, and renewed each time that ten of them were left.
    assert first_end[0] <= began + limits.GRANT_SECONDS
    each = limits.GRANT_SECONDS - limits.RENEW_SECONDS
    assert 5 * HOUR / limits.GRANT_SECONDS - 1 <= shift.renewals <= 5 * HOUR / each + 1
    assert len(shift.orders) == 1, "its message was nobody else's meanwhile"
    assert w.jobs.depth().visible == w.jobs.depth().in_flight == 0


def test_a_join_of_two_hours_reads_its_parts_by_urls_that_live(w: MemoryWorld) -> None:
    """What it joins is listed in an object, which is written anew whenever the grants are."""
    plan, listed = plan_of(4), list[Inputs]()

    def for_long(shift: Shift, order: Order) -> None:
        if order.may_plan:
            order.split(plan)
        shift.passes(order, 30)
        if order.task.kind != "finish":
            return
        for _ in range(2):
            assert order.grants.inputs is not None
            body = shift.signer.fetched(order.grants.inputs).body
            listed.append(read_inputs(body))
            shift.passes(order, HOUR)
        for part in listed[1].parts:
            with pytest.raises(UrlRefused):
                shift.signer.fetched(part.fetch)
        assert order.grants.inputs is not None
        newest = shift.signer.fetched(order.grants.inputs).body
        for part in read_inputs(newest).parts:
            assert shift.signer.fetched(part.fetch).body == b"encoded"

    dispatch(w, upload(w))
    shift = Shift(w, for_long)
    for _ in range(10):
        shift.works()
        tick(w)
    assert [outcome.state for outcome in outcomes(w)] == ["succeeded"]
    first, second = ({part.fetch.url for part in one.parts} for one in listed)
    assert len(first) == plan.chunks + 1 and not first & second
    assert shift.renewals >= 3


def jobs_of(w: MemoryWorld) -> list[str]:
    rows = w.table.snapshot().values()
    return sorted(str(row["job_id"]) for row in rows if row["sk"] == "head" and "job_id" in row)


# --- cancelled -------------------------------------------------------------------------------

PLAN = plan_of(40)


class Cancelled:
    """Works well, until somebody cancels the job while it is at a task of a kind."""

    def __init__(self, w: MemoryWorld, kind: str, plan: Plan = PLAN) -> None:
        self.w, self.kind, self.plan = w, kind, plan
        self.stopped: list[float] = []
        self.sent_after: list[Task] = []

    def __call__(self, shift: Shift, order: Order) -> None:
        if order.may_plan and self.kind != "encode":
            order.split(self.plan)
            shift.passes(order, 30)
            return
        shift.passes(order, 30)
        if order.task.kind != self.kind or self.stopped:
            return
        cancel(self.w, order.task.job_id)
        self._listen()
        at = self.w.clock.now()
        try:
            shift.passes(order, HOUR)
        finally:
            self.stopped.append(self.w.clock.now() - at)
            assert order.halt.reason is Reason.ORDERED

    def _listen(self) -> None:
        send = self.w.jobs.send

        def noting(body: bytes) -> None:
            self.sent_after.append(wire.decode(Task, body))
            send(body)

        self.w.jobs.send = noting  # type: ignore[method-assign]


@pytest.mark.parametrize("kind", ["encode", "chunk", "audio", "finish"])
def test_a_cancel_stops_the_worker_within_a_beat_and_nothing_is_released_after_it(
    w: MemoryWorld, kind: str
) -> None:
    plan = plan_of(4) if kind == "finish" else PLAN
    acts = Cancelled(w, kind, plan)
    dispatch(w, upload(w))
    shift = Shift(w, acts)
    for _ in range(20):
        shift.works()
        if acts.stopped:
            break
        tick(w)
    assert len(acts.stopped) == 1
    assert acts.stopped[0] <= limits.HEARTBEAT_SECONDS
    # Whoever takes what lies on the queue still is told the same with its first beat.
    (job_id,) = jobs_of(w)
    before = len(shift.orders)
    shift.works()
    for order in shift.orders[before:]:
        assert order.halt.reason is Reason.ORDERED
    for _ in range(60):
        tick(w)
    assert acts.sent_after == []
    assert [outcome.state for outcome in outcomes(w)] == ["cancelled"]
    assert head_of(w, job_id).state is JobState.CANCELLED
    assert w.jobs.depth().visible == w.jobs.depth().in_flight == 0
    assert not w.store.keys("media", "outputs/")
