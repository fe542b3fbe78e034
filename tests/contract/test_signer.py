"""The Signer port, and what its URLs open: the pinned object and the given prefix, nothing else.

moto enforces nothing of this, so the claims are made in memory and on the embedded AWS, over HTTP.
"""

from collections.abc import Callable

import pytest
import urllib3

from mayfly.contract.task import Fetch, PostForm
from mayfly.core import limits
from mayfly.memory.signer import MemorySigner, UrlRefused
from mayfly.perform.ports import Signer
from tests.contract.conftest import Expect
from tests.contract.worlds import MemoryWorld, World

pytestmark = pytest.mark.parametrize(
    "world", ["memory", pytest.param("embedded", marks=pytest.mark.embedded)], indirect=True
)

PREFIX = "work/job/task/"

Get = Callable[[Fetch], tuple[int, bytes]]
Post = Callable[[PostForm, str, bytes], int]


@pytest.fixture
def bucket(world: World) -> str:
    return world.bucket()


@pytest.fixture
def signer(world: World) -> Signer:
    return world.signer()


@pytest.fixture
def get(world: World, signer: Signer) -> Get:
    """S3's answer to a GET: its status and body."""

    def in_memory(fetch: Fetch) -> tuple[int, bytes]:
        assert isinstance(signer, MemorySigner)
        try:
            return 200, signer.fetched(fetch).body
        except UrlRefused as refused:
            return refused.status, b""

    def over_http(fetch: Fetch) -> tuple[int, bytes]:
        answer = urllib3.request("GET", fetch.url, headers=fetch.headers, retries=False)
        return answer.status, answer.data if answer.status == 200 else b""

    return in_memory if isinstance(world, MemoryWorld) else over_http


@pytest.fixture
def post(world: World, signer: Signer) -> Post:
    """S3's answer to a POST of a body under a key: its status."""

    def in_memory(form: PostForm, key: str, body: bytes) -> int:
        assert isinstance(signer, MemorySigner)
        try:
            signer.posted(form, key, body)
        except UrlRefused as refused:
            return refused.status
        return 204

    def over_http(form: PostForm, key: str, body: bytes) -> int:
        fields: list[tuple[str, str | tuple[str, str | bytes]]] = list(form.fields.items())
        fields += [("key", key), ("file", ("file", body))]
        return urllib3.request("POST", form.url, fields=fields, retries=False).status

    return in_memory if isinstance(world, MemoryWorld) else over_http


@pytest.mark.parametrize("key", ["uploads/a.mp4", "uploads/ü +&%?#=/\U0001f980 .mp4"])
def test_a_signed_get_opens_its_object(
    world: World, signer: Signer, get: Get, bucket: str, key: str
) -> None:
    world.put(bucket, key, b"film")
    assert get(signer.get(bucket, key)) == (200, b"film")


def test_a_get_without_a_pin_needs_no_header(signer: Signer, bucket: str) -> None:
    assert signer.get(bucket, "k").headers == {}


def test_a_get_that_is_pinned_opens_what_it_was_pinned_to(
    world: World, signer: Signer, get: Get, bucket: str
) -> None:
    world.put(bucket, "k", b"film")
    seen = world.store().head(bucket, "k")
    assert seen is not None
    assert get(signer.get(bucket, "k", etag=seen.etag)) == (200, b"film")
    assert get(signer.get(bucket, "k", etag=f'"{seen.etag}"')) == (200, b"film")


def test_a_get_that_is_pinned_refuses_a_replaced_object(
    world: World, signer: Signer, get: Get, bucket: str
) -> None:
    world.put(bucket, "k", b"film")
    seen = world.store().head(bucket, "k")
    assert seen is not None
    fetch = signer.get(bucket, "k", etag=seen.etag)
    world.put(bucket, "k", b"another film")
    assert get(fetch)[0] == 412


def test_a_get_that_is_pinned_to_a_version_opens_it_whatever_came_after(
    world: World, signer: Signer, get: Get
) -> None:
    bucket = world.bucket(versioned=True)
    world.put(bucket, "k", b"film")
    seen = world.store().head(bucket, "k")
    assert seen is not None
    fetch = signer.get(bucket, "k", etag=seen.etag, version_id=seen.version_id)
    world.put(bucket, "k", b"another film")
    assert get(fetch) == (200, b"film")
    assert get(signer.get(bucket, "k")) == (200, b"another film")


def test_a_url_and_a_form_die_at_their_end(
    world: World,
    signer: Signer,
    get: Get,
    post: Post,
    bucket: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "GRANT_SECONDS", 1)
    world.put(bucket, "k", b"film")
    fetch, form = signer.get(bucket, "k"), signer.post(bucket, PREFIX, 100)
    world.pass_seconds(2.1)
    assert get(fetch)[0] == 403
    assert post(form, PREFIX + "x", b"film") == 403


def test_the_pin_cannot_be_left_out(world: World, signer: Signer, get: Get, bucket: str) -> None:
    world.put(bucket, "k", b"film")
    fetch = signer.get(bucket, "k", etag="0" * 32)
    assert get(fetch)[0] == 412
    assert get(Fetch(url=fetch.url))[0] == 403


@pytest.mark.parametrize("old, new", [("uploads/a", "uploads/b"), ("a.mp4", "b.mp4")])
def test_a_signed_get_opens_no_other_key(
    world: World, signer: Signer, get: Get, bucket: str, old: str, new: str
) -> None:
    for key in ("uploads/a.mp4", "uploads/b.mp4", "uploads/b.mp4"):
        world.put(bucket, key, b"film")
    fetch = signer.get(bucket, "uploads/a.mp4")
    assert get(Fetch(url=fetch.url.replace(old, new)))[0] == 403


def test_a_form_takes_any_key_under_its_prefix(
    world: World, signer: Signer, post: Post, bucket: str
) -> None:
    form = signer.post(bucket, PREFIX, 100)
    assert (form.key_prefix, form.size_bytes_max) == (PREFIX, 100)
    for name in ("one/video.mp4", "two/ü \U0001f980.mp4"):
        assert post(form, PREFIX + name, b"film") == 204
        assert world.store().read(bucket, PREFIX + name) is not None


def test_a_form_leaves_the_key_to_the_worker(signer: Signer, bucket: str) -> None:
    assert "key" not in signer.post(bucket, PREFIX, 100).fields


@pytest.mark.parametrize("key", ["work/job/other/x", "outputs/x", "work/job/task", "x"])
def test_a_form_refuses_a_key_beside_its_prefix(
    world: World, signer: Signer, post: Post, bucket: str, key: str
) -> None:
    assert post(signer.post(bucket, PREFIX, 100), key, b"film") == 403
    assert world.store().head(bucket, key) is None


def test_a_form_refuses_what_is_too_long(
    world: World, signer: Signer, post: Post, bucket: str
) -> None:
    form = signer.post(bucket, PREFIX, 100)
    assert post(form, PREFIX + "fits", b"x" * 100) == 204
    assert post(form, PREFIX + "long", b"x" * 101) == 400
    assert world.store().head(bucket, PREFIX + "long") is None


def test_a_form_with_another_signature_is_refused(
    world: World, signer: Signer, post: Post, bucket: str, gap: Expect
) -> None:
    gap("form signature")
    form = signer.post(bucket, PREFIX, 100)
    forged = {**form.fields, "x-amz-signature": "0" * 64}
    other = PostForm(url=form.url, fields=forged, key_prefix=PREFIX, size_bytes_max=100)
    assert post(other, PREFIX + "x", b"film") == 403


def test_a_form_for_the_whole_bucket_is_refused(signer: Signer, bucket: str) -> None:
    with pytest.raises(ValueError):
        signer.post(bucket, "", 100)


def test_grants_end_when_their_urls_do(world: World, signer: Signer) -> None:
    before = world.clock.now()
    end = signer.grants_end_at()
    assert before + limits.GRANT_SECONDS <= end <= world.clock.now() + limits.GRANT_SECONDS
