"""An image on every frame, with the real ffmpeg: in its place and nowhere else, whole and cut; and
no image at all but one still picture that the task may read."""

import dataclasses
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from mayfly.contract import report
from mayfly.contract.recipe import (
    Box,
    Crop,
    LadderOutput,
    PosterOutput,
    Recipe,
    Rung,
    VideoOutput,
    Watermark,
    assets_of,
)
from mayfly.contract.wire import Refusal, convert
from tests.worker.clips import Clips
from tests.worker.conftest import Rig, kinds
from tests.worker.cutting import Film, unmended
from tests.worker.test_compile import material
from worker import assets, images
from worker.assets import Asset
from worker.compile import compile_plan
from worker.drawing import placed
from worker.ends import WorkFailed
from worker.picture import Size

FRAME = Size(160, 96)
BOX = Box(width=160, height=96)


@hypothesis.given(
    frame=st.tuples(st.integers(1, 2000), st.integers(1, 2000)),
    image=st.tuples(st.integers(1, 4096), st.integers(1, 4096)),
    position=st.sampled_from(["top-left", "top-right", "bottom-left", "bottom-right", "center"]),
    width=st.floats(0.01, 1),
    margin=st.floats(0, 0.25),
)
def test_an_image_lies_wholly_on_its_frame(
    frame: tuple[int, int], image: tuple[int, int], position: Any, width: float, margin: float
) -> None:
    size = Size(2 * frame[0], 2 * frame[1])
    wanted = Watermark(
        image="a.png", position=position, width_fraction=width, margin_fraction=margin
    )
    mark = placed(wanted, Asset(path="p", demuxer="png_pipe", size=Size(*image)), size)
    for side in (mark.size.width, mark.size.height, mark.left, mark.top):
        assert side % 2 == 0 and side >= 0
    assert mark.size.width >= 2 and mark.size.height >= 2
    assert mark.left + mark.size.width <= size.width
    assert mark.top + mark.size.height <= size.height
    assert mark.size.width <= max(2, size.width * width)


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"watermark": {"image": "../logo.png"}}, "image"),
        ({"watermark": {"image": "logo.svg"}}, "image"),
        ({"watermark": {"image": "a:b.png"}}, "image"),
        ({"watermark": {"image": "a.png", "opacity": 0}}, "opacity"),
        ({"watermark": {"image": "a.png", "position": "left"}}, "position"),
        (
            {"watermark": {"image": "a.png"}, "hdr": "keep", "codec": "hevc", "bits": 10},
            "standard range",
        ),
    ],
)
def test_what_names_no_image_of_the_bucket_is_refused(fields: dict[str, Any], word: str) -> None:
    with pytest.raises(Refusal, match=word):
        convert(Recipe, {"outputs": [{"kind": "video", **fields}]})


def test_a_recipe_names_each_image_once() -> None:
    mark = Watermark(image="b.png")
    outputs = (
        VideoOutput(watermark=mark),
        VideoOutput(file="other.mp4", watermark=Watermark(image="a.webp")),
        LadderOutput(rungs=(Rung(box=BOX),), watermark=mark),
        PosterOutput(),
    )
    assert assets_of(Recipe(outputs=outputs)) == ("a.webp", "b.png")


class Marked(Film):
    """A film whose tasks may read images of the bucket."""

    images: Mapping[str, bytes] = {}

    def message(self, part: Any, **changed: Any) -> dict[str, Any]:
        bucket = self.rig.bucket
        bucket.objects |= {f"assets/{name}": content for name, content in self.images.items()}
        urls = {name: {"url": bucket.url(f"assets/{name}")} for name in assets_of(self.recipe)}
        given = {} if part.kind == "audio" else {"assets": urls}
        return super().message(part, **{**given, **changed})


def marked(
    rig: Rig, source: Path, given: Mapping[str, bytes], *outputs: Any, **more: Any
) -> Marked:
    film = Marked(rig, source.read_bytes(), *outputs, **more)
    film.images = given
    return film


def black(made: Clips, seconds: int = 1) -> Path:
    return made.make(
        f"black-{seconds}.mp4",
        "-f", "lavfi", "-i", f"color=c=black:s=160x96:r=25:d={seconds}",
        "-vf", "format=yuv420p,setparams=colorspace=bt709",
        "-c:v", "libx264", "-preset", "ultrafast", "-qp", "4", "-g", "10",
    )  # fmt: skip


def image(made: Clips, end: str, colour: str = "white", size: str = "64x32") -> bytes:
    codec = {"png": "png", "jpg": "mjpeg", "webp": "libwebp"}[end]
    return made.make(
        f"{colour}-{size}.{end}".replace("@", "-"),
        "-f", "lavfi", "-i", f"color=c={colour}:s={size},format=rgba", "-frames:v", "1",
        "-c:v", codec,
    ).read_bytes()  # fmt: skip


def video(**fields: Any) -> VideoOutput:
    return VideoOutput(**{"box": BOX, "speed": "ultrafast", "crf": 0, "audio": None, **fields})


def luma(ffmpeg: Path, content: bytes) -> list[list[bytes]]:
    """Of each frame, its rows, as its samples are stored."""
    line = [str(ffmpeg), "-v", "error", "-i", "-", "-vf", "extractplanes=y", "-f", "rawvideo", "-"]
    raw = subprocess.run(line, input=content, capture_output=True, check=True).stdout
    rows = [raw[at : at + FRAME.width] for at in range(0, len(raw), FRAME.width)]
    return [rows[at : at + FRAME.height] for at in range(0, len(rows), FRAME.height)]


#: Of 160: 40 wide, and 20 high as the image is; 8 from the sides.
@pytest.mark.worker
@pytest.mark.parametrize(
    ("position", "left", "top"),
    [("top-left", 8, 8), ("top-right", 112, 8), ("bottom-left", 8, 68), ("bottom-right", 112, 68),
     ("center", 60, 38)],
)  # fmt: skip
def test_an_image_is_in_its_place_and_nowhere_else(
    position: Any, left: int, top: int, rig: Rig, made: Clips, ffmpeg: Path
) -> None:
    mark = Watermark(image="logo.png", position=position, width_fraction=0.25, margin_fraction=0.05)
    film = marked(
        rig, black(made), {"logo.png": image(made, "png")}, video(watermark=mark),
        chunk_seconds=3600,
    )  # fmt: skip
    assert kinds(film.begin())[-1] == "Encoded"
    frames = luma(ffmpeg, film.stored("encode")["video.mp4"])
    assert len(frames) == 25
    inside = bytes([235]) * 40
    around = bytes([16]) * left, bytes([16]) * (FRAME.width - left - 40)
    for rows in frames:
        for number, row in enumerate(rows):
            is_marked = top <= number < top + 20
            assert row == (around[0] + inside + around[1] if is_marked else bytes([16]) * 160)


@pytest.mark.worker
@pytest.mark.parametrize("end", ["png", "jpg", "webp"])
def test_every_kind_of_image_is_drawn_as_far_as_it_hides(
    end: str, rig: Rig, made: Clips, ffmpeg: Path
) -> None:
    """Half of what an image hides by itself, where half is wanted."""
    name = f"logo.{end}"
    mark = Watermark(image=name, position="center", width_fraction=0.5, opacity=0.5)
    film = marked(
        rig, black(made), {name: image(made, end)}, video(watermark=mark), chunk_seconds=3600
    )
    assert kinds(film.begin())[-1] == "Encoded"
    rows = luma(ffmpeg, film.stored("encode")["video.mp4"])[0]
    assert rows[48][80] == pytest.approx(16 + 219 / 2, abs=2)


@pytest.mark.worker
def test_what_an_image_does_not_hide_shows(rig: Rig, made: Clips, ffmpeg: Path) -> None:
    mark = Watermark(image="logo.png", position="center", width_fraction=0.5)
    clear = image(made, "png", colour="white@0.0")
    film = marked(rig, black(made), {"logo.png": clear}, video(watermark=mark), chunk_seconds=3600)
    assert kinds(film.begin())[-1] == "Encoded"
    assert {bytes(row) for row in luma(ffmpeg, film.stored("encode")["video.mp4"])[3]} == {
        bytes([16]) * 160
    }


SOURCES = {
    "even.mp4": (),
    "late.ts": ("-output_ts_offset", "1000.4"),
    "uneven.mkv": ("-vf", "select='not(mod(n,2))+gt(random(1),0.6)'", "-fps_mode", "passthrough"),
    "fields.ts": ("-vf", "interlace", "-flags", "+ilme+ildct"),
}


@pytest.mark.worker
@pytest.mark.parametrize("name", SOURCES)
def test_chunks_are_marked_as_the_whole_is(
    name: str, rig: Rig, made: Clips, ffmpeg: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unmended(monkeypatch)
    source = made.make(
        f"marked-{name}",
        "-f", "lavfi", "-i", "testsrc2=s=160x96:r=30000/1001:d=4", *SOURCES[name],
        "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "10",
    )  # fmt: skip
    both = {"logo.png": image(made, "png"), "b.webp": image(made, "webp", "red")}
    one = video(watermark=Watermark(image="logo.png", opacity=0.7))
    two = video(
        file="two.mp4", codec="hevc", crf=20, bits=10, fit="pad", crop=Crop(top_fraction=0.5),
        watermark=Watermark(image="b.webp", position="top-left"),
    )  # fmt: skip
    outputs = (one, two, PosterOutput(box=BOX))
    film = marked(rig, source, both, *outputs).work()
    last = film.finish()
    assert isinstance(last, report.Encoded), last
    whole = marked(rig, source, both, *outputs, chunk_seconds=3600)
    assert kinds(whole.begin())[-1] == "Encoded"
    assert film.plan.chunks > 2
    cut, uncut = film.stored("finish"), whole.stored("encode")
    assert luma(ffmpeg, cut["video.mp4"]) == luma(ffmpeg, uncut["video.mp4"]), "without loss"
    first = luma(ffmpeg, cut["video.mp4"])[0]
    assert max(first[-8][-8:]) > 100, "white, for the most part"
    assert times(ffmpeg, cut["two.mp4"]) == times(ffmpeg, uncut["two.mp4"])


def times(ffmpeg: Path, content: bytes) -> list[int]:
    """When each frame is shown."""
    line = [str(ffmpeg), "-v", "error", "-i", "-", "-c", "copy", "-f", "framecrc", "-"]
    ran = subprocess.run(line, input=content, capture_output=True, check=True).stdout
    return sorted(int(row.split(b",")[2]) for row in ran.splitlines() if row[:1] != b"#")


@pytest.mark.worker
def test_every_size_of_a_ladder_is_marked(
    rig: Rig, made: Clips, ffmpeg: Path, tmp_path: Path
) -> None:
    small = Box(width=80, height=48)
    ladder = LadderOutput(
        rungs=(Rung(box=BOX, crf=4), Rung(box=small, crf=4)), speed="ultrafast",
        segment_seconds=2, audio=None,
        watermark=Watermark(image="logo.png", position="top-left", width_fraction=0.5,
                            margin_fraction=0),
    )  # fmt: skip
    film = marked(rig, black(made, 4), {"logo.png": image(made, "png")}, ladder).work()
    last = film.finish()
    assert isinstance(last, report.Encoded), last
    objects = rig.bucket.objects
    for track, width in (("v0", 160), ("v1", 80)):
        init = next(key for key in objects if track in key and "init" in key)
        for key in [key for key in objects if track in key and key.endswith(".m4s")]:
            line = [str(ffmpeg), "-v", "error", "-i", "-", "-vf", "extractplanes=y", "-f",
                    "rawvideo", "-"]  # fmt: skip
            raw = subprocess.run(
                line, input=objects[init] + objects[key], capture_output=True, check=True
            ).stdout
            assert raw[2] > 225 and raw[width // 2 - 3] > 225
            assert raw[width // 2 + 4] < 20 and raw[-1] < 20


def refused(rig: Rig, made: Clips, given: Mapping[str, bytes], name: str = "logo.png") -> Any:
    film = marked(
        rig, black(made), given, video(watermark=Watermark(image=name)), chunk_seconds=3600
    )
    said = film.begin()[-1]
    assert isinstance(said, report.Failed), said
    return said.code, said.detail


@pytest.mark.worker
def test_an_image_that_is_not_there_ends_the_job_with_a_code_of_its_own(
    rig: Rig, made: Clips
) -> None:
    assert refused(rig, made, {}) == ("asset_missing", "logo.png")


@pytest.mark.worker
def test_a_task_without_a_url_for_its_image_is_refused(rig: Rig, made: Clips) -> None:
    film = Film(rig, black(made).read_bytes(), video(watermark=Watermark(image="logo.png")))
    said = film.begin()[-1]
    assert isinstance(said, report.Failed)
    assert (said.code, said.detail) == ("asset_missing", "logo.png: the task brings no URL for it")


@pytest.mark.worker
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<svg xmlns='http://www.w3.org/2000/svg'><image href='http://169.254.169.254/'/></svg>",
        b"#EXTM3U\nhttp://127.0.0.1/x\n",
        b"\x89PNG\r\n\x1a\n" + bytes(100),
        b"\xff\xd8\xff" + bytes(100),
        b"RIFF\x00\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x02" + bytes(100),
        b"GIF89a" + bytes(100),
    ],
)
def test_what_is_no_still_picture_is_refused(content: bytes, rig: Rig, made: Clips) -> None:
    code, detail = refused(rig, made, {"logo.png": content})
    assert code == "asset_refused"
    assert detail.startswith("logo.png: ")
    assert rig.bucket.count("GET") == 2, "the source, and the image: nothing that it names"


@pytest.mark.worker
def test_an_image_that_is_too_large_is_refused(
    rig: Rig, made: Clips, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = image(made, "png")
    monkeypatch.setattr(assets, "BYTES_MAX", len(content) - 1)
    code, detail = refused(rig, made, {"logo.png": content})
    assert (code, detail) == (
        "asset_refused", f"logo.png: {len(content)} bytes, at most {len(content) - 1}",
    )  # fmt: skip
    monkeypatch.setattr(assets, "BYTES_MAX", len(content))
    monkeypatch.setattr(images, "PIXELS_MAX", 64 * 32 - 1)
    assert refused(rig, made, {"logo.png": content})[0] == "asset_refused"


@pytest.mark.worker
def test_two_pictures_in_one_file_are_refused(rig: Rig, made: Clips) -> None:
    content = image(made, "jpg")
    assert refused(rig, made, {"logo.jpg": content * 2}, "logo.jpg")[0] == "asset_refused"


def test_the_sources_input_is_the_first() -> None:
    """ffmpeg's words of what it decoded are read by the input's number."""
    asset = Asset(path="in/asset-0", demuxer="png_pipe", size=Size(64, 32))
    argv = compile_plan(
        Recipe(outputs=(PosterOutput(), VideoOutput(watermark=Watermark(image="a.png")))),
        dataclasses.replace(material(), assets={"a.png": asset}), ffmpeg_path="ffmpeg", threads=2,
    ).argv  # fmt: skip
    opened = [argv[at + 1] for at, word in enumerate(argv) if word == "-i"]
    assert opened == ["file:in/source", "file:in/asset-0"]
    guard = argv[argv.index("file:in/source") + 1 : argv.index("file:in/asset-0")]
    assert guard[guard.index("-format_whitelist") + 1] == "png_pipe"
    assert guard[guard.index("-protocol_whitelist") + 1] == "file"
    assert "-max_pixels" in guard


def test_no_film_is_made_without_an_image_that_was_asked_for() -> None:
    with pytest.raises(WorkFailed, match="without its image"):
        compile_plan(
            Recipe(outputs=(VideoOutput(watermark=Watermark(image="a.png")),)), material(),
            ffmpeg_path="ffmpeg", threads=2,
        )  # fmt: skip
