"""What players ask their decoders for is what the file itself says, for each codec in each file;
and no bytes break the reading."""

import re
import struct
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mayfly.contract import report
from mayfly.contract.formats import VIDEO_FILES
from mayfly.contract.recipe import AudioOutput, Box, Sound, VideoOutput
from tests.worker.clips import Clips
from tests.worker.conftest import Rig
from tests.worker.cutting import Film
from tests.worker.test_boxes import box, fragment, nal
from worker import boxes, ebml, keyframes, sample_entries
from worker.boxes import Malformed

#: As each codec's own people write it.
_PICTURES = {
    ("h264", 8): r"avc1\.(42c0|6400)[0-9a-f]{2}",
    ("h264", 10): r"avc1\.6e00[0-9a-f]{2}",
    ("hevc", 8): r"hvc1\.1\.6\.L30\.90",
    ("hevc", 10): r"hvc1\.2\.4\.L30\.90",
    ("av1", 8): r"av01\.0\.00M\.08",
    ("av1", 10): r"av01\.0\.00M\.10",
    ("vp9", 8): r"vp09\.00\.10\.08|vp9",
    ("vp9", 10): r"vp09\.02\.10\.10|vp9",
}
_SOUNDS = {"aac": "mp4a.40.2", "opus": "opus", "mp3": "mp3", "flac": "flac"}


@pytest.mark.worker
@pytest.mark.timeout(300)
@pytest.mark.parametrize("end", VIDEO_FILES)
def test_the_outcome_names_the_codecs_of_every_film(end: str, rig: Rig, made: Clips) -> None:
    kind = VIDEO_FILES[end]
    films = [
        VideoOutput(
            file=f"{codec}-{bits}{end}",
            codec=codec,
            bits=8 if bits == 8 else 10,
            box=Box(width=64, height=64),
            speed="ultrafast",
            audio=Sound(codec=kind.sounds[number % len(kind.sounds)]),
        )
        for number, (codec, bits) in enumerate(_PICTURES)
        if codec in kind.pictures
    ]
    film = Film(rig, made.plain(seconds=2).read_bytes(), *films, chunk_seconds=3600)
    last = film.begin()[-1]
    assert isinstance(last, report.Encoded), last
    named = {output.file: output.media.codecs or "" for output in last.outputs}
    for output in films:
        assert output.audio is not None and output.audio.codec is not None
        picture, sound = named[output.file].split(",")
        assert re.fullmatch(_PICTURES[output.codec, output.bits], picture), named
        assert (picture == "vp9") is (output.codec == "vp9" and end not in (".mp4", ".m4v")), named
        assert sound.lower() == _SOUNDS[output.audio.codec], named


@pytest.mark.worker
@pytest.mark.timeout(300)
def test_a_joined_film_and_sound_alone_are_named_too(rig: Rig, made: Clips) -> None:
    outputs = (
        VideoOutput(box=Box(width=64, height=64), speed="ultrafast", crf=0, fragmented=True),
        AudioOutput(file="a.m4a"),
        AudioOutput(file="a.mka", audio=Sound(codec="opus")),
        AudioOutput(file="a.mp3"),
    )
    film = Film(rig, made.plain(seconds=8).read_bytes(), *outputs).work()
    last = film.finish()
    assert isinstance(last, report.Encoded), last
    named = {output.file: output.media.codecs for output in last.outputs}
    film_codecs = named.pop("video.mp4") or ""
    assert re.fullmatch(r"avc1\.f400[0-9a-f]{2},mp4a\.40\.2", film_codecs)
    assert named == {"a.m4a": "mp4a.40.2", "a.mka": "opus", "a.mp3": None}


# --- By the letter ----------------------------------------------------------------------------


def _file(entry: bytes, handler: bytes = b"vide") -> bytes:
    table = box(b"stsd", struct.pack(">II", 0, 1), entry)
    minf = box(b"minf", box(b"stbl", table))
    head = box(b"hdlr", bytes(8), handler, bytes(12))
    return box(b"moov", box(b"trak", box(b"mdia", head, minf)))


def _picture(name: bytes, kind: bytes, told: str) -> bytes:
    return _file(box(name, bytes(78), box(kind, bytes.fromhex(told))))


def _sound(told: str, version: int = 0) -> bytes:
    own = struct.pack(">8xH18x", version) + bytes({0: 0, 1: 16, 2: 36}[version])
    esds = box(b"esds", bytes(4), bytes.fromhex(told))
    inner = esds if not version else box(b"wave", box(b"frma", b"mp4a"), esds)
    return _file(box(b"mp4a", own, inner), b"soun")


_ESDS = (
    "03 80808022 0001 00 04 80808014 40 15 000000 00000000 00000000 05 80808002 {} 06 80808001 02"
)


def _said(given: object) -> str:
    """The name of a case; bytes have none."""
    return given if isinstance(given, str) else "it"


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (_picture(b"avc1", b"avcC", "01 64 00 1f ff"), "avc1.64001f"),
        # ISO/IEC 14496-15, E.3, has the next two as its examples.
        (_picture(b"hev1", b"hvcC", "01 01 60000000 b00000000000 5d"), "hev1.1.6.L93.B0"),
        (_picture(b"hvc1", b"hvcC", "01 41 60000000 b02300000000 7b"), "hvc1.A1.6.L123.B0.23"),
        (_picture(b"hvc1", b"hvcC", "01 22 20000000 900000000000 99"), "hvc1.2.4.H153.90"),
        (_picture(b"hvc1", b"hvcC", "01 02 20000000 000000000000 99"), "hvc1.2.4.L153"),
        (_picture(b"av01", b"av1C", "81 04 0c 00"), "av01.0.04M.08"),
        (_picture(b"av01", b"av1C", "81 0d cc 00"), "av01.0.13H.10"),
        (_picture(b"av01", b"av1C", "81 4d 6c 00"), "av01.2.13M.12"),
        (_picture(b"vp09", b"vpcC", "01000000 00 0a 82 02 02 02"), "vp09.00.10.08"),
        (_picture(b"vp09", b"vpcC", "01000000 02 32 a2 02 02 02"), "vp09.02.50.10"),
        (_sound(_ESDS.format("1190")), "mp4a.40.2"),
        (_sound(_ESDS.format("2b11")), "mp4a.40.5"),
        (_sound(_ESDS.format("f940")), "mp4a.40.42"),
        (_sound(_ESDS.format("1190"), version=1), "mp4a.40.2"),
        (_sound(_ESDS.format("1190").replace("14 40 15", "14 6b 15")), "mp4a.6b"),
        (_file(box(b"Opus", bytes(28)), b"soun"), "Opus"),
    ],
    ids=_said,
)
def test_a_sample_entry_is_read_to_the_letter(tmp_path: Path, content: bytes, named: str) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(box(b"ftyp", b"iso6") + content + box(b"mdat"))
    assert sample_entries.codecs(path) == (named,)


def test_a_list_of_chapters_is_not_played(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(_file(box(b"text", bytes(40)), b"text"))
    assert sample_entries.codecs(path) == ()


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "no index"),
        (_file(box(b"mp4v", bytes(90))), "unknown kind, 'mp4v'"),
        (_picture(b"avc1", b"hvcC", "01"), "0 boxes avcC"),
        (_picture(b"avc1", b"avcC", "01 64"), "cut off"),
        (_picture(b"hvc1", b"hvcC", "01 22 2000"), "cut off"),
        (_sound("03"), "cut off"),
        (_sound(_ESDS.format("1190").replace("0001 00", "0001 80")), "leads elsewhere"),
        (_sound(_ESDS.format("1190").replace("03 80", "02 80", 1)), "does not say"),
        (_file(box(b"avc1") + box(b"avc1")), "2 kinds"),
        (_file(box(b"avc1", bytes(1 << 17))), "too long"),
    ],
    ids=_said,
)
def test_what_does_not_say_its_codec_is_refused(tmp_path: Path, content: bytes, word: str) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(content)
    with pytest.raises(Malformed, match=word):
        sample_entries.codecs(path)


def _unit(kind: int, size: int = 3) -> bytes:
    """Of HEVC, whose head has two bytes."""
    return struct.pack(">IBB", 2 + size, kind << 1, 1) + bytes(size)


def _obu(kind: int, content: bytes) -> bytes:
    return bytes([kind << 3 | 2, len(content)]) + content


_SEQUENCE, _KEY, _INTER = _obu(1, b"\0" * 9), b"\x10rest", b"\x30rest"


@pytest.mark.parametrize(
    ("codec", "units", "begins"),
    [
        ("hevc", (_unit(32), _unit(19, 99)), True),  # a parameter set, an IDR with leading pictures
        ("hevc", (_unit(20, 99), _unit(20)), True),
        ("hevc", (_unit(21, 99),), False),  # CRA: an open group
        ("hevc", (_unit(19), _unit(1)), False),
        ("av1", (_SEQUENCE, _obu(6, _KEY)), True),
        ("av1", (_SEQUENCE, _obu(5, b"metadata"), _obu(3, _KEY), _obu(4, b"tiles")), True),
        ("av1", (_obu(6, _KEY), _SEQUENCE), False),  # nobody said what it is a picture of
        ("av1", (_SEQUENCE, _obu(6, _INTER)), False),
        ("av1", (_SEQUENCE, _obu(6, b"\x00hidden")), False),  # an open group's, shown later
        ("av1", (_SEQUENCE, _obu(6, b"\x80again")), False),
        ("vp9", (b"\x82\x49\x83\x42rest",), True),
        ("vp9", (b"\x92\x49\x83\x42rest",), True),  # 10 bits
        ("vp9", (b"\x86\x00\x00\x00rest",), False),
        ("vp9", (b"\x80\x49\x83\x42hidden",), False),
        ("vp9", (b"\x82\x49\x83\x41rest",), False),
    ],
)
def test_a_keyframe_is_known_by_its_own_bytes(
    tmp_path: Path, codec: str, units: tuple[bytes, ...], begins: bool
) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(content := fragment(*units))
    found = keyframes.key_bytes(path, boxes.Span(0, len(content)), codec)  # type: ignore[arg-type]
    assert found == (len(content) - len(nal(1)) if begins else 0)


@pytest.mark.parametrize(
    ("codec", "units"),
    [
        ("hevc", (_unit(32),)),
        ("av1", (_SEQUENCE,)),
        ("av1", (b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff",)),
        ("av1", (b"\x0a\x7f",)),
        ("av1", (_SEQUENCE, _obu(6, b""))),
        ("vp9", (b"\x82",)),
        ("vp9", (b"\x42\x49\x83\x42",)),
    ],
)
def test_what_holds_no_picture_is_refused(
    tmp_path: Path, codec: str, units: tuple[bytes, ...]
) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(content := fragment(*units))
    with pytest.raises(Malformed):
        keyframes.key_bytes(path, boxes.Span(0, len(content)), codec)  # type: ignore[arg-type]


_GOOD = _sound(_ESDS.format("1190"))
_HIT = st.tuples(st.integers(0, len(_GOOD)), st.binary(max_size=8)).map(
    lambda hit: _GOOD[: hit[0]] + hit[1] + _GOOD[hit[0] + len(hit[1]) :]
)


@settings(deadline=None)  # of the wall clock; processor time is bounded below
@given(content=st.binary(max_size=200) | _HIT, sample=st.binary(max_size=40))
@example(content=_picture(b"hvc1", b"hvcC", "01"), sample=b"\0")
def test_any_bytes_are_named_or_refused_and_soon(
    content: bytes, sample: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.mp4"
    begun = time.process_time()

    def key_of(codec: str) -> Callable[[Path], int]:
        def read(path: Path) -> int:
            span = boxes.Span(0, path.stat().st_size)
            return keyframes.key_bytes(path, span, codec)  # type: ignore[arg-type]

        return read

    keys = [key_of(codec) for codec in ("h264", "hevc", "av1", "vp9")]
    for written in (content, fragment(sample)):
        path.write_bytes(written)
        for read in (sample_entries.codecs, ebml.codecs, *keys):
            try:
                read(path)
            except Malformed:
                continue
    assert time.process_time() - begun < 1
