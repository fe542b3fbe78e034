"""Which chunks lag, and for how many of them a second worker is asked."""

import math
from typing import Any

import msgspec
import pytest

from mayfly.core import limits, straggler
from mayfly.core.rows import JobHead, PoolRow, ServiceRow, TaskRow, TaskState
from tests.unit.given import AT, PLAN, a_job, a_task

MEAN = 60.0
#: One whose job's other chunks took a minute, at half of it after two.
NOW = AT + 120.0


def a_planned_job(**fields: Any) -> JobHead:
    return a_job(**({"parts": 4, "opened": 4, "chunks": 3, "took_ms": 180_000} | fields))


def slow(**fields: Any) -> TaskRow:
    at_work: dict[str, Any] = {
        "kind": "chunk",
        "scope": PLAN.scope(0),
        "fraction": 0.5,
        "reported_at": NOW,
    }
    return a_task(**(at_work | fields))


def lags(task: TaskRow, now: float = NOW, start_seconds: float = 5.0, **job: Any) -> bool:
    return straggler.lags(a_planned_job(**job), task, now, start_seconds)


def test_a_chunk_lags_that_took_longer_than_others_and_needs_longer_than_a_fresh_attempt() -> None:
    assert lags(slow(fraction=0.4))  # three minutes left, and a fresh one takes one
    assert lags(slow(fraction=0.64))
    assert not lags(slow(fraction=0.66))  # 62 s left: a fresh one takes 65


def test_another_worker_that_has_to_start_first_must_gain_that_too() -> None:
    half = slow()  # two minutes left
    assert lags(half, start_seconds=59.0)
    assert not lags(half, start_seconds=60.0)


def test_nobody_lags_who_has_not_taken_half_as_long_again_as_the_others() -> None:
    stuck = slow(fraction=0.0, reported_at=AT + 90.0)
    assert lags(stuck, AT + 90.0)
    assert not lags(stuck, AT + 89.0)
    assert not lags(stuck, AT + 90.0, took_ms=181_000)


def test_nobody_lags_of_whom_two_heartbeats_could_not_tell() -> None:
    at = AT + limits.LAG_SECONDS_MIN
    stuck = slow(fraction=0.0, reported_at=at)
    assert lags(stuck, at, took_ms=3_000)
    assert not lags(stuck, at - 1, took_ms=3_000)
    assert lags(stuck, at, took_ms=-(10**12))  # whatever a stolen worker said


@pytest.mark.parametrize(
    "fields",
    [
        {"state": TaskState.RELEASED},
        {"state": TaskState.OPEN},
        {"kind": "audio"},
        {"kind": "encode"},
        {"kind": "finish"},
        {"lagging": "nonce1"},
        {"backups": limits.BACKUPS_MAX},
        {"failures": 1},
        {"lost": 1},
        {"failures": 1, "lost": 1},
        {"began_at": 0.0},
    ],
    ids=str,
)
def test_only_a_chunk_at_work_that_never_failed_nor_lost_a_worker_can_lag(
    fields: dict[str, Any],
) -> None:
    task = slow(fraction=0.0)
    assert lags(task)
    assert not lags(msgspec.structs.replace(task, **fields))


def test_chunks_that_took_no_time_are_no_measure_but_the_start_of_a_worker() -> None:
    """As on a laptop with a clip of seconds."""
    nearly = slow(fraction=0.956)  # 5.5 s left
    assert lags(nearly, start_seconds=5.0, chunks=1, took_ms=0)
    assert not lags(nearly, start_seconds=6.0, chunks=1, took_ms=0)


def test_nobody_lags_while_no_other_chunk_is_done_or_some_have_no_row() -> None:
    assert not lags(slow(fraction=0.0), chunks=0, took_ms=0)
    assert not lags(slow(fraction=0.0), opened=3)


def test_what_is_left_goes_on_as_it_went_while_its_worker_is_heard() -> None:
    heard = slow(fraction=0.25, reported_at=AT + 100.0)
    assert straggler.left_seconds(heard, AT + 100.0) == 300.0
    assert straggler.left_seconds(heard, AT + 140.0) == 260.0
    assert straggler.left_seconds(slow(fraction=1.0), NOW) == 0.0
    assert straggler.left_seconds(slow(fraction=0.0), NOW) == math.inf
    unsaid = slow(fraction=0.0, reported_at=None)
    assert straggler.left_seconds(unsaid, AT + 40.0) == math.inf


def test_a_worker_that_is_not_heard_is_left_to_the_queue_until_that_should_have_helped() -> None:
    silent = slow(fraction=0.25, reported_at=AT)
    helped = AT + limits.VISIBILITY_SECONDS + limits.HEARTBEAT_SECONDS
    assert straggler.left_seconds(silent, AT + 2 * limits.HEARTBEAT_SECONDS + 1) == 0.0
    assert straggler.left_seconds(silent, helped) == 0.0
    assert straggler.left_seconds(silent, helped + 1) == math.inf


def test_a_second_worker_is_asked_for_only_when_nothing_waits_and_one_more_may_be() -> None:
    out = [slow(), slow()]
    assert straggler.free(out, 3) == 1
    assert straggler.free(out, 2) == 0
    assert straggler.free(out, 1) == 0
    assert straggler.free([slow(lagging="nonce1"), slow()], 3) == 0
    assert straggler.free([slow(), a_task(TaskState.RELEASED)], 9) == 0
    assert straggler.free(out, 99) == limits.BACKUPS_PER_LOOK


def test_a_worker_that_idles_begins_at_once() -> None:
    service = ServiceRow(
        name="s", asked=2, created_at=AT, capacity_provider="FARGATE_SPOT", task_definition="d"
    )
    pool = PoolRow(pool="standard", services={"s": service})
    assert straggler.start_seconds(pool, [slow()]) == limits.POLL_SECONDS
    assert straggler.start_seconds(pool, [slow(), slow()]) == limits.START_SECONDS
    assert straggler.start_seconds(pool, [slow(lagging="nonce1")]) == limits.START_SECONDS


def test_the_longest_to_the_end_goes_first() -> None:
    head = a_planned_job()
    last, first, well = slow(fraction=0.4), slow(fraction=0.1), slow(fraction=0.9)
    looked_at = [(head, last), (head, first), (head, well)]
    assert straggler.worst(looked_at, 1, NOW, 5.0) == (first,)
    assert straggler.worst(looked_at, 9, NOW, 5.0) == (first, last)
