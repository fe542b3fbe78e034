"""The Services port on one ECS cluster.

Every parameter whose default would hurt a batch of encodes is said: AZ rebalancing stops busy
tasks, a launch type is never Spot, a deployment may run twice the workers that were asked for.
"""

from collections.abc import Sequence
from typing import Any

from botocore import exceptions

from mayfly.aws import errors
from mayfly.perform.ports import Conflict, Gone, ServiceSeen, ServiceWanted, Temporary

#: DescribeServices takes 10 names, ListServices gives pages of 100.
DESCRIBE_MAX = 10
LIST_MAX = 100

STACK_TAG = "mayfly:stack"

_CLUSTER_GONE: dict[str, type[Exception]] = {"ClusterNotFoundException": Gone}
#: A service that is draining or was deleted takes no changes.
_SERVICE_GONE: dict[str, type[Exception]] = {
    "ServiceNotFoundException": Gone,
    "ServiceNotActiveException": Gone,
}


class EcsServices:
    """The services of one stack in one cluster."""

    def __init__(
        self,
        client: Any,
        *,
        cluster: str,
        stack: str,
        subnets: Sequence[str],
        security_groups: Sequence[str],
        assign_public_ip: bool,
    ) -> None:
        self._client = client
        self._cluster = cluster
        self._stack = stack
        self._network = {
            "awsvpcConfiguration": {
                "subnets": list(subnets),
                "securityGroups": list(security_groups),
                "assignPublicIp": "ENABLED" if assign_public_ip else "DISABLED",
            }
        }

    def create(self, wanted: ServiceWanted) -> None:
        """A name that is taken is ours, since names carry an opaque id; one that is still
        draining is Temporary."""
        with errors.judging("CreateService", _CLUSTER_GONE):
            try:
                self._client.create_service(**self._request(wanted))
            except exceptions.ClientError as error:
                if _says(error, "not idempotent", "already exists"):
                    return
                if _says(error, "draining"):
                    raise Temporary("CreateService: the name is still draining.") from None
                raise

    def resize(self, name: str, desired: int) -> None:
        """The desired count and nothing else."""
        with errors.judging("UpdateService", _CLUSTER_GONE | _SERVICE_GONE):
            self._client.update_service(cluster=self._cluster, service=name, desiredCount=desired)

    def delete(self, name: str) -> None:
        """Conflict while more than 0 are desired."""
        with errors.judging("DeleteService", _CLUSTER_GONE):
            try:
                self._client.delete_service(cluster=self._cluster, service=name)
            except exceptions.ClientError as error:
                if errors.code(error) in _SERVICE_GONE:
                    return
                if _says(error, "scaled above 0"):
                    raise Conflict("DeleteService: more than 0 tasks are desired.") from None
                raise

    def describe(self, names: Sequence[str]) -> list[ServiceSeen]:
        """In any order; what ECS does not know is left out."""
        seen: list[ServiceSeen] = []
        for start in range(0, len(names), DESCRIBE_MAX):
            with errors.judging("DescribeServices", _CLUSTER_GONE):
                answer = self._client.describe_services(
                    cluster=self._cluster,
                    services=list(names[start : start + DESCRIBE_MAX]),
                    include=["TAGS"],
                )
            seen.extend(_seen(raw) for raw in answer.get("services", ()))
        return seen

    def tagged(self) -> list[ServiceSeen]:
        """DRAINING ones are not listed by ECS."""
        return [
            service
            for service in self.describe(self._listed())
            if service.status == "ACTIVE" and service.tags.get(STACK_TAG) == self._stack
        ]

    def _listed(self) -> list[str]:
        names: list[str] = []
        asked: dict[str, Any] = {"cluster": self._cluster, "maxResults": LIST_MAX}
        while True:
            with errors.judging("ListServices", _CLUSTER_GONE):
                answer = self._client.list_services(**asked)
            names.extend(arn.rpartition("/")[2] for arn in answer.get("serviceArns", ()))
            if not answer.get("nextToken"):
                return names
            asked["nextToken"] = answer["nextToken"]

    def _request(self, wanted: ServiceWanted) -> dict[str, Any]:
        return {
            "cluster": self._cluster,
            "serviceName": wanted.name,
            "clientToken": wanted.client_token,
            "taskDefinition": wanted.task_definition,
            "desiredCount": wanted.desired,
            # No launchType: FARGATE there means on-demand. The weight's default is 0.
            "capacityProviderStrategy": [
                {"capacityProvider": wanted.capacity_provider, "weight": 1, "base": 0}
            ],
            # ENABLED is ECS's default, and stops busy tasks to balance zones.
            "availabilityZoneRebalancing": "DISABLED",
            "schedulingStrategy": "REPLICA",
            # A service is never deployed anew; these keep ECS from ever running more than desired.
            "deploymentConfiguration": {
                "maximumPercent": 100,
                "minimumHealthyPercent": 0,
                "deploymentCircuitBreaker": {"enable": False, "rollback": False},
            },
            "networkConfiguration": self._network,
            "enableExecuteCommand": False,
            "enableECSManagedTags": True,
            "propagateTags": "SERVICE",
            "tags": [{"key": key, "value": value} for key, value in wanted.tags.items()],
        }


def _says(error: exceptions.ClientError, *words: str) -> bool:
    """ECS has one code, InvalidParameterException, for all of these; only its words differ."""
    said = str(error.response.get("Error", {}).get("Message", "")).lower()
    return any(word in said for word in words)


def _seen(raw: dict[str, Any]) -> ServiceSeen:
    return ServiceSeen(
        name=raw["serviceName"],
        status=raw["status"],
        desired=raw.get("desiredCount", 0),
        running=raw.get("runningCount", 0),
        pending=raw.get("pendingCount", 0),
        tags={tag["key"]: tag.get("value", "") for tag in raw.get("tags", ())},
    )
