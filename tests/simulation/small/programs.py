"""Which functions of the code under test the small model runs, and where their borders are.

All of them are the real ones: both desks, the tick, the runner of commands, each command, the
machine's `apply`, the planner and the worker's loop. Of a worker only ffmpeg is replaced, by a
`Work` that says its plan and then what it stored.
"""

import contextlib
import dataclasses
import logging
from collections.abc import Iterator, Sequence
from typing import Any

from completion_handler import desk as completion
from dispatcher import desk as dispatcher
from mayfly.contract import wire
from mayfly.contract.plan import Plan
from mayfly.contract.report import Artifact, Media
from mayfly.contract.request import Request
from mayfly.contract.task import PostForm, read_inputs
from mayfly.core import naming
from mayfly.core.commands import Command
from mayfly.core.decision import Decision
from mayfly.core.identity import digest
from mayfly.perform import engine, planning, ticking
from mayfly.perform.ports import Depth, Message
from tests.simulation.small.asking import (
    BUCKET,
    POOL,
    SOURCE_KEY,
    AskingClock,
    AskingQueue,
    NoControl,
    NoPulse,
    OneDie,
    asking_world,
    key_of,
)
from tests.simulation.small.calls import Code, Program
from worker.agent import Identity, Protection
from worker.ends import Reason
from worker.loop import Loop
from worker.order import Done, Order
from worker.stop import Stop

#: Two chunks, no sound.
PLAN = Plan(
    time_base=(1, 1000), origin_ticks=0, margin_seconds=1.0, boundaries=(30_000,), audio_tracks=0
)
REQUEST = wire.encode(Request(source=f"s3://{BUCKET}/{SOURCE_KEY}"))
_FILE = "video.mp4"
_MEDIA = Media(container="mov")


@dataclasses.dataclass(slots=True)
class _OneMessage:
    """The jobs queue as a worker sees it that takes one message and then leaves."""

    code: Code
    message: Message
    stop: Stop
    taken: bool = False

    def send(self, body: bytes) -> None:
        raise NotImplementedError("A worker sends no tasks.")

    def receive(self, *, wait_seconds: int, limit: int = 1) -> list[Message]:
        if self.taken:
            self.stop.ask()
            return []
        self.taken = True
        return [self.message]

    def extend(self, handle: str, seconds: int) -> None:
        self.code.ask("worker.hand_back", handle)

    def delete(self, handle: str) -> None:
        self.code.ask("worker.delete", handle)

    def depth(self) -> Depth:
        raise NotImplementedError("A worker does not count.")


class _Agent:
    """Protection is granted and means nothing: nobody scales in here but by asking for none."""

    def identity(self) -> Identity:
        return Identity(worker="", service="")

    def set_protection(self, on: bool) -> bool:
        return True


def made_of(task_id: str, parts: object) -> str:
    """The digest of what the encoder makes."""
    return digest(f"{task_id}: {parts}".encode())


@dataclasses.dataclass(frozen=True, slots=True)
class _Work:
    """ffmpeg, as what it says. `worker.work` is where an attempt may be stopped."""

    code: Code
    stop: Stop

    def do(self, order: Order) -> Done:
        task, scope = order.task, order.task.scope
        of: object = scope
        if task.kind == "finish":
            assert task.inputs is not None
            listed = read_inputs(self.code.ask("worker.read", key_of(task.inputs)))
            of = [(part.kind, part.number, part.sha256) for part in listed.parts]
        elif order.may_plan and scope is None:
            of = order.split(PLAN)
        reason = self.code.ask("worker.work", naming.control_key(task.job_id or "", _id_of(order)))
        if reason is Reason.SIGNAL:
            self.stop.ask()
        elif reason is not None:
            order.halt.set(reason)
        order.halt.check()
        assert isinstance(task.upload, PostForm)
        artifact = Artifact(
            file=_FILE,
            key=f"{task.upload.key_prefix}{order.nonce}/{_FILE}",
            size_bytes=1,
            sha256=made_of(_id_of(order), of),
            media=_MEDIA,
        )
        return Done(outputs=(artifact,), source=_MEDIA, cpu_seconds=0.0)


def _id_of(order: Order) -> str:
    return order.task.task_id or ""


class Programs:
    """The functions by name, and the borders between them."""

    def __init__(self) -> None:
        self.code = Code()
        self.world = asking_world(self.code)
        self._apply, self._perform = engine.apply, engine._perform
        self._see_to_pool = planning.see_to_pool
        self.code.functions = {
            "request": self._request,
            "report": self._report,
            "tick": lambda: tuple(ticking.tick(self.world)),
            "run": lambda todo: engine.run(self.world, todo),
            "perform": lambda command: tuple(self._perform(self.world, command)),
            "apply": self._advance,
            "see_to_pool": lambda name, settled: self._see_to_pool(
                self.world, name, settled=settled
            ),
            "worker": self._work,
        }

    @contextlib.contextmanager
    def bordered(self) -> Iterator[None]:
        """While inside, what is called through a border is a program of its own, and nothing is
        logged."""
        disabled = logging.root.manager.disable
        logging.disable(logging.CRITICAL)
        engine.apply = self._at_apply
        engine._perform = self._at_perform
        planning.see_to_pool = self._at_see_to_pool
        try:
            yield
        finally:
            engine.apply, engine._perform = self._apply, self._perform
            planning.see_to_pool = self._see_to_pool
            logging.disable(disabled)

    def _do(self, name: str, *args: Any) -> Any:
        return self.code.ask("do", Program(name, args, self.code.now))

    def _at_apply(
        self,
        world: Any,
        event: Any,
        job_id: str,
        task_id: str | None = None,
        *,
        token: str | None = None,
        known: Any = None,
    ) -> Any:
        return self._do("apply", event, job_id, task_id, token, known)

    def _at_perform(self, world: Any, command: Command) -> Sequence[Command]:
        follow: Sequence[Command] = self._do("perform", command)
        return follow

    def _at_see_to_pool(
        self, world: Any, name: str, *, settled: bool, opened: Any = frozenset()
    ) -> None:
        del opened  # matters only where an index is behind, or work was predicted
        self._do("see_to_pool", name, settled)

    def _advance(self, event: Any, job_id: str, task_id: Any, token: Any, known: Any) -> Decision:
        decision = self._apply(self.world, event, job_id, task_id, token=token, known=known)
        # What was committed is of no more use to anybody.
        return dataclasses.replace(decision, changes=(), commands=tuple(decision.commands))

    def _request(self, body: bytes) -> tuple[Command, ...]:
        return tuple(dispatcher.take(self.world, body.decode()))

    def _report(self, body: bytes) -> tuple[Command, ...]:
        message = Message(body=body.decode(), handle="h", message_id="m", receives=1)
        return tuple(completion.take(self.world, "mayfly-done", message))

    def _work(self, body: bytes, nonce: str) -> None:
        stop, clock = Stop(), AskingClock(self.code)
        message = Message(body=body.decode(), handle="h", message_id="m", receives=1)
        Loop(
            pool=POOL,
            jobs=_OneMessage(self.code, message, stop),
            done=AskingQueue(self.code, "done"),
            control=NoControl(),
            work=_Work(self.code, stop),
            protection=Protection(_Agent(), clock),
            identity=Identity(worker="", service=""),
            clock=clock,
            dice=OneDie(nonce),
            stop=stop,
            pulse=NoPulse,
        ).run()
