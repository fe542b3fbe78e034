"""Lists are small, come back as they were, and no bytes break their reading."""

import gzip
import zlib
from array import array
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mayfly.contract.packed import Unreadable
from mayfly.contract.plan import Plan
from worker import lists, seams
from worker.seams import Frames

PLAN = Plan(time_base=(1, 100), origin_ticks=1000, margin_seconds=1.0, boundaries=(3000, 5000))


def opened(folder: Path, packed: bytes) -> Path:
    path = folder / "list"
    path.write_bytes(packed)
    return path


@given(ticks=st.lists(st.integers(-(2**40), 2**40), max_size=50).map(sorted))
@example(ticks=[])
def test_times_come_back(tmp_path_factory: pytest.TempPathFactory, ticks: list[int]) -> None:
    path = opened(tmp_path_factory.mktemp("lists"), lists.pack_ticks(ticks))
    assert list(lists.unpack_ticks(path)) == ticks


def chunk(number: int) -> Frames:
    """What a chunk decodes: half a second before its interval, and its own."""
    begin, end = ((0, 2000), (1950, 4000), (3950, 6000))[number]
    ticks = array("q", range(begin, end, 5))
    return Frames(ticks, tuple(f"{tick:016x}{tick:016x}" for tick in ticks))


def test_frames_come_back_with_the_hashes_at_seams(tmp_path: Path) -> None:
    chunks = []
    for number in range(3):
        frames, scope = chunk(number), PLAN.scope(number)
        packed = lists.pack_frames(frames, scope, 50)
        assert packed == lists.pack_frames(frames, scope, 50)
        found = lists.unpack_frames(opened(tmp_path, packed))
        assert found.ticks == frames.ticks
        kept = {
            tick: hashed for tick, hashed in zip(found.ticks, found.hashes, strict=True) if hashed
        }
        start, end = ((None, 2000), (2000, 4000), (4000, None))[number]
        assert set(kept) == {
            tick
            for tick in frames.ticks
            if (start is not None and tick < start) or (end is not None and tick >= end - 50)
        }
        assert all(hashed == f"{tick:016x}" for tick, hashed in kept.items())
        chunks.append((scope, found))
    assert seams.torn(chunks, 50) == []
    assert seams.flaw(array("q", range(0, 6000, 5)), chunks) == ""


def test_a_list_is_small(tmp_path: Path) -> None:
    """An hour of 25 frames a second on MPEG's clock, and what is hashed at two seams."""
    ticks = array("q", range(0, 90_000 * 3600, 3600))
    assert len(lists.pack_ticks(ticks)) < 2000


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"plain",
        gzip.compress(b"12\nx\n", mtime=0),
        gzip.compress(b"1\n2", mtime=0)[:-9],
        b"\x1f\x8b\x08",
    ],
)
def test_what_is_no_list_is_refused(tmp_path: Path, content: bytes) -> None:
    for read in (lists.unpack_ticks, lists.unpack_frames):
        with pytest.raises(Unreadable):
            read(opened(tmp_path, content))


def test_times_beyond_64_bits_are_refused(tmp_path: Path) -> None:
    for read in (lists.unpack_ticks, lists.unpack_frames):
        with pytest.raises(Unreadable):
            read(opened(tmp_path, gzip.compress(str(2**63).encode())))


def test_a_few_bytes_do_not_become_gigabytes(tmp_path: Path) -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    chunks = [packer.compress(b"1\n" * (1 << 23)) for _ in range(5)]
    bomb = b"".join([*chunks, packer.flush()])
    assert len(bomb) < 1 << 20
    with pytest.raises(Unreadable, match="larger than any"):
        lists.unpack_ticks(opened(tmp_path, bomb))


@given(content=st.binary(max_size=60))
def test_no_bytes_break_the_reading(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = opened(tmp_path_factory.mktemp("lists"), gzip.compress(content))
    for read in (lists.unpack_ticks, lists.unpack_frames):
        try:
            read(path)
        except Unreadable:
            continue
