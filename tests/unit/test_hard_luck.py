"""What random lives found: each way in which work was lost, doubled, stuck or billed for ever."""

import contextlib
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from completion_handler import desk as completion
from mayfly.contract import wire
from mayfly.contract.report import Adopted, Progressed, Started
from mayfly.contract.task import Task
from mayfly.core import events, limits, machine
from mayfly.core.decision import Decision
from mayfly.core.events import Event
from mayfly.core.rows import TaskState
from mayfly.memory.branches import Branches
from mayfly.memory.world import MemoryWorld, memory_world
from mayfly.perform import engine, planning
from mayfly.perform.ports import Temporary
from mayfly.perform.world import World
from tests.unit.acting import (
    CRASHED,
    KEY,
    SERVICE,
    adopted,
    begun_by_hand,
    cancel,
    dispatch,
    ecs_says,
    encoded,
    outcomes,
    receive,
    report,
    said,
    taken_by_hand,
    tick,
    upload,
)
from tests.unit.given import AT, RECIPE, a_job, a_task


@contextlib.contextmanager
def between(w: MemoryWorld, call: str, meanwhile: Callable[[], None]) -> Iterator[None]:
    """The second call of the table of that name meets a world that has moved on."""
    real, calls = getattr(w.table, call), [0]

    def slow(*args: Any, **kwargs: Any) -> Any:
        calls[0] += 1
        if calls[0] == 2:
            meanwhile()
        return real(*args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(w.table, call, slow)
        yield


def a_request(**fields: Any) -> str:
    return json.dumps({"source": f"s3://media/{KEY}", "preset": "mp4-720p", **fields})


def test_a_request_for_a_missing_pool_does_not_stand_in_the_way_of_its_correction(
    w: MemoryWorld,
) -> None:
    upload(w)
    dispatch(w, a_request(pool="large", request_id="wrong"))
    (refused,) = outcomes(w)
    assert refused.failure is not None and "one of: standard" in refused.failure.sentence
    dispatch(w, a_request(request_id="right"))
    assert w.jobs.depth().visible == 1


def test_a_request_for_a_missing_pool_is_answered_although_its_content_is_known(
    w: MemoryWorld,
) -> None:
    dispatch(w, upload(w))
    dispatch(w, a_request(pool="large", request_id="wrong"))
    assert [outcome.request_ids for outcome in outcomes(w)] == [("wrong",)]


def test_a_request_that_joins_while_the_outcome_is_told_is_answered_too(w: MemoryWorld) -> None:
    dispatch(w, upload(w))
    task, _ = receive(w)
    asked = a_request(request_id="late")

    def meanwhile() -> None:
        report(w, Started(**said(task)), encoded(w, task))

    with between(w, "commit", meanwhile):
        dispatch(w, asked)
    assert "late" in outcomes(w)[-1].request_ids


def test_who_asks_for_an_empty_file_is_answered_although_its_upload_was_refused_before(
    w: MemoryWorld,
) -> None:
    dispatch(w, upload(w, body=b""))
    dispatch(w, a_request(request_id="mine"))
    assert [outcome.request_ids for outcome in outcomes(w)] == [(), ("mine",)]


def test_a_letter_that_is_delivered_twice_is_one_lost_message(w: MemoryWorld) -> None:
    dispatch(w, upload(w))
    task, message = receive(w)
    report(w, Started(**said(task)))
    w.jobs.delete(message.handle)
    for _ in range(2):
        engine.run(w.world, completion.take(w.world, "mayfly-jobs-standard-dead", message))
    again, _ = receive(w)
    report(w, Started(**said(again, "n2")), encoded(w, again, "n2"))
    assert [outcome.state for outcome in outcomes(w)] == ["succeeded"]


def test_the_mark_of_an_older_sending_does_not_stand_for_a_newer_one() -> None:
    """The task was given back and chosen anew, and that invocation died before it sent."""
    chosen = a_task(TaskState.RELEASED, released_at=AT + 60)
    late = events.TaskEnqueued(at=AT + 61, released_at=AT)
    assert machine.advance(a_job(), chosen, late).changes == ()
    right = events.TaskEnqueued(at=AT + 61, released_at=AT + 60)
    assert machine.advance(a_job(), chosen, right).changes != ()


def test_what_the_index_still_shows_as_unsent_is_not_sent_again(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(body: bytes) -> None:
        raise Temporary("SendMessage")

    with monkeypatch.context() as patch:
        patch.setattr(w.jobs, "send", lost)
        with pytest.raises(Temporary):
            dispatch(w, upload(w))
    w.table.index("tasks#standard#out", limit=1)
    w.table.index_held = True
    tick(w)
    task, _ = receive(w)
    report(w, Started(**said(task)))
    tick(w)
    assert w.jobs.depth().visible == 0


def test_a_task_whose_message_has_vanished_is_sent_again(w: MemoryWorld) -> None:
    dispatch(w, upload(w))
    _, message = receive(w)
    w.jobs.delete(message.handle)
    tick(w, limits.SILENCE_SECONDS - 1)
    assert w.jobs.depth().visible == 0
    tick(w)
    assert w.jobs.depth().visible == 1


def test_a_task_that_waits_behind_long_ones_is_not_sent_twice(w: MemoryWorld) -> None:
    for n in range(2):
        dispatch(w, upload(w, f"uploads/{n}.mp4", f"video{n}".encode()))
    task, message = receive(w)
    report(w, Started(**said(task)))
    w.jobs.extend(message.handle, 3600)
    tick(w, limits.SILENCE_SECONDS - 1)
    report(w, Progressed(**said(task), fraction=0.5))
    tick(w)
    assert (w.jobs.depth().visible, w.jobs.depth().in_flight) == (1, 1)


def test_a_users_own_task_that_dies_ends_its_job_since_nobody_can_send_it_again(
    w: MemoryWorld,
) -> None:
    message, _ = begun_by_hand(w)
    w.jobs.delete(message.handle)
    dead = completion.take(w.world, "mayfly-jobs-standard-dead", message)
    engine.run(w.world, dead)
    (outcome,) = outcomes(w)
    assert outcome.failure is not None and outcome.failure.code == "worker_lost"


def test_a_users_own_task_whose_end_was_never_heard_ends_after_six_silences(
    w: MemoryWorld,
) -> None:
    message, _ = begun_by_hand(w)
    w.jobs.delete(message.handle)
    for _ in range(limits.LOST_WORKERS_MAX - 1):
        tick(w, limits.SILENCE_SECONDS + 1)
    assert outcomes(w) == []
    tick(w, limits.SILENCE_SECONDS + 1)
    (outcome,) = outcomes(w)
    assert outcome.failure is not None and outcome.failure.code == "worker_lost"


def crashes(w: MemoryWorld) -> tuple[int, bool]:
    """How many were counted, and whether the brake is pulled."""
    row, _ = planning.read_pool(w.world, "standard")
    return row.crashes, row.broken_at is not None


def test_a_call_to_ecs_that_failed_after_its_intent_is_made_again(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    dispatch(w, upload(w))
    (name,) = w.services.wanted()
    w.services.keep(name, 1)
    task, message = receive(w)
    report(w, Started(**said(task)), encoded(w, task))
    w.jobs.delete(message.handle)

    def throttled(name: str, desired: int) -> None:
        raise Temporary("UpdateService: ThrottlingException")

    with monkeypatch.context() as patch:
        patch.setattr(w.services, "resize", throttled)
        with pytest.raises(Temporary):
            dispatch(w, upload(w, "uploads/next.mp4", b"next"))
    tick(w)
    assert [service.desired for service in w.services.tagged()] == [1]


def test_a_service_that_is_created_late_is_not_forgotten_before_it_is_seen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lags = memory_world()
    lags.services.branches = Branches(service_unseen_seconds=10)

    def throttled(wanted: object) -> None:
        raise Temporary("CreateService: ThrottlingException")

    with monkeypatch.context() as patch:
        patch.setattr(lags.services, "create", throttled)
        with pytest.raises(Temporary):
            dispatch(lags, upload(lags))
    tick(lags, limits.CREATE_GRACE_SECONDS + 1)
    tick(lags, 5)
    assert len(lags.services.wanted()) == 1


def test_one_crash_that_is_told_thrice_is_one_crash(w: MemoryWorld) -> None:
    dispatch(w, upload(w))
    for _ in range(limits.CRASHES_MAX):
        ecs_says(w, "w1", **CRASHED)
    assert crashes(w) == (1, False)


def test_workers_that_die_of_their_tasks_do_not_pull_the_brake(w: MemoryWorld) -> None:
    for n in range(limits.CRASHES_MAX):
        dispatch(w, upload(w, f"uploads/{n}.mp4", f"video{n}".encode()))
        task, _ = receive(w)
        report(w, Started(**{**said(task), "worker": f"w{n}"}))
    for n in range(limits.CRASHES_MAX):
        ecs_says(w, f"w{n}", **CRASHED)
    assert crashes(w) == (0, False) and outcomes(w) == []


def test_a_broken_pool_mends_although_a_job_came_while_its_services_went(w: MemoryWorld) -> None:
    dispatch(w, upload(w))
    (service,) = w.services.wanted()
    w.services.keep(service, 1)
    for n in range(limits.CRASHES_MAX):
        ecs_says(w, f"w{n}", **CRASHED)
    w.services.keep(service, 0)
    for body in (b"unlucky", b"unlucky too"):
        dispatch(w, upload(w, f"uploads/{body.decode()}.mp4", body))
    assert w.services.tagged() == []
    for _ in range(3):
        tick(w)
    assert [outcome.state for outcome in outcomes(w)] == ["failed"] * 3
    assert crashes(w) == (0, False)


def test_a_late_word_of_a_running_worker_does_not_bill_it_for_ever(w: MemoryWorld) -> None:
    ecs_says(w, "w1", **CRASHED)
    ecs_says(w, "w1", lastStatus="RUNNING")
    (billed,) = w.table.rows(f"service#{SERVICE}", "billed#")
    assert billed["stopped_at"] == billed["began_at"] + 300


def test_what_cannot_be_published_keeps_no_worker_alive(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its command came first in every run, and seeing to the pool last: it was never reached."""
    dispatch(w, upload(w))
    task, message = receive(w)

    def denied(bucket: str, source_key: str, key: str) -> None:
        raise ValueError("CopyObject was refused with AccessDenied")

    monkeypatch.setattr(w.store, "copy", denied)
    with pytest.raises(ValueError, match="AccessDenied"):
        report(w, Started(**said(task)), encoded(w, task))
    w.jobs.delete(message.handle)
    for _ in range(3):
        with pytest.raises(ValueError, match="AccessDenied"):
            tick(w)
    assert w.services.tagged() == []


def test_one_job_that_cannot_be_looked_at_does_not_stop_the_tick(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    dispatch(w, upload(w), upload(w, "uploads/other.mp4", b"other"))
    real = engine.apply

    def busy(world: World, event: Event, job_id: str, *args: Any, **kwargs: Any) -> Decision:
        if job_id == first:
            raise Temporary("too busy")
        return real(world, event, job_id, *args, **kwargs)

    first = receive(w)[0].job_id
    task, message = receive(w)
    report(w, Started(**said(task)))
    w.jobs.delete(message.handle)
    monkeypatch.setattr(engine, "apply", busy)
    tick(w, limits.SILENCE_SECONDS + 1)
    waiting = [wire.decode(Task, body).job_id for body in w.jobs.bodies()]
    assert len(waiting) == 2 and set(waiting) == {first, task.job_id}


def test_a_job_of_a_pool_that_the_stack_no_longer_has_ends_and_stops_nobody(
    w: MemoryWorld,
) -> None:
    ids: dict[str, Any] = {"job_id": "jx", "task_id": "encode", "token": "t", "attempt": "n"}
    report(w, Adopted(**ids, at=1.0, pool="large", recipe=RECIPE, source="b/x.mp4"))
    dispatch(w, upload(w))
    tick(w)
    (outcome,) = outcomes(w)
    assert outcome.failure is not None and outcome.failure.code == "pool_broken"
    assert "no pool large" in outcome.failure.sentence
    assert w.jobs.depth().visible == 1 and len(w.services.tagged()) == 1


def test_tasks_of_ended_jobs_leave_the_index_of_an_idle_pool(w: MemoryWorld) -> None:
    dispatch(w, upload(w))
    task, message = receive(w)
    w.jobs.delete(message.handle)
    cancel(w, task.job_id, crashing=True)
    tick(w)
    assert w.table.index("tasks#standard#out", limit=9) == []


def test_a_users_own_task_that_died_before_its_adoption_was_heard_has_one_outcome(
    w: MemoryWorld,
) -> None:
    message, ids = taken_by_hand(w)
    engine.run(w.world, completion.take(w.world, "mayfly-jobs-standard-dead", message))
    report(w, adopted(ids), Started(**ids))
    (outcome,) = outcomes(w)
    assert outcome.job_id == ids["job_id"]
    assert planning.read_pool(w.world, "standard")[0].open_jobs == 0
