"""The smallest container: a tree of processes that ends as one.

A container on Fargate is a machine of its own: when its first process ends, or the machine is
lost, nothing of it lives on. On a laptop an encoder would outlive the worker that was killed
without warning, and a worker would outlive a terminal that was closed. So every child that the
laptop's AWS starts runs beneath this program. It runs one command and then

- passes SIGTERM to that command alone, as ECS does to a container's first process;
- kills whatever is left of the tree when the command ends;
- kills the whole tree when its standard input ends, which the kernel sees to however its
  starter died. Closing that pipe is therefore also the way to lose a container without warning.

It imports nothing but the standard library (`python -I -S` starts it in 15 ms), and must never
end before its tree has.
"""

import contextlib
import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

#: From linux/prctl.h.
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36

#: A process that a signal ended has no exit code; shells and container runtimes say 128 + signal.
SIGNALLED = 128
#: What a shell says of a command that it cannot run.
_CANNOT_RUN = 127


def command(argv: Sequence[str]) -> list[str]:
    """The command line that runs `argv` in a container."""
    return [sys.executable, "-I", "-S", __file__, *argv]


def main(argv: Sequence[str]) -> int:
    """Runs the command; its exit code is the container's."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    # Both signals may come before the command runs: the first is kept for it, the second is the
    # terminal's and speaks to whoever started this.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    first = _start(argv)
    signal.signal(signal.SIGTERM, lambda *_: _send(first, signal.SIGTERM))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    threading.Thread(target=_die_with_starter, args=(first,), daemon=True).start()
    code = _wait_for(first)
    _kill_tree(first)
    return code


def _start(argv: Sequence[str]) -> int:
    first = os.fork()
    if first:
        return first
    try:
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        os.setsid()
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        os.execvp(argv[0], list(argv))  # noqa: S606 - no shell, and none wanted
    except BaseException as error:  # noqa: BLE001 - a forked copy must not run on
        os.write(2, f"cannot run {argv[0]}: {error}\n".encode())
        os._exit(_CANNOT_RUN)


def _wait_for(first: int) -> int:
    while True:
        try:
            pid, status = os.waitpid(-1, 0)
        except ChildProcessError:  # who watches the starter has killed and reaped all
            return SIGNALLED + signal.SIGKILL
        if pid == first:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else SIGNALLED - code


def _die_with_starter(first: int) -> None:
    while os.read(0, 64):
        pass
    _kill_tree(first)
    os._exit(SIGNALLED + signal.SIGKILL)


def _kill_tree(first: int) -> None:
    """Orphans come to us (we are their reaper), so the tree is empty when we have no offspring."""
    if not Path("/proc/self/stat").exists():
        # Without /proc and a reaper of orphans, the session's own group is what can be had.
        _send(-first, signal.SIGKILL)
        return
    while living := _offspring():
        for pid in living:
            _send(pid, signal.SIGKILL)
        time.sleep(0.005)
        _reap()


def _offspring() -> set[int]:
    parents = dict(_parents())
    ours = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in ours} - ours:
        ours |= more
    return ours - {os.getpid()}


def _parents() -> list[tuple[int, int]]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                # `pid (name) state parent ...`, and a name may hold anything, brackets too.
                state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
            except OSError:
                continue
            if state not in "ZX":
                found.append((int(entry.name), int(parent)))
    return found


def _reap() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _send(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
