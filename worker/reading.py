"""What a storage's answer to a read means, and how often a read that broke off is tried again.

One meaning for a source that is brought to disk (`fetch`) and for one that is read by ranges
(`ranges`): what a job's end says of its source must not hang on the way by which it was read.
"""

import dataclasses

from urllib3.response import BaseHTTPResponse

from worker import http
from worker.ends import Halted, Reason, WorkFailed
from worker.grants import HeldGrants
from worker.halt import Halt
from worker.http import Broken

#: Tries without a single new byte, with pauses of 0.5, 1, 2 and 4 s between them.
TRIES_MAX = 5
PAUSE_SECONDS = 0.5

_GONE = {404: "source_missing", 410: "source_missing", 412: "source_replaced"}
_LATER = (408, 425, 429)


def judge(response: BaseHTTPResponse, grants: HeldGrants) -> None:
    """Returns for an answer that holds content. Raises WorkFailed, Halted when the grant has died,
    and Broken when the same may succeed later."""
    status = response.status
    if status in _GONE:
        raise WorkFailed(_GONE[status])
    if status in _LATER or status >= 500:
        raise Broken(str(status))
    if 300 <= status < 400:
        raise WorkFailed("source_refused", "the URL redirects, and redirects are not followed")
    if status not in (200, 206):
        code = http.error_code(response)
        if code == http.EXPIRED or grants.dead():
            raise Halted(Reason.GRANT_EXPIRED)
        raise WorkFailed("source_refused", f"the storage answered {status} {code}".rstrip())


def total(response: BaseHTTPResponse, start: int) -> int | None:
    """The whole object's size in bytes, by the headers of an answer that begins at `start`; None
    when it begins elsewhere, or does not say."""
    if response.status == 206:
        span, _, size = response.headers.get("Content-Range", "").rpartition("/")
        if not size.isdecimal() or not span.startswith(f"bytes {start}-"):
            return None
        return int(size)
    length = response.headers.get("Content-Length", "")
    return int(length) if length.isdecimal() else None


@dataclasses.dataclass(slots=True)
class Version:
    """Which version of an object is read: its size and tag, once the first answer told them."""

    size: int | None
    etag: str = ""

    def pin(self, headers: dict[str, str]) -> None:
        """Asks for this version alone, unless the signed headers do already."""
        if self.etag and not any(name.lower() == "if-match" for name in headers):
            headers["If-Match"] = self.etag

    def settle(self, response: BaseHTTPResponse, start: int) -> int:
        """The size in bytes. Raises WorkFailed when the answer is of another version."""
        size, etag = total(response, start), response.headers.get("ETag", "")
        if size is None:
            raise WorkFailed("source_unreadable", "the storage does not say how large it is")
        if self.size is not None and size != self.size:
            raise WorkFailed("source_replaced", f"{size} bytes instead of {self.size}")
        # A storage may not know If-Match; its tag tells all the same.
        if self.etag and etag and etag != self.etag:
            raise WorkFailed("source_replaced")
        self.size, self.etag = size, self.etag or etag
        return size


@dataclasses.dataclass(slots=True)
class Patience:
    """Counts the tries that brought nothing, and pauses between them."""

    halt: Halt
    _idle: int = 0

    def again(self, *, moved: bool) -> bool:
        """Whether another try is worth it, after a pause. Raises Halted."""
        self._idle = 0 if moved else self._idle + 1
        if self._idle >= TRIES_MAX:
            return False
        self.halt.wait(PAUSE_SECONDS * 2 ** max(0, self._idle - 1))
        return True
