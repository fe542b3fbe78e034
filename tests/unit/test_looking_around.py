"""What the tick finds on idle queues and under `uploads/`, and what it sends again."""

from collections.abc import Sequence
from typing import Any

import pytest

from mayfly.contract import wire
from mayfly.contract.task import Fetch, PutUrls, Source, Task
from mayfly.core import limits
from mayfly.core.changes import Change, Create, Update
from mayfly.core.commands import Command, SeeToPool
from mayfly.core.identity import SourceObject, upload_id
from mayfly.core.rows import (
    ROUND_KEY,
    JobState,
    PoolRow,
    RoundRow,
    head_key,
    pool_key,
    to_item,
    upload_key,
)
from mayfly.memory.world import MemoryWorld
from mayfly.perform import intake, letters, reconciling, sweeping
from mayfly.perform.ports import Conflict, Depth, HandleLost, ObjectListed, Temporary
from tests.unit.given import RECIPE, a_job

ROW = PoolRow(pool="standard")
KEY = pool_key("standard")
THEN: tuple[Command, ...] = (SeeToPool(pool="p"),)


def a_task(job: str | None = None) -> bytes:
    source = Source(fetch=Fetch(url="https://b.s3.amazonaws.com/x.mp4"))
    return wire.encode(Task(source=source, recipe=RECIPE, upload=PutUrls(urls={}), job_id=job))


def marked(w: MemoryWorld) -> Any:
    (item,) = w.table.get(KEY)
    return item


def left(w: MemoryWorld) -> int:
    return w.jobs.depth().visible


def test_a_users_own_task_goes_back_and_calls_for_a_worker(w: MemoryWorld) -> None:
    w.jobs.send(a_task())
    assert sweeping.sweep(w.world, ROW) == []
    assert marked(w) == {"pool": "standard", "foreign": True} and left(w) == 1


def test_garbage_is_taken_as_a_dead_letter_and_thrown_away(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[tuple[str, str]] = []

    def dead(world: Any, body: str, message_id: str) -> tuple[Command, ...]:
        taken.append((body, message_id))
        return THEN

    monkeypatch.setattr(letters, "take_dead_task", dead)
    w.jobs.send(b"garbage")
    assert sweeping.sweep(w.world, ROW) == list(THEN)
    ((body, message_id),) = taken
    assert body == "garbage" and message_id
    assert left(w) == w.jobs.depth().in_flight == 0 and marked(w) is None


@pytest.mark.parametrize(
    ("state", "stays"), [(None, 0), (JobState.CANCELLED, 0), (JobState.RUNNING, 1)]
)
def test_a_task_of_ours_is_thrown_away_with_its_job(
    w: MemoryWorld, state: JobState | None, stays: int
) -> None:
    if state:
        head = a_job(state)
        w.table.commit([Create(key=head_key("job1"), item=to_item(head))])
    w.jobs.send(a_task("job1"))
    assert sweeping.sweep(w.world, ROW) == []
    assert left(w) == stays and marked(w) is None


def test_ten_messages_are_looked_at_in_one_go(w: MemoryWorld) -> None:
    for n in range(12):
        w.jobs.send(a_task(f"job{n}"))
    sweeping.sweep(w.world, ROW)
    assert left(w) == 2


def test_one_users_task_among_others_is_enough(w: MemoryWorld) -> None:
    for body in (a_task(), a_task("job1"), b"garbage"):
        w.jobs.send(body)
    assert sweeping.sweep(w.world, ROW)
    assert marked(w)["foreign"] is True


def test_a_message_that_somebody_else_has_is_theirs_to_judge(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(*given: Any) -> None:
        raise HandleLost("stale")

    monkeypatch.setattr(w.jobs, "extend", lost)
    monkeypatch.setattr(w.jobs, "delete", lost)
    for body in (a_task(), a_task("job1")):
        w.jobs.send(body)
    assert sweeping.sweep(w.world, ROW) == []


@pytest.mark.parametrize(
    ("depth", "cleared"),
    [
        (Depth(visible=0, in_flight=0, delayed=0), True),
        (Depth(visible=1, in_flight=0, delayed=0), False),
        (Depth(visible=0, in_flight=1, delayed=0), False),
        (Depth(visible=0, in_flight=0, delayed=1), False),
        (Depth(visible=1, in_flight=1, delayed=0), False),
        (Depth(visible=0, in_flight=1, delayed=1), False),
    ],
)
def test_the_mark_goes_when_nothing_at_all_is_left_and_till_then_nobody_receives(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch, depth: Depth, cleared: bool
) -> None:
    def received(**how: Any) -> Any:
        raise AssertionError("a look counts as a receive")

    monkeypatch.setattr(w.jobs, "depth", lambda: depth)
    monkeypatch.setattr(w.jobs, "receive", received)
    assert sweeping.sweep(w.world, PoolRow(pool="standard", foreign=True)) == ()
    assert marked(w) == ({"pool": "standard", "foreign": False} if cleared else None)


def test_an_empty_queue_is_not_received_from(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Depth(visible=0, in_flight=3, delayed=0)
    monkeypatch.setattr(w.jobs, "depth", lambda: held)
    assert sweeping.sweep(w.world, ROW) == ()


def test_a_look_is_short_and_of_ten(w: MemoryWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, int]] = []

    def receive(**how: int) -> list[Any]:
        asked.append(how)
        return []

    w.jobs.send(a_task())
    monkeypatch.setattr(w.jobs, "receive", receive)
    sweeping.sweep(w.world, ROW)
    assert asked == [{"wait_seconds": 0, "limit": 10}]


def test_a_mark_that_could_not_be_written_is_written_later(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    def meets(changes: Sequence[Change]) -> None:
        assert changes == [Update(key=KEY, set={"pool": "standard", "foreign": True}, upsert=True)]
        raise Conflict("TransactionConflict")

    monkeypatch.setattr(w.table, "commit", meets)
    w.jobs.send(a_task())
    with pytest.raises(Temporary, match=r"^A mark could not be written\.$"):
        sweeping.sweep(w.world, ROW)


# --- rounds over the uploads --------------------------------------------------------------------


class Bucket:
    """A bucket of so many uploads, and what a round asks of it."""

    def __init__(self, w: MemoryWorld, patch: pytest.MonkeyPatch, count: int) -> None:
        old = w.clock.now() - limits.RECONCILE_GRACE_SECONDS
        self.uploads = [
            ObjectListed(key=f"uploads/{n:05d}", size_bytes=n, etag=f"e{n}", last_modified=old)
            for n in range(count)
        ]
        self.listed: list[tuple[str, str, str, int]] = []
        self.asked: list[int] = []
        self._get = w.table.get
        patch.setattr(w.store, "list", self.list)
        patch.setattr(w.table, "get", self.get)

    def list(
        self, bucket: str, prefix: str, *, after: str = "", limit: int = 0
    ) -> Sequence[ObjectListed]:
        self.listed.append((bucket, prefix, after, limit))
        return [one for one in self.uploads if one.key > after][:limit]

    def get(self, *keys: Any) -> Any:
        if keys != (ROUND_KEY,):
            self.asked.append(len(keys))
        return self._get(*keys)


def source(one: ObjectListed) -> SourceObject:
    return SourceObject(bucket="media", key=one.key, etag=one.etag, size_bytes=one.size_bytes)


def known(w: MemoryWorld, uploads: Sequence[ObjectListed]) -> None:
    for one in uploads:
        key = upload_key(upload_id(source(one)))
        w.table.commit([Create(key=key, item={"job_id": "job1"})])


def a_round(w: MemoryWorld) -> list[SourceObject]:
    """What one call takes."""
    taken: list[SourceObject] = []

    def look(take: Any, one: SourceObject) -> bool:
        taken.append(one)
        return True

    assert reconciling.reconcile(w.world, look) == ()
    return taken


def place(w: MemoryWorld) -> Any:
    (item,) = w.table.get(ROUND_KEY)
    return (item["cursor"], item["done_at"]) if item else None


PAGE, MOST = limits.RECONCILE_PAGE_KEYS, limits.RECONCILE_TAKEN_MAX


def test_a_round_takes_what_has_led_to_no_job_and_is_done_with_a_short_page(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = Bucket(w, monkeypatch, 5)
    known(w, bucket.uploads[:3])
    bucket.uploads.append(ObjectListed(key="uploads/9/", size_bytes=0, etag="", last_modified=0.0))
    assert a_round(w) == [source(one) for one in bucket.uploads[3:5]]
    assert bucket.listed == [("media", "uploads/", "", PAGE)]
    assert place(w) == ("uploads/9/", w.clock.now())
    assert a_round(w) == [] and len(bucket.listed) == 1


def test_uploads_that_are_too_young_are_left_to_their_events(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    Bucket(w, monkeypatch, 3)
    w.clock._now -= 1
    assert a_round(w) == []


def test_a_full_page_is_followed_by_the_next_and_keys_are_asked_about_by_the_hundred(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = Bucket(w, monkeypatch, PAGE + 1)
    known(w, bucket.uploads)
    assert a_round(w) == []
    ends = [after for _, _, after, _ in bucket.listed]
    assert ends == ["", f"uploads/{PAGE - 1:05d}"]
    assert bucket.asked == [*[100] * (PAGE // 100), *([PAGE % 100] if PAGE % 100 else []), 1]


def test_a_round_looks_at_so_many_pages_at_once_and_goes_on_where_it_was(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = limits.RECONCILE_PAGES_MAX
    bucket = Bucket(w, monkeypatch, PAGE * pages + 1)
    monkeypatch.setattr(reconciling, "_missing", lambda *given: [])
    a_round(w)
    assert len(bucket.listed) == pages
    assert place(w) == (f"uploads/{PAGE * pages - 1:05d}", None)
    a_round(w)
    assert place(w) == (f"uploads/{PAGE * pages:05d}", w.clock.now())


def test_a_round_takes_so_many_at_once_and_goes_on_behind_the_last(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = Bucket(w, monkeypatch, MOST + 2)
    assert a_round(w) == [source(one) for one in bucket.uploads[:MOST]]
    assert place(w) == (bucket.uploads[MOST - 1].key, None)
    known(w, bucket.uploads[:MOST])
    assert a_round(w) == [source(one) for one in bucket.uploads[MOST:]]
    assert place(w) == (bucket.uploads[-1].key, w.clock.now())


def test_what_one_page_takes_leaves_less_for_the_next(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = Bucket(w, monkeypatch, PAGE + 3)
    known(w, bucket.uploads[: PAGE - MOST + 1])
    taken = a_round(w)
    assert len(taken) == MOST and taken[-1] == source(bucket.uploads[PAGE])
    assert place(w) == (bucket.uploads[PAGE].key, None)


def test_a_page_for_which_there_is_no_room_is_read_again(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = Bucket(w, monkeypatch, PAGE + 2)
    known(w, bucket.uploads[: PAGE - MOST])
    assert len(a_round(w)) == MOST
    assert place(w) == (bucket.uploads[PAGE - 1].key, None)


def test_as_many_as_may_be_taken_are_a_page_that_is_done_with(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = Bucket(w, monkeypatch, MOST)
    assert len(a_round(w)) == MOST
    assert place(w) == (bucket.uploads[-1].key, w.clock.now())


def test_an_empty_bucket_is_a_round(w: MemoryWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    Bucket(w, monkeypatch, 0)
    assert a_round(w) == [] and place(w) == ("", w.clock.now())


def test_a_round_that_another_tick_has_moved_stays_where_that_put_it(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = Bucket(w, monkeypatch, 1)
    other = RoundRow(began_at=w.clock.now(), since=0.0, cursor="elsewhere")

    def look(take: Any, one: SourceObject) -> bool:
        w.table.commit([Create(key=ROUND_KEY, item=to_item(other))])
        return True

    reconciling.reconcile(w.world, look)
    assert place(w) == ("elsewhere", None) and len(bucket.listed) == 1


def test_what_a_round_finds_is_taken_as_what_stands(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[SourceObject, bool]] = []

    def take(world: Any, found: SourceObject, *, standing: bool) -> tuple[Command, ...]:
        asked.append((found, standing))
        return THEN

    monkeypatch.setattr(intake, "take_upload", take)
    bucket = Bucket(w, monkeypatch, 1)
    done: list[Any] = []

    def look(what: Any, *given: Any) -> bool:
        done.append(what(w.world, *given))
        return True

    reconciling.reconcile(w.world, look)
    assert done == [THEN] and asked == [(source(bucket.uploads[0]), True)]
