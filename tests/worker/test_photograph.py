"""What a file says of its photograph is read as the standards have it, and nothing that a stranger
wrote there does more than to be refused."""

import struct
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mayfly.core import limits
from tests.photographs import Camera, exif, tagged
from worker import photograph
from worker.exif import read_exif
from worker.photograph import Photo, Unusable, look

pytestmark = pytest.mark.worker

KINDS = ("jpg", "png", "webp", "tif")
NOON = "2024:05:01 12:00:00"
NOON_US = int(datetime(2024, 5, 1, 12, tzinfo=UTC).timestamp()) * 10**6


@pytest.fixture(scope="module")
def camera(ffmpeg: Path, tmp_path_factory: pytest.TempPathFactory) -> Camera:
    return Camera(ffmpeg, tmp_path_factory.mktemp("camera"))


@pytest.fixture
def seen(tmp_path: Path) -> "Seen":
    return Seen(tmp_path / "photograph")


class Seen:
    """Looks at bytes."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __call__(self, body: bytes) -> Photo:
        self.path.write_bytes(body)
        return look(self.path)


def said(body: bytes) -> tuple[int, int | None]:
    found = read_exif(lambda offset, count: body[offset : offset + count])
    return found.orientation, found.taken_us


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_is_known_by_its_content_and_so_is_its_size(
    camera: Camera, seen: Seen, kind: str
) -> None:
    photo = seen(camera.shoot(1, size="322x178", kind=kind))
    assert (photo.width, photo.height) == (322, 178)
    assert photo.demuxer.startswith({"jpg": "jpeg", "tif": "tiff"}.get(kind, kind))
    assert (photo.orientation, photo.taken_us) == (1, None)


@pytest.mark.parametrize("kind", KINDS[:3])
@pytest.mark.parametrize("order", "<>")
def test_the_cameras_words_are_read_in_every_kind_and_byte_order(
    camera: Camera, seen: Seen, kind: str, order: str
) -> None:
    words = exif(orientation=6, taken=NOON, subseconds="25", order=order)
    photo = seen(tagged(camera.shoot(1, kind=kind), words))
    assert (photo.orientation, photo.taken_us) == (6, NOON_US + 250_000)
    assert photo.upright == (240, 320)


def test_another_reader_finds_the_same(camera: Camera, ffprobe: Path, tmp_path: Path) -> None:
    """ffprobe, which has a reader of its own, of what this test's writer wrote."""
    path = tmp_path / "a.jpg"
    path.write_bytes(tagged(camera.shoot(1), exif(orientation=8, taken=NOON, subseconds="07")))
    argv = [str(ffprobe), "-v", "error", "-f", "jpeg_pipe", "-show_frames", "-of", "json"]
    done = subprocess.run([*argv, str(path)], check=True, capture_output=True, timeout=60)
    (frame,) = msgspec.json.decode(done.stdout)["frames"]
    assert frame["side_data_list"][0]["rotation"] == 90  # counter-clockwise, which is its 8
    assert frame["tags"]["ExifIFD/DateTimeOriginal"] == NOON
    assert frame["tags"]["ExifIFD/SubSecTimeOriginal"] == "07"
    photo = look(path)
    assert (photo.orientation, photo.taken_us) == (8, NOON_US + 70_000)


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (exif(orientation=9), (1, None)),
        (exif(taken="0000:00:00 00:00:00"), (1, None)),
        (exif(taken="2024-05-01 12:00:00"), (1, None)),
        (exif(taken=NOON, subseconds="x"), (1, NOON_US)),
        (exif(taken=NOON, subseconds="1234567"), (1, NOON_US + 123_456)),
        (exif(taken=NOON)[:30], (1, None)),
        (b"", (1, None)),
        (b"II*\0" + b"\xff" * 60, (1, None)),
        (b"II*\0\x08\0\0\0" + b"\xff\xff" * 10, (1, None)),
        # Its Exif folder is itself: one look and no more.
        (b"II*\0\x08\0\0\0\x01\0" + struct.pack("<HHII", 0x8769, 4, 1, 8) + bytes(4), (1, None)),
    ],
)
def test_what_is_not_as_the_standard_has_it_was_not_said(
    words: bytes, found: tuple[int, int | None]
) -> None:
    assert said(words) == found


def test_nonsense_beside_a_photograph_is_no_fault_of_its(camera: Camera, seen: Seen) -> None:
    photo = seen(tagged(camera.shoot(1), b"hello" * 9))
    assert photo.taken_us is None and photo.width == 320


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "it has no bytes"),
        (b"<svg/>", "it is no JPEG, PNG, WebP or TIFF"),
        (b"#EXTM3U\nhttp://example.com/a.jpg", "it is no JPEG"),
        (struct.pack(">I", 24) + b"ftypavif" + bytes(12), "it is HEIC or AVIF"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "it ends before its picture begins"),
        (b"\xff\xd8" + b"\xff" * 5000, "it ends before its picture begins"),
        (b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", 9, 9), "its own end mark"),
        (b"RIFF\xff\0\0\0WEBPVP8 ", "it ends before its own length says"),
        (b"RIFF\x1a\0\0\0WEBPVP8X\x0a\0\0\0\x02" + bytes(13), "it moves"),
        (b"RIFF\x04\0\0\0WEBP", "it does not say how large it is"),
        (b"II*\0\x08\0\0\0\0\0", "it does not say how large it is"),
        (
            b"\xff\xd8\xff\xc0\0\x11\x08" + struct.pack(">HH", 65535, 65535) + bytes(12),
            "65535x65535 are too many pixels",
        ),
    ],
)
def test_what_no_worker_can_use_is_refused_with_a_reason(seen: Seen, body: bytes, why: str) -> None:
    with pytest.raises(Unusable, match=why):
        seen(body)


def test_a_tiff_whose_picture_is_cut_off_is_refused(camera: Camera, seen: Seen) -> None:
    """Its folder stands in front in many a file, so that nothing else would tell."""
    entries = [(256, 64), (257, 64), (273, 8), (279, 500)]
    folder = struct.pack("<H", len(entries))
    folder += b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries)
    with pytest.raises(Unusable, match="before its own strips do"):
        seen(b"II*\0\x08\0\0\0" + folder + bytes(100))
    assert seen(b"II*\0\x08\0\0\0" + folder + bytes(600)).width == 64


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_whatever_stands_in_a_file_it_is_looked_at_or_refused(
    camera: Camera, seen: Seen, data: st.DataObject
) -> None:
    kind = data.draw(st.sampled_from(KINDS))
    body = bytearray(camera.shoot(1, kind=kind))
    if kind != "tif":
        body = bytearray(tagged(bytes(body), exif(orientation=3, taken=NOON)))
    for _ in range(data.draw(st.integers(1, 12))):
        at = data.draw(st.integers(0, min(len(body), 200) - 1))
        body[at] = data.draw(st.sampled_from([0, 1, 0x7F, 0x80, 0xFE, 0xFF]))
    cut = data.draw(st.integers(0, len(body)))
    try:
        photo = seen(bytes(body[:cut] if data.draw(st.booleans()) else body))
    except Unusable:
        return
    assert 0 < photo.width * photo.height <= limits.SOURCE_PIXELS_MAX
    assert 1 <= photo.orientation <= 8


def test_a_look_takes_few_reads_however_hostile(
    seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A PNG of a million empty chunks."""
    monkeypatch.setattr(photograph, "_STEPS_MAX", 1000)
    body = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sI", 0, b"tEXt", 0) * 100_000
    with pytest.raises(Unusable):
        seen(body)
