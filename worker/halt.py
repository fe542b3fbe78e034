"""One word that stops everything an attempt is doing, from a signal or from another thread.

Long waits ask `check()` or `wait()`; a wait that cannot ask (a socket) registers what ends it
with `ending()`. It must never take a lock: `set` runs in signal handlers, which may have
interrupted whoever holds it. The first reason stays.
"""

import contextlib
import time
from collections.abc import Callable, Iterator

from worker.ends import Halted, Reason

#: How long a pause goes on after the halt.
_LOOK_SECONDS = 0.1


class Halt:
    """Set at most once; an attempt has one of its own."""

    def __init__(self) -> None:
        self._reason: Reason | None = None
        self._enders: list[Callable[[], object]] = []

    @property
    def reason(self) -> Reason | None:
        """Why, or None while the work goes on."""
        return self._reason

    def set(self, reason: Reason) -> None:
        """Stops the work. List and attribute operations are atomic, and a second caller finds the
        reason set."""
        if self._reason is None:
            self._reason = reason
        for end in list(self._enders):
            # Whatever is closed may just have closed itself.
            with contextlib.suppress(OSError, ValueError):
                end()

    def check(self) -> None:
        """Raises Halted when the work shall stop."""
        if self._reason is not None:
            raise Halted(self._reason)

    def wait(self, seconds: float) -> None:
        """A pause that a halt ends. Raises Halted."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self.check()
            time.sleep(min(left, _LOOK_SECONDS))
        self.check()

    @contextlib.contextmanager
    def ending(self, end: Callable[[], object]) -> Iterator[None]:
        """While inside, a halt calls `end`."""
        self._enders.append(end)
        try:
            self.check()
            yield
        finally:
            self._enders.remove(end)
