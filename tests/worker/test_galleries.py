"""Storyboards and thumbnails, whole and in chunks, with the real ffmpeg: the same files, of the
frames that the source's moments promise."""

import re
import subprocess
from pathlib import Path

import pytest

from mayfly.contract import report
from mayfly.contract.recipe import (
    Box,
    GalleryOutput,
    PosterOutput,
    PreviewOutput,
    StoryboardOutput,
    ThumbnailsOutput,
    VideoOutput,
)
from mayfly.core import galleries
from tests.worker.clips import Clips
from tests.worker.conftest import Rig, kinds
from tests.worker.cutting import Film, unmended
from worker import jpegs

pytestmark = pytest.mark.worker

VIDEO = VideoOutput(speed="ultrafast", box=Box(width=64, height=36), audio=None)
BOX = Box(width=64, height=36)
BOARD = StoryboardOutput(every_seconds=1, box=BOX, columns=3, rows=2)
THUMBS = ThumbnailsOutput(every_seconds=1, box=BOX)
_X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "10")
_MIXED = "select='not(mod(n,2))+gt(random(1),0.6)'"


def _film(rate: str, seconds: int = 7) -> tuple[str, ...]:
    return ("-f", "lavfi", "-i", f"testsrc2=s=160x90:r={rate}:d={seconds}", *_X264)


FILMS = {
    "even.mp4": _film("25"),
    "ntsc.mkv": _film("30000/1001"),
    "uneven.mkv": (*_film("30"), "-vf", _MIXED, "-fps_mode", "passthrough"),
    "late.ts": (*_film("25"), "-output_ts_offset", "1000.4"),
    "fields.ts": (*_film("50"), "-vf", "scale=160:96,interlace", "-flags", "+ilme+ildct"),
}


def folder(film: Film, task_id: str, output: GalleryOutput) -> dict[str, bytes]:
    """All files of an output, by clean names."""
    made = next(
        one for one in film.brought[task_id].outputs if one.file == galleries.delivered(output)
    )
    assert galleries.flaw(output, made) == ""
    objects = film.rig.bucket.objects
    found = {name: objects[key] for key, name in galleries.copies(output, made, "")}
    assert sum(map(len, found.values())) == made.size_bytes
    return found


def whole(rig: Rig, source: bytes, *outputs: object) -> tuple[Film, report.Report]:
    film = Film(rig, source, *outputs, chunk_seconds=3600)
    said = film.begin()
    assert "Planned" not in kinds(said), said
    return film, said[-1]


@pytest.mark.parametrize("name", FILMS)
def test_chunks_make_the_files_of_the_whole(
    name: str, rig: Rig, made: Clips, monkeypatch: pytest.MonkeyPatch
) -> None:
    unmended(monkeypatch)
    source = made.make(f"stills-{name}", *FILMS[name]).read_bytes()
    film = Film(rig, source, VIDEO, BOARD, THUMBS).work()
    last = film.finish()
    assert isinstance(last, report.Encoded), last
    one, said = whole(rig, source, VIDEO, BOARD, THUMBS)
    assert isinstance(said, report.Encoded), said

    assert film.plan.chunks > 3
    for output in (BOARD, THUMBS):
        assert folder(film, "finish", output) == folder(one, "encode", output)
    media = [made.media for made in last.outputs if made.media.container == "webvtt"]
    assert [(its.frames, its.width, its.height) for its in media] == [(7, 64, 36)]


GIF = PreviewOutput(seconds=3, box=BOX)
WEBP = PreviewOutput(file="start.webp", seconds=2, fps=5, places=1, box=BOX)


@pytest.mark.parametrize("name", FILMS)
def test_chunks_make_the_preview_of_the_whole(
    name: str, rig: Rig, made: Clips, monkeypatch: pytest.MonkeyPatch
) -> None:
    unmended(monkeypatch)
    source = made.make(f"stills-{name}", *FILMS[name]).read_bytes()
    film = Film(rig, source, VIDEO, PosterOutput(), WEBP, GIF).work()
    last = film.finish()
    assert isinstance(last, report.Encoded), last
    one, said = whole(rig, source, VIDEO, PosterOutput(), WEBP, GIF)
    assert isinstance(said, report.Encoded), said

    for file in (GIF.file, WEBP.file):
        assert film.stored("finish")[file] == one.stored("encode")[file]
    media = {made.file: made.media for made in last.outputs}
    assert (media[GIF.file].frames, media[GIF.file].width) == (30, 64)
    assert media[WEBP.file].frames == 10


@pytest.mark.parametrize("file", ["preview.gif", "preview.webp"])
def test_a_preview_of_a_film_that_is_too_short_is_all_of_it(
    file: str, rig: Rig, made: Clips
) -> None:
    output = PreviewOutput(file=file, box=BOX)
    for source, frames in (
        (made.one_frame(), 1),
        (made.plain(), 20),
        (made.make("slow.mp4", *_film("1/3", 9)), 60),
    ):
        _, said = whole(rig, source.read_bytes(), output)
        assert isinstance(said, report.Encoded), said
        (only,) = said.outputs
        assert only.media.frames == frames


def test_a_storyboard_is_sheets_and_cues_that_cover_the_film(rig: Rig, made: Clips) -> None:
    film, said = whole(rig, made.plain(seconds=7, name="seven.mp4").read_bytes(), BOARD)
    assert isinstance(said, report.Encoded), said
    files = folder(film, "encode", BOARD)

    assert list(files) == [
        "storyboard/sheet-001.jpg",
        "storyboard/sheet-002.jpg",
        "storyboard/storyboard.vtt",
    ]
    for sheet in list(files)[:2]:
        (picture,) = jpegs.pictures(files[sheet])
        assert (picture.width, picture.height) == (192, 72)
    cues = files["storyboard/storyboard.vtt"].decode().split("\n\n")
    assert cues[0] == "WEBVTT"
    assert cues[1] == "00:00:00.000 --> 00:00:01.000\nsheet-001.jpg#xywh=0,0,64,36"
    assert cues[6] == "00:00:05.000 --> 00:00:06.000\nsheet-001.jpg#xywh=128,36,64,36"
    assert cues[7].strip() == "00:00:06.000 --> 00:00:07.000\nsheet-002.jpg#xywh=0,0,64,36"


def test_a_thumbnail_is_the_first_picture_of_its_stretch(
    rig: Rig, made: Clips, ffmpeg: Path
) -> None:
    """Each frame of this film has a grey of its own."""
    grey = ("-f", "lavfi", "-i", "color=s=64x36:r=10:d=6", "-vf", "geq=lum='20+3*N':cb=128:cr=128")
    source = made.make("greys.mp4", *grey, *_X264, "-qp", "0").read_bytes()
    thumbs = ThumbnailsOutput(every_seconds=2, box=BOX, quality=2)
    film, said = whole(rig, source, thumbs)
    assert isinstance(said, report.Encoded), said
    files = folder(film, "encode", thumbs)

    assert sorted(files) == [f"thumbnails/0000{number}.jpg" for number in (1, 2, 3)]
    command = [str(ffmpeg), "-v", "error", "-f", "mjpeg", "-i", "-", "-f", "rawvideo"]
    for number, name in enumerate(sorted(files)):
        ran = subprocess.run(
            [*command, "-pix_fmt", "gray", "-"], input=files[name], capture_output=True, check=True
        )
        lum = 20 + 3 * 20 * number
        assert ran.stdout[0] == pytest.approx((lum - 16) * 255 / 219, abs=2)


def test_one_picture_and_one_a_second_are_enough(rig: Rig, made: Clips) -> None:
    film, said = whole(rig, made.one_frame().read_bytes(), BOARD, THUMBS)
    assert isinstance(said, report.Encoded), said
    (sheet,) = jpegs.pictures(folder(film, "encode", BOARD)["storyboard/sheet-001.jpg"])
    assert (sheet.width, sheet.height) == (192, 36), "no more rows than there are pictures for"
    assert list(folder(film, "encode", THUMBS)) == ["thumbnails/00001.jpg"]

    slow = made.make("slow.mp4", *_film("1/3", 9)).read_bytes()
    film, said = whole(rig, slow, BOARD)
    assert isinstance(said, report.Encoded), said
    text = folder(film, "encode", BOARD)["storyboard/storyboard.vtt"].decode()
    starts = re.findall(r"(\d\d)\.000 -->", text)
    assert starts == ["00", "03", "06"], "a picture stands until the next one"


def test_a_chunk_may_have_none(rig: Rig, made: Clips, monkeypatch: pytest.MonkeyPatch) -> None:
    unmended(monkeypatch)
    board = StoryboardOutput(every_seconds=5, box=BOX)
    source = made.make("stills-even.mp4", *FILMS["even.mp4"]).read_bytes()
    film = Film(rig, source, VIDEO, board).work()
    last = film.finish()
    assert isinstance(last, report.Encoded), last
    with_some = [
        task for task, brought in film.brought.items()
        if any(one.file == "storyboard" for one in brought.outputs)
    ]  # fmt: skip
    assert len(with_some) == 2
    one, _ = whole(rig, source, board)
    assert folder(film, "finish", board) == folder(one, "encode", board)


def test_what_no_clock_orders_has_its_pictures_too(rig: Rig, made: Clips) -> None:
    part = made.make("part.ts", *_film("25", 3))
    spliced = part.read_bytes() * 2
    _, said = whole(rig, spliced, BOARD)
    assert isinstance(said, report.Encoded), said
    (output,) = said.outputs
    assert output.media.frames in (6, 7)


@pytest.mark.parametrize(
    "clip",
    [
        "portrait",
        "variable",
        "anamorphic",
        "offset_stream",
        "interlaced",
        "edited",
        "webm",
        "no_moments",
        "ten_bit",
        "late_picture",
        "broadcast",
    ],
)
def test_every_kind_of_source_has_its_pictures(clip: str, rig: Rig, made: Clips) -> None:
    _, said = whole(rig, getattr(made, clip)().read_bytes(), BOARD, THUMBS, WEBP, GIF)
    assert isinstance(said, report.Encoded), said
    assert len(said.outputs) == 4 and all(one.media.frames for one in said.outputs)


def test_a_part_that_lacks_a_picture_is_doubted(
    rig: Rig, made: Clips, monkeypatch: pytest.MonkeyPatch
) -> None:
    unmended(monkeypatch)
    source = made.make("stills-even.mp4", *FILMS["even.mp4"]).read_bytes()
    film = Film(rig, source, VIDEO, THUMBS).work()
    inputs = film.inputs()
    at = next(n for n, part in enumerate(inputs) if part.file == "thumbnails")
    said = film.finish([*inputs[:at], *inputs[at + 1 :]])
    assert isinstance(said, report.Failed)
    assert said.detail == "thumbnails has 6 pictures, not 7"
    content = film.stored("encode")["thumbnails"]
    inputs[at] = film.falsified(inputs[at], content[:-9])
    said = film.finish(inputs)
    assert isinstance(said, report.Failed)
    assert "thumbnails" in said.detail


def test_more_pictures_than_there_may_be_are_refused_with_what_would_do(
    rig: Rig, made: Clips, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mayfly.core.limits.PICTURES_MAX", 3)
    _, said = whole(rig, made.plain(seconds=7, name="seven.mp4").read_bytes(), THUMBS)
    assert isinstance(said, report.Failed)
    assert said.code == "request_refused"
    assert said.detail.endswith("take every_seconds from 3 on")
