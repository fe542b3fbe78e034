"""Services, and the scheduler that compares what is desired with what runs.

Level-triggered: `settle` looks at one service and does what is missing, so it is called after
every change and four times a second besides, which is how a protection's end or a DRAINING
service's last task is noticed. A task that was told to stop is no longer the scheduler's.
"""

import time
from typing import Any

from local.ecs import tasks
from local.ecs.store import Handler, Record, Response, Store, moment

_NOT_FOUND = "Service not found."


def create(store: Store, original: Handler, data: dict[str, Any]) -> Response:
    """CreateService: refuses a name that is taken or DRAINING, and a foreign provider."""
    standing = store.find_service({**data, "service": data.get("serviceName", "")})
    if standing is not None and standing["status"] == "DRAINING":
        return store.refuse(
            "InvalidParameterException", "Unable to Start a service that is still Draining."
        )
    if standing is not None and standing["status"] == "ACTIVE":
        token = data.get("clientToken")
        if token and token == standing.get("_client_token"):
            return store.answer({"service": standing})
        return store.refuse("InvalidParameterException", "Creation of service was not idempotent.")
    fault = _strategy_fault(store, data)
    if fault:
        return store.refuse("InvalidParameterException", fault)
    response = original(data)
    made = store.find_service({**data, "service": data.get("serviceName", "")})
    if response[0] != 200 or made is None:
        return response
    made["_client_token"] = data.get("clientToken")
    made["availabilityZoneRebalancing"] = data.get("availabilityZoneRebalancing", "ENABLED")
    return store.answer({"service": made})


def _strategy_fault(store: Store, data: dict[str, Any]) -> str | None:
    strategy = data.get("capacityProviderStrategy") or []
    cluster = store.ecs._clusters.get(
        store.ecs._resolve_cluster_name(data.get("cluster") or "default"), {}
    )
    for item in strategy:
        if item["capacityProvider"] not in cluster.get("capacityProviders", ()):
            return (
                f"The specified capacity provider {item['capacityProvider']} is not associated "
                "with the cluster."
            )
    if strategy and not any(item.get("weight", 0) for item in strategy):
        return (
            "The specified capacity provider strategy must have at least one capacity provider "
            "with a weight greater than 0."
        )
    return None


def update(store: Store, original: Handler, data: dict[str, Any]) -> Response:
    """UpdateService: of an ACTIVE service only."""
    service = store.find_service(data)
    if service is not None and service["status"] != "ACTIVE":
        return store.refuse("ServiceNotActiveException", "Service was not ACTIVE.")
    return original(data)


def delete(store: Store, data: dict[str, Any]) -> Response:
    """DeleteService: refuses a scaled one without force; DRAINING until its tasks have left.

    What AWS does with protected tasks then is not documented. Here they stay until their
    protection ends, and the service DRAINING with them, unless the deletion is forced.
    """
    service = store.find_service(data)
    if service is None or service["status"] == "INACTIVE":
        return store.refuse("ServiceNotFoundException", _NOT_FOUND)
    force = bool(data.get("force"))
    if service["desiredCount"] > 0 and not force:
        return store.refuse(
            "InvalidParameterException",
            "The service cannot be stopped while it is scaled above 0.",
        )
    service.update(status="DRAINING", desiredCount=0, _forced=force)
    service["_draining_until"] = time.time() + store.draining_seconds
    response = store.answer({"service": service})
    settle(store, service)
    return response


def settle(store: Store, service: Record) -> None:
    """Does what the service lacks: starts, stops, or lets it go."""
    if service["status"] == "INACTIVE":
        return
    ours = store.tasks_of(service)
    desired = service["desiredCount"] if service["status"] == "ACTIVE" else 0
    current = [one for one in ours if one["taskDefinitionArn"] == service["taskDefinition"]]
    stale = [one for one in ours if one not in current]
    if len(current) < desired:
        _launch(store, service, desired - len(current))
    _leave(store, service, stale, len(stale))
    _leave(store, service, current, len(current) - desired)
    _recount(store, service)
    draining = service["status"] == "DRAINING" and not store.tasks_of(service)
    if draining and time.time() >= service["_draining_until"]:
        service["status"] = "INACTIVE"


def _launch(store: Store, service: Record, count: int) -> None:
    request: dict[str, Any] = {
        "cluster": service["clusterArn"],
        "taskDefinition": service["taskDefinition"],
        "count": count,
        "group": f"service:{service['serviceName']}",
        "startedBy": service["deployments"][0]["id"],
    }
    for name in (
        "launchType",
        "capacityProviderStrategy",
        "platformVersion",
        "networkConfiguration",
        "enableExecuteCommand",
    ):
        request[name] = service.get(name)
    if service.get("propagateTags") == "SERVICE":
        request["tags"] = store.ecs._tags.get(service["serviceArn"], [])
    tasks.run(store, request)


def _leave(store: Store, service: Record, candidates: list[Record], count: int) -> None:
    """Stops so many of the candidates as are not protected.

    AWS promises no order among those (it balances zones), so ours is the least convenient one:
    the oldest goes first, which is the one most likely to have work soon.
    """
    free = [one for one in candidates if service.get("_forced") or not tasks.is_protected(one)]
    for task in free[: max(0, count)]:
        reason = f"Scaling activity initiated by (deployment {service['deployments'][0]['id']})"
        tasks.stop(store, task, "ServiceSchedulerInitiated", reason)


def _recount(store: Store, service: Record) -> None:
    ours = store.tasks_of(service)
    running = sum(one["lastStatus"] == "RUNNING" for one in ours)
    primary = service["deployments"][0]
    if primary["rolloutState"] == "IN_PROGRESS" and running >= service["desiredCount"]:
        primary.update(rolloutState="COMPLETED", updatedAt=moment())
    del service["deployments"][1:]
    for record in (service, primary):
        record.update(runningCount=running, pendingCount=len(ours) - running)
    primary["desiredCount"] = service["desiredCount"]
    store.ecs._recount_cluster(store.ecs._resolve_cluster_name(service["clusterArn"]))
