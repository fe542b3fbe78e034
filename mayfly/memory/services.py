"""The Services port in memory: ECS's rules about names, draining and deleting, without its tasks.

As many tasks run as are desired, unless capacity is held back (Spot's drought) or tasks are kept
(protected workers that finish first). The simulator moves both.
"""

import dataclasses
from collections.abc import Mapping, Sequence

from mayfly.memory.faults import Faults
from mayfly.perform.ports import (
    Clock,
    Conflict,
    Gone,
    ServiceSeen,
    ServiceWanted,
    Temporary,
)

STACK_TAG = "mayfly:stack"


@dataclasses.dataclass(slots=True)
class _Service:
    wanted: ServiceWanted
    created_at: float
    desired: int
    deleted: bool = False
    #: Tasks that do not stop when fewer are desired.
    kept: int = 0
    #: Tasks that find a machine.
    capacity: int | None = None


class MemoryServices:
    """The services of one cluster."""

    def __init__(
        self,
        clock: Clock,
        *,
        stack: str = "mayfly",
        unseen_seconds: float = 0,
        faults: Faults | None = None,
    ) -> None:
        self._clock = clock
        self._stack = stack
        #: How long DescribeServices and ListServices lag behind CreateService.
        self._unseen_seconds = unseen_seconds
        self._faults = faults or Faults()
        self._services: dict[str, _Service] = {}

    def create(self, wanted: ServiceWanted) -> None:
        """A name can be used again once its service is INACTIVE."""
        self._faults.before("services.create")
        there = self._services.get(wanted.name)
        status = _status(there) if there else "INACTIVE"
        if status == "DRAINING":
            raise Temporary("CreateService: the name is still draining.")
        if status == "INACTIVE":
            self._services[wanted.name] = _Service(
                wanted=wanted, created_at=self._clock.now(), desired=wanted.desired
            )
        self._faults.after("services.create")

    def resize(self, name: str, desired: int) -> None:
        """Only an ACTIVE one."""
        self._faults.before("services.resize")
        self._active(name).desired = desired
        self._faults.after("services.resize")

    def delete(self, name: str) -> None:
        """DRAINING while tasks run."""
        self._faults.before("services.delete")
        service = self._services.get(name)
        if service is not None and not service.deleted:
            if service.desired > 0:
                raise Conflict("DeleteService: more than 0 tasks are desired.")
            service.deleted = True
        self._faults.after("services.delete")

    def describe(self, names: Sequence[str]) -> list[ServiceSeen]:
        """INACTIVE ones too, until they are purged."""
        self._faults.before("services.describe")
        return [_seen(self._services[name]) for name in names if self._is_visible(name)]

    def tagged(self) -> list[ServiceSeen]:
        """ACTIVE ones."""
        self._faults.before("services.tagged")
        seen = [_seen(self._services[name]) for name in self._services if self._is_visible(name)]
        return [
            service
            for service in seen
            if service.status == "ACTIVE" and service.tags.get(STACK_TAG) == self._stack
        ]

    def keep(self, name: str, tasks: int) -> None:
        """So many tasks are protected: they run on, whatever is desired."""
        self._services[name].kept = tasks

    def hold_back(self, name: str, capacity: int | None) -> None:
        """No more than so many tasks find a machine; None ends the drought."""
        self._services[name].capacity = capacity

    def purge(self, name: str) -> None:
        """ECS forgets an INACTIVE service at its leisure."""
        if _status(self._services[name]) == "INACTIVE":
            del self._services[name]

    def peek(self, name: str) -> ServiceSeen | None:
        """As it really is, whatever DescribeServices shows yet."""
        service = self._services.get(name)
        return _seen(service) if service is not None else None

    def wanted(self) -> Mapping[str, ServiceWanted]:
        """How each service was asked for, for checkers."""
        return {name: service.wanted for name, service in self._services.items()}

    def _active(self, name: str) -> _Service:
        service = self._services.get(name)
        if service is None or service.deleted:
            raise Gone(f"UpdateService: {name} is not an active service.")
        return service

    def _is_visible(self, name: str) -> bool:
        service = self._services.get(name)
        return (
            service is not None and self._clock.now() >= service.created_at + self._unseen_seconds
        )


def _running(service: _Service) -> int:
    capacity = service.desired if service.capacity is None else service.capacity
    return max(service.kept, min(service.desired, capacity))


def _status(service: _Service) -> str:
    if not service.deleted:
        return "ACTIVE"
    return "DRAINING" if _running(service) else "INACTIVE"


def _seen(service: _Service) -> ServiceSeen:
    running = _running(service)
    return ServiceSeen(
        name=service.wanted.name,
        status=_status(service),
        desired=service.desired,
        running=running,
        pending=max(0, service.desired - running),
        tags=dict(service.wanted.tags),
    )
