"""What comes through the doors is one event, to the letter: an upload, a request, a refusal."""

import dataclasses
from typing import Any

import msgspec
import pytest

from mayfly.contract.failure import Failure, failure
from mayfly.contract.request import Request
from mayfly.core import events as e
from mayfly.core import limits
from mayfly.core.commands import Command, SeeToPool
from mayfly.core.decision import Decision
from mayfly.core.identity import SourceObject, digest, job_id, upload_id
from mayfly.memory.world import MemoryWorld
from mayfly.perform import engine, intake
from tests.unit.given import RECIPE

THEN: tuple[Command, ...] = (SeeToPool(pool="p"),)
UPLOAD = SourceObject(
    bucket="media", key="uploads/mp4-720p/x.mp4", etag="e1", size_bytes=9, sequencer="0A"
)
ADDRESS = "s3://media/uploads/x.mp4"


class Applied:
    """The engine; it answers each event with the next of these decisions."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.asked: list[tuple[Any, str, Any]] = []
        self.answers: list[Decision] = []
        patch.setattr(engine, "apply", self.apply)

    def apply(self, world: Any, event: Any, ident: str, *, known: Any = "") -> Decision:
        self.asked.append((event, ident, known))
        return self.answers.pop(0) if self.answers else Decision(commands=THEN)


@pytest.fixture
def applied(w: MemoryWorld, monkeypatch: pytest.MonkeyPatch) -> Applied:
    monkeypatch.setattr(w.world.dice, "token", lambda: "t")
    return Applied(monkeypatch)


def accepted(w: MemoryWorld, source: SourceObject, **fields: Any) -> e.RequestAccepted:
    given: dict[str, Any] = {
        "at": w.clock.now(),
        "job_id": job_id(fields.get("tenant", "default"), source, RECIPE, 1),
        "tenant": "default",
        "pool": "standard",
        "preset": "mp4-720p",
        "recipe": RECIPE,
        "source": source,
        "run": 1,
        "priority": 0,
        "token": "t",
    }
    return e.RequestAccepted(**(given | fields))


@pytest.mark.parametrize("standing", [True, False])
def test_an_upload_asks_for_the_job_of_its_folder_and_is_remembered(
    w: MemoryWorld, applied: Applied, standing: bool
) -> None:
    event = accepted(w, UPLOAD, upload=upload_id(UPLOAD), standing=standing)
    assert intake.take_upload(w.world, UPLOAD, standing=standing) == THEN
    assert applied.asked == [(event, event.job_id, (None, None))]


def test_an_upload_is_not_known_to_stand_unless_somebody_says_so(
    w: MemoryWorld, applied: Applied
) -> None:
    intake.take_upload(w.world, UPLOAD)
    assert applied.asked[0][0].standing is False


def stored(w: MemoryWorld, body: bytes = b"video") -> SourceObject:
    w.store.write("media", "uploads/x.mp4", body, content_type="video/mp4")
    seen = w.store.head("media", "uploads/x.mp4")
    assert seen is not None
    return SourceObject(
        bucket="media",
        key="uploads/x.mp4",
        etag=seen.etag,
        size_bytes=seen.size_bytes,
        version_id=seen.version_id,
    )


def test_a_request_asks_in_the_words_of_its_asker_for_what_stands_in_the_bucket(
    w: MemoryWorld, applied: Applied, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = stored(w)
    seen = w.store.head("media", "uploads/x.mp4")
    assert seen is not None
    versioned = dataclasses.replace(seen, version_id="v7")
    monkeypatch.setattr(w.store, "head", lambda bucket, key: versioned)
    source = msgspec.structs.replace(source, version_id="v7")
    wishes: dict[str, Any] = {"tenant": "acme", "priority": 3, "deadline_seconds": 90}
    request = Request(source=ADDRESS, preset="mp4-720p", request_id="mine", **wishes)
    event = accepted(w, source, **wishes, request_id="mine", standing=True)
    assert intake.take_request(w.world, request, b"{}") == (event.job_id, THEN)
    assert applied.asked == [(event, event.job_id, (None, None))]


def refused(w: MemoryWorld, why: Failure, **fields: Any) -> e.RequestRefused:
    given = {"tenant": "default", "preset": "", "source": ""}
    return e.RequestRefused(
        at=w.clock.now(), job_id=digest(b"body"), failure=why, **(given | fields)
    )


def test_a_message_that_is_no_request_is_refused_for_nobody_in_particular(
    w: MemoryWorld, applied: Applied
) -> None:
    event = refused(w, failure("request_refused", "it is odd"))
    assert intake.take_refusal(w.world, "it is odd", b"body") == (event.job_id, THEN)
    assert applied.asked == [(event, event.job_id, "")]


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        (
            {"source": "s3://other/uploads/x.mp4"},
            "source: got the bucket other, but it must be in the bucket media.",
        ),
        (
            {"source": "s3://media/work/x.mp4"},
            "source: got the key work/x.mp4, but it must be a key under uploads/.",
        ),
        (
            {"source": ADDRESS, "pool": "large"},
            'pool: got "large", but it must be one of: standard.',
        ),
    ],
)
def test_a_request_that_cannot_be_taken_is_refused_with_what_it_may_be(
    w: MemoryWorld, applied: Applied, fields: dict[str, Any], why: str
) -> None:
    request = Request(**fields, preset="mp4-720p", tenant="acme", request_id="mine")
    asked = {"tenant": "acme", "preset": "mp4-720p", "source": fields["source"]}
    event = refused(w, failure("request_refused", why), **asked, request_id="mine")
    assert intake.take_request(w.world, request, b"body") == (event.job_id, THEN)
    assert applied.asked == [(event, event.job_id, "")]


def test_a_request_for_what_is_not_there_is_refused_as_such(
    w: MemoryWorld, applied: Applied
) -> None:
    request = Request(source=ADDRESS)
    event = refused(w, failure("source_missing"), source=ADDRESS)
    assert intake.take_request(w.world, request, b"body") == (event.job_id, THEN)
    assert applied.asked == [(event, event.job_id, "")]


def test_an_empty_file_is_refused_in_the_name_of_its_job(w: MemoryWorld, applied: Applied) -> None:
    source = stored(w, b"")
    request = Request(source=ADDRESS, tenant="acme", request_id="mine")
    ident = job_id("acme", source, RECIPE, 1)
    event = e.RequestRefused(
        at=w.clock.now(),
        job_id=ident,
        tenant="acme",
        preset="mp4-720p",
        source=ADDRESS,
        failure=failure("source_empty"),
        request_id="mine",
    )
    assert intake.take_request(w.world, request, b"body") == (ident, THEN)
    empty = dataclasses.replace(event, request_id=None, tenant="default")
    upload = SourceObject(bucket="media", key="uploads/y.mp4", etag="e", size_bytes=0)
    intake.take_upload(w.world, upload)
    theirs = job_id("default", upload, RECIPE, 1)
    empty = dataclasses.replace(
        empty, job_id=theirs, source=upload.address, upload=upload_id(upload)
    )
    assert applied.asked == [(event, ident, ""), (empty, theirs, "")]


def test_a_request_joins_the_latest_run(w: MemoryWorld, applied: Applied) -> None:
    source = stored(w)
    first = accepted(w, source, standing=True)
    applied.answers = [
        Decision(ignored="run again", later="job2"),
        Decision(ignored="run again", later="job3"),
        Decision(commands=THEN),
    ]
    assert intake.take_request(w.world, Request(source=ADDRESS), b"{}") == ("job3", THEN)
    second = dataclasses.replace(first, job_id="job2", run=2)
    third = dataclasses.replace(first, job_id="job3", run=3)
    assert applied.asked == [
        (first, first.job_id, (None, None)),
        (second, "job2", ""),
        (third, "job3", ""),
    ]


def test_a_request_that_opens_the_next_run_is_answered_with_it(
    w: MemoryWorld, applied: Applied
) -> None:
    stored(w)
    applied.answers = [Decision(commands=THEN, later="job2")]
    assert intake.take_request(w.world, Request(source=ADDRESS), b"{}") == ("job2", THEN)
    assert len(applied.asked) == 1


def test_runs_without_end_are_followed_for_as_many_as_there_may_be(
    w: MemoryWorld, applied: Applied
) -> None:
    stored(w)
    applied.answers = [Decision(ignored="run again", later=f"job{n}") for n in range(999)]
    intake.take_request(w.world, Request(source=ADDRESS), b"{}")
    assert len(applied.asked) == limits.RUNS_MAX + 2


@pytest.mark.parametrize(("etag", "tries"), [("same", 2), ("other", 1), (None, 1)])
def test_an_upload_whose_job_has_ended_asks_again_if_it_still_stands(
    w: MemoryWorld, applied: Applied, etag: str | None, tries: int
) -> None:
    source = stored(w)
    upload = SourceObject(
        bucket="media",
        key=source.key if etag else "uploads/gone.mp4",
        etag=source.etag if etag == "same" else "e9",
        size_bytes=5,
    )
    ended = Decision(ignored="the job has ended")
    applied.answers = [ended, ended, ended]
    assert intake.take_upload(w.world, upload) == ()
    assert [event.standing for event, *_ in applied.asked] == [False, True][:tries]


def test_what_stands_is_not_asked_about_again(w: MemoryWorld, applied: Applied) -> None:
    stored(w)
    applied.answers = [Decision(ignored="the job has ended")]
    intake.take_request(w.world, Request(source=ADDRESS), b"{}")
    assert len(applied.asked) == 1
