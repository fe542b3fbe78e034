"""The Services port: names, draining, deleting; and what exactly is asked of ECS.

moto overwrites a service of the same name, knows no capacity providers and never drains, so the
claims are made in memory and on the embedded AWS.
"""

from typing import Any

import pytest

from mayfly.aws.ecs import EcsServices
from mayfly.memory.branches import Branches
from mayfly.memory.clock import VirtualClock
from mayfly.memory.services import MemoryServices
from mayfly.perform.ports import (
    Conflict,
    Gone,
    Services,
    ServiceSeen,
    ServiceWanted,
    Temporary,
)
from tests.contract.conftest import Expect
from tests.contract.worlds import STACK, AwsWorld, World

on_ecs = pytest.mark.parametrize(
    "world", ["memory", pytest.param("embedded", marks=pytest.mark.embedded)], indirect=True
)
only_embedded = pytest.mark.parametrize(
    "world", [pytest.param("embedded", marks=pytest.mark.embedded)], indirect=True
)


@pytest.fixture
def services(world: World) -> Services:
    return world.services()


@pytest.fixture
def task_definition(world: World) -> str:
    return world.task_definition()


def wanted(task_definition: str, name: str = "mayfly-small-1", **more: Any) -> ServiceWanted:
    asked: dict[str, Any] = {
        "name": name,
        "pool": "small",
        "task_definition": task_definition,
        "desired": 1,
        "capacity_provider": "FARGATE_SPOT",
        "client_token": name,
        "tags": {"mayfly:stack": STACK, "mayfly:pool": "small", "mayfly:expires": "1800000000"},
    }
    return ServiceWanted(**{**asked, **more})


def one(services: Services, name: str = "mayfly-small-1") -> ServiceSeen:
    (seen,) = services.describe([name])
    return seen


@on_ecs
def test_a_created_service_is_described_with_its_tags(
    services: Services, task_definition: str
) -> None:
    services.create(wanted(task_definition, desired=2))
    seen = one(services)
    assert (seen.name, seen.status, seen.desired) == ("mayfly-small-1", "ACTIVE", 2)
    assert seen.running + seen.pending == 2
    assert dict(seen.tags) == dict(wanted(task_definition).tags)


@on_ecs
def test_the_same_creation_twice_is_one_service(services: Services, task_definition: str) -> None:
    services.create(wanted(task_definition))
    services.create(wanted(task_definition))
    assert len(services.tagged()) == 1


@on_ecs
def test_a_name_that_is_taken_is_ours(services: Services, task_definition: str) -> None:
    """A creation whose answer was lost is asked again, when more may be wanted."""
    services.create(wanted(task_definition))
    services.create(wanted(task_definition, desired=3, client_token="another"))
    assert one(services).desired == 1


@on_ecs
def test_a_service_is_resized(services: Services, task_definition: str) -> None:
    services.create(wanted(task_definition))
    services.resize("mayfly-small-1", 3)
    assert one(services).desired == 3


@on_ecs
def test_a_service_with_desired_tasks_is_not_deleted(
    services: Services, task_definition: str
) -> None:
    services.create(wanted(task_definition))
    with pytest.raises(Conflict):
        services.delete("mayfly-small-1")
    assert one(services).status == "ACTIVE"


@on_ecs
def test_a_deleted_service_is_active_no_more(services: Services, task_definition: str) -> None:
    services.create(wanted(task_definition, desired=0))
    services.delete("mayfly-small-1")
    services.delete("mayfly-small-1")
    assert services.tagged() == []
    assert {seen.status for seen in services.describe(["mayfly-small-1"])} <= {
        "DRAINING",
        "INACTIVE",
    }
    with pytest.raises(Gone):
        services.resize("mayfly-small-1", 1)


@on_ecs
def test_a_service_that_never_was_is_gone_and_deleting_it_is_fine(services: Services) -> None:
    services.delete("mayfly-small-none")
    assert services.describe(["mayfly-small-none"]) == []
    assert services.describe([]) == []
    with pytest.raises(Gone):
        services.resize("mayfly-small-none", 1)


@on_ecs
def test_more_services_are_described_than_ecs_takes_at_once(
    services: Services, task_definition: str
) -> None:
    names = [f"mayfly-small-{number}" for number in range(12)]
    for name in names:
        services.create(wanted(task_definition, name, desired=0))
    seen = services.describe([*names, "mayfly-small-none"])
    assert sorted(service.name for service in seen) == sorted(names)
    assert sorted(service.name for service in services.tagged()) == sorted(names)


@on_ecs
def test_a_name_can_be_used_again_once_its_service_is_inactive(
    services: Services, task_definition: str
) -> None:
    services.create(wanted(task_definition, desired=0))
    services.delete("mayfly-small-1")
    services.create(wanted(task_definition, desired=2))
    assert (one(services).status, one(services).desired) == ("ACTIVE", 2)


@on_ecs
def test_a_deleted_service_drains_while_its_tasks_stop(
    services: Services, task_definition: str, gap: Expect
) -> None:
    gap("draining")
    services.create(wanted(task_definition, desired=1))
    if isinstance(services, MemoryServices):
        services.keep("mayfly-small-1", 1)
    services.resize("mayfly-small-1", 0)
    services.delete("mayfly-small-1")
    assert one(services).status == "DRAINING"
    with pytest.raises(Temporary):
        services.create(wanted(task_definition))


@on_ecs
def test_the_later_of_two_resizings_counts(services: Services, task_definition: str) -> None:
    services.create(wanted(task_definition, desired=0))
    services.resize("mayfly-small-1", 3)
    services.resize("mayfly-small-1", 1)
    assert one(services).desired == 1


@on_ecs
def test_more_services_are_listed_than_ecs_gives_in_a_page(
    world: World, services: Services, task_definition: str
) -> None:
    names = [f"mayfly-small-{number:03}" for number in range(105)]
    for name in names:
        try:
            services.create(wanted(task_definition, name, desired=0))
        except Temporary:
            world.pass_seconds(5)  # 50 calls at once, and then 5 a second
            services.create(wanted(task_definition, name, desired=0))
    assert sorted(seen.name for seen in services.tagged()) == names


@on_ecs
def test_only_services_of_our_stack_are_ours(services: Services, task_definition: str) -> None:
    services.create(wanted(task_definition, desired=0))
    services.create(wanted(task_definition, "other", desired=0, tags={"mayfly:stack": "another"}))
    services.create(wanted(task_definition, "bare", desired=0, tags={"team": "video"}))
    assert [service.name for service in services.tagged()] == ["mayfly-small-1"]


@only_embedded
def test_ecs_is_asked_for_spot_and_for_no_rebalancing(
    world: World, services: Services, task_definition: str
) -> None:
    assert isinstance(world, AwsWorld)
    assert isinstance(services, EcsServices)
    services.create(wanted(task_definition, desired=0))
    described = world.client("ecs").describe_services(
        cluster=services._cluster, services=["mayfly-small-1"]
    )
    service = described["services"][0]
    (strategy,) = service["capacityProviderStrategy"]
    assert (strategy["capacityProvider"], strategy["weight"]) == ("FARGATE_SPOT", 1)
    assert "launchType" not in service


class Refusing:
    """An ECS client that answers everything with one error, or writes down what it is asked."""

    def __init__(self, code: str = "", message: str = "") -> None:
        self._error = {"Error": {"Code": code, "Message": message}} if code else None
        self.asked: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        from botocore.exceptions import ClientError

        def call(**asked: Any) -> dict[str, Any]:
            if self._error:
                raise ClientError(self._error, name)
            self.asked = asked
            return {}

        return call


def ecs(client: Any) -> EcsServices:
    return EcsServices(
        client,
        cluster="cluster",
        stack=STACK,
        subnets=("subnet-1", "subnet-2"),
        security_groups=("sg-1",),
        assign_public_ip=False,
    )


def test_every_default_that_would_stop_a_busy_worker_is_overruled() -> None:
    client = Refusing()
    ecs(client).create(wanted("worker:7"))
    asked = client.asked
    assert asked["availabilityZoneRebalancing"] == "DISABLED"
    assert asked["capacityProviderStrategy"] == [
        {"capacityProvider": "FARGATE_SPOT", "weight": 1, "base": 0}
    ]
    assert "launchType" not in asked
    assert asked["deploymentConfiguration"]["maximumPercent"] == 100
    assert asked["clientToken"] == "mayfly-small-1"
    assert (asked["enableECSManagedTags"], asked["propagateTags"]) == (True, "SERVICE")
    network = asked["networkConfiguration"]["awsvpcConfiguration"]
    assert network == {
        "subnets": ["subnet-1", "subnet-2"],
        "securityGroups": ["sg-1"],
        "assignPublicIp": "DISABLED",
    }


def test_a_deletion_is_never_forced() -> None:
    client = Refusing()
    ecs(client).delete("mayfly-small-1")
    assert client.asked == {"cluster": "cluster", "service": "mayfly-small-1"}


@pytest.mark.parametrize(
    ("code", "message", "told"),
    [
        (
            "InvalidParameterException",
            "Unable to Start a service that is still Draining.",
            Temporary,
        ),
        ("ThrottlingException", "Rate exceeded", Temporary),
        ("ServerException", "Service Unavailable", Temporary),
        ("InvalidParameterException", "TaskDefinition not found.", ValueError),
        ("ClusterNotFoundException", "Cluster not found.", Gone),
        ("AccessDeniedException", "not authorized to perform: ecs:CreateService", ValueError),
    ],
)
def test_a_refused_creation_is_told_by_its_consequence(
    code: str, message: str, told: type[Exception]
) -> None:
    with pytest.raises(told):
        ecs(Refusing(code, message)).create(wanted("worker:7"))


def test_a_service_that_is_not_active_any_more_is_gone() -> None:
    with pytest.raises(Gone):
        ecs(Refusing("ServiceNotActiveException")).resize("mayfly-small-1", 1)
    ecs(Refusing("ServiceNotActiveException")).delete("mayfly-small-1")


@pytest.fixture
def memory() -> MemoryServices:
    return MemoryServices(VirtualClock(), stack=STACK)


def test_in_memory_a_name_cannot_be_used_again_while_it_drains(memory: MemoryServices) -> None:
    memory.create(wanted("worker:1", desired=2))
    memory.keep("mayfly-small-1", 1)
    memory.resize("mayfly-small-1", 0)
    assert one(memory).running == 1
    memory.delete("mayfly-small-1")
    assert one(memory).status == "DRAINING"
    with pytest.raises(Temporary):
        memory.create(wanted("worker:1"))
    memory.keep("mayfly-small-1", 0)
    assert one(memory).status == "INACTIVE"
    memory.create(wanted("worker:1"))
    assert one(memory).status == "ACTIVE"


def test_in_memory_capacity_can_be_held_back(memory: MemoryServices) -> None:
    memory.create(wanted("worker:1", desired=3))
    memory.hold_back("mayfly-small-1", 1)
    assert (one(memory).running, one(memory).pending) == (1, 2)
    memory.hold_back("mayfly-small-1", None)
    assert (one(memory).running, one(memory).pending) == (3, 0)


def test_in_memory_a_service_may_be_seen_late() -> None:
    clock = VirtualClock()
    services = MemoryServices(clock, stack=STACK, branches=Branches(service_unseen_seconds=5))
    services.create(wanted("worker:1"))
    assert services.describe(["mayfly-small-1"]) == []
    assert services.tagged() == []
    clock.sleep(5)
    assert one(services).status == "ACTIVE"
