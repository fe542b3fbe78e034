"""Which laptop cloud stands, and how another terminal speaks to it.

A running cloud holds a lock and keeps one file of facts in its folder: addresses and the stack's
outputs, never a secret. The lock is the truth: the kernel lets go of it however the cloud ended,
so a file without a holder is the leaving of one that was killed, and counts as nothing.

Commands go over a Unix socket in a folder that only this user can enter; one JSON line each way.
"""

import contextlib
import fcntl
import json
import os
import shutil
import socket
import socketserver
import tempfile
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, cast

from local.assembly import ROOT

#: The longest a command may take to be answered.
_ANSWER_SECONDS = 60

Answer = Callable[[dict[str, Any]], dict[str, Any]]


class AlreadyStands(RuntimeError):
    """A laptop cloud runs in this folder already."""


class NothingStands(RuntimeError):
    """No laptop cloud runs in this folder."""


class CommandRefused(RuntimeError):
    """The running cloud could not do what it was asked; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What another terminal needs to know of a running cloud."""

    pid: int
    aws_pid: int
    endpoint_url: str
    region: str
    stack: str
    outputs: Mapping[str, str]
    #: ISO 8601, UTC.
    started_at: str
    logs: str
    #: The socket that takes commands.
    control: str


def home() -> Path:
    """The folder of this user's laptop cloud: the tree's `.mayfly`, where there is a tree."""
    if (ROOT / "pyproject.toml").is_file():
        return ROOT / ".mayfly"
    state = os.environ.get("XDG_STATE_HOME")
    return (Path(state) if state else Path.home() / ".local" / "state") / "mayfly"


def find(folder: Path | None = None) -> Facts:
    """The facts of the running cloud. Raises NothingStands."""
    place = folder or home()
    lock = None if not place.is_dir() else _take(place)
    if lock is not None:
        lock.close()
    elif facts := _written(place):
        return facts
    raise NothingStands("No laptop cloud is running. Start one with `mayfly local up`.")


def ask(facts: Facts, command: str, **arguments: Any) -> dict[str, Any]:
    """Has the running cloud do something. Raises CommandRefused or NothingStands."""
    line = json.dumps({"command": command, **arguments}) + "\n"
    try:
        with socket.socket(socket.AF_UNIX) as control:
            control.settimeout(_ANSWER_SECONDS)
            control.connect(facts.control)
            control.sendall(line.encode())
            with control.makefile("rb") as said:
                answer: dict[str, Any] = json.loads(said.readline())
    except (OSError, ValueError) as error:
        raise NothingStands(f"The laptop cloud does not answer ({error}).") from error
    if "refused" in answer:
        raise CommandRefused(answer["refused"])
    return answer


class Post:
    """The running cloud's own side: holds the lock, the file and the socket."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        lock = _take(folder)
        if lock is None:
            raise AlreadyStands(_already(folder))
        self._lock = lock
        if left := _written(folder):  # by one that was killed
            shutil.rmtree(Path(left.control).parent, ignore_errors=True)
            (folder / "local.json").unlink()
        self._private = Path(tempfile.mkdtemp(prefix="mayfly-"))
        self.control = str(self._private / "control")
        self._server: _Server | None = None

    def publish(self, facts: Facts, answer: Answer) -> None:
        """Tells other terminals, and answers them from now on."""
        self._server = _Server(self.control, answer)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        written = self.folder / "local.json.new"
        written.write_text(json.dumps(asdict(facts), indent=2))
        written.replace(self.folder / "local.json")

    def close(self) -> None:
        """Nothing stands here any more."""
        (self.folder / "local.json").unlink(missing_ok=True)
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
        shutil.rmtree(self._private, ignore_errors=True)
        self._lock.close()


def _take(folder: Path) -> IO[str] | None:
    """The folder's lock; None when somebody holds it."""
    lock = (folder / "local.lock").open("a")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        return None
    return lock


def _written(folder: Path) -> Facts | None:
    """What the folder's file says; it counts only while somebody holds the lock."""
    try:
        return Facts(**json.loads((folder / "local.json").read_bytes()))
    except (OSError, ValueError, TypeError):
        return None


def _already(folder: Path) -> str:
    facts = _written(folder)
    known = f" (process {facts.pid}, {facts.endpoint_url})" if facts else ""
    return (
        f"A laptop cloud is running already{known}. Use it from here, "
        "or end it first with `mayfly local down`."
    )


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True

    def __init__(self, path: str, answer: Answer) -> None:
        super().__init__(path, _OneCommand)
        self.answer = answer


class _OneCommand(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        try:
            answer = cast(_Server, self.server).answer(json.loads(self.rfile.readline()))
        except Exception as error:  # noqa: BLE001 - whoever asked is told, and the cloud runs on
            answer = {"refused": str(error) or type(error).__name__}
        with contextlib.suppress(BrokenPipeError):
            self.wfile.write(json.dumps(answer).encode() + b"\n")
