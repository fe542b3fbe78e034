"""A quality that a recipe asks for is found for each source, kept by all of its chunks, and seen in
what was made; with the real ffmpeg."""

import math

import msgspec
import pytest

from mayfly.contract import report
from mayfly.contract.recipe import Box, LadderOutput, Quality, Rung, VideoOutput
from tests.worker.clips import Clips
from tests.worker.conftest import Rig, kinds
from tests.worker.cutting import Film, unmended

pytestmark = pytest.mark.worker

BOX = Box(width=160, height=90)
FILM = VideoOutput(speed="veryfast", box=BOX, audio=None, quality=Quality(vmaf=85))
#: B-frames and none; ticks and milliseconds; fragments with a list of them and without.
FILMS = (
    FILM,
    msgspec.structs.replace(FILM, file="film.webm", codec="vp9", speed="ultrafast"),
    msgspec.structs.replace(FILM, file="film.mkv", codec="hevc", speed="ultrafast"),
    msgspec.structs.replace(FILM, file="av1.mp4", codec="av1", speed="ultrafast", fragmented=True),
)
LADDER = LadderOutput(
    rungs=tuple(Rung(box=Box(width=width, height=width)) for width in (320, 300, 64)),
    segment_seconds=2,
    speed="veryfast",
    quality=Quality(vmaf=80),
    vmaf_apart=2,
    audio=None,
)


def clip(made: Clips) -> bytes:
    """Noise that moves, so that an encoder has something to lose."""
    return made.make(
        "noisy.mp4",
        "-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=6,noise=alls=12:allf=t:all_seed=7",
        "-c:v", "libx264", "-preset", "ultrafast", "-crf", "10", "-pix_fmt", "yuv420p",
    ).read_bytes()  # fmt: skip


def smooth(made: Clips) -> bytes:
    """What is seen in a picture a little smaller as well."""
    return made.make(
        "smooth.mp4",
        "-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=6,gblur=sigma=3",
        "-c:v", "libx264", "-preset", "ultrafast", "-crf", "10", "-pix_fmt", "yuv420p",
    ).read_bytes()  # fmt: skip


def scored(said: report.Report) -> tuple[report.Scored, ...]:
    assert isinstance(said, report.Encoded), said
    assert said.proof is not None
    return said.proof.quality


def whole(rig: Rig, source: bytes, *outputs: object) -> report.Report:
    return Film(rig, source, *outputs, chunk_seconds=3600).begin()[-1]


@pytest.mark.parametrize("output", FILMS, ids=lambda film: film.file)
def test_a_film_looks_as_its_samples_did_whole_and_in_chunks(
    output: VideoOutput, rig: Rig, made: Clips, monkeypatch: pytest.MonkeyPatch
) -> None:
    unmended(monkeypatch)
    (one,) = scored(whole(rig, clip(made), output))
    film = Film(rig, clip(made), output, chunk_seconds=2).work()
    (cut,) = scored(film.finish())

    assert film.plan.chunks == 3
    assert one.crf == cut.crf, "what is decided hangs on the source alone"
    assert (one.wanted, one.model, one.subsampling) == (85, "vmaf_v0.6.1", 3)
    # A frame beside its place looks like another film: 20 and less.
    assert abs(one.vmaf - one.sampled) < 3 and abs(cut.vmaf - one.vmaf) < 3
    assert abs(one.sampled - 85) < 4
    assert one.vmaf_min == min(window.vmaf for window in one.windows)
    assert {window.seconds for window in one.windows} == {2.0}
    assert [w.start_seconds for w in cut.windows] == [w.start_seconds for w in one.windows]


def test_rungs_of_a_ladder_have_a_factor_each_and_those_that_look_alike_are_one(
    rig: Rig, made: Clips, monkeypatch: pytest.MonkeyPatch
) -> None:
    unmended(monkeypatch)
    one = scored(whole(rig, smooth(made), LADDER))
    film = Film(rig, smooth(made), LADDER, chunk_seconds=2).work()
    cut = scored(film.finish())

    assert [(s.width, s.height) for s in one] == [(300, 168), (64, 36)], "320 is like 300"
    assert [(s.file, s.width, s.crf) for s in one] == [(s.file, s.width, s.crf) for s in cut]
    # An encoder that has seen what came before does a little better than on a sample.
    assert all(abs(s.vmaf - s.sampled) < 4 for s in (*one, *cut))
    assert all(abs(s.sampled - 80) < 5 for s in one)
    # A rung's segments are windows of their own.
    assert {window.seconds for s in cut for window in s.windows} == {2.0}


def test_a_rung_that_looks_alike_is_left_out_of_a_ladder_of_fixed_factors(
    rig: Rig, made: Clips
) -> None:
    fixed = msgspec.structs.replace(LADDER, quality=None)
    seen = scored(whole(rig, smooth(made), fixed))
    assert [(s.width, s.crf, s.wanted) for s in seen] == [(300, 23, None), (64, 23, None)]


def test_a_source_that_cannot_be_cut_has_the_usual_quality_and_says_so(
    rig: Rig, made: Clips
) -> None:
    said = whole(rig, made.no_moments().read_bytes(), FILM)
    assert isinstance(said, report.Encoded), said
    assert scored(said) == ()
    assert "Its quality could not be searched, for " in said.note


def test_a_source_that_is_not_cut_is_searched_once(
    rig: Rig, made: Clips, caplog: pytest.LogCaptureFixture
) -> None:
    """Regression: who had looked at its index searched, and who encoded it whole did it again."""
    caplog.set_level("INFO", logger="mayfly.worker")
    quick = VideoOutput(file="quick.mp4", speed="ultrafast", box=BOX, audio=None, speedup=4)
    said = Film(rig, clip(made), FILM, quick, chunk_seconds=2).begin()[-1]
    tries = [one for one in caplog.messages if one.startswith("Samples with these crfs")]
    assert len(scored(said)) == 1
    assert tries and len(set(tries)) == len(tries)


def test_a_film_of_one_frame_is_looked_at_in_one_window(rig: Rig, made: Clips) -> None:
    (one,) = scored(whole(rig, made.one_frame().read_bytes(), FILM))
    assert len(one.windows) == 1 and math.isfinite(one.vmaf)


@pytest.mark.parametrize(
    "tiny",
    [
        msgspec.structs.replace(FILM, box=Box(width=40, height=20)),
        msgspec.structs.replace(LADDER, rungs=(Rung(box=Box(width=40, height=20)),)),
    ],
    ids=["film", "ladder"],
)
def test_what_is_too_small_to_be_looked_at_is_refused_before_it_is_encoded(
    tiny: VideoOutput | LadderOutput, rig: Rig, made: Clips
) -> None:
    said = Film(rig, clip(made), tiny).begin()
    assert kinds(said)[-1] == "Failed"
    assert isinstance(said[-1], report.Failed)
    assert said[-1].code == "request_refused"
    assert "36x20" in said[-1].detail and "32x32" in said[-1].detail
