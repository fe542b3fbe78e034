"""Golden command lines of ladders: what changes here changes what people get."""

from array import array
from fractions import Fraction

import msgspec
import pytest

from mayfly.contract.plan import Grid, Plan
from mayfly.contract.recipe import Box, LadderOutput, PosterOutput, Recipe, Rung, Sound, VideoOutput
from mayfly.core import grids
from tests.worker.test_compile import HEAD, INPUT, line, plan
from tests.worker.test_compile_parts import source
from worker.compile_parts import compile_chunk, compile_track

LADDER = LadderOutput(
    rungs=(
        Rung(box=Box(width=1280, height=720), maxrate_kbps=3000),
        Rung(box=Box(width=640, height=360), crf=25),
    ),
)
#: As the source's: 25 frames a second, from 10 s on.
GRID = Grid(rate=(25, 1), segment_frames=100, zero_ticks=250)
PLAN = Plan(
    time_base=(1, 25),
    origin_ticks=250,
    margin_seconds=0.25,
    boundaries=(450, 650),
    audio_tracks=1,
    grid=GRID,
)


def test_a_ladder_whole() -> None:
    said = line(LADDER)
    assert said.startswith(
        f"{HEAD} {INPUT} -filter_complex "
        "[0:0]setpts=PTS-(250)[s0];[s0]fps=fps=25/1:start_time=0[s1];[s1]split=2[s2][s3];"
        "[s2]scale=1280:720:flags=bicubic[s4];[s4]setsar=1[s5];[s5]format=yuv420p[s6];"
        "[s3]scale=640:360:flags=bicubic[s7];[s7]setsar=1[s8];[s8]format=yuv420p[s9];"
        "[0:1]asetpts=round(PTS-(10)/TB)[s10];[s10]aresample=async=1:first_pts=0[s11];"
        "[s11]aformat=sample_fmts=fltp[s12];"
        "[s12]aformat=channel_layouts=stereo:sample_fmts=fltp:sample_rates=48000[s13];"
        "[s13]alimiter=attack=5:latency=1:level=0:limit=1.000000:release=50[s14];"
        "[s14]apad=whole_dur=4.040000[s15];"
        "[s15]aformat=channel_layouts=stereo:sample_fmts=fltp:sample_rates=48000[s16] -map [s6] "
    )
    assert said.endswith(
        "-map [s16] -f mp4 -b:a 128k -c:a aac -flush_packets 1 -frag_duration 4000000 "
        "-map_chapters -1 -map_metadata -1 -movflags +cmaf+delay_moov file:out/_hls-a0.mp4"
    )
    for part in (
        "-bufsize 3000k", "-maxrate 3000k", "-crf 23", "-crf 25", "-g 100", "-keyint_min 100",
        "-sc_threshold 0", "-flags:v +cgop", "-enc_time_base:v 1:25", "-fragment_index 1",
        "-flush_packets 1",
        "-video_track_timescale 12800", "file:out/_hls-v0.mp4", "file:out/_hls-v1.mp4",
    ):  # fmt: skip
        assert part in said, part
    assert said.count("-fragment_index 1 ") == 2
    assert said.count("bufsize") == 1


def chunk(number: int, *outputs: object, **changed: object) -> str:
    compiled = compile_chunk(
        Recipe(outputs=outputs),  # type: ignore[arg-type]
        source(**changed),
        PLAN.scope(number),
        ffmpeg_path="ffmpeg",
        threads=2,
    )
    return " ".join(compiled.argv)


def test_a_chunk_is_cut_on_the_grid_behind_its_filter() -> None:
    said = chunk(1, LADDER)
    assert "[s1]fps=fps=25/1[s3];[s3]trim=end_pts=400:start_pts=200[s4];[s4]split=2" in said
    assert "[s2]settb=1/25[" in said and "trim=end_pts=400:start_pts=188[" in said
    assert said.count("-fragment_index 3 ") == 2
    assert "-c:a" not in said


def test_a_later_chunk_counts_on_no_more_buffer_than_is_left() -> None:
    """Of the capped size; the first chunk and the whole begin with what x264 gives them."""
    assert "-rc_init_occupancy 1200000 " in chunk(1, LADDER)
    assert chunk(2, LADDER).count("rc_init_occupancy") == 1
    blind = msgspec.structs.replace(LADDER, speed="ultrafast")
    assert "-rc_init_occupancy 300000 " in chunk(1, blind)
    assert "rc_init_occupancy" not in chunk(0, LADDER) + line(LADDER)


def test_the_first_chunk_begins_where_the_clock_does_and_the_last_ends_anywhere() -> None:
    assert "fps=fps=25/1:start_time=0[s3];[s3]trim=end_pts=200[s4]" in chunk(0, LADDER)
    assert "fps=fps=25/1[s3];[s3]trim=start_pts=400[s4]" in chunk(2, LADDER)


def test_files_and_stills_beside_a_ladder_keep_the_sources_own_times() -> None:
    assert "[s1]split=2[s3][s4];[s3]settb=1/25[s5];[s5]trim=end_pts=400:start_pts=200[s6]" in chunk(
        1, VideoOutput(), LADDER
    )
    whole = line(PosterOutput(), LADDER)
    assert "[s0]split=2[s1][s2];[s1]select=" in whole
    assert "[s2]fps=fps=25/1:start_time=0" in whole


def test_the_grid_may_lie_a_little_behind_the_origin() -> None:
    """Sound begins 10 ms before the picture: the first frame is shown with it."""
    late = {"ticks": array("q", range(10_010, 20_000, 40)), "tick": Fraction(1, 1000)}
    whole = line(LADDER, **late, picture={"time_base": "1/1000"})
    assert "setpts=PTS-(10000)[s0];[s0]settb=1/1000[s1];[s1]setpts=PTS-(10)[s2];[s2]fps=" in whole


def test_fields_become_frames_before_the_grid() -> None:
    said = chunk(1, LADDER, picture={"field_order": "tt"})
    assert "bwdif=" in said
    assert (
        said.index("bwdif=") < said.index("fps=fps") < said.index("trim=end_pts=400:start_pts=200")
    )


def test_a_ladders_sound_is_whole() -> None:
    compiled = compile_track(
        Recipe(outputs=(LADDER, VideoOutput(audio=Sound(bitrate_kbps=96)))),
        source(),
        PLAN.clock,
        ffmpeg_path="ffmpeg",
        threads=2,
    )
    said = " ".join(compiled.argv)
    assert said.count("apad") == 1, "a file's sound may end before its picture"
    assert "apad=whole_dur=20.040000" in said
    assert "file:out/_hls-a0.mp4" in said and "file:out/video.mp4" in said


@pytest.mark.parametrize(
    ("rate", "ticks"),
    [((25, 1), 512), ((30000, 1001), 1001), ((24000, 1001), 1001), ((25, 2), 1024), ((60, 1), 256)],
)
def test_frames_are_whole_ticks_of_a_fine_clock(rate: tuple[int, int], ticks: int) -> None:
    exact = Fraction(*rate)
    assert grids.frame_ticks(exact) == ticks
    assert grids.timescale(exact) == ticks * exact >= 10_000


def test_a_ladder_promises_each_of_its_sizes() -> None:
    (promise,) = plan(LADDER).promises
    assert [(rung.name, rung.size.width) for rung in promise.rungs] == [("v0", 1280), ("v1", 640)]
    assert promise.grid == Grid(rate=(25, 1), segment_frames=100, zero_ticks=250)
    assert plan(LadderOutput(rungs=LADDER.rungs, audio=None)).promises[0].channels is None
