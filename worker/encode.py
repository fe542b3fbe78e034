"""The work of one task, by its kind. Each kind in a module of its own; here is which does what.

It must never report, touch the queue, or keep anything from one task for the next.
"""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path

from mayfly.contract.settings import WorkerSettings
from mayfly.contract.task import Task, TaskKind
from mayfly.core import limits
from worker import chunk, finish, lapse, preflight, sound, whole
from worker.ends import WorkFailed
from worker.order import Done, Order
from worker.room import Room

_KINDS: Mapping[TaskKind, Callable[[Room], Done]] = {
    "encode": whole.do,
    "chunk": chunk.do,
    "audio": sound.do,
    "finish": finish.do,
}


def _work_of(task: Task) -> Callable[[Room], Done]:
    lapsed = task.recipe.timelapse is not None
    if task.kind == "encode" and lapsed:
        return lapse.do
    if lapsed or (task.kind == "encode" and task.inputs is not None):
        raise WorkFailed("request_refused", "photographs and timelapse go together")
    return _KINDS[task.kind]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Encoding:
    """The real work."""

    settings: WorkerSettings
    encode_seconds_max: float = limits.ENCODE_SECONDS_MAX
    stall_seconds_max: float = limits.STALL_SECONDS_MAX

    def do(self, order: Order) -> Done:
        """All that the order covers. Raises WorkFailed, Halted."""
        preflight.check_task(order.task.recipe, order.grants.upload)
        clock = order.task.plan_clock or (order.task.scope.clock if order.task.scope else None)
        room = Room(
            decided=clock.quality if clock else None,
            order=order,
            settings=self.settings,
            folder=self.folder,
            encode_seconds_max=self.encode_seconds_max,
            stall_seconds_max=self.stall_seconds_max,
        )
        with room.cleared():
            return _work_of(order.task)(room)

    @property
    def folder(self) -> Path:
        """The attempt's. Scratch itself is a mount, and not ours to remove."""
        return Path(self.settings.scratch).resolve() / "attempt"
