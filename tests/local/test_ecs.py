"""The laptop's ECS keeps AWS's promises to the planner, and breaks those that AWS does not make."""

import pytest
from botocore.exceptions import ClientError

from local.ecs import INTERRUPT_ACTION
from local.fargate import NoSuchTask, ecs_call
from tests.local.conftest import Cluster, define, wait_for

pytestmark = pytest.mark.embedded


def refusal(error: pytest.ExceptionInfo[ClientError]) -> tuple[str, str]:
    said = error.value.response["Error"]
    return said["Code"], said["Message"]


def test_a_new_task_is_not_running_until_the_agent_says_so(cluster: Cluster) -> None:
    made = cluster.create("s", 1)
    assert (made["runningCount"], made["pendingCount"]) == (0, 1)
    [arn] = cluster.tasks()
    assert cluster.task(arn)["lastStatus"] == "PROVISIONING"
    cluster.say(arn, "RUNNING")
    assert cluster.task(arn)["lastStatus"] == "RUNNING"
    found = cluster.service("s")
    assert (found["runningCount"], found["pendingCount"]) == (1, 0)


def test_scale_in_leaves_protected_tasks_alone(cluster: Cluster) -> None:
    cluster.create("s", 3)
    tasks = cluster.running_all()
    busy = tasks[:2]
    for arn in busy:
        assert cluster.protect(arn) is None
    cluster.scale("s", 0)
    assert set(cluster.tasks()) == set(busy)
    stopped = cluster.task(tasks[2])
    assert stopped["stopCode"] == "ServiceSchedulerInitiated"
    assert stopped["lastStatus"] == "STOPPING"


def test_a_task_leaves_when_its_protection_ends_after_scale_in(cluster: Cluster) -> None:
    cluster.create("s", 1)
    [arn] = cluster.running_all()
    cluster.protect(arn)
    cluster.scale("s", 0)
    assert cluster.tasks() == [arn]
    cluster.protect(arn, enabled=False)
    assert cluster.tasks() == []


def test_work_that_comes_back_before_a_drain_ends_keeps_the_busy_worker(cluster: Cluster) -> None:
    cluster.create("s", 1)
    [arn] = cluster.running_all()
    cluster.protect(arn)
    cluster.scale("s", 0)
    cluster.scale("s", 1)
    cluster.protect(arn, enabled=False)
    assert cluster.tasks() == [arn]


def test_a_protection_beyond_the_desired_count_is_refused(cluster: Cluster) -> None:
    cluster.create("s", 1)
    [arn] = cluster.running_all()
    assert cluster.protect(arn) is None
    cluster.scale("s", 0)
    assert cluster.protect(arn) == "DEPLOYMENT_BLOCKED"
    answer = cluster.ecs.get_task_protection(cluster=cluster.name, tasks=[arn])
    assert answer["protectedTasks"][0]["protectionEnabled"], "the old protection holds to its end"


def test_a_task_of_no_service_cannot_be_protected(cluster: Cluster) -> None:
    answer = cluster.ecs.run_task(
        cluster=cluster.name,
        taskDefinition=cluster.task_definition,
        capacityProviderStrategy=[{"capacityProvider": "FARGATE_SPOT", "weight": 1}],
    )
    assert cluster.protect(answer["tasks"][0]["taskArn"]) == "TASK_NOT_VALID"


def test_a_protection_lasts_one_minute_to_two_days(cluster: Cluster) -> None:
    cluster.create("s", 1)
    [arn] = cluster.running_all()
    with pytest.raises(ClientError) as error:
        cluster.protect(arn, minutes=2881)
    assert refusal(error)[0] == "InvalidParameterException"


def test_stop_task_stops_a_protected_task(cluster: Cluster) -> None:
    cluster.create("s", 1)
    [arn] = cluster.running_all()
    cluster.protect(arn)
    cluster.ecs.stop_task(cluster=cluster.name, task=arn, reason="because")
    stopped = cluster.task(arn)
    assert (stopped["stopCode"], stopped["stoppedReason"]) == ("UserInitiated", "because")
    assert cluster.tasks() not in ([], [arn]), "the service wants another"


def test_a_stopping_task_is_stopped_when_the_agent_says_so(cluster: Cluster) -> None:
    cluster.create("s", 1)
    [arn] = cluster.running_all()
    cluster.scale("s", 0)
    assert cluster.task(arn)["lastStatus"] == "STOPPING"
    cluster.say(arn, "STOPPED", containers=[{"containerName": "worker", "exitCode": 0}])
    stopped = cluster.task(arn)
    assert stopped["lastStatus"] == "STOPPED"
    assert stopped["containers"][0]["exitCode"] == 0


def test_a_task_that_exits_is_replaced(cluster: Cluster) -> None:
    cluster.create("s", 1)
    [arn] = cluster.running_all()
    cluster.say(arn, "STOPPED", containers=[{"containerName": "worker", "exitCode": 1}])
    assert cluster.task(arn)["stopCode"] == "EssentialContainerExited"
    assert cluster.tasks() not in ([], [arn])


def test_a_task_that_never_ran_failed_to_start(cluster: Cluster) -> None:
    cluster.create("s", 1)
    [arn] = cluster.tasks()
    cluster.say(arn, "STOPPED", reason="CannotPullContainerError: no such image")
    stopped = cluster.task(arn)
    assert stopped["stopCode"] == "TaskFailedToStart"
    assert stopped["stoppedReason"] == "CannotPullContainerError: no such image"


def test_a_scaled_service_is_not_deleted_without_force(cluster: Cluster) -> None:
    cluster.create("s", 1)
    with pytest.raises(ClientError) as error:
        cluster.ecs.delete_service(cluster=cluster.name, service="s")
    assert refusal(error) == (
        "InvalidParameterException",
        "The service cannot be stopped while it is scaled above 0.",
    )
    cluster.ecs.delete_service(cluster=cluster.name, service="s", force=True)
    assert cluster.tasks() == []


def test_a_draining_name_cannot_be_taken(cluster: Cluster) -> None:
    cluster.create("s", 1)
    [arn] = cluster.running_all()
    cluster.protect(arn)
    cluster.scale("s", 0)
    answer = cluster.ecs.delete_service(cluster=cluster.name, service="s")
    assert answer["service"]["status"] == "DRAINING"
    assert cluster.service("s")["status"] == "DRAINING"
    assert cluster.ecs.list_services(cluster=cluster.name)["serviceArns"] == []
    with pytest.raises(ClientError) as error:
        cluster.create("s", 1)
    assert refusal(error) == (
        "InvalidParameterException",
        "Unable to Start a service that is still Draining.",
    )
    cluster.say(arn, "STOPPED")
    assert cluster.service("s")["status"] == "INACTIVE"
    assert cluster.create("s", 0)["status"] == "ACTIVE"


def test_a_name_that_is_taken_is_refused_unless_the_call_is_a_retry(cluster: Cluster) -> None:
    cluster.create("s", 0, clientToken="once")
    assert cluster.create("s", 0, clientToken="once")["status"] == "ACTIVE"
    with pytest.raises(ClientError) as error:
        cluster.create("s", 0, clientToken="twice")
    assert refusal(error) == (
        "InvalidParameterException",
        "Creation of service was not idempotent.",
    )


@pytest.mark.parametrize(
    "strategy",
    [
        [{"capacityProvider": "ELSEWHERE", "weight": 1}],
        [{"capacityProvider": "FARGATE_SPOT"}],
    ],
    ids=["a provider that the cluster lacks", "no weight"],
)
def test_a_capacity_strategy_that_aws_refuses_is_refused(
    cluster: Cluster, strategy: list[dict[str, object]]
) -> None:
    with pytest.raises(ClientError) as error:
        cluster.create("s", 1, capacityProviderStrategy=strategy)
    assert refusal(error)[0] == "InvalidParameterException"


def test_a_deleted_service_can_be_neither_updated_nor_deleted_again(cluster: Cluster) -> None:
    cluster.create("s", 0)
    cluster.ecs.delete_service(cluster=cluster.name, service="s")
    with pytest.raises(ClientError) as error:
        cluster.scale("s", 1)
    assert refusal(error)[0] == "ServiceNotActiveException"
    with pytest.raises(ClientError) as error:
        cluster.ecs.delete_service(cluster=cluster.name, service="s")
    assert refusal(error)[0] == "ServiceNotFoundException"


def test_a_new_task_definition_replaces_idle_tasks_and_spares_busy_ones(cluster: Cluster) -> None:
    cluster.create("s", 2)
    busy, idle = cluster.running_all()
    cluster.protect(busy)
    cluster.ecs.update_service(
        cluster=cluster.name, service="s", taskDefinition=define(cluster, {"NEW": "1"})
    )
    assert busy in cluster.tasks()
    assert idle not in cluster.tasks()
    assert len(cluster.tasks()) == 3


def test_each_step_of_a_task_is_an_event(cluster: Cluster) -> None:
    cluster.create("s", 1)
    [arn] = cluster.tasks()
    cluster.say(arn, "PENDING", pullStartedAt=1_800_000_000.25)
    cluster.say(arn, "RUNNING")
    cluster.scale("s", 0)
    cluster.say(arn, "STOPPED", containers=[{"containerName": "worker", "exitCode": 143}])
    wait_for(lambda: len(cluster.events(arn)) == 6)
    events = cluster.events(arn)
    details = [event["detail"] for event in events]
    assert [(one["version"], one["lastStatus"], one["desiredStatus"]) for one in details] == [
        (1, "PROVISIONING", "RUNNING"),
        (2, "PENDING", "RUNNING"),
        (3, "RUNNING", "RUNNING"),
        (4, "RUNNING", "STOPPED"),
        (5, "DEPROVISIONING", "STOPPED"),
        (6, "STOPPED", "STOPPED"),
    ]
    last = details[-1]
    assert events[-1]["resources"] == [arn]
    assert last["group"] == "service:s"
    assert last["startedBy"].startswith("ecs-svc/")
    assert last["clusterArn"].endswith(f":cluster/{cluster.name}")
    assert last["taskDefinitionArn"] == cluster.task_definition
    assert last["capacityProviderName"] == "FARGATE_SPOT"
    assert (last["cpu"], last["memory"]) == ("1024", "2048")
    assert last["containers"][0]["exitCode"] == 143
    assert last["stopCode"] == "ServiceSchedulerInitiated"
    assert last["pullStartedAt"] == "2027-01-15T08:00:00.250Z"
    for name in ("createdAt", "startedAt", "stoppingAt", "stoppedAt", "availabilityZone"):
        assert last[name]


def test_a_spot_interruption_is_announced_and_replaced(cluster: Cluster) -> None:
    cluster.create("s", 1)
    [arn] = cluster.running_all()
    cluster.protect(arn)
    ecs_call(cluster.aws.endpoint_url, INTERRUPT_ACTION, {"cluster": cluster.name, "task": arn})
    stopping = cluster.task(arn)
    assert (stopping["lastStatus"], stopping["desiredStatus"]) == ("STOPPING", "STOPPED")
    wait_for(lambda: len(cluster.events(arn)) == 3)
    warning = cluster.events(arn)[-1]["detail"]
    assert warning["stopCode"] == "SpotInterruption"
    assert warning["stoppedReason"] == "Your Spot Task was interrupted."
    assert (warning["lastStatus"], warning["desiredStatus"]) == ("RUNNING", "STOPPED")
    assert cluster.tasks() not in ([], [arn])


def test_a_task_says_on_which_capacity_it_runs(cluster: Cluster) -> None:
    """The receipt's price hangs on it."""
    for name, provider in (("spot", "FARGATE_SPOT"), ("twin", "FARGATE")):
        strategy = [{"capacityProvider": provider, "weight": 1, "base": 0}]
        cluster.create(name, 1, capacityProviderStrategy=strategy)
    found = [(cluster.task(arn)["group"], arn) for arn in cluster.tasks()]
    for group, arn in found:
        provider = {"service:spot": "FARGATE_SPOT", "service:twin": "FARGATE"}[group]
        assert cluster.task(arn)["capacityProviderName"] == provider
        wait_for(lambda arn=arn: cluster.events(arn))  # type: ignore[misc]
        assert cluster.events(arn)[0]["detail"]["capacityProviderName"] == provider
    assert len(found) == 2


def test_only_spot_is_interrupted(cluster: Cluster) -> None:
    cluster.create("s", 1, capacityProviderStrategy=[{"capacityProvider": "FARGATE", "weight": 1}])
    [arn] = cluster.tasks()
    with pytest.raises(NoSuchTask, match="only Spot is interrupted"):
        ecs_call(cluster.aws.endpoint_url, INTERRUPT_ACTION, {"cluster": cluster.name, "task": arn})
