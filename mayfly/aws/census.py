"""Counts a cluster's tasks: what is running, as ECS itself says, not as we remember it."""

import dataclasses
from collections.abc import Iterator
from typing import Any

from mayfly.aws import errors
from mayfly.perform.ports import Gone

#: DescribeTasks takes at most so many.
DESCRIBE_MAX = 100

_CLUSTER_GONE: dict[str, type[Exception]] = {"ClusterNotFoundException": Gone}
_OVER = frozenset({"STOPPED", "DELETED"})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TaskSeen:
    """A task that has not stopped yet."""

    task: str
    service: str
    #: PROVISIONING, PENDING, RUNNING, STOPPING, …
    status: str
    #: RUNNING, or STOPPED once ECS wants it gone.
    desired_status: str
    capacity: str
    vcpu: float
    memory_mib: int


class Census:
    """The tasks of one cluster."""

    def __init__(self, client: Any, cluster: str) -> None:
        self._client = client
        self._cluster = cluster

    def tasks(self) -> list[TaskSeen]:
        """Every task that has not stopped, those that were told to stop included.

        Raises Gone when there is no cluster, Temporary.
        """
        arns = sorted(set(self._listed("RUNNING")) | set(self._listed("STOPPED")))
        return [
            _seen(raw)
            for start in range(0, len(arns), DESCRIBE_MAX)
            for raw in self._described(arns[start : start + DESCRIBE_MAX])
            if raw["lastStatus"] not in _OVER
        ]

    def _listed(self, desired_status: str) -> Iterator[str]:
        asked: dict[str, Any] = {"cluster": self._cluster, "desiredStatus": desired_status}
        while True:
            with errors.judging("ListTasks", _CLUSTER_GONE):
                answer = self._client.list_tasks(**asked)
            yield from answer.get("taskArns", ())
            if not answer.get("nextToken"):
                return
            asked["nextToken"] = answer["nextToken"]

    def _described(self, arns: list[str]) -> list[dict[str, Any]]:
        with errors.judging("DescribeTasks", _CLUSTER_GONE):
            answer = self._client.describe_tasks(cluster=self._cluster, tasks=arns)
        return list(answer.get("tasks", ()))


def _seen(raw: dict[str, Any]) -> TaskSeen:
    return TaskSeen(
        task=raw["taskArn"].rpartition("/")[2],
        service=str(raw.get("group", "")).removeprefix("service:"),
        status=raw["lastStatus"],
        desired_status=raw.get("desiredStatus", ""),
        capacity=raw.get("capacityProviderName") or raw.get("launchType", ""),
        vcpu=int(raw.get("cpu") or 0) / 1024,
        memory_mib=int(raw.get("memory") or 0),
    )
