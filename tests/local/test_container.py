"""A container's processes end together, however the end comes."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from local import container
from tests.local.conftest import wait_for
from tests.local.test_fargate import alive

#: A worker with a child that outlives its session, as an encoder in its own group would.
PARENT = """
import signal, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"],
                         start_new_session=True)
if sys.argv[1] == "leave":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(3))
# Not before: whoever reads this may send the signal at once.
print(child.pid, flush=True)
if sys.argv[1] == "exit":
    sys.exit(5)
time.sleep(600)
"""


def run(how: str) -> tuple["subprocess.Popen[str]", int]:
    """A container in which a process with a child runs; the child's id."""
    process = subprocess.Popen(
        container.command([sys.executable, "-c", PARENT, how]),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    return process, int(process.stdout.readline())


def finish(process: "subprocess.Popen[str]") -> int:
    """Waits for the end; the exit code."""
    code = process.wait(10)
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            stream.close()
    return code


def test_what_a_process_left_behind_ends_with_it() -> None:
    process, child = run("exit")
    assert finish(process) == 5
    assert not alive(child)


def test_sigterm_reaches_the_first_process_alone() -> None:
    process, child = run("leave")
    process.send_signal(signal.SIGTERM)
    assert finish(process) == 3
    assert not alive(child)


def test_a_signal_s_death_is_told_as_shells_tell_it() -> None:
    process, child = run("stay")
    process.send_signal(signal.SIGTERM)
    assert finish(process) == 128 + signal.SIGTERM
    assert not alive(child)


def test_everything_dies_when_its_starter_lets_go() -> None:
    process, child = run("stay")
    assert process.stdin is not None
    process.stdin.close()
    assert finish(process) == 128 + signal.SIGKILL
    wait_for(lambda: not alive(child))


def test_a_command_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    process = subprocess.Popen(
        container.command([str(tmp_path / "none")]),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    assert "No such file" in process.stdout.readline()
    assert finish(process) == 127


def test_who_finds_its_command_reaped_by_the_other_thread_says_that_it_was_killed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def reaped(*_: object) -> tuple[int, int]:
        raise ChildProcessError

    monkeypatch.setattr(os, "waitpid", reaped)
    assert container._wait_for(1) == 128 + signal.SIGKILL
