"""A task's life at the agent's word, and the event that each step of it makes.

Versions count as on AWS: 1 PROVISIONING, 2 PENDING, 3 RUNNING, 4 told to stop (still RUNNING in
that event, which for Spot is the warning), 5 DEPROVISIONING, 6 STOPPED.
"""

import json
import time
from typing import Any

from local.ecs.store import Record, Response, Store, moment

_SPOT_REASON = "Your Spot Task was interrupted."
_EXIT_REASON = "Essential container in task exited"
_TASK_NOT_FOUND = "The referenced task was not found."

#: What an event of AWS carries beside the containers.
_EVENT_FIELDS = (
    "attachments", "availabilityZone", "capacityProviderName", "clusterArn", "connectivity",
    "connectivityAt", "cpu", "createdAt", "desiredStatus", "enableExecuteCommand",
    "ephemeralStorage", "executionStoppedAt", "group", "lastStatus", "launchType", "memory",
    "overrides", "platformVersion", "pullStartedAt", "pullStoppedAt", "startedAt", "startedBy",
    "stopCode", "stoppedAt", "stoppedReason", "stoppingAt", "taskArn", "taskDefinitionArn",
    "version",
)  # fmt: skip
_CONTAINER_FIELDS = (
    "containerArn", "cpu", "exitCode", "image", "lastStatus", "memory", "name",
    "networkInterfaces", "reason", "runtimeId", "taskArn",
)  # fmt: skip


def run(store: Store, data: dict[str, Any]) -> Response:
    """RunTask: MiniStack makes the records, and they begin at the beginning."""
    status, headers, body = store.make_tasks(data)
    if status != 200:
        return status, headers, body
    started = []
    for made in json.loads(body)["tasks"]:
        task = store.ecs._tasks[made["taskArn"]]
        task.update(lastStatus="PROVISIONING", createdAt=moment(), connectivityAt=None)
        task.update(pullStartedAt=None, pullStoppedAt=None, startedAt=None)
        task.update(stopCode=None, stoppedReason=None, containerInstanceArn=None)
        for container in task["containers"]:
            container.update(lastStatus="PENDING", runtimeId=None)
        tell(store, task)
        started.append(task)
    return store.answer({"tasks": started, "failures": []})


def stop_by_user(store: Store, data: dict[str, Any]) -> Response:
    """StopTask. Protection does not hold against it."""
    task = store.find_task(data)
    if task is None:
        return store.refuse("InvalidParameterException", _TASK_NOT_FOUND)
    stop(store, task, "UserInitiated", data.get("reason") or "Task stopped by user")
    return store.answer({"task": task})


def interrupt(store: Store, data: dict[str, Any]) -> Response:
    """What AWS does when it wants Spot capacity back: no API of its, so one of the laptop's."""
    task = store.find_task(data)
    if task is None or task["desiredStatus"] == "STOPPED":
        return store.refuse("InvalidParameterException", _TASK_NOT_FOUND)
    if task.get("capacityProviderName") != "FARGATE_SPOT":
        return store.refuse(
            "InvalidParameterException",
            f"The task runs on {task.get('capacityProviderName') or task.get('launchType')}, "
            "and only Spot is interrupted.",
        )
    stop(store, task, "SpotInterruption", _SPOT_REASON)
    return store.answer({"task": task})


def stop(store: Store, task: Record, code: str, reason: str) -> None:
    """Tells a task to stop. It is STOPPED when the agent says so, and not before."""
    if task["desiredStatus"] == "STOPPED":
        return
    task.update(desiredStatus="STOPPED", stopCode=code, stoppedReason=reason, stoppingAt=moment())
    _step(store, task)
    if task["lastStatus"] == "RUNNING":
        task["lastStatus"] = "STOPPING"


def submit(store: Store, data: dict[str, Any]) -> Response:
    """SubmitTaskStateChange: the agent's word on a task."""
    task = store.find_task(data)
    if task is None:
        return store.refuse("InvalidParameterException", _TASK_NOT_FOUND)
    for name in ("pullStartedAt", "pullStoppedAt", "executionStoppedAt"):
        if data.get(name) is not None:
            task[name] = moment(data[name])
    for change in data.get("containers", ()):
        _submit_container(task, change)
    status = data.get("status")
    if status == "STOPPED":
        _stopped(store, task, data.get("reason") or _EXIT_REASON)
    elif task["desiredStatus"] == "RUNNING" and status in ("PENDING", "RUNNING"):
        task["lastStatus"] = status
        if status == "RUNNING":
            task.update(startedAt=moment(), connectivity="CONNECTED", connectivityAt=moment())
        _step(store, task)
    return store.answer({"acknowledgment": "ACCEPT"})


def _submit_container(task: Record, change: dict[str, Any]) -> None:
    for container in task["containers"]:
        if container["name"] == change.get("containerName"):
            container["lastStatus"] = change.get("status", container["lastStatus"])
            for name in ("exitCode", "reason", "runtimeId"):
                container[name] = change.get(name, container.get(name))


def _stopped(store: Store, task: Record, reason: str) -> None:
    if task["lastStatus"] == "STOPPED":
        return
    if task["desiredStatus"] == "RUNNING":
        # Nobody asked: the container ended by itself, or never began. AWS tells in one event
        # what it learns at once, so this is no step of its own.
        code = "EssentialContainerExited" if task["startedAt"] else "TaskFailedToStart"
        task.update(desiredStatus="STOPPED", stopCode=code, stoppedReason=reason)
        task["stoppingAt"] = moment()
    task["lastStatus"] = "DEPROVISIONING"
    task["executionStoppedAt"] = task.get("executionStoppedAt") or moment()
    for container in task["containers"]:
        container["lastStatus"] = "STOPPED"
    _step(store, task)
    task.update(lastStatus="STOPPED", stoppedAt=moment())
    _step(store, task)


def _step(store: Store, task: Record) -> None:
    store.ecs._bump_task_version(task)
    tell(store, task)


def tell(store: Store, task: Record) -> None:
    """Puts an "ECS Task State Change" on the default bus: the task as it is at this moment."""
    detail = {name: task[name] for name in _EVENT_FIELDS if task.get(name) not in (None, "")}
    detail["containers"] = [
        {name: one[name] for name in _CONTAINER_FIELDS if one.get(name) is not None}
        for one in task["containers"]
    ]
    detail["updatedAt"] = moment()
    entry = {
        "Source": "aws.ecs",
        "DetailType": "ECS Task State Change",
        "Detail": json.dumps(detail),
        "Resources": [task["taskArn"]],
    }
    store.outbox.put((store.ecs.get_account_id(), store.ecs.get_region(), entry))


def deliver(store: Store) -> None:
    """Delivers the events, in order, for ever. A thread of its own."""
    while True:
        account, region, entry = store.outbox.get()
        with store.ecs.request_scope(account, region):
            store.bus._put_events({"Entries": [entry]}, allow_aws_source=True)


def is_protected(task: Record) -> bool:
    """Whether scale-in must leave the task alone."""
    until = task.get("_protected_until")
    return until is not None and until > time.time()
