"""All ports in memory, as one world with one clock."""

import dataclasses

from mayfly.contract.settings import FunctionSettings, PoolSettings
from mayfly.core import limits
from mayfly.memory.bus import MemoryBus
from mayfly.memory.clock import SeededDice, VirtualClock
from mayfly.memory.faults import Faults
from mayfly.memory.queue import MemoryQueue
from mayfly.memory.services import MemoryServices
from mayfly.memory.signer import MemorySigner
from mayfly.memory.store import MemoryStore
from mayfly.memory.table import MemoryTable
from mayfly.perform.world import World


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MemoryWorld:
    """The world, and its parts as what they are, so that a test or the simulator can reach in."""

    world: World
    clock: VirtualClock
    table: MemoryTable
    store: MemoryStore
    services: MemoryServices
    bus: MemoryBus
    jobs: MemoryQueue
    jobs_dead: MemoryQueue
    done: MemoryQueue


#: A stack with one pool of three workers, as a new account would have it.
SETTINGS = FunctionSettings(
    stack="mayfly",
    table="table",
    bucket="media",
    requests_queue_url="memory://requests",
    done_queue_url="memory://done",
    signer_role_arn="arn:aws:iam::000000000000:role/signer",
    cluster="mayfly",
    subnets=("subnet-1",),
    security_groups=("sg-1",),
    assign_public_ip=True,
    default_preset="mp4-720p",
    pools=(
        PoolSettings(
            name="standard",
            jobs_queue_url="memory://jobs-standard",
            task_definition="worker:1",
            vcpu=2,
            memory_mib=4096,
            workers_max=3,
        ),
    ),
)


def memory_world(
    settings: FunctionSettings = SETTINGS, seed: int = 0, faults: Faults | None = None
) -> MemoryWorld:
    """A new world of one pool."""
    clock = VirtualClock()
    store = MemoryStore(clock=clock, faults=faults)
    table = MemoryTable(faults=faults)
    services = MemoryServices(clock, stack=settings.stack, faults=faults)
    bus = MemoryBus(faults=faults)
    dead = MemoryQueue(clock, faults=faults)
    done = MemoryQueue(
        clock,
        visibility_seconds=limits.COMPLETION_SECONDS_MAX * limits.HIDDEN_FACTOR,
        dead_letters=MemoryQueue(clock, faults=faults),
        receives_max=limits.FUNCTION_RECEIVES_MAX,
        faults=faults,
    )
    jobs = MemoryQueue(
        clock,
        faults=faults,
        visibility_seconds=limits.VISIBILITY_SECONDS,
        dead_letters=dead,
        receives_max=limits.RECEIVES_MAX,
    )
    world = World(
        settings=settings,
        table=table,
        jobs_queues={"standard": jobs},
        done_queue=done,
        signer=MemorySigner(clock, store, faults=faults),
        services=services,
        store=store,
        bus=bus,
        clock=clock,
        dice=SeededDice(seed),
    )
    return MemoryWorld(
        world=world,
        clock=clock,
        table=table,
        store=store,
        services=services,
        bus=bus,
        jobs=jobs,
        jobs_dead=dead,
        done=done,
    )
