"""Reading by ranges, against a storage that misbehaves."""

import itertools
import threading
from http.server import BaseHTTPRequestHandler

import pytest

from mayfly.contract.task import Fetch, Grants, PutUrls
from tests.worker import reads, store
from tests.worker.reads import BODY
from worker import ranges
from worker.ends import Halted, Reason, WorkFailed
from worker.halt import Halt
from worker.http import HostRule
from worker.ranges import PAGE_BYTES, Ranges, Reader

FIRST_BLOCK = 256 << 10


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.reading.PAUSE_SECONDS", 0.01)


@pytest.fixture
def stored(bucket: store.Store) -> store.Store:
    bucket.objects["a"] = BODY
    return bucket


def opened(bucket: store.Store, **changed: object) -> Ranges:
    return reads.ranges(reads.held(bucket.url("a")), **changed)


def all_from(reader: Reader, at: int = 0) -> bytes:
    read = b""
    while piece := reader.read(at + len(read)):
        read += piece
    return read


def asked(bucket: store.Store) -> list[tuple[int, int]]:
    return [reads.span(seen, len(BODY)) for seen in bucket.seen]


def failed(read: Ranges, at: int = 0) -> WorkFailed:
    with pytest.raises(WorkFailed) as failure:
        all_from(Reader(read), at)
    assert store.SECRET not in repr(failure.value)
    return failure.value


@pytest.mark.parametrize("at", [0, 1, PAGE_BYTES, 3 * PAGE_BYTES - 1, len(BODY) - 1, len(BODY)])
def test_what_is_read_is_what_is_stored(stored: store.Store, at: int) -> None:
    assert all_from(Reader(opened(stored)), at) == BODY[at:]


def test_who_reads_on_gets_blocks_as_large_as_what_was_read_in_a_row(stored: store.Store) -> None:
    read = opened(stored)
    all_from(Reader(read))
    blocks = [(end - start) >> 10 for start, end in asked(stored)]
    assert blocks == [256, 256, 512, 1024, 544]
    assert (read.toll.gets, read.toll.bytes_read) == (5, len(BODY))


def test_a_block_has_an_end(stored: store.Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranges, "_PAGES_MAX", 6)
    all_from(Reader(opened(stored)))
    assert max(end - start for start, end in asked(stored)) == 6 * PAGE_BYTES


def test_a_jump_reads_little(stored: store.Store) -> None:
    reader = Reader(opened(stored))
    for at in (0, 2_000_000, 1_000_000):
        reader.read(at)
    assert [end - start for start, end in asked(stored)] == [FIRST_BLOCK] * 3


def test_hopping_between_a_table_and_its_data_reads_nothing_twice(stored: store.Store) -> None:
    read = opened(stored)
    reader = Reader(read)
    for at in range(0, 900_000, 50_000):
        assert reader.read(2_300_000 + at // 100)
        assert reader.read(at)
    assert read.toll.bytes_read <= 900_000 + 3 * FIRST_BLOCK
    spans = sorted(asked(stored))
    assert all(end <= start for (_, end), (start, _) in itertools.pairwise(spans))


def test_to_skip_a_little_is_to_read_on(stored: store.Store) -> None:
    """As over the sound, which a chunk does not need."""
    read = opened(stored)
    reader = Reader(read)
    for at in range(0, len(BODY), 200_000):
        assert reader.read(at)
    assert read.toll.gets <= 6


def holding(
    bucket: store.Store, pages: int, go_on: threading.Event, hung_up: threading.Event
) -> store.Mischief:
    """Sends so many pages of a block, the others when it may, and sees whether one hangs up."""

    def act(handler: BaseHTTPRequestHandler, seen: store.Seen) -> bool:
        start, end = reads.span(seen, len(BODY))
        handler.send_response(206)
        handler.send_header("ETag", bucket.etag("a"))
        handler.send_header("Content-Length", str(end - start))
        handler.send_header("Content-Range", f"bytes {start}-{end - 1}/{len(BODY)}")
        handler.end_headers()
        middle = start + pages * PAGE_BYTES
        handler.wfile.write(BODY[start:middle])
        if go_on.wait(10):
            handler.wfile.write(BODY[middle:end])
        elif not handler.connection.recv(1):
            hung_up.set()
        return True

    return act


def test_a_page_is_handed_out_while_those_behind_it_are_on_their_way(stored: store.Store) -> None:
    go_on = threading.Event()
    stored.mischief += [holding(stored, 1, go_on, threading.Event())]
    reader = Reader(opened(stored))
    assert reader.read(0) == BODY[:PAGE_BYTES]
    go_on.set()
    assert all_from(reader, PAGE_BYTES) == BODY[PAGE_BYTES:]


@pytest.mark.parametrize("jumps", [True, False])
def test_what_nobody_waits_for_any_more_is_cut_off(
    stored: store.Store, monkeypatch: pytest.MonkeyPatch, jumps: bool
) -> None:
    """Whether its reader jumped away or has gone."""
    hung_up = threading.Event()
    silent = threading.Event()
    monkeypatch.setattr(silent, "wait", lambda _: False)
    read = opened(stored)
    reader = Reader(read)
    large = 8 * PAGE_BYTES  # after as much in a row
    assert b"".join(reader.read(at) for at in range(0, large, PAGE_BYTES)) == BODY[:large]
    stored.mischief += [holding(stored, 1, silent, hung_up)]
    assert reader.read(large) == BODY[large : large + PAGE_BYTES]
    if jumps:
        assert reader.read(2_000_000) == BODY[2_000_000 : 31 * PAGE_BYTES]
    else:
        reader.close()
    assert hung_up.wait(10)
    assert all_from(Reader(read)) == BODY


def test_a_little_that_is_on_its_way_is_not_asked_for_again_after_a_jump(
    stored: store.Store,
) -> None:
    go_on = threading.Event()
    stored.mischief += [holding(stored, 1, go_on, threading.Event())]
    reader = Reader(opened(stored))
    reader.read(0)
    reader.read(2_000_000)
    go_on.set()
    assert reader.read(PAGE_BYTES) == BODY[PAGE_BYTES : 2 * PAGE_BYTES]
    assert len(stored.seen) == 2


def test_memory_is_bounded_and_what_was_let_go_is_read_again(
    stored: store.Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranges, "_PAGES_KEPT", 8)
    monkeypatch.setattr(ranges, "_PAGES_MAX", 4)
    read = opened(stored)
    assert all_from(Reader(read)) == all_from(Reader(read)) == BODY
    assert len(read._pages) == 8
    assert read.toll.bytes_read == 2 * len(BODY)


def test_as_many_bytes_are_kept_as_the_design_says() -> None:
    assert ranges._PAGES_KEPT * PAGE_BYTES == 64 << 20
    assert ranges._PAGES_MAX * PAGE_BYTES == 8 << 20
    assert ranges._PAGES_MIN * PAGE_BYTES == FIRST_BLOCK


def test_a_drop_is_resumed_where_it_broke_and_nobody_sees_it(
    stored: store.Store, quick: None
) -> None:
    stored.mischief += [
        reads.dropping(stored, 3 * PAGE_BYTES + 5),
        reads.dropping(stored, 0),
        store.answers(503),
        store.answers(429),
    ]
    assert all_from(Reader(opened(stored))) == BODY
    starts = [start // PAGE_BYTES for start, _ in asked(stored)[:5]]
    assert starts == [0, 3, 3, 3, 3]  # whole pages are kept, and progress counts anew


def test_one_version_is_pinned_though_nobody_signed_one(stored: store.Store) -> None:
    all_from(Reader(opened(stored)))
    first, *others = stored.seen
    assert "If-Match" not in first.headers
    assert {seen.headers["If-Match"] for seen in others} == {stored.etag("a")}


def test_a_signed_version_is_sent_as_it_was_signed(stored: store.Store) -> None:
    grants = reads.held(stored.url("a"), {"if-match": stored.etag("a")})
    all_from(Reader(reads.ranges(grants)))
    assert all(seen.headers["if-match"] == stored.etag("a") for seen in stored.seen)
    assert not any("If-Match" in seen.headers for seen in stored.seen)


def test_a_source_overwritten_between_two_reads_is_never_mixed(stored: store.Store) -> None:
    reader = Reader(opened(stored))
    assert reader.read(0) == BODY[:PAGE_BYTES]
    stored.objects["a"] = BODY[::-1]
    with pytest.raises(WorkFailed) as failure:
        all_from(reader, PAGE_BYTES)
    assert failure.value.code == "source_replaced"


def test_a_source_overwritten_while_a_block_is_on_its_way_is_never_mixed(
    stored: store.Store, quick: None
) -> None:
    old = stored.etag("a")
    drop = reads.dropping(stored, PAGE_BYTES, etag=old)

    def swap(handler: BaseHTTPRequestHandler, seen: store.Seen) -> bool:
        drop(handler, seen)
        stored.objects["a"] = BODY[::-1]
        return True

    stored.mischief += [swap]
    assert failed(opened(stored)).code == "source_replaced"


def test_a_storage_that_does_not_know_if_match_cannot_mix_either(stored: store.Store) -> None:
    reader = Reader(opened(stored))
    reader.read(0)
    other = reads.dropping(stored, len(BODY), etag='"another"')
    stored.mischief += [other]
    with pytest.raises(WorkFailed) as failure:
        reader.read(4 * PAGE_BYTES)
    assert failure.value.code == "source_replaced"


@pytest.mark.parametrize("size_bytes", [len(BODY) + 1, len(BODY) - 1])
def test_another_size_than_promised_is_another_source(stored: store.Store, size_bytes: int) -> None:
    assert failed(opened(stored, size_bytes=size_bytes)).code == "source_replaced"


def test_an_object_that_became_shorter_is_another_source(stored: store.Store) -> None:
    read = opened(stored, size_bytes=len(BODY))
    stored.objects["a"] = b"short"
    assert failed(read, 1_000_000).code == "source_replaced"


def test_an_empty_object_is_an_empty_source(stored: store.Store) -> None:
    stored.objects["a"] = b""
    assert failed(opened(stored)).code == "source_empty"


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (404, "source_missing"),
        (412, "source_replaced"),
        (403, "source_refused"),
        (400, "source_refused"),
        (307, "source_refused"),
        (200, "source_unreadable"),
    ],
)
def test_each_refusal_has_the_code_that_a_download_gives_it(
    stored: store.Store, status: int, code: str
) -> None:
    stored.mischief += [store.answers(status, b"", {"Location": stored.url("elsewhere")})]
    assert failed(opened(stored)).code == code
    assert len(stored.seen) == 1  # nothing was followed, nothing tried again


def test_a_range_that_begins_elsewhere_is_not_believed(stored: store.Store) -> None:
    headers = {"Content-Range": f"bytes 5-9/{len(BODY)}"}
    stored.mischief += [store.answers(206, b"12345", headers)]
    assert failed(opened(stored)).code == "source_unreadable"


def test_a_storage_that_always_breaks_off_never_passes_for_the_end(
    stored: store.Store, quick: None
) -> None:
    stored.mischief += [reads.dropping(stored, PAGE_BYTES - 1)] * 9
    failure = failed(opened(stored))
    assert (failure.code, len(stored.seen)) == ("source_unreadable", 5)


def test_an_answer_shorter_than_its_range_never_passes_for_the_end(
    stored: store.Store, quick: None
) -> None:
    def short(handler: BaseHTTPRequestHandler, seen: store.Seen) -> bool:
        start, end = reads.span(seen, len(BODY))
        said = {"Content-Range": f"bytes {start}-{end - 1}/{len(BODY)}", "ETag": stored.etag("a")}
        store.reply(handler, 206, BODY[start : start + 1000], said)
        return True

    stored.mischief += [short] * 9
    assert failed(opened(stored)).code == "source_unreadable"


@pytest.mark.parametrize("lives_seconds", [3600, -1])
def test_a_dead_signature_is_no_failure_of_the_source(
    stored: store.Store, lives_seconds: float
) -> None:
    said = b"<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"
    stored.mischief += [store.answers(403, said if lives_seconds > 0 else b"")]
    grants = reads.held(stored.url("a"), lives_seconds=lives_seconds)
    with pytest.raises(Halted) as halted:
        Reader(reads.ranges(grants)).read(0)
    assert halted.value.reason is Reason.GRANT_EXPIRED


def test_a_grant_renewed_between_two_tries_is_the_one_that_is_used(
    stored: store.Store, quick: None
) -> None:
    grants = reads.held(stored.url("a"))
    stored.objects["b"] = BODY
    fresh = Fetch(url=stored.url("a") + "&renewed")

    def renew(handler: BaseHTTPRequestHandler, seen: store.Seen) -> bool:
        ends = (grants.left_seconds() or 0) + 10**10
        upload, control = PutUrls(urls={}), fresh
        grants.renew(Grants(source=fresh, upload=upload, control=control, grants_end_at=ends))
        return reads.dropping(stored, PAGE_BYTES)(handler, seen)

    stored.mischief += [renew]
    assert all_from(Reader(reads.ranges(grants))) == BODY
    renewed = ["renewed" in seen.path for seen in stored.seen]
    assert renewed == [False, *[True] * (len(renewed) - 1)]


def test_only_named_hosts_are_asked() -> None:
    grants = reads.held("https://elsewhere.example/x?" + store.SECRET)
    assert failed(reads.ranges(grants, rule=HostRule((".amazonaws.com",)))).code == "source_refused"


def test_a_halt_ends_a_read_that_is_silent(stored: store.Store) -> None:
    halt = Halt()

    def stuck(handler: BaseHTTPRequestHandler, seen: store.Seen) -> bool:
        handler.send_response(206)
        handler.send_header("Content-Range", f"bytes 0-9/{len(BODY)}")
        handler.send_header("Content-Length", "10")
        handler.end_headers()
        handler.wfile.flush()
        halt.set(Reason.SIGNAL)  # as the signal's handler does while the worker waits
        handler.connection.recv(1)
        return True

    stored.mischief += [stuck]
    with pytest.raises(Halted):
        Reader(opened(stored, halt=halt)).read(0)


def test_a_halt_ends_a_pause(stored: store.Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.reading.PAUSE_SECONDS", 3600)
    halt = Halt()

    def busy(handler: BaseHTTPRequestHandler, seen: store.Seen) -> bool:
        halt.set(Reason.ORDERED)
        store.reply(handler, 503)
        return True

    stored.mischief += [busy]
    with pytest.raises(Halted):
        Reader(opened(stored, halt=halt)).read(0)
