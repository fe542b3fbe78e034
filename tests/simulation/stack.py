"""One stack: the real desks, ticks and worker loops over the ports in memory, put together.

It decides nothing and judges nothing.
"""

import dataclasses
import random
from collections import Counter
from collections.abc import Sequence

import msgspec

from completion_handler import desk as completion
from dispatcher import desk as dispatcher
from mayfly.contract.settings import FunctionSettings
from mayfly.core import limits
from mayfly.core.changes import Change, Delete, Key
from mayfly.core.commands import Command
from mayfly.core.rows import PAUSED_KEY
from mayfly.memory.branches import KIND, Branches
from mayfly.memory.bus import MemoryBus
from mayfly.memory.clock import SeededDice
from mayfly.memory.queue import MemoryQueue
from mayfly.memory.services import MemoryServices
from mayfly.memory.signer import MemorySigner
from mayfly.memory.store import MemoryStore
from mayfly.memory.table import MemoryTable
from mayfly.memory.world import SETTINGS
from mayfly.perform.ports import Conflict, Message
from mayfly.perform.world import World
from tests.simulation.fleet import EcsTask, Fleet
from tests.simulation.kinds import Kind
from tests.simulation.lambdas import EventSource, Lambdas
from tests.simulation.lines import Line
from tests.simulation.machines import Machine, SimClock
from tests.simulation.options import Options, draw, scrambled
from tests.simulation.people import People
from tests.simulation.scheduler import Process, Scheduler
from tests.simulation.trouble import Chosen, Trouble
from tests.simulation.truth import Ears, Truth

POOL = "standard"


class _Table(MemoryTable):
    """Tells observers what was committed; conditions that do not hold are part of the weather."""

    scheduler: Scheduler
    trouble: Trouble

    def commit(self, changes: Sequence[Change]) -> None:
        process = self.scheduler.current
        if process is None:  # the world itself, which meets nobody
            kept, self.branches = self.branches, KIND
            super().commit(changes)
            self.branches = kept
            return
        process.commits = tuple(change.key for change in changes)
        try:
            super().commit(changes)
        except Conflict:
            self.trouble.happened(Kind.TABLE_CONFLICT)
            raise

    def _refuse_some(self) -> None:
        """What people write by hand, they write until it is written."""
        if self.scheduler.current is not None:
            super()._refuse_some()


class Stack:
    """Everything there is in one life."""

    def __init__(
        self, seed: int, requests: int | None = None, options: Options | None = None
    ) -> None:
        rng = scrambled(seed)
        self.options = options or draw(seed, rng, requests)
        self.scheduler = Scheduler(rng)
        self.trouble = Trouble(self.options, rng, self.scheduler)
        self.surprises: list[tuple[Process, Exception]] = []
        self.scheduler.on_error = self._raised
        self._make_ports(rng)
        self.dice = SeededDice(seed)
        self.fleet = Fleet(self.services, self.events, self.options, self.trouble, self.scheduler)
        self.fleet.begin, self.fleet.on_death = self._begin, self._died
        self.truth = Truth()
        self.ears = Ears()
        self.world = World(
            settings=_settings(self.options),
            table=self.table,
            jobs_queues={POOL: self.jobs},
            done_queue=self.done,
            signer=self.signer,
            services=self.services,
            store=self.store,
            bus=self.bus,
            clock=SimClock(self.scheduler),
            dice=self.dice,
        )
        self.lambdas = Lambdas(self.world, self.trouble, self.scheduler)
        self._make_sources()
        self.people = People(
            options=self.options,
            store=self.store,
            requests=self.requests,
            jobs=self.jobs,
            done=self.done,
            lambdas=self.lambdas,
            trouble=self.trouble,
        )
        self.people.known_jobs = self.job_ids

    def _make_ports(self, rng: random.Random) -> None:
        aws_clock = SimClock(self.scheduler, own=False)
        s3 = self._drawn(Kind.S3_BRANCHES, rng)
        self.store = MemoryStore(clock=aws_clock, faults=self.trouble, branches=s3, chance=rng)
        table_branches = self._drawn(Kind.TABLE_BRANCHES, rng)
        self.table = _Table(
            clock=aws_clock, faults=self.trouble, branches=table_branches, chance=rng
        )
        self.table.trouble, self.table.scheduler = self.trouble, self.scheduler
        self.bus = MemoryBus(faults=self.trouble, branches=s3, chance=rng)
        ecs = self._drawn(Kind.ECS_BRANCHES, rng)
        if self.trouble.looms(Kind.ECS_CREATE_LATE):
            unseen = self.trouble.choice((5.0, 40.0))
            ecs = dataclasses.replace(ecs, service_unseen_seconds=unseen)
        self.services = MemoryServices(aws_clock, faults=self.trouble, branches=ecs, chance=rng)
        self.signer = MemorySigner(aws_clock, self.store, faults=self.trouble)
        self._make_lines(aws_clock, rng)

    def _drawn(self, kind: Kind, rng: random.Random) -> Branches:
        """What the documents leave open, taken at their word."""
        return Branches.drawn(rng) if self.trouble.strike(kind) else KIND

    def _make_lines(self, clock: SimClock, rng: random.Random) -> None:
        branches = self._drawn(Kind.SQS_BRANCHES, rng)

        def line(name: str, hidden: float, receives: int, dead: Line | None) -> Line:
            memory = MemoryQueue(
                clock,
                name=name,
                visibility_seconds=hidden,
                receives_max=receives,
                dead_letters=dead.memory if dead else None,
                faults=Chosen(self.trouble),
                branches=branches,
                chance=rng,
            )
            self.lines.append(memory)
            return Line(memory, self.trouble, self.scheduler)

        self.lines: list[MemoryQueue] = []
        hidden = limits.COMPLETION_SECONDS_MAX * limits.HIDDEN_FACTOR
        tries = limits.FUNCTION_RECEIVES_MAX
        self.jobs_dead = line(f"jobs-{POOL}-dead", hidden, 0, None)
        self.requests_dead = line("requests-dead", hidden, 0, None)
        self.done_dead = line("done-dead", hidden, 0, None)
        self.events_dead = line("events-dead", hidden, 0, None)
        self.jobs = line(
            f"jobs-{POOL}", limits.VISIBILITY_SECONDS, limits.RECEIVES_MAX, self.jobs_dead
        )
        self.requests = line(
            "requests",
            limits.DISPATCHER_SECONDS_MAX * limits.HIDDEN_FACTOR,
            tries,
            self.requests_dead,
        )
        self.done = line("done", hidden, tries, self.done_dead)
        self.events = line("events", hidden, tries, self.events_dead)

    def _make_sources(self) -> None:
        def dispatch(message: Message) -> Sequence[Command]:
            return dispatcher.take(self.world, message.body)

        def complete(line: Line) -> None:
            def take(message: Message) -> Sequence[Command]:
                return completion.take(self.world, f"mayfly-{line.name}", message)

            work = line is self.done
            at_once = limits.WORK_INVOCATIONS_MAX if work else limits.OTHER_INVOCATIONS_MAX
            EventSource(
                line,
                self.lambdas,
                take,
                seconds_max=limits.COMPLETION_SECONDS_MAX,
                at_once=at_once,
            )

        EventSource(
            self.requests,
            self.lambdas,
            dispatch,
            seconds_max=limits.DISPATCHER_SECONDS_MAX,
            at_once=limits.WORK_INVOCATIONS_MAX,
        )
        for line in (self.done, self.events, self.jobs_dead, self.requests_dead):
            complete(line)
        # A message that is buried makes no sound: the queue it came from tells.
        bells = {self.jobs: self.jobs_dead, self.requests: self.requests_dead}
        for line, dead in bells.items():
            line.on_buried = dead.rang

    def _begin(self, task: EcsTask) -> None:
        skewed = self.trouble.strike(Kind.CLOCK_SKEW)
        machine = Machine(
            task,
            pool=POOL,
            jobs=self.jobs,
            done=self.done,
            signer=self.signer,
            fleet=self.fleet,
            dice=self.dice,
            skew_seconds=self.trouble.choice((-120.0, 30.0, 200.0)) if skewed else 0.0,
            trouble=self.trouble,
            scheduler=self.scheduler,
        )
        machine.on_source, machine.on_failed = self.truth.source, self.truth.failure
        machine.on_killed = self.truth.kill

    def _raised(self, process: Process, error: Exception) -> None:
        self.surprises.append((process, error))
        self.scheduler.halt()

    def _died(self) -> None:
        self.truth.deaths += 1

    def calm_down(self) -> None:
        """The end of all misfortune."""
        self.trouble.tell("the weather calms down")
        self.trouble.calm = True
        self.trouble.frozen.clear()
        for port in (*self.lines, self.table, self.store, self.bus, self.services):
            port.branches = KIND
        self.table.commit([Delete(key=PAUSED_KEY)])

    def job_ids(self) -> list[str]:
        """Every job there is."""
        jobs = (pk for pk in self.table.partition_keys() if pk.startswith("job#"))
        heads = (pk for pk in jobs if self.table.peek(Key(pk, "head")) is not None)
        return sorted(pk.removeprefix("job#") for pk in heads)

    def ends(self) -> Counter[str]:
        """How many jobs ended how."""
        states: Counter[str] = Counter()
        for ident in self.job_ids():
            row = self.table.peek(Key(f"job#{ident}", "head"))
            states[str(row["state"]) if row else "?"] += 1
        return states


def _settings(options: Options) -> FunctionSettings:
    pools = tuple(
        msgspec.structs.replace(
            pool,
            workers_max=options.workers_max,
            on_demand_after_seconds=options.on_demand_after_seconds,
        )
        for pool in SETTINGS.pools
    )
    return msgspec.structs.replace(
        SETTINGS,
        pools=pools,
        finish_seconds=options.finish_seconds,
        foreseen_workers_max=options.foreseen_workers_max,
        spot_vcpu_quota=options.vcpu_quota,
        on_demand_vcpu_quota=options.vcpu_quota,
        dollars_per_hour_max=options.dollars_per_hour_max,
    )
