"""Stores a ladder's segments while ffmpeg still makes the next ones.

Why: a segment is a fragment as it stands, and a file of fragments only grows at its end. What is
whole of it can be on its way long before the encode ends, and a slow link is then no stage of its
own. What is sent here is an offer and no more: nothing has been proven yet, so it counts only when
all is, and only where the file still has the very bytes that were sent. The rest is stored then.

It must never hold an encode up or fail it: whatever goes wrong here, goes right or wrong at the
end. Nor may it run on behind its attempt, or while somebody else stores under the same names.
"""

import contextlib
import dataclasses
import hashlib
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from worker import boxes
from worker.deliver import Stored
from worker.ends import Halted, Reason, WorkFailed
from worker.halt import Halt
from worker.pieces import Span

_LOG = logging.getLogger("mayfly.worker")

#: Fewer than at the end: the source comes through the same link, and the encode waits for that.
_AT_ONCE = 4
#: A segment lasts for seconds.
_LOOK_SECONDS = 0.2
_BLOCK_BYTES = 1 << 20
#: What another try may change; after anything else none is made before the end.
_TRANSIENT = "delivery_failed"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """One file of fragments that ffmpeg writes."""

    path: Path
    #: Under which name its beginning is stored (0), and each fragment (from 1 on).
    named: Callable[[int], str]


class Sent:
    """What is stored already."""

    def __init__(self) -> None:
        self._sent: dict[str, tuple[Span, Stored]] = {}

    def add(self, span: Span, stored: Stored) -> None:
        """From any thread."""
        self._sent[span.file] = span, stored

    def stored(self, span: Span) -> Stored | None:
        """What was sent of it, when the file still has just these bytes there."""
        sent, stored = self._sent.get(span.file, (None, None))
        if stored is None or sent != span:
            return None
        found = hashlib.sha256()
        for block in span.blocks(_BLOCK_BYTES):
            found.update(block)
        return stored if found.hexdigest() == stored.sha256 else None

    @property
    def count(self) -> int:
        """How many files."""
        return len(self._sent)


@contextlib.contextmanager
def sending(
    tracks: Sequence[Track], storing: Callable[[Halt], Callable[[Span], Stored]], halt: Halt
) -> Iterator[Sent]:
    """While inside, what is whole of the tracks is stored, by what `storing` makes of a halt. On
    the way out what is under way is waited for, and after a failure cut off. Raises Halted."""
    sent, own = Sent(), Halt()
    if not tracks:
        yield sent
        return
    watch = _Watch(tracks, storing(own), own, sent)
    with halt.ending(lambda: own.set(halt.reason or Reason.ORDERED)):
        watch.start()
        try:
            yield sent
        except BaseException:
            own.set(Reason.ORDERED)  # nobody asks why
            raise
        finally:
            watch.end()
    _LOG.info("%d files of the ladder were stored before the encode had ended.", sent.count)


class _Watch:
    """The thread that looks, and those that send."""

    def __init__(
        self, tracks: Sequence[Track], store: Callable[[Span], Stored], halt: Halt, sent: Sent
    ) -> None:
        self._places = [_Place(track) for track in tracks]
        self._store = store
        self._halt = halt
        self._sent = sent
        self._over = threading.Event()
        self._refused = False
        self._thread = threading.Thread(target=self._run, name="early", daemon=True)

    def start(self) -> None:
        """Looks from now on."""
        self._thread.start()

    def end(self) -> None:
        """Begins nothing more, and waits for what is under way."""
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        senders = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="early")
        try:
            while not self._over.wait(_LOOK_SECONDS) and not self._useless():
                for place in self._places:
                    for span in place.new():
                        senders.submit(self._send, span)
        finally:
            senders.shutdown(wait=True, cancel_futures=True)

    def _useless(self) -> bool:
        return self._refused or self._halt.reason is not None

    def _send(self, span: Span) -> None:
        if self._useless():
            return
        try:
            self._sent.add(span, self._store(span))
        except WorkFailed as failed:
            self._refused = self._refused or failed.code != _TRANSIENT
        except Halted:
            self._refused = True
        except OSError:
            return  # the file: who reads it next says so


class _Place:
    """How far a file was seen."""

    def __init__(self, track: Track) -> None:
        self._track = track
        self._count = 0
        self._at = 0

    def new(self) -> list[Span]:
        """What has become whole since."""
        found = []
        for span in self._grown():
            file = self._track.named(self._count)
            found.append(Span(path=self._track.path, file=file, start=span.start, size=span.size))
            self._at = span.start + span.size
            self._count += 1
        return found

    def _grown(self) -> list[boxes.Span]:
        try:
            with self._track.path.open("rb") as file:
                return boxes.grown(file, self._at, self._track.path.stat().st_size)
        except OSError:
            return []  # ffmpeg has not made it yet
