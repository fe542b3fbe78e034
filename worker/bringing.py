"""Brings what a finish joins: several files at once, handed on in order, none of them kept.

Why at once: ten thousand small files, one after another, are ten thousand times a storage's answer
time. Why in order, and few ahead: the disk holds what is joined and the result, not all parts too.
It must never read by a dead URL while a living one is there: a long join outlives its first list.
"""

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from mayfly.contract import wire
from mayfly.contract.task import Fetch, Input, read_inputs
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


class Listed:
    """The parts as they were first listed; and where each is, by the newest list."""

    def __init__(self, room: Room) -> None:
        """Reads the list. Raises WorkFailed, Halted."""
        self._room = room
        self._reading = threading.Lock()
        self._read_by = self._granted()
        self.parts = self._read()
        self._fetches = _by_name(self.parts)

    def where(self, part: Input) -> Fetch:
        """Asked at every try. Raises WorkFailed, Halted."""
        if self._granted() is not self._read_by:
            with self._reading:
                granted = self._granted()
                if granted is not self._read_by:  # nobody else has read it meanwhile
                    self._fetches = {**self._fetches, **_by_name(self._read())}
                    self._read_by = granted
        return self._fetches.get(_name(part), part.fetch)

    def _granted(self) -> Fetch:
        granted = self._room.order.grants.inputs
        if granted is None:
            raise WorkFailed("worker_failed", "a finish without its inputs")
        return granted

    def _read(self) -> tuple[Input, ...]:
        try:
            path = self._room.fetch(self._granted, "in/inputs", None)
            return read_inputs(path.read_bytes()).parts
        except WorkFailed as failed:
            if failed.code not in _UNREADABLE:
                raise
            # It is no fault of the source's: whoever comes next finds a list of its own.
        except wire.Refusal:
            pass
        raise WorkFailed("worker_failed", "the list of parts cannot be read")


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


_Name = tuple[str, int, str]


def _name(part: Input) -> _Name:
    return part.kind, part.number, part.file


def _by_name(parts: Sequence[Input]) -> dict[_Name, Fetch]:
    return {_name(part): part.fetch for part in parts}
