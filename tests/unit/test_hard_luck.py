"""What random lives found: each way in which work was lost, doubled, stuck or billed for ever."""

import contextlib
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from completion_handler import desk as completion
from mayfly.contract.report import Started
from mayfly.memory.world import MemoryWorld
from mayfly.perform import engine
from tests.unit.acting import (
    KEY,
    dispatch,
    encoded,
    letter,
    outcomes,
    receive,
    report,
    said,
    upload,
)

SERVICE = "mayfly-standard-s1"


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


def the_ecs(w: MemoryWorld, worker: str, **fields: Any) -> None:
    """ECS tells of a worker, as AWS words it."""
    detail = {
        "taskArn": f"arn:aws:ecs:r:0:task/mayfly/{worker}",
        "group": f"service:{SERVICE}",
        "createdAt": "2026-11-21T09:00:00Z",
        "cpu": "2048",
        "memory": "4096",
    }
    body = letter(json.dumps({"detail": detail | fields}))
    engine.run(w.world, completion.take(w.world, "mayfly-events", body))


CRASHED: dict[str, Any] = {
    "lastStatus": "STOPPED",
    "stopCode": "EssentialContainerExited",
    "stoppedAt": "2026-11-21T09:05:00Z",
    "containers": [{"name": "worker", "exitCode": 1}],
}


def test_a_late_word_of_a_running_worker_does_not_bill_it_for_ever(w: MemoryWorld) -> None:
    the_ecs(w, "w1", **CRASHED)
    the_ecs(w, "w1", lastStatus="RUNNING")
    (billed,) = w.table.rows(f"service#{SERVICE}", "billed#")
    assert billed["stopped_at"] == billed["began_at"] + 300
