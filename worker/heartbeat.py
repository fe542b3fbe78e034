"""While a task is worked on: keep its message, read its orders, say how far it is.

Beats come every HEARTBEAT_SECONDS; in a task's first seconds it also tells how far it is between
them, since whoever watches a short encode would else see nothing at all.

One pulse for each task, from before the download until after the report. It never outlives its
task: it has ended before the message is deleted, so no late beat can hide a message that was
handed back. `beat()` is one beat and waits for nothing, so tests own the time.
"""

import dataclasses
import logging
from collections.abc import Callable

from mayfly.contract import report
from mayfly.core import limits
from mayfly.perform.ports import HandleLost, Queue, Temporary
from worker.clock import WorkerClock
from worker.control import ControlReader
from worker.ends import Reason
from worker.grants import HeldGrants
from worker.halt import Halt
from worker.pulse import Pulse
from worker.speak import Speaker

_LOG = logging.getLogger("mayfly.worker")

#: Follows the stage of work that goes on although its worker was told to leave.
_LEAVING = ", to end before its machine goes"


@dataclasses.dataclass(slots=True, kw_only=True)
class Progress:
    """How far the work is; written by the work, read by the beat."""

    fraction: float = 0.0
    stage: str = "fetching"
    speed: float | None = None
    #: How much of the fraction a second brings; None while nobody knows.
    rate: float | None = None
    #: Its worker was told to leave.
    leaving: bool = False


class Heartbeat:
    """The beats of one task."""

    def __init__(
        self,
        *,
        jobs: Queue,
        handle: str,
        speaker: Speaker,
        clock: WorkerClock,
        control: ControlReader,
        grants: HeldGrants,
        halt: Halt,
        progress: Progress,
        pulse: Pulse,
    ) -> None:
        self._jobs = jobs
        self._handle = handle
        self._speaker = speaker
        self._clock = clock
        self._control = control
        self._grants = grants
        self._halt = halt
        self._progress = progress
        self._began = clock.monotonic()
        self._said = 0.0
        self._asked_at: float | None = None
        self._pulse = pulse

    def start(self) -> None:
        """Beats from now on; the first beat comes after one interval, since the receive itself
        hid the message."""
        self._pulse.start(self._run)

    def stop(self) -> None:
        """No beat begins after this."""
        self._pulse.stop()

    def _run(self) -> None:
        age = 0.0
        for early in limits.EARLY_PROGRESS_SECONDS:
            if self._pulse.wait(early - age):
                return
            age = early
            self._guarded(self.tell)
        pause = limits.HEARTBEAT_SECONDS - age
        while not self._pulse.wait(pause):
            pause = limits.HEARTBEAT_SECONDS
            self._guarded(self.beat)

    def _guarded(self, action: Callable[[], None]) -> None:
        try:
            action()
        except Exception:  # noqa: BLE001 - one bad beat must not end the others
            _LOG.exception("A heartbeat failed.", extra=self._speaker.log_fields)

    def beat(self) -> None:
        """One beat."""
        self._keep()
        # After the look at the message: a machine that stood still for hours has lost it instead.
        if self._clock.monotonic() - self._began > limits.HOLD_SECONDS_MAX:
            self._halt.set(Reason.HELD_TOO_LONG)
        self._obey()
        self.tell()
        if self._halt.reason is None and not self._pulse.over:
            self._ask_for_renewal()

    def _keep(self) -> None:
        try:
            self._jobs.extend(self._handle, limits.VISIBILITY_SECONDS)
        except HandleLost:
            self._halt.set(Reason.LOST)
        except Temporary:
            # Two beats may fail before the message shows again; even then only one commit counts.
            _LOG.warning(
                "The hold on the message was not extended.", extra=self._speaker.log_fields
            )

    def _obey(self) -> None:
        order = self._control.read(self._grants, self._halt)
        if order is None:
            return
        if order.grants is not None and self._grants.renew(order.grants):
            self._asked_at = None
            _LOG.info("The grants were renewed.", extra=self._speaker.log_fields)
        if order.order == "stop":
            self._halt.set(Reason.ORDERED)

    def tell(self) -> None:
        """How far the work is, unless it is over."""
        if self._halt.reason is not None or self._pulse.over:
            return
        # Monotonic within an attempt, and below 1: `encoded` alone says that it is done.
        self._said = max(self._said, min(self._progress.fraction, 0.999))
        self._speaker.murmur(
            report.Progressed,
            fraction=round(self._said, 4),
            stage=self._progress.stage + _LEAVING * self._progress.leaving,
            speed=self._progress.speed,
        )

    def _ask_for_renewal(self) -> None:
        left = self._grants.left_seconds()
        if left is None or left >= limits.RENEW_SECONDS:
            return
        now = self._clock.monotonic()
        waited = self._asked_at is None or now - self._asked_at >= limits.TICK_SECONDS
        if waited and self._speaker.murmur(report.RenewalWanted):
            self._asked_at = now
