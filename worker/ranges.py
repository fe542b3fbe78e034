"""Reads one granted object by byte ranges: only what is asked for, of one version, or not at all.

Blocks adapt. After a jump a small one is read, since a demuxer that looks for its place reads a
little here and there; while the reader goes on, as much again as it has read in a row. So what was
read in vain is less than what was read for good, and neither grows with the source; what is still
on its way when the reader jumps away is cut off, unless it is little. What came stays for a while:
demuxers hop between a table and what it points to.

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
from worker.ends import Halted, Reason, WorkFailed
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
#: Small blocks that a reader leaves behind on their way.
_LEFT_MAX = 2
#: How long a halt may go unseen while a page is waited for.
_LOOK_SECONDS = 0.2


@dataclasses.dataclass(slots=True)
class Toll:
    """What reading has cost so far."""

    gets: int = 0
    bytes_read: int = 0


class Ranges:
    """One object, for any number of readers, each in a thread of its own."""

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
        self.halt = halt
        #: Held around all that follows; told whenever a page came or a block ended.
        self.changed = threading.Condition()
        self.toll = Toll()
        self._rule = rule
        self._grants = grants
        self._granted = granted
        self._version = Version(size_bytes)
        self._seen = False
        self._pages: OrderedDict[int, bytes] = OrderedDict()

    @property
    def size(self) -> int:
        """In bytes. Raises WorkFailed, Halted."""
        if not self._seen:
            with contextlib.closing(Reader(self)) as reader:
                reader.read(0)
        assert self._version.size is not None
        return self._version.size

    def held(self, number: int) -> bytes | None:
        """Page `number`, empty beyond the object's end; None when it is not here."""
        page = self._pages.get(number)
        if page is not None:
            self._pages.move_to_end(number)
        elif self._version.size is not None and number >= self._count():
            return b""
        return page

    def fetch(self, block: "Block") -> None:
        """The block's pages, as far as none of them is here already. Raises WorkFailed, Halted."""
        patience = Patience(block.halt)
        self._shorten(block)
        while block.at < block.end:
            before = block.at
            with contextlib.suppress(Broken):
                self._try(block)
            self._shorten(block)  # the size is known by now
            if block.at < block.end and not patience.again(moved=block.at > before):
                at = block.at * PAGE_BYTES
                raise WorkFailed("source_unreadable", f"reading broke off at byte {at}")

    def _shorten(self, block: "Block") -> None:
        with self.changed:
            end = block.end
            if self._version.size is not None:
                end = min(end, self._count())
            held = (number for number in range(block.at, end) if number in self._pages)
            block.end = next(held, end)

    def _count(self) -> int:
        assert self._version.size is not None
        return -(-self._version.size // PAGE_BYTES)

    def _try(self, block: "Block") -> None:
        """Keeps what comes. Raises Broken, WorkFailed, Halted."""
        granted = self._granted()
        headers = dict(granted.headers)
        start = block.at * PAGE_BYTES
        headers["Range"] = f"bytes={start}-{block.end * PAGE_BYTES - 1}"
        with self.changed:
            self._version.pin(headers)
            self.toll.gets += 1
        try:
            with http.exchange(
                "GET", granted.url, rule=self._rule, halt=block.halt, headers=headers
            ) as response:
                self._judge(response, start)
                with self.changed:
                    size = self._version.settle(response, start)
                    self._seen = True
                self._take(response, block, size)
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

    def _take(self, response: BaseHTTPResponse, block: "Block", size: int) -> None:
        while block.at < min(block.end, self._count()):
            block.halt.check()
            wanted = min(PAGE_BYTES, size - block.at * PAGE_BYTES)
            page = response.read(wanted)
            with self.changed:
                self.toll.bytes_read += len(page)
                if len(page) < wanted:
                    raise Broken("closed early")
                self._keep(block.at, page)
                block.at += 1
                self.changed.notify_all()

    def _keep(self, number: int, page: bytes) -> None:
        self._pages[number] = page
        self._pages.move_to_end(number)
        while len(self._pages) > _PAGES_KEPT:
            self._pages.popitem(last=False)


@dataclasses.dataclass(slots=True, eq=False)
class Block:
    """Pages on their way: from `at`, which moves, to before `end`."""

    at: int
    end: int
    #: Its own: nobody may want it any more while all else goes on.
    halt: Halt = dataclasses.field(default_factory=Halt)
    over: bool = False
    failure: WorkFailed | Halted | None = None


class Reader:
    """One who reads on from where it jumped to. Pages are handed out while those behind them are
    still on their way, so that whoever works on them does so meanwhile."""

    def __init__(self, ranges: Ranges) -> None:
        self._ranges = ranges
        self._next = -1
        self._in_a_row = 0
        #: On their way: the one that is read, and small ones that it jumped away from.
        self._blocks: list[Block] = []
        self._threads: list[threading.Thread] = []

    def read(self, at: int) -> bytes:
        """Some bytes from there on; none at the object's end. Raises WorkFailed, Halted."""
        number, skipped = divmod(at, PAGE_BYTES)
        if not self.reads_on(at):
            self._in_a_row = 0
        page = self._page(number)
        self._in_a_row += number != self._next - 1
        self._next = number + 1
        return page[skipped:]

    def reads_on(self, at: int) -> bool:
        """Whether to read from there is no jump. Nor is it to skip less than the smallest block, as
        over the sound."""
        return self._next - 1 <= at // PAGE_BYTES <= self._next + _PAGES_MIN

    def close(self) -> None:
        """Whatever is still on its way is not wanted."""
        for block in self._blocks:
            block.halt.set(Reason.ORDERED)
        for thread in self._threads:
            thread.join()

    def _page(self, number: int) -> bytes:
        ranges = self._ranges
        with ranges.changed:
            while True:
                ranges.halt.check()
                if (page := ranges.held(number)) is not None:
                    return page
                for block in self._blocks:
                    if block.failure is not None:
                        raise block.failure
                self._blocks = [block for block in self._blocks if not block.over]
                if not any(block.at <= number < block.end for block in self._blocks):
                    self._leave()
                    self._begin(number)
                ranges.changed.wait(_LOOK_SECONDS)

    def _leave(self) -> None:
        """Cuts off what it jumped away from, but for a little: that may be wanted yet, and as good
        as here."""
        little = [block for block in self._blocks if block.end - block.at <= _PAGES_MIN]
        little = little[-_LEFT_MAX:]
        for block in self._blocks:
            if block not in little:
                block.halt.set(Reason.ORDERED)
        self._blocks = little

    def _begin(self, number: int) -> None:
        ahead = min(max(self._in_a_row, _PAGES_MIN), _PAGES_MAX)
        block = Block(number, number + ahead)
        thread = threading.Thread(target=self._bring, args=(block,), name="loopback-read")
        thread.daemon = True
        self._blocks.append(block)
        self._threads = [one for one in self._threads if one.is_alive()]
        self._threads.append(thread)
        thread.start()

    def _bring(self, block: Block) -> None:
        ranges = self._ranges
        failure: WorkFailed | Halted | None = WorkFailed("worker_failed", "a reader broke")
        try:
            # What ends all ends this, and its cause is what this is told.
            with ranges.halt.ending(lambda: block.halt.set(ranges.halt.reason or Reason.ORDERED)):
                ranges.fetch(block)
            failure = None
        except (WorkFailed, Halted) as known:
            failure = known
        finally:
            with ranges.changed:
                block.failure, block.over = failure, True
                ranges.changed.notify_all()


class RangeFile:
    """The object as a file, for what reads a little here and there. Close it."""

    def __init__(self, ranges: Ranges) -> None:
        self._reader = Reader(ranges)
        self._at = 0

    def close(self) -> None:
        """Ends what is still on its way."""
        self._reader.close()

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
