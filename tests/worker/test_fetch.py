"""The download against a storage that misbehaves."""

from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from mayfly.contract.task import Fetch, PutUrls, Source, Task
from tests.worker import store
from tests.worker.conftest import WorkerClock, recipe
from worker.ends import Halted, Reason, WorkFailed
from worker.fetch import Fetcher
from worker.grants import HeldGrants
from worker.halt import Halt
from worker.http import HostRule

BODY = bytes(range(256)) * 20_000


def fetcher(url: str, headers: dict[str, str] | None = None, **changed: Any) -> Fetcher:
    clock = WorkerClock()
    task = Task(
        source=Source(fetch=Fetch(url=url, headers=headers or {})),
        recipe=recipe("mp4-720p"),
        upload=PutUrls(urls={}),
        grants_end_at=clock.now() + changed.pop("lives_seconds", 3600),
    )
    rule = HostRule(changed.pop("hosts", ("127.0.0.1",)))
    grants, halt = HeldGrants(task, clock), changed.pop("halt", Halt())
    return Fetcher(rule=rule, grants=grants, halt=halt, granted=lambda: grants.source)


def test_a_file_arrives_whole_with_exactly_the_signed_headers(
    bucket: store.Store, tmp_path: Path
) -> None:
    bucket.objects["a"] = BODY
    headers = {"if-match": bucket.etag("a")}
    assert fetcher(bucket.url("a"), headers).fetch(tmp_path / "f", len(BODY)) == len(BODY)
    assert (tmp_path / "f").read_bytes() == BODY
    assert bucket.seen[0].headers["if-match"] == bucket.etag("a")
    assert "Authorization" not in bucket.seen[0].headers


def dropping(after: int) -> store.Mischief:
    def act(handler: BaseHTTPRequestHandler, seen: store.Seen) -> bool:
        start = int(seen.headers.get("Range", "bytes=0-")[6:-1])
        rest = BODY[start:]
        handler.send_response(206 if start else 200)
        handler.send_header("ETag", '"v1"')
        handler.send_header("Content-Length", str(len(rest)))
        if start:
            handler.send_header("Content-Range", f"bytes {start}-{len(BODY) - 1}/{len(BODY)}")
        handler.end_headers()
        handler.wfile.write(rest[:after])
        store.cut(handler)
        return True

    return act


def test_a_download_that_drops_goes_on_where_it_broke(
    bucket: store.Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.objects["a"] = BODY
    monkeypatch.setattr(bucket, "etag", lambda _: '"v1"')
    bucket.mischief += [dropping(1_000_000), dropping(2_000_000)]
    fetcher(bucket.url("a")).fetch(tmp_path / "f", len(BODY))
    assert (tmp_path / "f").read_bytes() == BODY
    first, second, third = bucket.seen
    assert "Range" not in first.headers
    assert second.headers["Range"].startswith("bytes=")
    # Pinned to what was begun, though nobody signed a version.
    assert second.headers["If-Match"] == third.headers["If-Match"] == '"v1"'


def test_a_source_replaced_between_two_tries_is_never_mixed(
    bucket: store.Store, tmp_path: Path
) -> None:
    bucket.objects["a"] = BODY[::-1]
    bucket.mischief += [dropping(1_000_000)]
    with pytest.raises(WorkFailed) as failure:
        fetcher(bucket.url("a")).fetch(tmp_path / "f", len(BODY))
    assert failure.value.code == "source_replaced"


def test_another_size_than_promised_is_another_source(bucket: store.Store, tmp_path: Path) -> None:
    bucket.objects["a"] = BODY
    with pytest.raises(WorkFailed) as failure:
        fetcher(bucket.url("a")).fetch(tmp_path / "f", len(BODY) + 1)
    assert failure.value.code == "source_replaced"


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (404, b"", "source_missing"),
        (412, b"", "source_replaced"),
        (403, b"<Error><Code>SignatureDoesNotMatch</Code></Error>", "source_refused"),
        (400, b"", "source_refused"),
        (301, b"", "source_refused"),
        (307, b"", "source_refused"),
    ],
)
def test_each_refusal_has_its_code(
    bucket: store.Store, tmp_path: Path, status: int, body: bytes, code: str
) -> None:
    bucket.mischief += [store.answers(status, body, {"Location": bucket.url("elsewhere")})]
    with pytest.raises(WorkFailed) as failure:
        fetcher(bucket.url("a")).fetch(tmp_path / "f", None)
    assert failure.value.code == code
    assert len(bucket.seen) == 1  # nothing was followed, nothing tried again


@pytest.mark.parametrize("lives_seconds", [3600, -1])
def test_a_dead_signature_is_no_failure_of_the_source(
    bucket: store.Store, tmp_path: Path, lives_seconds: float
) -> None:
    said = b"<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"
    bucket.mischief += [store.answers(403, said if lives_seconds > 0 else b"")]
    with pytest.raises(Halted) as halted:
        fetcher(bucket.url("a"), lives_seconds=lives_seconds).fetch(tmp_path / "f", None)
    assert halted.value.reason is Reason.GRANT_EXPIRED


def test_a_storage_that_is_busy_is_asked_again(bucket: store.Store, tmp_path: Path) -> None:
    bucket.objects["a"] = BODY
    bucket.mischief += [store.answers(503), store.answers(429)]
    fetcher(bucket.url("a")).fetch(tmp_path / "f", len(BODY))
    assert (tmp_path / "f").read_bytes() == BODY


def test_a_storage_that_stays_broken_is_given_up(
    bucket: store.Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.reading.PAUSE_SECONDS", 0.01)
    bucket.mischief += [store.answers(500)] * 9
    with pytest.raises(WorkFailed) as failure:
        fetcher(bucket.url("a")).fetch(tmp_path / "f", None)
    assert failure.value.code == "source_unreadable"
    assert len(bucket.seen) == 5


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.170.2/v2/credentials/x?s3cret",
        "https://bucket.s3.amazonaws.com.evil.example/x?s3cret",
        "http://bucket.s3.amazonaws.com/x?s3cret",
        "https://user:s3cret@bucket.s3.amazonaws.com/x",
        "https://xamazonaws.com/x?s3cret",
        "https:///x?s3cret",
        "http://[::1/x?s3cret",
    ],
)
def test_only_named_hosts_over_https(tmp_path: Path, url: str) -> None:
    with pytest.raises(WorkFailed) as failure:
        fetcher(url, hosts=(".amazonaws.com",)).fetch(tmp_path / "f", None)
    assert failure.value.code == "source_refused"
    assert "s3cret" not in repr(failure.value)


def test_a_source_larger_than_the_disk_is_not_begun(bucket: store.Store, tmp_path: Path) -> None:
    with pytest.raises(WorkFailed) as failure:
        fetcher(bucket.url("a")).fetch(tmp_path / "f", 1 << 60)
    assert failure.value.code == "source_too_large"
    assert bucket.seen == []


def test_a_halt_ends_a_download_that_is_silent(bucket: store.Store, tmp_path: Path) -> None:
    halt = Halt()

    def stuck(handler: BaseHTTPRequestHandler, seen: store.Seen) -> bool:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        handler.wfile.write(b"x")
        handler.wfile.flush()
        halt.set(Reason.SIGNAL)  # as the signal's handler does while the worker waits
        handler.connection.recv(1)
        return True

    bucket.mischief += [stuck]
    with pytest.raises(Halted):
        fetcher(bucket.url("a"), halt=halt).fetch(tmp_path / "f", None)


def test_an_error_names_no_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.reading.PAUSE_SECONDS", 0.01)
    with pytest.raises(WorkFailed) as failure:
        fetcher(f"http://127.0.0.1:9/x?{store.SECRET}").fetch(tmp_path / "f", None)
    error: BaseException | None = failure.value
    while error is not None:
        assert store.SECRET not in repr(error)
        assert "127.0.0.1" not in str(error)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
