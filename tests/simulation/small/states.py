"""What a state is made of, and what leads from one to another."""

from typing import NamedTuple

from tests.simulation.small.post import Op


class Budget(int):
    """Faults that may still happen, at most three of each: one number, since states hold it."""

    def __new__(
        cls, *, kills: int = 0, losses: int = 0, ticks: int = 0, spares: int = 0, heals: int = 0
    ) -> "Budget":
        """`spares`: whether one message may come a second time. `heals`: ticks that came after the
        faults had ended."""
        return int.__new__(cls, kills | losses << 2 | ticks << 4 | spares << 6 | heals << 8)

    @property
    def kills(self) -> int:
        """Of workers."""
        return self & 3

    @property
    def losses(self) -> int:
        """Of acknowledgements."""
        return self >> 2 & 3

    @property
    def ticks(self) -> int:
        """Before the faults end."""
        return self >> 4 & 3

    @property
    def spares(self) -> int:
        """Second deliveries."""
        return self >> 6 & 3

    @property
    def heals(self) -> int:
        """Ticks so far that came after all faults."""
        return self >> 8

    def less(self, *, kills: int = 0, losses: int = 0, ticks: int = 0, spares: int = 0) -> "Budget":
        """After a fault."""
        return int.__new__(Budget, self - (kills | losses << 2 | ticks << 4 | spares << 6))

    def told(self) -> dict[str, int]:
        """By name."""
        return {name: getattr(self, name) for name in ("kills", "losses", "ticks", "spares")}


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
