"""A real worker's loop on a stack in memory, for hours of virtual time: its heart beats when it is
due, and what it says is heard, while the stand-in for its work lets time pass.
"""

import threading
from collections.abc import Callable

from completion_handler import desk as completion
from mayfly.contract import wire
from mayfly.contract.report import Artifact, Media, read_report
from mayfly.contract.task import Control, PostForm
from mayfly.core import limits
from mayfly.memory.clock import SeededDice, VirtualClock
from mayfly.memory.signer import MemorySigner, UrlRefused
from mayfly.memory.world import MemoryWorld
from mayfly.perform import engine, ticking
from tests.unit.acting import SERVICE
from worker.agent import Identity, NoAgent, Protection
from worker.ends import Halted, Reason
from worker.grants import HeldGrants
from worker.halt import Halt
from worker.loop import Loop
from worker.order import Done, Order
from worker.stop import Stop

#: How the stand-in works: what it does with an order, having a shift that lets time pass.
Acts = Callable[["Shift", Order], None]


class _Monotonic:
    """The stack's clock, as a worker knows it."""

    def __init__(self, clock: VirtualClock) -> None:
        self.now = clock.now
        self.monotonic = clock.now
        self.sleep = clock.sleep


class HandedPulse:
    """A thread that runs only while it is handed the time for a beat."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._waits, self._goes = threading.Semaphore(0), threading.Semaphore(0)
        self._thread = threading.Thread(target=lambda: None)
        self.over = False
        self.due_at = float("inf")

    def start(self, run: Callable[[], None]) -> None:
        def beats() -> None:
            run()
            self.due_at = float("inf")
            self._waits.release()

        self._thread = threading.Thread(target=beats, daemon=True)
        self._thread.start()
        self._waits.acquire()

    def wait(self, seconds: float) -> bool:
        self.due_at = self._clock.now() + seconds
        self._waits.release()
        self._goes.acquire()
        return self.over

    def beat(self) -> None:
        """What is due is done, to the next pause."""
        self._goes.release()
        self._waits.acquire()

    def stop(self) -> None:
        self.over = True
        self._goes.release()
        self._thread.join(10)


class Shift:
    """One worker, which takes what is on the queue until none is left."""

    def __init__(self, w: MemoryWorld, acts: Acts) -> None:
        self.w, self._acts = w, acts
        self.orders: list[Order] = []
        self.renewals = 0
        self._pulse = HandedPulse(w.clock)
        self._ticked_at = w.clock.now()
        assert isinstance(w.world.signer, MemorySigner)
        self.signer = w.world.signer

    # --- what the loop is given ------------------------------------------------------------------

    def do(self, order: Order) -> Done:
        """The work: as the test says, then one file is stored through the grant of that moment."""
        self.orders.append(order)
        self._acts(self, order)
        file = "video.mp4" if order.task.kind in ("encode", "finish") else "part.mp4"
        return Done(
            outputs=(self.stored(order, file),), source=Media(container="mov"), cpu_seconds=1.0
        )

    def read(self, grants: HeldGrants, halt: Halt) -> Control | None:
        """The control object, by its signed URL."""
        assert grants.control is not None
        try:
            found = self.signer.fetched(grants.control)
        except UrlRefused:
            return None
        return wire.decode(Control, found.body)

    # --- what the work does ----------------------------------------------------------------------

    def passes(self, order: Order, seconds: float) -> None:
        """Time goes by, with its beats, ticks and what is heard of both. Raises Halted."""
        until = self.w.clock.now() + seconds
        while (due := self._pulse.due_at) <= until:
            self.w.clock.sleep(max(0.0, due - self.w.clock.now()))
            ended = order.grants.left_seconds()
            self._pulse.beat()
            self.renewals += order.grants.left_seconds() != ended
            self.heard()
            order.halt.check()
        self.w.clock.sleep(until - self.w.clock.now())

    def stored(self, order: Order, file: str) -> Artifact:
        """Raises Halted when the grant has died."""
        form = order.grants.upload
        assert isinstance(form, PostForm)
        key = f"{form.key_prefix}{order.nonce}/{file}"
        try:
            self.signer.posted(form, key, b"encoded")
        except UrlRefused:
            raise Halted(Reason.GRANT_EXPIRED) from None
        media = Media(container="mov")
        return Artifact(file=file, key=key, size_bytes=7, sha256="0" * 64, media=media)

    def heard(self) -> list[str]:
        """Every report is taken, and what follows is done; the tick comes each minute."""
        kinds = []
        while messages := self.w.done.receive(wait_seconds=0, limit=10):
            for message in messages:
                kinds.append(type(read_report(message.body)).__name__)
                engine.run(self.w.world, completion.take(self.w.world, "mayfly-done", message))
                self.w.done.delete(message.handle)
        if self.w.clock.now() - self._ticked_at >= limits.TICK_SECONDS:
            self._ticked_at = self.w.clock.now()
            engine.run(self.w.world, ticking.tick(self.w.world))
        return kinds

    # --- from outside ----------------------------------------------------------------------------

    def works(self, *, tasks: int = 1000) -> list[str]:
        """Until its queue is empty, or so many tasks were taken; what was heard afterwards."""
        stop, jobs = Stop(), self.w.jobs
        taken: list[str] = []

        class Until:
            """The jobs queue, at which the worker leaves when there is nothing."""

            extend, delete, send, depth = jobs.extend, jobs.delete, jobs.send, jobs.depth

            def receive(self, *, wait_seconds: int, limit: int = 1) -> list[object]:
                messages = jobs.receive(wait_seconds=0, limit=limit) if len(taken) < tasks else []
                taken.extend(message.message_id for message in messages)
                if not messages:
                    stop.ask()
                return list(messages)

        self._loop(Until(), stop).run()
        return self.heard()

    def _loop(self, jobs: object, stop: Stop) -> Loop:
        clock = _Monotonic(self.w.clock)
        return Loop(
            pool="standard",
            jobs=jobs,  # type: ignore[arg-type]
            done=self.w.done,
            control=self,
            work=self,
            protection=Protection(NoAgent(), clock),
            identity=Identity(worker="w1", service=SERVICE),
            clock=clock,
            dice=SeededDice(len(self.orders)),
            stop=stop,
            pulse=self._a_pulse,
        )

    def _a_pulse(self) -> HandedPulse:
        self._pulse = HandedPulse(self.w.clock)
        return self._pulse
