"""What it means to do an ended job once more, to the letter."""

import dataclasses
from typing import Any

import pytest

from mayfly.contract.failure import failure
from mayfly.core import commands, limits, machine, of_reruns
from mayfly.core import events as e
from mayfly.core.changes import Below, Delete, Put, Update
from mayfly.core.decision import Decision
from mayfly.core.identity import job_id
from mayfly.core.rows import JobHead, JobSpec, JobState, upload_key
from tests.unit.given import AT, RECIPE, SOURCE, a_job, an_acceptance
from tests.unit.written import GOES, HEAD, SPEC

KNOWN = JobSpec(recipe="{}", source=SOURCE)
DEAD = failure("request_unprocessable")
ASKED = e.RerunRequested(at=AT + 9, accepted=an_acceptance(job_id="job2", run=2))


def decide(head: JobHead, event: e.Event) -> Decision:
    return machine.advance(head, None, event)


@pytest.mark.parametrize(
    ("head", "spec", "reason"),
    [
        (a_job(), KNOWN, "it is still running"),
        (
            a_job(JobState.FAILED, adopted=True),
            KNOWN,
            "its URLs were its user's own and came with its message; send a new task",
        ),
        (
            a_job(JobState.FAILED, failure=DEAD),
            KNOWN,
            "its request died before any work was known; `mayfly redrive` sends that again",
        ),
        (
            a_job(JobState.FAILED),
            None,
            "it was refused before there was any work; send a request that can be taken",
        ),
        (
            a_job(JobState.FAILED),
            JobSpec(),
            "it was refused before there was any work; send a request that can be taken",
        ),
        (
            a_job(JobState.FAILED, run=limits.RUNS_MAX),
            KNOWN,
            f"it was run {limits.RUNS_MAX} times",
        ),
        (a_job(JobState.FAILED, run=limits.RUNS_MAX - 1), KNOWN, ""),
        (a_job(JobState.FAILED, failure=failure("not_media")), KNOWN, ""),
    ],
)
def test_what_cannot_be_done_again_says_why(head: JobHead, spec: Any, reason: str) -> None:
    assert of_reruns.why_not(head, spec) == reason


def test_only_a_failure_that_is_not_its_inputs_and_that_nobody_asked_for_is_redriven() -> None:
    def redrivable(code: str | None, state: JobState = JobState.FAILED, **fields: Any) -> bool:
        why = failure(code) if code else None
        return of_reruns.is_redrivable(a_job(state, failure=why, **fields))

    assert redrivable("worker_lost") and redrivable("request_unprocessable")
    assert not redrivable("not_media") and not redrivable(None)
    assert not redrivable("worker_lost", JobState.CANCELLED)
    assert not redrivable("worker_lost", rerun_at=0.5)


def test_the_old_job_points_to_the_new_one_from_the_state_that_was_read() -> None:
    decision = decide(a_job(JobState.CANCELLED), ASKED)
    forward = Update(
        key=HEAD,
        set={"rerun_as": "job2", "rerun_at": AT + 9},
        require={"state": "cancelled", "rerun_at": Below(1)},
    )
    opened = machine.advance(None, None, ASKED.accepted)
    assert decision == Decision(
        changes=(forward, *opened.changes), commands=opened.commands, later="job2"
    )


def test_what_was_asked_before_or_cannot_be_done_is_ignored_with_the_reason() -> None:
    again = a_job(JobState.FAILED, rerun_as="job3")
    assert decide(again, ASKED) == Decision(later="job3", ignored="the job was run again before")
    nothing = Decision(ignored="there is no work to be done again")
    assert decide(a_job(JobState.FAILED, adopted=True), ASKED) == nothing
    assert decide(a_job(JobState.FAILED, pool=""), ASKED) == nothing


def test_the_same_request_means_the_latest_run() -> None:
    head = a_job(JobState.SUCCEEDED, rerun_as="job3")
    assert decide(head, an_acceptance()) == Decision(later="job3", ignored="the job was run again")


def test_a_source_that_was_put_back_is_done_again() -> None:
    replaced = a_job(JobState.SUPERSEDED, tenant="acme", run=limits.RUNS_MAX - 1)
    stands = an_acceptance(standing=True, tenant="acme")
    decision = decide(replaced, stands)
    ident = job_id("acme", SOURCE, RECIPE, limits.RUNS_MAX)
    next_run = dataclasses.replace(stands, job_id=ident, run=limits.RUNS_MAX)
    assert decision == decide(replaced, e.RerunRequested(at=AT, accepted=next_run))
    assert decision.later == ident
    for head, event in (
        (replaced, an_acceptance(tenant="acme")),
        (a_job(JobState.FAILED, tenant="acme"), stands),
        (a_job(JobState.SUPERSEDED, run=limits.RUNS_MAX), stands),
    ):
        assert decide(head, event).later == ""


def test_an_upload_that_asks_after_the_end_is_remembered_and_nobody_is_told() -> None:
    seen = Put(key=upload_key("u1"), item={"job_id": "job1", "at": AT, "expires_at": GOES})
    asked = an_acceptance(upload="u1")
    assert decide(a_job(JobState.SUCCEEDED), asked) == Decision(
        changes=(seen,), ignored="the job has ended, and nobody asked by a name of their own"
    )
    named = dataclasses.replace(asked, request_id="mine")
    told = decide(a_job(JobState.FAILED, parts=2, failure=failure("not_media")), named)
    assert len(told.changes) == 2
    assert told.commands == (commands.StopWorkers(job_id="job1", reason="not_media"),)


def test_a_dead_request_that_was_sent_again_need_not_be_remembered() -> None:
    sent = e.RequestRedriven(at=AT + 9)
    died = a_job(JobState.FAILED, failure=DEAD)
    assert decide(died, sent) == Decision(
        changes=(Update(key=HEAD, set={"rerun_at": AT + 9}), Delete(key=SPEC))
    )
    other = Decision(ignored="the job is no dead request")
    assert decide(a_job(JobState.FAILED, failure=failure("not_media")), sent) == other
    assert decide(a_job(JobState.SUCCEEDED), sent) == other
