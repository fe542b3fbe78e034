"""Brings the source to disk: whole, of one version, or not at all.

Why not let ffmpeg read the URL: it follows what a file names, forgets a size, and its argument
list is no place for a secret. A drop is resumed where it broke, pinned to the same version, so the
file is never a mixture of two. It must never follow a redirect or name a URL in an error.
"""

import contextlib
import dataclasses
import errno
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from urllib3.response import BaseHTTPResponse

from mayfly.contract.task import Fetch
from mayfly.core import limits
from worker import http
from worker.ends import Halted, Reason, WorkFailed
from worker.grants import HeldGrants
from worker.halt import Halt
from worker.http import Broken, HostRule

#: Tries without a single new byte, with pauses of 0.5, 1, 2 and 4 s between them.
_TRIES_MAX = 5
_PAUSE_SECONDS = 0.5
_CHUNK_BYTES = 1 << 20
#: What a broken server may cost: resumes in all.
_RESUMES_MAX = 1000

_GONE = {404: "source_missing", 410: "source_missing", 412: "source_replaced"}
_LATER = (408, 425, 429)


@dataclasses.dataclass(slots=True)
class _Progress:
    """How far the file is, and which version it is."""

    size: int | None
    have: int = 0
    etag: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Fetcher:
    """Downloads one file."""

    rule: HostRule
    grants: HeldGrants
    halt: Halt
    #: Where it is, asked anew at every try: grants are renewed meanwhile.
    granted: Callable[[], Fetch]

    def fetch(self, path: Path, size_bytes: int | None) -> int:
        """The number of bytes. Raises WorkFailed, Halted."""
        progress = _Progress(size=size_bytes)
        _check_room(path, size_bytes)
        idle = 0
        with path.open("wb") as file:
            for _ in range(_RESUMES_MAX):
                before = progress.have
                with contextlib.suppress(Broken):
                    if self._try(file, progress):
                        return progress.have
                idle = 0 if progress.have > before else idle + 1
                if idle >= _TRIES_MAX:
                    break
                self.halt.wait(_PAUSE_SECONDS * 2 ** max(0, idle - 1))
        raise WorkFailed("source_unreadable", f"the download broke off at byte {progress.have}")

    def _try(self, file: BinaryIO, progress: _Progress) -> bool:
        """True when the file is whole."""
        granted = self.granted()
        headers = dict(granted.headers)
        if progress.have:
            headers["Range"] = f"bytes={progress.have}-"
            if progress.etag and not any(name.lower() == "if-match" for name in headers):
                headers["If-Match"] = progress.etag
        try:
            with http.exchange(
                "GET", granted.url, rule=self.rule, halt=self.halt, headers=headers
            ) as response:
                self._judge(response, progress)
                self._copy(response, file, progress)
        except http.Refused as refused:
            raise WorkFailed("source_refused", str(refused)) from None
        return progress.size is not None and progress.have == progress.size

    def _judge(self, response: BaseHTTPResponse, progress: _Progress) -> None:
        """Goes on only with an answer that holds the rest of the same file."""
        status = response.status
        if status in _GONE:
            raise WorkFailed(_GONE[status])
        if status in _LATER or status >= 500:
            raise Broken(str(status))
        if 300 <= status < 400:
            raise WorkFailed("source_refused", "the URL redirects, and redirects are not followed")
        if status not in (200, 206):
            code = http.error_code(response)
            if code == http.EXPIRED or self.grants.dead():
                raise Halted(Reason.GRANT_EXPIRED)
            raise WorkFailed("source_refused", f"the storage answered {status} {code}".rstrip())
        if progress.have and status == 200:
            progress.have = 0  # it does not resume: from the start
        total = _total(response, progress.have)
        if total is None:
            raise WorkFailed("source_unreadable", "the storage does not say how large it is")
        if progress.size is not None and total != progress.size:
            raise WorkFailed("source_replaced", f"{total} bytes instead of {progress.size}")
        progress.size = total
        progress.etag = progress.etag or response.headers.get("ETag", "")

    def _copy(self, response: BaseHTTPResponse, file: BinaryIO, progress: _Progress) -> None:
        assert progress.size is not None
        _check_room(Path(file.name), progress.size - progress.have)
        file.seek(progress.have)
        file.truncate()
        while progress.have < progress.size:
            self.halt.check()
            chunk = response.read(min(_CHUNK_BYTES, progress.size - progress.have))
            if not chunk:
                raise Broken("closed early")
            try:
                file.write(chunk)
            except OSError as error:
                raise WorkFailed("source_too_large", _why(error)) from None
            progress.have += len(chunk)


def _why(error: OSError) -> str:
    return f"the disk refused it ({errno.errorcode.get(error.errno or 0, 'unknown')})"


def _total(response: BaseHTTPResponse, have: int) -> int | None:
    """The whole file's size by this answer's headers."""
    if response.status == 206:
        span, _, total = response.headers.get("Content-Range", "").rpartition("/")
        if not total.isdecimal() or not span.startswith(f"bytes {have}-"):
            return None
        return int(total)
    length = response.headers.get("Content-Length", "")
    return int(length) if length.isdecimal() else None


def _check_room(path: Path, more_bytes: int | None) -> None:
    free = shutil.disk_usage(path.parent).free
    if more_bytes is not None and more_bytes + limits.RESERVED_DISK_BYTES > free:
        raise WorkFailed("source_too_large", f"{more_bytes} bytes, and {free} are free")
