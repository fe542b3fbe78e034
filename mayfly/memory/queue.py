"""The Queue port in memory: at least once, hidden while held, dead letters, handles that go stale.

Whatever AWS leaves open, `Branches` decides. A handle belongs to one receipt; the newest one of a
message that is in flight always works.
"""

import dataclasses
import random

from mayfly.memory.branches import Branches, Deleting, Extending
from mayfly.memory.depths import Hidden, Past, depth_of
from mayfly.memory.faults import Faults
from mayfly.memory.fickle import Fickle
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


class MemoryQueue(Fickle):
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
        branches: Branches | None = None,
        chance: random.Random | None = None,
    ) -> None:
        super().__init__(faults, branches, chance)
        self.name = name
        #: For messages sent from now on.
        self.delay_seconds = delay_seconds
        self.dead_letters = dead_letters
        self._clock = clock
        self._visibility_seconds = visibility_seconds
        self._receives_max = receives_max
        #: Oldest first, by number.
        self._held: dict[int, _Held] = {}
        #: Every handle that was ever given, with the moment of its receipt.
        self._handles: dict[str, tuple[_Held, float]] = {}
        #: Messages that turned up again after they were deleted, or will.
        self.undeleted: set[str] = set()
        self._past = Past() if self.branches.depth_lag_seconds else None
        self._sent = self._copied = self._handed = 0

    def send(self, body: bytes) -> None:
        """Raises ValueError beyond 1 MiB, as SQS refuses."""
        if not 0 < len(body) <= MESSAGE_BYTES_MAX:
            raise ValueError(f"SendMessage takes 1 to {MESSAGE_BYTES_MAX} bytes, not {len(body)}.")
        self._faults.before("queue.send")
        now, text = self._clock.now(), body.decode()
        self._send(text, now + self.delay_seconds)
        if self._happens("asked_again_rate"):
            self._send(text, now + self.delay_seconds)
        self._faults.after("queue.send")

    def receive(self, *, wait_seconds: int, limit: int = 1) -> list[Message]:
        """While nothing is visible the clock is moved on, up to the wait."""
        if not 1 <= limit <= RECEIVE_MAX:
            raise ValueError(f"ReceiveMessage gives 1 to {RECEIVE_MAX} messages, not {limit}.")
        self._faults.before("queue.receive")
        received = self._take(limit, every_server=wait_seconds > 0)
        if not received and wait_seconds:
            self._wait(wait_seconds)
            received = self.look(limit)
        self._faults.after("queue.receive")
        return received

    def look(self, limit: int = 1) -> list[Message]:
        """One look of a long poll, which asks every server: for who lets time pass otherwise than
        by moving the clock. The waiting is theirs, and so are the faults before and after it."""
        return self._take(limit, every_server=True)

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
            self._check_cap(held, now + seconds)
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
            if held.message_id not in self.undeleted and self._happens("undeleted_rate"):
                self.undeleted.add(held.message_id)
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
        told = Depth(
            visible=visible.visible, in_flight=in_flight.in_flight, delayed=delayed.delayed
        )
        if told != self._past.at(now):
            self._faults.took("depth_lag_seconds", lag)
        return told

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
        if self._happens("copies_rate"):
            self._copy(held, visible_at + self._chance.uniform(0, STRAY_SECONDS_MAX))

    def _of(self, handle: str) -> _Held | None:
        held, _ = self._handles.get(handle, (None, 0.0))
        return held

    def _branch(self, handle: str, held: _Held | None, now: float) -> str:
        """Which handle it is: none that AWS leaves open, or `second`, `stale`, `late`."""
        if held is None or held.gone:
            return "second"
        if handle != held.handle:
            return "stale"
        return "late" if held.visible_at <= now else ""

    def _deleting(self, handle: str, held: _Held | None, now: float) -> Deleting:
        branch = self._branch(handle, held, now)
        expired = branch in ("stale", "late") and now >= self._handles[handle][1] + HOLD_SECONDS_MAX
        if expired and self.branches.handles_expire:
            self._faults.took("handles_expire", True)
            return Deleting.REFUSED
        if not branch:
            return Deleting.DELETES
        answer: Deleting = getattr(self.branches, f"{branch}_delete")
        self._faults.took(f"{branch}_delete", answer)
        return answer

    def _extending(self, handle: str, held: _Held | None, now: float) -> Extending:
        branch = self._branch(handle, held, now)
        if not branch:
            return Extending.EXTENDS
        answer: Extending = getattr(self.branches, f"{branch}_extend")
        self._faults.took(f"{branch}_extend", answer)
        return answer

    def _check_cap(self, held: _Held, until: float) -> None:
        if until <= held.received_at + HOLD_SECONDS_MAX:
            return
        self._faults.took("holds_end", self.branches.holds_end)
        if self.branches.holds_end:
            raise HandleLost("ChangeMessageVisibility: beyond 12 hours from the receipt.")

    def _take(self, limit: int, *, every_server: bool) -> list[Message]:
        now, taken = self._clock.now(), list[Message]()
        visible = [held for held in self._held.values() if held.visible_at <= now]
        if not self.branches.in_order and len(visible) > 1:
            oldest = visible[0]
            self._chance.shuffle(visible)
            if visible[0] is not oldest:
                self._faults.took("in_order", False)
        for held in visible:
            if len(taken) == limit:
                break
            if not every_server and self._happens("missed_rate"):
                continue
            if not self._bury(held):
                message = self._hand_out(held, now)
                if not self._happens("unheard_rate"):
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
        keep = self.branches.dead_letters_keep_count
        self._faults.took("dead_letters_keep_count", keep)
        receives = held.count.receives if keep else 0
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
        self._faults.took("copies_share_count", share)
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
