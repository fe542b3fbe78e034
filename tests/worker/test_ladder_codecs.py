"""Ladders in every codec: cut or whole the same frames at the same moments, each segment shown by a
decoder that has seen none before it, and named as players ask their decoders for it."""

import re
from pathlib import Path
from typing import Any

import m3u8
import msgspec
import pytest

from mayfly.contract import report
from mayfly.contract.recipe import LadderOutput
from tests.matrix.decode import decoded
from tests.worker import climbing
from tests.worker.climbing import FILMS, LADDER, climbed, named, shown, whole
from tests.worker.clips import Clips
from tests.worker.conftest import Rig
from tests.worker.cutting import Film
from worker import compile_ladder, containers

pytestmark = [pytest.mark.worker, pytest.mark.timeout(300)]

#: By codec and bits: how a player is told of it.
NAMES = {
    ("h264", 8): r"avc1\.42c0..",
    ("hevc", 8): r"hvc1\.1\.6\.L\d+\.90",
    ("hevc", 10): r"hvc1\.2\.4\.L\d+\.90",
    ("av1", 8): r"av01\.0\.00M\.08",
    ("av1", 10): r"av01\.0\.00M\.10",
    ("vp9", 8): r"vp09\.00\.\d\d\.08",
    ("vp9", 10): r"vp09\.02\.\d\d\.10",
}


def ladder(codec: str, bits: int = 8, **changed: Any) -> LadderOutput:
    quick = {"codec": codec, "bits": bits, "speed": "ultrafast", "manifests": ("hls", "dash")}
    return msgspec.structs.replace(LADDER, **{**quick, **changed})


@pytest.mark.parametrize(("codec", "bits"), NAMES)
def test_a_ladder_of_every_codec_is_the_same_cut_and_whole(
    codec: str, bits: int, rig: Rig, made: Clips, ffmpeg: Path, ffprobe: Path, tmp_path: Path
) -> None:
    source = made.make("climbed-uneven.mkv", *FILMS["uneven.mkv"][0]).read_bytes()
    wanted = ladder(codec, bits)
    film, cut = climbed(rig, source, tmp_path / "cut", wanted)
    assert film.plan.chunks >= 3
    one, other = whole(rig, source, tmp_path / "whole", wanted)
    times = tuple(number / 30 for number in range(len(shown(ffmpeg, cut)[0].times)))
    for master in (cut, other):
        assert all(
            tuple(map(float, size.times)) == pytest.approx(times) for size in shown(ffmpeg, master)
        )
        starts = [climbing.keyframes(ffprobe, master.parent / size) for size in named(master)]
        assert starts[0] == [2 * number for number in range(len(starts[0]))]
        assert starts[1] == starts[0]
        for variant in m3u8.load(str(master)).playlists:
            picture, sound = variant.stream_info.codecs.split(",")
            assert re.fullmatch(NAMES[codec, bits], picture), picture
            assert sound == "mp4a.40.2"
    assert (cut.parent / "v0.m3u8").read_text() == (other.parent / "v0.m3u8").read_text()
    assert climbing.heard(ffmpeg, cut) == climbing.heard(ffmpeg, other)
    (media,) = (
        output.media for output in one.brought["encode"].outputs if output.file == "hls/master.m3u8"
    )
    assert media.video_codec == codec
    largest = m3u8.load(str(other)).playlists[0]
    assert media.codecs == largest.stream_info.codecs


@pytest.mark.parametrize("codec", ["hevc", "av1", "vp9"])
def test_the_parts_show_what_the_whole_shows_in_every_codec(
    codec: str, rig: Rig, made: Clips, ffmpeg: Path, tmp_path: Path
) -> None:
    source = made.make("climbed-uneven.mkv", *FILMS["uneven.mkv"][0]).read_bytes()
    with climbing.lossless():
        _, cut = climbed(rig, source, tmp_path / "cut", ladder(codec, speed="veryfast"))
        _, other = whole(rig, source, tmp_path / "whole", ladder(codec, speed="veryfast"))
    assert shown(ffmpeg, cut) == shown(ffmpeg, other)


@pytest.mark.parametrize("codec", ["h264", "hevc", "av1", "vp9"])
def test_a_segment_is_shown_by_a_decoder_that_has_seen_no_other(
    codec: str, rig: Rig, made: Clips, ffmpeg: Path, tmp_path: Path
) -> None:
    """With B-frames and hidden frames, at a speed that makes them."""
    source = made.make("climbed-even.mp4", *FILMS["even.mp4"][0]).read_bytes()
    _, master = climbed(rig, source, tmp_path, ladder(codec, speed="veryfast"))
    folder = master.parent
    for size, seen in zip(named(master), shown(ffmpeg, master), strict=True):
        begin = (folder / size.replace(".m3u8", "/init.mp4")).read_bytes()
        for number, name in enumerate(named(folder / size)):
            alone = tmp_path / "alone.mp4"
            alone.write_bytes(begin + (folder / name).read_bytes())
            found = decoded(ffmpeg, alone, sound=None).hashes
            assert found == seen.hashes[50 * number : 50 * (number + 1)], name


@pytest.mark.parametrize("codec", ["hevc", "av1", "vp9"])
def test_one_frame_is_a_ladder_in_every_codec(
    codec: str, rig: Rig, made: Clips, ffmpeg: Path, tmp_path: Path
) -> None:
    for count in (1, 2):
        source = made.silent(f"climbed-{count}.mp4", "-frames:v", str(count)).read_bytes()
        _, master = whole(rig, source, tmp_path / str(count), ladder(codec))
        assert [len(size.times) for size in shown(ffmpeg, master)] == [count, count]


@pytest.mark.parametrize(
    ("codec", "changed", "told"),
    [
        ("hevc", {"g": 33, "keyint_min": 33}, "at each 50 frames"),
        ("hevc", {"x265-params": "open-gop=1:info=0:scenecut=0"}, ""),
        ("av1", {"g": 33}, "at each 50 frames"),
        ("av1", {"svtav1-params": "irefresh-type=1"}, ""),
        ("vp9", {"g": 33, "keyint_min": 33}, "at each 50 frames"),
        ("hevc", {"c:v": "libx264"}, "is not hevc in 8 bits"),
        ("av1", {"pix_fmt": "yuv420p10le"}, "is not av1 in 8 bits"),
    ],
)
def test_what_players_could_not_switch_to_or_asked_for_is_not_delivered(
    codec: str,
    changed: dict[str, Any],
    told: str,
    rig: Rig,
    made: Clips,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = compile_ladder.encoded

    def encoded(*given: Any, **more: Any) -> dict[str, Any]:
        options = {**real(*given, **more), **changed}
        if "c:v" in changed:
            for name in ("x265-params", "forced-idr", "tag:v", "profile:v"):
                options.pop(name)
        return options

    monkeypatch.setattr(compile_ladder, "encoded", encoded)
    source = made.make("climbed-even.mp4", *FILMS["even.mp4"][0]).read_bytes()
    last = Film(rig, source, ladder(codec), chunk_seconds=3600).begin()[-1]
    assert isinstance(last, report.Failed), last
    assert last.code == "output_broken" and told in last.detail, last.detail


def test_a_ladder_that_apples_players_would_not_show_is_not_delivered(
    rig: Rig, made: Clips, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(containers, "tag", lambda output: {"tag:v": "hev1"})
    source = made.make("climbed-even.mp4", *FILMS["even.mp4"][0]).read_bytes()
    last = Film(rig, source, ladder("hevc"), chunk_seconds=3600).begin()[-1]
    assert isinstance(last, report.Failed), last
    assert "calls its picture hev1.1." in last.detail


def test_a_capped_rung_is_capped_in_every_codec_and_chunk(
    rig: Rig, made: Clips, tmp_path: Path
) -> None:
    """To what a codec's encoder can: see docs/ladders.md."""
    noise = "testsrc2=s=320x180:r=25:d=6,noise=alls=20:allf=t"
    source = made.make(
        "noise-ladder.mp4", "-f", "lavfi", "-i", noise, "-c:v", "libx264", "-preset", "ultrafast",
        "-crf", "12", "-g", "25", "-pix_fmt", "yuv420p",
    ).read_bytes()  # fmt: skip
    free = msgspec.structs.replace(LADDER.rungs[0], crf=20)
    capped = msgspec.structs.replace(free, maxrate_kbps=100)
    for codec in ("hevc", "av1", "vp9"):
        kbps = {}
        for rung in (free, capped):
            folder = tmp_path / f"{codec}-{rung.maxrate_kbps}"
            wanted = ladder(codec, rungs=(rung,), audio=None)
            climbed(rig, source, folder, wanted, chunk_seconds=3)
            kbps[rung] = sum(path.stat().st_size for path in folder.rglob("*.m4s")) * 8 / 6 / 1000
        assert kbps[capped] < 150 < kbps[free], (codec, kbps)
