"""A pause stops every planner, however long, and costs no job its life."""

import pytest

from mayfly.contract.report import Encoded, Interrupted, Media, Started
from mayfly.contract.task import Task
from mayfly.core import limits
from mayfly.core.changes import Delete, Put
from mayfly.core.rows import PAUSED_KEY
from mayfly.memory.world import MemoryWorld
from mayfly.perform import planning
from tests.unit.acting import (
    CRASHED,
    a_users_own_task,
    begun_by_hand,
    cancel,
    dispatch,
    ecs_says,
    encoded,
    outcomes,
    receive,
    report,
    said,
    tick,
    upload,
)
from tests.unit.yard import Yard

DAY = 24 * 3600


def pause(w: MemoryWorld) -> None:
    w.table.commit([Put(key=PAUSED_KEY, item={"paused_at": w.clock.now()})])


def go_on(w: MemoryWorld) -> None:
    w.table.commit([Delete(key=PAUSED_KEY)])


def ticks(w: MemoryWorld, seconds: float) -> None:
    for _ in range(int(seconds // limits.TICK_SECONDS)):
        tick(w)


def serving(w: MemoryWorld) -> list[int]:
    return [service.desired for service in w.services.tagged() if service.desired]


def test_requests_are_accepted_in_a_pause_and_their_work_waits(w: MemoryWorld) -> None:
    pause(w)
    dispatch(w, upload(w))
    ticks(w, 3600)
    assert w.services.wanted() == {} and outcomes(w) == []
    go_on(w)
    tick(w)
    assert serving(w) == [1]
    task, message = receive(w)
    report(w, Started(**said(task)), encoded(w, task))
    w.jobs.delete(message.handle)
    assert [outcome.state for outcome in outcomes(w)] == ["succeeded"]


def test_every_planner_obeys(w: MemoryWorld) -> None:
    """The dispatcher's, the completion handler's, the tick's, and that for users' own tasks."""
    pause(w)
    dispatch(w, upload(w))
    task, message = receive(w)
    report(w, Started(**said(task)), Interrupted(**said(task), reason="spot_interruption"))
    w.jobs.delete(message.handle)
    tick(w)
    cancel(w, task.job_id)
    w.jobs.send(a_users_own_task())
    ticks(w, 300)
    assert w.services.wanted() == {}
    go_on(w)
    ticks(w, 120)
    assert serving(w) == [1]


def test_busy_workers_finish_and_idle_ones_leave(w: MemoryWorld) -> None:
    for n in range(3):
        dispatch(w, upload(w, f"uploads/{n}.mp4", f"video{n}".encode()))
    (name,) = w.services.wanted()
    w.services.keep(name, 1)
    task, message = receive(w)
    report(w, Started(**said(task)))
    pause(w)
    ticks(w, 600)
    (service,) = w.services.tagged()
    assert (service.desired, service.running) == (0, 1)
    report(w, encoded(w, task))
    w.jobs.delete(message.handle)
    w.services.keep(name, 0)
    ticks(w, 180)
    assert w.services.tagged() == []
    assert [outcome.state for outcome in outcomes(w)] == ["succeeded"]
    go_on(w)
    tick(w)
    assert serving(w) == [2]


@pytest.mark.parametrize("began", [False, True])
def test_a_job_survives_a_pause_of_days_whether_its_worker_had_begun_or_not(
    w: MemoryWorld, began: bool
) -> None:
    dispatch(w, upload(w))
    task, _ = receive(w)
    if began:
        report(w, Started(**said(task)))
    pause(w)  # and the worker dies without a word
    ticks(w, 3 * DAY)
    assert outcomes(w) == []
    go_on(w)
    ticks(w, limits.SILENCE_SECONDS)
    assert outcomes(w) == [] and serving(w) == [1]
    found = receive(w)[0]
    report(w, Started(**said(found, "n2")), encoded(w, found, "n2"))
    assert [outcome.state for outcome in outcomes(w)] == ["succeeded"]


def test_silence_counts_anew_when_the_pause_is_over(w: MemoryWorld) -> None:
    dispatch(w, upload(w))
    task, _ = receive(w)
    report(w, Started(**said(task)))
    pause(w)
    ticks(w, DAY)
    assert stage(w, task) == "started"
    go_on(w)
    ticks(w, limits.SILENCE_SECONDS - limits.TICK_SECONDS)
    assert stage(w, task) == "started"
    ticks(w, 3 * limits.TICK_SECONDS)
    assert stage(w, task) == "worker lost"


def test_a_worker_that_ends_its_task_in_a_pause_lets_no_clock_run_for_another(
    w: MemoryWorld,
) -> None:
    """Two workers; one dies without a word, and the other goes on for long."""
    for n in range(2):
        dispatch(w, upload(w, f"uploads/{n}.mp4", f"video{n}".encode()))
    (name,) = w.services.wanted()
    w.services.keep(name, 1)
    lost, _ = receive(w)
    report(w, Started(**said(lost)))
    pause(w)
    ticks(w, DAY)
    assert stage(w, lost) == "started"


def stage(w: MemoryWorld, task: Task) -> str:
    (row,) = w.table.rows(f"job#{task.job_id}", "task#")
    return str(row["stage"])


def test_a_users_own_task_waits_on_its_queue_for_as_long_as_the_pause(w: MemoryWorld) -> None:
    """Nobody can send it again, so its job ends after two silences: but nobody could speak."""
    _, ids = begun_by_hand(w)
    pause(w)  # its worker dies without a word, and its message comes back to the queue
    ticks(w, 2 * DAY)
    assert outcomes(w) == []
    go_on(w)
    ticks(w, 120)
    (message,) = w.jobs.receive(wait_seconds=0)
    again = {**ids, "attempt": "n2"}
    report(
        w,
        Started(**again),
        Encoded(**again, outputs=(), source=Media(container="mov"), busy_seconds=1.0),
    )
    w.jobs.delete(message.handle)
    assert [outcome.state for outcome in outcomes(w)] == ["succeeded"]


def test_a_users_own_task_also_outlives_a_drought(w: MemoryWorld) -> None:
    _, ids = begun_by_hand(w)
    (name,) = w.services.wanted()
    w.services.hold_back(name, 0)
    ticks(w, DAY)
    (row,) = w.table.rows(f"job#{ids['job_id']}", "task#")
    assert (row["state"], row["lost"]) == ("running", 0)


def test_a_silence_while_workers_run_is_judged_as_ever(w: MemoryWorld) -> None:
    message, _ = begun_by_hand(w)
    w.jobs.delete(message.handle)
    ticks(w, limits.LOST_WORKERS_MAX * (limits.SILENCE_SECONDS + 60))
    (outcome,) = outcomes(w)
    assert outcome.failure is not None and outcome.failure.code == "worker_lost"


def test_on_demand_is_not_bought_for_the_time_of_a_pause() -> None:
    yard = Yard(on_demand_after_seconds=limits.TWIN_AFTER_SECONDS)
    yard.opens(1)
    yard.w.services.hold_back(yard.only(), 0)
    yard.ticks(3)
    yard.pauses()
    yard.ticks(60)
    assert yard.standing() == {}
    yard.goes_on()
    yard.ticks(2)
    assert len(yard.standing()) == 1
    yard.w.services.hold_back(yard.only(), 0)
    yard.ticks(limits.TWIN_AFTER_SECONDS // limits.TICK_SECONDS - 1)
    assert len(yard.standing()) == 1


def test_workers_that_a_pause_sends_away_do_not_pull_the_brake(w: MemoryWorld) -> None:
    """They stop before they have begun anything, each with ECS's own reason."""
    dispatch(w, upload(w))
    (name,) = w.services.wanted()
    pause(w)
    for n in range(2 * limits.CRASHES_MAX):
        killed = {"containers": [{"name": "worker", "exitCode": 143}]}
        sent_away = CRASHED | {"stopCode": "ServiceSchedulerInitiated"} | killed
        ecs_says(w, f"w{n}", service=name, **sent_away)
    row, _ = planning.read_pool(w.world, "standard")
    assert (row.crashes, row.broken_at) == (0, None) and outcomes(w) == []
