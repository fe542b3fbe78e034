"""Runs one program of ffmpeg's family and says what became of it.

Why it is so careful: the program reads bytes that a stranger made. So it gets a process group of
its own, an environment with nothing in it, limits on memory, files and time, and nobody's
credentials. It is the only module that starts processes; it must never log an argument list, and
never believe an exit code alone (a shorter file exits 0 too: see `worker.prove`).
"""

import contextlib
import enum
import os
import resource
import selectors
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from worker.halt import Halt
from worker.opening import FONT_CONFIG

#: SIGTERM lets ffmpeg close its files, SIGKILL follows: everything it wrote is thrown away anyway.
TERM_SECONDS = 1.0
#: From the closing of its pipes to its end: a process that ends gives back its memory first.
_LAST_SECONDS = 5.0
#: How long a limit or a halt may go unseen.
_LOOK_SECONDS = 0.2
#: What is kept of standard error: its last lines, each cut. ffmpeg's own closing words take 40.
_TAIL_LINES_MAX = 120
_LINE_CHARACTERS_MAX = 300
#: ffmpeg opens its inputs, outputs and pipes; a demuxer that opens hundreds of files is an attack.
_FILES_MAX = 128
_CHUNK_BYTES = 1 << 16
#: A line of standard output that does not end: nothing of ours prints one.
_LINE_BYTES_MAX = 1 << 20

#: Called with each line of standard output; true when it shows that the work moved on.
OnLine = Callable[[bytes], bool]


class Fate(enum.Enum):
    """What became of the program."""

    SUCCEEDED = enum.auto()
    FAILED = enum.auto()
    TIME_LIMIT = enum.auto()
    STALLED = enum.auto()
    MEMORY_LIMIT = enum.auto()
    OUTPUT_LIMIT = enum.auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What the program may use."""

    seconds: float
    #: Private writable memory. Address space is no measure: threads reserve 64 MiB each of it.
    memory_bytes: int
    #: The largest file that it may write.
    file_bytes: int
    #: Without a line that moved on for this long, nor a byte written to a file, it hangs.
    stall_seconds: float = float("inf")
    #: The folder with these files.
    written: Path | None = None
    #: What it may print on standard output.
    stdout_bytes: int = 1 << 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How the program ended."""

    fate: Fate
    exit_code: int
    tail: tuple[str, ...]
    cpu_seconds: float
    wall_seconds: float


_live: set[int] = set()


def kill_all() -> None:
    """Ends every program at once: for a process that is about to exit in a hurry."""
    for pid in tuple(_live):
        _signal_group(pid, signal.SIGKILL)


def run(
    argv: Sequence[str], *, folder: Path, bounds: Bounds, halt: Halt, on_line: OnLine
) -> Ending:
    """Runs to the end, whatever end. Raises Halted once the group is dead."""
    halt.check()
    began = time.monotonic()
    with subprocess.Popen(
        list(argv),
        cwd=folder,
        env=_environment(folder),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        _live.add(process.pid)
        patience_seconds = 0.0
        try:
            _bound(process.pid, bounds)
            watch = _Watch(process, bounds, began, on_line)
            stopped = watch.until_end(halt)
            patience_seconds = _LAST_SECONDS if stopped is None else 0.0
        finally:
            cpu_seconds = _reap(process, patience_seconds)
            _live.discard(process.pid)
    halt.check()
    return Ending(
        fate=stopped or _fate(process.returncode, watch.tail),
        exit_code=process.returncode,
        tail=tuple(watch.tail),
        cpu_seconds=cpu_seconds,
        wall_seconds=time.monotonic() - began,
    )


class _Watch:
    """Reads both pipes and keeps the limits, in one thread."""

    def __init__(
        self, process: "subprocess.Popen[bytes]", bounds: Bounds, began: float, on_line: OnLine
    ) -> None:
        self.tail: deque[str] = deque(maxlen=_TAIL_LINES_MAX)
        self._process = process
        self._bounds = bounds
        self._began = began
        self._moved = began
        self._on_line = on_line
        self._printed = 0

    def until_end(self, halt: Halt) -> Fate | None:
        """None when the program closed its pipes by itself."""
        out, err = self._process.stdout, self._process.stderr
        assert out is not None and err is not None
        partial = {out.fileno(): b"", err.fileno(): b""}
        with selectors.DefaultSelector() as selector:
            for pipe in partial:
                os.set_blocking(pipe, False)
                selector.register(pipe, selectors.EVENT_READ)
            while selector.get_map():
                for key, _ in selector.select(_LOOK_SECONDS):
                    chunk = os.read(key.fd, _CHUNK_BYTES)
                    if not chunk:
                        selector.unregister(key.fd)
                    partial[key.fd] = self._lines(
                        partial[key.fd] + chunk, out=key.fd == out.fileno(), last=not chunk
                    )
                if halt.reason is not None:
                    return Fate.FAILED
                if (broken := self._broken()) is not None:
                    return broken
        return None

    def _lines(self, text: bytes, *, out: bool, last: bool) -> bytes:
        *lines, rest = text.split(b"\n")
        if (last and rest) or len(rest) > _LINE_BYTES_MAX:
            lines.append(rest)
            rest = b""
        for line in lines:
            if out:
                self._printed += len(line) + 1
                if self._on_line(line):
                    self._moved = time.monotonic()
            elif line.strip():
                self.tail.append(line.decode("utf-8", "replace").strip()[:_LINE_CHARACTERS_MAX])
        return rest

    def _broken(self) -> Fate | None:
        now = time.monotonic()
        if now - self._began > self._bounds.seconds:
            return Fate.TIME_LIMIT
        if now - self._moved > self._bounds.stall_seconds and not self._wrote():
            return Fate.STALLED
        if self._printed > self._bounds.stdout_bytes:
            return Fate.OUTPUT_LIMIT
        return None

    def _wrote(self) -> bool:
        """Whether a file was written to just now: an index is moved to the front without a word,
        for as long as it takes to write the file once more."""
        folder, newest = self._bounds.written, float("-inf")
        for path in folder.iterdir() if folder is not None else ():
            with contextlib.suppress(FileNotFoundError):
                newest = max(newest, path.stat().st_mtime)
        return time.time() - newest < self._bounds.stall_seconds


def _environment(folder: Path) -> dict[str, str]:
    """Nothing of ours: no AWS_*, ECS_* or MAYFLY_* name reaches a program that reads strangers'
    bytes. (Its parent is not dumpable, so it cannot read them from /proc either.)"""
    return {
        "PATH": os.defpath,
        "HOME": str(folder),
        "TMPDIR": str(folder),
        # Whoever draws letters finds our font alone, and none of the machine's.
        "FONTCONFIG_FILE": str(folder / FONT_CONFIG),
        "LC_ALL": "C",  # error texts that can be recognised
        "AV_LOG_FORCE_NOCOLOR": "1",
        "SVT_LOG": "1",  # errors alone: SVT-AV1 does not ask how much ffmpeg may say
    }


def _bound(pid: int, bounds: Bounds) -> None:
    """Limits by prlimit after the start: Python code between fork and exec may deadlock in a
    process with threads. The program has read nothing of its input in these microseconds."""
    if not hasattr(resource, "prlimit"):
        return  # not Linux: the laptop's word is taken for time and halt alone
    with contextlib.suppress(ProcessLookupError, PermissionError):
        for limit, value in (
            (resource.RLIMIT_DATA, bounds.memory_bytes),
            (resource.RLIMIT_FSIZE, bounds.file_bytes),
            (resource.RLIMIT_NOFILE, _FILES_MAX),
            (resource.RLIMIT_CORE, 0),
        ):
            resource.prlimit(pid, limit, (value, value))
    # When the machine's memory ends before the limit does, the kernel shall take the encoder and
    # leave the worker, which reports it.
    with contextlib.suppress(OSError):
        Path(f"/proc/{pid}/oom_score_adj").write_text("1000")


def _reap(process: "subprocess.Popen[bytes]", patience_seconds: float) -> float:
    """Waits, then asks, then kills; returns the CPU seconds of it and its children."""
    steps = ((None, patience_seconds), (signal.SIGTERM, TERM_SECONDS), (signal.SIGKILL, 60.0))
    for number, seconds in steps:
        if number is not None:
            _signal_group(process.pid, number)
        deadline = time.monotonic() + seconds
        while (ended := _ended(process.pid)) is None:
            if time.monotonic() >= deadline:
                break
            time.sleep(0.005)
        else:
            status, cpu_seconds = ended
            process.returncode = os.waitstatus_to_exitcode(status)
            return cpu_seconds
    raise RuntimeError("A killed program cannot be reaped: the machine is broken.")


def _ended(pid: int) -> tuple[int, float] | None:
    """Its status and CPU seconds, once: then its number may be somebody else's."""
    if hasattr(os, "waitid"):
        if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            return None
        # Whatever it left in its group. Nobody else can have its number before it is reaped.
        _signal_group(pid, signal.SIGKILL)
    found, status, usage = os.wait4(pid, os.WNOHANG)
    return (status, usage.ru_utime + usage.ru_stime) if found else None


def _signal_group(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


#: ffmpeg's words, and x264's.
_NO_MEMORY = ("Cannot allocate memory", "malloc of size")


def _fate(exit_code: int, tail: Sequence[str]) -> Fate:
    if exit_code == 0:
        return Fate.SUCCEEDED
    text = "\n".join(tail)
    if exit_code == -signal.SIGXFSZ or "File too large" in text or "No space left" in text:
        return Fate.OUTPUT_LIMIT
    # -9 that is not ours is the kernel's, for memory.
    if exit_code == -signal.SIGKILL or any(words in text for words in _NO_MEMORY):
        return Fate.MEMORY_LIMIT
    return Fate.FAILED
