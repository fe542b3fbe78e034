"""What goes wrong in a random life, and what is true of it: faults of ports, workers, and the truth
that an all-knowing observer keeps. Used by `lives.py`.
"""

import dataclasses
import random
from collections import defaultdict
from collections.abc import Callable

from mayfly.contract.task import Task
from mayfly.core import limits
from mayfly.memory.clock import VirtualClock
from mayfly.memory.faults import Faults
from mayfly.perform.ports import Message, Temporary


class Crash(BaseException):
    """The invocation is cut off at a port call, as by a time-out: no code of ours runs any more."""


class Weather(Faults):
    """Fails calls of invocations; workers have misfortunes of their own."""

    def __init__(self, chance: random.Random, clock: VirtualClock) -> None:
        self.calm = False
        #: Whether an invocation is under way.
        self.invoked = False
        self._met = False
        #: Another invocation, run whole between two calls of this one.
        self.meanwhile: Callable[[], None] = lambda: None
        self._chance, self._clock = chance, clock
        self._crash, self._refuse, self._stall, self._meet = (
            chance.choice(rates)
            for rates in ((0, 0.003, 0.02), (0, 0.01, 0.05), (0, 0.004), (0, 0.02, 0.06))
        )

    def before(self, action: str) -> None:
        """A call that never arrived; or the world goes on while we are at it."""
        if self.calm or not self.invoked:
            return
        if not self._met and self._chance.random() < self._meet:
            self._met, self.invoked = True, False
            self.meanwhile()
            self._met, self.invoked = False, True
        if self._chance.random() < self._stall:
            self._clock.sleep(limits.LEASE_SECONDS + 5)
        self._blow(action)

    def after(self, action: str) -> None:
        """An answer that got lost."""
        if not self.calm and self.invoked:
            self._blow(action)

    def _blow(self, action: str) -> None:
        if self._chance.random() < self._crash:
            raise Crash(action)
        if self._chance.random() < self._refuse:
            raise Temporary(action)


@dataclasses.dataclass(slots=True, kw_only=True, eq=False)
class Worker:
    """One ECS task."""

    name: str
    service: str
    born_at: float
    message: Message | None = None
    task: Task | None = None
    attempt: str = ""
    left: int = 0

    @property
    def busy(self) -> bool:
        return self.task is not None


@dataclasses.dataclass(slots=True)
class Truth:
    """What really happened, to judge outcomes by."""

    cancelled: set[str] = dataclasses.field(default_factory=set)
    #: Job and failure code of attempts that failed.
    failed: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    #: Workers that stopped before anybody had heard that they had begun anything.
    stillborn: set[str] = dataclasses.field(default_factory=set)
    #: Messages of a job that died.
    letters: dict[str, set[str]] = dataclasses.field(default_factory=lambda: defaultdict(set))
    request_ids: set[str] = dataclasses.field(default_factory=set)
    #: Exceptions that are no refusal of the world.
    surprises: list[str] = dataclasses.field(default_factory=list)
