"""What drives the heartbeat: something that runs beside the work and can be told to end.

A thread in a worker; the simulator gives its own. It must never outlive the task that started it.
"""

import threading
from collections.abc import Callable
from typing import Protocol

#: A beat under way ends in this time: a send to SQS that has to be tried again, at worst.
_JOIN_SECONDS_MAX = 4.0


class Pulse(Protocol):
    """Runs one function beside its owner. Made for one task."""

    def start(self, run: Callable[[], None]) -> None:
        """Begins."""

    @property
    def over(self) -> bool:
        """Whether it was told to end."""

    def wait(self, seconds: float) -> bool:
        """Called by what runs: pauses, and answers at once with True when it shall end."""

    def stop(self) -> None:
        """Tells it to end, and waits for that."""


class ThreadPulse:
    """A thread."""

    def __init__(self) -> None:
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, run: Callable[[], None]) -> None:
        """Begins."""
        self._thread = threading.Thread(target=run, name="heartbeat", daemon=True)
        self._thread.start()

    @property
    def over(self) -> bool:
        """Whether it was told to end."""
        return self._over.is_set()

    def wait(self, seconds: float) -> bool:
        """A pause that `stop` cuts short."""
        return self._over.wait(seconds)

    def stop(self) -> None:
        """Joins, for as long as one beat may take."""
        self._over.set()
        if self._thread is not None and self._thread.is_alive():
            self._thread.join(_JOIN_SECONDS_MAX)
