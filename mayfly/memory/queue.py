"""The Queue port in memory: at least once, hidden while held, dead letters, handles that go stale.

Whatever AWS leaves open, `Branches` decides. A handle belongs to one receipt; the newest one of a
message that is in flight always works.
"""

import dataclasses
import random

from mayfly.memory.branches import KIND, Branches, Deleting, Extending
from mayfly.memory.depths import Hidden, Past, depth_of
from mayfly.memory.faults import Faults
from mayfly.perform.ports import Clock, Depth, HandleLost, Message

#: SQS: 1 MiB a message, 12 h of being hidden counted from the receipt, 10 messages a receive.
MESSAGE_BYTES_MAX = 1024 * 1024
HOLD_SECONDS_MAX = 12 * 3600
RECEIVE_MAX = 10

#: A copy of a message, or one that was deleted, turns up within this.
STRAY_SECONDS_MAX = 300.0


@dataclasses.dataclass(slots=True)
class _Count:
    """How often a message was received; copies may share it."""

    receives: int = 0


@dataclasses.dataclass(slots=True, eq=False)
class _Held:
    """One copy of a message."""

    number: int
    message_id: str
    body: str
    #: Before it the message is hidden: delayed while it was never received, else in flight.
    visible_at: float
    count: _Count
    #: As what it is counted until then.
    hidden: Hidden
    received_at: float = 0.0
    #: Of the newest receipt.
    handle: str = ""
    gone: bool = False


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
        branches: Branches = KIND,
        chance: random.Random | None = None,
    ) -> None:
        self.name = name
        #: For messages sent from now on.
        self.delay_seconds = delay_seconds
        self.dead_letters = dead_letters
        #: May be changed while the queue is used, as when bad weather ends.
        self.branches = branches
        self._clock = clock
        self._visibility_seconds = visibility_seconds
        self._receives_max = receives_max
        self._faults = faults or Faults()
        self._chance = chance or random.Random(0)  # noqa: S311 - repeatable is what it is for
        #: Oldest first, by number.
        self._held: dict[int, _Held] = {}
        #: Every handle that was ever given, with the moment of its receipt.
        self._handles: dict[str, tuple[_Held, float]] = {}
        self._undeleted: set[str] = set()
        self._past = Past() if branches.depth_lag_seconds else None
        self._sent = self._copied = self._handed = 0

    def send(self, body: bytes) -> None:
        """Raises ValueError beyond 1 MiB, as SQS refuses."""
        if not 0 < len(body) <= MESSAGE_BYTES_MAX:
            raise ValueError(f"SendMessage takes 1 to {MESSAGE_BYTES_MAX} bytes, not {len(body)}.")
        self._faults.before("queue.send")
        now, text = self._clock.now(), body.decode()
        self._send(text, now + self.delay_seconds)
        if self._happens(self.branches.asked_again_rate):
            self._send(text, now + self.delay_seconds)
        self._faults.after("queue.send")

    def receive(self, *, wait_seconds: int, limit: int = 1) -> list[Message]:
        """While nothing is visible the clock is moved on, up to the wait."""
        if not 1 <= limit <= RECEIVE_MAX:
            raise ValueError(f"ReceiveMessage gives 1 to {RECEIVE_MAX} messages, not {limit}.")
        self._faults.before("queue.receive")
        received = self._take(limit, 0 if wait_seconds else self.branches.missed_rate)
        if not received and wait_seconds:
            self._wait(wait_seconds)
            received = self.look(limit)
        self._faults.after("queue.receive")
        return received

    def look(self, limit: int = 1) -> list[Message]:
        """One look of a long poll, which asks every server: for who lets time pass otherwise than
        by moving the clock. The waiting is theirs, and so are the faults before and after it."""
        return self._take(limit, 0)

    def extend(self, handle: str, seconds: int) -> None:
        """Counted from now, and refused beyond 12 h from the receipt."""
        if not 0 <= seconds <= HOLD_SECONDS_MAX:
            raise ValueError(f"A message is hidden for 0 to 43200 seconds, not for {seconds}.")
        self._faults.before("queue.extend")
        held, now = self._of(handle), self._clock.now()
        answer = self._extending(handle, held, now)
        if held is None or answer is Extending.LOST:
            raise HandleLost("ChangeMessageVisibility: the message is not in flight.")
        if answer is Extending.EXTENDS and not held.gone:
            if now + seconds > held.received_at + HOLD_SECONDS_MAX and self.branches.holds_end:
                raise HandleLost("ChangeMessageVisibility: beyond 12 hours from the receipt.")
            self._hide(held, now + seconds)
        self._faults.after("queue.extend")

    def delete(self, handle: str) -> None:
        """What a handle deletes that is not the newest, `Branches` says. May raise HandleLost."""
        self._faults.before("queue.delete")
        held, now = self._of(handle), self._clock.now()
        answer = self._deleting(handle, held, now)
        if answer is Deleting.REFUSED:
            raise HandleLost("DeleteMessage: the handle is not valid.")
        if held is not None and not held.gone and answer is Deleting.DELETES:
            self._drop(held)
            if held.message_id not in self._undeleted and self._happens(
                self.branches.undeleted_rate
            ):
                self._undeleted.add(held.message_id)
                self._copy(held, now + self._chance.uniform(0, STRAY_SECONDS_MAX))
        self._faults.after("queue.delete")

    def depth(self) -> Depth:
        """Each count as it was at some moment of the last `depth_lag_seconds`."""
        self._faults.before("queue.depth")
        now, lag = self._clock.now(), self.branches.depth_lag_seconds
        if self._past is None or not lag:
            return depth_of(((held.visible_at, held.hidden) for held in self._held.values()), now)
        self._past.forget(now - lag)
        visible, in_flight, delayed = (
            self._past.at(now - self._chance.uniform(0, lag)) for _ in range(3)
        )
        return Depth(
            visible=visible.visible, in_flight=in_flight.in_flight, delayed=delayed.delayed
        )

    def duplicate(self, message_id: str) -> None:
        """SQS delivers a message once more: a second copy under the same id."""
        for held in self._held.values():
            if held.message_id == message_id:
                self._copy(held, self._clock.now())
                return
        raise ValueError(f"{message_id} is not on {self.name}.")

    def bodies(self) -> list[str]:
        """All that is on the queue, hidden or not, oldest first."""
        return [held.body for held in self._held.values()]

    def next_visible_at(self) -> float | None:
        """When the next message can be received; None when the queue is empty."""
        return min((held.visible_at for held in self._held.values()), default=None)

    def _send(self, text: str, visible_at: float) -> None:
        self._sent += 1
        message_id = f"{self.name}-{self._sent}"
        held = self._put(message_id, text, visible_at, _Count(), Hidden.DELAYED)
        if self._happens(self.branches.copies_rate):
            self._copy(held, visible_at + self._chance.uniform(0, STRAY_SECONDS_MAX))

    def _happens(self, rate: float) -> bool:
        return rate > 0 and self._chance.random() < rate

    def _of(self, handle: str) -> _Held | None:
        held, _ = self._handles.get(handle, (None, 0.0))
        return held

    def _extending(self, handle: str, held: _Held | None, now: float) -> Extending:
        if held is None:
            return Extending.LOST
        if held.gone:
            return self.branches.second_extend
        if handle != held.handle:
            return self.branches.stale_extend
        return self.branches.late_extend if held.visible_at <= now else Extending.EXTENDS

    def _deleting(self, handle: str, held: _Held | None, now: float) -> Deleting:
        if held is None or held.gone:
            return self.branches.second_delete
        if self.branches.handles_expire and now >= self._handles[handle][1] + HOLD_SECONDS_MAX:
            return Deleting.REFUSED
        if handle != held.handle:
            return self.branches.stale_delete
        return self.branches.late_delete if held.visible_at <= now else Deleting.DELETES

    def _take(self, limit: int, missed_rate: float) -> list[Message]:
        now, taken = self._clock.now(), list[Message]()
        visible = [held for held in self._held.values() if held.visible_at <= now]
        if not self.branches.in_order:
            self._chance.shuffle(visible)
        for held in visible:
            if len(taken) == limit:
                break
            if self._happens(missed_rate):
                continue
            if not self._bury(held):
                message = self._hand_out(held, now)
                if not self._happens(self.branches.unheard_rate):
                    taken.append(message)
        return taken

    def _hand_out(self, held: _Held, now: float) -> Message:
        self._handed += 1
        held.count.receives += 1
        held.received_at = now
        held.handle = f"{held.message_id}#{self._handed}"
        self._handles[held.handle] = (held, now)
        self._hide(held, now + self._visibility_seconds)
        return Message(
            body=held.body,
            handle=held.handle,
            message_id=held.message_id,
            receives=held.count.receives,
        )

    def _bury(self, held: _Held) -> bool:
        """SQS moves a message to the dead letters when it would be received once too often."""
        if self.dead_letters is None or held.count.receives < self._receives_max:
            return False
        self._drop(held)
        receives = held.count.receives if self.branches.dead_letters_keep_count else 0
        now, dead = self._clock.now(), self.dead_letters
        dead._put(held.message_id, held.body, now, _Count(receives), Hidden.DELAYED)
        return True

    def _put(
        self, message_id: str, body: str, visible_at: float, count: _Count, hidden: Hidden
    ) -> _Held:
        self._copied += 1
        held = _Held(self._copied, message_id, body, visible_at, count, hidden)
        self._held[held.number] = held
        if self._past is not None:
            self._past.note(self._clock.now(), held.number, visible_at, hidden)
        return held

    def _copy(self, held: _Held, visible_at: float) -> None:
        share = self.branches.copies_share_count
        count = held.count if share else _Count(held.count.receives)
        self._put(held.message_id, held.body, visible_at, count, Hidden.UNKNOWN)

    def _hide(self, held: _Held, until: float) -> None:
        held.visible_at, held.hidden = until, Hidden.IN_FLIGHT
        if self._past is not None:
            self._past.note(self._clock.now(), held.number, until, held.hidden)

    def _drop(self, held: _Held) -> None:
        held.gone = True
        del self._held[held.number]
        if self._past is not None:
            self._past.note(self._clock.now(), held.number, None, held.hidden)

    def _wait(self, wait_seconds: float) -> None:
        until = self._clock.now() + wait_seconds
        soonest = self.next_visible_at()
        self._clock.sleep(min(until, soonest if soonest is not None else until) - self._clock.now())
