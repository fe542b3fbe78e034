"""Brings what a finish joins, or a time-lapse is made of: several files at once, handed on in
order, none of them kept.

Why at once: ten thousand small files, one after another, are ten thousand times a storage's answer
time. Why in order, and few ahead: the disk holds what is joined and the result, not all parts too.
It must never read by a dead URL while a living one is there: a long join outlives its first list.
"""

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

from mayfly.contract import wire
from mayfly.contract.task import Fetch, Input, Inputs, read_inputs
from worker.ends import WorkFailed
from worker.room import Room

#: S3 answers in tens of milliseconds: eight at once bring hundreds of small files a second, and a
#: few large ones fill the link.
AT_ONCE = 8
#: Files on disk that nobody has taken yet, those under way included.
AHEAD_MAX = 16

_UNREADABLE = ("source_missing", "source_replaced", "source_unreadable")

T = TypeVar("T")
R = TypeVar("R")
L = TypeVar("L")


class Renewed(Generic[L]):
    """A list of signed GETs as it was first read; and where each is, by the newest list."""

    def __init__(
        self,
        room: Room,
        read: Callable[[bytes], L],
        fetches: Callable[[L], dict[Hashable, Fetch]],
    ) -> None:
        """Reads the list. Raises WorkFailed, Halted."""
        self._room = room
        self._parsed, self._named = read, fetches
        self._reading = threading.Lock()
        self._read_by = self._granted()
        self.first = self._read()
        self._fetches = fetches(self.first)

    def now(self, name: Hashable, first: Fetch) -> Fetch:
        """Asked at every try. Raises WorkFailed, Halted."""
        if self._granted() is not self._read_by:
            with self._reading:
                granted = self._granted()
                if granted is not self._read_by:  # nobody else has read it meanwhile
                    self._fetches = {**self._fetches, **self._named(self._read())}
                    self._read_by = granted
        return self._fetches.get(name, first)

    def _granted(self) -> Fetch:
        granted = self._room.order.grants.inputs
        if granted is None:
            raise WorkFailed("worker_failed", "a list that the task does not name")
        return granted

    def _read(self) -> L:
        try:
            path = self._room.fetch(self._granted, "in/inputs", None)
            return self._parsed(path.read_bytes())
        except WorkFailed as failed:
            if failed.code not in _UNREADABLE:
                raise
            # It is no fault of the source's: whoever comes next finds a list of its own.
        except wire.Refusal:
            pass
        raise WorkFailed("worker_failed", "the list of parts cannot be read")


class Listed:
    """What a finish joins."""

    def __init__(self, room: Room) -> None:
        """Reads the list. Raises WorkFailed, Halted."""
        self._list = Renewed(room, read_inputs, _by_name)

    @property
    def parts(self) -> tuple[Input, ...]:
        """As they were first listed."""
        return self._list.first.parts

    def where(self, part: Input) -> Fetch:
        """Asked at every try. Raises WorkFailed, Halted."""
        return self._list.now(_name(part), part.fetch)


@contextlib.contextmanager
def in_order(
    things: Sequence[T], bring: Callable[[int, T], R], *, at_once: int = AT_ONCE
) -> Iterator[Iterator[R]]:
    """What `bring` made of each thing and its number, in their order; `bring` runs in threads.
    Raises what it raised for the first of those that failed. None of them runs on behind it."""
    bringers = ThreadPoolExecutor(at_once, thread_name_prefix="bring")
    try:
        yield _each(bringers, things, bring)
    finally:
        bringers.shutdown(wait=True, cancel_futures=True)


def _each(
    bringers: ThreadPoolExecutor, things: Sequence[T], bring: Callable[[int, T], R]
) -> Iterator[R]:
    ahead: deque[Future[R]] = deque()
    for number, thing in enumerate(things):
        if len(ahead) == AHEAD_MAX:
            yield ahead.popleft().result()
        ahead.append(bringers.submit(bring, number, thing))
    while ahead:
        yield ahead.popleft().result()


def _name(part: Input) -> Hashable:
    return part.kind, part.number, part.file


def _by_name(inputs: Inputs) -> dict[Hashable, Fetch]:
    return {_name(part): part.fetch for part in inputs.parts}
