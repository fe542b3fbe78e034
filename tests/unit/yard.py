"""A pool and its services, with nothing else going on: for tests of planners that meet, stall, are
refused or die. It watches that no service is deleted over the head of a busy worker.
"""

from collections.abc import Callable
from contextlib import suppress

import msgspec

from mayfly.core import limits
from mayfly.core.changes import Delete, Put, Update
from mayfly.core.rows import PAUSED_KEY, PoolRow, pool_key
from mayfly.memory.world import SETTINGS, MemoryWorld, memory_world
from mayfly.perform import engine, planning, ticking
from mayfly.perform.ports import ServiceSeen, Temporary
from mayfly.perform.world import World
from tests.unit.interrupting import Crash, Interruption

POOL = "standard"
#: Ticks in which whatever went wrong once must be right again while there is work.
HEAL_TICKS = 3
#: Ticks after which nothing may stand without work: an unknown service outlives its tag, drains,
#: is deleted.
GONE_TICKS = (limits.SERVICE_EXPIRES_SECONDS + limits.CALL_SECONDS_MAX) // limits.TICK_SECONDS + 4


class Yard:
    """One pool of three workers."""

    def __init__(self, *, on_demand_after_seconds: int = 0) -> None:
        pool = msgspec.structs.replace(
            SETTINGS.pools[0], on_demand_after_seconds=on_demand_after_seconds
        )
        self.at = _Watching(self)
        self.w: MemoryWorld = memory_world(
            msgspec.structs.replace(SETTINGS, pools=(pool,)), faults=self.at
        )
        self.world: World = self.w.world
        #: Services whose deletion met a busy worker.
        self.stopped: list[str] = []

    # --- what happens ------------------------------------------------------------------------

    def opens(self, jobs: int) -> None:
        """Jobs come, or go if negative, and the pool is seen to."""
        self.counts(jobs)
        self.plan()

    def counts(self, jobs: int) -> None:
        """Jobs come or go, and nobody has looked yet."""
        change = Update(
            key=pool_key(POOL), set={"pool": POOL}, add={"open_jobs": jobs}, upsert=True
        )
        self.w.table.commit([change])

    def plan(self, *, settled: bool = False) -> None:
        """One planner. Whoever sent the event sends it again when it is refused."""
        planning.see_to_pool(self.world, POOL, settled=settled)

    def ticks(self, count: int = 1) -> None:
        """Time passes."""
        for _ in range(count):
            self.w.clock.sleep(limits.TICK_SECONDS)
            engine.run(self.world, ticking.tick(self.world))

    def stalls(self, seconds: float = limits.LEASE_SECONDS + 1) -> None:
        """Whoever plans stands still."""
        self.w.clock.sleep(seconds)

    def pauses(self) -> None:
        self.w.table.commit([Put(key=PAUSED_KEY, item={"paused_at": self.w.clock.now()})])

    def goes_on(self) -> None:
        self.w.table.commit([Delete(key=PAUSED_KEY)])

    def breaks(self) -> None:
        """The brake is pulled."""
        change = Update(
            key=pool_key(POOL),
            set={"pool": POOL, "broken_at": self.w.clock.now(), "crashes": 3},
            upsert=True,
        )
        self.w.table.commit([change])

    def releases(self, task_definition: str) -> World:
        """A new revision of the worker; the world as the new functions see it."""
        pools = tuple(
            msgspec.structs.replace(pool, task_definition=task_definition)
            for pool in self.world.settings.pools
        )
        settings = msgspec.structs.replace(self.world.settings, pools=pools)
        return World(
            settings=settings,
            table=self.w.table,
            jobs_queues=self.world.jobs_queues,
            done_queue=self.w.done,
            signer=self.world.signer,
            services=self.w.services,
            store=self.w.store,
            bus=self.w.bus,
            clock=self.w.clock,
            dice=self.world.dice,
        )

    # --- what there is -----------------------------------------------------------------------

    @property
    def row(self) -> PoolRow:
        return planning.read_pool(self.world, POOL)[0]

    def standing(self) -> dict[str, ServiceSeen]:
        """Services that cost money or could, by name."""
        found = (self.w.services.peek(name) for name in self.w.services.wanted())
        return {s.name: s for s in found if s is not None and s.status != "INACTIVE"}

    def serving(self) -> list[int]:
        """The desired counts of what runs or shall run."""
        return [s.desired for s in self.standing().values() if s.desired > 0]

    def only(self) -> str:
        """The one service that stands."""
        (name,) = self.standing()
        return name

    def wrong(self, jobs: int) -> str:
        """What is not as it must be, after enough ticks, with so many open jobs."""
        self.ticks(HEAL_TICKS if jobs else GONE_TICKS)
        if self.stopped:
            return f"stopped over a busy worker: {self.stopped}"
        wanted = [min(3, jobs)] if jobs else []
        if self.serving() != wanted:
            return f"{self.serving()} workers are asked for instead of {wanted}"
        if not jobs and (self.standing() or self.row.services):
            return f"left: {self.standing()}, {self.row.services}"
        if jobs:
            self.ticks(GONE_TICKS)
            return "" if len(self.standing()) == 1 else f"beside it stand {self.standing()}"
        return ""


class _Watching(Interruption):
    """Looks at every service after each call."""

    def __init__(self, yard: Yard) -> None:
        super().__init__()
        self._yard = yard

    def after(self, action: str) -> None:
        if action == "services.delete":
            self._yard.stopped += [
                seen.name
                for seen in self._yard.standing().values()
                if seen.status == "DRAINING" and seen.running
            ]
        super().after(action)


def refused() -> None:
    """By AWS, for now."""
    raise Temporary("ThrottlingException")


def tried(work: Callable[[], object]) -> Callable[[], None]:
    """An event whose handling may be refused or cut off."""

    def once() -> None:
        with suppress(Temporary, Crash):
            work()

    return once
