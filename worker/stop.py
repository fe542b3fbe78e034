"""SIGTERM: stop what is under way, take nothing new, and leave. A second one leaves at once.

The handler only writes attributes and cuts sockets: it may have interrupted any line of ours.
"""

import os
import signal
from types import FrameType

from worker import run
from worker.clock import WorkerClock
from worker.ends import Reason
from worker.halt import Halt

_LOOK_SECONDS = 0.2
#: What a shell says of a process that SIGTERM ended.
_IN_A_HURRY = 128 + signal.SIGTERM


class Stop:
    """Whether this process shall leave."""

    def __init__(self) -> None:
        self._asked = False
        self._halt: Halt | None = None

    @property
    def asked(self) -> bool:
        """From now on no work is taken."""
        return self._asked

    def ask(self) -> None:
        """Stops the work under way, too."""
        self._asked = True
        if self._halt is not None:
            self._halt.set(Reason.SIGNAL)

    def guard(self, halt: Halt | None) -> None:
        """The work that a stop shall end; None when there is none."""
        self._halt = halt
        if self._asked and halt is not None:
            halt.set(Reason.SIGNAL)

    def pause(self, clock: WorkerClock, seconds: float) -> None:
        """Waits, but not for longer than until it is asked."""
        while seconds > 0 and not self._asked:
            clock.sleep(min(_LOOK_SECONDS, seconds))
            seconds -= _LOOK_SECONDS

    def install(self) -> None:
        """For this process's main thread."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        if self._asked:
            run.kill_all()
            os._exit(_IN_A_HURRY)
        self.ask()
