"""Which part of a picture comes out, which way up and where in its box: the arithmetic for any
source, and the pixels with the real ffmpeg, whole and cut."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.contract import report
from mayfly.contract.recipe import (
    Box,
    Crop,
    LadderOutput,
    PosterOutput,
    PreviewOutput,
    Recipe,
    Rung,
    StoryboardOutput,
    ThumbnailsOutput,
    VideoOutput,
)
from mayfly.contract.wire import Refusal, convert
from tests.worker.clips import Clips
from tests.worker.conftest import Rig, kinds
from tests.worker.cutting import Film, unmended
from worker.drawing import drawing
from worker.picture import Size, shown
from worker.probe import SideData, Stream
from worker.rungs import rungs_of

HD = Box(width=1280, height=720)
SQUARE = Box(width=64, height=64)


def picture(width: int, height: int, *, turned: float = 0.0, pixels: str = "1:1") -> Stream:
    beside = (SideData(rotation=turned),)
    return Stream(
        index=0, codec_type="video", width=width, height=height, sample_aspect_ratio=pixels,
        side_data_list=beside,
    )  # fmt: skip


def sized(stream: Stream, box: Box = HD, **fields: Any) -> Size:
    return drawing(stream, VideoOutput(box=box, **fields), box).size


@pytest.mark.parametrize(
    ("stream", "fields", "size"),
    [
        (picture(1920, 1080), {}, (1280, 720)),
        (picture(1920, 1080), {"rotate": 90}, (720, 1280)),
        (picture(1920, 1080), {"rotate": 180}, (1280, 720)),
        (picture(1920, 1080, turned=90), {"rotate": 90}, (1280, 720)),
        (picture(1440, 1080, pixels="4:3"), {"rotate": 270}, (720, 1280)),
        (picture(1920, 1080), {"crop": Crop(top_fraction=0.125, bottom_fraction=0.125)},
         (1280, 540)),
        (picture(1920, 1080, turned=90), {"crop": Crop(top_fraction=0.5)}, (810, 720)),
        (picture(1920, 1080), {"fit": "pad"}, (1280, 720)),
        (picture(1080, 1920), {"fit": "pad"}, (1280, 720)),
        (picture(64, 64), {"fit": "pad"}, (1280, 720)),
        (picture(1080, 1920), {"fit": "fill"}, (1280, 720)),
        (picture(64, 64), {"fit": "fill"}, (1280, 720)),
    ],
)  # fmt: skip
def test_a_picture_comes_into_its_box(
    stream: Stream, fields: dict[str, Any], size: tuple[int, int]
) -> None:
    assert sized(stream, **fields) == Size(*size)


_SHARE = st.sampled_from([0.0, 0.05, 0.1, 0.25, 0.333, 0.45])
_CROPS = st.none() | st.builds(
    Crop, left_fraction=_SHARE, top_fraction=_SHARE, right_fraction=_SHARE, bottom_fraction=_SHARE
)
_SIDES = st.integers(8, 4096).map(lambda half: 2 * half)


@given(
    width=st.integers(1, 9000),
    height=st.integers(1, 9000),
    turned=st.sampled_from([0, 90, -90, 180]),
    pixels=st.sampled_from(["1:1", "64:45", "3:4"]),
    box=st.tuples(_SIDES, _SIDES),
    crop=_CROPS,
    rotate=st.sampled_from([0, 90, 180, 270]),
    fit=st.sampled_from(["inside", "pad", "fill"]),
    enlarge=st.booleans(),
)
def test_whatever_is_wanted_is_even_and_keeps_its_shape(
    width: int, height: int, turned: int, pixels: str, box: tuple[int, int], crop: Crop | None,
    rotate: Any, fit: Any, enlarge: bool,
) -> None:  # fmt: skip
    stream = picture(width, height, turned=turned, pixels=pixels)
    output = VideoOutput(
        box=Box(width=box[0], height=box[1]), crop=crop, rotate=rotate, fit=fit, enlarge=enlarge
    )
    found = drawing(stream, output, output.box)
    for side in (found.size.width, found.size.height, found.inner.width, found.inner.height):
        assert side >= 2 and side % 2 == 0
    assert found.turned.width <= found.size.width and found.turned.height <= found.size.height
    if fit == "inside":
        assert found.turned == found.size
        assert max(found.size.width, found.size.height) <= max(box)
    else:
        assert (found.size.width, found.size.height) == box
    if fit == "fill":
        assert found.turned == found.size
    part = found.part
    assert part.left >= 0 and part.top >= 0 and part.width > 0 and part.height > 0
    assert part.left + part.width <= 1 and part.top + part.height <= 1
    # The part that is shown and what it becomes have one shape, as well as even sides allow.
    across, down = shown(stream)
    shape = (across * float(part.width), down * float(part.height))
    across_scale, down_scale = found.inner.width / shape[0], found.inner.height / shape[1]
    tolerance = 2.1 * max(1.0, shape[0] / shape[1], shape[1] / shape[0])
    assert abs(across_scale - down_scale) * shape[0] <= tolerance + 0.01 * found.inner.width
    if not enlarge and fit != "fill":
        assert found.inner.width <= max(2, shape[0]) and found.inner.height <= max(2, shape[1])


@given(
    width=st.integers(16, 5000),
    height=st.integers(16, 5000),
    fit=st.sampled_from(["pad", "fill"]),
    rotate=st.sampled_from([0, 90]),
)
def test_no_size_of_a_ladder_is_larger_than_its_source(
    width: int, height: int, fit: Any, rotate: Any
) -> None:
    rungs = tuple(Rung(box=Box(width=w, height=w * 9 // 16)) for w in (1920, 1280, 640, 320))
    ladder = LadderOutput(rungs=rungs, fit=fit, rotate=rotate)
    sizes = [rung.size for rung in rungs_of(ladder, picture(width, height))]
    assert len(set(sizes)) == len(sizes)
    upright = (height, width) if rotate else (width, height)
    for size in sizes:
        assert size.width * 9 == pytest.approx(size.height * 16, rel=0.15, abs=40)
        sides = (size.width / upright[0], size.height / upright[1])
        assert (min(sides) if fit == "pad" else max(sides)) <= 1.0 + 2 / min(upright)


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"kind": "video", "fit": "pad", "box": {"width": 127, "height": 64}}, "even"),
        ({"kind": "poster", "fit": "fill", "box": {"width": 64, "height": 99}}, "even"),
        ({"kind": "ladder", "fit": "pad", "rungs": [{"box": {"width": 99, "height": 64}}]}, "even"),
        ({"kind": "video", "crop": {"left_fraction": 0.5, "right_fraction": 0.5}}, "at least 0.05"),
        ({"kind": "video", "rotate": 45}, "rotate"),
        ({"kind": "video", "flip": "diagonal"}, "flip"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(fields: dict[str, Any], word: str) -> None:
    with pytest.raises(Refusal, match=word):
        convert(Recipe, {"outputs": [fields]})


def quarters(ffmpeg: Path, content: bytes, *, at: str = "") -> list[int]:
    """The luma in the middle of each quarter of the first frame (top left, top right, bottom left,
    bottom right), or at a place."""
    line = [str(ffmpeg), "-v", "error", "-i", "-", "-frames:v", "1"]
    if at:
        line += ["-vf", f"crop=2:2:{at}"]
    ran = subprocess.run(
        [*line, "-f", "rawvideo", "-pix_fmt", "gray", "-"], input=content, capture_output=True,
        check=True,
    )  # fmt: skip
    if at:
        return list(ran.stdout)
    # Four values: the picture made two by two, by its nearest samples.
    line += ["-vf", "scale=4:4:flags=neighbor,format=gray"]
    small = subprocess.run(
        [*line, "-f", "rawvideo", "-"], input=content, capture_output=True, check=True
    ).stdout
    return [small[5], small[6], small[9], small[10]]


def named(values: list[int]) -> str:
    """Which quarter of the source each is."""
    known = dict(zip(GREYS, "abcd", strict=True))
    return "".join(known[min(GREYS, key=lambda grey: abs(grey - value))] for value in values)


#: Of a sample from 0 to 255: of the quarters a, b, c, d.
GREYS = (50, 110, 170, 230)
_LUMA = "+".join(
    f"{16 + grey * 219 // 255}*eq(gte(X,W/2)+2*gte(Y,H/2),{n})" for n, grey in enumerate(GREYS)
)


def film(made: Clips, seconds: int = 1) -> Path:
    return made.make(
        f"quarters-{seconds}.mp4",
        "-f", "lavfi", "-i", f"color=s=160x96:r=25:d={seconds}",
        "-vf", f"format=yuv420p,geq=lum='{_LUMA}':cb=128:cr=128",
        "-c:v", "libx264", "-preset", "ultrafast", "-qp", "4", "-g", "10",
    )  # fmt: skip


@pytest.mark.worker
@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({}, "abcd"),
        ({"rotate": 90}, "cadb"),
        ({"rotate": 180}, "dcba"),
        ({"rotate": 270}, "bdac"),
        ({"flip": "horizontal"}, "badc"),
        ({"flip": "vertical"}, "cdab"),
        ({"rotate": 90, "flip": "horizontal"}, "acbd"),
        ({"crop": Crop(left_fraction=0.5)}, "bbdd"),
        ({"crop": Crop(top_fraction=0.5, right_fraction=0.5)}, "cccc"),
        ({"crop": Crop(bottom_fraction=0.5), "rotate": 90}, "aabb"),
        ({"fit": "pad", "box": SQUARE}, "abcd"),
        ({"fit": "fill", "box": SQUARE, "rotate": 90}, "cadb"),
        ({"fit": "fill", "box": SQUARE, "crop": Crop(left_fraction=0.5)}, "bbdd"),
    ],
)  # fmt: skip
def test_every_way_up_is_the_way_up_that_was_named(
    fields: dict[str, Any], found: str, rig: Rig, made: Clips, ffmpeg: Path
) -> None:
    video = VideoOutput(**{"box": Box(width=96, height=64), "speed": "ultrafast", "crf": 8,
                           "audio": None, **fields})  # fmt: skip
    poster = PosterOutput(**{"box": Box(width=96, height=64), "quality": 2, **fields})
    made_of = Film(rig, film(made).read_bytes(), video, poster, chunk_seconds=3600)
    assert kinds(made_of.begin())[-1] == "Encoded"
    for content in made_of.stored("encode").values():
        assert named(quarters(ffmpeg, content)) == found


@pytest.mark.worker
def test_a_crop_is_of_the_upright_picture(rig: Rig, made: Clips, ffmpeg: Path) -> None:
    """A telephone's film lies down, and a viewer sees its left side as its top."""
    lying = made.make(
        "lying.mp4", "-display_rotation", "-90", "-i", str(film(made)), "-c", "copy",
    )  # fmt: skip
    video = VideoOutput(
        box=Box(width=96, height=64), speed="ultrafast", crf=8, audio=None,
        crop=Crop(top_fraction=0.5),
    )  # fmt: skip
    made_of = Film(rig, lying.read_bytes(), video, chunk_seconds=3600)
    assert kinds(made_of.begin())[-1] == "Encoded"
    (content,) = made_of.stored("encode").values()
    assert named(quarters(ffmpeg, content)) == "dbdb"


@pytest.mark.worker
@pytest.mark.parametrize("codec", ["h264", "hevc", "av1", "vp9"])
def test_every_encoder_takes_a_picture_that_was_turned_over(
    codec: Any, rig: Rig, made: Clips, ffmpeg: Path
) -> None:
    """x265 fell over lines that are read from below."""
    file = "film.mkv" if codec == "av1" else "film.mp4"
    fields: dict[str, Any] = {"file": file, "codec": codec, "bits": 10, "speed": "ultrafast"}
    video = VideoOutput(box=HD, flip="vertical", crf=8, audio=None, **fields)
    made_of = Film(rig, film(made).read_bytes(), video, chunk_seconds=3600)
    assert kinds(made_of.begin())[-1] == "Encoded"
    assert named(quarters(ffmpeg, made_of.stored("encode")[file])) == "cdab"


@pytest.mark.worker
def test_what_is_around_a_padded_picture_is_black(rig: Rig, made: Clips, ffmpeg: Path) -> None:
    fields: dict[str, Any] = {"box": SQUARE, "fit": "pad"}
    outputs = (
        VideoOutput(speed="ultrafast", crf=8, audio=None, **fields),
        VideoOutput(file="ten.mp4", codec="hevc", bits=10, speed="ultrafast", audio=None, **fields),
        PosterOutput(quality=2, **fields),
    )
    made_of = Film(rig, film(made).read_bytes(), *outputs, chunk_seconds=3600)
    assert kinds(made_of.begin())[-1] == "Encoded"
    for content in made_of.stored("encode").values():
        for at in ("0:0", "62:10", "0:62", "30:54"):
            assert max(quarters(ffmpeg, content, at=at)) <= 2, "64x38 in 64x64: 12 above, 14 below"
        for at in ("0:14", "0:46"):
            assert min(quarters(ffmpeg, content, at=at)) >= GREYS[0] - 12


@pytest.mark.worker
@pytest.mark.parametrize("fit", ["pad", "fill"])
def test_chunks_are_drawn_as_the_whole_is(
    fit: Any, rig: Rig, made: Clips, ffmpeg: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unmended(monkeypatch)
    source = film(made, seconds=4).read_bytes()
    fields: dict[str, Any] = {"fit": fit, "rotate": 90, "flip": "vertical", "box": SQUARE}
    fields["crop"] = Crop(left_fraction=0.1)
    outputs = (
        VideoOutput(speed="ultrafast", crf=0, audio=None, **fields),
        StoryboardOutput(every_seconds=1, **fields),
        ThumbnailsOutput(every_seconds=2, **fields),
        PreviewOutput(seconds=1, places=1, fps=5, **fields),
    )
    cut = Film(rig, source, *outputs).work()
    last = cut.finish()
    assert isinstance(last, report.Encoded), last
    one = Film(rig, source, *outputs, chunk_seconds=3600)
    assert kinds(one.begin())[-1] == "Encoded"
    assert cut.plan.chunks > 2
    assert pixels(ffmpeg, cut.stored("finish")["video.mp4"]) == pixels(
        ffmpeg, one.stored("encode")["video.mp4"]
    ), "of films without loss, each sample"
    assert cut.stored("finish")["preview.gif"] == one.stored("encode")["preview.gif"]


def pixels(ffmpeg: Path, content: bytes) -> bytes:
    line = [str(ffmpeg), "-v", "error", "-i", "-", "-f", "framemd5", "-"]
    ran = subprocess.run(line, input=content, capture_output=True, check=True).stdout
    return b"\n".join(row.rpartition(b",")[2] for row in ran.splitlines() if row[:1] != b"#")
