"""The records that MiniStack keeps, and the few of its functions that the ECS of the laptop uses.

The one place that knows MiniStack's names. They are private to it, so its version is asserted and
each name is looked for before anything is replaced: a new MiniStack fails at start with a
sentence, never later with a strange task.
"""

import importlib
import importlib.metadata
import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

#: The version whose internals this was written against.
MINISTACK_VERSION = "1.5.33"

#: A record is MiniStack's own mutable dictionary; keys with a leading underscore stay inside.
Record = dict[str, Any]
#: Status, headers, body: what MiniStack's handlers answer.
Response = tuple[int, dict[str, str], bytes]
Handler = Callable[[dict[str, Any]], Response]

#: What is used of `ministack.services.ecs` and of `ministack.services.eventbridge`.
_ECS_NAMES = (
    "_ACTION_MAP", "_bump_task_version", "_clusters", "_get_docker", "_reconcile_service_tasks",
    "_recount_cluster", "_resolve_cluster_name", "_resolve_service_ref", "_resolve_task",
    "_sanitize", "_services", "_tags", "_task_defs", "_tasks", "error_response_json",
    "get_account_id", "get_region", "json_response", "request_scope",
)  # fmt: skip
_EVENT_NAMES = ("_SCHEDULER_TICK_INTERVAL", "_put_events")


class WrongMiniStack(RuntimeError):
    """The installed MiniStack is not the one that this code replaces parts of."""


@dataclass(slots=True, kw_only=True)
class Store:
    """MiniStack's ECS records, its event bus, and one lock around all that we do to them."""

    ecs: Any
    bus: Any
    #: MiniStack's own RunTask: makes the records of tasks.
    make_tasks: Handler
    #: How long a deleted service stays DRAINING after its last task left; 0 on AWS at best.
    draining_seconds: float
    lock: threading.RLock = field(default_factory=threading.RLock)
    #: Events leave in order, on a thread of their own: a target may call ECS again.
    outbox: "queue.SimpleQueue[tuple[str, str, dict[str, Any]]]" = field(
        default_factory=queue.SimpleQueue
    )

    def tasks_of(self, service: Record) -> list[Record]:
        """The service's tasks that the scheduler counts as its own, oldest first."""
        return [
            task
            for task in list(self.ecs._tasks.values())
            if task["group"] == f"service:{service['serviceName']}"
            and task["clusterArn"] == service["clusterArn"]
            and task["desiredStatus"] == "RUNNING"
        ]

    def service_of(self, task: Record) -> Record | None:
        """The service that a task belongs to; None for a task of its own."""
        if not task["group"].startswith("service:"):
            return None
        cluster = self.ecs._resolve_cluster_name(task["clusterArn"])
        name = task["group"].removeprefix("service:")
        service: Record | None = self.ecs._services.get(f"{cluster}/{name}")
        return service

    def find_task(self, data: dict[str, Any]) -> Record | None:
        """The task that a request names, by ARN or id."""
        cluster = self.ecs._resolve_cluster_name(data.get("cluster") or "default")
        task: Record | None = self.ecs._resolve_task(data.get("task", ""), cluster)
        return task

    def find_service(self, data: dict[str, Any]) -> Record | None:
        """The service that a request names, by ARN or name."""
        cluster = self.ecs._resolve_cluster_name(data.get("cluster") or "default")
        reference = self.ecs._resolve_service_ref(data.get("service", ""))
        if reference is None or reference[1] not in (None, cluster):
            return None
        service: Record | None = self.ecs._services.get(f"{cluster}/{reference[0]}")
        return service

    def all_services(self) -> Iterator[tuple[AbstractContextManager[None], str, Record]]:
        """Every service of every account and region, each with the scope to act in."""
        for (account, region, key), service in self.ecs._services.all_items():
            yield self.ecs.request_scope(account, region), key, service

    def answer(self, body: dict[str, Any]) -> Response:
        """A successful response."""
        response: Response = self.ecs.json_response(self.ecs._sanitize(body))
        return response

    def refuse(self, code: str, message: str) -> Response:
        """An error as AWS words it."""
        response: Response = self.ecs.error_response_json(code, message, 400)
        return response


def open_store(draining_seconds: float) -> Store:
    """MiniStack's records. Raises WrongMiniStack when it is not the one this was written for."""
    version = importlib.metadata.version("ministack")
    if version != MINISTACK_VERSION:
        raise WrongMiniStack(
            f"MiniStack {version} is installed, but the laptop's ECS replaces functions of "
            f"{MINISTACK_VERSION}. Install that one (`uv sync`), or port local/ecs to {version}."
        )
    ecs = importlib.import_module("ministack.services.ecs")
    bus = importlib.import_module("ministack.services.eventbridge")
    missing = [name for name in _ECS_NAMES if not hasattr(ecs, name)]
    missing += [name for name in _EVENT_NAMES if not hasattr(bus, name)]
    if missing:
        raise WrongMiniStack(f"MiniStack {version} lacks {', '.join(missing)}; see local/ecs.")
    make_tasks = ecs._ACTION_MAP["RunTask"]
    return Store(ecs=ecs, bus=bus, make_tasks=make_tasks, draining_seconds=draining_seconds)


def moment(seconds: float | None = None) -> str:
    """A moment as ECS writes it in events, to the millisecond. Now, unless told."""
    at = datetime.fromtimestamp(time.time() if seconds is None else seconds, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
