"""Reads one granted object by byte ranges: only what is asked for, of one version, or not at all.

Blocks adapt. After a jump a small one is read, since a demuxer that looks for its place reads a
little here and there; while the reader goes on, as much again as it has read in a row. So what was
read in vain is less than what was read for good, and neither grows with the source. What was read
stays for a while: demuxers hop between a table and what it points to.

A drop is resumed where it broke, and nobody who reads sees it. It must never hand out a byte of
another version than the first, nor a URL.
"""

import contextlib
import dataclasses
import threading
from collections import OrderedDict
from collections.abc import Callable

from urllib3.response import BaseHTTPResponse

from mayfly.contract.task import Fetch
from worker import http, reading
from worker.ends import WorkFailed
from worker.grants import HeldGrants
from worker.halt import Halt
from worker.http import Broken, HostRule
from worker.reading import Patience, Version

#: What the object is cut into; all that follows is counted in these.
PAGE_BYTES = 64 << 10
#: A block after a jump: 256 KiB, the fourth part of what a GET takes in time.
_PAGES_MIN = 4
#: The largest block: 8 MiB, a tenth of a second.
_PAGES_MAX = 128
#: What is kept: 64 MiB. With a block on its way it is all that a source takes of the memory.
_PAGES_KEPT = 1024

_NO_RANGE = 416


@dataclasses.dataclass(slots=True)
class Toll:
    """What reading has cost so far."""

    gets: int = 0
    bytes_read: int = 0


class Ranges:
    """One object. Many threads may read; one at a time asks the storage."""

    def __init__(
        self,
        *,
        rule: HostRule,
        grants: HeldGrants,
        halt: Halt,
        granted: Callable[[], Fetch],
        size_bytes: int | None,
    ) -> None:
        """`granted` is asked anew at every try: grants are renewed meanwhile."""
        self._rule = rule
        self._grants = grants
        self._halt = halt
        self._granted = granted
        self._version = Version(size_bytes)
        self._seen = False
        self._pages: OrderedDict[int, bytes] = OrderedDict()
        self._lock = threading.Lock()
        self.toll = Toll()

    @property
    def size(self) -> int:
        """In bytes. Raises WorkFailed, Halted."""
        if not self._seen:
            self.page(0, _PAGES_MIN)
        assert self._version.size is not None
        return self._version.size

    def page(self, number: int, ahead: int) -> bytes:
        """Page `number`; when it has to be fetched, so many that follow with it. Shorter at the
        object's end, empty beyond. Raises WorkFailed, Halted."""
        with self._lock:
            self._halt.check()
            if number not in self._pages:
                self._fetch(number, ahead)
            held = self._pages.get(number)
            if held is None:
                return b""
            self._pages.move_to_end(number)
            return held

    def _fetch(self, first: int, count: int) -> None:
        """Pages from `first` on, as far as none of them is here already."""
        end = self._end(first, count)
        patience = Patience(self._halt)
        while first < end:
            with contextlib.suppress(Broken):
                self._try(first, end)
            came = self._end_of_held(first, end)
            end = self._end(came, end - came)  # the size is known by now
            if came < end and not patience.again(moved=came > first):
                at = came * PAGE_BYTES
                raise WorkFailed("source_unreadable", f"reading broke off at byte {at}")
            first = came

    def _end(self, first: int, count: int) -> int:
        end = first + count
        if self._version.size is not None:
            end = min(end, -(-self._version.size // PAGE_BYTES))
        return next((number for number in range(first, end) if number in self._pages), end)

    def _end_of_held(self, first: int, end: int) -> int:
        return next((number for number in range(first, end) if number not in self._pages), end)

    def _try(self, first: int, end: int) -> None:
        """Keeps what comes. Raises Broken, WorkFailed, Halted."""
        granted = self._granted()
        headers = dict(granted.headers)
        start = first * PAGE_BYTES
        headers["Range"] = f"bytes={start}-{end * PAGE_BYTES - 1}"
        self._version.pin(headers)
        self.toll.gets += 1
        try:
            with http.exchange(
                "GET", granted.url, rule=self._rule, halt=self._halt, headers=headers
            ) as response:
                self._judge(response, start)
                size = self._version.settle(response, start)
                self._seen = True
                self._take(response, first, end, size)
        except http.Refused as refused:
            raise WorkFailed("source_refused", str(refused)) from None

    def _judge(self, response: BaseHTTPResponse, start: int) -> None:
        if response.status == _NO_RANGE:
            if start or self._version.size:
                raise WorkFailed("source_replaced", f"it ends before byte {start} now")
            raise WorkFailed("source_empty")
        reading.judge(response, self._grants)
        if response.status != 206:
            raise WorkFailed("source_unreadable", "the storage does not serve ranges")

    def _take(self, response: BaseHTTPResponse, first: int, end: int, size: int) -> None:
        for number in range(first, min(end, -(-size // PAGE_BYTES))):
            self._halt.check()
            wanted = min(PAGE_BYTES, size - number * PAGE_BYTES)
            page = response.read(wanted)
            self.toll.bytes_read += len(page)
            if len(page) < wanted:
                raise Broken("closed early")
            self._keep(number, page)

    def _keep(self, number: int, page: bytes) -> None:
        self._pages[number] = page
        self._pages.move_to_end(number)
        while len(self._pages) > _PAGES_KEPT:
            self._pages.popitem(last=False)


class Reader:
    """One who reads on from where it jumped to."""

    def __init__(self, ranges: Ranges) -> None:
        self._ranges = ranges
        self._next = -1
        self._in_a_row = 0

    def read(self, at: int) -> bytes:
        """Some bytes from there on; none at the object's end. Raises WorkFailed, Halted."""
        number, skipped = divmod(at, PAGE_BYTES)
        if number not in (self._next - 1, self._next):
            self._in_a_row = 0
        ahead = min(max(self._in_a_row, _PAGES_MIN), _PAGES_MAX)
        page = self._ranges.page(number, ahead)
        self._in_a_row += number != self._next - 1
        self._next = number + 1
        return page[skipped:]


class RangeFile:
    """The object as a file, for what reads a little here and there."""

    def __init__(self, ranges: Ranges) -> None:
        self._reader = Reader(ranges)
        self._at = 0

    def seek(self, offset: int) -> None:
        """Where the next read begins, in bytes from the object's start."""
        self._at = offset

    def read(self, count: int) -> bytes:
        """So many bytes, fewer at the end. Raises WorkFailed, Halted."""
        read = bytearray()
        while len(read) < count and (piece := self._reader.read(self._at)[: count - len(read)]):
            read += piece
            self._at += len(piece)
        return bytes(read)
