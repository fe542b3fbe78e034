"""What is replaced in MiniStack is looked for first; and what takes its place keeps time."""

import importlib.metadata
import time
from collections.abc import Iterator
from typing import Any

import pytest

from local.ecs import protection, services, tasks
from local.ecs.store import MINISTACK_VERSION, Record, Store, WrongMiniStack, open_store


def test_another_ministack_is_refused_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.metadata, "version", lambda _: "1.6.0")
    with pytest.raises(WrongMiniStack, match=rf"1\.6\.0 is installed.*{MINISTACK_VERSION}.*uv"):
        open_store(0)


def test_a_function_that_is_gone_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(open_store(0).ecs, "_sanitize")
    with pytest.raises(WrongMiniStack, match="lacks _sanitize"):
        open_store(0)


class Hands:
    """The watch of a test."""

    now = 1_800_000_000.0


@pytest.fixture
def hands(monkeypatch: pytest.MonkeyPatch) -> Hands:
    made = Hands()
    monkeypatch.setattr(time, "time", lambda: made.now)
    return made


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch, hands: Hands) -> Iterator[Store]:
    """MiniStack's records in this process, with nothing in them."""
    made = open_store(draining_seconds=30)

    def settle(_cluster: str, key: str) -> None:
        services.settle(made, made.ecs._services[key])

    monkeypatch.setattr(made.ecs, "_reconcile_service_tasks", settle)
    monkeypatch.setattr(made.ecs, "_get_docker", lambda: None)
    yield made
    made.ecs.reset()


def hatch(store: Store) -> tuple[Record, Record]:
    """A service and its one running task."""
    actions = store.ecs._ACTION_MAP
    actions["CreateCluster"]({"clusterName": "c"})
    container = {"name": "worker", "image": "worker"}
    actions["RegisterTaskDefinition"]({"family": "f", "containerDefinitions": [container]})
    request: dict[str, Any] = {
        "cluster": "c",
        "serviceName": "s",
        "taskDefinition": "f",
        "desiredCount": 1,
        "launchType": "FARGATE",
    }
    services.create(store, actions["CreateService"], request)
    service = store.ecs._services["c/s"]
    [task] = store.tasks_of(service)
    tasks.submit(store, {"cluster": "c", "task": task["taskArn"], "status": "RUNNING"})
    return service, task


def protect(store: Store, task: Record, minutes: int) -> None:
    protection.update(
        store,
        {
            "cluster": "c",
            "tasks": [task["taskArn"]],
            "protectionEnabled": True,
            "expiresInMinutes": minutes,
        },
    )


def test_a_protection_ends_by_itself_and_scale_in_goes_on(store: Store, hands: Hands) -> None:
    service, task = hatch(store)
    protect(store, task, minutes=2)
    service["desiredCount"] = 0
    hands.now += 119
    services.settle(store, service)
    assert task["desiredStatus"] == "RUNNING"
    hands.now += 2
    services.settle(store, service)
    assert (task["desiredStatus"], task["stopCode"]) == ("STOPPED", "ServiceSchedulerInitiated")


def test_a_protection_is_told_as_over_when_it_is(store: Store, hands: Hands) -> None:
    _, task = hatch(store)
    protect(store, task, minutes=1)
    hands.now += 61
    answer = protection.get(store, {"cluster": "c", "tasks": [task["taskArn"]]})
    assert b'"protectionEnabled": false' in answer[2]
    assert b"expirationDate" not in answer[2]


def test_a_service_drains_as_long_as_the_laptop_is_told(store: Store, hands: Hands) -> None:
    service, task = hatch(store)
    service["desiredCount"] = 0
    services.settle(store, service)
    tasks.submit(store, {"cluster": "c", "task": task["taskArn"], "status": "STOPPED"})
    services.delete(store, {"cluster": "c", "service": "s"})
    hands.now += 29
    services.settle(store, service)
    assert service["status"] == "DRAINING"
    hands.now += 2
    services.settle(store, service)
    assert service["status"] == "INACTIVE"
