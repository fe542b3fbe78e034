"""How outputs get to their clean names, and which job an upload's `latest.json` names."""

import json
from typing import Any

import msgspec
import pytest

from mayfly.contract.failure import failure
from mayfly.contract.recipe import AudioOutput, Recipe, VideoOutput
from mayfly.contract.report import Artifact, Media, Piece
from mayfly.core.changes import Create, Key
from mayfly.core.events import OutputsPublished, PublishFailed
from mayfly.core.identity import SourceObject
from mayfly.core.rows import (
    JobHead,
    JobSpec,
    JobState,
    TaskState,
    head_key,
    spec_key,
    task_key,
    to_item,
)
from mayfly.memory.store import PART_BYTES_MIN
from mayfly.memory.world import MemoryWorld
from mayfly.perform import publishing
from mayfly.perform.ports import Conflict, Gone, ObjectSeen
from tests.unit.given import a_job, a_task

RECIPE = Recipe(outputs=(VideoOutput(file="a.mp4"), AudioOutput(file="b.m4a")))
UPLOAD = SourceObject(bucket="media", key="uploads/x.mp4", etag="e1", size_bytes=9, sequencer="05")
LATEST = "outputs/x/mp4-720p/latest.json"


def artifact(file: str, key: str = "") -> Artifact:
    return Artifact(
        file=file,
        key=key or f"work/job1/encode/n/{file}",
        size_bytes=5,
        sha256="0",
        media=Media(container="mov"),
    )


BOTH = (artifact("a.mp4"), artifact("b.m4a"))


def stands(
    w: MemoryWorld,
    *artifacts: Artifact,
    uploaded: bool = True,
    head: JobHead | None = None,
    source: SourceObject = UPLOAD,
) -> None:
    recipe = msgspec.json.encode(RECIPE).decode()
    spec = JobSpec(recipe=recipe, source=source, uploaded=uploaded)
    rows: dict[Key, Any] = {
        head_key("job1"): head or a_job(JobState.PUBLISHING),
        spec_key("job1"): spec,
        task_key("job1", "encode"): a_task(TaskState.DONE, artifacts=artifacts),
    }
    w.table.commit([Create(key=key, item=to_item(row)) for key, row in rows.items()])
    for one in artifacts:
        w.store.write("media", one.key, one.file.encode(), content_type="video/mp4")


def body(w: MemoryWorld, key: str) -> bytes | None:
    found = w.store.get("media", key)
    return found.body if found else None


def latest(w: MemoryWorld) -> Any:
    found = body(w, LATEST)
    return json.loads(found) if found else None


def test_outputs_are_copied_and_the_pointer_names_them(w: MemoryWorld) -> None:
    stands(w, *BOTH)
    w.clock.sleep(5)
    assert publishing.publish(w.world, "job1") == OutputsPublished(at=w.clock.now())
    names = {file: f"outputs/x/mp4-720p/job1/{file}" for file in ("a.mp4", "b.m4a")}
    assert [body(w, key) for key in names.values()] == [b"a.mp4", b"b.m4a"]
    assert latest(w) == {
        "job_id": "job1",
        "run": 1,
        "etag": "e1",
        "sequencer": "05",
        "outputs": names,
    }
    found = w.store.get("media", LATEST)
    assert found is not None and found.content_type == "application/json"


def test_a_job_that_no_upload_asks_for_moves_no_pointer(w: MemoryWorld) -> None:
    stands(w, *BOTH, uploaded=False)
    assert isinstance(publishing.publish(w.world, "job1"), OutputsPublished)
    assert latest(w) is None


@pytest.mark.parametrize(
    ("artifacts", "problem"),
    [
        ((BOTH[0],), "promised a.mp4, b.m4a, got a.mp4"),
        ((*BOTH, artifact("c.mp4")), "promised a.mp4, b.m4a, got a.mp4, b.m4a, c.mp4"),
        ((), "promised a.mp4, b.m4a, got "),
        (
            (BOTH[0], artifact("b.m4a", "work/job2/encode/n/b.m4a")),
            "b.m4a lies outside of its job",
        ),
        (
            (artifact("a.mp4", "work/job1/../job2/a.mp4"), BOTH[1]),
            "a.mp4 lies outside of its job",
        ),
    ],
)
def test_what_is_not_whole_or_not_its_own_is_not_published(
    w: MemoryWorld, artifacts: tuple[Artifact, ...], problem: str
) -> None:
    stands(w, *artifacts)
    assert publishing.publish(w.world, "job1") == PublishFailed(
        at=w.clock.now(), failure=failure("output_broken", problem)
    )
    assert latest(w) is None


def test_an_output_that_has_gone_was_published_before_or_never_will_be(w: MemoryWorld) -> None:
    stands(w, *BOTH)
    w.store.remove("media", BOTH[1].key)
    detail = "b.m4a is not where its worker put it"
    assert publishing.publish(w.world, "job1") == PublishFailed(
        at=w.clock.now(), failure=failure("publish_failed", detail)
    )
    w.store.write("media", "outputs/x/mp4-720p/job1/b.m4a", b"old", content_type="audio/mp4")
    assert publishing.publish(w.world, "job1") == OutputsPublished(at=w.clock.now())


def delivered(w: MemoryWorld, head: JobHead) -> tuple[Artifact, ...]:
    return tuple(a for row in publishing.delivering(w.world, head) for a in row.artifacts)


def test_what_the_finish_made_is_what_a_planned_job_delivers(w: MemoryWorld) -> None:
    head = a_job(JobState.PUBLISHING, parts=2)
    stands(w, artifact("a.mp4"), head=head)
    assert delivered(w, head) == ()
    joined = a_task(TaskState.DONE, task_id="finish", artifacts=BOTH)
    w.table.commit([Create(key=task_key("job1", "finish"), item=to_item(joined))])
    assert delivered(w, head) == BOTH
    whole = msgspec.structs.replace(head, parts=1)
    assert delivered(w, whole) == (artifact("a.mp4"), *BOTH)


SIZES = (PART_BYTES_MIN, PART_BYTES_MIN, 7)


def in_pieces(*sizes: int, whole: int = sum(SIZES)) -> Artifact:
    pieces = tuple(Piece(size_bytes=size, sha256="0") for size in sizes)
    return msgspec.structs.replace(artifact("a.mp4"), size_bytes=whole, pieces=pieces)


def piece_key(number: int) -> str:
    return f"work/job1/encode/n/a.mp4.part-{number:05d}"


def stored_in_pieces(w: MemoryWorld) -> bytes:
    stands(w, in_pieces(*SIZES), artifact("b.m4a"))
    w.store.remove("media", BOTH[0].key)
    bodies = [bytes([number]) * size for number, size in enumerate(SIZES)]
    for number, one in enumerate(bodies, start=1):
        w.store.put("media", piece_key(number), one)
    return b"".join(bodies)


def test_an_output_in_pieces_is_joined_under_its_clean_name_and_once(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = stored_in_pieces(w)
    for _ in range(2):
        assert publishing.publish(w.world, "job1") == OutputsPublished(at=w.clock.now())
        assert body(w, "outputs/x/mp4-720p/job1/a.mp4") == whole
        # What takes minutes is not done again for a report that comes again.
        monkeypatch.setattr(w.store, "join", None)
    # What was cut off by the end of a Lambda may be anything, and is done again.
    w.store.put("media", "outputs/x/mp4-720p/job1/a.mp4", whole[:-1])
    monkeypatch.undo()
    assert isinstance(publishing.publish(w.world, "job1"), OutputsPublished)
    assert body(w, "outputs/x/mp4-720p/job1/a.mp4") == whole


@pytest.mark.parametrize("found", [None, b"shorter"])
def test_pieces_that_are_not_there_as_stored_are_not_published(
    w: MemoryWorld, found: bytes | None
) -> None:
    stored_in_pieces(w)
    w.store.remove("media", piece_key(2))
    if found:
        w.store.put("media", piece_key(2), found)
    detail = "a.mp4 is not where its worker put it"
    assert publishing.publish(w.world, "job1") == PublishFailed(
        at=w.clock.now(), failure=failure("publish_failed", detail)
    )
    assert body(w, "outputs/x/mp4-720p/job1/a.mp4") is None


@pytest.mark.parametrize(
    ("told", "problem"),
    [
        (in_pieces(*SIZES, whole=8), "a.mp4 has pieces of 10485767 bytes, not of 8"),
        (in_pieces(5, 5, whole=10), "a.mp4 has pieces that are too small"),
        (in_pieces(PART_BYTES_MIN, 0, whole=PART_BYTES_MIN), "a.mp4 has pieces that are too small"),
        (in_pieces(*[PART_BYTES_MIN] * 401, whole=401 * PART_BYTES_MIN), "a.mp4 has 401 pieces"),
    ],
)
def test_pieces_that_s3_would_not_join_are_refused_before_it_is_asked(
    w: MemoryWorld, told: Artifact, problem: str
) -> None:
    stands(w, told, artifact("b.m4a"))
    assert publishing.publish(w.world, "job1") == PublishFailed(
        at=w.clock.now(), failure=failure("output_broken", problem)
    )


def named(w: MemoryWorld, **fields: Any) -> None:
    """The pointer names another job."""
    pointer = {"job_id": "job0", "run": 1, "etag": "e0", "sequencer": "04"} | fields
    w.store.write("media", LATEST, json.dumps(pointer).encode(), content_type="application/json")


@pytest.mark.parametrize(
    ("pointer", "moves"),
    [
        ({"sequencer": "04"}, True),
        ({"sequencer": "06"}, False),
        ({"sequencer": "05"}, False),
        ({"sequencer": "05", "etag": "e1", "run": 0}, True),
        ({"sequencer": "05", "etag": "e1", "run": 1}, False),
        ({"sequencer": "05", "etag": "e1", "run": 2}, False),
        ({"sequencer": "04", "etag": "e1", "run": 2}, True),
    ],
)
def test_the_pointer_moves_only_forward_in_the_order_of_s3(
    w: MemoryWorld, pointer: dict[str, Any], moves: bool
) -> None:
    stands(w, *BOTH)
    named(w, **pointer)
    publishing.publish(w.world, "job1")
    assert (latest(w)["job_id"] == "job1") is moves


@pytest.mark.parametrize("lost", ["ours", "theirs"])
@pytest.mark.parametrize(("standing", "moves"), [("e1", True), ("e0", False), (None, False)])
def test_where_an_order_is_unknown_what_stands_is_the_newest(
    w: MemoryWorld,
    monkeypatch: pytest.MonkeyPatch,
    lost: str,
    standing: str | None,
    moves: bool,
) -> None:
    source = msgspec.structs.replace(UPLOAD, sequencer="" if lost == "ours" else "05")
    stands(w, *BOTH, source=source)
    named(w, sequencer="" if lost == "theirs" else "04")
    asked: list[tuple[str, str]] = []

    def head(bucket: str, key: str) -> ObjectSeen | None:
        asked.append((bucket, key))
        return ObjectSeen(size_bytes=9, etag=standing) if standing else None

    monkeypatch.setattr(w.store, "head", head)
    publishing.publish(w.world, "job1")
    assert (latest(w)["job_id"] == "job1") is moves
    assert asked == [("media", "uploads/x.mp4")]


@pytest.mark.parametrize("other", [b"not json", b"[]", b'{"sequencer": 5}'])
def test_a_pointer_that_is_not_ours_is_replaced(w: MemoryWorld, other: bytes) -> None:
    w.store.write("media", UPLOAD.key, b"video", content_type="video/mp4")
    seen = w.store.head("media", UPLOAD.key)
    assert seen is not None
    stands(w, *BOTH, source=msgspec.structs.replace(UPLOAD, etag=seen.etag))
    w.store.write("media", LATEST, other, content_type="text/plain")
    publishing.publish(w.world, "job1")
    assert latest(w)["job_id"] == "job1"


def test_the_pointer_is_written_on_what_was_read_and_tried_five_times(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    stands(w, *BOTH)
    tries: list[tuple[str, bool]] = []

    def contended(
        bucket: str, key: str, body: bytes, *, content_type: str, if_match: str, if_absent: bool
    ) -> None:
        tries.append((if_match, if_absent))
        raise Conflict("PreconditionFailed")

    monkeypatch.setattr(w.store, "write", contended)
    assert isinstance(publishing.publish(w.world, "job1"), OutputsPublished)
    assert tries == [("", True)] * 5
    tries.clear()
    monkeypatch.setattr(w.store, "read", lambda bucket, key: (b"{}", "e7"))
    monkeypatch.setattr(publishing, "_is_newer", lambda *given: True)
    publishing.publish(w.world, "job1")
    assert tries == [("e7", False)] * 5


def test_whoever_loses_the_race_for_the_pointer_reads_it_again(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    stands(w, *BOTH)
    write, met = w.store.write, list[Any]()

    def meets(*given: Any, **named_: Any) -> None:
        if not met:
            met.append(given)
            newer = json.dumps({"job_id": "job2", "sequencer": "06"}).encode()
            write("media", LATEST, newer, content_type="application/json")
            raise Conflict("PreconditionFailed")
        write(*given, **named_)

    monkeypatch.setattr(w.store, "write", meets)
    publishing.publish(w.world, "job1")
    assert latest(w)["job_id"] == "job2" and len(met) == 1


def test_a_copy_of_what_has_gone_is_looked_for_under_its_clean_name(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    stands(w, *BOTH, uploaded=False)
    asked: list[tuple[str, ...]] = []

    def copy(bucket: str, source: str, key: str) -> None:
        asked.append((bucket, source, key))
        raise Gone("NoSuchKey")

    def head(bucket: str, key: str) -> ObjectSeen:
        asked.append((bucket, key))
        return ObjectSeen(size_bytes=1, etag="e")

    monkeypatch.setattr(w.store, "copy", copy)
    monkeypatch.setattr(w.store, "head", head)
    publishing.publish(w.world, "job1")
    clean = "outputs/x/mp4-720p/job1/"
    assert asked == [
        ("media", "work/job1/encode/n/a.mp4", f"{clean}a.mp4"),
        ("media", f"{clean}a.mp4"),
        ("media", "work/job1/encode/n/b.m4a", f"{clean}b.m4a"),
        ("media", f"{clean}b.m4a"),
    ]
