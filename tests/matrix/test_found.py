"""What the matrix has found, each a claim of its own, on the clip in which it showed."""

import dataclasses
from collections.abc import Iterator

import pytest

from tests.matrix.cases import Case, Clip
from tests.matrix.main import court
from tests.matrix.verdict import Court, Verdict

pytestmark = pytest.mark.worker

_CLIP = Clip(
    container="mp4",
    codec="h264",
    rate="25",
    seconds=3,
    gop_seconds=0.5,
    gop="closed",
    bframes=2,
    depth=8,
    variable=False,
    interlaced=False,
    start_seconds=None,
    sound="without",
    splice="",
    edited=False,
)


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Court]:
    with court(tmp_path_factory.mktemp("found")) as opened:
        yield opened


def became(judge: Court, **changed: object) -> Verdict:
    """What becomes of such a clip; nothing may be wrong."""

    clip = dataclasses.replace(_CLIP, **changed)  # type: ignore[arg-type]  # the clip's own fields
    case = Case(clip=clip, chunk_seconds=1, keyframe_seconds=2.0, speed="veryfast", poster=False)
    verdict = judge.judge(0, case)
    assert not verdict.wrong, verdict.told()
    return verdict


def test_a_seek_to_where_the_first_keyframe_is_gives_frames(judge: Court) -> None:
    """FLV's demuxer answers a seek before its first keyframe with the end of the file."""
    flv = became(judge, container="flv", rate="24000/1001", gop="open", start_seconds=0.0)
    assert flv.chunks == 3


def test_a_late_sound_is_the_same_to_the_sample(judge: Court) -> None:
    """An origin between two samples: what an expression cuts off, ffmpeg's own clock rounds."""
    late = {"rate": "12", "start_seconds": 1.4, "sound": "late"}
    assert became(judge, container="mov", **late).chunks == 3
    assert became(judge, container="fmp4", codec="hevc", **late).chunks == 3


def test_silence_may_stand_for_the_sound_that_an_edit_list_hides(judge: Court) -> None:
    """Its packets begin before the picture's clock, but the decoder drops them: the encoder was
    given more than was decoded, and that was taken for a fault."""
    hidden = became(
        judge, container="fmp4", codec="hevc", seconds=5, bframes=0, start_seconds=0.0,
        sound="with", edited=True,
    )  # fmt: skip
    assert hidden.chunks == 4


@pytest.mark.parametrize("codec", ["mpeg4", "hevc"])
def test_a_recording_that_begins_between_keyframes_is_not_cut(judge: Court, codec: str) -> None:
    """Some decoders show what stands before the first keyframe, others do not."""
    verdict = became(
        judge, container="mpegts", codec=codec, gop_seconds=1.0, bframes=0, headless=True
    )
    assert verdict.whole == "it begins between two keyframes"


def test_guessed_times_before_the_first_keyframe_do_not_end_the_encode(judge: Court) -> None:
    """MPEG-4's decoder shows B-frames without what they are made of, at moments out of order."""
    verdict = became(
        judge, container="mpegts", codec="mpeg4", rate="50", bframes=3, sound="late", headless=True
    )
    assert verdict.whole == "it begins between two keyframes"


def test_leading_pictures_of_an_open_beginning_are_not_cut(judge: Court) -> None:
    """HEVC's decoder drops them, and packets cannot tell."""
    leading = {"container": "mpegts", "codec": "hevc", "gop": "open", "rate": "12"}
    assert became(judge, edited=True, **leading).whole == "it begins between two keyframes"


def test_frames_that_a_refresh_holds_back_at_the_beginning_are_not_cut(judge: Court) -> None:
    """H.264 that begins without a keyframe, by a refresh: its decoder shows it when it is through,
    and packets call its beginning a keyframe."""
    flv = became(
        judge, container="flv", rate="24000/1001", seconds=8, gop="intra-refresh", bframes=0,
        start_seconds=0.0, sound="late", edited=True,
    )  # fmt: skip
    assert flv.whole == "its first frames do not come when its packets say"


def test_packets_that_tell_of_decoding_alone_are_not_cut(judge: Court) -> None:
    """MXF gives the time of decoding for both; its frames then come at other times."""
    mxf = became(judge, container="mxf", gop="open", rate="30000/1001", sound="with")
    assert mxf.whole == "its packets say when they are decoded, not when they are shown"


def test_a_short_recording_before_another_keeps_sound_and_picture_together(judge: Court) -> None:
    """A packet of the first came behind the second's, and shifted all that followed."""
    spliced = {"container": "mpegts", "codec": "hevc", "gop": "intra-refresh", "sound": "early"}
    verdict = became(judge, splice="reset", rate="50", depth=10, start_seconds=0.0, **spliced)
    assert verdict.frames == 300


def test_two_recordings_that_overlap_by_a_picture_are_encoded(judge: Court) -> None:
    """The clock went back by less than ffmpeg mends, and its muxer refused the frames."""
    verdict = became(
        judge, container="mpegts", rate="12", gop="open", bframes=3, sound="with",
        start_seconds=0.0, splice="continued", seconds=17, gop_seconds=5.0,
    )  # fmt: skip
    assert verdict.frames == 408
