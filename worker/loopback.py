"""A source as ffmpeg can read it: one object, served on this machine's loopback while it is read.

Why not the signed URL itself: ffmpeg's argument list is no place for a secret, a dropped connection
ends its reading, and it calls a short read the end of the film, with an exit code of 0. So ffmpeg
reads here, and here alone is what it is to be told of a storage: nothing but bytes. When they
cannot be had, its connections end, and why is remembered: whoever ran it must ask `check()` before
believing anything that it made.

It must never serve anything else, nor anybody who does not know the path; nor outlive its attempt.
"""

import contextlib
import hmac
import re
import secrets
import socket
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from socketserver import BaseServer
from typing import cast

from worker.ends import Halted, WorkFailed
from worker.ranges import Ranges, Reader

#: A demuxer opens one connection after the other, some have five at once.
_CONNECTIONS_MAX = 16
#: So many places are remembered at which somebody may read on.
_RESTING_MAX = 4
#: `bytes=0-`, `bytes=0-99`, `bytes=-99`; one range, of numbers that a file can have.
_RANGE = re.compile(r"bytes=([0-9]{0,19})-([0-9]{0,19})")


class Loopback:
    """One object's server."""

    def __init__(self, ranges: Ranges) -> None:
        self.ranges = ranges
        self.path = f"/{secrets.token_urlsafe(24)}"
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=_CONNECTIONS_MAX)
        self._lock = threading.Lock()
        self._open: dict[socket.socket, threading.Thread] = {}
        #: Nobody's just now: an answer has ended, and the next one may read on from there.
        self._resting: list[Reader] = []
        self._closing = False
        self._failure: WorkFailed | Halted | None = None
        self._acceptor = threading.Thread(target=self._accept, name="loopback", daemon=True)
        self._acceptor.start()

    @property
    def url(self) -> str:
        """For the program; of no use to anybody else."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}{self.path}"

    def check(self) -> None:
        """Raises what kept a byte from whoever read: WorkFailed, Halted."""
        if self._failure is not None:
            raise self._failure

    def remember(self, failure: WorkFailed | Halted) -> None:
        """The first one stays."""
        with self._lock:
            self._failure = self._failure or failure

    def reader(self, at: int) -> Reader:
        """For one answer from that byte on: the one that has come so far, if there is any, whatever
        connection it served."""
        with self._lock:
            found = next((one for one in self._resting if one.reads_on(at)), None)
            if found is None and len(self._resting) >= _RESTING_MAX:
                found = self._resting[0]
            if found is None:
                return Reader(self.ranges)
            self._resting.remove(found)
            return found

    def rest(self, reader: Reader) -> None:
        """The answer has all that it wanted."""
        with self._lock:
            self._resting.append(reader)

    def close(self) -> None:
        """Ends every connection and waits for their threads. Once more does nothing."""
        with self._lock:
            if self._closing:
                return
            self._closing = True
            still = dict(self._open)
        for connection in still:
            _end(connection)
        # Wakes whoever waits in accept, on every system.
        with contextlib.suppress(OSError):
            socket.create_connection(self._listener.getsockname(), timeout=1).close()
        for thread in (self._acceptor, *still.values()):
            thread.join()
        for reader in self._resting:
            reader.close()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except ConnectionError:
                continue  # it went away before it was met
            except OSError as error:
                self._broke(error)
                return
            with self._lock:
                refused = self._closing or len(self._open) >= _CONNECTIONS_MAX
                if not refused:
                    thread = threading.Thread(
                        target=self._serve, args=(connection,), name="loopback", daemon=True
                    )
                    self._open[connection] = thread
                    thread.start()
            if refused:
                connection.close()
                if self._closing:
                    return
                self.remember(WorkFailed("source_absurd", "it is read from too many places"))

    def _broke(self, error: BaseException | None) -> None:
        name = type(error).__name__
        self.remember(WorkFailed("worker_failed", f"the loopback broke: {name}"))

    def _serve(self, connection: socket.socket) -> None:
        served = False
        try:
            _Handler(connection, self)
            served = True
        except ConnectionError:
            served = True  # the program went away, or this is being closed
        finally:
            if not served:
                self._broke(sys.exception())
            _end(connection)
            connection.close()
            with self._lock:
                del self._open[connection]


class _Handler(BaseHTTPRequestHandler):
    """One connection: requests, one after the other."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def __init__(self, connection: socket.socket, loopback: Loopback) -> None:
        self._loopback = loopback
        super().__init__(connection, ("127.0.0.1", 0), cast(BaseServer, None))  # never asked

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def _answer(self, *, with_body: bool) -> None:
        if not hmac.compare_digest(self.path.encode(), self._loopback.path.encode()):
            self.send_error(404)
            return
        try:
            self._send(with_body=with_body)
        except (WorkFailed, Halted) as failure:
            # Before the connection ends: who sees it end shall find why.
            self._loopback.remember(failure)
            self.close_connection = True

    def _send(self, *, with_body: bool) -> None:
        self._loopback.check()
        size = self._loopback.ranges.size
        span = self._span(size)
        if span is None:
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{size}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        at, end = span
        ranged = "Range" in self.headers
        self.send_response(206 if ranged else 200)
        if ranged:
            self.send_header("Content-Range", f"bytes {at}-{end - 1}/{size}")
        self.send_header("Content-Length", str(end - at))
        self.send_header("Content-Type", "application/octet-stream")  # its content decides
        self.send_header("Accept-Ranges", "bytes")
        if self.close_connection:  # as it was asked to; ffmpeg asks on here unless it is told
            self.send_header("Connection", "close")
        self.end_headers()
        if with_body:
            self._body(at, end)

    def _body(self, at: int, end: int) -> None:
        reader, whole = self._loopback.reader(at), False
        try:
            while not whole:
                piece = reader.read(at)[: end - at]
                at += len(piece)
                if at >= end:
                    # Before the last byte is sent: who has it may ask for the next at once.
                    whole = True
                    self._loopback.rest(reader)
                self.connection.sendall(piece)
        finally:
            if not whole:
                reader.close()  # what was read ahead for it is not wanted

    def _span(self, size: int) -> tuple[int, int] | None:
        """Half open; None when there is no such range."""
        asked = self.headers.get("Range")
        if asked is None:
            return 0, size
        found = _RANGE.fullmatch(asked)
        if found is None or not any(found.groups()):
            return None
        first, last = found.groups()
        if not first:
            return (max(0, size - int(last)), size) if int(last) else None
        end = min(size, int(last) + 1) if last else size
        return (int(first), end) if int(first) < end else None

    def version_string(self) -> str:
        """Nobody's."""
        return "source"

    def log_message(self, *_: object) -> None:
        """Nothing: a program reads here, thousands of times."""


def _end(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def serving(ranges: Ranges) -> Iterator[Loopback]:
    """Serves while inside."""
    loopback = Loopback(ranges)
    try:
        yield loopback
    finally:
        loopback.close()
