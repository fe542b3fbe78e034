"""What an operator's `rerun` and `redrive` read, ask and answer."""

import dataclasses
from typing import Any

import msgspec
import pytest

from mayfly.contract.failure import failure
from mayfly.core import events as e
from mayfly.core.changes import Create
from mayfly.core.decision import Decision
from mayfly.core.identity import SourceObject, job_id, upload_id
from mayfly.core.rows import JobHead, JobSpec, JobState, head_key, job_order, spec_key, to_item
from mayfly.memory.queue import MemoryQueue
from mayfly.memory.world import MemoryWorld
from mayfly.perform import engine, rerunning
from mayfly.perform.ports import ObjectSeen
from mayfly.perform.rerunning import Again, NotAgain, Wanted
from tests.unit.given import RECIPE, a_job

SOURCE = SourceObject(bucket="media", key="uploads/x.mp4", etag="e1", size_bytes=9)
SPEC = JobSpec(recipe=msgspec.json.encode(RECIPE).decode(), source=SOURCE, uploaded=True)
LOST, DEAD = failure("worker_lost"), failure("request_unprocessable")


def stands(
    w: MemoryWorld,
    spec: JobSpec | None = SPEC,
    state: JobState = JobState.FAILED,
    *,
    partition: str = "jobs#ended",
    **fields: Any,
) -> JobHead:
    given: dict[str, Any] = {"failure": LOST, "ended_at": w.clock.now()}
    head = a_job(state, **(given | fields))
    order = job_order(head.ended_at or head.updated_at, head.job_id)
    item = {**to_item(head), "gpk": partition, "gsk": order}
    w.table.commit([Create(key=head_key(head.job_id), item=item)])
    if spec is not None:
        w.table.commit([Create(key=spec_key(head.job_id), item=to_item(spec))])
    return head


@pytest.fixture(autouse=True)
def bucket(w: MemoryWorld, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """ETags of what stands in the bucket."""
    etags = {"media/uploads/x.mp4": "e1"}

    def head(bucket: str, key: str) -> ObjectSeen | None:
        etag = etags.get(f"{bucket}/{key}")
        return ObjectSeen(size_bytes=9, etag=etag) if etag else None

    monkeypatch.setattr(w.store, "head", head)
    monkeypatch.setattr(w.world.dice, "token", lambda: "t")
    return etags


def ident(run: int, tenant: str = "default") -> str:
    return job_id(tenant, SOURCE, RECIPE, run)


def asked(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch, answer: Decision | None = None
) -> list[tuple[Any, str]]:
    """What reaches the engine."""
    events: list[tuple[Any, str]] = []

    def apply(world: Any, event: Any, name: str) -> Decision:
        events.append((event, name))
        return answer or Decision(later=event.accepted.job_id)

    monkeypatch.setattr(engine, "apply", apply)
    return events


@pytest.mark.parametrize("pool", [None, "standard"])
def test_the_next_run_is_asked_for_as_the_first_was(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch, pool: str | None
) -> None:
    now = w.clock.now()
    stands(w, run=2, priority=4, accepted_at=now, deadline_at=now + 90.5, tenant="acme")
    w.clock.sleep(5)
    events = asked(w, monkeypatch)
    assert rerunning.rerun(w.world, "job1", pool) == Again(job_id=ident(3, "acme"), joined=False)
    accepted = e.RequestAccepted(
        at=now + 5,
        job_id=ident(3, "acme"),
        tenant="acme",
        pool="standard",
        preset="mp4-720p",
        recipe=RECIPE,
        source=SOURCE,
        run=3,
        priority=4,
        token="t",
        deadline_seconds=90,
        upload=upload_id(SOURCE),
    )
    assert events == [(e.RerunRequested(at=now + 5, accepted=accepted), "job1")]


def test_a_run_that_no_upload_asked_for_and_that_has_no_deadline_says_neither(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    stands(w, msgspec.structs.replace(SPEC, uploaded=False))
    events = asked(w, monkeypatch)
    rerunning.rerun(w.world, "job1")
    accepted = events[0][0].accepted
    assert (accepted.upload, accepted.deadline_seconds) == (None, None)


def test_runs_that_are_left_over_are_passed_by(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    stands(w)
    for run in (2, 3):
        stands(w, None, job_id=ident(run))
    events = asked(w, monkeypatch)
    assert rerunning.rerun(w.world, "job1").job_id == ident(4)
    assert events[0][0].accepted.run == 4


def test_a_run_that_there_is_is_joined_without_asking(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    stands(w, rerun_as="job2")
    events = asked(w, monkeypatch)
    assert rerunning.rerun(w.world, "job1") == Again(job_id="job2", joined=True)
    assert events == []


def test_whoever_was_quicker_is_joined_and_a_refusal_is_told(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    stands(w)
    asked(w, monkeypatch, Decision(later="job7", ignored="before"))
    assert rerunning.rerun(w.world, "job1") == Again(job_id="job7", joined=True)
    asked(w, monkeypatch, Decision(ignored="the world ends"))
    with pytest.raises(NotAgain, match=r"^Job job1 cannot be run again: the world ends\.$"):
        rerunning.rerun(w.world, "job1")


def why(w: MemoryWorld, pool: str | None = None) -> str:
    with pytest.raises(NotAgain) as raised:
        rerunning.rerun(w.world, "job1", pool)
    return str(raised.value).removeprefix("Job job1 cannot be run again: ")


def test_what_cannot_be_run_again_here_says_why(
    w: MemoryWorld, bucket: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(NotAgain, match=r"^There is no job job1\.$"):
        rerunning.rerun(w.world, "job1")
    stands(w)
    assert why(w, "large") == "the stack has no pool large; name one of: standard."
    bucket["media/uploads/x.mp4"] = "e2"
    replaced = "its source was replaced; the newer upload has a job of its own."
    assert why(w) == replaced
    bucket.clear()
    assert why(w) == "its source is not in the bucket any more."


def test_a_version_stands_whatever_stands_under_its_key(
    w: MemoryWorld, bucket: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.clear()
    versioned = msgspec.structs.replace(SOURCE, version_id="v1")
    stands(w, msgspec.structs.replace(SPEC, source=versioned))
    asked(w, monkeypatch)
    assert rerunning.rerun(w.world, "job1").joined is False


def test_a_job_in_its_own_state_says_why_first(w: MemoryWorld) -> None:
    stands(w, state=JobState.RUNNING, failure=None)
    assert why(w) == "it is still running."


def ids(w: MemoryWorld, **wanted: Any) -> list[str]:
    return [head.job_id for head in rerunning.failed(w.world, Wanted(**wanted))]


def test_failed_jobs_are_those_to_be_told_and_then_those_told_each_oldest_first(
    w: MemoryWorld,
) -> None:
    now = w.clock.now()
    stands(w, job_id="told2", ended_at=now - 10)
    stands(w, job_id="told1", ended_at=now - 20)
    stands(w, job_id="untold", ended_at=now - 5, partition="jobs#open")
    stands(w, job_id="bad", failure=failure("not_media"))
    stands(w, job_id="good", state=JobState.SUCCEEDED, failure=None)
    stands(w, job_id="now", ended_at=now)
    stands(w, job_id="later", ended_at=now + 1)
    assert ids(w) == ["untold", "told1", "told2", "now"]
    assert ids(w, since=now - 10) == ["untold", "told2", "now"]
    assert ids(w, since=now - 5) == ["untold", "now"]
    assert ids(w, since=now - 4.9) == ["now"]


def test_failed_jobs_are_narrowed_by_code_and_pool(w: MemoryWorld) -> None:
    stands(w, job_id="a")
    stands(w, job_id="b", failure=failure("pool_broken"))
    stands(w, job_id="c", pool="small")
    assert ids(w, code="worker_lost") == ["a", "c"]
    assert ids(w, pool="small") == ["c"]
    assert ids(w, code="pool_broken", pool="standard") == ["b"]
    assert ids(w, code="pool_broken", pool="small") == []


def test_a_job_without_a_time_of_its_end_ended_when_it_last_moved(w: MemoryWorld) -> None:
    now = w.clock.now()
    stands(w, job_id="a", ended_at=None, updated_at=now - 7)
    assert ids(w, since=now - 7) == ["a"] and ids(w, since=now - 6) == []


def test_failed_jobs_are_read_a_page_at_a_time(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = w.clock.now()
    for n in range(201):
        stands(w, None, job_id=f"j{n:03d}", ended_at=now - 300 + n)
    read: list[tuple[str, int, str]] = []
    index = w.table.index

    def noted(gpk: str, *, limit: int, after: str = "") -> Any:
        read.append((gpk, limit, after))
        return index(gpk, limit=limit, after=after)

    monkeypatch.setattr(w.table, "index", noted)
    found = rerunning.failed(w.world, Wanted(since=now - 300))
    assert next(found).job_id == "j000" and len(read) == 2
    assert len(list(found)) == 200
    assert read == [
        ("jobs#open", 200, job_order(0.0, "")),
        ("jobs#ended", 200, job_order(now - 300, "")),
        ("jobs#ended", 200, job_order(now - 101, "j199")),
    ]


def test_what_ended_after_the_question_is_not_read_to_the_end(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = w.clock.now()
    for n in range(200):
        stands(w, None, job_id=f"j{n:03d}", ended_at=now + 1 + n)
    pages: list[str] = []
    index = w.table.index

    def noted(gpk: str, *, limit: int, after: str = "") -> Any:
        pages.append(gpk)
        return index(gpk, limit=limit, after=after)

    monkeypatch.setattr(w.table, "index", noted)
    assert ids(w) == []
    assert pages == ["jobs#open", "jobs#ended"]


def test_many_that_ended_in_the_very_second_of_the_question_are_all_listed(
    w: MemoryWorld,
) -> None:
    for n in range(201):
        stands(w, None, job_id=f"j{n:03d}")
    assert len(ids(w)) == 201


def test_a_pool_that_there_is_not_is_told_with_all_that_there_are(w: MemoryWorld) -> None:
    pools = w.world.settings.pools
    small = msgspec.structs.replace(pools[0], name="small")
    settings = msgspec.structs.replace(w.world.settings, pools=(*pools, small))
    stands(w)
    with pytest.raises(NotAgain, match=r"name one of: standard, small\.$"):
        rerunning.rerun(dataclasses.replace(w.world, settings=settings), "job1", "large")


FORGOTTEN = "its message is not remembered, since it was sent again before or was no request"


def test_why_a_job_would_not_be_redriven(w: MemoryWorld) -> None:
    fine = stands(w)
    kept = stands(w, JobSpec(request="{}"), job_id="job2", failure=DEAD)
    lost = stands(w, JobSpec(), job_id="job3", failure=DEAD)
    again = stands(w, job_id="job4", rerun_as="job5", pool="gone")
    gone = stands(w, job_id="job6", pool="gone")
    told = [rerunning.why_not(w.world, head) for head in (fine, kept, lost, again, gone)]
    assert told == ["", "", FORGOTTEN, "", "the stack has no pool gone; name one of: standard"]


def test_a_job_is_redriven_by_its_next_run(w: MemoryWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    requests = MemoryQueue(w.clock)
    head = stands(w)
    asked(w, monkeypatch)
    assert rerunning.redrive(w.world, head, requests) == ident(2)
    done = stands(w, job_id="job2", state=JobState.CANCELLED, failure=None)
    assert rerunning.redrive(w.world, done, requests) == ident(2)
    assert requests.depth().visible == 0


def test_a_dead_request_is_sent_first_and_forgotten_then(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests = MemoryQueue(w.clock)
    head = stands(w, JobSpec(request='{"source": 1}'), failure=DEAD)
    sent_before: list[int] = []
    events: list[tuple[Any, str]] = []

    def apply(world: Any, event: Any, name: str) -> Decision:
        sent_before.append(requests.depth().visible)
        events.append((event, name))
        return Decision()

    monkeypatch.setattr(engine, "apply", apply)
    assert rerunning.redrive(w.world, head, requests) == "request"
    (message,) = requests.receive(wait_seconds=0)
    assert message.body == '{"source": 1}' and sent_before == [1]
    assert events == [(e.RequestRedriven(at=w.clock.now()), "job1")]


def test_a_dead_request_that_is_not_remembered_says_so(w: MemoryWorld) -> None:
    head = stands(w, None, failure=DEAD)
    said = rf"^The request of job job1 cannot be sent again: {FORGOTTEN}\.$"
    with pytest.raises(NotAgain, match=said):
        rerunning.redrive(w.world, head, MemoryQueue(w.clock))
