"""Kills workers of one job at chosen moments of their work, on a laptop cloud that runs.

It knows of attempts by the workers' own logs, since whatever the stack writes down is seconds
behind. It must never hit a task twice in one job, for three receives are a dead letter.
"""

import contextlib
import dataclasses
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import urllib3

from local.cloud import LocalCloud
from local.fargate import NoSuchTask
from tests.kills.points import Death, Point

#: How often the logs are read, and whether all is over.
_LOOK_SECONDS, _ASK_SECONDS = 0.02, 1.0

#: Of a call to ECS.
_TRIES_MAX = 5

_BEGUN, _DONE, _STOPPED = "The task has begun.", "The task is done.", "The work was stopped"
_TOLD = "Told to leave, the work "


@dataclasses.dataclass(slots=True, kw_only=True)
class Attempt:
    """One worker's try at one task, as its log tells."""

    #: The ECS task.
    worker: str
    job_id: str
    task_id: str
    #: By our own clock.
    began: float
    ended: float | None = None
    done: bool = False
    #: The point at which its worker dies, and when it did.
    point: Point | None = None
    struck: float | None = None
    #: As long as it was expected to live when that was chosen.
    life_seconds: float = 0.0
    #: What its worker chose, and why.
    told: str = ""

    @property
    def kind(self) -> str:
        """Of its task."""
        return self.task_id.partition("-")[0]


class Logs:
    """What all workers have told so far."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "logs" / "workers"
        self._read: dict[Path, int] = {}
        self.attempts: dict[str, Attempt] = {}

    def look(self) -> None:
        """Reads on."""
        for file in sorted(self._folder.glob("*.log")):
            with file.open("rb") as log:
                log.seek(self._read.get(file, 0))
                text = log.read()
            whole = text[: text.rfind(b"\n") + 1]
            self._read[file] = self._read.get(file, 0) + len(whole)
            for line in whole.splitlines():
                with contextlib.suppress(ValueError):
                    self._line(file.stem, json.loads(line))

    def _line(self, worker: str, line: dict[str, Any]) -> None:
        nonce, message = line.get("attempt"), str(line.get("message"))
        if nonce is None:
            return
        if message == _BEGUN:
            self.attempts[nonce] = Attempt(
                worker=worker,
                job_id=line["job_id"],
                task_id=line["task_id"],
                began=time.monotonic(),
            )
        elif nonce in self.attempts and message.startswith(_TOLD):
            self.attempts[nonce].told = message
        elif nonce in self.attempts and message.startswith((_DONE, _STOPPED)):
            self.attempts[nonce].ended = time.monotonic()
            self.attempts[nonce].done = message == _DONE


class Reaper:
    """Of one job."""

    def __init__(
        self,
        cloud: LocalCloud,
        logs: Logs,
        points: list[Point],
        lives: Mapping[str, float],
    ) -> None:
        self._cloud, self._logs, self._lives = cloud, logs, lives
        self._known = set(logs.attempts)
        #: How long lives are just now, over how long they were: machines have other work, too.
        self._stretch = 1.0
        #: Still to come.
        self.points = list(points)

    def watch(self, over: Callable[[], bool]) -> None:
        """Until it is over."""
        ask_at = 0.0
        while True:
            if time.monotonic() >= ask_at:
                if over():
                    break
                ask_at = time.monotonic() + _ASK_SECONDS
            self._logs.look()
            for attempt in self.attempts():
                self._see_to(attempt)
            time.sleep(_LOOK_SECONDS)
        self._logs.look()

    def attempts(self) -> list[Attempt]:
        """Those of this job."""
        return [a for nonce, a in self._logs.attempts.items() if nonce not in self._known]

    def deaths(self) -> list[Death]:
        """What became of each that was struck."""
        return [self._death(attempt) for attempt in self.attempts() if attempt.struck is not None]

    def _see_to(self, attempt: Attempt) -> None:
        now = time.monotonic()
        if attempt.ended is not None or attempt.struck is not None:
            if attempt.point is not None and attempt.struck is None:
                self.points.append(attempt.point)  # it was quicker than expected
                attempt.point = None
            if attempt.done and attempt.struck is None and attempt.task_id in self._lives:
                assert attempt.ended is not None
                lived = attempt.ended - attempt.began
                self._stretch = lived / self._lives[attempt.task_id]
            return
        if attempt.point is None:
            if self._is_to_die(attempt):
                attempt.point = self.points.pop(0)
                attempt.life_seconds = self._stretch * self._lives[attempt.task_id]
            return
        if now - attempt.began >= attempt.point.part * attempt.life_seconds:
            attempt.struck = now
            self._kill(attempt.worker, silently=not attempt.point.announced)

    def _kill(self, worker: str, *, silently: bool) -> None:
        """One whose program has just ended is as dead as it can be; a busy ECS is asked again."""
        for _ in range(_TRIES_MAX):
            with contextlib.suppress(NoSuchTask):
                try:
                    self._cloud.interrupt(worker, kill=silently)
                except urllib3.exceptions.HTTPError:
                    continue
            return

    def _is_to_die(self, attempt: Attempt) -> bool:
        if not self.points or attempt.task_id not in self._lives:
            return False
        others = [a for a in self.attempts() if a is not attempt]
        hit = any(a.task_id == attempt.task_id for a in others)
        going = any(a.worker == attempt.worker and a.struck is not None for a in others)
        return attempt.kind in ("chunk", "encode") and not hit and not going

    def _death(self, attempt: Attempt) -> Death:
        assert attempt.point is not None and attempt.struck is not None
        end = attempt.struck if attempt.ended is None else max(attempt.struck, attempt.ended)
        return Death(
            point=attempt.point,
            task_id=attempt.task_id,
            age_seconds=attempt.struck - attempt.began,
            life_seconds=attempt.life_seconds,
            committed=attempt.done,
            told=attempt.told.removeprefix(_TOLD),
            lost_seconds=0.0 if attempt.done else end - attempt.began,
        )
