"""Boxes are read as they stand, and no bytes break the reading."""

import struct
import time
from array import array
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.worker.clips import Clips
from worker import boxes, keyframes
from worker.boxes import Malformed, Samples


def box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def u32(*numbers: int) -> bytes:
    return struct.pack(f">{len(numbers)}I", *numbers)


def elst(media_time: int, version: int = 0, count: int = 1) -> bytes:
    if version:
        return box(b"elst", u32(1 << 24, count), struct.pack(">QqI", 0, media_time, 1 << 16))
    return box(b"elst", u32(0, count), struct.pack(">IiI", 0, media_time, 1 << 16))


def moov(*edits: bytes) -> bytes:
    return box(b"moov", box(b"trak", *(box(b"edts", edit) for edit in edits)))


def moof(*truns: bytes, tfdt: bytes = u32(0, 100), tfhd: bytes = u32(0, 1)) -> bytes:
    runs = (box(b"trun", trun) for trun in truns)
    return box(b"moof", box(b"traf", box(b"tfhd", tfhd), box(b"tfdt", tfdt), *runs))


#: Duration, flags and offset of each sample: a keyframe and two that are none.
THREE = u32(0xD00, 3, *(40, 0, 80), *(40, 0x10000, 120), *(40, 0x10000, 40))
FILE = b"".join((box(b"ftyp", b"iso6"), moov(elst(80)), moof(THREE), box(b"mdat", b"pictures")))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "some.mp4"


def of(path: Path, content: bytes) -> Samples:
    path.write_bytes(content)
    return boxes.samples(path)


def test_samples_are_shown_as_the_edit_list_has_it(path: Path) -> None:
    found = of(path, FILE)
    assert list(found.decoded_at) == [100, 140, 180]
    assert list(found.shown_at) == [100, 180, 140]
    assert (list(found.sync), list(found.fragments), found.end) == ([0], [100], 220)


def test_without_an_edit_list_they_are_shown_as_they_say(path: Path) -> None:
    content = box(b"moov", box(b"trak")) + moof(THREE) + box(b"mdat", bytes(3))
    assert list(of(path, content).shown_at) == [180, 260, 220]


def test_long_times_and_negative_offsets_are_read(path: Path) -> None:
    run = struct.pack(">II", 1 << 24 | 0x900, 2) + struct.pack(">Ii", 10, 0)
    run += struct.pack(">Ii", 10, -5)
    long = u32(1 << 24) + struct.pack(">Q", 1 << 40)
    found = of(path, moov(elst(7, version=1)) + moof(run, tfdt=long) + box(b"mdat", bytes(2)))
    assert list(found.shown_at) == [(1 << 40) - 7, (1 << 40) + 10 - 5 - 7]


def test_what_a_run_leaves_unsaid_its_fragment_says(path: Path) -> None:
    # Base offset and description index stand before duration, size and flags.
    header = u32(0x3B, 1, 0, 0, 1, 25, 9, 0x10000)
    run = u32(0x5, 3, 0, 0)  # a data offset, and flags of the first
    found = of(path, moov(elst(0)) + moof(run, tfhd=header) + box(b"mdat", bytes(3)))
    assert list(found.decoded_at) == [100, 125, 150]
    assert list(found.sync) == [0]


def test_fragments_follow_each_other(path: Path) -> None:
    later = moof(THREE, tfdt=u32(0, 500))
    found = of(path, FILE + later + box(b"mdat", bytes(3)))
    assert list(found.fragments) == [100, 500]
    assert list(found.sync) == [0, 3]
    assert found.end == 620


def test_the_beginning_and_the_fragments_are_told_apart(path: Path) -> None:
    index = box(b"mfra", b"index")
    path.write_bytes(FILE + box(b"sidx", b"") + index)
    assert boxes.beginning(path) == box(b"ftyp", b"iso6") + moov(elst(80))
    assert [one.kind for one in boxes.fragments(path)] == [b"moof", b"mdat"]


def test_a_long_size_is_believed_where_it_fits(path: Path) -> None:
    content = struct.pack(">I4sQ", 1, b"mdat", 20) + b"four"
    path.write_bytes(content)
    assert [(one.start, one.size) for one in boxes.boxes(path)] == [(0, 20)]


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (FILE[:-1], "where"),
        (FILE + b"half", "cut off"),
        (u32(0) + b"mdat", "0 bytes"),
        (u32(7) + b"mdat" + bytes(9), "7 bytes"),
        (struct.pack(">I4sQ", 1, b"mdat", 1 << 63) + bytes(9), "where"),
        (box(b"moov"), "0 boxes trak"),
        (box(b"moov", box(b"trak"), box(b"trak")), "2 boxes trak"),
        (moov(box(b"elst")), "cut off"),
        (moov(b""), "0 boxes elst"),
        (moov(elst(0), elst(0)), "2 boxes edts"),
        (moov(elst(-1)), "more than one piece"),
        (moov(elst(0, count=2)), "more than one piece"),
        (moov(elst((1 << 62) + 1, version=1)), "more than one piece"),
        (box(b"moof"), "0 boxes traf"),
        (box(b"moof", box(b"traf")), "0 boxes tfhd"),
        (moof(THREE, tfdt=b""), "cut off"),
        (moof(THREE, tfdt=u32(1 << 24, 0)), "cut off"),
        (moof(THREE, tfdt=u32(1 << 24, 1 << 31, 0)), "begins at"),
        (moof(THREE, tfhd=u32(0x8)), "cut off"),
        (moof(THREE[:-1]), "cut off"),
        (moof(b""), "cut off"),
        (moof(u32(0, 0xFFFFFFFF)), "more samples than bytes"),
        (b"".join(moof(u32(0, 90)) for _ in range(3)), "more samples than bytes"),
    ],
)
def test_what_our_encoder_never_writes_is_refused(path: Path, content: bytes, word: str) -> None:
    with pytest.raises(Malformed, match=word):
        of(path, content)


# --- Where the keyframe of a fragment ends ------------------------------------------------------


def nal(kind: int, size: int = 4) -> bytes:
    """A unit of H.264 with its length before it."""
    return u32(size) + bytes([0x60 | kind]) + bytes(size - 1)


def fragment(
    *sample: bytes,
    flags: int = 0xA05,
    base: int = 0x20000,
    late: int = 0,
    more: int = 0,
    count: int = 2,
) -> bytes:
    """Of a first sample of these units and a second one; `late` and `more` are told of the first
    one's place and size, and are not so."""
    size = len(b"".join(sample)) + more
    told = {0x4: 0x2000000, 0x100: 512, 0x200: size, 0x800: 1536}
    first = [value for bit, value in told.items() if flags & bit and bit >= 0x100]
    head = [told[0x4]] if flags & 0x4 else []
    tfhd = u32(base | 0x10, 1, size)

    def made(offset: int) -> bytes:
        place = [offset] if flags & 0x1 else []
        run = u32(flags, count, *place, *head, *first, *first)
        return moof(run, tfhd=tfhd)

    return made(len(made(0)) + 8 + late) + box(b"mdat", *sample, nal(1))


@pytest.mark.parametrize("flags", [0xA05, 0xF01, 0x005, 0x001, 0x205])
def test_a_keyframe_ends_where_its_sample_does(path: Path, flags: int) -> None:
    units = (nal(9), nal(7, 20), nal(6, 700), nal(5, 3000), nal(5, 2000))
    content = fragment(*units, flags=flags)
    path.write_bytes(b"before" + content + b"behind")
    found = keyframes.key_bytes(path, boxes.Span(6, len(content)), "h264")
    assert found == len(content) - len(nal(1))
    assert content[:found].endswith(units[-1])


@pytest.mark.parametrize("units", [(nal(1),), (nal(7), nal(6), nal(1)), (nal(5), nal(1))])
def test_a_picture_that_needs_others_is_no_keyframe(path: Path, units: tuple[bytes, ...]) -> None:
    path.write_bytes(content := fragment(*units))
    assert keyframes.key_bytes(path, boxes.Span(0, len(content)), "h264") == 0


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (fragment(nal(7), nal(6)), "without a picture"),
        (fragment(nal(5), late=4), "not where its fragment begins"),
        (fragment(nal(5), late=-8), "not where its fragment begins"),
        (fragment(nal(5), more=9999), "not where its fragment begins"),
        (fragment(nal(5), more=1), "cut off"),
        (fragment(nal(5), nal(5), more=-1), "units do not fill"),
        (fragment(nal(5), u32(0)), "cut off"),
        (fragment(u32(0), nal(5)), "units do not fill"),
        (fragment(nal(5), base=0), "unknown place"),
        (fragment(nal(5), base=0x20001), "unknown place"),
        (fragment(nal(5), flags=0xA04), "unknown place"),
        (fragment(nal(5), count=0), "unknown place"),
        (moof(tfhd=u32(0x20000, 1)) + box(b"mdat"), "unknown place"),
        (box(b"mdat", nal(5)), "4 bytes, where 8 are left"),
    ],
)
def test_a_keyframe_that_is_not_where_it_should_be_is_refused(
    path: Path, content: bytes, word: str
) -> None:
    path.write_bytes(content)
    with pytest.raises(Malformed, match=word):
        keyframes.key_bytes(path, boxes.Span(0, len(content)), "h264")


KINDS = st.sampled_from([b"moov", b"trak", b"edts", b"elst", b"moof", b"traf", b"tfhd", b"tfdt"])
LEAVES = st.binary(max_size=40)
TREES = st.recursive(
    LEAVES,
    lambda inner: st.lists(st.tuples(KINDS | st.just(b"trun"), inner), max_size=4).map(
        lambda pairs: b"".join(box(kind, body) for kind, body in pairs)
    ),
    max_leaves=12,
)
#: Bytes, boxes of any shape, and a good file with something overwritten.
CONTENTS = (
    st.binary(max_size=200)
    | TREES
    | st.tuples(st.integers(0, len(FILE)), st.binary(max_size=8)).map(
        lambda hit: FILE[: hit[0]] + hit[1] + FILE[hit[0] + len(hit[1]) :]
    )
)


@settings(deadline=None)  # of the wall clock; processor time is bounded below
@given(content=CONTENTS)
@example(content=b"")
@example(content=fragment(nal(5)))
@example(content=moov(elst(1 << 62, version=1)) + moof(THREE, tfdt=u32(1 << 24, 1 << 30, 0)))
def test_any_bytes_are_read_or_refused_and_soon(
    content: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.mp4"
    path.write_bytes(content)
    began = time.process_time()

    def keyed(path: Path) -> int:
        return keyframes.key_bytes(path, boxes.Span(0, len(content)), "h264")

    for read in (boxes.boxes, boxes.beginning, boxes.fragments, boxes.samples, keyed):
        try:
            read(path)
        except Malformed:
            continue
    assert time.process_time() - began < 1


# --- Whether samples are where they should be --------------------------------------------------


def held(
    shown_at: list[int], decoded_at: list[int] | None = None, sync: tuple[int, ...] = (0,)
) -> Samples:
    return Samples(
        shown_at=array("q", shown_at),
        decoded_at=array("q", range(len(shown_at)) if decoded_at is None else decoded_at),
        sync=array("q", sync),
        fragments=array("q", [0]),
        end=0,
    )


def test_frames_may_be_shown_in_another_order_than_they_are_decoded() -> None:
    assert boxes.astray(held([0, 120, 40, 80]), array("q", [0, 40, 80, 120])) == ""


@pytest.mark.parametrize(
    ("found", "word"),
    [
        (held([0, 40]), "2 frames, not 3"),
        (held([0, 40, 80, 120]), "4 frames, not 3"),
        (held([0, 40, 81]), "3 frames, not 3 in their places"),
        (held([0, 40, 40]), "in their places"),
        (held([0, 40, 80], [0, 1, 1]), "decoded at one time"),
        (held([0, 40, 80], [0, 2, 1]), "decoded at one time"),
        (held([0, 40, 80], sync=(1,)), "no keyframe"),
        (held([0, 40, 80], sync=()), "no keyframe"),
    ],
)
def test_frames_that_are_astray_are_told(found: Samples, word: str) -> None:
    assert word in boxes.astray(found, array("q", [0, 40, 80]))


@pytest.mark.worker
def test_what_ffmpeg_writes_is_read_to_the_tick(made: Clips, tmp_path: Path) -> None:
    """B-frames, fragments by keyframe, from 10 s on."""
    plain = made.make(
        "ten-seconds-in.mp4",
        "-f", "lavfi", "-i", "testsrc2=s=64x64:r=25:d=2", "-c:v", "libx264", "-g", "20",
        "-bf", "2", "-output_ts_offset", "10", "-video_track_timescale", "25",
        "-movflags", "+cmaf+frag_keyframe+delay_moov+frag_discont",
    )  # fmt: skip
    found = boxes.samples(plain)
    assert sorted(found.shown_at) == list(range(250, 300))
    assert list(found.sync) == [0, 20, 40]
    assert len(found.fragments) == 3
    assert boxes.astray(found, array("q", range(250, 300))) == ""
    _, spans = boxes.spans(plain)
    assert all(0 < keyframes.key_bytes(plain, span, "h264") < span.size for span in spans)
