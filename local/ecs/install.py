"""Puts the laptop's ECS in the place of MiniStack's functions, and starts its clock."""

import logging
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from local.ecs import INTERRUPT_ACTION, protection, services, tasks
from local.ecs.store import Handler, Record, Response, Store, WrongMiniStack, open_store

_LOG = logging.getLogger("mayfly.ecs")

#: How often every service is looked at without a cause.
_SETTLE_SECONDS = 0.25

_REPLACED = (
    "CreateService", "DeleteService", "GetTaskProtection", "RunTask", "StopTask",
    "SubmitTaskStateChange", "UpdateService", "UpdateTaskProtection",
)  # fmt: skip


def install(draining_seconds: float = 0.0) -> Store:
    """Replaces MiniStack's ECS scheduler in this process. Raises WrongMiniStack."""
    store = open_store(draining_seconds)
    actions: dict[str, Handler] = store.ecs._ACTION_MAP
    missing = [name for name in _REPLACED if name not in actions]
    if missing:
        raise WrongMiniStack(f"MiniStack's ECS lacks {', '.join(missing)}; see local/ecs.")

    def settle_key(_cluster: str, key: str) -> None:
        service: Record | None = store.ecs._services.get(key)
        if service is not None:
            services.settle(store, service)

    # MiniStack's own CreateService and UpdateService end with this, in their module.
    store.ecs._reconcile_service_tasks = settle_key
    # A machine with Docker must behave like one without: our agent runs the workers.
    store.ecs._get_docker = lambda: None
    replacements: dict[str, Handler] = {
        "RunTask": partial(tasks.run, store),
        "StopTask": partial(tasks.stop_by_user, store),
        "SubmitTaskStateChange": partial(tasks.submit, store),
        "UpdateTaskProtection": partial(protection.update, store),
        "GetTaskProtection": partial(protection.get, store),
        "CreateService": partial(services.create, store, actions["CreateService"]),
        "UpdateService": partial(services.update, store, actions["UpdateService"]),
        "DeleteService": partial(services.delete, store),
        INTERRUPT_ACTION: partial(tasks.interrupt, store),
    }
    for name, handler in replacements.items():
        actions[name] = _one_at_a_time(store, handler)
    _start(partial(tasks.deliver, store), "mayfly-ecs-events")
    _start(partial(_settle_forever, store), "mayfly-ecs-scheduler")
    return store


def _one_at_a_time(store: Store, handler: Handler) -> Handler:
    def handle(data: dict[str, Any]) -> Response:
        with store.lock:
            response = handler(data)
            _settle_all(store)
            return response

    return handle


def _settle_all(store: Store) -> None:
    for scope, _, service in store.all_services():
        with scope:
            services.settle(store, service)


def _settle_forever(store: Store) -> None:
    while True:
        time.sleep(_SETTLE_SECONDS)
        try:
            with store.lock:
                _settle_all(store)
        except Exception:  # noqa: BLE001 - whatever it is, the next look may succeed
            # A clock that died in silence would strand every service.
            _LOG.exception("The scheduler could not look at the services; it tries again.")


def _start(target: Callable[[], None], name: str) -> None:
    threading.Thread(target=target, daemon=True, name=name).start()
