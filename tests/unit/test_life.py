"""A job's whole life through the real use cases, with every port in memory."""

import json
from typing import Any

import pytest

from completion_handler import desk as completion
from dispatcher import desk as dispatcher
from mayfly.contract import wire
from mayfly.contract.outcome import Outcome
from mayfly.contract.report import (
    Adopted,
    Artifact,
    Encoded,
    Failed,
    Interrupted,
    Media,
    Progressed,
    RenewalWanted,
    Report,
    Started,
)
from mayfly.contract.task import Control, Fetch, PutUrls, Source, Task
from mayfly.core import commands, events, limits
from mayfly.memory.world import MemoryWorld, memory_world
from mayfly.perform import announcing, engine, planning, ticking
from mayfly.perform.ports import Message, Temporary
from tests.unit.given import RECIPE

KEY = "uploads/mp4-720p/my clip (1)+ü.mp4"


@pytest.fixture
def w() -> MemoryWorld:
    return memory_world()


def upload(w: MemoryWorld, key: str = KEY, body: bytes = b"video", sequencer: str = "0A") -> str:
    """Stores an object and answers with S3's notification of it, as S3 words it."""
    from urllib.parse import quote_plus

    w.store.write("media", key, body, content_type="video/mp4")
    seen = w.store.head("media", key)
    assert seen is not None
    record = {
        "eventSource": "aws:s3",
        "eventName": "ObjectCreated:Put",
        "s3": {
            "bucket": {"name": "media"},
            "object": {
                "key": quote_plus(key, safe="/"),
                "size": len(body),
                "eTag": seen.etag,
                "sequencer": sequencer,
            },
        },
    }
    return json.dumps({"Records": [record]})


def dispatch(w: MemoryWorld, *bodies: str) -> None:
    todo = [command for body in bodies for command in dispatcher.take(w.world, body)]
    engine.run(w.world, todo)


def report(w: MemoryWorld, *reports: Report) -> None:
    todo: list[commands.Command] = []
    for said in reports:
        todo += completion.take(w.world, "mayfly-done", letter(wire.encode(said).decode()))
    engine.run(w.world, todo)


def letter(body: str, message_id: str = "m1") -> Message:
    return Message(body=body, handle="h", message_id=message_id, receives=1)


def tick(w: MemoryWorld, after: float = 60) -> None:
    w.clock.sleep(after)
    engine.run(w.world, ticking.tick(w.world))


def receive(w: MemoryWorld) -> tuple[Task, Message]:
    (message,) = w.jobs.receive(wait_seconds=0)
    return wire.decode(Task, message.body), message


def said(task: Task, attempt: str = "n1") -> dict[str, Any]:
    return {
        "job_id": task.job_id,
        "task_id": task.task_id,
        "token": task.token,
        "attempt": attempt,
        "at": 1.0,
        "worker": "w1",
        "service": "mayfly-standard-s1",
    }


def encoded(w: MemoryWorld, task: Task, attempt: str = "n1") -> Encoded:
    key = f"work/{task.job_id}/{task.task_id}/{attempt}/video.mp4"
    w.store.write("media", key, b"encoded", content_type="video/mp4")
    artifact = Artifact(
        file="video.mp4", key=key, size_bytes=7, sha256="0" * 64, media=Media(container="mov")
    )
    return Encoded(
        **said(task, attempt),
        outputs=(artifact,),
        source=Media(container="mov"),
        busy_seconds=9.0,
    )


def outcomes(w: MemoryWorld) -> list[Outcome]:
    return [wire.decode(Outcome, detail) for _, detail in w.bus.published]


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


def test_twenty_uploads_at_once_take_a_handful_of_calls_to_ecs() -> None:
    w = memory_world()
    calls: list[str] = []
    for name in ("create", "resize", "delete"):
        real = getattr(w.services, name)

        def counted(*args: object, _name: str = name, _real: object = real) -> object:
            calls.append(_name)
            return _real(*args)  # type: ignore[operator]

        object.__setattr__(w.services, name, counted)
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
            "one of: audio-m4a",
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


def a_users_own_task() -> bytes:
    source = Source(fetch=Fetch(url="https://b.s3.amazonaws.com/x.mp4?X-Amz-Signature=0"))
    return wire.encode(Task(source=source, recipe=RECIPE, upload=PutUrls(urls={})))


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
    ended = engine.apply(w.world, events.CancelRequested(at=w.clock.now()), task.job_id or "")
    engine.run(w.world, ended.commands)
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
    w.clock.sleep(limits.RETRY_SECONDS + 1)
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
        detail = {
            "taskArn": f"arn:aws:ecs:r:0:task/mayfly/{n}",
            "group": f"service:{name}",
            "lastStatus": "STOPPED",
            "stopCode": "EssentialContainerExited",
            "createdAt": "2026-11-21T09:00:00Z",
            "stoppedAt": "2026-11-21T09:00:05Z",
            "containers": [{"name": "worker", "exitCode": 1}],
            "cpu": "2048",
            "memory": "4096",
        }
        body = json.dumps({"detail": detail})
        engine.run(w.world, completion.take(w.world, "mayfly-events", letter(body, f"m{n}")))
    (outcome,) = outcomes(w)
    assert outcome.failure is not None and outcome.failure.code == "pool_broken"
    tick(w)
    tick(w)
    tick(w)
    assert w.services.tagged() == []


def test_a_crash_between_choosing_and_sending_is_healed_by_the_tick(w: MemoryWorld) -> None:
    class Lost(Exception):
        pass

    def lost(body: bytes) -> None:
        raise Lost

    real = w.jobs.send
    w.jobs.send = lost  # type: ignore[method-assign]
    with pytest.raises(Lost):
        dispatch(w, upload(w))
    w.jobs.send = real  # type: ignore[method-assign]
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
        ended = engine.apply(w.world, events.CancelRequested(at=w.clock.now()), job_id)
        engine.run(w.world, ended.commands)
    dispatch(w, upload(w, "uploads/next.mp4", b"next"))
    tick(w)
    row, _ = planning.read_pool(w.world, "standard")
    assert row.open_jobs == 1
    assert len(w.table.index("tasks#standard#out", limit=99)) == 1
    assert w.table.index("tasks#standard#open", limit=99) == []


def test_a_cancelled_attempt_is_paid_by_its_own_job(w: MemoryWorld) -> None:
    dispatch(w, upload(w))
    task, _ = receive(w)
    report(w, Started(**said(task)))
    ended = engine.apply(w.world, events.CancelRequested(at=w.clock.now()), task.job_id or "")
    engine.run(w.world, ended.commands)
    report(w, Interrupted(**said(task), reason="ordered", busy_seconds=7.0))
    (busy,) = w.table.rows("service#mayfly-standard-s1", "busy#")
    assert (busy["job_id"], busy["seconds"]) == (task.job_id, 7.0)
    assert outcomes(w)[-1].state == "cancelled"


def test_an_outcome_that_could_not_be_sent_is_sent_by_the_tick(w: MemoryWorld) -> None:
    dispatch(w, upload(w))
    task, _ = receive(w)
    real = w.bus.publish

    def lost(detail_type: str, detail: bytes) -> None:
        raise Temporary("EventBridge is away")

    w.bus.publish = lost  # type: ignore[method-assign]
    with pytest.raises(Temporary):
        report(w, Started(**said(task)), encoded(w, task))
    w.bus.publish = real  # type: ignore[method-assign]
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
