"""A file that is not what its recipe names is not delivered, though ffmpeg's exit code is 0."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mayfly.contract import report
from mayfly.contract.formats import VideoCodec
from mayfly.contract.recipe import AudioOutput, Box, LadderOutput, Rung, VideoOutput
from tests.worker.clips import Clips
from tests.worker.conftest import Rig
from tests.worker.cutting import Film
from worker import compile_codecs, compile_picture, compile_sound, containers, ebml
from worker.boxes import Malformed

pytestmark = pytest.mark.worker

SMALL = Box(width=64, height=64)


def told(changed: dict[str, Any], *left_out: str) -> Callable[..., dict[str, Any]]:
    real = compile_codecs.told

    def telling(output: Any, making: Any) -> dict[str, Any]:
        options = {**real(output, making), **changed}
        return {name: value for name, value in options.items() if name not in left_out}

    return telling


def written(**changed: Any) -> Callable[..., dict[str, Any]]:
    real = containers.delivered
    return lambda output: {**real(output), **changed}


HEVC = VideoOutput(codec="hevc", box=SMALL, speed="ultrafast")
HEVC_MKV = VideoOutput(file="film.mkv", codec="hevc", box=SMALL, speed="ultrafast")
MKV = VideoOutput(file="film.mkv", box=SMALL, speed="ultrafast")
OPUS = AudioOutput(file="a.opus")


@pytest.mark.parametrize(
    ("output", "where", "name", "made_so", "said"),
    [
        (HEVC_MKV, compile_codecs, "told", told({"c:v": "libx264"}, "x265-params", "forced-idr"),
         "has no hevc picture"),
        (VideoOutput(bits=10, box=SMALL), compile_picture, "PIXELS", {8: "yuv420p", 10: "yuv420p"},
         "is of profile"),
        (VideoOutput(box=SMALL), compile_codecs, "told",
         told({"profile:v": "high444", "qp": 0}, "crf"), "is of profile High 4:4:4 Predictive"),
        (HEVC, containers, "tag", lambda output: {"tag:v": "hev1"}, "calls its picture hev1"),
        (HEVC, containers, "delivered", written(movflags="+empty_moov+frag_keyframe"),
         "is in fragments"),
        (HEVC, containers, "delivered", written(movflags="+write_colr"), "is not in front"),
        (HEVC, containers, "delivered", written(format="mov"), "for QuickTime"),
        (VideoOutput(fragmented=True, box=SMALL), containers, "delivered",
         written(movflags="+faststart"), "not in fragments"),
        (MKV, containers, "delivered", written(cues_to_front=0), "is not in front"),
        (VideoOutput(file="film.webm", codec="vp9", box=SMALL, speed="ultrafast"), containers,
         "delivered", written(format="matroska"), "says that it is matroska"),
        (OPUS, compile_sound, "encoder", lambda promise: {"c:a": "flac"}, "has no Opus sound"),
    ],
)  # fmt: skip
def test_what_is_not_what_was_promised_is_not_delivered(
    output: Any,
    where: Any,
    name: str,
    made_so: Any,
    said: str,
    rig: Rig,
    made: Clips,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(where, name, made_so)
    film = Film(rig, made.plain(seconds=2).read_bytes(), output, chunk_seconds=3600)
    last = film.begin()[-1]
    assert isinstance(last, report.Failed), last
    assert last.code == "output_broken"
    assert said in last.detail, last.detail


def test_sound_that_ends_early_or_late_is_not_delivered(
    rig: Rig, made: Clips, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In files without boxes a decoder counts: 3,000 samples fewer are heard there."""
    real = compile_sound.encoder
    monkeypatch.setattr(
        compile_sound, "encoder", lambda promise: {**real(promise), "bsf:a": "noise=drop=eq(n\\,9)"}
    )
    for file in ("a.mp3", "a.opus", "a.mka", "a.flac"):
        film = Film(rig, made.plain(seconds=2).read_bytes(), AudioOutput(file=file))
        last = film.begin()[-1]
        assert isinstance(last, report.Failed), (file, last)
        assert last.code == "output_broken", file


@pytest.mark.parametrize(
    ("changed", "least"),
    [({"codec": "hevc"}, 16), ({"codec": "av1", "bitrate_kbps": 90}, 64)],
)
def test_what_an_encoder_cannot_make_so_small_is_refused_before_it_is_tried(
    changed: dict[str, Any], least: int, rig: Rig, made: Clips
) -> None:
    box = Box(width=least, height=least)
    output = VideoOutput(**changed, box=box, speed="ultrafast")
    last = Film(rig, made.plain(seconds=2).read_bytes(), output).begin()[-1]
    assert isinstance(last, report.Failed)
    assert last.code == "request_refused"
    assert f"begins at {least}x{least}" in last.detail


def test_a_rung_that_its_encoder_cannot_make_is_refused_before_it_is_tried(
    rig: Rig, made: Clips
) -> None:
    """A box of 16 that a wide picture fits into comes to less."""
    boxes = (Box(width=64, height=64), Box(width=16, height=16))
    rungs = tuple(Rung(box=box) for box in boxes)
    told: list[tuple[VideoCodec, type]] = [("hevc", report.Failed), ("h264", report.Encoded)]
    for codec, ends in told:
        ladder = LadderOutput(codec=codec, rungs=rungs, speed="ultrafast")
        source = made.plain(seconds=2).read_bytes()
        last = Film(rig, source, ladder, chunk_seconds=3600).begin()[-1]
        assert isinstance(last, ends), (codec, last)
        if isinstance(last, report.Failed):
            assert last.code == "request_refused"
            assert "begins at 16x16" in last.detail


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 40,
        b"\x1a\x45\xdf\xa3",
        b"\x1a\x45\xdf\xa3\x80\x18\x53\x80\x67\x80",
        b"\xff" * 9,
    ],
)
def test_no_bytes_break_the_reading_of_elements(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x"
    path.write_bytes(content)
    for read in (ebml.doc_type, ebml.index_in_front):
        with pytest.raises(Malformed):
            read(path)
