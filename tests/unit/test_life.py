"""A job's whole life through the real use cases, with every port in memory."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from completion_handler import desk as completion
from mayfly.contract.report import (
    Adopted,
    Artifact,
    Encoded,
    Failed,
    Interrupted,
    Media,
    Progressed,
    Started,
)
from mayfly.core import limits
from mayfly.memory.world import MemoryWorld
from mayfly.perform import engine
from tests.unit.acting import KEY, dispatch, encoded, outcomes, receive, report, said, tick, upload
from tests.unit.given import RECIPE


def test_an_upload_becomes_a_deliverable_and_nothing_is_left_running(w: MemoryWorld) -> None:
    dispatch(w, upload(w))
    (name,) = w.services.wanted()
    assert w.services.wanted()[name].capacity_provider == "FARGATE_SPOT"
    task, message = receive(w)
    report(w, Started(**said(task)))
    report(w, Progressed(**said(task), fraction=0.5))
    report(w, encoded(w, task))
    w.jobs.delete(message.handle)
    (outcome,) = outcomes(w)
    assert outcome.state == "succeeded"
    (published,) = outcome.outputs
    assert published.key == f"outputs/my clip (1)+ü/mp4-720p/{task.job_id}/video.mp4"
    assert w.store.read("media", published.key) is not None
    assert w.store.read("media", "outputs/my clip (1)+ü/mp4-720p/latest.json") is not None
    tick(w)
    tick(w)
    assert [s.status for s in w.services.describe([name])] == ["INACTIVE"]
    assert w.jobs.depth().visible + w.jobs.depth().in_flight == 0


def test_five_deliveries_of_one_notification_are_one_job_and_one_message(w: MemoryWorld) -> None:
    note = upload(w)
    dispatch(w, *[note] * 5)
    dispatch(w, note)
    assert w.jobs.depth().visible == 1
    assert len(w.services.wanted()) == 1


def test_twenty_uploads_at_once_take_a_handful_of_calls_to_ecs(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []

    def counted(name: str, real: Callable[..., None]) -> Callable[..., None]:
        def call(*args: object) -> None:
            calls.append(name)
            real(*args)

        return call

    for name in ("create", "resize", "delete"):
        monkeypatch.setattr(w.services, name, counted(name, getattr(w.services, name)))
    notes = [upload(w, f"uploads/clip {n}.mp4", f"video{n}".encode()) for n in range(20)]
    dispatch(w, *notes[:10])
    dispatch(w, *notes[10:])
    assert w.jobs.depth().visible == limits.RELEASED_PER_WORKER * 3
    for _ in range(20):
        task, message = receive(w)
        report(w, Started(**said(task)))
        report(w, encoded(w, task))
        w.jobs.delete(message.handle)
    tick(w)
    tick(w)
    assert len({o.job_id for o in outcomes(w)}) == 20
    assert len(calls) <= 8, calls
    assert w.services.tagged() == []


def test_a_spot_interruption_returns_the_task_to_the_queue(w: MemoryWorld) -> None:
    dispatch(w, upload(w))
    task, message = receive(w)
    report(w, Started(**said(task)))
    report(w, Interrupted(**said(task), reason="spot_interruption"))
    w.jobs.delete(message.handle)
    again, _ = receive(w)
    assert (again.job_id, again.task_id) == (task.job_id, task.task_id)
    report(w, Started(**said(again, "n2")), encoded(w, again, "n2"))
    (outcome,) = outcomes(w)
    assert (outcome.state, outcome.interruptions, outcome.attempts) == ("succeeded", 1, 2)


def test_bad_input_ends_at_once_with_its_code_and_its_advice(w: MemoryWorld) -> None:
    dispatch(w, upload(w))
    task, _ = receive(w)
    report(w, Failed(**said(task), code="not_media", detail="it is text"))
    (outcome,) = outcomes(w)
    assert outcome.failure is not None and outcome.failure.code == "not_media"
    assert "it is text" in outcome.failure.sentence


def test_a_poison_task_is_tried_three_times_then_dead_lettered_and_the_job_ends(
    w: MemoryWorld,
) -> None:
    dispatch(w, upload(w))
    for n in range(3):
        task, message = receive(w)
        report(w, Started(**said(task, f"n{n}")))
        report(w, Failed(**said(task, f"n{n}"), code="encoder_failed"))
        w.jobs.extend(message.handle, 0)
    assert w.jobs.receive(wait_seconds=0) == []
    (dead,) = w.jobs_dead.receive(wait_seconds=0)
    engine.run(
        w.world,
        completion.take(w.world, "mayfly-jobs-standard-dead", dead),
    )
    (outcome,) = outcomes(w)
    assert outcome.failure is not None and outcome.failure.code == "encoder_failed"


def test_a_report_without_the_tasks_token_changes_nothing(w: MemoryWorld) -> None:
    dispatch(w, upload(w))
    task, _ = receive(w)
    before = w.table.snapshot()
    forged = {**said(task), "token": "guess"}
    report(w, Failed(**forged, code="not_media"))
    assert w.table.snapshot() == before and outcomes(w) == []


def test_a_worker_is_not_believed_outside_of_its_own_prefix(w: MemoryWorld) -> None:
    dispatch(w, upload(w))
    task, _ = receive(w)
    report(w, Started(**said(task)))
    honest = encoded(w, task)
    stolen = Artifact(
        file="video.mp4",
        key="outputs/somebody/else.mp4",
        size_bytes=1,
        sha256="",
        media=Media(container=""),
    )
    import msgspec

    report(w, msgspec.structs.replace(honest, outputs=(stolen,)))
    assert outcomes(w) == []


@pytest.mark.parametrize(
    ("body", "code", "sentence"),
    [
        ("not json", "request_refused", "not JSON"),
        (
            '{"source": "s3://media/uploads/x.mp4", "preset": "nope"}',
            "request_refused",
            "one of: archive-lossless, audio-m4a",
        ),
        ('{"source": "s3://other/uploads/x.mp4"}', "request_refused", "in the bucket media"),
        ('{"source": "s3://media/work/x"}', "request_refused", "under uploads/"),
        ('{"source": "s3://media/uploads/x.mp4"}', "source_missing", "not in the bucket"),
    ],
)
def test_a_refused_request_has_an_outcome_that_says_why(
    w: MemoryWorld, body: str, code: str, sentence: str
) -> None:
    dispatch(w, body, body)
    (outcome,) = outcomes(w)
    assert outcome.failure is not None
    assert outcome.failure.code == code and sentence in outcome.failure.sentence


def test_an_empty_upload_fails_without_any_machine(w: MemoryWorld) -> None:
    dispatch(w, upload(w, body=b""))
    (outcome,) = outcomes(w)
    assert outcome.failure is not None and outcome.failure.code == "source_empty"
    assert w.services.wanted() == {}


@pytest.mark.parametrize(
    "body",
    [
        '{"Service":"Amazon S3","Event":"s3:TestEvent","Bucket":"media"}',
        '{"Records":[]}',
        '{"Records":[{"eventSource":"aws:s3","eventName":"ObjectRemoved:Delete"}]}',
        '{"Records":[{"eventSource":"aws:s3","eventName":"ObjectCreated:Put","s3":{"bucket":{"name":"media"},"object":{"key":"uploads/folder/","size":0}}}]}',
    ],
)
def test_notifications_that_mean_nothing_do_nothing(w: MemoryWorld, body: str) -> None:
    dispatch(w, body)
    assert w.table.snapshot() == {} and outcomes(w) == []


def test_a_request_by_a_second_asker_joins_and_each_gets_the_outcome(w: MemoryWorld) -> None:
    dispatch(w, upload(w))
    request = {"source": f"s3://media/{KEY}", "preset": "mp4-720p", "request_id": "mine"}
    dispatch(w, json.dumps(request))
    assert w.jobs.depth().visible == 1
    task, _ = receive(w)
    report(w, Started(**said(task)), encoded(w, task))
    dispatch(w, json.dumps({**request, "request_id": "late"}))
    first, second = outcomes(w)
    assert first.event_id == second.event_id
    assert second.request_ids == ("late", "mine")


def test_an_adopted_task_opens_a_job_and_ends_in_an_outcome(w: MemoryWorld) -> None:
    ids: dict[str, Any] = {
        "job_id": "jx",
        "task_id": "encode",
        "token": "tx",
        "attempt": "n1",
        "at": 1.0,
    }
    adopted = Adopted(**ids, pool="standard", recipe=RECIPE, source="host/x.mp4", service="s")
    report(w, adopted, adopted, Started(**ids))
    theirs = Artifact(
        file="video.mp4", key="", size_bytes=1, sha256="0", media=Media(container="mov")
    )
    report(
        w,
        Encoded(**ids, outputs=(theirs,), source=Media(container="mov"), busy_seconds=1.0),
    )
    (outcome,) = outcomes(w)
    assert outcome.state == "succeeded"
    assert [output.key for output in outcome.outputs] == [""]
