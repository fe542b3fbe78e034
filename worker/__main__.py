"""The container's program: puts the worker together and runs it until it is told to leave."""

import ctypes
import logging
import os
import shutil
import sys
from pathlib import Path

import msgspec

from mayfly.aws import clients
from mayfly.aws.clock import SystemDice
from mayfly.aws.sqs import SqsQueue
from mayfly.contract.settings import WorkerSettings
from mayfly.core import limits
from worker import logs
from worker.agent import Protection, agent_from
from worker.clock import MachineClock
from worker.control import HttpControlReader
from worker.encode import Encoding
from worker.http import HostRule
from worker.loop import Loop
from worker.room import wipe
from worker.stop import Stop

_LOG = logging.getLogger("mayfly.worker")

_PR_SET_DUMPABLE = 4
#: Its queue refuses it for good, or worse.
_BROKEN = 1
#: The call was wrong: a variable or a program is missing.
_WRONG = 2


def main() -> int:
    """0 after it was told to leave; 1 when it cannot go on; 2 when it cannot begin."""
    logs.start()
    stop = Stop()
    stop.install()
    hide_from_children()
    try:
        settings = with_programs(WorkerSettings.from_env(os.environ))
    except (KeyError, ValueError) as error:
        _LOG.error("The worker cannot begin: %s.", error)
        return _WRONG
    loop = compose(settings, stop)
    _LOG.info("The worker of the pool %s waits for tasks.", settings.pool)
    try:
        loop.run()
    except Exception:  # noqa: BLE001 - whatever it is, it is said in our own form
        _LOG.exception("The worker cannot go on.")
        return _BROKEN
    _LOG.info("The worker leaves.")
    return 0


def compose(settings: WorkerSettings, stop: Stop) -> Loop:
    """The loop with its real ports."""
    clock, sqs, agent = MachineClock(), clients.sqs(), agent_from(os.environ)
    work = Encoding(settings=settings)
    Path(settings.scratch).mkdir(parents=True, exist_ok=True)
    wipe(work.folder)
    return Loop(
        pool=settings.pool,
        jobs=SqsQueue(sqs, settings.jobs_queue_url),
        done=SqsQueue(sqs, settings.done_queue_url),
        control=HttpControlReader(HostRule(settings.source_hosts)),
        work=work,
        protection=Protection(agent, clock),
        identity=agent.identity(),
        clock=clock,
        dice=SystemDice(),
        stop=stop,
        notice_seconds=max(0, settings.stop_seconds - limits.LEAVE_SECONDS),
    )


def with_programs(settings: WorkerSettings) -> WorkerSettings:
    """With absolute paths: ffmpeg is run with an environment that has no PATH of ours."""
    found = {}
    for name in ("ffmpeg", "ffprobe"):
        path = shutil.which(getattr(settings, name))
        if path is None:
            raise ValueError(f"there is no program {name}; set MAYFLY_{name.upper()} to its path")
        found[name] = str(Path(path).resolve())
    return msgspec.structs.replace(settings, **found)


def hide_from_children() -> None:
    """A child of the same user may read neither this process's memory nor its environment, where
    the way to the credentials stands (prctl(2), PR_SET_DUMPABLE)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


if __name__ == "__main__":
    sys.exit(main())
