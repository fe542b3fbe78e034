"""What failed through no fault of its input is tried again on one word, and dead requests too."""

import json

import pytest

from completion_handler import desk as completion
from mayfly.contract.report import Failed, Started
from mayfly.core import events, limits
from mayfly.core.identity import SourceObject
from mayfly.core.rows import spec_key
from mayfly.memory.faults import Faults
from mayfly.memory.queue import MemoryQueue
from mayfly.memory.world import MemoryWorld, memory_world
from mayfly.perform import engine, mail, rerunning
from mayfly.perform.ports import Temporary
from mayfly.perform.rerunning import Wanted
from tests.unit.acting import (
    KEY,
    begun_by_hand,
    dispatch,
    encoded,
    heads,
    letter,
    outcomes,
    receive,
    report,
    said,
    tick,
    upload,
)

MESSAGE = json.dumps({"source": f"s3://media/{KEY}", "preset": "mp4-720p", "request_id": "mine"})


@pytest.fixture
def requests(w: MemoryWorld) -> MemoryQueue:
    return MemoryQueue(w.clock, name="requests")


def ends(w: MemoryWorld, name: str, code: str | None) -> str:
    """An upload whose job fails with a code, or succeeds."""
    dispatch(w, upload(w, f"uploads/{name}.mp4", name.encode()))
    task, message = receive(w)
    job = task.job_id or ""
    report(w, Started(**said(task)))
    if code == "pool_broken":
        broke = events.PoolBroke(at=w.clock.now())
        engine.run(w.world, engine.apply(w.world, broke, job).commands)
    elif code:
        report(w, Failed(**said(task), code=code))
    else:
        report(w, encoded(w, task))
    w.jobs.delete(message.handle)
    w.clock.sleep(60)
    return job


def dies(w: MemoryWorld, body: str, message_id: str = "m1") -> str:
    """The dispatcher could not take a message; the id of its refused job."""
    before = {head.job_id for head in heads(w)}
    taken = completion.take(w.world, "mayfly-requests-dead", letter(body, message_id))
    engine.run(w.world, taken)
    return "".join({head.job_id for head in heads(w)} - before)


def ids(w: MemoryWorld, wanted: Wanted | None = None) -> list[str]:
    return [head.job_id for head in rerunning.failed(w.world, wanted or Wanted())]


def test_only_what_failed_through_no_fault_of_its_input_is_listed_oldest_first(
    w: MemoryWorld,
) -> None:
    broken = ends(w, "a", "pool_broken")
    ends(w, "b", "not_media")
    ends(w, "c", None)
    later = ends(w, "d", "pool_broken")
    dispatch(w, "not json")
    dispatch(w, upload(w, "uploads/e.mp4", b"at work"))
    assert ids(w) == [broken, later]


def test_the_list_is_narrowed_by_code_by_pool_and_by_time(w: MemoryWorld) -> None:
    first = ends(w, "a", "pool_broken")
    since = w.clock.now()
    second = ends(w, "b", "pool_broken")
    assert ids(w, Wanted(since=since)) == [second]
    assert ids(w, Wanted(code="worker_lost")) == []
    assert ids(w, Wanted(code="pool_broken", pool="standard")) == [first, second]
    assert ids(w, Wanted(pool="large")) == []


def test_many_are_listed_in_pages_each_once(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rerunning, "_PAGE_JOBS", 3)
    made = [ends(w, f"{number}", "pool_broken") for number in range(8)]
    assert ids(w) == made


class Refusing(Faults):
    """AWS, which refuses one kind of call for a while."""

    refused = ""

    def before(self, action: str) -> None:
        if action == self.refused:
            raise Temporary(action)


def test_a_failed_job_whose_outcome_is_not_told_yet_is_listed() -> None:
    faults = Refusing()
    w = memory_world(faults=faults)
    dispatch(w, upload(w))
    (head,) = heads(w)
    faults.refused = "bus.publish"
    broke = engine.apply(w.world, events.PoolBroke(at=w.clock.now()), head.job_id)
    with pytest.raises(Temporary):
        engine.run(w.world, broke.commands)
    assert ids(w) == [head.job_id]


def test_each_is_run_again_once_however_often_it_is_redriven(
    w: MemoryWorld, requests: MemoryQueue
) -> None:
    ends(w, "a", "pool_broken")
    (head,) = rerunning.failed(w.world, Wanted())
    first = rerunning.redrive(w.world, head, requests)
    assert rerunning.redrive(w.world, head, requests) == first
    assert ids(w) == []
    assert len(heads(w)) == 2
    tick(w)
    assert receive(w)[0].job_id == first


def test_a_users_own_task_cannot_be_run_again_and_says_so(
    w: MemoryWorld, requests: MemoryQueue
) -> None:
    _, own = begun_by_hand(w)
    broke = engine.apply(w.world, events.PoolBroke(at=w.clock.now()), own["job_id"])
    engine.run(w.world, broke.commands)
    (head,) = rerunning.failed(w.world, Wanted())
    with pytest.raises(rerunning.NotAgain, match="its URLs were its user's own"):
        rerunning.redrive(w.world, head, requests)


# --- Dead requests -----------------------------------------------------------------------------


def test_a_dead_request_is_sent_again_and_becomes_the_job_it_asked_for(
    w: MemoryWorld, requests: MemoryQueue
) -> None:
    upload(w)
    refused = dies(w, MESSAGE)
    (answer,) = outcomes(w)
    assert (answer.request_ids, answer.source) == (("mine",), f"s3://media/{KEY}")
    (head,) = rerunning.failed(w.world, Wanted())
    assert rerunning.redrive(w.world, head, requests) == "request"
    (message,) = requests.receive(wait_seconds=0)
    dispatch(w, message.body)
    (job,) = [one for one in heads(w) if one.job_id != refused]
    assert (job.state, job.source) == ("queued", f"s3://media/{KEY}")
    assert ids(w) == [], "it need not be sent once more"
    assert w.table.get(spec_key(refused)) == [None]


def test_a_request_that_dies_again_can_be_sent_again(w: MemoryWorld, requests: MemoryQueue) -> None:
    refused = dies(w, MESSAGE)
    (head,) = rerunning.failed(w.world, Wanted())
    rerunning.redrive(w.world, head, requests)
    (message,) = requests.receive(wait_seconds=0)
    assert "not remembered" in rerunning.why_not(w.world, head)
    with pytest.raises(rerunning.NotAgain, match="not remembered"):
        rerunning.redrive(w.world, head, requests)
    assert dies(w, message.body, "m2") == ""
    assert ids(w) == [refused]
    assert {one.event_id for one in outcomes(w)} == {f"{refused}-1"}


def test_a_dead_notification_is_sent_again_with_its_order_and_without_peoples_addresses(
    w: MemoryWorld, requests: MemoryQueue
) -> None:
    note = json.loads(upload(w, sequencer="0F"))
    note["Records"][0]["requestParameters"] = {"sourceIPAddress": "192.0.2.7"}
    dies(w, json.dumps(note))
    assert "192.0.2.7" not in repr(w.table.snapshot())
    (head,) = rerunning.failed(w.world, Wanted())
    rerunning.redrive(w.world, head, requests)
    (message,) = requests.receive(wait_seconds=0)
    assert mail.read(message.body) == mail.read(json.dumps(note))
    dispatch(w, message.body)
    assert w.jobs.depth().visible == 1


@pytest.mark.parametrize(
    "body",
    [
        "not json",
        '{"Event": "s3:TestEvent"}',
        '{"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put"}]}',
        '{"source": "s3://media/uploads/x?X-Amz-Signature=abc"}',
        '{"source": "s3://media/uploads/x", "request_id": "https://x/?signature=abc"}',
        json.dumps({"source": "s3://media/uploads/x", "recipe": {"outputs": "o" * 70_000}}),
    ],
)
def test_what_is_no_mail_or_may_hold_a_secret_is_not_remembered(w: MemoryWorld, body: str) -> None:
    assert mail.kept(body) == ""
    dies(w, body)
    assert not [key for key in w.table.snapshot() if key.sk == "spec"]
    assert len(outcomes(w)) == 1


def test_a_message_that_is_too_long_is_not_remembered() -> None:
    one = SourceObject(bucket="media", key="uploads/a.mp4", etag="e", size_bytes=5)
    assert mail.kept(mail.written((one,) * 300))
    long = mail.written((one,) * 600)
    assert len(long) > limits.KEPT_BYTES_MAX
    assert mail.kept(long) == ""


def test_a_request_that_is_refused_after_it_was_sent_again_is_answered_with_that(
    w: MemoryWorld, requests: MemoryQueue
) -> None:
    dies(w, MESSAGE)
    (head,) = rerunning.failed(w.world, Wanted())
    rerunning.redrive(w.world, head, requests)
    (message,) = requests.receive(wait_seconds=0)
    dispatch(w, message.body)
    last = outcomes(w)[-1]
    assert last.failure is not None and last.failure.code == "source_missing"
    assert last.request_ids == ("mine",)


@pytest.mark.parametrize("key", ["uploads/a b+c (1)%.mp4", "uploads/ü/\U0001f980.mp4"])
def test_a_remembered_notification_tells_of_the_same_upload(key: str) -> None:
    source = SourceObject(
        bucket="media", key=key, etag="e-2", size_bytes=5, version_id="v", sequencer="0A"
    )
    assert mail.read(mail.written((source,))) == (source,)


def test_a_dead_request_cut_off_while_it_is_sent_again_is_sent_once_more() -> None:
    """Twice sent is one job; forgotten would be none."""
    faults = Refusing()
    w = memory_world(faults=faults)
    requests = MemoryQueue(w.clock, name="requests")
    upload(w)
    dies(w, MESSAGE)
    (head,) = rerunning.failed(w.world, Wanted())
    faults.refused = "table.commit"
    with pytest.raises(Temporary):
        rerunning.redrive(w.world, head, requests)
    faults.refused = ""
    rerunning.redrive(w.world, head, requests)
    for message in requests.receive(wait_seconds=0, limit=10):
        dispatch(w, message.body)
    assert len(heads(w)) == 2 and w.jobs.depth().visible == 1
