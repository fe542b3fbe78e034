"""What a report means, to the letter: each becomes one event, of which nothing is believed that its
worker could not know."""

from typing import Any

import msgspec
import pytest

from mayfly.contract import report as r
from mayfly.contract.failure import Failure, failure
from mayfly.core import events as e
from mayfly.core import limits
from mayfly.perform import reporting
from tests.unit.given import ARTIFACT, AT, PLAN, RECIPE

IDS: dict[str, Any] = {"job_id": "job1", "task_id": "encode", "token": "t", "attempt": "nonce1"}
SAID: dict[str, Any] = {**IDS, "at": 1.0, "worker": "w1", "service": "s1"}
WHO: dict[str, Any] = {"at": AT, "attempt": "nonce1", "worker": "w1", "service": "s1"}
MEDIA = r.Media(container="mov")


def event(report: r.Report) -> e.TaskEvent:
    return reporting.event_of(report, AT)


def test_plain_reports_are_events_of_the_time_at_which_they_were_heard() -> None:
    assert event(r.Started(**SAID)) == e.TaskStarted(**WHO)
    assert event(r.RenewalWanted(**SAID)) == e.RenewalWanted(**WHO)
    progress = r.Progressed(**SAID, fraction=0.5, stage="measuring", speed=2.0)
    assert event(progress) == e.TaskProgressed(**WHO, fraction=0.5, stage="measuring", speed=2.0)
    gave_back = r.Interrupted(**SAID, reason="ordered", busy_seconds=4.0)
    assert event(gave_back) == e.TaskInterrupted(**WHO, reason="ordered", busy_seconds=4.0)


def test_a_plan_that_can_be_carried_out_is_taken_and_another_is_refused() -> None:
    assert event(r.Planned(**SAID, plan=PLAN)) == e.TaskPlanned(**WHO, plan=PLAN)
    odd = msgspec.structs.replace(PLAN, boundaries=())
    flaw = f"1 chunks, where 2 to {limits.CHUNKS_MAX} may be"
    assert event(r.Planned(**SAID, plan=odd)) == e.TaskRefused(
        **WHO, failure=failure("plan_refused", flaw), busy_seconds=0.0
    )


def encoded(key: str) -> r.Encoded:
    artifact = msgspec.structs.replace(ARTIFACT, key=key)
    return r.Encoded(
        **SAID, outputs=(artifact,), source=MEDIA, busy_seconds=9.0, scope=PLAN.scope(1)
    )


@pytest.mark.parametrize("key", ["work/job1/encode/nonce1/video.mp4", ""])
def test_outputs_are_believed_within_their_attempt_or_behind_a_users_own_urls(key: str) -> None:
    said = encoded(key)
    assert event(said) == e.TaskEncoded(
        **WHO, artifacts=said.outputs, busy_seconds=9.0, scope=PLAN.scope(1)
    )


@pytest.mark.parametrize("key", ["work/job1/encode/nonce2/video.mp4", "work/job2/encode/nonce1/v"])
def test_outputs_of_another_attempt_are_not_believed(key: str) -> None:
    broken = failure("output_broken", "video.mp4 lies outside of its attempt")
    assert event(encoded(key)) == e.TaskFailed(**WHO, failure=broken, busy_seconds=9.0)


def failed(code: str, detail: str = "found") -> r.Failed:
    return r.Failed(**SAID, code=code, detail=detail, busy_seconds=3.0)


@pytest.mark.parametrize(
    ("code", "kind", "why"),
    [
        ("not_media", e.TaskRefused, failure("not_media", "found")),
        ("encoder_failed", e.TaskFailed, failure("encoder_failed", "found")),
        ("of_tomorrow", e.TaskFailed, failure("worker_failed", "of_tomorrow: found")),
    ],
)
def test_a_failure_is_bad_input_or_unknown_by_its_code(code: str, kind: Any, why: Failure) -> None:
    assert event(failed(code)) == kind(**WHO, failure=why, busy_seconds=3.0)


def test_a_failure_that_is_nobodys_fault_is_an_interruption() -> None:
    gone = failed("spot_interruption")
    assert event(gone) == e.TaskInterrupted(**WHO, reason="spot_interruption", busy_seconds=3.0)


def test_details_are_bounded() -> None:
    long = "x" * (limits.DETAIL_CHARACTERS_MAX + 1)
    bounded = failure("not_media", "x" * limits.DETAIL_CHARACTERS_MAX)
    told = event(failed("not_media", long))
    assert told == e.TaskRefused(**WHO, failure=bounded, busy_seconds=3.0)


def test_a_proof_is_kept_within_bounds() -> None:
    word = r.Encoded(**SAID, outputs=(), source=MEDIA, busy_seconds=3.0)
    told = event(word)
    assert isinstance(told, e.TaskEncoded) and told.proof is None
    long = r.Proof(chunks=9, made_anew=tuple(range(9)), whole_because="x" * 1000)
    told = event(msgspec.structs.replace(word, proof=long))
    assert isinstance(told, e.TaskEncoded)
    assert told.proof == r.Proof(
        chunks=9,
        made_anew=tuple(range(limits.MADE_ANEW_MAX)),
        whole_because="x" * limits.DETAIL_CHARACTERS_MAX,
    )


def test_an_adoption_is_an_event_of_a_job() -> None:
    adopted = r.Adopted(**SAID, pool="small", recipe=RECIPE, source="b/x.mp4")
    ids: dict[str, Any] = {"job_id": "job1", "task_id": "encode", "token": "t"}
    assert reporting._adopted(adopted, AT) == e.TaskAdopted(
        **ids, **WHO, pool="small", recipe=RECIPE, source="b/x.mp4"
    )
    with pytest.raises(TypeError, match=r"^An adoption opens a job; it is no event of a task\.$"):
        event(adopted)
