"""The loopback that ffmpeg reads: it serves one object, tells nothing, and forgets no failure."""

import contextlib
import http.client
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from tests.worker import reads, store
from tests.worker.clips import Clips
from tests.worker.reads import BODY
from worker import loopback, opening
from worker.ends import Halted, Reason, WorkFailed
from worker.halt import Halt
from worker.loopback import Loopback
from worker.prober import Prober
from worker.ranges import PAGE_BYTES
from worker.run import Bounds, Ending, Fate, run

BOUNDS = Bounds(seconds=60, memory_bytes=1 << 30, file_bytes=1 << 30)


@pytest.fixture
def halt() -> Halt:
    return Halt()


@pytest.fixture
def served(bucket: store.Store, halt: Halt, monkeypatch: pytest.MonkeyPatch) -> Iterator[Loopback]:
    monkeypatch.setattr("worker.reading.PAUSE_SECONDS", 0.01)
    bucket.objects["a"] = BODY
    with loopback.serving(reads.ranges(reads.held(bucket.url("a")), halt=halt)) as running:
        yield running


class Client:
    """One connection to it, kept open."""

    def __init__(self, served: Loopback) -> None:
        self.connection = http.client.HTTPConnection(*address(served), timeout=20)
        self.path = served.path

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def ask(
        self, span: str | None = None, *, method: str = "GET", path: str | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        headers = {} if span is None else {"Range": span}
        self.connection.request(method, path or self.path, headers=headers)
        answer = self.connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()


def address(served: Loopback) -> tuple[str, int]:
    host, _, port = served.url.removeprefix("http://").partition("/")[0].partition(":")
    return host, int(port)


@pytest.fixture
def client(served: Loopback) -> Iterator[Client]:
    with Client(served) as one:
        yield one


def refused(served: Loopback) -> None:
    """Who comes now is not served."""
    with Client(served) as late, pytest.raises((http.client.HTTPException, ConnectionError)):
        late.ask("bytes=0-0")


@pytest.mark.parametrize(
    ("span", "start", "end"),
    [
        ("bytes=0-", 0, len(BODY)),
        ("bytes=0-0", 0, 1),
        ("bytes=65535-65536", 65535, 65537),
        ("bytes=1000000-1999999", 1000000, 2000000),
        (f"bytes={len(BODY) - 1}-", len(BODY) - 1, len(BODY)),
        ("bytes=5-9999999999999", 5, len(BODY)),
        ("bytes=-7", len(BODY) - 7, len(BODY)),
        ("bytes=-9999999999999", 0, len(BODY)),
    ],
)
def test_a_range_is_served_as_it_is_asked_for(
    client: Client, span: str, start: int, end: int
) -> None:
    status, headers, body = client.ask(span)
    assert (status, body) == (206, BODY[start:end])
    assert headers["Content-Range"] == f"bytes {start}-{end - 1}/{len(BODY)}"


def test_without_a_range_all_is_served_and_of_a_head_the_size(client: Client) -> None:
    status, headers, body = client.ask(method="HEAD")
    assert (status, int(headers["Content-Length"]), body) == (200, len(BODY), b"")
    status, _, body = client.ask()
    assert (status, body) == (200, BODY)


def test_who_asks_for_one_answer_is_told_that_there_is_no_other(served: Loopback) -> None:
    with Client(served) as one:
        one.connection.request("GET", served.path, headers={"Connection": "close"})
        answer = one.connection.getresponse()
        assert answer.getheader("Connection") == "close"
        assert answer.read() == BODY
    with Client(served) as one:
        assert "Connection" not in one.ask("bytes=0-0")[1]


@pytest.mark.parametrize(
    "span",
    [
        f"bytes={len(BODY)}-",
        f"bytes={len(BODY)}-{len(BODY) + 5}",
        "bytes=5-4",
        "bytes=-0",
        "bytes=-",
        "bytes=",
        "bytes=a-b",
        "bytes=0-1,5-6",
        "bytes=-5-6",
        "bytes=0x10-",
        "bytes=\u0661-".encode().decode("latin-1"),
        "bytes=" + "9" * 40 + "-",
        "items=0-5",
        "0-5",
    ],
)
def test_a_range_that_is_none_is_refused_and_the_connection_goes_on(
    served: Loopback, client: Client, span: str
) -> None:
    status, headers, body = client.ask(span)
    assert (status, body) == (416, b"")
    assert headers["Content-Range"] == f"bytes */{len(BODY)}"
    assert client.ask("bytes=3-5")[2] == BODY[3:6]
    served.check()


def test_who_does_not_know_the_path_is_told_nothing(served: Loopback, bucket: store.Store) -> None:
    for path in ("/", "/a", served.path + "x", served.path[:-1], f"/..{served.path}"):
        with Client(served) as stranger:
            status, _, body = stranger.ask(path=path)
        assert status == 404
        assert store.SECRET.encode() not in body
    with Client(served) as stranger:
        assert stranger.ask(method="POST")[0] == 501
    assert bucket.seen == []
    served.check()


@pytest.mark.parametrize("garbage", [b"\0" * 99 + b"\n\n", b"GET\n\n", b"x" * 70_000, b"GET "])
def test_a_request_that_is_none_breaks_nothing(
    served: Loopback, client: Client, garbage: bytes
) -> None:
    with socket.create_connection(address(served), timeout=20) as raw:
        raw.sendall(garbage)
        raw.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionResetError):
            while raw.recv(1 << 16):
                pass
    assert client.ask("bytes=3-5")[2] == BODY[3:6]
    served.check()


def test_two_connections_read_each_on_its_own(served: Loopback, client: Client) -> None:
    middle, step = len(BODY) // 2, 100_000
    with Client(served) as other:
        for at in range(0, 1_000_000, step):
            assert client.ask(f"bytes={at}-{at + step - 1}")[2] == BODY[at : at + step]
            far = middle + at
            assert other.ask(f"bytes={far}-{far + step - 1}")[2] == BODY[far : far + step]
    toll = served.ranges.toll
    assert toll.bytes_read <= 2 * 2_000_000  # neither makes the other's reading a jump
    assert toll.gets <= 8


def test_connections_are_counted(served: Loopback) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(16):
            assert stack.enter_context(Client(served)).ask("bytes=0-0")[0] == 206
        refused(served)
    with pytest.raises(WorkFailed):
        served.check()  # who was not let in may believe that there is nothing


def test_what_cannot_be_read_ends_the_connection_short_and_is_remembered(
    served: Loopback, client: Client, bucket: store.Store
) -> None:
    assert client.ask("bytes=0-99")[0] == 206
    bucket.mischief += [store.answers(404)]
    with pytest.raises(http.client.IncompleteRead):
        client.ask("bytes=200000-999999")
    for _ in range(2):
        with pytest.raises(WorkFailed) as failure:
            served.check()
        assert failure.value.code == "source_missing"
    # Nor does it serve anything afterwards, not even what it has.
    refused(served)


def test_the_first_failure_is_the_one_that_is_told(served: Loopback, bucket: store.Store) -> None:
    served.remember(WorkFailed("source_replaced"))
    served.remember(WorkFailed("source_missing"))
    with pytest.raises(WorkFailed) as failure:
        served.check()
    assert failure.value.code == "source_replaced"


def test_a_fault_of_its_own_is_remembered_too(
    served: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> bytes:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr("worker.ranges.Reader.read", broken)
        patch.setattr(threading, "excepthook", lambda _: None)
        refused(served)
        served.close()
    with pytest.raises(WorkFailed) as failure:
        served.check()
    assert failure.value.code == "worker_failed"


def test_nothing_of_it_is_left(bucket: store.Store) -> None:
    bucket.objects["a"] = BODY
    with loopback.serving(reads.ranges(reads.held(bucket.url("a")))) as running:
        place = address(running)
        with Client(running) as client:
            client.ask("bytes=0-9")
            running.close()
    names = [thread.name for thread in threading.enumerate()]
    assert not [name for name in names if name.startswith("loopback")]
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(place, timeout=5)


def ffmpeg_reads(served: Loopback, ffmpeg: Path, folder: Path, halt: Halt) -> Ending:
    """All pictures, decoded."""
    opened = opening.of_loopback(served.url, served.check)
    argv = [str(ffmpeg), "-v", "error", "-nostdin", *opened.guard, "-i", opened.url]
    argv += ["-map", "0:v", "-f", "null", "-"]
    return run(argv, folder=folder, bounds=BOUNDS, halt=halt, on_line=lambda _: True)


@pytest.fixture
def film(served: Loopback, bucket: store.Store, made: Clips) -> bytes:
    """A transport stream: nothing in it says how long it is."""
    plain = made.plain("loopback.mp4", "-b:v", "4M", "-minrate", "4M", seconds=8)
    bucket.objects["a"] = made.make("loopback.ts", "-i", str(plain), "-c", "copy").read_bytes()
    return bucket.objects["a"]


def test_ffmpeg_reads_through_it_and_never_sees_a_drop(
    served: Loopback, bucket: store.Store, film: bytes, ffmpeg: Path, tmp_path: Path
) -> None:
    bucket.mischief += [reads.dropping(bucket, 3 * PAGE_BYTES), store.answers(503)] * 2
    ending = ffmpeg_reads(served, ffmpeg, tmp_path, Halt())
    assert (ending.fate, ending.tail) == (Fate.SUCCEEDED, ())
    served.check()
    assert served.ranges.toll.bytes_read < len(film) + (1 << 18)  # less than a block again


@pytest.mark.parametrize("rate", ["4M", "200k"])
@pytest.mark.parametrize("more", [(), ("-timecode", "10:00:00:00")])
def test_ffmpeg_may_look_at_the_end_and_at_the_beginning_again(
    served: Loopback,
    bucket: store.Store,
    made: Clips,
    ffmpeg: Path,
    tmp_path: Path,
    rate: str,
    more: tuple[str, ...],
) -> None:
    """As for a time code, which is a frame of a track: it waited for bytes that nobody had."""
    options = ("-b:v", rate, "-minrate", rate, "-maxrate", rate, "-bufsize", rate)
    path = made.plain(f"end-{rate}-{len(more)}.mp4", *options, *more, seconds=3)
    bucket.objects["a"] = path.read_bytes()
    ending = ffmpeg_reads(served, ffmpeg, tmp_path, Halt())
    assert (ending.fate, ending.tail) == (Fate.SUCCEEDED, ())
    served.check()


def test_who_reads_on_through_another_connection_makes_no_jump(served: Loopback) -> None:
    step = 256 << 10
    for at in range(0, len(BODY) - step, step):
        with Client(served) as one:
            assert one.ask(f"bytes={at}-{at + step - 1}")[2] == BODY[at : at + step]
    assert served.ranges.toll.gets <= 6


def test_a_source_that_ends_in_the_middle_passes_for_no_film(
    served: Loopback, bucket: store.Store, film: bytes, ffmpeg: Path, tmp_path: Path
) -> None:
    """Whatever ffmpeg says of it."""

    def gone(handler: BaseHTTPRequestHandler, seen: store.Seen) -> bool:
        if reads.span(seen, len(film))[0] < len(film) // 2:
            return False
        store.cut(handler)
        bucket.mischief.insert(0, gone)
        return True

    bucket.mischief += [gone]
    ffmpeg_reads(served, ffmpeg, tmp_path, Halt())
    with pytest.raises(WorkFailed) as failure:
        served.check()
    assert failure.value.code == "source_unreadable"


def test_a_source_that_is_overwritten_while_ffmpeg_reads_is_replaced(
    served: Loopback, bucket: store.Store, film: bytes, ffmpeg: Path, tmp_path: Path
) -> None:
    def overwrite(handler: BaseHTTPRequestHandler, seen: store.Seen) -> bool:
        if reads.span(seen, len(film))[0] < len(film) // 2:
            return False
        bucket.objects["a"] = film[::-1]
        return False

    bucket.mischief += [overwrite]
    ffmpeg_reads(served, ffmpeg, tmp_path, Halt())
    with pytest.raises(WorkFailed) as failure:
        served.check()
    assert failure.value.code == "source_replaced"


def test_a_halt_ends_ffmpeg_and_the_reading(
    served: Loopback, bucket: store.Store, film: bytes, ffmpeg: Path, tmp_path: Path, halt: Halt
) -> None:
    def stuck(handler: BaseHTTPRequestHandler, seen: store.Seen) -> bool:
        halt.set(Reason.SIGNAL)
        handler.connection.recv(1)  # until somebody hangs up
        return True

    bucket.mischief += [stuck]
    with pytest.raises(Halted):
        ffmpeg_reads(served, ffmpeg, tmp_path, halt)
    served.close()
    with pytest.raises(Halted):
        served.check()


def test_what_was_missed_is_told_instead_of_ffprobes_words(
    served: Loopback, bucket: store.Store, film: bytes, ffprobe: Path, tmp_path: Path
) -> None:
    bucket.mischief += [store.answers(403, b"<Error><Code>AccessDenied</Code></Error>")]
    opened = opening.of_loopback(served.url, served.check)
    with pytest.raises(WorkFailed) as failure:
        Prober(str(ffprobe)).look(opened, folder=tmp_path, halt=Halt())
    assert failure.value.code == "source_refused"


def test_no_path_of_it_gets_into_what_a_job_is_told(
    served: Loopback, bucket: store.Store, ffprobe: Path, tmp_path: Path
) -> None:
    bucket.objects["a"] = b"no film" * 1000
    opened = opening.of_loopback(served.url, served.check)
    with pytest.raises(WorkFailed) as failure:
        Prober(str(ffprobe)).look(opened, folder=tmp_path, halt=Halt())
    assert failure.value.code == "not_media"
    assert "127.0.0.1" not in failure.value.detail
    assert served.path.strip("/") not in failure.value.detail
