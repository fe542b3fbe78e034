"""The pure decisions before an encode: geometry, first bytes, what may be encoded at all."""

import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.contract.recipe import AudioOutput, Box, PosterOutput, Recipe, VideoOutput
from tests.worker.conftest import recipe
from worker import preflight
from worker.ends import WorkFailed
from worker.picture import Size, fit, shown
from worker.probe import Format, Probe, SideData, Stream
from worker.scan import Scan
from worker.sniff import sniff

HD = Box(width=1280, height=720)


def picture(
    width: int, height: int, *, pixels: str = "", turned: float = 0.0, **more: Any
) -> Stream:
    return Stream(
        index=0, codec_type="video", codec_name="h264", width=width, height=height,
        sample_aspect_ratio=pixels, side_data_list=(SideData(rotation=turned),), **more,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("stream", "size"),
    [
        (picture(1920, 1080), (1280, 720)),
        (picture(854, 480), (854, 480)),
        (picture(853, 479), (852, 478)),
        (picture(1920, 800), (1280, 534)),
        (picture(1080, 1920), (720, 1280)),
        (picture(1920, 1080, turned=-90), (720, 1280)),
        (picture(1920, 1080, turned=180), (1280, 720)),
        (picture(720, 576, pixels="64:45"), (1024, 576)),
        (picture(720, 576, pixels="0:1"), (720, 576)),
        (picture(720, 576, pixels="1000:1"), (720, 576)),
        (picture(1, 1), (2, 2)),
        (picture(8192, 16), (1280, 2)),
        (picture(2000, 2000), (720, 720)),
    ],
)
def test_a_picture_fits_the_box(stream: Stream, size: tuple[int, int]) -> None:
    assert fit(shown(stream), HD) == Size(*size)


def test_an_upright_box_holds_a_lying_picture_as_it_stands() -> None:
    assert fit(shown(picture(1920, 1080)), Box(width=720, height=1280)) == Size(720, 404)


@given(
    width=st.integers(2, 9000),
    height=st.integers(2, 9000),
    turned=st.sampled_from([0, 90, -90, 180]),
    pixels=st.sampled_from(["1:1", "64:45", "16:15", "3:4"]),
    box=st.tuples(st.integers(16, 8192), st.integers(16, 8192)),
)
def test_a_picture_is_even_inside_and_never_enlarged(
    width: int, height: int, turned: int, pixels: str, box: tuple[int, int]
) -> None:
    stream = picture(width, height, turned=turned, pixels=pixels)
    size = fit(shown(stream), Box(width=box[0], height=box[1]))
    across, down = shown(stream)
    assert size.width % 2 == size.height % 2 == 0
    assert max(size.width, size.height) <= max(box)
    assert size.width <= max(2, across)
    assert size.height <= max(2, down)
    # The shape is kept as well as even sides allow.
    wide, high = (min(box), max(box)) if down > across else box
    scale = min(1.0, wide / across, high / down)
    assert abs(size.width - max(2, across * scale)) <= 2
    assert abs(size.height - max(2, down * scale)) <= 2


def box(kind: bytes, content: bytes, *, says: int | None = None) -> bytes:
    return struct.pack(">I4s", says or len(content) + 8, kind) + content


FTYP = box(b"ftyp", b"isom0000")


@pytest.mark.parametrize(
    ("content", "truncated"),
    [
        (FTYP + box(b"moov", b"x" * 50) + box(b"mdat", b"y" * 50), False),
        (FTYP + box(b"moov", b"x" * 50) + box(b"mdat", b"y" * 50, says=90), True),
        (FTYP + box(b"mdat", b"y" * 50), True),
        (FTYP + box(b"moov", b"x") + box(b"free", b"", says=900), False),
        (FTYP + box(b"moov", b"x") + struct.pack(">I4s", 0, b"mdat") + b"to the end", False),
        (FTYP + box(b"moov", b"x") + struct.pack(">I4sQ", 1, b"mdat", 20) + b"1234", False),
        (FTYP + box(b"moov", b"x") + struct.pack(">I4sQ", 1, b"mdat", 99) + b"1234", True),
        (FTYP + box(b"moov", b"x") + b"\0\0\0", False),
        (FTYP + box(b"moov", b"x") + b"\0" * 64, False),
        (b"\x1a\x45\xdf\xa3\x81x\x18\x53\x80\x67\x84abcd", False),
        (b"\x1a\x45\xdf\xa3\x81x\x18\x53\x80\x67\x85abcd", True),
        (b"\x1a\x45\xdf\xa3\x81x\x18\x53\x80\x67\x01\xff\xff\xff\xff\xff\xff\xffabcd", False),
        (b"\x1a\x45\xdf\xa3", False),
        (b"RIFF\x10\0\0\0AVI " + b"x" * 12, False),
        (b"RIFF\x11\0\0\0AVI " + b"x" * 12, True),
        (b"RIFF\xff\xff\xff\xffAVI " + b"x" * 12, False),
        (b"", False),
    ],
)
def test_a_container_that_says_more_than_the_file_holds(
    tmp_path: Path, content: bytes, truncated: bool
) -> None:
    path = tmp_path / "f"
    path.write_bytes(content)
    assert bool(sniff(path).truncated) is truncated


@given(st.binary(max_size=200))
def test_no_bytes_break_the_look_at_them(content: bytes) -> None:
    import tempfile

    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        assert sniff(Path(file.name)).size_bytes == len(content)


def refusal(probe: Probe, *outputs: Any) -> str:
    with pytest.raises(WorkFailed) as failure:
        preflight.check_probe(probe, Recipe(outputs=outputs))
    return failure.value.code


SOUND = Stream(index=1, codec_type="audio", codec_name="aac", channels=2, sample_rate=48000)
COVER = picture(500, 500, disposition={"attached_pic": 1})


def test_what_a_recipe_needs_must_be_there() -> None:
    only_sound = Probe(format=Format(), streams=(SOUND, COVER))
    only_picture = Probe(format=Format(), streams=(picture(320, 180),))
    assert refusal(only_sound, VideoOutput()) == "no_video"
    assert refusal(only_sound, AudioOutput(), PosterOutput()) == "no_video"
    assert refusal(only_picture, AudioOutput()) == "no_audio"
    assert refusal(Probe(format=Format(), streams=()), VideoOutput()) == "not_media"
    preflight.check_probe(only_picture, recipe("mp4-720p"))


@pytest.mark.parametrize(
    "probe",
    [
        Probe(format=Format(), streams=(picture(20000, 20000),)),
        Probe(format=Format(), streams=(picture(320, 180, avg_frame_rate="90000/1"),)),
        Probe(format=Format(duration=1e7), streams=(picture(320, 180),)),
        Probe(format=Format(), streams=(picture(320, 180), *(SOUND for _ in range(64)))),
    ],
)
def test_the_absurd_is_refused(probe: Probe) -> None:
    assert refusal(probe, VideoOutput()) == "source_absurd"


def test_a_film_without_a_single_packet_has_no_video() -> None:
    probe = Probe(format=Format(), streams=(picture(320, 180),))
    with pytest.raises(WorkFailed) as failure:
        preflight.check_scan(probe, Scan(), recipe("mp4-720p"))
    assert failure.value.code == "no_video"


def test_the_largest_moving_picture_is_the_video() -> None:
    small, large = picture(64, 64), picture(640, 360)
    assert Probe(format=Format(), streams=(small, COVER, large)).picture() is large
