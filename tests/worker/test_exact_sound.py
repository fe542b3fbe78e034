"""Sound is delivered to the sample: what the source decodes to, counted from where the film begins,
is what the output presents, whole or joined. One lost AAC frame, 23 ms, is caught.
"""

import dataclasses
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mayfly.contract import report
from mayfly.contract.recipe import AudioOutput, Box, VideoOutput
from mayfly.contract.task import Input
from tests.worker.clips import Clips
from tests.worker.conftest import Rig
from tests.worker.cutting import Film, unmended
from worker import boxes, compile_parts, compile_sound, containers, join, presented
from worker.compile_parts import PACKETS

pytestmark = pytest.mark.worker

VIDEO = VideoOutput(speed="ultrafast", box=Box(width=64, height=64))
AUDIO = AudioOutput()
_H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "12")


def source(
    made: Clips, name: str, samples: int, *, rate: int, sound: str = "0", picture: str = "0"
) -> bytes:
    """Three seconds of picture and so many samples, each shifted by so many seconds."""
    return made.make(
        name,
        "-itsoffset", picture, "-f", "lavfi", "-i", "testsrc2=s=64x64:r=12:d=3",
        "-itsoffset", sound, "-f", "lavfi", "-i", f"sine=r={rate},atrim=end_sample={samples}",
        *_H264, "-c:a", "pcm_s16le",
    ).read_bytes()  # fmt: skip


def decoded_samples(ffmpeg: Path, content: bytes, folder: Path) -> int:
    """What a decoder makes of it."""
    (folder / "decoded.mp4").write_bytes(content)
    raw = subprocess.run(
        [str(ffmpeg), "-v", "error", "-i", str(folder / "decoded.mp4"), "-map", "0:a", "-ac", "1",
         "-f", "s16le", "-"],
        check=True, capture_output=True,
    )  # fmt: skip
    return len(raw.stdout) // 2


def done(said: report.Report) -> report.Encoded:
    assert isinstance(said, report.Encoded), said
    return said


CASES = [
    ("odd-44.mov", 130_977, 44_100, "0", "0", 0),
    ("odd-48.mov", 140_001, 48_000, "0", "0", 0),
    ("exact-frames.mov", 128 * 1024, 48_000, "0", "0", 0),
    ("late-48.mov", 96_001, 48_000, "0.5", "0", 24_000),
    ("late-44.mov", 88_201, 44_100, "0.7", "0", 30_870),
    ("early-48.mov", 140_001, 48_000, "0", "0.5", 0),
]


@pytest.mark.parametrize(("name", "samples", "rate", "sound", "picture", "silence"), CASES, ids=str)
def test_whole_or_cut_each_sample_is_presented(
    rig: Rig, made: Clips, tmp_path: Path, ffmpeg: Path, monkeypatch: pytest.MonkeyPatch,
    name: str, samples: int, rate: int, sound: str, picture: str, silence: int,
) -> None:  # fmt: skip
    unmended(monkeypatch)
    content = source(made, name, samples, rate=rate, sound=sound, picture=picture)
    uncut = done(Film(rig, content, VIDEO, AUDIO, chunk_seconds=9).begin()[-1])
    film = Film(rig, content, VIDEO, AUDIO).work()
    joined = done(film.finish())
    for said in (uncut, joined):
        for output in said.outputs:
            assert output.media.samples == samples + silence, output.file
            stored = rig.bucket.objects[output.key]
            assert decoded_samples(ffmpeg, stored, tmp_path) == samples + silence, output.file
    told = {a.file: a.media.samples for a in film.brought["audio-0"].outputs}
    assert told == {"video.mp4": samples + silence, "audio.m4a": samples + silence, PACKETS: None}


# --- What is falsified ------------------------------------------------------------------------


@pytest.fixture
def film(rig: Rig, made: Clips, monkeypatch: pytest.MonkeyPatch) -> Film:
    unmended(monkeypatch)
    return Film(rig, source(made, "falsified.mov", 140_001, rate=48_000), VIDEO, AUDIO).work()


def replaced(film: Film, file: str, change: Callable[[bytearray], None]) -> list[Input]:
    """What is joined when the sound of an output was stored otherwise."""
    inputs = film.inputs()
    (at,) = (n for n, part in enumerate(inputs) if (part.kind, part.file) == ("audio", file))
    content = bytearray(film.stored("audio-0")[file])
    change(content)
    return [*inputs[:at], film.falsified(inputs[at], bytes(content)), *inputs[at + 1 :]]


def frame_dropped(content: bytearray) -> None:
    """The last of them is listed no more."""
    if (at := content.find(b"trun")) >= 0:
        (count,) = struct.unpack_from(">I", content, at + 8)
        struct.pack_into(">I", content, at + 8, count - 1)
        return
    at = content.index(b"stts")
    count, frames, _ = struct.unpack_from(">III", content, at + 8)
    assert count == 2
    struct.pack_into(">I", content, at + 12, frames - 1)
    at = content.index(b"stsz")
    (all_frames,) = struct.unpack_from(">I", content, at + 12)
    struct.pack_into(">I", content, at + 12, all_frames - 1)


def edit_shifted(content: bytearray) -> None:
    """A frame more is taken for priming."""
    at = content.index(b"elst")
    (priming,) = struct.unpack_from(">i", content, at + 16)
    assert priming == 1024
    struct.pack_into(">i", content, at + 16, 2048)


def edit_forgotten(content: bytearray) -> None:
    """The priming is heard."""
    at = content.index(b"elst")
    struct.pack_into(">i", content, at + 16, 0)


@pytest.mark.parametrize("file", ["video.mp4", "audio.m4a"])
@pytest.mark.parametrize("change", [frame_dropped, edit_shifted, edit_forgotten])
def test_sound_that_is_not_what_was_encoded_is_not_joined(
    film: Film, file: str, change: Callable[[bytearray], None]
) -> None:
    said = film.finish(replaced(film, file, change))
    assert isinstance(said, report.Failed), said
    assert said.code == "output_broken"
    assert file in said.detail
    assert "not 140001" in said.detail or "hides its end" in said.detail


def test_sound_without_an_edit_list_is_not_stored(
    rig: Rig, made: Clips, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`empty_moov` writes none, and ffmpeg's exit code is 0."""
    monkeypatch.setattr(containers, "_SOUND_FRAGMENTS", "+frag_keyframe+empty_moov")
    film = Film(rig, source(made, "falsified.mov", 140_001, rate=48_000), VIDEO)
    film.begin()
    said = film.do(film.part(1))
    assert isinstance(said, report.Failed), said
    assert said.code == "output_broken" and "not 140001" in said.detail


@pytest.mark.parametrize("chunk_seconds", [1, 9])
def test_sound_that_is_lost_on_the_way_to_its_encoder_is_not_stored(
    rig: Rig, made: Clips, monkeypatch: pytest.MonkeyPatch, chunk_seconds: int
) -> None:
    """A sixth of a second is less than what headers may be wrong by; decoders count."""
    heard_in = compile_sound.heard_in

    def hurried(*given: Any) -> Any:
        heard = heard_in(*given)
        return {file: [one.filter("atempo", 1.06) for one in s] for file, s in heard.items()}

    monkeypatch.setattr(compile_sound, "heard_in", hurried)
    content = source(made, "falsified.mov", 140_001, rate=48_000)
    film = Film(rig, content, VIDEO, chunk_seconds=chunk_seconds)
    said = film.begin()[-1]
    if chunk_seconds == 1:
        said = film.do(film.part(1))
    assert isinstance(said, report.Failed), said
    assert said.code == "output_broken"
    assert said.detail.startswith("of 2.917 s of sound its encoder was given 2.7")


def test_a_join_that_moves_the_picture_against_the_sound_is_not_delivered(
    rig: Rig, made: Clips, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As two inputs are moved that are copied without their own times."""
    unmended(monkeypatch)
    content = source(made, "early.mov", 140_001, rate=48_000, picture="0.5")
    film = Film(rig, content, VIDEO).work()
    done(film.finish())
    compiled = compile_parts.compile_join

    def moved(*given: Any, **named: Any) -> Any:
        plan = compiled(*given, **named)
        return dataclasses.replace(plan, argv=tuple(a for a in plan.argv if a != "-copyts"))

    monkeypatch.setattr(join, "compile_join", moved)
    said = film.finish()
    assert isinstance(said, report.Failed), said
    assert said.code == "output_broken" and "begins at" in said.detail


def test_what_nobody_counted_is_still_joined(film: Film) -> None:
    """By a worker that did not say how many: its report is from before there were counts."""
    inputs = [msgspec.structs.replace(part, samples=None, sounds=()) for part in film.inputs()]
    assert done(film.finish(inputs)).outputs[0].media.samples == 140_001


def test_sound_that_is_no_file_of_ours_is_told_from_ours(made: Clips, tmp_path: Path) -> None:
    path = made.make("silent-film.mp4", "-f", "lavfi", "-i", "testsrc2=s=64x64:r=12:d=1", *_H264)
    with pytest.raises(boxes.Malformed, match="0 tracks soun"):
        presented.sounds(path, 1)
    assert presented.picture(path).begins == 0
    (tmp_path / "no.mp4").write_bytes(b"\x00\x00\x00\x08free")
    with pytest.raises(boxes.Malformed):
        presented.sounds(tmp_path / "no.mp4", 1)
