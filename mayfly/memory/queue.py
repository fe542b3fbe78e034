"""The Queue port in memory: at least once, hidden while held, dead letters, handles that go stale.

AWS's side of every doubt is taken: a handle is good until the message is received again; with a
visibility that ran out it can still delete, but no longer extend.
"""

import dataclasses

from mayfly.memory.faults import Faults
from mayfly.perform.ports import Clock, Depth, HandleLost, Message

#: SQS: 1 MiB a message, 12 h of being hidden counted from the receipt, 10 messages a receive.
MESSAGE_BYTES_MAX = 1024 * 1024
HOLD_SECONDS_MAX = 12 * 3600
RECEIVE_MAX = 10


@dataclasses.dataclass(slots=True)
class _Held:
    message_id: str
    body: str
    #: Before it the message is hidden: delayed while it was never received, else in flight.
    visible_at: float
    receives: int = 0
    received_at: float = 0.0
    handle: str = ""


class MemoryQueue:
    """One standard queue under a clock."""

    def __init__(
        self,
        clock: Clock,
        *,
        name: str = "queue",
        visibility_seconds: float = 90,
        delay_seconds: float = 0,
        receives_max: int = 0,
        dead_letters: "MemoryQueue | None" = None,
        faults: Faults | None = None,
    ) -> None:
        self.name = name
        #: For messages sent from now on.
        self.delay_seconds = delay_seconds
        self.dead_letters = dead_letters
        self._clock = clock
        self._visibility_seconds = visibility_seconds
        self._receives_max = receives_max
        self._faults = faults or Faults()
        self._held: list[_Held] = []
        self._sent = 0
        self._handed = 0

    def send(self, body: bytes) -> None:
        """Raises ValueError beyond 1 MiB, as SQS refuses."""
        if not 0 < len(body) <= MESSAGE_BYTES_MAX:
            raise ValueError(f"SendMessage takes 1 to {MESSAGE_BYTES_MAX} bytes, not {len(body)}.")
        self._faults.before("queue.send")
        self._sent += 1
        self._held.append(
            _Held(
                message_id=f"{self.name}-{self._sent}",
                body=body.decode(),
                visible_at=self._clock.now() + self.delay_seconds,
            )
        )
        self._faults.after("queue.send")

    def receive(self, *, wait_seconds: int, limit: int = 1) -> list[Message]:
        """Oldest first. While nothing is visible the clock is moved on, up to the wait."""
        if not 1 <= limit <= RECEIVE_MAX:
            raise ValueError(f"ReceiveMessage gives 1 to {RECEIVE_MAX} messages, not {limit}.")
        self._faults.before("queue.receive")
        received = self._take(limit)
        if not received and wait_seconds:
            self._wait(wait_seconds)
            received = self._take(limit)
        self._faults.after("queue.receive")
        return received

    def extend(self, handle: str, seconds: int) -> None:
        """Counted from now, and refused beyond 12 h from the receipt."""
        if not 0 <= seconds <= HOLD_SECONDS_MAX:
            raise ValueError(f"A message is hidden for 0 to 43200 seconds, not for {seconds}.")
        self._faults.before("queue.extend")
        held, now = self._of(handle), self._clock.now()
        if held is None or held.visible_at <= now:
            raise HandleLost("ChangeMessageVisibility: the message is not in flight.")
        if now + seconds > held.received_at + HOLD_SECONDS_MAX:
            raise HandleLost("ChangeMessageVisibility: beyond 12 hours from the receipt.")
        held.visible_at = now + seconds
        self._faults.after("queue.extend")

    def delete(self, handle: str) -> None:
        """A handle older than the last receipt deletes nothing."""
        self._faults.before("queue.delete")
        held = self._of(handle)
        if held is not None:
            self._held.remove(held)
        self._faults.after("queue.delete")

    def depth(self) -> Depth:
        """Exact, unlike AWS's."""
        self._faults.before("queue.depth")
        now = self._clock.now()
        hidden = [held for held in self._held if held.visible_at > now]
        in_flight = sum(1 for held in hidden if held.receives)
        return Depth(
            visible=len(self._held) - len(hidden),
            in_flight=in_flight,
            delayed=len(hidden) - in_flight,
        )

    def duplicate(self, message_id: str) -> None:
        """SQS delivers a message once more: a second copy under the same id."""
        for held in list(self._held):
            if held.message_id == message_id:
                self._held.append(
                    dataclasses.replace(held, handle="", visible_at=self._clock.now())
                )
                return
        raise ValueError(f"{message_id} is not on {self.name}.")

    def bodies(self) -> list[str]:
        """All that is on the queue, hidden or not, oldest first."""
        return [held.body for held in self._held]

    def next_visible_at(self) -> float | None:
        """When the next message can be received; None when the queue is empty."""
        return min((held.visible_at for held in self._held), default=None)

    def _of(self, handle: str) -> _Held | None:
        return next((held for held in self._held if handle and held.handle == handle), None)

    def _take(self, limit: int) -> list[Message]:
        now, taken = self._clock.now(), list[Message]()
        for held in list(self._held):
            if len(taken) == limit:
                break
            if held.visible_at > now or self._bury(held):
                continue
            self._handed += 1
            held.receives += 1
            held.received_at = now
            held.visible_at = now + self._visibility_seconds
            held.handle = f"{held.message_id}#{self._handed}"
            taken.append(
                Message(
                    body=held.body,
                    handle=held.handle,
                    message_id=held.message_id,
                    receives=held.receives,
                )
            )
        return taken

    def _bury(self, held: _Held) -> bool:
        """SQS moves a message to the dead letters when it would be received once too often."""
        if self.dead_letters is None or held.receives < self._receives_max:
            return False
        self._held.remove(held)
        self.dead_letters._adopt(held)
        return True

    def _adopt(self, held: _Held) -> None:
        self._held.append(_Held(held.message_id, held.body, visible_at=self._clock.now()))

    def _wait(self, wait_seconds: float) -> None:
        until = self._clock.now() + wait_seconds
        soonest = self.next_visible_at()
        self._clock.sleep(min(until, soonest if soonest is not None else until) - self._clock.now())
