"""What a dead letter is: the end of a task's message, of a request, or of garbage."""

import json
from typing import Any

import pytest

from mayfly.contract import wire
from mayfly.contract.failure import failure
from mayfly.contract.task import Fetch, PutUrls, Source, Task
from mayfly.core import events as e
from mayfly.core import limits
from mayfly.core.commands import SeeToPool
from mayfly.core.decision import Decision
from mayfly.core.identity import SourceObject, adopted_job_id, adopted_token, digest
from mayfly.memory.world import MemoryWorld
from mayfly.perform import engine, letters, mail
from tests.unit.given import RECIPE

Applied = tuple[Any, ...]


@pytest.fixture
def applied(w: MemoryWorld, monkeypatch: pytest.MonkeyPatch) -> list[Applied]:
    """What is asked of the engine; nothing is known to it but its own refusals."""
    asked: list[Applied] = []

    def apply(world: Any, event: Any, *ids: Any, token: str | None = None) -> Decision:
        asked.append((event, *ids, token))
        if isinstance(event, e.TaskDeadLettered) and event.letter == "unknown":
            raise engine.UnknownJob
        if isinstance(event, e.TaskDeadLettered) and event.letter == "wrong":
            raise engine.WrongToken
        return Decision(commands=(THEN,))

    monkeypatch.setattr(engine, "apply", apply)
    return asked


THEN = SeeToPool(pool="p")


def a_task(**ids: Any) -> str:
    source = Source(fetch=Fetch(url="https://b.s3.amazonaws.com/x.mp4"))
    task = Task(source=source, recipe=RECIPE, upload=PutUrls(urls={}), **ids)
    return wire.encode(task).decode()


OURS = {"job_id": "job1", "task_id": "chunk-00001", "token": "t"}


def refusal(w: MemoryWorld, ident: str, code: str, detail: str) -> Applied:
    refused = e.RequestRefused(
        at=w.clock.now(),
        job_id=ident,
        tenant="default",
        preset="",
        source="",
        failure=failure(code, detail),
    )
    return refused, ident, None


def test_a_task_of_ours_that_died_is_told_to_its_job(
    w: MemoryWorld, applied: list[Applied]
) -> None:
    letter = e.TaskDeadLettered(at=w.clock.now(), letter="m1")
    assert letters.take_dead_task(w.world, a_task(**OURS), "m1") == (THEN,)
    assert applied == [(letter, "job1", "chunk-00001", "t")]


def test_a_users_own_task_is_told_to_the_job_that_it_would_have(
    w: MemoryWorld, applied: list[Applied]
) -> None:
    body = a_task()
    letters.take_dead_task(w.world, body, "m1")
    job, token = adopted_job_id(body.encode(), "m1"), adopted_token(body.encode())
    letter = e.TaskDeadLettered(at=w.clock.now(), letter="m1")
    assert applied == [(letter, job, "encode", token)]


@pytest.mark.parametrize("letter", ["unknown", "wrong"])
def test_a_task_that_nobody_knows_ends_in_an_outcome_of_its_own(
    w: MemoryWorld, applied: list[Applied], letter: str
) -> None:
    body, own = a_task(**OURS), a_task()
    assert letters.take_dead_task(w.world, body, letter) == (THEN,)
    assert letters.take_dead_task(w.world, own, letter) == (THEN,)
    lost = ("worker_lost", "no worker ever began it")
    assert applied[1::2] == [
        refusal(w, digest(body.encode()), *lost),
        refusal(w, adopted_job_id(own.encode(), letter), *lost),
    ]


def test_garbage_is_refused_with_what_is_wrong_with_it(
    w: MemoryWorld, applied: list[Applied]
) -> None:
    assert letters.take_dead_task(w.world, "garbage", "m1") == (THEN,)
    ((event, ident, _),) = applied
    assert ident == event.job_id == digest(b"garbage")
    assert event.failure.code == "task_unreadable"
    assert "the message: got 7 bytes that are not JSON" in event.failure.sentence


REQUEST = {"source": "s3://media/uploads/x.mp4", "preset": "poster", "tenant": "acme"}


def dead(w: MemoryWorld, ident: str, **fields: Any) -> Applied:
    given: dict[str, Any] = {"tenant": "default", "preset": "", "source": ""}
    refused = e.RequestRefused(
        at=w.clock.now(),
        job_id=ident,
        failure=failure("request_unprocessable"),
        **(given | fields),
    )
    return refused, ident, None


def test_a_dead_request_is_remembered_in_the_words_of_its_asker(
    w: MemoryWorld, applied: list[Applied]
) -> None:
    body = json.dumps(REQUEST | {"request_id": "mine"})
    assert letters.take_dead_request(w.world, body) == (THEN,)
    kept = mail.kept(body)
    ident = digest(b"dead\n" + kept.encode())
    asked = {"tenant": "acme", "preset": "poster", "source": REQUEST["source"]}
    assert kept and applied == [dead(w, ident, **asked, request_id="mine", request=kept)]


def test_a_dead_request_without_a_preset_has_none(w: MemoryWorld, applied: list[Applied]) -> None:
    letters.take_dead_request(w.world, json.dumps({"source": REQUEST["source"]}))
    ((event, *_),) = applied
    assert (event.preset, event.request_id) == ("", None)


def test_what_died_and_is_no_request_is_nobodys(w: MemoryWorld, applied: list[Applied]) -> None:
    letters.take_dead_request(w.world, "garbage")
    notice = mail.written((SOURCE,))
    letters.take_dead_request(w.world, notice)
    assert applied == [
        dead(w, digest(b"dead\ngarbage")),
        dead(w, digest(b"dead\n" + notice.encode()), request=notice),
    ]


SOURCE = SourceObject(
    bucket="media",
    key="uploads/a+b ü.mp4",
    etag="Xe1",
    size_bytes=9,
    version_id="v1",
    sequencer="0A",
)


def notification(**fields: Any) -> dict[str, Any]:
    thing = {"key": "uploads/a%2Bb+%C3%BC.mp4", "size": 9, "eTag": '"Xe1"', "sequencer": "0A"}
    thing |= {"versionId": "v1"}
    record = {
        "eventSource": "aws:s3",
        "eventName": "ObjectCreated:CompleteMultipartUpload",
        "s3": {"bucket": {"name": "media"}, "object": thing},
    }
    return {"Records": [record | fields]}


def read(raw: object) -> object:
    return mail.read(json.dumps(raw))


def test_a_notification_is_the_uploads_that_it_tells_of() -> None:
    assert read(notification()) == (SOURCE,)
    assert read({"Event": "s3:TestEvent"}) == ()
    assert read({"Records": []}) == ()
    two = notification()["Records"] * 2
    assert read({"Records": two}) == (SOURCE, SOURCE)


@pytest.mark.parametrize(
    "other",
    [
        notification(eventSource="aws:sqs"),
        notification(eventName="ObjectRemoved:Delete"),
        notification(eventName=None),
        {"Records": ["text"]},
        {"Records": [{}]},
        {"Records": [{"eventSource": "aws:s3"}]},
        notification(s3={"bucket": {"name": "media"}, "object": {"key": "uploads/a/"}}),
        notification(s3={"bucket": {"name": "media"}, "object": {"key": "work/a"}}),
    ],
)
def test_what_is_no_new_upload_means_nothing(other: object) -> None:
    assert read(other) == ()


def test_what_s3_does_not_say_is_empty() -> None:
    bare = notification(s3={"bucket": {"name": "media"}, "object": {"key": "uploads/x"}})
    assert read(bare) == (SourceObject(bucket="media", key="uploads/x", etag="", size_bytes=0),)
    null = {"key": "uploads/x", "versionId": None}
    assert read(notification(s3={"bucket": {"name": "media"}, "object": null})) == read(bare)


@pytest.mark.parametrize(
    "s3",
    [
        {},
        {"bucket": {}, "object": {"key": "uploads/x"}},
        {"bucket": {"name": "b"}, "object": {}},
        {"bucket": {"name": "b"}, "object": {"key": 5}},
        {"bucket": {"name": "b"}, "object": {"key": "uploads/x", "size": "many"}},
        "text",
    ],
)
def test_a_record_that_s3_would_not_write_is_refused(s3: object) -> None:
    with pytest.raises(wire.Refusal) as raised:
        read(notification(s3=s3))
    refusal = raised.value
    assert (refusal.field, refusal.got) == ("Records", "no object of S3")
    assert refusal.may_be == "records as S3 writes them"


def test_uploads_are_written_as_s3_would_and_read_again() -> None:
    raw = json.loads(mail.written((SOURCE,)))
    thing = {"key": "uploads/a%2Bb+%C3%BC.mp4", "size": 9, "eTag": "Xe1"}
    thing |= {"versionId": "v1", "sequencer": "0A"}
    record: dict[str, object] = {"eventSource": "aws:s3", "eventName": "ObjectCreated:Put"}
    record |= {"s3": {"bucket": {"name": "media"}, "object": thing}}
    assert raw == {"Records": [record]}
    assert read(raw) == (SOURCE,)


def test_mail_is_kept_in_its_shortest_form_if_it_is_mail_short_and_holds_no_secret() -> None:
    assert json.loads(mail.kept(json.dumps(REQUEST)))["tenant"] == "acme"
    assert mail.kept(json.dumps(notification())) == mail.written((SOURCE,))
    assert mail.kept("garbage") == mail.kept('{"Event": "s3:TestEvent"}') == ""
    for secret in ("X-Amz-Date=1", "Signature=1"):
        assert mail.kept(json.dumps(REQUEST | {"request_id": secret})) == ""


def test_mail_is_short_up_to_its_last_byte() -> None:
    def sources(size: int) -> tuple[SourceObject, ...]:
        empty = SourceObject(bucket="b", key="uploads/x", etag="", size_bytes=0)
        rest = size - len(mail.written((empty,)).encode())
        return (SourceObject(bucket="b", key="uploads/x" + "y" * rest, etag="", size_bytes=0),)

    most = mail.written(sources(limits.KEPT_BYTES_MAX))
    assert len(most) == limits.KEPT_BYTES_MAX and mail.kept(most) == most
    assert mail.kept(mail.written(sources(limits.KEPT_BYTES_MAX + 1))) == ""
