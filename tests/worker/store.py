"""A storage on loopback that speaks as S3 does to signed URLs, and misbehaves when told to."""

import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

#: Stands in every URL's query: wherever it shows up outside of a request, a secret has leaked.
SECRET = "X-Amz-Signature=5ec2e7"
BLOCK_BYTES = 1 << 14


@dataclass(kw_only=True)
class Seen:
    """One request."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes = b""


#: Answers a request in its own way, and returns whether it did.
Mischief = Callable[[BaseHTTPRequestHandler, Seen], bool]


@dataclass(kw_only=True)
class Store:
    """Objects by key."""

    port: int = 0
    objects: dict[str, bytes] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)
    #: Asked in turn before each request is served; one that answers is used up.
    mischief: list[Mischief] = field(default_factory=list)
    #: Told of each block of content, before it is given and after it was taken; may take its time.
    giving: Callable[[int], None] = lambda size_bytes: None
    taking: Callable[[int], None] = lambda size_bytes: None

    def url(self, key: str) -> str:
        """A signed URL."""
        return f"http://127.0.0.1:{self.port}/bucket/{key}?{SECRET}"

    def etag(self, key: str) -> str:
        """Of the object now."""
        return f'"{hash(self.objects[key]) & 0xFFFFFFFF:08x}"'

    def count(self, method: str) -> int:
        """How many such requests came."""
        return sum(1 for seen in self.seen if seen.method == method)

    def form(self, key_prefix: str, size_bytes_max: int = 10**9) -> dict[str, Any]:
        """A presigned POST, as a task carries it."""
        return {
            "by": "post",
            "url": f"http://127.0.0.1:{self.port}/bucket",
            "fields": {
                "key": key_prefix + "${filename}",
                "policy": "cG9saWN5",
                "x-amz-signature": "5ec2e7",
            },
            "key_prefix": key_prefix,
            "size_bytes_max": size_bytes_max,
        }


class _Server(ThreadingHTTPServer):
    """One that does not print what clients that went away did to it."""

    daemon_threads = True
    #: More at once than the few that a beginning server takes.
    request_queue_size = 128

    def handle_error(self, *_: object) -> None:
        """A client that hangs up is what some tests are about."""


@contextmanager
def running() -> Iterator[Store]:
    """A store, served while inside."""
    store = Store()

    class Handler(BaseHTTPRequestHandler):
        """One request."""

        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            self._answer("GET")

        def do_PUT(self) -> None:
            self._answer("PUT")

        def do_POST(self) -> None:
            self._answer("POST")

        def _answer(self, method: str) -> None:
            seen = Seen(method=method, path=self.path, headers=dict(self.headers.items()))
            store.seen.append(seen)
            if store.mischief and store.mischief[0](self, seen):
                store.mischief.pop(0)
                return
            if method != "GET":
                seen.body = _taken(store, self)
            _serve(store, self, seen)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = _Server(("127.0.0.1", 0), Handler)
    store.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield store
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _taken(store: Store, handler: BaseHTTPRequestHandler) -> bytes:
    body, left = bytearray(), int(handler.headers["Content-Length"])
    while left and (block := handler.rfile.read(min(left, BLOCK_BYTES))):
        body += block
        left -= len(block)
        store.taking(len(block))
    return bytes(body)


def _serve(store: Store, handler: BaseHTTPRequestHandler, seen: Seen) -> None:
    key = seen.path.partition("?")[0].removeprefix("/bucket").removeprefix("/")
    if seen.method == "PUT":
        store.objects[key] = seen.body
        return reply(handler, 200)
    if seen.method == "POST":
        named, content = multipart(seen)
        store.objects[named["key"]] = content
        return reply(handler, 204)
    if key not in store.objects:
        return reply(handler, 404, b"<Error><Code>NoSuchKey</Code></Error>")
    wanted = seen.headers.get("If-Match") or seen.headers.get("if-match")
    if wanted and wanted != store.etag(key):
        return reply(handler, 412, b"<Error><Code>PreconditionFailed</Code></Error>")
    whole = store.objects[key]
    span = re.fullmatch(r"bytes=(\d+)-(\d*)", seen.headers.get("Range", ""))
    start = int(span[1]) if span else 0
    end = min(int(span[2]) + 1, len(whole)) if span and span[2] else len(whole)
    headers = {"ETag": store.etag(key)}
    if span and start >= len(whole):
        return reply(handler, 416, b"<Error><Code>InvalidRange</Code></Error>")
    if span:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{len(whole)}"
    return reply(handler, 206 if span else 200, whole[start:end], headers, store.giving)


def reply(
    handler: BaseHTTPRequestHandler,
    status: int,
    body: bytes = b"",
    headers: dict[str, str] | None = None,
    giving: Callable[[int], None] = lambda size_bytes: None,
) -> None:
    """An answer."""
    handler.send_response(status)
    for name, value in (headers or {}).items():
        handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    for at in range(0, len(body), BLOCK_BYTES):
        block = body[at : at + BLOCK_BYTES]
        giving(len(block))
        handler.wfile.write(block)


def multipart(seen: Seen) -> tuple[dict[str, str], bytes]:
    """The fields of a form and its file, which must be the last part."""
    kind = seen.headers["Content-Type"]
    boundary = b"--" + kind.partition("boundary=")[2].encode()
    *parts, end = seen.body.split(boundary + b"\r\n")
    content, closing = end.rsplit(b"\r\n" + boundary + b"--\r\n", 1)
    assert closing == b""
    assert parts[0] == b""
    fields: dict[str, str] = {}
    for part in parts[1:]:
        head, value = part.removesuffix(b"\r\n").split(b"\r\n\r\n", 1)
        name = re.search(rb'name="([^"]+)"', head)
        assert name is not None
        fields[name[1].decode()] = value.decode()
    head, _, file = content.partition(b"\r\n\r\n")
    assert b'name="file"' in head
    return fields, file


def cut(handler: BaseHTTPRequestHandler) -> None:
    """Closes the connection as a broken network does."""
    handler.wfile.flush()
    handler.connection.shutdown(socket.SHUT_RDWR)
    handler.close_connection = True


def answers(status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> Mischief:
    """An error, once."""

    def act(handler: BaseHTTPRequestHandler, seen: Seen) -> bool:
        length = int(handler.headers.get("Content-Length") or 0)
        if length:
            seen.body = handler.rfile.read(length)
        reply(handler, status, body, headers)
        return True

    return act
