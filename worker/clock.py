"""Time as the worker needs it: the wall's for grants and reports, a monotonic one for durations."""

import time
from typing import Protocol


class WorkerClock(Protocol):
    """Injected, so that tests never wait."""

    def now(self) -> float:
        """Unix time in seconds; may jump."""

    def monotonic(self) -> float:
        """Seconds that never jump."""

    def sleep(self, seconds: float) -> None:
        """Waits."""


class MachineClock:
    """The machine's own."""

    def now(self) -> float:
        """Unix time in seconds."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds since some moment."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Blocks."""
        time.sleep(seconds)
