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
from worker import http, reading
from worker.ends import WorkFailed
from worker.grants import HeldGrants
from worker.halt import Halt
from worker.http import Broken, HostRule
from worker.reading import Patience, Version

_CHUNK_BYTES = 1 << 20
#: What a broken server may cost: resumes in all.
_RESUMES_MAX = 1000


@dataclasses.dataclass(slots=True)
class _Progress:
    """How far the file is, and which version it is."""

    version: Version
    have: int = 0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Fetcher:
    """Downloads one file."""

    rule: HostRule
    grants: HeldGrants
    halt: Halt
    #: Where it is, asked anew at every try: grants are renewed meanwhile.
    granted: Callable[[], Fetch]
    #: More than this is not brought; None: as much as the disk holds.
    bytes_max: int | None = None

    def fetch(self, path: Path, size_bytes: int | None) -> int:
        """The number of bytes. Raises WorkFailed, Halted."""
        progress = _Progress(Version(size_bytes))
        _check_room(path, size_bytes)
        patience = Patience(self.halt)
        with path.open("wb") as file:
            for _ in range(_RESUMES_MAX):
                before = progress.have
                with contextlib.suppress(Broken):
                    if self._try(file, progress):
                        return progress.have
                if not patience.again(moved=progress.have > before):
                    break
        raise WorkFailed("source_unreadable", f"the download broke off at byte {progress.have}")

    def _try(self, file: BinaryIO, progress: _Progress) -> bool:
        """True when the file is whole."""
        granted = self.granted()
        headers = dict(granted.headers)
        if progress.have:
            headers["Range"] = f"bytes={progress.have}-"
            progress.version.pin(headers)
        try:
            with http.exchange(
                "GET", granted.url, rule=self.rule, halt=self.halt, headers=headers
            ) as response:
                reading.judge(response, self.grants)
                if progress.have and response.status == 200:
                    progress.have = 0  # it does not resume: from the start
                size = progress.version.settle(response, progress.have)
                if self.bytes_max is not None and size > self.bytes_max:
                    detail = f"{size} bytes, at most {self.bytes_max}"
                    raise WorkFailed("source_too_large", detail)
                self._copy(response, file, progress, size)
        except http.Refused as refused:
            raise WorkFailed("source_refused", str(refused)) from None
        return progress.have == size

    def _copy(
        self, response: BaseHTTPResponse, file: BinaryIO, progress: _Progress, size: int
    ) -> None:
        _check_room(Path(file.name), size - progress.have)
        file.seek(progress.have)
        file.truncate()
        while progress.have < size:
            self.halt.check()
            chunk = response.read(min(_CHUNK_BYTES, size - progress.have))
            if not chunk:
                raise Broken("closed early")
            try:
                file.write(chunk)
            except OSError as error:
                raise WorkFailed("source_too_large", _why(error)) from None
            progress.have += len(chunk)


def _why(error: OSError) -> str:
    return f"the disk refused it ({errno.errorcode.get(error.errno or 0, 'unknown')})"


def _check_room(path: Path, more_bytes: int | None) -> None:
    free = shutil.disk_usage(path.parent).free
    if more_bytes is not None and more_bytes + limits.RESERVED_DISK_BYTES > free:
        raise WorkFailed("source_too_large", f"{more_bytes} bytes, and {free} are free")
