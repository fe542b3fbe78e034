"""A film that is sped up has of each stretch of its source the first frame, and no other."""

from pathlib import Path
from typing import Any

import pytest

from mayfly.contract import report
from tests.worker.clips import Clips
from tests.worker.conftest import Rig
from tests.worker.showing import shown

pytestmark = pytest.mark.worker

FRAMES = 60
SIZE = "64x48"
#: Frame n has a light of 20 + 3n.
RAMP = f"nullsrc=s={SIZE}:r={{rate}},format=yuv420p,geq=lum=20+3*N:cb=128:cr=128"


def ramp(made: Clips, name: str, *more: str, rate: str = "25") -> Path:
    return made.make(
        name,
        "-f", "lavfi", "-i", RAMP.format(rate=rate), "-frames:v", str(FRAMES),
        "-c:v", "libx264", "-qp", "0", "-preset", "ultrafast", *more,
    )  # fmt: skip


def sped(rig: Rig, source: Path, times: int, **more: Any) -> report.Report:
    video = {"kind": "video", "file": "v.mp4", "crf": 1, "speed": "ultrafast", "audio": None}
    rig.put(rig.task(source.read_bytes(), recipe={"outputs": [video | {"speedup": times} | more]}))
    return rig.run_once()[-1]


def frames(rig: Rig, ffmpeg: Path, said: report.Report) -> list[int]:
    """Which of the source's the film has."""
    assert isinstance(said, report.Encoded), said
    body = rig.bucket.objects[said.outputs[0].key]
    lights = (tone.lower_right * 219 / 255 + 16 for tone in shown(ffmpeg, body, SIZE))
    return [round((light - 20) / 3) for light in lights]


@pytest.mark.parametrize("times", [2, 3, 7, 1000])
def test_every_so_many_frames_one_is_shown(rig: Rig, made: Clips, ffmpeg: Path, times: int) -> None:
    said = sped(rig, ramp(made, "ramp.mp4"), times)
    wanted = list(range(0, FRAMES, times))
    assert frames(rig, ffmpeg, said) == wanted
    assert isinstance(said, report.Encoded)
    media = said.outputs[0].media
    assert media.frames == len(wanted)
    assert media.duration_seconds == pytest.approx(len(wanted) / 25, abs=0.045)
    assert media.audio_codec is None


@pytest.mark.parametrize(
    ("name", "rate", "more"),
    [
        ("ramp.mkv", "24", ()),  # a clock of milliseconds: 41 or 42 of them a frame
        ("ramp.mkv", "30000/1001", ()),
        ("ramp.ts", "30000/1001", ("-output_ts_offset", "1000")),
    ],
)
def test_a_clock_that_rounds_or_begins_late_changes_nothing(
    rig: Rig, made: Clips, ffmpeg: Path, name: str, rate: str, more: tuple[str, ...]
) -> None:
    source = ramp(made, f"{rate.partition('/')[0]}-{name}", *more, rate=rate)
    assert frames(rig, ffmpeg, sped(rig, source, 5)) == list(range(0, FRAMES, 5))


def test_frames_at_uneven_distances_are_chosen_by_their_time(
    rig: Rig, made: Clips, ffmpeg: Path
) -> None:
    """Of a second without a frame none is shown, and nothing else is moved for it."""
    uneven = ("-vf", "select='not(between(n,10,29))'", "-fps_mode", "passthrough")
    source = ramp(made, "uneven.mkv", *uneven)
    assert frames(rig, ffmpeg, sped(rig, source, 5))[:4] == [0, 5, 30, 35]


def test_it_is_made_beside_a_film_at_its_own_pace(rig: Rig, made: Clips, ffmpeg: Path) -> None:
    video = {"kind": "video", "crf": 1, "speed": "ultrafast", "audio": None}
    outputs = [
        video | {"file": "v.mp4", "speedup": 10},
        video | {"file": "own.mkv"},
        {"kind": "poster"},
    ]
    rig.put(rig.task(ramp(made, "ramp.mp4").read_bytes(), recipe={"outputs": outputs}))
    said = rig.run_once()[-1]
    assert frames(rig, ffmpeg, said) == list(range(0, FRAMES, 10))
    assert isinstance(said, report.Encoded)
    assert [made.media.frames for made in said.outputs] == [6, FRAMES, 1]


def test_a_source_that_would_be_cut_is_made_in_one_piece_and_says_why(
    rig: Rig, made: Clips
) -> None:
    said = sped(rig, made.plain(), 4)
    assert isinstance(said, report.Encoded)
    assert said.note == "Encoded whole: a film that is sped up is made in one piece."
    assert said.proof is not None and said.proof.whole_because


def test_a_source_without_a_clock_is_refused_with_a_sentence(rig: Rig, made: Clips) -> None:
    one = ramp(made, "one.ts").read_bytes()
    clip = made.make("twice.ts", "-f", "mpegts", "-i", str(ramp(made, "one.ts")), "-c", "copy")
    clip.write_bytes(one + one)
    said = sped(rig, clip, 4)
    assert isinstance(said, report.Failed)
    assert said.code == "request_refused" and "cannot be sped up" in said.detail
