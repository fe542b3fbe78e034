"""A file too large for one POST, as pieces that are stored side by side.

Why not a multipart upload: its rights would be the worker's, and what a Spot kill leaves unfinished
is billed and listed nowhere. A piece is an object like any other, under the attempt's own prefix.
It must never send more at once than it was told: beside each other they share one disk and link.
"""

import dataclasses
import hashlib
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mayfly.contract.report import Piece
from mayfly.core import limits

_BLOCK_BYTES = 1 << 20


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A stretch of a file on disk, and the name under which it is stored."""

    path: Path
    file: str
    start: int
    size: int
    #: Of a piece, counted from 1; 0 is no piece.
    number: int = 0

    @property
    def name(self) -> str:
        """What a failure calls it."""
        return f"piece {self.number} of {self.file}" if self.number else self.file

    def blocks(self, block_bytes: int) -> Iterator[bytes]:
        """Its bytes, in order; fewer when the file has become shorter."""
        left = self.size
        with self.path.open("rb") as file:
            file.seek(self.start)
            while left and (block := file.read(min(block_bytes, left))):
                left -= len(block)
                yield block


def all_of(path: Path, file: str) -> Span:
    """All of a file."""
    return Span(path=path, file=file, start=0, size=path.stat().st_size)


def cut(path: Path, size: int, piece_bytes: int) -> list[Span]:
    """All of a file in pieces of one size; the last is what is left."""
    return [
        Span(
            path=path,
            file=path.name,
            start=start,
            size=min(piece_bytes, size - start),
            number=number,
        )
        for number, start in enumerate(range(0, size, piece_bytes), start=1)
    ]


def send(
    path: Path, spans: Sequence[Span], store: Callable[[Span], str]
) -> tuple[tuple[Piece, ...], str]:
    """Stores each; `store` answers with its SHA-256. Answers with these and with that of the whole
    file. Raises what `store` raises, once those under way have ended; no other is begun."""
    over = threading.Event()

    def sent(span: Span) -> str:
        # A pool hears too late of a failure: its threads would have begun others by then.
        if over.is_set():
            return ""
        try:
            return store(span)
        except BaseException:
            over.set()
            raise

    # The digest has a thread of its own: once through, it would take pieces too.
    with _threads("digest", 1) as beside, _threads("piece", limits.PIECES_AT_ONCE) as senders:
        whole = beside.submit(_digest, path, over)
        digests = list(senders.map(sent, spans))
    pieces = zip(spans, digests, strict=True)
    return tuple(Piece(size_bytes=s.size, sha256=d) for s, d in pieces), whole.result()


def _threads(name: str, count: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(count, thread_name_prefix=name)


def _digest(path: Path, over: threading.Event) -> str:
    """As far as it has come when nobody needs it any more."""
    found = hashlib.sha256()
    for block in all_of(path, path.name).blocks(_BLOCK_BYTES):
        if over.is_set():
            break
        found.update(block)
    return found.hexdigest()
