"""Segments are stored while ffmpeg still makes the next ones, and nothing else becomes of it."""

import io
import itertools
import queue
import re
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from mayfly.contract import report
from mayfly.core import ladders
from tests.worker import store
from tests.worker.climbing import LADDER, SOUND, X264
from tests.worker.clips import Clips
from tests.worker.conftest import Rig
from tests.worker.cutting import Film
from tests.worker.test_deliver import deliverer, form
from worker import boxes, early, ranges
from worker.deliver import Stored
from worker.early import Track
from worker.ends import Halted, Reason, WorkFailed
from worker.halt import Halt
from worker.pieces import Span


def box(kind: bytes, body: bytes = b"") -> bytes:
    return struct.pack(">I4s", 8 + len(body), kind) + body


BEGINNING = box(b"ftyp", b"cmfc") + box(b"moov", bytes(90))
FRAGMENTS = [box(b"moof", bytes(9 + n)) + box(b"mdat", bytes([n]) * (50 + n)) for n in range(3)]
FILE = BEGINNING + b"".join(FRAGMENTS)


# --- What is whole ----------------------------------------------------------------------------


def test_of_a_growing_file_just_what_is_whole_is_seen() -> None:
    ends = list(itertools.accumulate(map(len, [BEGINNING, *FRAGMENTS])))
    for size in range(len(FILE) + 1):
        found = boxes.grown(io.BytesIO(FILE[:size]), 0, size)
        assert [one.start + one.size for one in found] == [end for end in ends if end <= size]


def test_it_goes_on_where_it_was(tmp_path: Path) -> None:
    path, at, found = tmp_path / "v0.mp4", 0, []
    for size in range(0, len(FILE) + 1, 7):
        new = boxes.grown(io.BytesIO(FILE[:size]), at, size)
        at = new[-1].start + new[-1].size if new else at
        found += new
    found += boxes.grown(io.BytesIO(FILE), at, len(FILE))
    path.write_bytes(FILE)
    beginning, fragments = boxes.spans(path)
    assert found == [beginning, *fragments]


@pytest.mark.parametrize(
    "strange",
    [
        box(b"free", bytes(9)) + FRAGMENTS[0],
        FRAGMENTS[0],
        BEGINNING[:12] + box(b"mdat", bytes(9)),
        struct.pack(">I4s", 0, b"ftyp") + bytes(90),
        struct.pack(">I4sQ", 1, b"ftyp", 1 << 63) + bytes(90),
    ],
)
def test_anything_else_is_left_to_the_end(strange: bytes) -> None:
    assert boxes.grown(io.BytesIO(strange), 0, len(strange)) == []
    grown = boxes.grown(io.BytesIO(BEGINNING + strange), 0, len(BEGINNING + strange))
    assert [one.start for one in grown[:1]] == [0]
    assert all(one.start < len(BEGINNING + FRAGMENTS[0]) for one in grown)


# --- What is sent -----------------------------------------------------------------------------


class Growing:
    """A file that somebody writes, and a storage."""

    def __init__(self, bucket: store.Store, folder: Path) -> None:
        self.bucket = bucket
        self.path = folder / "v0.mp4"
        self.halt = Halt()
        #: Every try that has ended, by file.
        self.tried: queue.Queue[str] = queue.Queue()

    def write(self, content: bytes) -> None:
        with self.path.open("ab") as file:
            file.write(content)

    def storing(self, halt: Halt) -> Callable[[Span], Stored]:
        real = deliverer(form(self.bucket), halt, tries_max=1)

        def act(span: Span) -> Stored:
            try:
                return real.store(span)
            finally:
                self.tried.put(span.file)

        return act

    def sending(self, *paths: Path) -> AbstractContextManager[early.Sent]:
        tracks = [Track(path=path, named=lambda n: f"v0/{n}") for path in (paths or (self.path,))]
        return early.sending(tracks, self.storing, self.halt)

    def span(self, number: int) -> Span:
        whole = boxes.grown(io.BytesIO(FILE), 0, len(FILE))[number]
        return Span(path=self.path, file=f"v0/{number}", start=whole.start, size=whole.size)

    def next(self) -> str:
        return self.tried.get(timeout=30)

    def stored(self) -> dict[str, bytes]:
        return {key[-4:]: content for key, content in self.bucket.objects.items()}


@pytest.fixture
def growing(bucket: store.Store, tmp_path: Path) -> Iterator[Growing]:
    yield Growing(bucket, tmp_path)
    assert not [one for one in threading.enumerate() if one.name.startswith("early")]


def test_each_fragment_is_sent_as_soon_as_it_is_whole(growing: Growing) -> None:
    with growing.sending() as sent:
        growing.write(BEGINNING + FRAGMENTS[0][:-1])
        assert growing.next() == "v0/0"
        assert growing.stored() == {"v0/0": BEGINNING}
        growing.write(FRAGMENTS[0][-1:])
        assert growing.next() == "v0/1"
    growing.write(FRAGMENTS[1])
    assert growing.stored() == {"v0/0": BEGINNING, "v0/1": FRAGMENTS[0]}
    assert [sent.stored(growing.span(n)) is not None for n in range(3)] == [True, True, False]


def test_what_was_written_anew_counts_for_nothing(growing: Growing) -> None:
    with growing.sending() as sent:
        growing.write(FILE)
        assert sorted(growing.next() for _ in range(4)) == ["v0/0", "v0/1", "v0/2", "v0/3"]
    span = growing.span(2)
    assert sent.stored(span) is not None
    assert sent.stored(Span(path=span.path, file=span.file, start=0, size=span.size)) is None
    shorter = Span(path=span.path, file=span.file, start=span.start, size=span.size - 1)
    assert sent.stored(shorter) is None
    with growing.path.open("r+b") as file:
        file.seek(span.start + span.size - 1)
        file.write(b"\xff")
    assert sent.stored(span) is None
    assert sent.stored(growing.span(1)) is not None


def test_one_that_could_not_be_sent_is_left_and_the_next_is_sent(growing: Growing) -> None:
    growing.bucket.mischief += [store.answers(503)]
    with growing.sending() as sent:
        growing.write(BEGINNING)
        assert growing.next() == "v0/0"
        growing.write(FRAGMENTS[0])
        assert growing.next() == "v0/1"
    assert sent.stored(growing.span(0)) is None
    assert sent.stored(growing.span(1)) is not None
    assert growing.bucket.count("POST") == 2


def test_after_a_refusal_nothing_is_sent_before_the_end(growing: Growing) -> None:
    growing.bucket.mischief += [store.answers(403, b"<Error><Code>AccessDenied</Code></Error>")]
    with growing.sending() as sent:
        growing.write(BEGINNING)
        assert growing.next() == "v0/0"
        growing.write(FRAGMENTS[0])
    assert (sent.count, growing.bucket.count("POST")) == (0, 1)


def test_a_file_that_is_not_there_is_no_failure(growing: Growing) -> None:
    with growing.sending(growing.path.with_name("other.mp4"), growing.path) as sent:
        growing.write(BEGINNING)
        assert growing.next() == "v0/0"
    assert sent.count == 1


def stuck(begun: threading.Event) -> store.Mischief:
    """Takes a request and never answers, until the client goes away."""

    def act(handler: BaseHTTPRequestHandler, seen: store.Seen) -> bool:
        begun.set()
        while handler.rfile.read1(1 << 16):
            pass
        handler.close_connection = True
        return True

    return act


def test_a_halt_cuts_off_what_is_under_way(growing: Growing) -> None:
    begun = threading.Event()
    growing.bucket.mischief += [stuck(begun)]
    with growing.sending() as sent:
        growing.write(BEGINNING)
        assert begun.wait(30)
        growing.halt.set(Reason.SIGNAL)
        assert growing.next() == "v0/0"
    assert sent.count == 0
    with pytest.raises(Halted), growing.sending():
        raise AssertionError


def test_a_failed_encode_does_not_wait_for_what_is_under_way(growing: Growing) -> None:
    begun = threading.Event()
    growing.bucket.mischief += [stuck(begun)]
    with pytest.raises(WorkFailed), growing.sending():
        growing.write(BEGINNING)
        assert begun.wait(30)
        raise WorkFailed("source_broken")
    assert growing.bucket.objects == {}


# --- With ffmpeg ------------------------------------------------------------------------------

_NOISE = ("-f", "lavfi", "-i", "testsrc2=s=160x90:r=25:d=14,noise=alls=40:allf=t")


class Held:
    """A film of two chunks; the end of it is not handed out before something was stored, so ffmpeg
    cannot have ended by then."""

    def __init__(self, rig: Rig, source: bytes, patch: pytest.MonkeyPatch) -> None:
        patch.setattr(ranges, "_PAGES_MAX", 4)
        self.rig = rig
        self.film = Film(rig, source, LADDER, chunk_seconds=7)
        self.film.begin()
        self.part = self.film.part(self.film.plan.audio_tracks + 1)
        assert (self.part.kind, self.part.number) == ("chunk", 1)
        self.came = threading.Event()
        #: Of what was held back, whether something had been stored by then.
        self.in_time: list[bool] = []
        self.posts = 0
        self.from_byte = len(source) * 9 // 10

    def watch(self, handler: BaseHTTPRequestHandler, seen: store.Seen) -> bool:
        """Answers nothing itself."""
        if seen.method == "POST":
            self.posts += 1
            self.came.set()
        span = re.match(r"bytes=(\d+)-", seen.headers.get("Range", ""))
        if span and int(span[1]) > self.from_byte:
            self.in_time.append(self.came.wait(20))
        return False

    def run(self, *mischief: store.Mischief) -> dict[str, bytes]:
        """What the second chunk has stored, by file."""
        bucket, self.posts = self.rig.bucket, 0
        before = set(bucket.objects)
        bucket.mischief[:] = [self.both(*mischief)]
        self.last = self.film.do(self.part)
        bucket.mischief.clear()
        return {
            key.split("/", 4)[4]: content
            for key, content in bucket.objects.items()
            if key.startswith("work/job-1/chunk-00001/") and key not in before
        }

    def both(self, *mischief: store.Mischief) -> store.Mischief:
        left = list(mischief)

        def act(handler: BaseHTTPRequestHandler, seen: store.Seen) -> bool:
            self.watch(handler, seen)
            if seen.method == "POST" and left and left.pop(0)(handler, seen):
                self.rig.bucket.mischief.append(act)  # whatever answers is used up
                return True
            return False

        return act


@pytest.fixture
def held(rig: Rig, made: Clips, monkeypatch: pytest.MonkeyPatch) -> Iterator[Held]:
    path = made.make("held.mp4", *_NOISE, *SOUND, *X264, "-crf", "8", "-movflags", "+faststart")
    yield Held(rig, path.read_bytes(), monkeypatch)
    assert not [one for one in threading.enumerate() if one.name.startswith("early")]


@pytest.mark.worker
def test_segments_are_there_before_ffmpeg_has_read_the_source(
    held: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = held.run()
    assert isinstance(held.last, report.Encoded), held.last
    assert held.in_time and all(held.in_time)
    assert len(stored) > 2 * 4
    assert held.posts == len(stored)
    monkeypatch.setattr("worker.ladder.growing", lambda *_: [])
    assert held.run() == stored


@pytest.mark.worker
def test_one_that_failed_early_is_sent_again_at_the_end(held: Held) -> None:
    stored = held.run()
    again = held.run(store.answers(503), store.answers(500))
    assert isinstance(held.last, report.Encoded), held.last
    assert again == stored
    assert held.posts == len(stored) + 2


@pytest.mark.worker
def test_a_halt_in_the_middle_ends_the_attempt_and_nothing_is_reported(held: Held) -> None:
    def halt(handler: BaseHTTPRequestHandler, seen: store.Seen) -> bool:
        held.rig.stop.ask(at_once=True)
        return stuck(threading.Event())(handler, seen)

    stored = held.run(halt)
    assert isinstance(held.last, report.Interrupted), held.last
    assert ladders.INDEX not in stored
