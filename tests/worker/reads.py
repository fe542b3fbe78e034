"""Ranges of a stored object, and storages that misbehave towards them."""

from http.server import BaseHTTPRequestHandler
from typing import Any

from mayfly.contract.task import Fetch, PutUrls, Source, Task
from tests.worker import store
from tests.worker.conftest import WorkerClock, recipe
from worker.grants import HeldGrants
from worker.halt import Halt
from worker.http import HostRule
from worker.ranges import PAGE_BYTES, Ranges

#: No two pages alike, so that a page in the wrong place shows.
BODY = b"".join(number.to_bytes(4, "big") * (PAGE_BYTES // 8) for number in range(81)) + b"end"


def held(
    url: str, headers: dict[str, str] | None = None, lives_seconds: float = 3600
) -> HeldGrants:
    """Grants for one source."""
    clock = WorkerClock()
    task = Task(
        source=Source(fetch=Fetch(url=url, headers=headers or {})),
        recipe=recipe("mp4-720p"),
        upload=PutUrls(urls={}),
        grants_end_at=clock.now() + lives_seconds,
    )
    return HeldGrants(task, clock)


def ranges(grants: HeldGrants, **changed: Any) -> Ranges:
    """Of the grants' source."""
    given = {"halt": Halt(), "size_bytes": None, "rule": HostRule(("127.0.0.1",)), **changed}
    return Ranges(grants=grants, granted=lambda: grants.source, **given)


def span(seen: store.Seen, size: int) -> tuple[int, int]:
    """The half-open range that was asked for."""
    first, _, last = seen.headers["Range"].removeprefix("bytes=").partition("-")
    return int(first), min(int(last) + 1, size) if last else size


def dropping(bucket: store.Store, after: int, *, key: str = "a", etag: str = "") -> store.Mischief:
    """Promises the whole range, and cuts the connection after so many bytes of it."""

    def act(handler: BaseHTTPRequestHandler, seen: store.Seen) -> bool:
        whole = bucket.objects[key]
        start, end = span(seen, len(whole))
        handler.send_response(206)
        handler.send_header("ETag", etag or bucket.etag(key))
        handler.send_header("Content-Length", str(end - start))
        handler.send_header("Content-Range", f"bytes {start}-{end - 1}/{len(whole)}")
        handler.end_headers()
        handler.wfile.write(whole[start : min(end, start + after)])
        store.cut(handler)
        return True

    return act
