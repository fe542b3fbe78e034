"""What really happened, as only the world knows it: judges compare it with what was recorded."""

import dataclasses
import hashlib
import logging
import traceback
from collections import Counter
from collections.abc import Callable

from mayfly.perform.ports import Temporary
from worker.order import Order

#: Jobs of tasks that people brought have no id that the fake encoder knows.
THEIRS = "their own"


@dataclasses.dataclass(slots=True)
class Truth:
    """One life's."""

    #: Attempts that failed for unknown reasons, by job.
    failed: Counter[str] = dataclasses.field(default_factory=Counter)
    #: What each job's source is like.
    sources: dict[str, set[str]] = dataclasses.field(default_factory=dict)
    #: Workers that were killed, of whatever cause.
    deaths: int = 0
    #: Those among them that each task killed itself.
    killed: Counter[tuple[str, str]] = dataclasses.field(default_factory=Counter)
    #: Told how many workers a task has killed by now.
    on_kill: Callable[[int], None] = lambda kills: None

    def failure(self, order: Order) -> None:
        """An attempt failed."""
        self.failed[order.task.job_id or THEIRS] += 1

    def kill(self, order: Order) -> None:
        """An attempt took its worker with it."""
        task = (order.task.job_id or order.task.source.fetch.url, order.task.task_id or "")
        self.killed[task] += 1
        self.on_kill(self.killed[task])

    def source(self, order: Order, character: str) -> None:
        """What an attempt found."""
        self.sources.setdefault(order.task.job_id or THEIRS, set()).add(character)


def etag_of(body: bytes) -> str:
    """As the store in memory makes it."""
    return hashlib.md5(body, usedforsecurity=False).hexdigest()


class Ears(logging.Handler):
    """Reads what is logged: secrets, and exceptions that were told instead of raised."""

    def __init__(self) -> None:
        super().__init__()
        self.secrets: list[str] = []
        self.surprises: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Message, fields and traceback."""
        error = record.exc_info[1] if record.exc_info else None
        told = f"{record.__dict__!r} {record.getMessage()} {error!r}"
        if "signature=" in told:
            self.secrets.append(told[:300])
        if error is not None and not isinstance(error, Temporary):
            self.surprises.append("".join(traceback.format_exception(error)).strip())
