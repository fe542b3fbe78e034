"""Storing outputs, against a storage that misbehaves."""

import hashlib
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mayfly.contract.report import Media
from mayfly.contract.task import Fetch, PostForm, PutUrls, Source, Task, Upload
from tests.worker import store
from tests.worker.conftest import WorkerClock, recipe
from worker.deliver import Deliverer
from worker.ends import Halted, Reason, WorkFailed
from worker.grants import HeldGrants
from worker.halt import Halt
from worker.http import HostRule

MEDIA = Media(container="mov")
BODY = bytes(range(256)) * 8_000


@pytest.fixture
def output(tmp_path: Path) -> Path:
    path = tmp_path / "video.mp4"
    path.write_bytes(BODY)
    return path


def deliverer(
    upload: Upload, halt: Halt | None = None, lives_seconds: float = 3600, **more: Any
) -> Deliverer:
    clock = WorkerClock()
    task = Task(
        source=Source(fetch=Fetch(url="https://b.s3.amazonaws.com/x")),
        recipe=recipe("mp4-720p"),
        upload=upload,
        grants_end_at=clock.now() + lives_seconds,
    )
    return Deliverer(
        rule=HostRule(("127.0.0.1",)),
        grants=HeldGrants(task, clock),
        halt=halt or Halt(),
        nonce="n0nce",
        **more,
    )


def form(bucket: store.Store, **changed: Any) -> PostForm:
    raw = bucket.form("work/job/encode/")
    raw.pop("by")
    return msgspec.convert({**raw, **changed, "by": "post"}, PostForm)


def test_a_form_stores_the_file_under_the_attempts_own_key(
    bucket: store.Store, output: Path
) -> None:
    stored = deliverer(form(bucket)).deliver(output, MEDIA)
    assert stored.key == "work/job/encode/n0nce/video.mp4"
    assert bucket.objects[stored.key] == BODY
    assert stored.sha256 == hashlib.sha256(BODY).hexdigest()
    assert stored.size_bytes == len(BODY)
    named, _ = store.multipart(bucket.seen[0])
    assert named == {"key": stored.key, "policy": "cG9saWN5", "x-amz-signature": "5ec2e7"}


def test_the_content_type_is_said_only_where_the_policy_speaks_of_it(
    bucket: store.Store, output: Path
) -> None:
    deliverer(form(bucket, fields={"Content-Type": ""})).deliver(output, MEDIA)
    assert store.multipart(bucket.seen[0])[0]["Content-Type"] == "video/mp4"


def test_a_users_url_is_put_with_exactly_its_signed_headers(
    bucket: store.Store, output: Path
) -> None:
    urls = {"video.mp4": Fetch(url=bucket.url("mine.mp4"), headers={"x-amz-meta-a": "b"})}
    stored = deliverer(PutUrls(urls=urls)).deliver(output, MEDIA)
    assert stored.key == ""
    assert bucket.objects["mine.mp4"] == BODY
    sent = {name.lower(): value for name, value in bucket.seen[0].headers.items()}
    assert sent["x-amz-meta-a"] == "b"
    assert sent["content-length"] == str(len(BODY))
    assert "content-type" not in sent
    assert "transfer-encoding" not in sent


def test_a_busy_storage_is_tried_again_with_a_whole_new_form(
    bucket: store.Store, output: Path
) -> None:
    bucket.mischief += [store.answers(503), store.answers(500)]
    stored = deliverer(form(bucket)).deliver(output, MEDIA)
    assert bucket.objects[stored.key] == BODY
    assert stored.sha256 == hashlib.sha256(BODY).hexdigest()
    assert bucket.count("POST") == 3


def test_a_connection_that_breaks_is_tried_again(bucket: store.Store, output: Path) -> None:
    def hang_up(handler: BaseHTTPRequestHandler, seen: store.Seen) -> bool:
        handler.rfile.read(1000)
        store.cut(handler)
        return True

    bucket.mischief += [hang_up]
    stored = deliverer(form(bucket)).deliver(output, MEDIA)
    assert bucket.objects[stored.key] == BODY


def test_a_refusal_in_the_middle_of_the_body_is_read(bucket: store.Store, output: Path) -> None:
    """A storage answers and hangs up before a large body is through."""
    output.write_bytes(BODY * 8)

    def refuse(handler: BaseHTTPRequestHandler, seen: store.Seen) -> bool:
        store.reply(handler, 403, b"<Error><Code>AccessDenied</Code></Error>")
        handler.close_connection = True
        return True

    bucket.mischief += [refuse] * 5
    with pytest.raises(WorkFailed) as failure:
        deliverer(form(bucket)).deliver(output, MEDIA)
    assert failure.value.code in ("delivery_refused", "delivery_failed")


@pytest.mark.parametrize(
    ("status", "code", "failure_code"),
    [
        (403, "AccessDenied", "delivery_refused"),
        (400, "EntityTooLarge", "output_limit"),
        (307, "TemporaryRedirect", "delivery_refused"),
        (404, "NoSuchBucket", "delivery_refused"),
    ],
)
def test_a_refusal_is_final(
    bucket: store.Store, output: Path, status: int, code: str, failure_code: str
) -> None:
    bucket.mischief += [store.answers(status, f"<Error><Code>{code}</Code></Error>".encode())]
    with pytest.raises(WorkFailed) as failure:
        deliverer(form(bucket)).deliver(output, MEDIA)
    assert failure.value.code == failure_code
    assert bucket.count("POST") == 1


def test_an_expired_form_is_no_failure_of_the_work(bucket: store.Store, output: Path) -> None:
    why = "Invalid according to Policy: Policy expired."
    said = f"<Error><Code>AccessDenied</Code><Message>{why}</Message></Error>".encode()
    bucket.mischief += [store.answers(403, said)]
    with pytest.raises(Halted) as halted:
        deliverer(form(bucket)).deliver(output, MEDIA)
    assert halted.value.reason is Reason.GRANT_EXPIRED


def test_a_file_beyond_the_policy_is_not_even_sent(bucket: store.Store, output: Path) -> None:
    with pytest.raises(WorkFailed) as failure:
        deliverer(form(bucket, size_bytes_max=10)).deliver(output, MEDIA)
    assert failure.value.code == "output_limit"
    assert bucket.seen == []


def test_a_storage_that_stays_broken_is_given_up(
    bucket: store.Store, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.deliver._PAUSE_SECONDS", 0.01)
    bucket.mischief += [store.answers(503)] * 9
    with pytest.raises(WorkFailed) as failure:
        deliverer(form(bucket)).deliver(output, MEDIA)
    assert failure.value.code == "delivery_failed"
    assert store.SECRET not in str(failure.value)


def test_a_halt_ends_an_upload(bucket: store.Store, output: Path) -> None:
    halt = Halt()

    def stuck(handler: BaseHTTPRequestHandler, seen: store.Seen) -> bool:
        halt.set(Reason.SIGNAL)
        handler.rfile.read(10)
        return True

    bucket.mischief += [stuck]
    with pytest.raises(Halted):
        deliverer(form(bucket), halt).deliver(output, MEDIA)
