"""One source becomes many tasks, and these become one deliverable: once, whatever comes twice, late
or in another order."""

import msgspec
import pytest

from completion_handler import desk as completion
from mayfly.contract import wire
from mayfly.contract.report import Adopted, Failed, Interrupted, RenewalWanted, Started
from mayfly.contract.task import Control, Fetch, PutUrls, Source, Task, read_inputs
from mayfly.core import limits
from mayfly.core.rows import JobState, TaskState
from mayfly.memory.world import memory_world
from mayfly.perform import engine
from tests.unit.acting import dispatch, outcomes, receive, report, said, upload
from tests.unit.given import PLAN, RECIPE
from tests.unit.splitting import (
    assert_whole,
    begun,
    brought,
    fetched,
    finish_parts,
    head_of,
    indexed,
    plan_of,
    planned,
    take_all,
    tasks_of,
    work_to_the_end,
)


def test_a_planned_job_is_done_by_many_workers_and_joined_by_one() -> None:
    w = memory_world()
    first = begun(w)
    taken = finish_parts(w, first)

    assert [task.task_id for task in taken] == ["audio-0", "chunk-00001", "chunk-00002", "finish"]
    sound, second, third, finish = taken
    assert (sound.kind, sound.track, sound.scope) == ("audio", 0, None)
    assert (second.scope, third.scope) == (PLAN.scope(1), PLAN.scope(2))
    assert {task.plan_clock for task in taken} == {PLAN.clock}
    assert len({first.token, *(task.token for task in taken)}) == 5
    assert head_of(w, first.job_id).state is JobState.FINISHING

    report(w, brought(w, finish))

    (outcome,) = outcomes(w)
    assert outcome.state == "succeeded"
    assert [output.file for output in outcome.outputs] == ["video.mp4"]
    stored = w.store.get("media", outcome.outputs[0].key)
    assert stored is not None and stored.body == b"finish by n1"


def test_the_first_chunk_is_what_the_encode_task_became() -> None:
    w = memory_world()
    first = begun(w)
    row = tasks_of(w, first.job_id)["encode"]
    assert (row.kind, row.number, row.scope) == ("chunk", 0, PLAN.scope(0))
    assert row.state is TaskState.RUNNING and row.token == first.token


def test_a_finish_reads_its_parts_from_an_object_in_the_order_of_their_numbers() -> None:
    w = memory_world()
    finish = finish_parts(w, begun(w))[-1]
    assert finish.inputs is not None
    listed = read_inputs(fetched(w, finish.inputs))
    assert [(part.kind, part.number) for part in listed.parts] == [
        ("chunk", 0),
        ("chunk", 1),
        ("chunk", 2),
        ("audio", 0),
    ]
    bodies = [fetched(w, part.fetch) for part in listed.parts]
    assert bodies == [
        b"encode by n1",
        b"chunk-00001 by n1",
        b"chunk-00002 by n1",
        b"audio-0 by n1",
    ]
    assert take_all(w) == []


def test_a_plan_told_twice_enqueues_nothing_twice() -> None:
    w = memory_world()
    first = begun(w)
    names = sorted(task.task_id or "" for task in take_all(w))
    report(w, planned(first), planned(first))
    assert names == ["audio-0", "chunk-00001", "chunk-00002"]
    assert take_all(w) == []
    assert head_of(w, first.job_id).open_tasks == 4


def test_of_two_different_plans_the_first_wins_and_its_chunks_alone_are_taken() -> None:
    w = memory_world()
    first = begun(w)
    other = plan_of(9)
    report(w, planned(first, other, "n2"), brought(w, first, "n2", other.scope(0)))
    assert tasks_of(w, first.job_id)["encode"].state is TaskState.RUNNING
    work_to_the_end(w, first)
    assert_whole(w, first.job_id)
    assert head_of(w, first.job_id).interruptions == 0


def test_a_chunk_of_a_plan_that_was_not_taken_goes_back_and_is_done_as_it_was_cut() -> None:
    """The first worker vanishes after its plan; the second, of another version, got the first's
    message, plans otherwise and deletes the message when it is done."""
    w = memory_world()
    first = begun(w)
    others = plan_of(9)
    report(w, Started(**said(first, "n2")), planned(first, others, "n2"))
    take_all(w)
    report(w, brought(w, first, "n2", others.scope(0)))
    (again,) = take_all(w)
    assert (again.task_id, again.kind, again.scope) == ("encode", "chunk", PLAN.scope(0))
    assert tasks_of(w, first.job_id)["encode"].artifacts == ()
    report(w, brought(w, again, "n3"))
    assert tasks_of(w, first.job_id)["encode"].state is TaskState.DONE


def test_the_whole_source_is_not_taken_for_its_first_chunk() -> None:
    w = memory_world()
    first = begun(w)
    take_all(w)
    report(w, Started(**said(first, "old")))
    whole = msgspec.structs.replace(brought(w, first, "old"), scope=None)
    report(w, whole)
    row = tasks_of(w, first.job_id)["encode"]
    assert row.state is TaskState.RELEASED and row.artifacts == ()
    assert row.interruptions == 1


def test_a_worker_killed_after_its_plan_leaves_the_first_chunk_to_another() -> None:
    """The message of the whole task becomes visible again; its second reader plans again, is not
    listened to, and does the same first chunk."""
    w = memory_world()
    dispatch(w, upload(w))
    first, message = receive(w)
    report(w, Started(**said(first)), planned(first))
    take_all(w)
    w.clock.sleep(100)
    again, message = receive(w)
    assert again.kind == "encode"
    report(w, Started(**said(again, "n2")), planned(again, attempt="n2"))
    report(w, brought(w, again, "n2", PLAN.scope(0)))
    w.jobs.delete(message.handle)
    assert tasks_of(w, first.job_id)["encode"].state is TaskState.DONE
    assert take_all(w) == []


def test_an_interrupted_planner_hands_on_its_first_chunk_and_not_the_whole() -> None:
    w = memory_world()
    first = begun(w)
    take_all(w)
    report(w, Interrupted(**said(first), reason="spot_interruption"))
    (again,) = take_all(w)
    assert (again.kind, again.scope, again.token) == ("chunk", PLAN.scope(0), first.token)


def test_a_plan_that_comes_after_the_interruption_spares_the_next_worker_the_search() -> None:
    w = memory_world()
    dispatch(w, upload(w))
    first, message = receive(w)
    report(w, Started(**said(first)), Interrupted(**said(first), reason="spot_interruption"))
    w.jobs.delete(message.handle)
    report(w, planned(first))
    kinds = [(task.task_id, task.kind) for task in take_all(w)]
    assert ("chunk-00001", "chunk") in kinds and ("audio-0", "audio") in kinds
    # Its first chunk was on the queue as the whole by then: whoever takes it plans again.
    assert ("encode", "encode") in kinds


def test_a_chunk_that_is_told_before_its_plan_is_heard_again() -> None:
    w = memory_world()
    dispatch(w, upload(w))
    first, _ = receive(w)
    report(w, Started(**said(first)))
    w.done.send(wire.encode(brought(w, first, scope=PLAN.scope(0))))
    (early,) = w.done.receive(wait_seconds=0)
    with pytest.raises(engine.TooEarly):
        completion.take(w.world, "mayfly-done", early)
    report(w, planned(first))
    w.clock.sleep(limits.COMPLETION_SECONDS_MAX * limits.HIDDEN_FACTOR)
    (again,) = w.done.receive(wait_seconds=0)
    engine.run(w.world, completion.take(w.world, "mayfly-done", again))
    assert tasks_of(w, first.job_id)["encode"].state is TaskState.DONE
    assert head_of(w, first.job_id).open_tasks == 3


def test_a_plan_that_cannot_be_carried_out_ends_its_job_with_a_sentence() -> None:
    w = memory_world()
    begun(w, msgspec.structs.replace(PLAN, boundaries=(5, 4)))
    (outcome,) = outcomes(w)
    assert outcome.failure is not None and outcome.failure.code == "plan_refused"
    assert "follow each other" in outcome.failure.sentence


def test_a_part_that_is_stored_outside_of_its_attempt_is_not_taken() -> None:
    w = memory_world()
    first = begun(w)
    sound, *_ = take_all(w)
    others = brought(w, first, scope=PLAN.scope(0)).outputs
    report(w, msgspec.structs.replace(brought(w, sound), outputs=others))
    row = tasks_of(w, first.job_id)["audio-0"]
    assert row.artifacts == () and row.last_failure is not None
    assert row.last_failure.code == "output_broken"


def test_bad_input_in_one_part_ends_the_job_and_stops_the_others() -> None:
    w = memory_world()
    first = begun(w, plan_of(30))
    sound, *_ = take_all(w)
    report(w, Failed(**said(sound), code="source_corrupt"))
    (outcome,) = outcomes(w)
    assert outcome.failure is not None and outcome.failure.code == "source_corrupt"
    assert indexed(w) == []
    told = [key for key in w.store.keys("media", "work/") if key.endswith("control.json")]
    # Those on the queue or in work, and none of the 25 that wait in the table.
    assert len(told) == 6 and f"work/{first.job_id}/encode/control.json" in told


def test_a_finish_finds_its_list_written_anew_with_its_renewed_grants() -> None:
    w = memory_world()
    finish = finish_parts(w, begun(w))[-1]
    key = f"work/{finish.job_id}/finish/inputs.json.gz"
    before = w.store.read("media", key)
    w.clock.sleep(limits.GRANT_SECONDS - 60)
    report(w, RenewalWanted(**said(finish)))
    found = w.store.get("media", f"work/{finish.job_id}/finish/control.json")
    assert found is not None
    grants = wire.decode(Control, found.body).grants
    assert grants is not None and grants.inputs is not None
    w.clock.sleep(120)
    listed = read_inputs(fetched(w, grants.inputs))
    assert fetched(w, listed.parts[0].fetch) == b"encode by n1"
    assert before != w.store.read("media", key)


def test_an_adopted_task_is_never_cut() -> None:
    w = memory_world()
    own = Task(
        source=Source(fetch=Fetch(url="https://b.s3.amazonaws.com/x.mp4")),
        recipe=RECIPE,
        upload=PutUrls(urls={}),
        job_id="mine",
        task_id="encode",
        token="t",
    )
    adopted = Adopted(**said(own), pool="standard", recipe=RECIPE, source="host/x")
    report(w, adopted, Started(**said(own)), planned(own))
    assert head_of(w, "mine").parts == 1
    assert tasks_of(w, "mine")["encode"].kind == "encode"
