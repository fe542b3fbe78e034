"""An ended job can be done once more, as a run of its own, however often that is asked."""

import json
from itertools import count
from typing import Any

import pytest

from mayfly.contract.report import Failed, Started
from mayfly.core import events, limits, machine, of_reruns
from mayfly.core.changes import Below, Create, Delete, Update
from mayfly.core.rows import ENDS, JobHead, JobSpec, JobState, from_item, head_key
from mayfly.memory.faults import Faults
from mayfly.memory.world import MemoryWorld, memory_world
from mayfly.perform import engine, rerunning
from mayfly.perform.ports import Temporary
from tests.unit.acting import (
    KEY,
    dispatch,
    encoded,
    finish,
    heads,
    outcomes,
    receive,
    report,
    said,
    the_newest,
    tick,
    upload,
)
from tests.unit.given import AT, SOURCE, a_job, an_acceptance

MESSAGE = {"source": f"s3://media/{KEY}", "preset": "mp4-720p"}


def fails(w: MemoryWorld, code: str = "not_media") -> str:
    """The one job on the queue fails."""
    task, message = receive(w)
    report(w, Started(**said(task)), Failed(**said(task), code=code))
    w.jobs.delete(message.handle)
    return task.job_id or ""


def head_of(w: MemoryWorld, job_id: str) -> JobHead:
    (item,) = w.table.get(head_key(job_id))
    return from_item(JobHead, item)


# --- What the machine decides ------------------------------------------------------------------


@pytest.mark.parametrize("state", sorted(ENDS))
def test_the_old_job_points_to_the_new_one_in_the_change_that_opens_it(state: JobState) -> None:
    asked = events.RerunRequested(at=AT, accepted=an_acceptance(job_id="job2", run=2))
    decision = machine.advance(a_job(state), None, asked)
    forward, opened, *_ = decision.changes
    assert forward == Update(
        key=head_key("job1"),
        set={"rerun_as": "job2", "rerun_at": AT},
        require={"state": state.value, "rerun_at": Below(1)},
    )
    assert isinstance(opened, Create) and opened.key == head_key("job2")
    assert (opened.item["run"], opened.item["state"]) == (2, "queued")
    assert decision.later == "job2"


@pytest.mark.parametrize("state", sorted(set(JobState) - ENDS))
def test_a_job_at_work_is_not_run_again(state: JobState) -> None:
    asked = events.RerunRequested(at=AT, accepted=an_acceptance(job_id="job2", run=2))
    decision = machine.advance(a_job(state), None, asked)
    assert decision.ignored and not decision.changes


def test_asked_again_the_answer_is_the_run_that_there_is() -> None:
    asked = events.RerunRequested(at=AT, accepted=an_acceptance(job_id="job3", run=3))
    known = a_job(JobState.FAILED, rerun_as="job2", rerun_at=AT)
    decision = machine.advance(known, None, asked)
    assert decision.later == "job2" and decision.ignored and not decision.changes


@pytest.mark.parametrize(
    ("job", "spec", "sentence"),
    [
        ({"state": JobState.RUNNING}, JobSpec(source=SOURCE), "still running"),
        ({"adopted": True}, JobSpec(), "its user's own"),
        ({"pool": ""}, None, "refused before there was any work"),
        ({}, JobSpec(), "refused before there was any work"),
        ({"run": limits.RUNS_MAX}, JobSpec(source=SOURCE), "50 times"),
    ],
)
def test_what_cannot_be_run_again_says_why(
    job: dict[str, Any], spec: JobSpec | None, sentence: str
) -> None:
    assert sentence in of_reruns.why_not(a_job(**{"state": JobState.FAILED, **job}), spec)


# --- A job that is run again -------------------------------------------------------------------


def test_a_failed_job_succeeds_in_its_second_run_beside_the_first(w: MemoryWorld) -> None:
    dispatch(w, upload(w))
    first = fails(w)
    again = rerunning.rerun(w.world, first)
    tick(w)
    assert finish(w) == again.job_id != first
    assert (head_of(w, first).state, head_of(w, again.job_id).run) == ("failed", 2)
    told = {(o.job_id, o.event_id, o.state) for o in outcomes(w)}
    assert told == {
        (first, f"{first}-1", "failed"),
        (again.job_id, f"{again.job_id}-2", "succeeded"),
    }
    assert the_newest(w) == again.job_id


def test_a_second_run_of_a_success_overwrites_nothing_and_becomes_the_newest(
    w: MemoryWorld,
) -> None:
    dispatch(w, upload(w))
    first = finish(w)
    second = rerunning.rerun(w.world, first).job_id
    tick(w)
    finish(w)
    outputs = [key for key in w.store.keys("media", "outputs/") if key.endswith(".mp4")]
    assert {key.split("/")[-2] for key in outputs} == {first, second}
    assert the_newest(w) == second


def test_a_rerun_asked_twice_is_one_run_also_after_that_has_failed(w: MemoryWorld) -> None:
    dispatch(w, upload(w))
    first = fails(w)
    second = rerunning.rerun(w.world, first)
    assert rerunning.rerun(w.world, first) == rerunning.Again(job_id=second.job_id, joined=True)
    tick(w)
    fails(w)
    assert rerunning.rerun(w.world, first).job_id == second.job_id
    third = rerunning.rerun(w.world, second.job_id)
    assert not third.joined and head_of(w, third.job_id).run == 3
    assert len(heads(w)) == 3


def test_the_same_request_after_a_rerun_joins_the_latest_run(w: MemoryWorld) -> None:
    note = upload(w)
    dispatch(w, note)
    first = fails(w)
    second = rerunning.rerun(w.world, first).job_id
    dispatch(w, json.dumps({**MESSAGE, "request_id": "mine"}), note)
    assert w.jobs.depth().visible == 1, "joining gets it going before the tick"
    finish(w)
    assert len(heads(w)) == 2
    last = outcomes(w)[-1]
    assert (last.job_id, last.state, last.request_ids) == (second, "succeeded", ("mine",))


def test_the_same_request_after_the_latest_run_succeeded_is_answered_with_its_outcome(
    w: MemoryWorld,
) -> None:
    dispatch(w, upload(w))
    second = rerunning.rerun(w.world, fails(w)).job_id
    tick(w)
    finish(w)
    dispatch(w, json.dumps({**MESSAGE, "request_id": "late"}))
    last = outcomes(w)[-1]
    assert (last.job_id, last.state, last.request_ids) == (second, "succeeded", ("late",))
    assert len(heads(w)) == 2 and w.jobs.depth().visible == 0


def test_a_job_can_be_run_again_in_a_larger_pool(w: MemoryWorld) -> None:
    dispatch(w, upload(w))
    first = fails(w)
    with pytest.raises(rerunning.NotAgain, match="no pool huge; name one of: standard"):
        rerunning.rerun(w.world, first, "huge")
    again = rerunning.rerun(w.world, first, "standard")
    assert head_of(w, again.job_id).pool == "standard"


@pytest.mark.parametrize(
    ("happens", "sentence"),
    [
        (lambda w: w.store.remove("media", KEY), "not in the bucket any more"),
        (lambda w: w.store.put("media", KEY, b"other"), "was replaced"),
    ],
)
def test_a_job_whose_source_has_gone_is_refused_without_a_machine(
    w: MemoryWorld, happens: Any, sentence: str
) -> None:
    dispatch(w, upload(w))
    first = fails(w)
    happens(w)
    with pytest.raises(rerunning.NotAgain, match=sentence):
        rerunning.rerun(w.world, first)
    assert len(heads(w)) == 1


def test_a_job_at_work_and_a_job_unknown_are_refused(w: MemoryWorld) -> None:
    dispatch(w, upload(w))
    (head,) = heads(w)
    with pytest.raises(rerunning.NotAgain, match="still queued"):
        rerunning.rerun(w.world, head.job_id)
    with pytest.raises(rerunning.NotAgain, match="no job nosuchjob"):
        rerunning.rerun(w.world, "nosuchjob")


def test_a_run_left_over_from_faded_records_is_not_taken_for_the_next(w: MemoryWorld) -> None:
    """The first run's rows fade before the second's; the same upload then begins anew."""
    note = upload(w)
    dispatch(w, note)
    first = fails(w)
    second = rerunning.rerun(w.world, first).job_id
    tick(w)
    fails(w)
    for key in [key for key in w.table.snapshot() if key.pk == f"job#{first}"]:
        w.table.commit([Delete(key=key)])
    dispatch(w, note)
    assert fails(w) == first
    third = rerunning.rerun(w.world, first)
    assert third.job_id not in (first, second) and not third.joined
    assert head_of(w, third.job_id).run == 3


# --- At the worst moment -----------------------------------------------------------------------


class Crash(BaseException):
    """Cut off."""


class At(Faults):
    """Does something at the n-th call, before it or after its effect."""

    def __init__(self) -> None:
        self.left: int | None = None
        self.does: Any = None

    def arm(self, call: int, does: Any) -> None:
        self.left, self.does = call, does

    def disarm(self) -> bool:
        """Whether it never came to it."""
        left, self.left = self.left, None
        return left is not None

    def before(self, action: str) -> None:
        self._pass(action)

    def after(self, action: str) -> None:
        self._pass(action)

    def _pass(self, action: str) -> None:
        if self.left is None:
            return
        self.left -= 1
        if self.left < 0:
            self.left = None
            self.does(action)


def _raises(error: type[BaseException]) -> Any:
    def does(action: str) -> None:
        raise error(action)

    return does


@pytest.mark.parametrize("error", [Crash, Temporary])
def test_a_rerun_cut_off_anywhere_and_asked_again_is_one_run(error: type[BaseException]) -> None:
    for call in count():
        faults = At()
        w = memory_world(faults=faults)
        dispatch(w, upload(w))
        first = fails(w)
        faults.arm(call, _raises(error))
        try:
            rerunning.rerun(w.world, first)
            cut = False
        except error:
            cut = True
        faults.disarm()
        again = rerunning.rerun(w.world, first)
        tick(w)
        assert finish(w) == again.job_id, call
        assert len(heads(w)) == 2
        if not cut:
            break
    assert call >= 5


def test_two_operators_at_once_get_one_run() -> None:
    for call in range(12):
        faults = At()
        w = memory_world(faults=faults)
        dispatch(w, upload(w))
        first = fails(w)
        others: list[str] = []

        def other(_: str, w: Any = w, others: Any = others, first: str = first) -> None:
            others.append(rerunning.rerun(w.world, first).job_id)

        faults.arm(call, other)
        mine = rerunning.rerun(w.world, first).job_id
        assert set(others) <= {mine} and len(heads(w)) == 2, call
        tick(w)
        assert w.jobs.depth().visible == 1


def test_a_request_that_meets_a_rerun_at_any_moment_is_answered_by_the_new_run() -> None:
    for call in range(20):
        faults = At()
        w = memory_world(faults=faults)
        dispatch(w, upload(w))
        first = fails(w)

        def other(_: str, w: Any = w, first: str = first) -> None:
            rerunning.rerun(w.world, first)

        faults.arm(call, other)
        dispatch(w, json.dumps({**MESSAGE, "request_id": "mine"}))
        if faults.disarm():
            break
        tick(w)
        finish(w)
        answers = [o.state for o in outcomes(w) if "mine" in o.request_ids]
        assert answers and len(heads(w)) == 2, call
    assert call > 5


# --- A source that is put back -----------------------------------------------------------------


def a_superseded_job(w: MemoryWorld) -> str:
    """Uploaded, replaced while it ran; what replaced it is done."""
    dispatch(w, upload(w, body=b"old", sequencer="0A"))
    task, message = receive(w)
    report(w, Started(**said(task)))
    dispatch(w, upload(w, body=b"new", sequencer="0B"))
    report(w, Failed(**said(task), code="source_replaced"))
    w.jobs.delete(message.handle)
    finish(w)
    assert task.job_id is not None
    assert head_of(w, task.job_id).state == "superseded"
    return task.job_id


def test_a_source_that_was_replaced_and_put_back_is_encoded_after_all(w: MemoryWorld) -> None:
    first = a_superseded_job(w)
    note = upload(w, body=b"old", sequencer="0C")
    dispatch(w, note, note)
    second = finish(w)
    assert (head_of(w, first).rerun_as, head_of(w, second).run) == (second, 2)
    assert the_newest(w) == second and len(heads(w)) == 3
    dispatch(w, note)
    assert len(heads(w)) == 3


def test_a_late_event_of_a_source_that_is_replaced_wakes_nobody(w: MemoryWorld) -> None:
    a_superseded_job(w)
    old = upload(w, body=b"old", sequencer="0A")
    upload(w, body=b"new", sequencer="0B")
    dispatch(w, old)
    assert len(heads(w)) == 2 and w.jobs.depth().visible == 0


def test_a_message_for_a_source_that_was_put_back_is_answered_by_its_new_run(
    w: MemoryWorld,
) -> None:
    a_superseded_job(w)
    upload(w, body=b"old")
    dispatch(w, json.dumps({**MESSAGE, "request_id": "mine"}))
    task, message = receive(w)
    report(w, Started(**said(task)), encoded(w, task))
    w.jobs.delete(message.handle)
    assert [o.state for o in outcomes(w) if "mine" in o.request_ids] == ["succeeded"]


def test_events_that_meet_no_ended_job_are_ignored(w: MemoryWorld) -> None:
    asked = events.RerunRequested(at=AT, accepted=an_acceptance(job_id="job2", run=2))
    assert engine.apply(w.world, asked, "job1").ignored
    assert w.table.snapshot() == {}
