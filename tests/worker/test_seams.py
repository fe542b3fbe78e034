"""Two witnesses: the packets know every frame, the hashes both sides of every seam."""

from array import array
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.contract.plan import Plan, Scope
from worker import seams
from worker.seams import Frames

#: Ticks that a chunk hashes of its predecessor.
SEAM = 50


def hashed(tick: int) -> str:
    return f"picture at {tick}"


def plan_of(*boundaries: int, origin: int = 0) -> Plan:
    return Plan(time_base=(1, 100), origin_ticks=origin, margin_seconds=1.0, boundaries=boundaries)


def seen(packets: list[int], plan: Plan) -> list[tuple[Scope, Frames]]:
    """What honest chunks decode: their own frames, and the end of the chunk before."""
    chunks = []
    for number in range(plan.chunks):
        scope = plan.scope(number)
        start = None if scope.start_ticks is None else scope.start_ticks - plan.origin_ticks
        end = None if scope.end_ticks is None else scope.end_ticks - plan.origin_ticks
        ticks = [
            tick
            for tick in packets
            if (start is None or tick >= start - SEAM) and (end is None or tick < end)
        ]
        chunks.append((scope, Frames(array("q", ticks), tuple(map(hashed, ticks)))))
    return chunks


@st.composite
def films(draw: st.DrawFn) -> tuple[list[int], Plan]:
    """Frames at any distances, cut at any of them, on a clock that begins anywhere."""
    gaps = draw(st.lists(st.integers(1, 120), min_size=3, max_size=60))
    packets = [sum(gaps[:n]) for n in range(len(gaps))]
    origin = draw(st.integers(-(10**6), 10**6))
    cuts = draw(st.sets(st.sampled_from(packets[1:]), min_size=1))
    return packets, plan_of(*(cut + origin for cut in sorted(cuts)), origin=origin)


def proven(packets: list[int], chunks: list[tuple[Scope, Frames]]) -> bool:
    return not seams.flaw(array("q", packets), chunks) and not seams.torn(chunks, SEAM)


@given(film=films())
def test_honest_chunks_are_always_proven(film: tuple[list[int], Plan]) -> None:
    packets, plan = film
    assert proven(packets, seen(packets, plan))


@given(film=films(), data=st.data())
def test_whatever_frame_a_chunk_lost_or_moved_is_missed(
    film: tuple[list[int], Plan], data: st.DataObject
) -> None:
    packets, plan = film
    chunks = seen(packets, plan)
    number = data.draw(st.integers(0, plan.chunks - 1))
    scope, frames = chunks[number]
    # What it saw of chunks before its predecessor, which may be short, is no seam of its.
    begun = plan.scope(max(0, number - 1)).start_ticks
    first = packets[0] if begun is None else begun - plan.origin_ticks
    at = data.draw(st.sampled_from([n for n, tick in enumerate(frames.ticks) if tick >= first]))
    ticks, hashes = list(frames.ticks), list(frames.hashes)
    if data.draw(st.booleans()):
        del ticks[at], hashes[at]
    else:
        ticks[at] += data.draw(st.sampled_from([-1, 1]))
    chunks[number] = (scope, Frames(array("q", ticks), tuple(hashes)))
    assert not proven(packets, chunks)


@given(film=films(), data=st.data())
def test_a_packet_list_that_lies_fits_no_chunks(
    film: tuple[list[int], Plan], data: st.DataObject
) -> None:
    packets, plan = film
    chunks, lie = seen(packets, plan), list(packets)
    at = data.draw(st.integers(0, len(lie) - 1))
    match data.draw(st.sampled_from(["lost", "doubled", "moved"])):
        case "lost":
            del lie[at]
        case "doubled":
            lie.insert(at, lie[at])
        case _:
            lie[at] += 1
    assert seams.flaw(array("q", lie), chunks)


@given(film=films(), data=st.data())
def test_chunks_in_another_order_are_never_proven(
    film: tuple[list[int], Plan], data: st.DataObject
) -> None:
    packets, plan = film
    chunks = seen(packets, plan)
    mixed = data.draw(st.permutations(chunks))
    assert proven(packets, mixed) == (mixed == chunks)


@given(film=films(), data=st.data())
def test_a_missing_or_doubled_chunk_is_never_proven(
    film: tuple[list[int], Plan], data: st.DataObject
) -> None:
    packets, plan = film
    chunks = seen(packets, plan)
    at = data.draw(st.integers(0, len(chunks) - 1))
    assert seams.flaw(array("q", packets), chunks[:at] + chunks[at + 1 :])
    assert seams.flaw(array("q", packets), chunks[:at] + chunks[at : at + 1] + chunks[at:])


PACKETS = list(range(0, 400, 4))
PLAN = plan_of(100, 200, 300)


def test_a_wrong_picture_at_a_seam_is_seen_by_the_hashes_alone() -> None:
    chunks = seen(PACKETS, PLAN)
    scope, frames = chunks[2]
    wrong = Frames(frames.ticks, ("garbage", *frames.hashes[1:]))
    chunks[2] = (scope, wrong)
    assert seams.flaw(array("q", PACKETS), chunks) == ""
    assert seams.torn(chunks, SEAM) == [2]


def test_a_decoder_that_began_too_late_is_seen_by_either_witness() -> None:
    chunks = seen(PACKETS, PLAN)
    scope, frames = chunks[2]
    late = frames.between(232, None)
    chunks[2] = (scope, late)
    assert seams.flaw(array("q", PACKETS), chunks) == ("chunk 2 has 17 frames, 8 of them misplaced")
    assert seams.torn(chunks, SEAM) == [2]


def test_an_end_that_is_missing_is_seen_by_either_witness_but_the_last() -> None:
    for number in range(3):
        chunks = seen(PACKETS, PLAN)
        scope, frames = chunks[number]
        chunks[number] = (scope, frames.between(None, 100 * number + 96))
        assert seams.flaw(array("q", PACKETS), chunks).startswith(f"chunk {number + 1} has")
        assert seams.torn(chunks, SEAM) == [number + 1]


def test_a_last_chunk_that_ended_early_is_seen_by_the_packets_alone() -> None:
    chunks = seen(PACKETS, PLAN)
    scope, frames = chunks[3]
    chunks[3] = (scope, frames.between(None, 380))
    assert seams.torn(chunks, SEAM) == []
    assert seams.flaw(array("q", PACKETS), chunks) == "5 frames are in no chunk"


def test_frames_are_read_as_ffmpeg_lists_them(tmp_path: Path) -> None:
    path = tmp_path / "frames.txt"
    path.write_text(
        "#format: frame checksums\n#hash: murmur3\n#tb 0: 1/12800\n"
        "#stream#, dts,        pts, duration,     size, hash\n"
        "0,      51200,      51200,      512,    86400, f2227c8a\n"
        "0,      51712,      51712,      512,    86400, 0a\n"
    )
    found = seams.read_frames(path)
    assert (list(found.ticks), found.hashes) == ([51200, 51712], ("f2227c8a", "0a"))


@pytest.mark.parametrize(("number", "wanted"), [(0, [0, 4]), (1, [8, 12]), (2, [16, 20])])
def test_an_interval_is_half_open_and_the_ends_have_no_end(number: int, wanted: list[int]) -> None:
    plan = plan_of(1008, 1016, origin=1000)
    scope = plan.scope(number)
    packets = array("q", [0, 4, 8, 12, 16, 20])
    assert list(seams.of_interval(packets, scope)) == wanted
    frames = Frames(packets, tuple(map(hashed, packets)))
    assert list(seams.own(frames, scope).ticks) == wanted
    assert list(seams.before(frames, scope).ticks) == [t for t in packets if t < wanted[0]]
