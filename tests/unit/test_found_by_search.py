"""What the simulator found: the story of each violation, and the claim that holds since.

The seeds are those of the simulator as it was then; the tests need no simulator. What it found in
the worker stands in `tests/worker/test_loop.py` and `test_heartbeat.py`.
"""

import json
from collections.abc import Sequence

import pytest

from completion_handler import desk as completion
from mayfly.contract import wire
from mayfly.contract.report import Encoded, Media, Started
from mayfly.core import limits
from mayfly.core.changes import Change, Update
from mayfly.core.rows import pool_key
from mayfly.memory.world import MemoryWorld
from mayfly.perform import engine, planning
from mayfly.perform.ports import Conflict, Temporary
from tests.unit.acting import (
    adopted,
    begun_by_hand,
    dispatch,
    encoded,
    letter,
    outcomes,
    receive,
    report,
    said,
    taken_by_hand,
    tick,
    upload,
)


def _take_reports(w: MemoryWorld) -> None:
    for message in w.done.receive(wait_seconds=0, limit=10):
        try:
            engine.run(w.world, completion.take(w.world, "mayfly-done", message))
        except Temporary:
            continue
        w.done.delete(message.handle)


def test_a_report_outlives_the_invocation_that_died_with_the_one_before_it(w: MemoryWorld) -> None:
    """Seed 459. An invocation died with `adopted`, which hid it for half an hour. Meanwhile the
    worker's later reports, of a job that nobody knew, were refused five times in a hundred seconds
    and buried; the job was opened after all, heard nothing, and failed with worker_lost."""
    _, who = taken_by_hand(w)
    w.done.send(wire.encode(adopted(who)))
    (held,) = w.done.receive(wait_seconds=0)  # by an invocation that dies
    hidden = limits.COMPLETION_SECONDS_MAX * limits.HIDDEN_FACTOR
    w.done.extend(held.handle, hidden)
    w.done.send(wire.encode(Started(**who)))
    media = Media(container="mov")
    w.done.send(wire.encode(Encoded(**who, outputs=(), source=media, busy_seconds=1.0)))
    for _ in range(0, 2 * hidden, 10):
        w.clock.sleep(10)
        _take_reports(w)
    assert [outcome.state for outcome in outcomes(w)] == ["succeeded"]


def test_a_users_own_task_outlives_a_drought_of_spot_while_its_message_waits(
    w: MemoryWorld,
) -> None:
    """Seed 1037. Spot took the worker of a task that a user had brought and had no other for an
    hour. Its message waited on the queue; its job, which heard nothing, failed with worker_lost,
    and then a worker came and did the work for nobody."""
    message, who = begun_by_hand(w)
    w.jobs.extend(message.handle, 0)  # the worker vanished without a word
    for _ in range(60):
        tick(w)
    again = {**who, "attempt": "n2"}
    report(w, Started(**again))
    media = Media(container="mov")
    report(w, Encoded(**again, outputs=(), source=media, busy_seconds=1.0))
    assert [outcome.state for outcome in outcomes(w)] == ["succeeded"]


def test_a_users_own_task_waits_for_its_last_word_longer_than_a_dead_invocation_hides_it(
    w: MemoryWorld,
) -> None:
    """Seed 5144. A user's own task was done and its message deleted; the invocation that had its
    last word died, which hid it for half an hour. Its message was seen to be gone before that, and
    its job was told as lost."""
    message, who = begun_by_hand(w)
    w.jobs.delete(message.handle)
    hidden_seconds = sum(limits.RETRY_PAUSES_SECONDS)
    for _ in range(hidden_seconds // limits.TICK_SECONDS):
        tick(w)
    media = Media(container="mov")
    report(w, Encoded(**who, outputs=(), source=media, busy_seconds=1.0))
    assert [outcome.state for outcome in outcomes(w)] == ["succeeded"]


def test_a_worker_whose_end_met_another_transaction_is_told_of_again(w: MemoryWorld) -> None:
    """Seed 5018. A row that is written whatever was there can still meet another transaction; the
    task event raised what nobody expects, and came again half an hour later at best."""
    detail = {
        "taskArn": "arn:aws:ecs:r:0:task/mayfly/w1",
        "group": "service:mayfly-standard-s1",
        "lastStatus": "STOPPED",
        "createdAt": 1.0,
        "stoppedAt": 90.0,
    }
    event = {"detail-type": "ECS Task State Change", "detail": detail}

    def refused(changes: object) -> None:
        raise Conflict("TransactionConflict")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(w.table, "commit", refused)
        with pytest.raises(Temporary):
            completion.take(w.world, "mayfly-events", letter(json.dumps(event)))


def test_reports_that_died_with_their_invocations_cost_no_job(w: MemoryWorld) -> None:
    """Seed 30055. Every worker was well, but invocation after invocation died with what they had
    said of one chunk, which hid it for half an hour each time. The second silence was taken for the
    second of two dead letters, six lost workers in all, and ended the job with worker_lost."""
    dispatch(w, upload(w))
    task, message = receive(w)
    for number in range(3):
        report(w, Started(**said(task, f"n{number}")))
        w.jobs.delete(message.handle)  # it is done, and its report is with a dead invocation
        tick(w, limits.SILENCE_SECONDS + 1)
        task, message = receive(w)
    report(w, encoded(w, task, "n0"))
    assert [outcome.state for outcome in outcomes(w)] == ["succeeded"]


def test_a_pool_that_mends_hatches_nobody_for_what_an_ended_job_left(w: MemoryWorld) -> None:
    """Seed 323. A user's own task was seen on the queue, and the brake was pulled. Workers that
    were still there did that task; one of them died with another, whose job the brake had ended.
    The pool mended, still believed that there was a task of a user's, and hatched a worker for
    what nobody wants."""
    dispatch(w, upload(w))
    (service,) = w.services.wanted()
    receive(w)  # by a worker that dies
    broken = {"broken_at": w.clock.now(), "foreign": True, "crashes": limits.CRASHES_MAX}
    w.table.commit([Update(key=pool_key("standard"), set=broken)])
    for _ in range(4):
        tick(w, after=limits.VISIBILITY_SECONDS)
    assert [outcome.state for outcome in outcomes(w)] == ["failed"]
    assert list(w.services.wanted()) == [service]
    assert w.jobs.bodies() == []


def test_a_mark_that_could_not_be_taken_off_hatches_nobody(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seed 110334. A user's own task was done and its pool closed; the tick that found the queue
    empty met another transaction with its mark, and planned for the task all the same."""
    w.table.commit([Update(key=pool_key("standard"), set={"foreign": True}, upsert=True)])
    commit = w.table.commit
    met: list[Sequence[Change]] = []

    def meeting(changes: Sequence[Change]) -> None:
        if any(change.key == pool_key("standard") for change in changes) and not met:
            met.append(changes)
            raise Conflict("TransactionConflict")
        commit(changes)

    monkeypatch.setattr(w.table, "commit", meeting)
    with pytest.raises(Temporary):
        tick(w)
    assert met and not w.services.wanted()
    tick(w)
    assert planning.read_pool(w.world, "standard")[0].foreign is False
