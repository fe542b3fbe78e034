"""The Services port in memory: ECS's rules about names, draining and deleting, without its tasks.

As many tasks run as are desired, unless capacity is held back (Spot's drought) or tasks are kept
(protected workers that finish first). The simulator moves both.
"""

import dataclasses
import math
import random
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from mayfly.memory.branches import Branches, Taken
from mayfly.memory.faults import Faults
from mayfly.memory.fickle import Fickle
from mayfly.perform.ports import (
    Clock,
    Conflict,
    Gone,
    ServiceSeen,
    ServiceWanted,
    Temporary,
)

STACK_TAG = "mayfly:stack"

#: ECS: Create, Update and DeleteService share a bucket of 50 calls; 5 come back in a second.
CALLS_MAX = 50
CALLS_PER_SECOND = 5.0


@dataclasses.dataclass(slots=True)
class _Service:
    wanted: ServiceWanted
    created_at: float
    desired: int
    tags: Mapping[str, str]
    deleted: bool = False
    #: Tasks that do not stop when fewer are desired.
    kept: int = 0
    #: Tasks that have a machine and have not begun; the service is there until they are not.
    starting: int = 0
    #: Tasks that find a machine.
    capacity: int | None = None
    inactive_at: float = math.inf
    #: What DescribeServices would tell since when, oldest first; without a lag only the newest.
    told: list[tuple[float, ServiceSeen]] = dataclasses.field(default_factory=list)

    @property
    def seen(self) -> ServiceSeen:
        """As it really is."""
        return self.told[-1][1]


class MemoryServices(Fickle):
    """The services of one cluster."""

    def __init__(
        self,
        clock: Clock,
        *,
        stack: str = "mayfly",
        faults: Faults | None = None,
        branches: Branches | None = None,
        chance: random.Random | None = None,
    ) -> None:
        super().__init__(faults, branches, chance)
        self._clock = clock
        self._stack = stack
        self._services: dict[str, _Service] = {}
        self._calls, self._called_at = float(CALLS_MAX), clock.now()

    def create(self, wanted: ServiceWanted) -> None:
        """A name can be used again once its service is INACTIVE."""
        self._faults.before("services.create")
        self._count_call()
        there = self._services.get(wanted.name)
        status = there.seen.status if there else "INACTIVE"
        if status == "DRAINING":
            self._faults.took("draining_name", self.branches.draining_name)
            if self.branches.draining_name is Taken.DRAINING:
                raise Temporary("CreateService: the name is still draining.")
        if status == "INACTIVE":
            tags = MappingProxyType(dict(wanted.tags))
            new = _Service(wanted, self._clock.now(), wanted.desired, tags)
            self._services[wanted.name] = new
            self._changed(new)
        self._faults.after("services.create")

    def resize(self, name: str, desired: int) -> None:
        """Only an ACTIVE one. Of two the later one counts."""
        self._faults.before("services.resize")
        self._count_call()
        service = self._found(name)
        if service is None or service.deleted:
            raise Gone(f"UpdateService: {name} is not an active service.")
        service.desired = desired
        self._changed(service)
        self._faults.after("services.resize")

    def delete(self, name: str) -> None:
        """DRAINING while tasks run."""
        self._faults.before("services.delete")
        self._count_call()
        service = self._found(name)
        if service is not None and not service.deleted:
            if service.desired > 0:
                raise Conflict("DeleteService: more than 0 tasks are desired.")
            service.deleted = True
            self._changed(service)
        self._faults.after("services.delete")

    def describe(self, names: Sequence[str]) -> list[ServiceSeen]:
        """INACTIVE ones too, until they are purged."""
        self._faults.before("services.describe")
        services = [self._services[name] for name in names if name in self._services]
        return [self._told(service) for service in services if self._is_shown(service)]

    def tagged(self) -> list[ServiceSeen]:
        """ACTIVE ones."""
        self._faults.before("services.tagged")
        now = self._clock.now()
        unlisted = self.branches.service_unlisted_seconds
        listed = [
            service
            for service in self._services.values()
            if not service.deleted
            and self._is_shown(service)
            and now >= service.created_at + unlisted
            and service.tags.get(STACK_TAG) == self._stack
        ]
        if unlisted and len(listed) < len(self._services):
            self._faults.took("service_unlisted_seconds", unlisted)
        return [seen for seen in map(self._told, listed) if seen.status == "ACTIVE"]

    def keep(self, name: str, tasks: int, starting: int = 0) -> None:
        """So many tasks are protected: they run on, whatever is desired. Others are starting."""
        self._services[name].kept, self._services[name].starting = tasks, starting
        self._changed(self._services[name])

    def hold_back(self, name: str, capacity: int | None) -> None:
        """No more than so many tasks find a machine; None ends the drought."""
        self._services[name].capacity = capacity
        self._changed(self._services[name])

    def purge(self, name: str) -> None:
        """ECS forgets an INACTIVE service at its leisure."""
        if self._services[name].seen.status == "INACTIVE":
            del self._services[name]

    def peek(self, name: str) -> ServiceSeen | None:
        """As it really is, whatever DescribeServices shows yet."""
        service = self._services.get(name)
        return service.seen if service is not None else None

    def wanted(self) -> Mapping[str, ServiceWanted]:
        """How each service was asked for, for checkers."""
        return {name: service.wanted for name, service in self._services.items()}

    def _count_call(self) -> None:
        now = self._clock.now()
        back = (now - self._called_at) * CALLS_PER_SECOND
        left = self.branches.service_calls_left
        self._calls, self._called_at = min(float(left), self._calls + back), now
        if self._calls < 1:
            self._faults.took("service_calls_left", left)
            raise Temporary("ECS: ThrottlingException, rate exceeded.")
        self._calls -= 1

    def _found(self, name: str) -> _Service | None:
        """The service that Update and DeleteService find."""
        service = self._services.get(name)
        if service is None or self._is_shown(service) or service.inactive_at < math.inf:
            return service
        self._faults.took("unseen_service_is_gone", self.branches.unseen_service_is_gone)
        return None if self.branches.unseen_service_is_gone else service

    def _is_shown(self, service: _Service) -> bool:
        now = self._clock.now()
        if now < service.created_at + self.branches.service_unseen_seconds:
            self._faults.took("service_unseen_seconds", self.branches.service_unseen_seconds)
            return False
        kept = self.branches.inactive_kept_seconds
        if now >= service.inactive_at + kept:
            self._faults.took("inactive_kept_seconds", kept)
            return False
        return True

    def _told(self, service: _Service) -> ServiceSeen:
        lag = self.branches.service_lag_seconds
        if not lag:
            return service.seen
        moment = self._clock.now() - self._chance.uniform(0, lag)
        seen = service.told[0][1]
        for at, then in service.told:
            if at > moment:
                break
            seen = then
        if seen != service.seen:
            self._faults.took("service_lag_seconds", lag)
        return seen

    def _changed(self, service: _Service) -> None:
        seen, now = _seen(service), self._clock.now()
        if seen.status == "INACTIVE" and service.inactive_at == math.inf:
            service.inactive_at = now
        forgotten = now - self.branches.service_lag_seconds
        while len(service.told) > 1 and service.told[1][0] <= forgotten:
            del service.told[0]
        if service.told and service.told[-1][0] <= forgotten:
            del service.told[0]
        service.told.append((now, seen))


def _seen(service: _Service) -> ServiceSeen:
    capacity = service.desired if service.capacity is None else service.capacity
    running = max(service.kept, min(service.desired, capacity))
    left = running or service.starting
    status = "ACTIVE" if not service.deleted else "DRAINING" if left else "INACTIVE"
    return ServiceSeen(
        name=service.wanted.name,
        status=status,
        desired=service.desired,
        running=running,
        pending=max(service.starting, service.desired - running),
        tags=service.tags,
    )
