"""One source becomes many tasks, and these become one deliverable: once, whatever comes twice, late
or in another order."""

from mayfly.contract import wire
from mayfly.contract.task import Inputs
from mayfly.core.rows import JobState, TaskState
from mayfly.memory.world import memory_world
from tests.unit.acting import outcomes, report
from tests.unit.given import PLAN
from tests.unit.splitting import begun, brought, finish_parts, head_of, take_all, tasks_of


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
    listed = wire.decode(Inputs, w.world.signer.fetched(finish.inputs).body)  # type: ignore[attr-defined]
    assert [(part.kind, part.number) for part in listed.parts] == [
        ("chunk", 0),
        ("chunk", 1),
        ("chunk", 2),
        ("audio", 0),
    ]
    bodies = [w.world.signer.fetched(part.fetch).body for part in listed.parts]  # type: ignore[attr-defined]
    assert bodies == [
        b"encode by n1",
        b"chunk-00001 by n1",
        b"chunk-00002 by n1",
        b"audio-0 by n1",
    ]
    assert take_all(w) == []
