"""The Store port: conditional writes, server-side copies, small reads."""

import pytest

from mayfly.aws import errors, s3
from mayfly.core import limits
from mayfly.perform.ports import Conflict, Gone, Store, TooLarge
from tests.contract.conftest import Expect
from tests.contract.worlds import AwsWorld, World


@pytest.fixture
def bucket(world: World) -> str:
    return world.bucket()


@pytest.fixture
def store(world: World) -> Store:
    return world.store()


def write(store: Store, bucket: str, key: str, body: bytes, **conditions: object) -> None:
    store.write(bucket, key, body, content_type="application/json", **conditions)  # type: ignore[arg-type]


def test_what_is_not_there_is_none(store: Store, bucket: str) -> None:
    assert store.head(bucket, "missing") is None
    assert store.read(bucket, "missing") is None


@pytest.mark.parametrize("key", ["a/b.json", "ü +&%?#/\U0001f980 .mp4", "work/j/t//x"])
def test_an_object_is_read_back_under_any_key(store: Store, bucket: str, key: str) -> None:
    write(store, bucket, key, b'{"a": 1}')
    head, read = store.head(bucket, key), store.read(bucket, key)
    assert head is not None
    assert read == (b'{"a": 1}', head.etag)
    assert head.size_bytes == 8
    assert head.etag
    assert '"' not in head.etag


def test_whoever_looks_after_a_write_sees_it(store: Store, bucket: str) -> None:
    """S3 is strongly consistent: a head, a read and a listing tell the same at once."""
    etags = []
    for body in (b"one", b"two", b"one", b""):
        write(store, bucket, "k", body)
        head, read, (listed,) = (
            store.head(bucket, "k"),
            store.read(bucket, "k"),
            store.list(bucket, "k"),
        )
        assert head is not None
        assert read == (body, head.etag)
        assert (listed.etag, listed.size_bytes) == (head.etag, head.size_bytes)
        assert head.size_bytes == len(body)
        etags.append(head.etag)
    assert etags[0] == etags[2]
    assert len(set(etags)) == 3


def test_a_key_that_is_too_long_is_refused(store: Store, bucket: str, gap: Expect) -> None:
    gap("key length")
    write(store, bucket, "k" * 1024, b"1")
    assert store.head(bucket, "k" * 1024) is not None
    for key in ("k" * 1025, "ü" * 513):
        with pytest.raises(ValueError):
            write(store, bucket, key, b"1")


def test_a_bucket_with_versions_tells_them_apart(world: World) -> None:
    """A source is pinned to its version, so that nobody can replace it under a job."""
    bucket, store = world.bucket(versioned=True), world.store()
    world.put(bucket, "k", b"film")
    first = store.head(bucket, "k")
    world.put(bucket, "k", b"film")
    second = store.head(bucket, "k")
    assert first is not None
    assert second is not None
    assert "" not in (first.version_id, second.version_id)
    assert first.version_id != second.version_id
    assert first.etag == second.etag


def test_a_second_write_of_what_must_be_absent_loses(store: Store, bucket: str) -> None:
    write(store, bucket, "k", b"first", if_absent=True)
    with pytest.raises(Conflict):
        write(store, bucket, "k", b"second", if_absent=True)
    read = store.read(bucket, "k")
    assert read is not None
    assert read[0] == b"first"


def test_of_two_writers_that_read_the_same_one_wins(store: Store, bucket: str) -> None:
    """`latest.json` moves only forward: it is compared and set by its ETag."""
    write(store, bucket, "latest.json", b"1")
    read = store.read(bucket, "latest.json")
    assert read is not None
    write(store, bucket, "latest.json", b"2", if_match=read[1])
    with pytest.raises(Conflict):
        write(store, bucket, "latest.json", b"3", if_match=read[1])
    assert (store.read(bucket, "latest.json") or (b"",))[0] == b"2"


def test_a_write_over_what_was_removed_loses(store: Store, bucket: str) -> None:
    with pytest.raises(Conflict):
        write(store, bucket, "missing", b"1", if_match="0" * 32)
    assert store.head(bucket, "missing") is None


def test_a_write_with_both_conditions_is_refused(store: Store, bucket: str) -> None:
    with pytest.raises(ValueError):
        write(store, bucket, "k", b"1", if_match="0" * 32, if_absent=True)


AWKWARD_KEYS = ["uploads/a b+c.mp4", "uploads/a/b.mp4", "uploads/\U0001f980.mp4", "uploads/ü&%.mp4"]


def test_a_listing_is_in_the_order_of_the_keys_bytes_and_of_its_prefix_alone(
    store: Store, bucket: str
) -> None:
    for key in (*AWKWARD_KEYS, "uploadsX", "work/x"):
        write(store, bucket, key, b"film")
    listed = store.list(bucket, "uploads/")
    assert [one.key for one in listed] == sorted(AWKWARD_KEYS, key=lambda key: key.encode())


def test_a_listing_tells_what_a_head_tells_and_when_it_was_stored(
    store: Store, world: World, bucket: str
) -> None:
    write(store, bucket, "uploads/a.mp4", b"old")
    world.pass_seconds(1.1)
    before = world.clock.now()
    write(store, bucket, "uploads/a.mp4", b"newer")
    (listed,) = store.list(bucket, "uploads/")
    seen = store.head(bucket, "uploads/a.mp4")
    assert seen is not None
    assert (listed.etag, listed.size_bytes) == (seen.etag, 5)
    assert before - 1 <= listed.last_modified <= world.clock.now() + 1


def test_a_listing_goes_on_behind_any_key_there_or_not(store: Store, bucket: str) -> None:
    keys = sorted(f"uploads/{name}" for name in ("a", "a/1", "b c", "ü"))
    for key in keys:
        write(store, bucket, key, b"film")
    told: list[str] = []
    while page := store.list(bucket, "uploads/", after=told[-1] if told else "", limit=1):
        told += [one.key for one in page]
    assert told == keys
    behind = store.list(bucket, "uploads/", after="uploads/a/0 was never there")
    assert [one.key for one in behind] == keys[1:]
    assert store.list(bucket, "nothing/") == []


def test_a_listing_of_nothing_at_all_is_refused(store: Store, bucket: str) -> None:
    with pytest.raises(ValueError):
        store.list(bucket, "uploads/", limit=0)


@pytest.mark.parametrize("world", ["moto", "embedded"], indirect=True)
@pytest.mark.embedded
def test_a_listing_of_several_pages_is_whole(
    store: Store, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S3 may answer with fewer keys than were asked for although there are more."""
    monkeypatch.setattr(s3, "PAGE_KEYS_MAX", 2)
    for number in range(5):
        write(store, bucket, f"uploads/{number}", b"film")
    assert [one.key[-1] for one in store.list(bucket, "uploads/")] == list("01234")
    assert [one.key[-1] for one in store.list(bucket, "uploads/", limit=3)] == list("012")


@pytest.mark.parametrize("source", ["work/a/video.mp4", "work/ü +&%?#/\U0001f980.mp4"])
def test_a_copy_has_the_bytes_of_its_source(store: Store, bucket: str, source: str) -> None:
    write(store, bucket, source, b"film")
    store.copy(bucket, source, "outputs/a/video.mp4")
    store.copy(bucket, source, "outputs/a/video.mp4")
    assert (store.read(bucket, "outputs/a/video.mp4") or (b"",))[0] == b"film"


def test_a_copy_of_what_is_not_there_is_gone(store: Store, bucket: str) -> None:
    with pytest.raises(Gone):
        store.copy(bucket, "missing", "outputs/a")
    assert store.head(bucket, "outputs/a") is None


def test_many_are_copied_whatever_their_keys(store: Store, bucket: str) -> None:
    sources = [f"work/j/ü +&%?#/{number}.m4s" for number in range(40)]
    for source in sources:
        write(store, bucket, source, source.encode())
    pairs = [(source, f"outputs/a/{number:05d}.m4s") for number, source in enumerate(sources)]
    store.copy_many(bucket, pairs)
    store.copy_many(bucket, pairs)
    store.copy_many(bucket, [])
    for source, key in pairs:
        assert (store.read(bucket, key) or (b"",))[0] == source.encode()


def test_of_many_copies_one_whose_source_is_not_there_is_gone(store: Store, bucket: str) -> None:
    write(store, bucket, "work/a", b"a")
    with pytest.raises(Gone):
        store.copy_many(bucket, [("work/a", "outputs/a"), ("work/b", "outputs/b")])
    assert store.head(bucket, "outputs/b") is None


def test_an_object_that_is_not_small_is_not_read(store: Store, world: World, bucket: str) -> None:
    world.put(bucket, "large", b"x" * (limits.READ_BYTES_MAX + 1))
    with pytest.raises(TooLarge):
        store.read(bucket, "large")


def test_whoever_wants_less_reads_no_more_than_that(store: Store, bucket: str) -> None:
    write(store, bucket, "k", b"12345")
    assert (store.read(bucket, "k", bytes_max=5) or (b"",))[0] == b"12345"
    with pytest.raises(TooLarge, match="5 bytes, and 4 are allowed"):
        store.read(bucket, "k", bytes_max=4)
    assert store.read(bucket, "missing", bytes_max=4) is None


@pytest.mark.parametrize("world", ["moto", "embedded"], indirect=True)
@pytest.mark.embedded
def test_a_copy_says_what_its_key_says_and_not_what_the_worker_said(
    world: World, store: Store, bucket: str
) -> None:
    assert isinstance(world, AwsWorld)
    client = world.client("s3")
    client.put_object(Bucket=bucket, Key="work/x", Body=b"<script>", ContentType="text/html")
    store.copy(bucket, "work/x", "outputs/a/Video.MP4")
    store.copy(bucket, "work/x", "outputs/a/unknown")
    store.copy_many(bucket, [("work/x", f"outputs/a/{name}") for name in ("a.m4s", "a.m3u8")])
    kinds = [
        client.head_object(Bucket=bucket, Key=f"outputs/a/{name}")["ContentType"]
        for name in ("Video.MP4", "unknown", "a.m4s", "a.m3u8")
    ]
    assert kinds == [
        "video/mp4",
        "application/octet-stream",
        "video/iso.segment",
        "application/vnd.apple.mpegurl",
    ]


@pytest.mark.parametrize("world", ["moto", "embedded"], indirect=True)
@pytest.mark.embedded
def test_a_large_copy_is_made_of_parts(
    world: World, store: Store, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CopyObject ends at 5 GiB; the parts of a test are as small as S3 allows."""
    assert isinstance(world, AwsWorld)
    monkeypatch.setattr(s3, "COPY_PART_BYTES", 5 * 1024 * 1024)
    body = bytes(range(256)) * 4096 * 12
    world.put(bucket, "work/film.mp4", body)
    store.copy(bucket, "work/film.mp4", "outputs/film.mp4")
    client = world.client("s3")
    copied = client.get_object(Bucket=bucket, Key="outputs/film.mp4")
    assert copied["Body"].read() == body
    assert copied["ETag"].strip('"').endswith("-3")
    assert copied["ContentType"] == "video/mp4"
    assert not client.list_multipart_uploads(Bucket=bucket).get("Uploads")


PIECE = bytes(range(256)) * 4096 * 5


def test_a_join_is_its_sources_in_their_order(world: World, store: Store, bucket: str) -> None:
    """An output that one POST cannot carry; pieces here are as small as S3 allows."""
    bodies = {f"work/v.mp4.part-0000{n}": bytes([n]) + PIECE[1:] for n in (2, 1)}
    world.put(bucket, "work/v.mp4.part-00003", b"last")
    for key, body in bodies.items():
        world.put(bucket, key, body)
    keys = [f"work/v.mp4.part-0000{n}" for n in (1, 2, 3)]
    wanted = bodies[keys[0]] + bodies[keys[1]] + b"last"
    for _ in range(2):
        store.join(bucket, keys, "outputs/v.mp4")
        seen = store.head(bucket, "outputs/v.mp4")
        assert seen is not None and seen.size_bytes == len(wanted)
    store.join(bucket, [keys[2]], "outputs/short")
    assert (store.read(bucket, "outputs/short") or (b"",))[0] == b"last"
    if isinstance(world, AwsWorld):
        joined = world.client("s3").get_object(Bucket=bucket, Key="outputs/v.mp4")
        assert joined["Body"].read() == wanted
        assert joined["ContentType"] == "video/mp4"


def test_a_join_of_what_is_not_all_there_leaves_nothing(
    world: World, store: Store, bucket: str
) -> None:
    world.put(bucket, "work/1", PIECE)
    world.put(bucket, "work/3", b"last")
    with pytest.raises(Gone):
        store.join(bucket, ["work/1", "work/2", "work/3"], "outputs/v.mp4")
    assert store.head(bucket, "outputs/v.mp4") is None
    if isinstance(world, AwsWorld):
        assert not world.client("s3").list_multipart_uploads(Bucket=bucket).get("Uploads")


def test_a_join_that_s3_refuses_leaves_nothing(
    world: World, store: Store, bucket: str, gap: Expect
) -> None:
    gap("small parts")
    world.put(bucket, "work/1", b"too small to stand before another")
    world.put(bucket, "work/2", b"last")
    with pytest.raises((errors.Refused, ValueError)):
        store.join(bucket, ["work/1", "work/2"], "outputs/v.mp4")
    assert store.head(bucket, "outputs/v.mp4") is None
    if isinstance(world, AwsWorld):
        assert not world.client("s3").list_multipart_uploads(Bucket=bucket).get("Uploads")
