"""What a stack leaves that its template does not know: services hatched at run time, logs, data.

Deleting the stack would fail on the first, forget the second, and must not touch the third unless
somebody said so. It never touches a service that is not tagged as this stack's own.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from mayfly.aws import assets, cloudformation

#: Set on every service by those who create it.
STACK_TAG = "mayfly:stack"

#: From a service's end to its last task's: stopTimeout is 120 s on Fargate at most.
_STOP_SECONDS = 180

#: What one call describes.
_SERVICES_A_CALL = 10
_TASKS_A_CALL = 100

Said = Callable[[str], None]


def clear_services(
    clients: assets.Clients, cluster: str, stack_name: str, said: Said, drain_seconds: float
) -> None:
    """Lets busy workers finish within the time given, then deletes every service of the stack."""
    ecs = clients("ecs")
    services = _services_of(ecs, cluster, stack_name)
    if services:
        said(f"drains {len(services)} services")
    for service in services:
        ecs.update_service(cluster=cluster, service=service, desiredCount=0)
    for _ in cloudformation.pauses(drain_seconds):
        if not _tasks_alive(ecs, cluster):
            break
    for service in services:
        ecs.delete_service(cluster=cluster, service=service, force=True)
    for _ in cloudformation.pauses(_STOP_SECONDS):
        if not _tasks_alive(ecs, cluster):
            break


def unmanaged_logs(clients: assets.Clients, stack_id: str) -> list[str]:
    """Log groups that Lambda makes by itself for functions whose template names none."""
    pages = clients("cloudformation").get_paginator("list_stack_resources")
    resources = [
        resource
        for page in pages.paginate(StackName=stack_id)
        for resource in page["StackResourceSummaries"]
    ]
    managed = {
        resource["PhysicalResourceId"]
        for resource in resources
        if resource["ResourceType"] == "AWS::Logs::LogGroup"
    }
    made = {
        f"/aws/lambda/{resource['PhysicalResourceId']}"
        for resource in resources
        if resource["ResourceType"] == "AWS::Lambda::Function"
        and resource.get("PhysicalResourceId")
    }
    return sorted(made - managed)


def remove_logs(clients: assets.Clients, groups: Sequence[str]) -> None:
    """Deletes the groups that are there."""
    logs = clients("logs")
    for group in groups:
        try:
            logs.delete_log_group(logGroupName=group)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceNotFoundException":
                raise


def bucket_stands(clients: assets.Clients, owner: Mapping[str, str]) -> bool:
    """Whether the bucket outlived its stack."""
    return assets.exists(lambda: clients("s3").head_bucket(**owner))


def _services_of(ecs: Any, cluster: str, stack_name: str) -> list[str]:
    try:
        pages = list(ecs.get_paginator("list_services").paginate(cluster=cluster))
    except ClientError as error:
        if error.response["Error"]["Code"] == "ClusterNotFoundException":
            return []
        raise
    arns = [arn for page in pages for arn in page["serviceArns"]]
    described = [
        service
        for batch in _batches(arns, _SERVICES_A_CALL)
        for service in ecs.describe_services(cluster=cluster, services=batch, include=["TAGS"])[
            "services"
        ]
    ]
    ours = {"key": STACK_TAG, "value": stack_name}
    return [service["serviceArn"] for service in described if ours in service.get("tags", [])]


def _tasks_alive(ecs: Any, cluster: str) -> bool:
    """Whether a task has not stopped yet; one that was told to stop is listed with the stopped."""
    try:
        arns = [
            arn
            for wanted in ("RUNNING", "STOPPED")
            for page in ecs.get_paginator("list_tasks").paginate(
                cluster=cluster, desiredStatus=wanted
            )
            for arn in page["taskArns"]
        ]
    except ClientError as error:
        if error.response["Error"]["Code"] == "ClusterNotFoundException":
            return False
        raise
    described = (
        task
        for batch in _batches(arns, _TASKS_A_CALL)
        for task in ecs.describe_tasks(cluster=cluster, tasks=batch)["tasks"]
    )
    return any(task["lastStatus"] not in ("STOPPED", "DELETED") for task in described)


def _batches(items: Sequence[str], size: int) -> Iterator[list[str]]:
    return (list(items[first : first + size]) for first in range(0, len(items), size))
