"""A queue as its users find it: SQS in memory, with delays, duplicates and a long poll.

The semantics are `mayfly.memory.queue`'s; this adds who waits for what under virtual time.
"""

from collections.abc import Callable

import msgspec

from mayfly.memory.branches import KIND
from mayfly.memory.queue import MemoryQueue
from mayfly.perform.ports import Depth, Message
from tests.simulation.kinds import Kind
from tests.simulation.scheduler import Process, Scheduler
from tests.simulation.trouble import Trouble

#: SQS delivers "typically within milliseconds"; late here means late enough to overtake.
_DELAYS_SECONDS = (1, 20, 120, 600)


class _Told(msgspec.Struct):
    """What of a message the trace tells."""

    type: str = ""
    kind: str = ""
    job_id: str | None = None
    task_id: str | None = None
    records: list[msgspec.Raw] | None = msgspec.field(name="Records", default=None)


_read = msgspec.json.Decoder(_Told).decode


class Line:
    """One queue: a port to processes, a place to the world."""

    def __init__(self, memory: MemoryQueue, trouble: Trouble, scheduler: Scheduler) -> None:
        self.memory = memory
        self.name = memory.name
        #: It was one for a time, and may have copies of messages since then.
        self.fickle = memory.branches is not KIND
        #: Told after each message that is sent or handed back.
        self.on_change: Callable[[], None] = lambda: None
        #: Told when a message was moved to the dead letters.
        self.on_buried: Callable[[], None] = lambda: None
        #: Each is told of every message that is handed out.
        self.on_handed_out: list[Callable[[Message], None]] = []
        #: Who holds which message, to notice a hold that ran out under its holder.
        self._holders: dict[str, Process] = {}
        self._waiting: list[Process] = []
        self._trouble, self._scheduler = trouble, scheduler

    # --- the port ----------------------------------------------------------------------------

    def send(self, body: bytes) -> None:
        """As a process sends."""
        self._trouble.before("queue.send")
        self.put(body)
        self._trouble.after("queue.send")

    def receive(self, *, wait_seconds: int, limit: int = 1) -> list[Message]:
        """A long poll suspends its process."""
        self._trouble.before("queue.receive")
        until = self._scheduler.now + wait_seconds
        got = self.take(limit, long=wait_seconds > 0)
        while not got and self._scheduler.now < until:
            soonest = self.memory.next_visible_at()
            wake_at = until if soonest is None else min(until, max(soonest, self._scheduler.now))
            process = self._scheduler.current
            assert process is not None
            self._waiting.append(process)
            self._scheduler.sleep(max(0.01, wake_at - self._scheduler.now))
            got = self.take(limit, long=True)
        self._trouble.after("queue.receive")
        return got

    def extend(self, handle: str, seconds: int) -> None:
        """Raises HandleLost."""
        self._trouble.before("queue.extend")
        self.memory.extend(handle, seconds)
        self._changed()
        self._trouble.after("queue.extend")

    def delete(self, handle: str) -> None:
        """Whatever SQS does with it."""
        self._trouble.before("queue.delete")
        self.memory.delete(handle)
        self._trouble.after("queue.delete")

    def depth(self) -> Depth:
        """As SQS counts."""
        self._trouble.before("queue.depth")
        return self.memory.depth()

    # --- the world ---------------------------------------------------------------------------

    def put(self, body: bytes) -> None:
        """A message arrives; or two, or late."""
        for _ in range(2 if self._trouble.strike(Kind.SQS_DUPLICATE) else 1):
            late = self._trouble.strike(Kind.SQS_DELAY)
            self.memory.delay_seconds = self._trouble.choice(_DELAYS_SECONDS) if late else 0
            self.memory.send(body)
        self._changed()

    def take(self, limit: int, *, long: bool = True) -> list[Message]:
        """What SQS hands out now; a long poll asks all of its servers."""
        dead = self.memory.dead_letters
        buried = len(dead.bodies()) if dead else 0
        queue = self.memory
        got = queue.look(limit) if long else queue.receive(wait_seconds=0, limit=limit)
        if dead and len(dead.bodies()) > buried:
            self._trouble.happened(Kind.SQS_DEAD_LETTER)
            self.on_buried()
        for message in got:
            if message.message_id in self.memory.undeleted:
                self._trouble.happened(Kind.SQS_AFTER_DELETE)
            holder = self._holders.get(message.message_id)
            if holder is not None and not holder.done and not holder.dead:
                self._trouble.happened(Kind.SQS_EXPIRED)
            for handed_out in self.on_handed_out:
                handed_out(message)
            if self._scheduler.current is not None:
                self._holders[message.message_id] = self._scheduler.current
        return got

    def rang(self) -> None:
        """Something came that nobody sent."""
        self._changed()

    def _changed(self) -> None:
        waiting, self._waiting = self._waiting, []
        for process in waiting:
            self._scheduler.wake(process)
        self.on_change()


def told(body: str) -> str:
    """A message for the trace: its kind and its job, never its secrets."""
    try:
        read = _read(body)
    except msgspec.DecodeError:
        return "garbage"
    kind = read.type or read.kind or ("?" if read.records is None else "notification")
    return f"{kind} {read.job_id or ''} {read.task_id or ''}".strip()
