"""What the world is told of a job's end, and what it cost."""

from typing import Any

import msgspec

from mayfly.contract import wire
from mayfly.contract.failure import failure
from mayfly.contract.outcome import Outcome, Published, Receipt
from mayfly.contract.report import Proof
from mayfly.core import receipt as rules
from mayfly.core.changes import Create, Key
from mayfly.core.rows import (
    JobHead,
    JobSpec,
    JobState,
    TaskState,
    billed_key,
    busy_key,
    head_key,
    request_key,
    spec_key,
    task_key,
    to_item,
)
from mayfly.memory.world import MemoryWorld
from mayfly.perform import announcing, receipts
from tests.unit.given import ARTIFACT, AT, RECIPE, SOURCE, a_job, a_task

SPEC = JobSpec(recipe=msgspec.json.encode(RECIPE).decode(), source=SOURCE)


def stands(w: MemoryWorld, rows: dict[Key, Any]) -> None:
    for key, row in rows.items():
        item = row if isinstance(row, dict) else to_item(row)
        w.table.commit([Create(key=key, item=item)])


def ended(state: JobState, **fields: Any) -> JobHead:
    return a_job(state, run=3, attempts=4, interruptions=2, updated_at=AT + 9, **fields)


def outcome(state: Any, **fields: Any) -> Outcome:
    given: dict[str, Any] = {
        "job_id": "job1",
        "event_id": "job1-3",
        "state": state,
        "source": SOURCE.address,
        "preset": "mp4-720p",
        "tenant": "default",
        "run": 3,
        "accepted_at": AT,
        "ended_at": AT + 9,
        "attempts": 4,
        "interruptions": 2,
    }
    return Outcome(**(given | fields))


def published(key: str) -> Published:
    return Published(
        file="video.mp4", key=key, size_bytes=10, sha256="0" * 64, media=ARTIFACT.media
    )


def test_a_success_names_its_outputs_and_who_asked(w: MemoryWorld) -> None:
    done = a_task(TaskState.DONE, artifacts=(ARTIFACT,))
    stands(
        w,
        {
            head_key("job1"): ended(JobState.SUCCEEDED, ended_at=AT + 5),
            spec_key("job1"): SPEC,
            task_key("job1", "encode"): done,
            request_key("job1", "b"): {"request_id": "b"},
            request_key("job1", "a"): {"request_id": "a"},
        },
    )
    key = "outputs/a clip/mp4-720p/job1/video.mp4"
    expected = outcome(
        "succeeded", ended_at=AT + 5, outputs=(published(key),), request_ids=("a", "b")
    )
    assert announcing.outcome_of(w.world, "job1") == expected
    announcing.announce(w.world, "job1")
    assert w.bus.published == [("Mayfly Outcome", wire.encode(expected))]


def test_outputs_behind_a_users_own_urls_have_no_key(w: MemoryWorld) -> None:
    done = a_task(TaskState.DONE, artifacts=(ARTIFACT,))
    stands(
        w,
        {
            head_key("job1"): ended(JobState.SUCCEEDED),
            spec_key("job1"): JobSpec(recipe=SPEC.recipe),
            task_key("job1", "encode"): done,
        },
    )
    assert announcing.outcome_of(w.world, "job1") == outcome("succeeded", outputs=(published(""),))


def test_other_ends_have_no_outputs(w: MemoryWorld) -> None:
    done = a_task(TaskState.DONE, artifacts=(ARTIFACT,))
    why = failure("not_media")
    head = ended(JobState.FAILED, failure=why)
    stands(w, {head_key("job1"): head, spec_key("job1"): SPEC, task_key("job1", "encode"): done})
    assert announcing.outcome_of(w.world, "job1") == outcome("failed", failure=why)


def test_a_refused_request_has_no_spec_and_a_success_without_one_no_outputs(
    w: MemoryWorld,
) -> None:
    stands(w, {head_key("job1"): ended(JobState.SUCCEEDED)})
    assert announcing.outcome_of(w.world, "job1") == outcome("succeeded")


def test_every_end_has_its_name_and_what_has_not_ended_has_none(w: MemoryWorld) -> None:
    names = {}
    for state in JobState:
        stands(w, {head_key(state.value): a_job(state, job_id=state.value)})
        found = announcing.outcome_of(w.world, state.value)
        names[state.value] = found.state if found else None
    going = dict.fromkeys(("queued", "running", "finishing", "publishing"))
    ends = ("succeeded", "failed", "cancelled", "superseded")
    assert names == going | {end: end for end in ends}
    assert announcing.outcome_of(w.world, "nobody") is None
    announcing.announce(w.world, "running")
    assert w.bus.published == []


def test_a_receipt_adds_up_what_each_service_of_the_job_cost(w: MemoryWorld) -> None:
    def life(worker: str, **fields: Any) -> dict[str, Any]:
        told = {"worker": worker, "began_at": AT, "stopped_at": AT + 100}
        return told | {"vcpu": 2, "memory_gib": 4} | fields

    w.clock.sleep(200)
    stands(
        w,
        {
            head_key("job1"): a_job(),
            task_key("job1", "encode"): a_task(services=("s1", "s2")),
            task_key("job1", "finish"): a_task(task_id="finish", services=("s2",)),
            billed_key("s1", "w1"): life("w1"),
            billed_key("s2", "w2"): life("w2", spot=False, stopped_at=None),
            busy_key("s1", "job1", "n1"): {"job_id": "job1", "seconds": 30},
            busy_key("s1", "job2", "n1"): {"job_id": "job2", "seconds": 10},
            busy_key("s2", "job1", "n2"): {"job_id": "job1", "seconds": 5},
            Key("service#s1", "first#w1"): {"act": "began"},
        },
    )
    spot, dear = rules.dollars(75, 2, 4), rules.dollars(200, 2, 4, spot=False)
    assert receipts.receipt_of(w.world, "job1") == Receipt(
        billed_seconds=275.0,
        busy_seconds=35.0,
        vcpu=2.0,
        memory_gib=4.0,
        dollars=round(spot + dear, 6),
        final=False,
        on_demand_seconds=200.0,
    )


def test_how_the_work_was_divided_is_told_with_the_outcome(w: MemoryWorld) -> None:
    head = ended(JobState.SUCCEEDED, parts=2)
    joined = a_task(TaskState.DONE, task_id="finish", artifacts=(ARTIFACT,), note="In 2 chunks.")
    proof = Proof(chunks=2, frames=9, seams_checked=1, samples=7, made_anew=(1,))
    joined = msgspec.structs.replace(joined, proof=proof)
    part = a_task(TaskState.DONE, note="Nobody asks.", proof=Proof(frames=5))
    rows = {task_key("job1", "finish"): joined, task_key("job1", "encode"): part}
    stands(w, {head_key("job1"): head, spec_key("job1"): SPEC, **rows})
    found = announcing.outcome_of(w.world, "job1")
    assert found is not None and (found.note, found.proof) == ("In 2 chunks.", proof)
