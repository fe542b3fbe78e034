"""The last chunk of a film lags: it is sent a second time, a worker is kept for it, the first
commit wins, and whatever crashes on the way, nothing is sent for ever or lost."""

import dataclasses
from typing import Any

import pytest

from dispatcher import desk as dispatcher
from mayfly.contract import wire
from mayfly.contract.report import Interrupted, Progressed, Started
from mayfly.contract.task import Control, Task
from mayfly.core import limits, naming
from mayfly.core.changes import Put, Update
from mayfly.core.rows import PAUSED_KEY, TaskRow, TaskState, pool_key
from mayfly.memory.world import MemoryWorld, memory_world
from mayfly.perform import engine, planning, receipts, releasing
from tests.unit.acting import SERVICE, dispatch, report, said, tick, upload
from tests.unit.given import PLAN
from tests.unit.interrupting import Interruption, crash, points_of
from tests.unit.splitting import (
    assert_whole,
    begun,
    brought,
    first_scope,
    head_of,
    take_all,
    tasks_of,
    work_to_the_end,
)

LAST = "chunk-00002"
#: Beats of a worker that gets nowhere, until its chunk lags: the others took 9 s.
BEATS = 3


def lagging(w: MemoryWorld) -> tuple[Task, Task]:
    """All is done but one chunk, whose worker is well and slow. The first task, and that one."""
    first = begun(w)
    tasks = {task.task_id: task for task in take_all(w)}
    report(w, brought(w, first, scope=first_scope()))
    slow = tasks.pop(LAST)
    report(w, Started(**said(slow, "slow")))
    for task in tasks.values():
        report(w, Started(**said(task)), brought(w, task))
    beat(w, slow)
    return first, slow


def beat(w: MemoryWorld, task: Task, attempt: str = "slow", beats: int = BEATS) -> None:
    for _ in range(beats):
        w.clock.sleep(limits.HEARTBEAT_SECONDS)
        report(w, Progressed(**said(task, attempt), fraction=0.01, stage="encoding", speed=None))


def row_of(w: MemoryWorld, task: Task) -> TaskRow:
    return tasks_of(w, task.job_id)[task.task_id or ""]


def desired(w: MemoryWorld) -> int:
    row, _ = planning.read_pool(w.world, "standard")
    return sum(service.asked for service in row.services.values())


def order_for(w: MemoryWorld, task: Task) -> Control | None:
    """What a heartbeat at this task reads."""
    found = w.store.get("media", naming.control_key(task.job_id or "", task.task_id or ""))
    return None if found is None else wire.decode(Control, found.body)


def test_the_last_chunk_is_sent_a_second_time_and_whoever_is_first_wins() -> None:
    w = memory_world()
    first, slow = lagging(w)
    assert order_for(w, slow) is None
    tick(w, after=0)
    (second,) = take_all(w)
    assert (second.task_id, second.kind, second.scope) == (LAST, "chunk", PLAN.scope(2))
    assert second.token == slow.token
    row = row_of(w, slow)
    assert (row.lagging, row.backups, row.enqueued) == ("slow", 1, True)
    told = [measured for measured in w.world.tally.take() if measured.name == "BackupAttempts"]
    assert [dict(measured.dimensions) for measured in told] == [{"pool": "standard"}]

    report(w, Started(**said(second, "quick")), brought(w, second, "quick"))
    stop = order_for(w, slow)
    assert stop is not None and (stop.order, stop.reason) == ("stop", "done")
    won = row_of(w, slow).artifacts
    assert [artifact.key.split("/")[-2] for artifact in won] == ["quick"]
    report(w, Interrupted(**said(slow, "slow"), reason="ordered", busy_seconds=70.0))
    report(w, brought(w, slow, "slow"))
    assert row_of(w, slow).artifacts == won
    work_to_the_end(w, first)
    assert_whole(w, first.job_id)


def test_the_one_that_lagged_may_still_be_the_first() -> None:
    w = memory_world()
    first, slow = lagging(w)
    tick(w, after=0)
    (second,) = take_all(w)
    report(w, Started(**said(second, "quick")), brought(w, slow, "slow"))
    assert [a.key.split("/")[-2] for a in row_of(w, slow).artifacts] == ["slow"]
    stop = order_for(w, second)
    assert stop is not None and stop.order == "stop"
    report(w, Interrupted(**said(second, "quick"), reason="ordered", busy_seconds=8.0))
    work_to_the_end(w, first)
    assert_whole(w, first.job_id)
    head, tasks = head_of(w, first.job_id), tasks_of(w, first.job_id)
    assert head.attempts == sum(task.attempts for task in tasks.values())


def test_one_message_at_a_time_and_a_few_in_all_are_sent_beside_the_first() -> None:
    w = memory_world()
    _, slow = lagging(w)
    for n in range(1, limits.BACKUPS_MAX + 1):
        for _ in range(3):
            tick(w, after=0)
        (second,) = take_all(w)
        assert row_of(w, slow).backups == n
        gone = Interrupted(**said(second, f"gone{n}"), reason="spot_interruption", busy_seconds=1.0)
        report(w, gone)
        assert row_of(w, slow).state is TaskState.RUNNING
        beat(w, slow)
    tick(w, after=0)
    assert take_all(w) == []


def test_a_worker_is_kept_for_the_second_attempt_and_no_longer() -> None:
    w = memory_world()
    first, slow = lagging(w)
    assert desired(w) > 2
    tick(w, after=0)
    assert desired(w) == 2
    assert planning.open_task_count(w.world, "standard", 9) == 2
    assert planning.open_task_count(w.world, "standard", 2) == 2
    assert planning.open_task_count(w.world, "standard", 1) == 1
    report(w, brought(w, slow, "slow"))
    tick(w, after=0)
    assert desired(w) == 1  # the finish
    assert head_of(w, first.job_id).state == "finishing"


@pytest.mark.parametrize(
    "why", ["something waits", "it is on the queue", "paused", "broken", "no room"]
)
def test_nobody_is_asked_for_who_would_displace_somebody(
    why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    w = memory_world()
    _, slow = lagging(w)
    match why:
        case "something waits":  # opened just now, and not yet released
            dispatcher.take(w.world, upload(w, "uploads/other.mp4", b"other"))
        case "it is on the queue":
            dispatch(w, upload(w, "uploads/other.mp4", b"other"))
        case "paused":
            w.table.commit([Put(key=PAUSED_KEY, item={"at": 1.0})])
        case "broken":
            w.table.commit([Update(key=pool_key("standard"), set={"broken_at": 1.0})])
        case "no room":
            one = dataclasses.replace(w.world.policy("standard"), workers_max=1)
            monkeypatch.setattr(type(w.world), "policy", lambda world, name: one)
    tick(w, after=0)
    assert not row_of(w, slow).lagging


def test_wherever_the_tick_is_cut_off_the_second_message_is_sent() -> None:
    def scene(point: int) -> bool:
        cut = Interruption()
        w = memory_world(faults=cut)
        first, slow = lagging(w)
        happened = cut.during(lambda: tick(w, after=0), point, crash)
        w.clock.sleep(limits.HEAL_SECONDS + 1)
        report(w, Progressed(**said(slow, "slow"), fraction=0.01, stage="encoding", speed=None))
        tick(w, after=0)
        tick(w, after=0)
        sent = take_all(w)
        # Twice, when the crash came before the mark that it was sent.
        assert [task.task_id for task in sent] in ([LAST], [LAST, LAST])
        assert row_of(w, slow).enqueued and row_of(w, slow).backups == 1
        report(w, Started(**said(sent[0], "quick")), brought(w, sent[0], "quick"))
        work_to_the_end(w, first)
        assert_whole(w, first.job_id)
        return happened

    assert points_of(scene) > 20


def test_what_the_second_attempt_cost_is_on_the_receipt_whatever_service_it_was_of() -> None:
    w = memory_world()
    first, slow = lagging(w)
    tick(w, after=0)
    (second,) = take_all(w)
    report(w, brought(w, slow, "slow"))
    late: dict[str, Any] = {**said(second, "quick"), "service": f"{SERVICE}-on-demand"}
    report(w, Interrupted(**late, reason="ordered", busy_seconds=100.0))
    receipt = receipts.receipt_of(w.world, first.job_id or "")
    assert receipt.busy_seconds == 9.0 + 9.0 + 100.0  # "n1" is one attempt, here


def test_late_duplicates_of_a_chunk_after_the_job_has_ended_change_nothing() -> None:
    w = memory_world()
    first, slow = lagging(w)
    tick(w, after=0)
    (second,) = take_all(w)
    report(w, Started(**said(second, "quick")), brought(w, second, "quick"))
    work_to_the_end(w, first)
    tick(w)
    tick(w)
    assert desired(w) == 0
    whole = w.store.keys("media", "outputs/")
    bodies = [w.store.get("media", key) for key in whole]
    committed = {name: row.artifacts for name, row in tasks_of(w, first.job_id).items()}
    told = len(w.bus.published)
    words: tuple[Any, ...] = (
        Started(**said(slow, "slow")),
        Progressed(**said(slow, "slow"), fraction=0.5, stage="encoding", speed=None),
        brought(w, slow, "slow"),
        brought(w, slow, "slow"),
        Interrupted(**said(second, "quick"), reason="ordered", busy_seconds=1.0),
    )
    for word in words:
        report(w, word)
        tick(w)
    assert {name: row.artifacts for name, row in tasks_of(w, first.job_id).items()} == committed
    assert [w.store.get("media", key) for key in whole] == bodies
    assert (len(w.bus.published), desired(w), take_all(w)) == (told, 0, [])


def test_a_pool_in_which_nothing_lags_is_looked_at_once() -> None:
    """The tick of a busy pool costs next to nothing more."""
    calls = Interruption()
    w = memory_world(faults=calls)
    _, slow = lagging(w)
    row, _ = planning.read_pool(w.world, "standard")

    def looked() -> list[str]:
        before = len(calls.calls)
        releasing.back_up(w.world, row, engine.apply)
        return calls.calls[before:]

    report(w, Started(**said(slow, "younger")))
    assert looked() == ["table.index"]
    w.clock.sleep(limits.LAG_SECONDS_MIN)
    assert len(looked()) > 1
    before = len(calls.calls)
    assert planning.open_task_count(w.world, "standard", 2) == 2
    assert calls.calls[before:] == ["table.index"]  # a task and its backup are enough
