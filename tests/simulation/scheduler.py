"""Virtual time and one thread: every process of the simulated stack is a suspended function.

The code under test is blocking code (a worker's loop, a Lambda's use case), so each runs in a
greenlet of its own and is suspended inside the ports that it calls. Nothing here is random but the
order of what happens at one moment; nothing here knows what a queue or a worker is.
"""

import dataclasses
import heapq
import itertools
import math
import random
from collections.abc import Callable

import greenlet

from mayfly.core.changes import Key


class Killed(BaseException):
    """The process is cut off where it stands: no code of ours may have an effect any more.

    Not an Exception, so that no handler of ours can catch it; `finally` blocks do run, and find
    that every port is dead.
    """


@dataclasses.dataclass(slots=True, eq=False)
class Process:
    """One blocking function under way."""

    name: str
    born_at: float
    #: Where it runs: a port that its process calls once it is dead raises Killed.
    dead: bool = False
    done: bool = False
    #: Its clock, against the world's.
    skew_seconds: float = 0.0
    #: Grows with every suspension: an earlier wake-up is stale.
    turn: int = 0
    #: Whatever the port calls of this process are charged to.
    account: str = ""
    #: Rows that its transaction under way names.
    commits: tuple[Key, ...] = ()
    body: greenlet.greenlet | None = None
    #: Told in the hub when it is over.
    ended: "Callable[[Process], None] | None" = None


class Scheduler:
    """One heap of moments."""

    def __init__(self, rng: random.Random, start: float = 1_800_000_000.0) -> None:
        self.now = start
        self.began = start
        self.steps = 0
        self.current: Process | None = None
        #: Until when it runs. Nobody but the hub goes beyond.
        self._horizon = start
        self._steps_max = 0
        #: Told of whatever a process raised that is not its death.
        self.on_error: Callable[[Process, Exception], None] = lambda _process, error: None
        self._rng = rng
        self._heap: list[tuple[float, float, int, Process | None, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._hub = greenlet.getcurrent()

    # --- what happens later ------------------------------------------------------------------

    def at(self, moment: float, act: Callable[[], None]) -> None:
        """Something of the world's own, not suspended and never killed."""
        entry = (max(moment, self.now), self._rng.random(), next(self._numbers), None, 0, act)
        heapq.heappush(self._heap, entry)

    def after(self, seconds: float, act: Callable[[], None]) -> None:
        """The same, so many seconds from now."""
        self.at(self.now + seconds, act)

    def spawn(
        self,
        name: str,
        run: Callable[[], None],
        *,
        ended: Callable[[Process], None] | None = None,
        skew_seconds: float = 0.0,
        account: str = "",
    ) -> Process:
        """A process that begins at once; `ended` is called in the hub, killed or not."""
        process = Process(
            name=name,
            born_at=self.now,
            skew_seconds=skew_seconds,
            account=account or name,
            ended=ended,
        )

        def body() -> None:
            try:
                run()
            except Killed:
                process.dead = True
            except Exception as error:  # noqa: BLE001 - told, and the seed fails or not
                self.on_error(process, error)
            process.done = True

        process.body = greenlet.greenlet(body, parent=self._hub)
        self._wake(process, self.now)
        return process

    # --- inside a process --------------------------------------------------------------------

    def sleep(self, seconds: float) -> None:
        """Suspends the process that calls it. Raises Killed when it was killed meanwhile.

        While it is the only one to whom anything happens it is not really suspended: two switches
        of greenlets cost more than all that most port calls do.
        """
        process = self.current
        assert process is not None, "only a process sleeps"
        if process.dead:
            raise Killed
        moment = self.now + max(0.0, seconds)
        alone = not self._heap or moment < self._heap[0][0]
        if alone and moment < self._horizon and self.steps < self._steps_max:
            self.now = moment
            self.steps += 1
            return
        self._wake(process, moment)
        self._hub.switch()
        if process.dead:
            raise Killed

    def wake(self, process: Process) -> None:
        """Ends a process's sleep now."""
        if not process.done and not process.dead:
            self._wake(process, self.now)

    def kill(self, process: Process) -> None:
        """Cuts a process off. It unwinds in the hub, with dead ports."""
        if process.done or process.dead:
            return
        process.dead = True
        self._wake(process, self.now)

    # --- the hub -----------------------------------------------------------------------------

    def run(self, moment: float, steps_max: int) -> None:
        """Whatever happens until a moment, if nobody halts it, and no more than so many steps."""
        self._horizon, self._steps_max = moment, steps_max
        heap = self._heap
        while heap and heap[0][0] <= self._horizon and self.steps < steps_max:
            self.now, _, _, process, turn, act = heapq.heappop(heap)
            if process is None:
                act()
            elif process.done or turn != process.turn:
                continue
            else:
                self._resume(process)
            self.steps += 1
        self.now = max(self.now, self._horizon)

    def halt(self) -> None:
        """Nothing happens any more, once the process that is under way suspends itself."""
        self._horizon = -math.inf

    def end(self) -> None:
        """Kills whatever is left, so that no suspended function outlives its seed."""
        for process in {entry[3] for entry in self._heap if entry[3] is not None}:
            process.dead = True
            process.ended = None
            if not process.done:
                self._resume(process)
        self._heap.clear()

    def _resume(self, process: Process) -> None:
        assert process.body is not None
        if process.dead and not process.body:
            process.done = True  # killed before it began
            return
        self.current = process
        try:
            process.body.switch()
        finally:
            self.current = None
        if process.done and process.ended is not None:
            process.ended(process)

    def _wake(self, process: Process, moment: float) -> None:
        process.turn += 1
        lot, number = self._rng.random(), next(self._numbers)
        heapq.heappush(self._heap, (moment, lot, number, process, process.turn, _nothing))


def _nothing() -> None:
    """What a process does instead of an act."""
