"""What a worker's hands do with a message, and whether they do it well.

It stands between the real loop and its two queues, passes everything on and holds these laws:
- whoever is well keeps its message until it lets go of it (the heartbeat's whole point), and no
  longer;
- a message is deleted only after a last word on it was heard, so that a crash in between repeats;
- what was begun is not handed back without a word either;
- nobody puts anything onto the queue it works from (its role may not);
- nobody comes near the 12 h after which SQS takes a message away;
- whoever leaves in peace leaves no message hidden behind;
- nobody's signed URLs die under it in fair weather, for there is time to ask for new ones.
It decides nothing and knows nothing of what a worker does in between.
"""

import dataclasses
from collections.abc import Callable

import msgspec

from mayfly.core import limits
from mayfly.perform.ports import Depth, HandleLost, Message, Temporary
from tests.simulation.fleet import EcsTask
from tests.simulation.kinds import Kind
from tests.simulation.lines import Line, told
from tests.simulation.trouble import Trouble

#: After these reports nothing more is to be said of an attempt.
_LAST_WORDS = frozenset({"encoded", "interrupted", "failed"})


class _Said(msgspec.Struct):
    """What of a report matters here."""

    type: str
    reason: str = ""
    busy_seconds: float = 0.0


@dataclasses.dataclass(slots=True, eq=False)
class _Held:
    """One message in hand."""

    handle: str
    message_id: str
    #: The machine stood still, or SQS refused to prolong the hold: it may well run out.
    excused: bool = False


class Hands:
    """The jobs queue as one worker uses it."""

    def __init__(self, line: Line, task: EcsTask, trouble: Trouble) -> None:
        self._line, self._task, self._trouble = line, task, trouble
        #: Spot wants the machine.
        self.on_interrupted: Callable[[], None] = lambda: None
        self._held: dict[str, _Held] = {}
        #: Whether a last word on what is held was heard, and whether one was not.
        self._spoken = self._unheard = False
        #: What is held was received in fair weather.
        self._fair = False
        self._begun = False
        #: Handles of messages that it was done with.
        self._let_go_of: set[str] = set()
        line.on_handed_out.append(self._handed_out)

    def mouth(self, done: Line) -> "Mouth":
        """The other queue, as the same worker uses it."""
        return Mouth(done, self)

    def heard(self, body: bytes) -> None:
        """The worker said something, and somebody heard it."""
        said = msgspec.json.decode(body, type=_Said)
        self._spoken = self._spoken or said.type in _LAST_WORDS
        self._begun = self._begun or said.type == "started"
        if said.reason == "grant_expired":
            self._trouble.happened(Kind.S3_GRANT_DIED)
            if self._fair and said.busy_seconds > limits.RENEW_SECONDS:
                self._wrong("was left with URLs that died, although it was well")

    def not_heard(self) -> None:
        """It said something in vain."""
        self._unheard = True

    def froze(self) -> None:
        """The machine stands still, and cannot prolong anything."""
        for held in self._held.values():
            held.excused = True

    def left(self, in_peace: bool) -> None:
        """The worker's program has ended."""
        self._line.on_handed_out.remove(self._handed_out)
        if in_peace and self._held and not self._unheard:
            self._wrong("left, and took a message with it")

    # --- the port ----------------------------------------------------------------------------

    def send(self, body: bytes) -> None:
        """Nothing of a worker's."""
        self._wrong("put a message onto the queue it works from")
        self._line.send(body)

    def receive(self, *, wait_seconds: int, limit: int = 1) -> list[Message]:
        """Idle until something comes."""
        self._task.busy_with = None
        self._held.clear()
        got = self._line.receive(wait_seconds=wait_seconds, limit=limit)
        if got and self._task.spot and self._trouble.strike(Kind.ECS_SPOT_AT_RECEIVE):
            self.on_interrupted()
        for message in got:
            self._task.busy_with = told(message.body)
            self._held[message.handle] = _Held(message.handle, message.message_id)
        self._spoken = self._unheard = self._begun = False
        self._fair = self._trouble.calm
        return got

    def extend(self, handle: str, seconds: int) -> None:
        """A heartbeat holds it for as long as a message is hidden; less hands it back."""
        held = self._held.get(handle)
        if seconds < limits.VISIBILITY_SECONDS:
            if self._begun and not self._spoken:
                self._wrong("handed back what it had begun, without a word on how it ended")
            self._let_go_of.add(handle)
            self._let_go(handle)
        elif handle in self._let_go_of:
            self._wrong("prolonged its hold on a message that it had let go of")
        try:
            self._line.extend(handle, seconds)
        except HandleLost as lost:
            self._let_go(handle)  # it is another's
            if "12 hours" in str(lost):
                self._wrong("held a message until SQS took it away")
            raise
        except Temporary:
            if held is not None:
                held.excused = True
            raise

    def delete(self, handle: str) -> None:
        """All that it had to do is done."""
        if not self._spoken:
            self._wrong("deleted a message of which it had not said how it ended")
        self._let_go_of.add(handle)
        self._let_go(handle)
        self._line.delete(handle)

    def depth(self) -> Depth:
        """As of any queue."""
        return self._line.depth()

    # --- what it sees ------------------------------------------------------------------------

    def _let_go(self, handle: str) -> None:
        self._held.pop(handle, None)
        if not self._held:
            self._task.busy_with = None

    def _handed_out(self, message: Message) -> None:
        """Somebody received this message just now."""
        for held in list(self._held.values()):
            if held.message_id == message.message_id and held.handle != message.handle:
                well = self._task.status == "RUNNING" and not held.excused
                # A fickle queue hands out what is held, whatever its holder does.
                if well and not self._line.fickle:
                    self._wrong("lost its hold on a message, although it was well")

    def _wrong(self, what: str) -> None:
        self._trouble.on_wrong(f"{self._task.name} {what}")


@dataclasses.dataclass(slots=True)
class Mouth:
    """The done queue as one worker uses it."""

    line: Line
    hands: Hands

    def send(self, body: bytes) -> None:
        """As to any queue."""
        try:
            self.line.send(body)
        except Temporary:
            self.hands.not_heard()
            raise
        self.hands.heard(body)

    def receive(self, *, wait_seconds: int, limit: int = 1) -> list[Message]:
        """As of any queue."""
        return self.line.receive(wait_seconds=wait_seconds, limit=limit)

    def extend(self, handle: str, seconds: int) -> None:
        """As of any queue."""
        self.line.extend(handle, seconds)

    def delete(self, handle: str) -> None:
        """As of any queue."""
        self.line.delete(handle)

    def depth(self) -> Depth:
        """As of any queue."""
        return self.line.depth()
