"""A walk at random over all ports in memory, with an account that was drawn: what it saw, as text.

Run as a program it prints a digest, which must depend on its seeds and on nothing else.
"""

import hashlib
import random
import sys
from collections import Counter
from collections.abc import Callable

from mayfly.core.changes import Absent, Change, Create, Delete, Key, Put, Update
from mayfly.memory.branches import Branches
from mayfly.memory.bus import MemoryBus
from mayfly.memory.clock import VirtualClock
from mayfly.memory.faults import Faults
from mayfly.memory.queue import MemoryQueue
from mayfly.memory.services import MemoryServices
from mayfly.memory.store import MemoryStore
from mayfly.memory.table import MemoryTable
from mayfly.perform.ports import Conflict, Gone, HandleLost, ServiceWanted, Temporary

STEPS = 120


class Counting(Faults):
    """Which branches made a difference."""

    def __init__(self) -> None:
        self.taken: Counter[str] = Counter()

    def took(self, branch: str, value: object) -> None:
        self.taken[branch] += 1


class Walk:
    """One account, one stream of chance."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.clock = VirtualClock(start=0)
        self.faults = faults = Counting()
        self.branches = branches = Branches.drawn(self.chance)
        chance, clock = self.chance, self.clock

        def queue(name: str, receives_max: int = 0, dead: MemoryQueue | None = None) -> MemoryQueue:
            return MemoryQueue(
                clock,
                name=name,
                visibility_seconds=30,
                receives_max=receives_max,
                dead_letters=dead,
                faults=faults,
                branches=branches,
                chance=chance,
            )

        self.dead = queue("dead")
        self.queue = queue("jobs", 3, self.dead)
        self.table = MemoryTable(clock=clock, faults=faults, branches=branches, chance=chance)
        self.store = MemoryStore(clock=clock, faults=faults, branches=branches, chance=chance)
        self.services = MemoryServices(clock, faults=faults, branches=branches, chance=chance)
        self.bus = MemoryBus(faults=faults, branches=branches, chance=chance)
        self.handles: list[str] = []
        self.steps = (*self._of_queues(), *self._of_rows(), *self._of_services())

    def seen(self) -> str:
        """What the whole walk saw."""
        told = [repr(self.branches)]
        for _ in range(STEPS):
            self.clock.sleep(self.chance.choice((0, 0, 1, 10, 40, 50_000)))
            step = self.chance.choice(self.steps)
            try:
                told.append(repr(step()))
            except (Conflict, Gone, HandleLost, Temporary) as refused:
                told.append(repr(refused))
        return "\n".join(told)

    def _of_queues(self) -> tuple[Callable[[], object], ...]:
        def receive() -> object:
            queue = self.chance.choice((self.queue, self.dead))
            found = queue.receive(wait_seconds=self.chance.choice((0, 0, 5)), limit=3)
            if queue is self.queue:
                self.handles += [message.handle for message in found]
            return found

        def a_handle() -> str:
            return self.chance.choice([*self.handles[-3:], "never-was"])

        return (
            lambda: self.queue.send(b"1"),
            lambda: self.queue.send(b"2"),
            receive,
            receive,
            lambda: self.queue.extend(a_handle(), self.chance.choice((0, 30, 43_200))),
            lambda: self.queue.delete(a_handle()),
            self.queue.depth,
        )

    def _of_rows(self) -> tuple[Callable[[], object], ...]:
        def commit() -> None:
            key = Key("p", self.chance.choice("ab"))
            item = {"gpk": "g", "gsk": self.chance.choice("123"), "n": 0}
            changes: tuple[Change, ...] = (
                Create(key=key, item=item),
                Put(key=key, item=item),
                Update(key=key, add={"n": 1}, set={"gsk": "4"}),
                Update(key=key, set={"done": True}, require={"done": Absent()}),
                Delete(key=key),
            )
            self.table.commit([self.chance.choice(changes)])

        def write() -> None:
            self.store.write("b", self.chance.choice("kl"), b"x", content_type="", if_absent=True)

        return (
            commit,
            commit,
            commit,
            lambda: (self.table.rows("p"), self.table.index("g", limit=9)),
            write,
            lambda: self.store.remove("b", self.chance.choice("kl")),
            lambda: self.bus.publish("outcome", b"{}"),
        )

    def _of_services(self) -> tuple[Callable[[], object], ...]:
        def a_name() -> str:
            return self.chance.choice(("s1", "s2"))

        def create() -> None:
            self.services.create(
                ServiceWanted(
                    name=a_name(),
                    pool="p",
                    task_definition="w:1",
                    desired=self.chance.choice((0, 1)),
                    capacity_provider="FARGATE_SPOT",
                    client_token="t",
                    tags={"mayfly:stack": "mayfly"},
                )
            )

        def keep() -> None:
            name = a_name()
            if name in self.services.wanted():
                self.services.keep(name, self.chance.choice((0, 0, 1)))

        return (
            create,
            create,
            keep,
            lambda: self.services.resize(a_name(), self.chance.choice((0, 0, 2))),
            lambda: self.services.delete(a_name()),
            lambda: self.services.describe(["s1", "s2"]),
            self.services.tagged,
        )


def main() -> None:
    """The digest of some walks."""
    digest = hashlib.sha256()
    for seed in range(int(sys.argv[1])):
        digest.update(Walk(seed).seen().encode())
    sys.stdout.write(digest.hexdigest())


if __name__ == "__main__":
    main()
