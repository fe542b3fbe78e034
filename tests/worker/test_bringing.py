"""Joining thousands of chunks: in order, several at once, none kept, by URLs that live."""

import os
import re
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest

from mayfly.contract import report, wire
from mayfly.contract.task import Fetch, Grants, Input, Inputs
from mayfly.core import limits
from tests.worker import store
from tests.worker.conftest import Rig, kinds
from tests.worker.lengthy import CHUNK, LISTED, LongFilm
from worker import bringing, join
from worker.order import Done, Order

pytestmark = pytest.mark.worker

Brought = Iterator[tuple[Input, Path]]

#: `JOIN_CHUNKS=10000` joins as many as there may be; they take a minute or two.
CHUNKS = int(os.environ.get("JOIN_CHUNKS", "1000"))


def joined(said: list[report.Report]) -> report.Encoded:
    last = said[-1]
    assert isinstance(last, report.Encoded), last
    return last


def test_thousands_of_chunks_are_joined_in_their_order(rig: Rig, tmp_path: Path) -> None:
    """Proven against the packet list, the seams' hashes and the joined file's own times, as any."""
    long = LongFilm(rig, CHUNKS, tmp_path)
    done = joined(long.finish())
    assert done.outputs[0].media.frames == CHUNKS * CHUNK
    assert rig.bucket.count("GET") == 2 * CHUNKS + 2  # two of each, the list, and the packets'


def test_what_waits_on_disk_is_bounded_and_goes_when_it_is_joined(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long, most = LongFilm(rig, 60, tmp_path), [0]
    taken = join.Joining._in_turn
    folder = Path(rig.settings.scratch) / "attempt" / "in"

    def counting(self: join.Joining, brought: Brought) -> Brought:
        for one in taken(self, brought):
            most[0] = max(most[0], len(list(folder.glob("part-*"))))
            yield one

    monkeypatch.setattr(join.Joining, "_in_turn", counting)
    joined(long.finish())
    assert 1 < most[0] <= bringing.AHEAD_MAX + 1


def test_several_are_asked_for_at_once_and_no_more(rig: Rig, tmp_path: Path) -> None:
    long = LongFilm(rig, 40, tmp_path)
    together, counting = threading.Barrier(bringing.AT_ONCE), threading.Lock()
    under_way, most, met = [0], [0], [0]

    def meet(handler: BaseHTTPRequestHandler, seen: store.Seen) -> bool:
        if "chunk" not in seen.path:
            return False
        with counting:
            met[0] += 1
            first = met[0] <= bringing.AT_ONCE
            under_way[0] += 1
            most[0] = max(most[0], under_way[0])
        if first:
            together.wait(timeout=20)
        with counting:
            under_way[0] -= 1
        return False

    rig.bucket.mischief = [meet]
    joined(long.finish())
    assert most == [bringing.AT_ONCE]


def test_what_breaks_off_is_fetched_again_alone(rig: Rig, tmp_path: Path) -> None:
    long, failed = LongFilm(rig, 20, tmp_path), [0]

    def now_and_then(handler: BaseHTTPRequestHandler, seen: store.Seen) -> bool:
        if "chunk-7/" not in seen.path or failed[0] >= 4:
            return False
        failed[0] += 1
        store.reply(handler, 503)
        rig.bucket.mischief.insert(0, now_and_then)  # the one that answered is taken away
        return True

    rig.bucket.mischief = [now_and_then]
    assert joined(long.finish()).outputs[0].media.frames == 40
    assert failed == [4]


def test_a_halt_ends_all_that_are_under_way(rig: Rig, tmp_path: Path) -> None:
    long, held, asked = LongFilm(rig, 40, tmp_path), threading.Event(), [0]

    def never(handler: BaseHTTPRequestHandler, seen: store.Seen) -> bool:
        if "chunk" not in seen.path:
            return False
        asked[0] += 1
        if asked[0] == bringing.AT_ONCE:
            rig.stop.ask()
        return held.wait(timeout=30)

    rig.bucket.mischief = [never] * 40
    try:
        said = long.finish()
    finally:
        held.set()
    assert kinds(said) == ["Started", "Interrupted"]
    assert asked[0] == bringing.AT_ONCE


def test_a_film_that_finds_no_room_is_refused_before_it_is_joined(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = LongFilm(rig, 20, tmp_path)
    film = sum(part.size_bytes for part in long.inputs if part.file == "video.mp4")
    free = limits.RESERVED_DISK_BYTES + 2 * film - 1
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    last = long.finish()[-1]
    assert isinstance(last, report.Failed)
    assert (last.code, last.detail.partition(" bytes")[0]) == (
        "output_limit",
        f"to join video.mp4 takes {2 * film}",
    )


def test_progress_grows_while_parts_are_fetched(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long, seen = LongFilm(rig, 60, tmp_path), list[float]()
    bring = join.Joining._bring

    def noting(self: join.Joining, part: Input, path: str) -> Path:
        seen.append(self.room.order.progress.fraction)
        return bring(self, part, path)

    monkeypatch.setattr(join.Joining, "_bring", noting)
    joined(long.finish())
    assert seen == sorted(seen)
    assert seen[0] == 0 and 0.5 < seen[-1] < 0.9


def test_a_join_that_outlives_its_urls_reads_the_new_list(rig: Rig, tmp_path: Path) -> None:
    """The heartbeat renews the grants; every URL of the first list dies while it is at work."""
    long = LongFilm(rig, 30, tmp_path)
    rig.bucket.objects["work/job-1/control.json"] = b"{}"
    task = long.task()
    task["control"] = {"url": rig.bucket.url("work/job-1/control.json")}
    orders: list[Order] = []
    work, dead = rig.work, [False]

    class Remembering:
        """The real work, whose order the test knows."""

        def do(self, order: Order) -> Done:
            orders.append(order)
            return work.do(order)

    def dying(handler: BaseHTTPRequestHandler, seen: store.Seen) -> bool:
        if "chunk-12/" in seen.path and not dead[0]:
            dead[0] = True
            renewed = [
                msgspec.structs.replace(one, fetch=Fetch(url=f"{one.fetch.url}&renewed"))
                for one in long.inputs
            ]
            rig.bucket.objects["work/job-1/newer.json"] = wire.encode(Inputs(parts=tuple(renewed)))
            held = orders[0].grants
            assert held.control is not None
            held.renew(
                Grants(
                    source=held.source,
                    upload=held.upload,
                    control=held.control,
                    grants_end_at=rig.clock.now() + 2 * limits.GRANT_SECONDS,
                    inputs=Fetch(url=rig.bucket.url("work/job-1/newer.json")),
                )
            )
        if dead[0] and re.search(r"(chunk|audio)-\d+/", seen.path) and "renewed" not in seen.path:
            store.reply(handler, 503)  # so that it is asked for again, by whatever URL is new
            rig.bucket.mischief.insert(0, dying)
            return True
        return False

    rig.bucket.mischief = [dying]
    rig.work = Remembering()
    assert joined(long.film.say(task)).outputs[0].media.frames == 60
    paths = [seen.path for seen in rig.bucket.seen]
    assert sum(LISTED in path for path in paths) == 1
    assert sum("newer.json" in path for path in paths) == 1
