"""Every upload has an outcome, also when S3's event of it was lost."""

import dataclasses
import json
from collections import Counter
from itertools import count

import msgspec
import pytest

from mayfly.contract.report import Failed
from mayfly.core import limits, rounds
from mayfly.core.changes import Delete
from mayfly.core.rows import ROUND_KEY, RoundRow
from mayfly.memory.faults import Faults
from mayfly.memory.world import MemoryWorld, memory_world
from mayfly.perform import engine, reconciling, ticking
from mayfly.perform.ports import Temporary
from tests.unit.acting import (
    KEY,
    a_round,
    dispatch,
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
from tests.unit.interrupting import Interruption

HOUR = limits.RECONCILE_SECONDS


def test_an_upload_whose_event_was_lost_has_an_outcome_after_the_next_round(
    w: MemoryWorld,
) -> None:
    tick(w)
    upload(w)
    a_round(w)
    job = finish(w)
    (outcome,) = outcomes(w)
    assert (outcome.job_id, outcome.state, outcome.preset) == (job, "succeeded", "mp4-720p")
    assert the_newest(w) == job


def test_the_event_that_comes_after_the_round_opens_nothing_twice(w: MemoryWorld) -> None:
    tick(w)
    note = upload(w)
    a_round(w)
    dispatch(w, note, note)
    finish(w)
    dispatch(w, note)
    a_round(w)
    assert len(heads(w)) == 1 and w.jobs.depth().visible == 0
    assert len(outcomes(w)) == 1


def test_a_round_finds_the_same_job_that_the_event_would_have_opened(w: MemoryWorld) -> None:
    told = memory_world()
    dispatch(told, upload(told, "uploads/poster/a.mp4"))
    tick(w)
    upload(w, "uploads/poster/a.mp4")
    a_round(w)
    ours, theirs = heads(w)[0], heads(told)[0]
    assert (ours.job_id, ours.preset, ours.pool) == (theirs.job_id, theirs.preset, theirs.pool)


def test_an_upload_whose_event_came_costs_a_round_no_write(
    w: MemoryWorld,
) -> None:
    tick(w)
    dispatch(w, upload(w))
    finish(w)
    before = w.table.snapshot()
    a_round(w)
    changed = {key for key, item in w.table.snapshot().items() if before.get(key) != item}
    assert {key.pk for key in changed} <= {"stack", "pool#standard"}


def test_an_overwritten_source_has_a_job_for_what_stands_there(w: MemoryWorld) -> None:
    tick(w)
    dispatch(w, upload(w, body=b"old"))
    upload(w, body=b"new")
    a_round(w)
    assert len(heads(w)) == 2
    assert {head.source for head in heads(w)} == {f"s3://media/{KEY}"}


def test_an_empty_upload_is_refused_once(w: MemoryWorld) -> None:
    tick(w)
    upload(w, body=b"")
    for _ in range(3):
        a_round(w)
    (outcome,) = outcomes(w)
    assert outcome.failure is not None and outcome.failure.code == "source_empty"


@pytest.mark.parametrize("key", ["uploads/folder/", "work/x.mp4", "outputs/x.mp4", "uploadsX.mp4"])
def test_what_is_no_upload_is_passed_over(w: MemoryWorld, key: str) -> None:
    tick(w)
    upload(w, key)
    a_round(w)
    assert heads(w) == []


def test_an_upload_whose_event_may_be_under_way_is_left_to_the_next_round(
    w: MemoryWorld,
) -> None:
    tick(w)
    w.clock.sleep(HOUR - limits.RECONCILE_GRACE_SECONDS + 1)
    upload(w)
    tick(w, after=limits.RECONCILE_GRACE_SECONDS - 1)
    assert heads(w) == []
    a_round(w)
    assert len(heads(w)) == 1


def test_what_lay_in_the_bucket_before_the_stack_is_nobodys_request(w: MemoryWorld) -> None:
    upload(w, "uploads/yesterday.mp4")
    w.clock.sleep(24 * HOUR)
    for _ in range(3):
        a_round(w)
    assert heads(w) == []


def test_an_upload_is_not_encoded_again_when_its_records_have_faded(w: MemoryWorld) -> None:
    tick(w)
    dispatch(w, upload(w))
    finish(w)
    w.clock.sleep(limits.RECORD_SECONDS + HOUR)
    faded = [k for k, i in w.table.snapshot().items() if 0 < i.get("expires_at", 0) < w.clock.now()]
    assert any(key.pk.startswith("upload#") for key in faded)
    for key in faded:
        w.table.commit([Delete(key=key)])
    a_round(w)
    assert [head for head in heads(w) if head.state == "queued"] == []


def test_a_changed_default_recipe_encodes_nothing_again(w: MemoryWorld) -> None:
    """A job is named by its resolved recipe, so a job's name cannot tell whether an upload was
    answered: a new default would have had a whole week of uploads encoded anew."""
    tick(w)
    dispatch(w, upload(w, "uploads/a.mp4"))
    finish(w)
    changed = msgspec.structs.replace(w.world.settings, default_preset="poster")
    later = dataclasses.replace(w, world=dataclasses.replace(w.world, settings=changed))
    a_round(later)
    assert len(heads(w)) == 1


def test_an_upload_joined_to_somebodys_request_counts_as_answered(w: MemoryWorld) -> None:
    tick(w)
    note = upload(w)
    dispatch(w, json.dumps({"source": f"s3://media/{KEY}", "preset": "mp4-720p"}))
    dispatch(w, note)
    a_round(w)
    before = [key for key in w.table.snapshot() if key.pk.startswith("upload#")]
    assert len(heads(w)) == len(before) == 1
    assert finish(w) == the_newest(w)


def test_2500_lost_events_are_found_over_several_ticks_of_bounded_calls() -> None:
    at = Interruption()
    w = memory_world(faults=at)
    tick(w)
    for number in range(2500):
        upload(w, f"uploads/{number:05d}.mp4", b"%d" % number)
    w.clock.sleep(HOUR)
    looks = 0
    while not w.table.snapshot()[ROUND_KEY]["done_at"] or not looks:
        at.calls.clear()
        looks += 1
        reconciling.reconcile(w.world, lambda look, source: bool(look(w.world, source)))
        assert at.calls.count("store.list") <= 1 + limits.RECONCILE_TAKEN_MAX // 1000
        assert at.calls.count("table.get") <= 1 + 10
        assert at.calls.count("table.commit") <= 1 + limits.RECONCILE_TAKEN_MAX
        w.clock.sleep(60)
    assert len(heads(w)) == 2500
    assert looks == 13


def test_a_round_over_many_known_uploads_asks_for_a_hundred_at_once() -> None:
    at = Interruption()
    w = memory_world(faults=at)
    tick(w)
    for number in range(250):
        dispatch(w, upload(w, f"uploads/{number:05d}.mp4", b"%d" % number))
    w.clock.sleep(HOUR)
    at.calls.clear()
    reconciling.reconcile(w.world, lambda _look, _source: False)
    assert Counter(at.calls) == {"table.get": 1 + 3, "store.list": 1, "table.commit": 1}


class Crash(BaseException):
    """Cut off, as by a time-out."""


class CrashesAt(Faults):
    """Cuts the invocation off at its n-th call, before it or after its effect."""

    def __init__(self) -> None:
        self.left: int | None = None

    def before(self, action: str) -> None:
        self._pass(action)

    def after(self, action: str) -> None:
        self._pass(action)

    def _pass(self, action: str) -> None:
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                raise Crash(action)


def test_a_crash_between_any_two_calls_of_a_round_loses_and_doubles_nothing() -> None:
    for call in count():
        faults = CrashesAt()
        w = memory_world(faults=faults)
        tick(w)
        upload(w, "uploads/a.mp4", b"a")
        upload(w, "uploads/b.mp4", b"b")
        upload(w, "uploads/empty.mp4", b"")
        w.clock.sleep(HOUR)
        faults.left = call
        try:
            engine.run(w.world, ticking.tick(w.world))
            crashed = False
        except Crash:
            crashed = True
        faults.left = None
        for _ in range(4):
            tick(w)
        a_round(w)
        assert Counter(head.state.value for head in heads(w)) == {"queued": 2, "failed": 1}, call
        bodies = [json.loads(body)["job_id"] for body in w.jobs.bodies()]
        assert len(bodies) == len(set(bodies)) or crashed, call
        assert len({one.event_id for one in outcomes(w)}) == 1
        if not crashed:
            break
    assert call > 30


def test_two_ticks_at_once_open_every_job_once() -> None:
    """The second tick runs whole between two calls of the first."""

    class Meets(Faults):
        def __init__(self) -> None:
            self.left: int | None = None

        def before(self, action: str) -> None:
            if self.left is None:
                return
            self.left -= 1
            if self.left < 0:
                self.left = None
                engine.run(w.world, ticking.tick(w.world))

    for call in range(30):
        faults = Meets()
        w = memory_world(faults=faults)
        tick(w)
        for name in "abc":
            upload(w, f"uploads/{name}.mp4", name.encode())
        w.clock.sleep(HOUR)
        faults.left = call
        engine.run(w.world, ticking.tick(w.world))
        tick(w)
        assert len(heads(w)) == 3
        bodies = [json.loads(body)["job_id"] for body in w.jobs.bodies()]
        assert len(bodies) == len(set(bodies)) == 3, call
        (row,) = w.table.get(ROUND_KEY)
        assert row is not None and row["done_at"] is not None


def test_an_upload_that_cannot_be_taken_now_stops_no_other() -> None:
    class Refuses(Faults):
        refusals = 0

        def before(self, action: str) -> None:
            if action == "table.commit" and self.refusals > 0:
                self.refusals -= 1
                raise Temporary(action)

    faults = Refuses()
    w = memory_world(faults=faults)
    tick(w)
    for name in "ab":
        upload(w, f"uploads/{name}.mp4", name.encode())
    w.clock.sleep(HOUR)
    faults.refusals = 1
    engine.run(w.world, ticking.tick(w.world))
    assert len(heads(w)) == 1
    a_round(w)
    assert len(heads(w)) == 2


# --- Rounds ------------------------------------------------------------------------------------


def test_a_round_begins_an_hour_after_the_last_began_and_only_when_that_is_done() -> None:
    under_way = RoundRow(began_at=0.0, since=-9.0, cursor="uploads/m")
    assert rounds.current(under_way, 2.0 * HOUR) == under_way
    done = RoundRow(began_at=0.0, since=-9.0, cursor="uploads/z", done_at=60.0)
    assert rounds.current(done, HOUR - 1.0) is None
    assert rounds.current(done, float(HOUR)) == RoundRow(began_at=float(HOUR), since=-9.0)


@pytest.mark.parametrize(
    ("age_seconds", "asked"),
    [
        (limits.RECONCILE_GRACE_SECONDS - 1, False),
        (limits.RECONCILE_GRACE_SECONDS, True),
        (limits.RECONCILE_LOOKBACK_SECONDS, True),
        (limits.RECONCILE_LOOKBACK_SECONDS + 1, False),
    ],
)
def test_the_young_and_the_old_are_not_asked_about(age_seconds: float, asked: bool) -> None:
    assert rounds.is_asked_about(1e9 - age_seconds, 0.0, 1e9) is asked
    assert rounds.is_asked_about(1e9 - age_seconds, 1e9 - age_seconds + 1, 1e9) is False


def test_a_failed_job_of_a_found_upload_stays_failed(w: MemoryWorld) -> None:
    tick(w)
    upload(w)
    a_round(w)
    task, message = receive(w)
    report(w, Failed(**said(task), code="not_media"))
    w.jobs.delete(message.handle)
    a_round(w)
    assert [head.state.value for head in heads(w)] == ["failed"]
    assert w.jobs.depth().visible == 0
