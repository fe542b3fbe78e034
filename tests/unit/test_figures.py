"""What the dashboard and its alarms are told: names are part of what they watch."""

from typing import Any

import pytest

from mayfly.contract.failure import failure
from mayfly.contract.report import Interrupted, Started
from mayfly.core import limits
from mayfly.core.changes import Create, Update
from mayfly.core.rows import JobState, ServiceRow, head_key, pool_key, to_item
from mayfly.memory.world import MemoryWorld
from mayfly.perform import announcing, planning, reconciling, ticking, waiting, watching
from mayfly.perform.ports import ServiceWanted, Temporary
from tests.unit.acting import (
    CRASHED,
    cancel,
    dispatch,
    ecs_says,
    receive,
    report,
    said,
    tick,
    upload,
)
from tests.unit.given import AT, a_job

Figure = tuple[str, float, str, dict[str, str]]


def told(w: MemoryWorld, *names: str) -> list[Figure]:
    """The figures since the last call, of these names."""
    return [
        (one.name, one.value, one.unit, dict(one.dimensions))
        for one in w.world.tally.take()
        if not names or one.name in names
    ]


def test_the_end_of_a_job_is_counted_and_timed(w: MemoryWorld) -> None:
    good = a_job(JobState.SUCCEEDED, ended_at=AT + 70)
    bad = a_job(JobState.FAILED, job_id="job2", ended_at=AT + 5, failure=failure("not_media"))
    for head in (good, bad):
        w.table.commit([Create(key=head_key(head.job_id), item=to_item(head))])
    announcing.announce(w.world, "job1")
    assert told(w) == [
        ("JobsSucceeded", 1.0, "Count", {}),
        ("TimeToOutcomeSeconds", 70.0, "Seconds", {}),
    ]
    announcing.announce(w.world, "job2")
    assert told(w) == [
        ("JobsFailed", 1.0, "Count", {"code": "not_media"}),
        ("JobsFailed", 1.0, "Count", {}),
        ("TimeToOutcomeSeconds", 5.0, "Seconds", {}),
    ]
    announcing.announce(w.world, "nobody")
    assert told(w) == []


def test_a_spot_interruption_is_counted_and_other_reasons_are_not(w: MemoryWorld) -> None:
    dispatch(w, upload(w))
    task, _ = receive(w)
    report(w, Started(**said(task)), Interrupted(**said(task), reason="ordered"))
    assert told(w, "SpotInterruptions") == []
    task, _ = receive(w)
    report(
        w, Started(**said(task, "n2")), Interrupted(**said(task, "n2"), reason="spot_interruption")
    )
    assert told(w, "SpotInterruptions") == [("SpotInterruptions", 1.0, "Count", {})]


def test_each_tick_measures_each_pool_and_the_states_of_the_unfinished_jobs(
    w: MemoryWorld,
) -> None:
    for n in range(3):
        dispatch(w, upload(w, f"uploads/{n}.mp4", f"video{n}".encode()))
    task, _ = receive(w)
    report(w, Started(**said(task)))
    told(w)
    tick(w)
    assert sorted(told(w), key=str) == [
        ("JobsByState", 1, "Count", {"state": "running"}),
        ("JobsByState", 2, "Count", {"state": "queued"}),
        ("OpenJobs", 3, "Count", {"pool": "standard"}),
        ("OpenTasks", 3, "Count", {"pool": "standard"}),
        ("WorkersRunning", 3, "Count", {"pool": "standard"}),
    ]


def test_an_idle_pool_is_measured_by_zeros(w: MemoryWorld) -> None:
    tick(w)
    assert told(w) == [
        ("OpenJobs", 0, "Count", {"pool": "standard"}),
        ("OpenTasks", 0, "Count", {"pool": "standard"}),
        ("WorkersRunning", 0, "Count", {"pool": "standard"}),
    ]


def a_service(w: MemoryWorld, name: str, provider: str, desired: int) -> ServiceRow:
    w.services.create(
        ServiceWanted(
            name=name,
            pool="standard",
            task_definition="worker:1",
            desired=desired,
            capacity_provider=provider,
            client_token=name,
            tags={},
        )
    )
    return ServiceRow(
        name=name,
        asked=desired,
        created_at=w.clock.now(),
        capacity_provider=provider,
        task_definition="worker:1",
        created=True,
    )


def test_workers_without_work_and_workers_at_the_full_price_are_told_apart(
    w: MemoryWorld,
) -> None:
    rows = [a_service(w, "s1", "FARGATE_SPOT", 2), a_service(w, "t1", "FARGATE", 2)]
    services = {row.name: to_item(row) for row in rows}
    item = {"pool": "standard", "services": services}
    w.table.commit([Create(key=pool_key("standard"), item=item)])
    assert ticking.tick(w.world)
    pool = {"pool": "standard"}
    assert told(w, "WorkersRunning", "OnDemandWorkers", "IdleWorkers") == [
        ("WorkersRunning", 4, "Count", pool),
        ("OnDemandWorkers", 2, "Count", pool),
        ("IdleWorkers", 4, "Count", pool),
    ]
    w.table.commit([Update(key=pool_key("standard"), set={"open_jobs": 1})])
    ticking.tick(w.world)
    assert told(w, "IdleWorkers") == []


def test_a_look_that_fails_is_counted_and_the_others_are_made(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    dispatch(w, upload(w))
    first, second = Temporary("first"), Temporary("second")
    errors = [first, second]

    def fails(*given: Any) -> Any:
        raise errors.pop(0)

    monkeypatch.setattr(waiting, "see_out", fails)
    monkeypatch.setattr(reconciling, "reconcile", fails)
    told(w)
    assert ticking.tick(w.world)
    assert told(w, "LooksFailed") == [("LooksFailed", 1.0, "Count", {})] * 2


def test_a_tick_that_could_look_at_nothing_raises_the_first_error(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    errors = [Temporary(str(n)) for n in range(3)]
    left = list(errors)

    def fails(*given: Any, **named: Any) -> Any:
        raise left.pop(0)

    monkeypatch.setattr(w.table, "index", fails)
    monkeypatch.setattr(w.table, "get", fails)
    with pytest.raises(Temporary) as raised:
        ticking.tick(w.world)
    assert raised.value is errors[0] and left == []


def test_a_pool_that_could_not_be_read_saves_every_unknown_service(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own services would be taken for unknown ones."""

    def fails(*given: Any) -> Any:
        raise Temporary("not now")

    monkeypatch.setattr(planning, "read_pool", fails)
    looked: list[str] = []

    def looked_at() -> list[Any]:
        looked.append("tagged")
        return []

    monkeypatch.setattr(w.services, "tagged", looked_at)
    with pytest.raises(Temporary, match="not now"):
        ticking.tick(w.world)
    assert looked == []


def test_what_ecs_could_not_place_is_counted_by_pool(w: MemoryWorld) -> None:
    arns = [f"arn:aws:ecs:r:0:service/mayfly/{name}" for name in ("mayfly-small-1", "web")]
    assert watching.take_service_action(w.world, {"reason": "CAPACITY"}, arns) == ()
    assert told(w) == [("PlacementFailures", 1.0, "Count", {"pool": "small"})]


def test_a_pulled_brake_is_counted_once(w: MemoryWorld) -> None:
    dispatch(w, upload(w))
    (name,) = w.services.wanted()
    told(w)
    for n in range(limits.CRASHES_MAX + 2):
        ecs_says(w, f"w{n}", service=name, **CRASHED)
    assert told(w, "BrakePulled") == [("BrakePulled", 1.0, "Count", {"pool": "standard"})]


def test_an_upload_that_a_round_found_is_counted(w: MemoryWorld) -> None:
    upload(w)
    w.clock.sleep(limits.RECONCILE_GRACE_SECONDS)
    told(w)
    reconciling.reconcile(w.world, lambda look, *given: bool(look(w.world, *given)) or True)
    assert told(w) == [("UploadsReconciled", 1.0, "Count", {})]


def test_an_unknown_service_that_is_deleted_is_counted(w: MemoryWorld) -> None:
    w.services.create(
        ServiceWanted(
            name="mayfly-standard-x",
            pool="standard",
            task_definition="worker:1",
            desired=1,
            capacity_provider="FARGATE_SPOT",
            client_token="x",
            tags={"mayfly:stack": "mayfly"},
        )
    )
    counted = []
    for _ in range(3):
        tick(w)
        counted.append(len(told(w, "UnknownServicesDeleted")))
    assert counted == [0, 1, 0]


def test_figures_are_taken_once(w: MemoryWorld) -> None:
    w.world.tally.add("Name")
    assert told(w) == [("Name", 1.0, "Count", {})]
    assert told(w) == []


def test_a_cancelled_job_is_counted_as_such(w: MemoryWorld) -> None:
    dispatch(w, upload(w))
    task, _ = receive(w)
    told(w)
    cancel(w, task.job_id)
    assert ("JobsCancelled", 1.0, "Count", {}) in told(w)
