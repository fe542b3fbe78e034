"""ffmpeg and what surrounds it, as time and outcomes: the only part of a worker that is not real.

What a source is like stands in its first word; bodies are made in `craft.py`.
"""

import dataclasses
from collections.abc import Callable
from typing import Protocol

import msgspec

from mayfly.contract.plan import Scope
from mayfly.contract.report import Artifact, Media
from mayfly.contract.task import Fetch, Inputs, read_inputs
from mayfly.core.identity import digest
from tests.simulation import craft
from tests.simulation.kinds import Kind
from tests.simulation.scheduler import Scheduler
from tests.simulation.trouble import Trouble
from tests.simulation.wires import Wires
from worker.ends import Reason, WorkFailed
from worker.order import Done, Order

#: A slice of encoding, after which the work looks whether it shall stop.
_SLICE_SECONDS = 5.0
#: The same for what takes hours.
_BEAT_SECONDS = 60.0
#: A slow machine takes no more than so much longer: else what takes an hour elsewhere would take
#: longer than any message may be held.
_SLOWED_SECONDS_MAX = 3600.0
#: ffmpeg runs in a process group of its own, where SIGTERM to its worker does not reach it.
_HEARS_SIGNALS = False
#: The user's own storage, for tasks that users write.
THEIR_HOST = "https://theirs.s3.amazonaws.com/"
_MEDIA = Media(container="mov")


class Host(Protocol):
    """The machine that the work runs on."""

    scheduler: Scheduler
    trouble: Trouble
    wires: Wires
    on_source: Callable[[Order, str], None]
    on_failed: Callable[[Order], None]
    on_killed: Callable[[Order], None]

    @property
    def leaving(self) -> bool:
        """SIGTERM has come."""

    @property
    def slowness(self) -> float:
        """How much longer it takes than others."""

    def freeze(self, seconds: float) -> None:
        """Everything on it stands still."""

    def die_of_memory(self) -> None:
        """It does not return."""


@dataclasses.dataclass(slots=True)
class SimWork:
    """One machine's."""

    host: Host

    def do(self, order: Order) -> Done:
        """Raises WorkFailed, Halted."""
        task = order.task
        if task.kind == "finish":
            return self._finish(order)
        source = self._fetch(order)
        words = source.decode().replace("-", " ").split() or ["nothing"]
        self.host.on_source(order, words[0])
        if words[0] in ("text", "nothing"):
            self.host.trouble.happened(Kind.WORKER_BAD_INPUT)
            raise WorkFailed("not_media")
        seconds = float(words[1]) if len(words) > 1 else 1.0
        scope = task.scope
        if words[0] == "split" and len(words) > 3:
            seconds /= int(words[2])
            if order.may_plan and scope is None and task.kind == "encode":
                variant = 1 if self.host.trouble.strike(Kind.WORKER_OTHER_PLAN) else 0
                scope = order.split(craft.plan_of(words, variant))
        share = self._encode(order, words[0], seconds)
        recipe = msgspec.json.encode(task.recipe)
        made = {
            output.file: _make(source, output.file, recipe, scope, task.track)
            for output in task.recipe.outputs
        }
        stored = {file: body[: int(share * len(body))] for file, body in made.items()}
        predicted = craft.predicted_seconds(words) / int(words[2]) if scope is not None else 0.0
        return self._store(order, stored, predicted)

    def _fetch(self, order: Order) -> bytes:
        url = order.task.source.fetch.url
        if url.startswith(THEIR_HOST):
            return url.removeprefix(THEIR_HOST).partition("?")[0].encode()
        body = self.host.wires.get(lambda: order.grants.source, order.grants)
        order.halt.check()
        if body.startswith(b"slow") and len(body.split()) > 2:
            self._wait(order, float(body.split()[2]), _BEAT_SECONDS)
        return body

    def _finish(self, order: Order) -> Done:
        wires, grants = self.host.wires, order.grants

        def listed() -> Inputs:
            return read_inputs(wires.get(lambda: grants.inputs, grants))

        bodies: dict[str, list[bytes]] = {}
        for number, part in enumerate(listed().parts):

            def newest(number: int = number) -> Fetch:
                return listed().parts[number].fetch  # signed anew with the grants

            body = wires.get(newest, grants)
            if digest(body) != part.sha256:
                raise WorkFailed("encoder_failed", "a part is not what it was")
            bodies.setdefault(part.file, []).append(body)
        self._encode(order, "join", 2.0)
        made = {file: craft.joined(parts) for file, parts in bodies.items()}
        return self._store(order, made)

    def _store(self, order: Order, made: dict[str, bytes], predicted_seconds: float = 0.0) -> Done:
        order.progress.stage = "storing"
        outputs = []
        for file, body in made.items():
            key = self.host.wires.put(order.grants, f"{order.nonce}/{file}", body)
            order.halt.check()
            stored = Artifact(
                file=file, key=key, size_bytes=len(body), sha256=digest(body), media=_MEDIA
            )
            outputs.append(stored)
        # All is done, but nobody has heard of it: whoever looks whether it lost its message by now
        # looks in vain, for its heartbeat stands still as well.
        self._freeze()
        return Done(
            outputs=tuple(outputs),
            source=_MEDIA,
            cpu_seconds=1.0,
            predicted_seconds=predicted_seconds,
        )

    def _encode(self, order: Order, character: str, seconds: float) -> float:
        """How much of it is in the file: all, unless somebody told ffmpeg to end early."""
        host, trouble = self.host, self.host.trouble
        order.progress.stage = "encoding"
        slowed = min(seconds * host.slowness, seconds + _SLOWED_SECONDS_MAX)
        share = self._wait(order, slowed, _SLICE_SECONDS)
        if character == "poison" or trouble.strike(Kind.WORKER_OUT_OF_MEMORY):
            trouble.happened(Kind.WORKER_OUT_OF_MEMORY)
            host.on_killed(order)
            host.die_of_memory()
        if character == "broken" or trouble.strike(Kind.WORKER_FAILED):
            trouble.happened(Kind.WORKER_FAILED)
            host.on_failed(order)
            raise WorkFailed("encoder_failed")
        return share

    def _wait(self, order: Order, seconds: float, slice_seconds: float) -> float:
        """Time passes, for as long as nobody stops it."""
        host, trouble, left = self.host, self.host.trouble, seconds
        while left > 0:
            if host.leaving and _HEARS_SIGNALS:
                break  # it closes its file, which looks whole
            slept = self._sleep(order, min(slice_seconds, left))
            left = round(left - slept, 3)
            if order.progress.stage == "encoding":
                order.progress.fraction = min(1.0, 1 - max(0.0, left) / seconds)
                order.progress.rate = 1 / seconds
            if order.halt.reason is Reason.HELD_TOO_LONG:
                trouble.happened(Kind.SQS_HOLD_CAP)
            order.halt.check()
            self._freeze()
            order.halt.check()
        return 1 - max(0.0, left) / seconds

    def _sleep(self, order: Order, seconds: float) -> float:
        """How long it was: a signal may cut it short, and so does a halt."""
        scheduler, began = self.host.scheduler, self.host.scheduler.now
        process = scheduler.current
        assert process is not None
        with order.halt.ending(lambda: scheduler.wake(process)):
            scheduler.sleep(seconds)
        return scheduler.now - began

    def _freeze(self) -> None:
        """The machine may stand still."""
        if self.host.trouble.strike(Kind.WORKER_FROZEN):
            self.host.freeze(self.host.trouble.choice((30.0, 120.0, 400.0)))


def _make(source: bytes, file: str, recipe: bytes, scope: Scope | None, track: int | None) -> bytes:
    if track is not None:
        return craft.sound(source, file, track)
    return craft.whole(source, file, recipe) if scope is None else craft.chunk(source, file, scope)
