"""Lambda: event sources that hand out batches, invocations that may die, and the tick.

An invocation does what the two handlers do around their desks: take each message, then run what
follows once. What failed, or everything, comes again.
"""

import contextlib
from collections.abc import Callable, Sequence

from mayfly.core import limits
from mayfly.core.commands import Command
from mayfly.perform import engine, ticking
from mayfly.perform.ports import HandleLost, Message, Temporary
from mayfly.perform.world import World
from tests.simulation.kinds import Kind
from tests.simulation.lines import Line, told
from tests.simulation.scheduler import Process, Scheduler
from tests.simulation.trouble import Trouble

#: Lambda's pollers ask a queue that seemed empty again.
_POLL_SECONDS = 1.0

#: For how long an account's invocations are used up by others.
_THROTTLED_SECONDS = (10.0, 60.0, 300.0)

Take = Callable[[Message], Sequence[Command]]


class Lambdas:
    """What all invocations share."""

    def __init__(self, world: World, trouble: Trouble, scheduler: Scheduler) -> None:
        self.world, self.trouble, self.scheduler = world, trouble, scheduler
        #: Exceptions that no handler expects.
        self.surprises: list[str] = []
        self.running = 0
        self._born = 0

    def invoke(
        self,
        kind: str,
        run: Callable[[], None],
        *,
        seconds_max: float,
        ended: Callable[[bool], None] = lambda well: None,
    ) -> None:
        """One invocation; `ended` learns whether it went well."""
        self._born += 1
        self.running += 1
        if self.running > 1:
            self.trouble.happened(Kind.LAMBDA_CONCURRENT)
        well = False

        def body() -> None:
            nonlocal well
            try:
                run()
                well = True
            except Temporary as refused:
                self.trouble.tell(f"failed: {refused}")

        def over(process: Process) -> None:
            self.running -= 1
            self.trouble.trace.append(
                (self.scheduler.now, process.name, "ended" if well else "ended badly")
            )
            ended(well)

        process = self.scheduler.spawn(
            f"lambda {kind}#{self._born}", body, ended=over, account=f"lambda {kind}"
        )

        def time_out() -> None:
            if not process.done and not process.dead:
                self.trouble.happened(Kind.LAMBDA_TIME_OUT)
                self.scheduler.kill(process)

        self.scheduler.after(seconds_max, time_out)

    def tick(self) -> None:
        """Once a minute, for ever."""
        self.scheduler.after(limits.TICK_SECONDS, self.tick)
        if self.trouble.strike(Kind.LAMBDA_TICK_LOST):
            return
        self.invoke(
            "tick",
            lambda: engine.run(self.world, ticking.tick(self.world)),
            seconds_max=limits.COMPLETION_SECONDS_MAX,
        )

    def operate(self, kind: str, act: Callable[[], Sequence[Command]]) -> None:
        """What a person's command does, from a machine of their own."""
        self.invoke(kind, lambda: engine.run(self.world, act()), seconds_max=900)


class EventSource:
    """Hands a queue's messages to invocations."""

    def __init__(
        self, line: Line, lambdas: Lambdas, take: Take, *, seconds_max: float, at_once: int
    ) -> None:
        self._line, self._lambdas, self._take = line, lambdas, take
        self._seconds_max, self._at_once = seconds_max, at_once
        self._running = 0
        self._look_at: float | None = None
        self._held_until = 0.0
        line.on_change = self.look_soon

    def look_soon(self, pause_seconds: float = 0.0) -> None:
        """Something may have become visible."""
        soonest = self._line.memory.next_visible_at()
        if soonest is None:
            return
        moment = max(soonest, self._lambdas.scheduler.now + pause_seconds)
        if self._look_at is None or moment < self._look_at:
            self._look_at = moment
            self._lambdas.scheduler.at(moment, self._look_in_time)

    def _look_in_time(self) -> None:
        """Unless an earlier look was asked for meanwhile, which has asked for the next one."""
        if self._look_at == self._lambdas.scheduler.now:
            self._look()

    def _look(self) -> None:
        self._look_at = None
        if self._held_up():
            return
        while self._running < self._at_once:
            batch = self._line.take(self._lambdas.trouble.choice((1, 2, limits.BATCH_MAX)))
            if not batch:
                break
            self._invoke(batch)
        if self._running < self._at_once:
            self.look_soon(_POLL_SECONDS)

    def _held_up(self) -> bool:
        """Whether the account has no invocation left for this queue."""
        now, trouble = self._lambdas.scheduler.now, self._lambdas.trouble
        if now >= self._held_until and trouble.strike(Kind.LAMBDA_THROTTLED):
            self._held_until = now + trouble.choice(_THROTTLED_SECONDS)
        if now < self._held_until:
            self.look_soon(self._held_until - now)
        return now < self._held_until

    def _invoke(self, batch: list[Message]) -> None:
        self._running += 1
        done: list[Message] = []

        def run() -> None:
            todo: list[Command] = []
            for message in batch:
                self._lambdas.trouble.tell(f"takes {told(message.body)}")
                try:
                    todo.extend(self._take(message))
                    done.append(message)
                except Temporary as refused:
                    self._lambdas.trouble.tell(f"not now: {refused}")
            if done and len(done) < len(batch):
                self._lambdas.trouble.happened(Kind.LAMBDA_PARTIAL)
            engine.run(self._lambdas.world, todo)

        def ended(well: bool) -> None:
            self._running -= 1
            for message in done if well else ():
                with contextlib.suppress(HandleLost):  # the poller's own business
                    self._line.memory.delete(message.handle)
            self._look()

        self._lambdas.invoke(self._line.name, run, seconds_max=self._seconds_max, ended=ended)
