"""SIGTERM: end what is under way if it fits into the notice, take nothing new, and leave. A second
signal leaves at once; SIGINT, a person's, has no notice.

Handlers only write attributes, cut sockets and set the next alarm: they may have interrupted any
line of ours. They run in the main thread whatever it waits for, so that no silent storage and no
hung encoder keeps a worker from leaving in time.
"""

import os
import signal
from collections.abc import Callable
from types import FrameType

from worker import notice, run
from worker.clock import WorkerClock
from worker.ends import Reason
from worker.order import Order

_LOOK_SECONDS = 0.2
#: How often work that goes on is asked whether it still fits.
_AGAIN_SECONDS = 0.25
#: What a shell says of a process that SIGTERM ended.
_IN_A_HURRY = 128 + signal.SIGTERM

#: Does something in so many seconds, in the main thread, instead of what it was to do; 0 is never.
Later = Callable[[float, Callable[[], None]], None]


class UnderWay:
    """One attempt, from its beginning, as whoever is told to leave sees it."""

    def __init__(self, *, order: Order, clock: WorkerClock, notice_seconds: float) -> None:
        self._order, self._clock, self._notice_seconds = order, clock, notice_seconds
        self._began = clock.monotonic()
        self._told_at: float | None = None
        #: Moment and fraction, when first the pace was known after that.
        self._base: tuple[float, float] | None = None
        #: The last choice, and the first.
        self.choices: list[notice.Choice] = []

    def stop(self) -> None:
        """Whatever it could still bring."""
        self._order.halt.set(Reason.SIGNAL)

    def goes_on(self) -> bool:
        """Whether it shall; else it is stopped."""
        choice = notice.choose(self._seen())
        self.choices = [*self.choices[:1], choice]
        if not choice.goes_on:
            self.stop()
        self._order.progress.leaving = True
        return choice.goes_on

    def _seen(self) -> notice.Seen:
        now, order, progress = self._clock.monotonic(), self._order, self._order.progress
        if self._told_at is None:
            self._told_at = now
        fraction, rate = progress.fraction, progress.rate
        if rate is None:
            self._base = None
        elif self._base is None:
            self._base = now, fraction
        since, had = self._base or (now, fraction)
        told_seconds = now - self._told_at
        return notice.Seen(
            worked_seconds=self._told_at - self._began,
            told_seconds=told_seconds,
            left_seconds=self._notice_seconds - told_seconds,
            stage=progress.stage,
            is_part=order.task.kind != "encode" or order.extent.scope is not None,
            fraction=fraction,
            rate=rate,
            gained=fraction - had,
            gained_seconds=now - since,
        )


def _never(seconds: float, act: Callable[[], None]) -> None:
    """Nobody keeps the time."""


class Stop:
    """Whether this process shall leave."""

    def __init__(self, later: Later = _never) -> None:
        self._asked = self._at_once = False
        self._work: UnderWay | None = None
        self._later = later

    @property
    def asked(self) -> bool:
        """From now on no work is taken."""
        return self._asked

    def ask(self, *, at_once: bool = False) -> None:
        """The work under way ends, or is stopped when it does not fit into the notice."""
        self._asked = True
        self._at_once = self._at_once or at_once
        self._look()

    def guard(self, work: UnderWay | None) -> None:
        """The work that a stop shall end; None when there is none."""
        self._work = work
        if not self._asked:
            return
        if work is None:
            self._later(0.0, self._look)  # an alarm that comes later would end the process
        else:
            work.stop()  # it came while we were leaving, and is not begun

    def pause(self, clock: WorkerClock, seconds: float) -> None:
        """Waits, but not for longer than until it is asked."""
        while seconds > 0 and not self._asked:
            clock.sleep(min(_LOOK_SECONDS, seconds))
            seconds -= _LOOK_SECONDS

    def install(self) -> None:
        """For this process's main thread."""
        self._later = _alarm
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)

    def _look(self) -> None:
        work = self._work
        if work is None:
            return
        if self._at_once:
            work.stop()
        elif work.goes_on():
            self._later(_AGAIN_SECONDS, self._look)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        if self._asked:
            run.kill_all()
            os._exit(_IN_A_HURRY)
        self.ask(at_once=number == signal.SIGINT)


def _alarm(seconds: float, act: Callable[[], None]) -> None:
    """A signal, since the main thread may wait in any call. Children do not inherit it."""
    signal.signal(signal.SIGALRM, lambda *_: act())
    signal.setitimer(signal.ITIMER_REAL, seconds)
