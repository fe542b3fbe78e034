"""What goes wrong around a job, and how it is mended: with every port in memory."""

import json

import pytest

from completion_handler import desk as completion
from mayfly.contract import wire
from mayfly.contract.report import (
    Interrupted,
    RenewalWanted,
    Started,
)
from mayfly.contract.task import Control
from mayfly.core import limits
from mayfly.memory.world import MemoryWorld
from mayfly.perform import announcing, engine, planning
from mayfly.perform.ports import ServiceWanted, Temporary
from tests.unit.acting import (
    CRASHED,
    a_users_own_task,
    cancel,
    dispatch,
    ecs_says,
    encoded,
    letter,
    outcomes,
    receive,
    report,
    said,
    tick,
    upload,
)


def test_a_users_own_task_on_the_queue_hatches_a_worker_that_leaves_when_it_is_gone(
    w: MemoryWorld,
) -> None:
    w.jobs.send(a_users_own_task())
    tick(w)
    (name,) = w.services.wanted()
    _, message = receive(w)
    w.jobs.delete(message.handle)
    for _ in range(3):
        tick(w)
    assert [s.status for s in w.services.describe([name])] == ["INACTIVE"]


def test_garbage_on_the_jobs_queue_gets_its_refusal_without_a_machine(w: MemoryWorld) -> None:
    w.jobs.send(b'{"somebody": "else"}')
    tick(w)
    (outcome,) = outcomes(w)
    assert outcome.failure is not None and outcome.failure.code == "task_unreadable"
    assert w.services.wanted() == {} and w.jobs.depth().visible == 0


def test_messages_of_jobs_that_ended_are_thrown_away_without_a_machine(w: MemoryWorld) -> None:
    dispatch(w, upload(w))
    task, message = receive(w)
    w.jobs.extend(message.handle, 0)
    cancel(w, task.job_id)
    for _ in range(3):
        tick(w)
    assert w.jobs.depth().visible == 0 and w.services.tagged() == []


def test_an_unreadable_task_ends_in_an_outcome_too(w: MemoryWorld) -> None:
    engine.run(w.world, completion.take(w.world, "mayfly-jobs-standard-dead", letter("{}")))
    (outcome,) = outcomes(w)
    assert outcome.failure is not None and outcome.failure.code == "task_unreadable"


def test_a_report_for_a_job_not_known_yet_is_delivered_again(w: MemoryWorld) -> None:
    early = Started(job_id="nobody", task_id="encode", token="t", attempt="n", at=1.0)
    w.done.send(wire.encode(early))
    (message,) = w.done.receive(wait_seconds=0)
    with pytest.raises(Temporary):
        completion.take(w.world, "mayfly-done", message)
    w.clock.sleep(limits.RETRY_PAUSES_SECONDS[0] + 1)
    assert len(w.done.receive(wait_seconds=0)) == 1


def test_a_renewal_is_found_in_the_control_object(w: MemoryWorld) -> None:
    dispatch(w, upload(w))
    task, _ = receive(w)
    report(w, Started(**said(task)))
    w.clock.sleep(2000)
    report(w, RenewalWanted(**said(task)))
    found = w.store.read("media", f"work/{task.job_id}/encode/control.json")
    assert found is not None
    control = wire.decode(Control, found[0])
    assert control.order == "go" and control.grants is not None
    assert control.grants.grants_end_at > (task.grants_end_at or 0)


def test_a_pool_whose_workers_stop_before_they_begin_is_closed_and_its_jobs_fail(
    w: MemoryWorld,
) -> None:
    dispatch(w, upload(w))
    (name,) = w.services.wanted()
    for n in range(limits.CRASHES_MAX):
        ecs_says(w, f"w{n}", service=name, **CRASHED)
    (outcome,) = outcomes(w)
    assert outcome.failure is not None and outcome.failure.code == "pool_broken"
    tick(w)
    tick(w)
    tick(w)
    assert w.services.tagged() == []


def test_a_crash_between_choosing_and_sending_is_healed_by_the_tick(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Lost(Exception):
        pass

    def lost(body: bytes) -> None:
        raise Lost

    with monkeypatch.context() as patch:
        patch.setattr(w.jobs, "send", lost)
        with pytest.raises(Lost):
            dispatch(w, upload(w))
    assert w.jobs.depth().visible == 0
    tick(w)
    assert w.jobs.depth().visible == 1
    tick(w)
    assert w.jobs.depth().visible == 1


def test_cancelled_jobs_leave_room_for_others(w: MemoryWorld) -> None:
    """Seven cancels once filled a pool's measure for good: nothing was released any more."""
    for n in range(9):
        dispatch(w, upload(w, f"uploads/{n}.mp4", f"video{n}".encode()))
    jobs = [key.pk.removeprefix("job#") for key in w.table.snapshot() if key.sk == "spec"]
    for job_id in jobs:
        cancel(w, job_id)
    dispatch(w, upload(w, "uploads/next.mp4", b"next"))
    tick(w)
    row, _ = planning.read_pool(w.world, "standard")
    assert row.open_jobs == 1
    assert len(w.table.index("tasks#standard#out", limit=99)) == 1
    assert w.table.index("tasks#standard#open#default", limit=99) == []


def test_a_cancelled_attempt_is_paid_by_its_own_job(w: MemoryWorld) -> None:
    dispatch(w, upload(w))
    task, _ = receive(w)
    report(w, Started(**said(task)))
    cancel(w, task.job_id)
    report(w, Interrupted(**said(task), reason="ordered", busy_seconds=7.0))
    (busy,) = w.table.rows("service#mayfly-standard-s1", "busy#")
    assert (busy["job_id"], busy["seconds"]) == (task.job_id, 7.0)
    assert outcomes(w)[-1].state == "cancelled"


def test_an_outcome_that_could_not_be_sent_is_sent_by_the_tick(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    dispatch(w, upload(w))
    task, _ = receive(w)

    def lost(detail_type: str, detail: bytes) -> None:
        raise Temporary("EventBridge is away")

    with monkeypatch.context() as patch:
        patch.setattr(w.bus, "publish", lost)
        with pytest.raises(Temporary):
            report(w, Started(**said(task)), encoded(w, task))
    tick(w)
    assert [o.state for o in outcomes(w)] == ["succeeded"]
    tick(w)
    assert len(outcomes(w)) == 1


def test_a_newer_uploads_latest_is_not_overtaken_by_an_older_job(w: MemoryWorld) -> None:
    dispatch(w, upload(w, body=b"one", sequencer="0A"))
    older, _ = receive(w)
    dispatch(w, upload(w, body=b"two!", sequencer="0B"))
    newer, _ = receive(w)
    for task in (newer, older):
        report(w, Started(**said(task)), encoded(w, task))
    found = w.store.read("media", "outputs/my clip (1)+ü/mp4-720p/latest.json")
    assert found is not None and json.loads(found[0])["job_id"] == newer.job_id


def test_no_signed_url_or_token_reaches_the_table_or_an_outcome(w: MemoryWorld) -> None:
    dispatch(w, upload(w))
    task, _ = receive(w)
    report(w, Started(**said(task)), encoded(w, task))
    signature = task.source.fetch.url.partition("?")[2]
    assert signature
    rows = repr(w.table.snapshot())
    assert signature not in rows
    told = b"".join(detail for _, detail in w.bus.published)
    assert signature.encode() not in told and (task.token or "").encode() not in told


def test_the_outcome_of_an_unfinished_job_is_none(w: MemoryWorld) -> None:
    dispatch(w, upload(w))
    task, _ = receive(w)
    assert announcing.outcome_of(w.world, task.job_id or "") is None
    assert announcing.outcome_of(w.world, "nobody") is None


def test_an_unknown_service_that_outlived_its_tag_goes_and_a_fresh_one_stays(
    w: MemoryWorld,
) -> None:
    """A CreateService that landed after its pool had closed, or a planner that lost its row."""
    for name, seconds in (("mayfly-standard-old", -1), ("mayfly-standard-new", 9999)):
        tags = {"mayfly:stack": "mayfly", "mayfly:expires": str(int(w.clock.now()) + seconds)}
        wanted = ServiceWanted(
            name=name,
            pool="standard",
            task_definition="worker:1",
            desired=1,
            capacity_provider="FARGATE_SPOT",
            client_token=name,
            tags=tags,
        )
        w.services.create(wanted)
    tick(w)
    tick(w)
    assert [service.name for service in w.services.tagged()] == ["mayfly-standard-new"]
