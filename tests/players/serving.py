"""A web server on loopback, as a player meets one: folders under names, whole files and ranges of
them, each called what Mayfly calls it where it publishes it.

Nothing else of Mayfly is in it: what a player gets is what lies in the folder.
"""

import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

from mayfly.aws import s3

#: What the page is made of, which nobody publishes.
_PAGES = {".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8"}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_: object) -> None:
        """A player hangs up when it has enough."""


@contextmanager
def serving(folders: Mapping[str, Path]) -> Iterator[str]:
    """`/name/path` is the file at that path of the folder of that name. Gives the address."""

    class Handler(BaseHTTPRequestHandler):
        """One request."""

        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            _serve(self, folders)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = _Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _serve(handler: BaseHTTPRequestHandler, folders: Mapping[str, Path]) -> None:
    path = _file(unquote(handler.path.partition("?")[0]), folders)
    if path is None:
        return _reply(handler, 404, b"", {"Content-Type": "text/plain"})
    whole = path.read_bytes()
    kind = _PAGES.get(path.suffix) or s3.content_type(path.name)
    # No test sees what another one got.
    headers = {"Content-Type": kind, "Accept-Ranges": "bytes", "Cache-Control": "no-store"}
    span = re.fullmatch(r"bytes=(\d+)-(\d*)", handler.headers.get("Range", ""))
    if span is None:
        return _reply(handler, 200, whole, headers)
    start = int(span[1])
    end = min(int(span[2]) + 1, len(whole)) if span[2] else len(whole)
    if start >= len(whole):
        return _reply(handler, 416, b"", headers | {"Content-Range": f"bytes */{len(whole)}"})
    headers["Content-Range"] = f"bytes {start}-{end - 1}/{len(whole)}"
    return _reply(handler, 206, whole[start:end], headers)


def _file(path: str, folders: Mapping[str, Path]) -> Path | None:
    """None for what is not there, or not in there."""
    name, _, rest = path.removeprefix("/").partition("/")
    if name not in folders or ".." in rest.split("/"):
        return None
    found = folders[name] / rest
    return found if found.is_file() else None


def _reply(
    handler: BaseHTTPRequestHandler, status: int, body: bytes, headers: dict[str, str]
) -> None:
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)
