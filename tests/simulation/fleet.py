"""ECS and its Spot machines: tasks of services begin slowly, are taken away and picked off.

It knows services as `mayfly.memory.services` keeps them, and each task as a process. What a task
does is not its business.
"""

import dataclasses
import functools
import json
from collections.abc import Callable
from typing import Any

from mayfly.core import limits
from mayfly.memory.services import MemoryServices
from tests.simulation.kinds import Kind
from tests.simulation.lines import Line
from tests.simulation.options import Options
from tests.simulation.scheduler import Process, Scheduler
from tests.simulation.trouble import Trouble

#: How soon ECS's service scheduler acts on what changed.
_LOOK_SECONDS = 5.0
_CHANGES = frozenset({"services.create", "services.resize", "services.delete"})
#: It starts no more than so many tasks of one service at once.
_BURST_MAX = 10
#: How long capacity is away, once it is.
_DROUGHT_SECONDS = (60.0, 600.0, 3000.0)
#: How long a deleted service is DRAINING, if that lasts.
_DRAINING_SECONDS = (30.0, 300.0, 3000.0)


@dataclasses.dataclass(slots=True, eq=False)
class EcsTask:
    """One machine."""

    name: str
    service: str
    born_at: float
    #: PENDING, RUNNING, STOPPING, STOPPED.
    status: str = "PENDING"
    spot: bool = True
    protected: bool = False
    #: What it works on, if anything, for the trace.
    busy_with: str | None = None
    began_at: float | None = None
    stopped_at: float | None = None
    stop_code: str = ""
    #: Everything on it stands still, or did.
    still_until: float = 0.0
    #: SIGTERM.
    ask_to_stop: Callable[[], None] = lambda: None
    #: SIGKILL.
    end: Callable[[], None] = lambda: None


class Fleet:
    """All tasks of all services."""

    def __init__(
        self,
        services: MemoryServices,
        events: Line,
        options: Options,
        trouble: Trouble,
        scheduler: Scheduler,
    ) -> None:
        self.tasks: list[EcsTask] = []
        #: How a task's program is begun; set by the stack.
        self.begin: Callable[[EcsTask], None] = lambda task: None
        #: Told when a task is stopped by ECS or Spot while it works.
        self.on_stopped_at_work: Callable[[EcsTask], None] = lambda task: None
        self.on_death: Callable[[], None] = lambda: None
        self.stillborn: set[str] = set()
        self._services, self._events = services, events
        self._options, self._trouble, self._scheduler = options, trouble, scheduler
        trouble.on_effect.append(self._asked)
        self._born = 0
        self._dry_until = 0.0
        self._look_at: float | None = None
        self._placeless: dict[str, bool] = {}
        #: Without on-demand that would be the end of everything.
        self._spot_ends = bool(options.on_demand_after_seconds) and trouble.looms(
            Kind.ECS_SPOT_GONE
        )
        #: Of deleted services: until when one of its tasks is not quite gone.
        self._lasting: dict[str, float] = {}

    @property
    def alive(self) -> list[EcsTask]:
        """Tasks that cost money."""
        return [task for task in self.tasks if task.status != "STOPPED"]

    def billed_seconds(self) -> float:
        """Of all machines that have stopped."""
        lives = (t.stopped_at - t.born_at for t in self.tasks if t.stopped_at is not None)
        return sum(max(60.0, seconds) for seconds in lives)

    def _asked(self, action: str, _: Process) -> None:
        if action in _CHANGES:
            self.look_soon()
        if action == "services.create":
            # It runs none before one has begun; its port believes that there is always a machine.
            for name in self._services.wanted():
                seen = self._services.peek(name)
                if seen is not None and seen.status == "ACTIVE":
                    self._lasting.pop(name, None)  # its name may have been another's
                    self._sync(name)
        elif action == "services.delete":
            self._drain()

    def _drain(self) -> None:
        """A service is DRAINING for as long as anything of it is left."""
        for name in self._services.wanted():
            seen = self._services.peek(name)
            if name in self._lasting or seen is None or seen.status == "ACTIVE":
                continue
            lasts = self._trouble.strike(Kind.ECS_DRAINING_LASTS)
            seconds = self._trouble.choice(_DRAINING_SECONDS) if lasts else 0.0
            self._lasting[name] = self._scheduler.now + seconds
            if lasts:
                self._sync(name)
                self._scheduler.after(seconds, functools.partial(self._sync, name))

    def look_soon(self, seconds: float = _LOOK_SECONDS) -> None:
        """Something changed: a service, a task, the room there is."""
        moment = self._scheduler.now + seconds
        if self._look_at is None or moment < self._look_at:
            self._look_at = moment
            self._scheduler.at(moment, self._look)

    # --- the service scheduler ---------------------------------------------------------------

    def _look(self) -> None:
        if self._look_at is None or self._look_at > self._scheduler.now:
            return  # an earlier look was asked for meanwhile
        self._look_at = None
        for name in list(self._services.wanted()):
            self._see_to(name)

    def _see_to(self, name: str) -> None:
        seen = self._services.peek(name)
        if seen is None or seen.status == "INACTIVE":
            return
        live = [task for task in self.alive if task.service == name and task.status != "STOPPING"]
        wanted = seen.desired if seen.status == "ACTIVE" else 0
        spot = self._services.wanted()[name].capacity_provider == "FARGATE_SPOT"
        missing = wanted - len(live)
        if missing > 0 and not self._has_place(name, spot):
            self.look_soon(30.0)
        elif missing > 0:
            for _ in range(min(missing, _BURST_MAX)):
                self._hatch(name, spot)
            if missing > _BURST_MAX:
                self.look_soon()
        idle = [task for task in live if not task.protected]
        for _ in range(min(len(live) - wanted, len(idle))):
            victim = self._trouble.choice(idle)
            idle.remove(victim)
            self._trouble.happened(Kind.ECS_SCALE_IN)
            self.stop(victim, "ServiceSchedulerInitiated")

    def _has_place(self, name: str, spot: bool) -> bool:
        if not spot:
            return True
        if self._trouble.calm:
            self._trouble.fired[Kind.ECS_SPOT_GONE] += self._spot_ends
            return not self._spot_ends
        if name not in self._placeless:
            self._placeless[name] = self._trouble.strike(Kind.ECS_NEVER_PLACED)
        return not self._placeless[name] and self._scheduler.now >= self._dry_until

    def _hatch(self, service: str, spot: bool) -> None:
        self._born += 1
        task = EcsTask(f"w{self._born}", service, self._scheduler.now, spot=spot)
        self.tasks.append(task)
        self._sync(service)
        seconds = self._options.start_seconds
        if self._trouble.strike(Kind.ECS_SLOW_START):
            seconds *= 10
        self._tell(task)
        self._scheduler.after(seconds, lambda: self._run(task))

    def _run(self, task: EcsTask) -> None:
        if task.status != "PENDING":
            return
        task.status, task.began_at = "RUNNING", self._scheduler.now
        self._sync(task.service)
        self._trouble.tell(f"{task.name} of {task.service} runs")
        self._tell(task)
        if self._trouble.strike(Kind.ECS_STILLBORN):
            self.stillborn.add(task.name)
            self._stopped(task, "EssentialContainerExited", 1)
            return
        self.begin(task)
        if task.spot:
            self._plan_misfortune(task)

    def _plan_misfortune(self, task: EcsTask) -> None:
        hours = self._trouble.expovariate(1.0 / self._options.spot_hours)
        self._scheduler.after(hours * 3600, lambda: self._spot_wants(task))

    # --- how tasks end -----------------------------------------------------------------------

    def _spot_wants(self, task: EcsTask) -> None:
        if self._trouble.calm or task.status != "RUNNING":
            return
        together = self._trouble.looms(Kind.ECS_SPOT_TOGETHER)
        taken = [t for t in self.alive if t.spot and t.status == "RUNNING"] if together else [task]
        self._trouble.fired[Kind.ECS_SPOT_TOGETHER] += len(taken) > 1
        self._dry_until = self._scheduler.now + self._trouble.choice(_DROUGHT_SECONDS)
        for victim in taken:
            if self._trouble.strike(Kind.ECS_SPOT_KILL):
                self.kill(victim, "SpotInterruption", 137)
            else:
                self._trouble.happened(Kind.ECS_SPOT_NOTICE)
                self.stop(victim, "SpotInterruption")

    def stop(self, task: EcsTask, code: str) -> None:
        """SIGTERM, and SIGKILL after the notice."""
        if task.status in ("STOPPING", "STOPPED"):
            return
        self._trouble.tell(f"{task.name} is told to stop: {code}")
        if task.busy_with and code == "ServiceSchedulerInitiated":
            self.on_stopped_at_work(task)
        began = task.status == "RUNNING"
        task.status, task.stop_code = "STOPPING", code
        if not began:
            self._stopped(task, code, None)
            return
        told_at = self._scheduler.now
        task.ask_to_stop()

        def kill() -> None:
            if task.status != "STOPPED" and task.still_until < told_at:
                self._trouble.on_wrong(f"{task.name} was well, and did not leave in its notice")
            self.kill(task, code, 137)

        self._scheduler.after(limits.STOP_SECONDS, kill)

    def kill(self, task: EcsTask, code: str, exit_code: int | None) -> None:
        """SIGKILL."""
        if task.status == "STOPPED":
            return
        self._trouble.tell(f"{task.name} is killed: {code}")
        self.on_death()
        task.end()
        self._stopped(task, code, exit_code)

    def left(self, task: EcsTask, exit_code: int) -> None:
        """Its program ended by itself."""
        if task.status != "STOPPED":
            self._stopped(task, task.stop_code or "EssentialContainerExited", exit_code)

    def _stopped(self, task: EcsTask, code: str, exit_code: int | None) -> None:
        task.status, task.stop_code, task.stopped_at = "STOPPED", code, self._scheduler.now
        task.busy_with = None
        self.look_soon()
        self._sync(task.service)
        self._tell(task, exit_code)

    # --- what the world sees -----------------------------------------------------------------

    def protect(self, task: EcsTask, on: bool) -> bool:
        """The agent's answer: refused while the service must shrink (DEPLOYMENT_BLOCKED)."""
        seen = self._services.peek(task.service)
        live = [t for t in self.alive if t.service == task.service and t.status != "STOPPING"]
        wanted = seen.desired if seen is not None and seen.status == "ACTIVE" else 0
        blocked = len(live) > wanted and not task.protected
        if on and (blocked or self._trouble.strike(Kind.ECS_PROTECTION_REFUSED)):
            self._trouble.fired[Kind.ECS_PROTECTION_REFUSED] += blocked
            return False
        task.protected = on
        if not on and len(live) > wanted:
            self.look_soon()
        return True

    def _sync(self, service: str) -> None:
        """What DescribeServices counts."""
        alive = [task for task in self.alive if task.service == service]
        count = sum(1 for task in alive if task.status != "PENDING")
        lasts = self._lasting.get(service, 0.0) > self._scheduler.now
        self._services.keep(service, max(count, int(lasts)), starting=len(alive) - count)
        self._services.hold_back(service, count)

    def _tell(self, task: EcsTask, exit_code: int | None = None) -> None:
        detail: dict[str, Any] = {
            "taskArn": f"arn:aws:ecs:r:0:task/mayfly/{task.name}",
            "group": f"service:{task.service}",
            "lastStatus": task.status,
            "createdAt": task.born_at,
            "cpu": "2048",
            "memory": "4096",
            "capacityProviderName": "FARGATE_SPOT" if task.spot else "FARGATE",
        }
        if task.status == "STOPPED":
            containers = [] if exit_code is None else [{"name": "worker", "exitCode": exit_code}]
            detail |= {"stopCode": task.stop_code, "containers": containers}
            detail["stoppedAt"] = task.stopped_at
        if self._trouble.strike(Kind.ECS_EVENT_LOST):
            return
        body = json.dumps({"detail-type": "ECS Task State Change", "detail": detail}).encode()
        self._events.put(body)
        if self._trouble.strike(Kind.ECS_EVENT_TWICE):
            self._events.put(body)
