"""What a state is made of, and what leads from one to another."""

from typing import NamedTuple

from tests.simulation.small.post import Op


class Budget(NamedTuple):
    """Faults that may still happen."""

    kills: int = 0
    losses: int = 0
    ticks: int = 0
    #: Whether one message may come a second time.
    spares: int = 0
    #: Ticks that came after the faults had ended.
    heals: int = 0

    def less(self, *, kills: int = 0, losses: int = 0, ticks: int = 0, spares: int = 0) -> "Budget":
        """After a fault."""
        left = self.kills - kills, self.losses - losses, self.ticks - ticks, self.spares - spares
        return Budget(*left, self.heals)


class State(NamedTuple):
    """Everything there is, as numbers of things that are equal when their numbers are."""

    memory: int
    jobs: int
    mail: int
    #: Those that are at work.
    workers: int
    #: Those under way.
    invocations: int
    budget: Budget


class Working(NamedTuple):
    """A worker with a message."""

    node: int
    body: int
    serial: int


class Move(NamedTuple):
    """Something that may happen."""

    after: State
    #: It happens also when nothing goes wrong.
    is_progress: bool
    told: str
    #: What it does to the queue that is not its own.
    ops: tuple[Op, ...] = ()
