"""Task scale-in protection: what a busy worker holds on to.

AWS: "if you receive a DEPLOYMENT_BLOCKED error message, it means the service has more protected
tasks than the desired count of tasks for the service"
(https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-scale-in-protection.html). Read
strictly, that refuses the renewal of a protection too once the desired count was lowered; the old
one then holds until its end. So does the laptop.
"""

import time
from typing import Any

from local.ecs.store import Record, Response, Store
from local.ecs.tasks import is_protected

_MINUTES_DEFAULT = 120
_MINUTES_MAX = 2880


def update(store: Store, data: dict[str, Any]) -> Response:
    """UpdateTaskProtection. The caller looks at the service again: one may have become free."""
    minutes = data.get("expiresInMinutes") or _MINUTES_DEFAULT
    if not 1 <= minutes <= _MINUTES_MAX:
        return store.refuse(
            "InvalidParameterException",
            f"expiresInMinutes must be between 1 and {_MINUTES_MAX}, but it is {minutes}.",
        )
    enabled = bool(data.get("protectionEnabled"))
    protected, failures = [], []
    for reference in data.get("tasks", ()):
        task = store.find_task({**data, "task": reference})
        refusal = _refusal(store, task, enabled)
        if task is None or refusal:
            failures.append({"arn": task["taskArn"] if task else reference, "reason": refusal})
            continue
        task["_protected_until"] = time.time() + minutes * 60 if enabled else None
        protected.append(_state(task))
    return store.answer({"protectedTasks": protected, "failures": failures})


def get(store: Store, data: dict[str, Any]) -> Response:
    """GetTaskProtection: of the tasks named, or of all in the cluster."""
    references = data.get("tasks") or [task["taskArn"] for task in store.ecs._tasks.values()]
    protected, failures = [], []
    for reference in references:
        task = store.find_task({**data, "task": reference})
        if task is None or store.service_of(task) is None:
            reason = "MISSING" if task is None else "TASK_NOT_VALID"
            failures.append({"arn": task["taskArn"] if task else reference, "reason": reason})
        else:
            protected.append(_state(task))
    return store.answer({"protectedTasks": protected, "failures": failures})


def _refusal(store: Store, task: Record | None, enabled: bool) -> str | None:
    if task is None:
        return "MISSING"
    service = store.service_of(task)
    if service is None or task["desiredStatus"] == "STOPPED":
        return "TASK_NOT_VALID"
    if not enabled:
        return None
    others = [one for one in store.tasks_of(service) if one is not task and is_protected(one)]
    return "DEPLOYMENT_BLOCKED" if len(others) + 1 > service["desiredCount"] else None


def _state(task: Record) -> dict[str, Any]:
    state: dict[str, Any] = {"taskArn": task["taskArn"], "protectionEnabled": is_protected(task)}
    if state["protectionEnabled"]:
        state["expirationDate"] = task["_protected_until"]
    return state
