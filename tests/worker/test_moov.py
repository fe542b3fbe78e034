"""The index of an MP4 against what ffprobe lists of its packets, and files that are not plain."""

import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.worker import references
from tests.worker.clips import Clips
from worker import moov
from worker.halt import Halt
from worker.probe import Stream
from worker.prober import Prober
from worker.scan import Scan

pytestmark = pytest.mark.worker

CASES = {
    "plain.mp4": (),
    "front.mp4": ("-movflags", "+faststart"),
    "pictures.mov": ("-bf", "3"),
    "keys.mp4": ("-g", "1"),
    "open.mp4": ("-x264-params", "open-gop=1:bframes=3", "-g", "10"),
    "late.mp4": ("-output_ts_offset", "3.21"),
    "ticks.mp4": ("-video_track_timescale", "90000", "-bf", "2"),
    "negative.mp4": ("-movflags", "+negative_cts_offsets", "-bf", "3"),
    "movie.mp4": ("-movie_timescale", "90000"),
    "no-list.mp4": ("-use_editlist", "0", "-bf", "0"),
    "even-rate.mp4": ("-r", "30000/1001"),
    "uneven.mp4": ("-vf", "select='not(mod(n,3))+gt(random(1),0.5)'", "-fps_mode", "passthrough"),
    "second.mp4": ("-map", "1", "-map", "0"),
    "mpeg4.mp4": ("-c:v", "mpeg4", "-bf", "1"),
}


#: What a scan says of the picture.
FIELDS = (
    "frames", "packets", "ticks", "tick", "key_ticks",
    "regular", "goes_back", "headless", "reordered",
)  # fmt: skip


def looked(path: Path, ffprobe: Path) -> tuple[Stream, Callable[[], Scan]]:
    prober = Prober(str(ffprobe))
    probe = prober.probe(path.name, folder=path.parent, halt=Halt())
    picture = probe.picture()
    assert picture is not None
    return picture, lambda: prober.scan(path.name, probe, folder=path.parent, halt=Halt())


def indexed(path: Path, picture: Stream) -> Scan:
    with path.open("rb") as file:
        return moov.read_index(file, path.stat().st_size).scan(picture)


@pytest.mark.parametrize("name", CASES)
def test_the_index_says_what_the_packets_say(made: Clips, ffprobe: Path, name: str) -> None:
    path = made.plain(f"index-{name}", *CASES[name])
    picture, scanned = looked(path, ffprobe)
    found, wanted = indexed(path, picture), scanned()
    for field in FIELDS:
        assert getattr(found, field) == getattr(wanted, field), field


def fragmented(made: Clips) -> Path:
    return made.plain("index-fragments.mp4", "-movflags", "+frag_keyframe+empty_moov")


def cut_by_its_list(made: Clips) -> Path:
    plain = made.plain("index-whole.mp4", "-g", "250", seconds=4)
    return made.make("index-cut.mp4", "-ss", "1.3", "-i", str(plain), "-c", "copy")


def truncated(made: Clips) -> Path:
    whole = made.plain("index-front.mp4", "-movflags", "+faststart")
    path = whole.with_name("index-truncated.mp4")
    path.write_bytes(whole.read_bytes()[:-5000])
    return path


def elsewhere(made: Clips) -> Path:
    whole = made.make("index-late.mp4", "-i", str(made.plain()), "-c", "copy")
    path = whole.with_name("index-elsewhere.mp4")
    path.write_bytes(references.elsewhere(whole, "/other.mp4"))
    return path


def broken(kind: bytes, form: str, at: int, *values: int | bytes) -> Callable[[Clips], Path]:
    """The plain file with other numbers in the body of its first box of a kind."""

    def make(made: Clips) -> Path:
        whole = bytearray(made.plain("index-b.mp4", "-bf", "2").read_bytes())
        struct.pack_into(form, whole, whole.index(kind) + 4 + at, *values)
        path = made.plain().with_name(f"index-broken-{kind.decode()}-{at}.mp4")
        path.write_bytes(whole)
        return path

    return make


@pytest.mark.parametrize("first_key", [2, 4])
def test_frames_before_the_first_keyframe_are_told(
    made: Clips, ffprobe: Path, first_key: int
) -> None:
    """By the index, whatever the pictures themselves would say: such a file is looked at wholly."""
    path = broken(b"stss", ">I", 8, first_key)(made)
    assert indexed(path, looked(path, ffprobe)[0]).headless


UNCLEAR = {
    "fragments": fragmented,
    "an edit list that hides frames": cut_by_its_list,
    "cut off": truncated,
    "samples elsewhere": elsewhere,
    "a table larger than the file": broken(b"stts", ">I", 4, 0xFFFFFFFF),
    "more frames than anybody has": broken(b"stts", ">I", 8, 0xFFFFFFFF),
    "times that run backwards": broken(b"stts", ">I", 12, 0xFFFFFFFF),
    "fewer offsets than frames": broken(b"ctts", ">I", 4, 1),
    "more offsets than frames": broken(b"ctts", ">I", 8, 0xFFFFFF),
    "offsets that ffprobe knows nothing of": broken(b"ctts", ">I", 12, 500_000),
    "a keyframe beyond the end": broken(b"stss", ">I", 8, 1000),
    "a keyframe before the first": broken(b"stss", ">I", 8, 0),
    "another clock": broken(b"mdhd", ">I", 12, 600),
    "a clock that stands still": broken(b"mvhd", ">I", 12, 0),
    "a speed": broken(b"elst", ">I", 16, 0x20000),
    "an edit of no length": broken(b"elst", ">I", 8, 0),
    "another kind of track": broken(b"hdlr", ">4s", 8, b"soun"),
    "a box of four bytes": broken(b"stbl", ">I", 0, 4),
}


@pytest.mark.parametrize("why", UNCLEAR)
def test_what_is_not_the_plain_case_says_nothing(made: Clips, ffprobe: Path, why: str) -> None:
    picture, _ = looked(made.plain("index-b.mp4", "-bf", "2"), ffprobe)
    with pytest.raises(moov.Unclear):
        indexed(UNCLEAR[why](made), picture)


@pytest.mark.parametrize("content", [b"", b"\0" * 7, b"\0\0\0\x08free" * 100, b"RIFF____AVI LIST"])
def test_what_is_no_mp4_says_nothing(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "source"
    path.write_bytes(content)
    with path.open("rb") as file, pytest.raises(moov.Unclear):
        moov.read_index(file, len(content))


def test_no_byte_of_an_index_makes_it_fail_in_another_way(made: Clips, ffprobe: Path) -> None:
    """Each byte of it turned, one at a time."""
    path = made.plain("index-tiny.mp4", "-movflags", "+faststart", "-bf", "2", seconds=0.4)
    picture, scanned = looked(path, ffprobe)
    whole, wanted = path.read_bytes(), scanned()
    start = whole.index(b"moov") - 4
    changed = path.with_name("index-turned.mp4")
    same = 0
    for at in range(start, start + struct.unpack_from(">I", whole, start)[0]):
        changed.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        try:
            same += indexed(changed, picture).frames == wanted.frames
        except moov.Unclear:
            continue
    assert same > 100
