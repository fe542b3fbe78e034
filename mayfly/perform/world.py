"""Everything that performing needs, handed in at the edge: ports, and what the stack says.

The one place where a use case finds its ports. It makes nothing itself; `mayfly.aws.world` and
`mayfly.memory.world` do.
"""

import dataclasses
from collections.abc import Mapping, Sequence

from mayfly.contract.settings import FunctionSettings
from mayfly.core import sizing
from mayfly.core.pool import PoolPolicy
from mayfly.perform import ports


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One figure for the dashboard."""

    name: str
    value: float
    unit: str = "Count"
    dimensions: Mapping[str, str] = dataclasses.field(default_factory=dict)


class Tally:
    """Figures gathered during one invocation; the edge publishes and forgets them."""

    def __init__(self) -> None:
        self._gathered: list[Measurement] = []

    def add(self, name: str, value: float = 1.0, unit: str = "Count", **dimensions: str) -> None:
        """Gathers one figure."""
        self._gathered.append(Measurement(name=name, value=value, unit=unit, dimensions=dimensions))

    def take(self) -> list[Measurement]:
        """All figures since the last call."""
        gathered, self._gathered = self._gathered, []
        return gathered


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The ports and the stack's settings."""

    settings: FunctionSettings
    table: ports.JobTable
    #: The jobs queue of each pool.
    jobs_queues: Mapping[str, ports.Queue]
    done_queue: ports.Queue
    signer: ports.Signer
    services: ports.Services
    store: ports.Store
    bus: ports.Bus
    clock: ports.Clock
    dice: ports.Dice
    tally: Tally = dataclasses.field(default_factory=Tally)

    def policy(self, pool: str, neighbours: Sequence[sizing.Neighbour] = ()) -> PoolPolicy:
        """What the stack says about a pool, beside its neighbours' share, if any are given; of one
        that it no longer has, that nothing may run."""
        if pool not in {settings.name for settings in self.settings.pools}:
            return PoolPolicy(workers_max=0, task_definition="")
        settings = self.settings.pool(pool)
        share = sizing.share(
            sizing.Size(vcpu=settings.vcpu, memory_gib=settings.memory_mib / 1024),
            settings.workers_max,
            self.means,
            neighbours,
            stands_in=settings.on_demand_after_seconds > 0,
        )
        return PoolPolicy(
            workers_max=share.spot,
            task_definition=settings.task_definition,
            on_demand_after_seconds=settings.on_demand_after_seconds,
            on_demand_max=share.on_demand if self.means.bounded else None,
            finish_seconds=self.settings.finish_seconds,
            foreseen_workers_max=self.settings.foreseen_workers_max,
        )

    @property
    def means(self) -> sizing.Means:
        """What all pools may use together."""
        return sizing.Means(
            spot_vcpu=self.settings.spot_vcpu_quota,
            on_demand_vcpu=self.settings.on_demand_vcpu_quota,
            dollars_per_hour=self.settings.dollars_per_hour_max,
        )
