"""What ECS tells of its tasks: what is billed, what counts as a crash, what is somebody else's."""

from typing import Any

import pytest

from mayfly.core import commands, limits, rows
from mayfly.core.brake import WorkerStopped
from mayfly.core.changes import Create
from mayfly.core.rows import ServiceRow, TaskState, pool_key, to_item
from mayfly.memory.world import MemoryWorld
from mayfly.perform import watching
from mayfly.perform.ports import Conflict, Temporary
from tests.unit import given

CREATED, PULLED, STOPPED = (
    1_763_715_600.0,
    1_763_715_610.0,
    1_763_715_700.5,
)
KEY = rows.billed_key("mayfly-standard-1", "w1")
SEE = commands.SeeToPool(pool="standard")


def a_task(**fields: Any) -> dict[str, Any]:
    detail: dict[str, Any] = {
        "taskArn": "arn:aws:ecs:eu-west-1:0:task/mayfly/w1",
        "group": "service:mayfly-standard-1",
        "lastStatus": "PROVISIONING",
        "desiredStatus": "RUNNING",
        "createdAt": "2025-11-21T09:00:00Z",
        "cpu": "2048",
        "memory": "4096",
        "capacityProviderName": "FARGATE_SPOT",
    }
    return detail | fields


def a_stop(**fields: Any) -> dict[str, Any]:
    stop = {"lastStatus": "STOPPED", "stoppedAt": "2025-11-21T09:01:40.5Z"}
    return a_task(**(stop | {"stopCode": "ServiceSchedulerInitiated"} | fields))


def billed(w: MemoryWorld) -> Any:
    (item,) = w.table.get(KEY)
    return item


def facts(**fields: Any) -> dict[str, Any]:
    return {
        "worker": "w1",
        "began_at": CREATED,
        "vcpu": 2.0,
        "memory_gib": 4.0,
        "spot": True,
        "stop_code": "",
        "expires_at": int(CREATED) + limits.RECORD_SECONDS,
    } | fields


def test_a_worker_is_billed_from_its_creation_then_from_the_pull_of_its_image(
    w: MemoryWorld,
) -> None:
    assert watching.take_task_event(w.world, a_task()) == ()
    assert billed(w) == facts()
    pulled = a_task(pullStartedAt="2025-11-21T09:00:10Z", lastStatus="PENDING")
    assert watching.take_task_event(w.world, pulled) == ()
    expires = int(PULLED) + limits.RECORD_SECONDS
    assert billed(w) == facts(began_at=PULLED, expires_at=expires)


def test_a_stop_is_the_end_of_the_bill_whatever_is_told_later(w: MemoryWorld) -> None:
    assert watching.take_task_event(w.world, a_stop()) == (SEE,)
    ended = facts(stopped_at=STOPPED, stop_code="ServiceSchedulerInitiated")
    assert billed(w) == ended
    watching.take_task_event(w.world, a_task(lastStatus="RUNNING", capacityProviderName=""))
    assert billed(w) == ended
    watching.take_task_event(w.world, a_stop(cpu="1024"))
    assert billed(w) == ended | {"vcpu": 1.0}


def test_what_is_not_on_spot_and_what_is_not_told_costs_what_it_costs(w: MemoryWorld) -> None:
    plain = a_task(capacityProviderName="FARGATE")
    del plain["cpu"], plain["memory"]
    watching.take_task_event(w.world, plain)
    assert billed(w) == facts(spot=False, vcpu=0.0, memory_gib=0.0)
    del plain["capacityProviderName"]
    watching.take_task_event(w.world, plain)
    assert billed(w)["spot"] is False


@pytest.mark.parametrize("group", ["service:web", "family:worker", ""])
def test_tasks_of_somebody_else_are_nothing_to_us(w: MemoryWorld, group: str) -> None:
    assert watching.take_task_event(w.world, a_stop(group=group)) == ()
    alone = a_stop()
    del alone["group"]
    assert watching.take_task_event(w.world, alone) == ()
    assert w.table.snapshot() == {}


def test_a_stop_that_could_not_be_written_is_told_again(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    def meets(changes: Any) -> None:
        raise Conflict("TransactionConflict")

    monkeypatch.setattr(w.table, "commit", meets)
    with pytest.raises(Temporary, match=r"^A worker's end could not be written down\.$"):
        watching.take_task_event(w.world, a_stop())


def test_a_crash_that_could_not_be_counted_is_told_again(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = w.table.commit

    def meets(changes: Any) -> None:
        if len(changes) > 1:
            raise Conflict("TransactionConflict")
        commit(changes)

    monkeypatch.setattr(w.table, "commit", meets)
    crash = a_stop(stopCode="EssentialContainerExited", containers=[{"exitCode": 1}])
    with pytest.raises(Temporary, match=r"^A crash could not be counted\.$"):
        watching.take_task_event(w.world, crash)
    first = Create(key=rows.first_act_key("mayfly-standard-1", "w1"), item={"act": "began"})
    commit([first])
    assert watching.take_task_event(w.world, crash) == (SEE,)


def with_twin(w: MemoryWorld) -> None:
    twin = ServiceRow(
        name="t1",
        asked=1,
        created_at=0.0,
        capacity_provider="FARGATE",
        task_definition="worker:1",
    )
    item = {"pool": "standard", "services": {"t1": to_item(twin)}}
    w.table.commit([Create(key=pool_key("standard"), item=item)])


def test_a_worker_that_runs_lets_a_twin_go_at_once_and_else_means_nothing(
    w: MemoryWorld,
) -> None:
    runs = a_task(lastStatus="RUNNING")
    assert watching.take_task_event(w.world, runs) == ()
    with_twin(w)
    settled = (commands.SeeToPool(pool="standard", settled=True),)
    assert watching.take_task_event(w.world, runs) == settled
    leaving = a_task(lastStatus="RUNNING", desiredStatus="STOPPED")
    assert watching.take_task_event(w.world, leaving) == ()
    assert watching.take_task_event(w.world, a_task(lastStatus="PENDING")) == ()


@pytest.mark.parametrize(
    ("containers", "code"),
    [
        ([{"exitCode": 0}, {"exitCode": 137}], 137),
        ([{"exitCode": 3}, {"exitCode": 137}], 3),
        ([{"name": "worker"}, {"exitCode": 0}], 0),
        ([{"exitCode": None}], None),
        ([{"name": "worker"}], None),
        ([], None),
    ],
)
def test_the_exit_code_is_the_first_that_says_something(
    containers: list[dict[str, Any]], code: int | None
) -> None:
    assert watching._exit_code({"containers": containers}) == code
    assert watching._exit_code({}) is None


def test_a_crash_is_told_to_the_brake_with_all_that_is_known(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    stops: list[WorkerStopped] = []

    def judged(world: Any, stop: WorkerStopped) -> tuple[()]:
        stops.append(stop)
        return ()

    monkeypatch.setattr(watching, "_judge", judged)
    known = a_stop(
        stopCode="TaskFailedToStart", stoppedReason="no image", containers=[{"exitCode": 7}]
    )
    watching.take_task_event(w.world, known)
    bare = a_stop()
    del bare["stopCode"]
    watching.take_task_event(w.world, bare)
    ids: dict[str, Any] = {"worker": "w1", "service": "mayfly-standard-1", "pool": "standard"}
    assert stops == [
        WorkerStopped(**ids, stop_code="TaskFailedToStart", reason="no image", exit_code=7),
        WorkerStopped(**ids, stop_code="", reason="", exit_code=None),
    ]


def test_a_broken_pool_fails_what_is_out_and_what_waits_of_the_tenants_whose_turn_it_is(
    w: MemoryWorld,
) -> None:
    def stands(name: str, tenant: str, place: str) -> None:
        job = given.a_job(job_id=name, tenant=tenant)
        task = given.a_task(TaskState.OPEN, job_id=name, tenant=tenant)
        index = {"gpk": f"tasks#standard#{place}", "gsk": name}
        w.table.commit(
            [
                Create(key=rows.head_key(name), item=to_item(job)),
                Create(key=rows.task_key(name, "encode"), item={**to_item(task), **index}),
            ]
        )

    most = limits.TENANTS_LOOKED_AT_MAX
    names = [f"t{n:02d}" for n in range(most + 1)]
    stands("out", "t00", "out")
    for name in names:
        stands(name, name, f"open#{name}")
        turn = {"tenant": name, "open_jobs": 1, "gpk": "tenants#standard#open", "gsk": name}
        w.table.commit([Create(key=rows.tenant_key("standard", name), item=turn)])
    watching.break_pool(w.world, "standard")
    ended = [
        name
        for name in ("out", *names)
        for item in w.table.get(rows.head_key(name))
        if item is not None and item["state"] == "failed"
    ]
    # Of the first something is out, so it is looked at last.
    assert ended == ["out", *names[1:]]


def test_times_come_as_stamps_or_as_seconds() -> None:
    assert watching._seconds("2025-11-21T09:00:00Z") == CREATED
    assert watching._seconds("2025-11-21T10:00:00+01:00") == CREATED
    assert watching._seconds(5) == 5.0 and watching._seconds(5.5) == 5.5
