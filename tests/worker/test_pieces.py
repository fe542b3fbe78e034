"""Outputs that one POST cannot carry, against a storage that misbehaves."""

import hashlib
import itertools
import threading
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from mayfly.contract.report import Piece
from mayfly.contract.task import Fetch, PutUrls
from mayfly.core import limits
from tests.worker import store
from tests.worker.test_deliver import BODY, MEDIA, deliverer, form
from worker.deliver import Deliverer
from worker.ends import Halted, Reason, WorkFailed
from worker.halt import Halt

PIECE_BYTES = 300_000
KEY = "work/job/encode/n0nce/video.mp4"


@pytest.fixture
def output(tmp_path: Path) -> Path:
    path = tmp_path / "video.mp4"
    path.write_bytes(BODY)
    return path


def large(bucket: store.Store, halt: Halt | None = None, **changed: int) -> Deliverer:
    """Whose form carries no more than a piece."""
    allowed = {"size_bytes_max": PIECE_BYTES, "output_bytes_max": 10**9} | changed
    return deliverer(form(bucket, **allowed), halt, joined=True, piece_bytes=PIECE_BYTES)


def test_what_a_form_cannot_carry_is_stored_in_pieces(bucket: store.Store, output: Path) -> None:
    stored = large(bucket).deliver(output, MEDIA)
    cut = [BODY[start : start + PIECE_BYTES] for start in range(0, len(BODY), PIECE_BYTES)]
    assert [bucket.objects[f"{KEY}.part-{n:05d}"] for n in range(1, len(cut) + 1)] == cut
    assert stored.pieces == tuple(
        Piece(size_bytes=len(one), sha256=hashlib.sha256(one).hexdigest()) for one in cut
    )
    assert (stored.key, stored.size_bytes) == (KEY, len(BODY))
    assert stored.sha256 == hashlib.sha256(BODY).hexdigest()
    assert KEY not in bucket.objects
    assert bucket.count("POST") == len(cut) == 7


def test_what_a_form_can_carry_is_one_object(bucket: store.Store, output: Path) -> None:
    stored = large(bucket, size_bytes_max=len(BODY)).deliver(output, MEDIA)
    assert (stored.pieces, bucket.objects[KEY]) == ((), BODY)


def test_a_piece_that_breaks_off_is_sent_again_and_no_other(
    bucket: store.Store, output: Path
) -> None:
    asked = itertools.count()

    def twice(handler: BaseHTTPRequestHandler, seen: store.Seen) -> bool:
        """The first is put off, the second cut off, whichever pieces these are."""
        number = next(asked)
        if number == 0:
            return store.answers(503)(handler, seen)
        if number == 1:
            handler.rfile.read(1000)
            store.cut(handler)
        return number < 2

    bucket.mischief += [twice] * 4
    stored = large(bucket).deliver(output, MEDIA)
    assert sum(piece.size_bytes for piece in stored.pieces) == len(BODY)
    assert bucket.count("POST") == 9
    keys = sorted(bucket.objects)
    assert b"".join(bucket.objects[key] for key in keys) == BODY


def test_no_more_than_a_few_are_sent_at_once(bucket: store.Store, output: Path) -> None:
    """All of the first few arrive before any is answered, and none of the others does."""
    together = threading.Barrier(limits.PIECES_AT_ONCE)
    under_way, most = [0], [0]
    counting = threading.Lock()

    def meet(handler: BaseHTTPRequestHandler, seen: store.Seen) -> bool:
        with counting:
            under_way[0] += 1
            most[0] = max(most[0], under_way[0])
        if len(bucket.seen) <= limits.PIECES_AT_ONCE:
            together.wait(timeout=10)
        with counting:
            under_way[0] -= 1
        return False

    bucket.mischief = [meet]
    large(bucket).deliver(output, MEDIA)
    assert most == [limits.PIECES_AT_ONCE]


def test_a_refusal_of_one_ends_all(bucket: store.Store, output: Path) -> None:
    refusal = b"<Error><Code>AccessDenied</Code></Error>"
    bucket.mischief += [store.answers(403, refusal)] * 7
    with pytest.raises(WorkFailed) as failed:
        large(bucket).deliver(output, MEDIA)
    assert failed.value.code == "delivery_refused"
    assert not bucket.objects
    assert bucket.count("POST") <= limits.PIECES_AT_ONCE


def test_a_halt_ends_all_at_once(bucket: store.Store, output: Path) -> None:
    halt, wait = Halt(), threading.Event()

    def never(handler: BaseHTTPRequestHandler, seen: store.Seen) -> bool:
        if len(bucket.seen) == limits.PIECES_AT_ONCE:
            halt.set(Reason.SIGNAL)
        return wait.wait(timeout=30)

    bucket.mischief += [never] * 7
    try:
        with pytest.raises(Halted):
            large(bucket, halt).deliver(output, MEDIA)
    finally:
        wait.set()
    assert not bucket.objects


@pytest.mark.parametrize("output_bytes_max", [0, len(BODY) - 1])
def test_what_nobody_would_join_is_refused_before_a_byte_is_sent(
    bucket: store.Store, output: Path, output_bytes_max: int
) -> None:
    with pytest.raises(WorkFailed) as failed:
        large(bucket, output_bytes_max=output_bytes_max).deliver(output, MEDIA)
    assert (failed.value.code, bucket.seen) == ("output_limit", [])
    unjoined = form(bucket, size_bytes_max=PIECE_BYTES, output_bytes_max=10**9)
    with pytest.raises(WorkFailed):
        deliverer(unjoined).deliver(output, MEDIA)


def test_a_users_url_carries_what_one_put_carries(bucket: store.Store, tmp_path: Path) -> None:
    """A sparse file takes no room."""
    path = tmp_path / "video.mp4"
    with path.open("wb") as file:
        file.truncate(limits.POST_BYTES_MAX + 1)
    urls = PutUrls(urls={"video.mp4": Fetch(url=bucket.url("mine.mp4"))})
    with pytest.raises(WorkFailed) as failed:
        deliverer(urls, joined=True).deliver(path, MEDIA)
    assert (failed.value.code, bucket.seen) == ("output_limit", [])
