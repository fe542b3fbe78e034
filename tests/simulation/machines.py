"""A worker's machine: the real loop, heartbeat and speaker; only ffmpeg and the wires are replaced.

What a source is like stands in its first word, so that the fake encoder knows what would happen.
"""

import dataclasses
from collections.abc import Callable

from mayfly.memory.clock import SeededDice
from mayfly.memory.signer import MemorySigner
from tests.simulation.fleet import EcsTask, Fleet
from tests.simulation.hands import Hands
from tests.simulation.kinds import Kind
from tests.simulation.lines import Line
from tests.simulation.scheduler import Process, Scheduler
from tests.simulation.trouble import Trouble
from tests.simulation.wires import Wires
from tests.simulation.work import SimWork
from worker.agent import Identity, Protection
from worker.loop import Loop
from worker.order import Order
from worker.stop import Stop

#: A neighbour that takes half of the machine, and a disk that is dying.
_SLOWNESS = (2.5, 5.0, 20.0)


@dataclasses.dataclass(slots=True)
class SimClock:
    """The world's time, with a process's own error."""

    scheduler: Scheduler
    #: AWS's own clocks are right; a process's may not be.
    own: bool = True

    def now(self) -> float:
        """Unix time in seconds."""
        process = self.scheduler.current
        skew = process.skew_seconds if process is not None and self.own else 0.0
        return self.scheduler.now + skew

    def monotonic(self) -> float:
        """Seconds that never jump."""
        return self.scheduler.now

    def sleep(self, seconds: float) -> None:
        """Suspends."""
        self.scheduler.sleep(seconds)


class SimPulse:
    """A heartbeat's process."""

    def __init__(self, scheduler: Scheduler, owner: Process) -> None:
        self._scheduler, self._owner = scheduler, owner
        self._process: Process | None = None
        self._over = False

    def start(self, run: Callable[[], None]) -> None:
        """Beside its owner, and dead with it."""
        self._process = self._scheduler.spawn(
            f"{self._owner.name} pulse",
            run,
            skew_seconds=self._owner.skew_seconds,
            account=self._owner.account,
        )

    @property
    def over(self) -> bool:
        """Whether it was told to end."""
        return self._over

    def wait(self, seconds: float) -> bool:
        """A pause."""
        if not self._over:
            self._scheduler.sleep(seconds)
        return self._over

    def stop(self) -> None:
        """Joins, as a thread's join with its limit does."""
        self._over = True
        process = self._process
        if process is None:
            return
        self._scheduler.wake(process)
        for _ in range(40):
            if process.done or self._owner.dead:
                break
            self._scheduler.sleep(0.1)

    def kill(self) -> None:
        """With the machine."""
        if self._process is not None:
            self._scheduler.kill(self._process)


@dataclasses.dataclass(slots=True)
class SimAgent:
    """The ECS agent beside one container."""

    task: EcsTask
    fleet: Fleet
    trouble: Trouble

    def identity(self) -> Identity:
        """As the metadata endpoint says."""
        return Identity(
            worker=f"arn:aws:ecs:r:0:task/mayfly/{self.task.name}", service=self.task.service
        )

    def set_protection(self, on: bool) -> bool:
        """True only when it is confirmed."""
        self.trouble.before("agent.protect")
        return self.fleet.protect(self.task, on)


class Machine:
    """One worker's process, its ports and its end."""

    def __init__(
        self,
        task: EcsTask,
        *,
        pool: str,
        jobs: Line,
        done: Line,
        signer: MemorySigner,
        fleet: Fleet,
        dice: SeededDice,
        skew_seconds: float,
        trouble: Trouble,
        scheduler: Scheduler,
    ) -> None:
        self.task, self.trouble, self.scheduler = task, trouble, scheduler
        self.wires = Wires(signer, trouble)
        #: Observers.
        self.on_source: Callable[[Order, str], None] = lambda order, character: None
        self.on_failed: Callable[[Order], None] = lambda order: None
        self.on_killed: Callable[[Order], None] = lambda order: None
        self._fleet = fleet
        self._slowness = trouble.choice(_SLOWNESS) if trouble.strike(Kind.WORKER_SLOW) else 1.0
        self._stop = Stop(self._later)
        self._pulses: list[SimPulse] = []
        self._hands = Hands(jobs, task, trouble)
        self._hands.on_interrupted = lambda: fleet.stop(task, "SpotInterruption")
        self._ports = (pool, self._hands.mouth(done), dice)
        task.ask_to_stop = self._ask_to_stop
        task.end = self._end
        self._process = scheduler.spawn(
            f"worker {task.name}",
            self._run,
            ended=self._ended,
            skew_seconds=skew_seconds,
            account=task.name,
        )

    def _run(self) -> None:
        pool, done, dice = self._ports
        clock = SimClock(self.scheduler)
        agent = SimAgent(self.task, self._fleet, self.trouble)
        Loop(
            pool=pool,
            jobs=self._hands,
            done=done,
            control=self.wires,
            work=SimWork(self),
            protection=Protection(agent, clock),
            identity=agent.identity(),
            clock=clock,
            dice=dice,
            stop=self._stop,
            pulse=self._pulse,
        ).run()

    @property
    def leaving(self) -> bool:
        """SIGTERM has come."""
        return self._stop.asked

    @property
    def slowness(self) -> float:
        """How much longer it takes than others, in bad weather."""
        return 1.0 if self.trouble.calm else self._slowness

    def freeze(self, seconds: float) -> None:
        """Loop and heartbeat, both."""
        self._hands.froze()
        self.task.still_until = self.scheduler.now + seconds
        self.trouble.frozen[self.task.name] = self.task.still_until
        self.scheduler.sleep(seconds)

    def die_of_memory(self) -> None:
        """The kernel kills what holds too much; the container goes with it."""
        self._fleet.kill(self.task, "EssentialContainerExited", 137)
        self.scheduler.sleep(1.0)  # raises Killed

    def _pulse(self) -> SimPulse:
        pulse = SimPulse(self.scheduler, self._process)
        self._pulses.append(pulse)
        return pulse

    def _ask_to_stop(self) -> None:
        """SIGTERM interrupts whatever waits; a long poll goes on."""
        self._stop.ask()
        self.scheduler.wake(self._process)

    def _later(self, seconds: float, act: Callable[[], None]) -> None:
        """An alarm, unless the whole machine stands still: then it comes when that is over."""
        if not seconds:
            return  # one that is under way finds nothing to do

        def alarm() -> None:
            still_seconds = self.task.still_until - self.scheduler.now
            if still_seconds > 0:
                self._later(still_seconds, act)
            elif not self._process.done and not self._process.dead:
                act()

        self.scheduler.after(seconds, alarm)

    def _end(self) -> None:
        """The machine is gone, all at once."""
        for pulse in self._pulses:
            pulse.kill()
        self.scheduler.kill(self._process)

    def _ended(self, process: Process) -> None:
        """The program is over, and with it whatever ran beside it."""
        for pulse in self._pulses:
            pulse.kill()
        self._hands.left(in_peace=not process.dead)
        if not process.dead:
            self._fleet.left(self.task, 0)
