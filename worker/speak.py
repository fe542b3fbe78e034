"""Says on the done queue what happens to one attempt. What it says holds no URL.

A report that matters is said again until it is heard; progress is said once and may be lost.
"""

import dataclasses
from typing import Any

from mayfly.contract import report, wire
from mayfly.perform.ports import Queue, Temporary
from worker.clock import WorkerClock

#: The client beneath retries by itself; these come on top, with a pause of a second between.
_TRIES_MAX = 3


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Speaker:
    """One attempt's voice."""

    done: Queue
    clock: WorkerClock
    job_id: str
    task_id: str
    token: str = dataclasses.field(repr=False)
    attempt: str
    worker: str
    service: str

    def say(self, kind: type[report.Report], **fields: Any) -> None:
        """Raises Temporary when nobody hears it."""
        for left in reversed(range(_TRIES_MAX)):
            try:
                self._send(kind, fields)
                return
            except Temporary:
                if not left:
                    raise
                self.clock.sleep(1.0)

    def murmur(self, kind: type[report.Report], **fields: Any) -> bool:
        """Once; False when nobody heard it."""
        try:
            self._send(kind, fields)
        except Temporary:
            return False
        return True

    def _send(self, kind: Any, fields: dict[str, Any]) -> None:
        said = kind(
            job_id=self.job_id,
            task_id=self.task_id,
            token=self.token,
            attempt=self.attempt,
            at=self.clock.now(),
            worker=self.worker,
            service=self.service,
            **fields,
        )
        self.done.send(wire.encode(said))

    @property
    def log_fields(self) -> dict[str, str]:
        """For `extra` of a log line."""
        return {"job_id": self.job_id, "task_id": self.task_id, "attempt": self.attempt}
