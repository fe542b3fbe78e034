"""Golden command lines of the parts: what changes here changes what people get."""

import subprocess
from array import array
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mayfly.contract.plan import Plan
from mayfly.contract.recipe import AudioOutput, Box, PosterOutput, Recipe, Sound, VideoOutput
from tests.worker.test_compile import HEAD, INPUT, material
from worker import pace
from worker.compile_parts import compile_chunk, compile_join, compile_track, seam_ticks
from worker.preflight import Material
from worker.probe import Stream
from worker.promise import Promise

#: Five hundred frames of 25 a second, on a clock of such ticks, from 10 s on.
PLAN = Plan(
    time_base=(1, 25),
    origin_ticks=250,
    margin_seconds=0.25,
    frame_ticks=3,
    boundaries=(380, 520),
    audio_tracks=1,
)


def source(**changed: Any) -> Material:
    changed["picture"] = {"time_base": "1/25", "start_time": 10.0, **changed.get("picture", {})}
    ticks = array("q", range(250, 751))
    scanned = {"ticks": ticks, "frames": 501, "packets": 501, "key_ticks": ticks[::50]}
    return material(**{**scanned, **changed})


def chunk(number: int, *outputs: Any, plan: Plan = PLAN, **changed: Any) -> str:
    compiled = compile_chunk(
        Recipe(outputs=outputs), source(**changed), plan.scope(number), ffmpeg_path="ffmpeg",
        threads=2,
    )  # fmt: skip
    return " ".join(compiled.argv)


def graph(line: str) -> str:
    words = line.split(" ")
    return words[words.index("-filter_complex") + 1]


def test_a_chunk_in_the_middle() -> None:
    seek = INPUT.replace("-protocol", "-noaccurate_seek -protocol").replace(
        "-threads", "-seek_timestamp 1 -ss 14.450000 -threads"
    )
    assert chunk(1, VideoOutput()) == (
        f"{HEAD} {seek} -filter_complex "
        "[0:0]setpts=PTS-(250)[s0];[s0]split=2[s1][s2];"
        "[s1]settb=1/25[s3];[s3]trim=end_pts=270:start_pts=130[s4];"
        "[s4]scale=1280:720:flags=bicubic[s5];[s5]setsar=1[s6];[s6]format=yuv420p[s7];"
        "[s2]settb=1/25[s8];[s8]trim=end_pts=270:start_pts=118[s9];[s9]split=2[s10][s11];"
        "[s10]crop=h=min(16\\,ih):w=min(16\\,iw):x=0:y=0[s12];"
        "[s11]select=eq(n\\,0)+lt(pts\\,130)+gte(pts\\,258)[s13] "
        "-map [s7] -f mp4 -bsf:v setts=pts=PTS:dts=if(lt(DTS\\,STARTPTS)\\,STARTPTS-6+3*N\\,DTS) "
        "-c:v libx264 -crf 23 "
        "-enc_time_base:v demux -force_key_frames:v "
        "expr:isnan(prev_forced_t)+gte(t,prev_forced_t+1.999) -fps_mode:v passthrough "
        "-fragment_index 100001 -g 50 -map_chapters -1 -map_metadata -1 "
        "-max_muxing_queue_size 9999 -movflags +cmaf+frag_keyframe+delay_moov+frag_discont "
        "-preset medium -profile:v high -threads 2 -video_track_timescale 25 file:out/video.mp4 "
        "-map [s12] -f framehash -enc_time_base:v demux -fps_mode:v passthrough -hash murmur3 "
        "file:out/_listed.txt "
        "-map [s13] -f framehash -enc_time_base:v demux -fps_mode:v passthrough -hash murmur3 "
        "file:out/_hashed.txt"
    )


def test_the_first_chunk_begins_before_any_time_and_seeks_nowhere() -> None:
    line = chunk(0, VideoOutput())
    assert "-ss" not in line
    assert "trim=end_pts=130[" in graph(line)
    assert "start_pts" not in graph(line)
    assert "-fragment_index 1 " in line


def test_the_last_chunk_ends_after_any_time() -> None:
    line = chunk(2, VideoOutput())
    assert "end_pts" not in graph(line)
    assert "trim=start_pts=270[" in graph(line)
    assert "trim=start_pts=258[" in graph(line)


def test_a_seek_that_would_come_before_the_beginning_is_none() -> None:
    # From 15.2 s on, less half a second and the margin; a keyframe is at 10 s, and two seconds
    # from there on no demuxer is asked to find anything.
    for margin, seeks in ((2.69, True), (2.7, False), (60.0, False)):
        plan = msgspec.structs.replace(PLAN, margin_seconds=margin)
        assert ("-ss" in chunk(1, VideoOutput(), plan=plan)) is seeks, margin


def test_where_nobody_says_when_the_picture_begins_nothing_is_sought() -> None:
    assert "-ss" in chunk(1, VideoOutput())
    assert "-ss" not in chunk(1, VideoOutput(), picture={"start_time": None})


def test_no_sound_is_in_a_chunk() -> None:
    line = chunk(1, VideoOutput(), AudioOutput())
    assert "[0:1]" not in line and "-c:a" not in line
    assert "audio.m4a" not in line


def test_filters_that_remember_frames_come_before_the_cut() -> None:
    line = graph(chunk(1, VideoOutput(), picture={"field_order": "tt"}))
    assert "[s1]bwdif=deint=interlaced:mode=send_frame:parity=auto[s3];[s3]settb=1/25" in line
    # What is hashed are the source's own frames.
    assert "[s2]settb=1/25" in line


def test_a_poster_is_in_its_chunk_alone() -> None:
    """The plan says which frame it is, on the source's clock; the chunk counts from the origin."""
    for still, its_chunk in ((250, 0), (379, 0), (380, 1), (500, 1), (519, 1), (520, 2), (750, 2)):
        plan = msgspec.structs.replace(PLAN, stills=(still,))
        lines = [chunk(number, VideoOutput(), PosterOutput(), plan=plan) for number in range(3)]
        assert [n for n, line in enumerate(lines) if "poster.jpg" in line] == [its_chunk], still
        assert f"{still - 250})" in graph(lines[its_chunk]).partition("select=gte(pts")[2]


def test_all_sizes_of_a_chunk_come_from_one_decode() -> None:
    small = VideoOutput(file="small.mp4", box=Box(width=640, height=360))
    line = chunk(1, VideoOutput(), small)
    assert line.count(" -i ") == 1
    assert line.count("bwdif") + graph(line).count("[0:0]") == 1
    assert line.count("-fragment_index 100001") == 2


def test_without_b_frames_no_packet_is_touched() -> None:
    assert "setts" not in chunk(1, VideoOutput(speed="ultrafast"))


@pytest.mark.parametrize(
    ("rate", "keyframe_seconds", "depth"),
    [("25/1", 2, 2), ("1/1", 3, 2), ("1/1", 2, 1), ("1/1", 1, 0), ("0/0", 2, 2)],
)
def test_x264_reorders_as_many_frames_as_its_keyframes_leave_room_for(
    rate: str, keyframe_seconds: float, depth: int, ffmpeg: Path
) -> None:
    output = VideoOutput(keyframe_seconds=keyframe_seconds)
    picture = Stream(index=0, avg_frame_rate=rate)
    assert pace.depth(output, picture) == depth
    distance = pace.keyframe_distance(output, picture) or 250
    line = f"-v error -f lavfi -i testsrc=s=64x64:r=25 -frames:v 30 -c:v libx264 -g {distance}"
    listed = subprocess.run(
        [str(ffmpeg), *line.split(), "-f", "framecrc", "-"],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    first = next(packet for packet in listed.splitlines() if not packet.startswith("#"))
    decoded_at, shown_at = map(int, first.split(",")[1:3])
    assert shown_at - decoded_at == depth


def test_sound_is_made_once_for_all_outputs_on_the_plans_clock() -> None:
    compiled = compile_track(
        Recipe(outputs=(VideoOutput(), AudioOutput(audio=Sound(bitrate_kbps=96)), PosterOutput())),
        source(), PLAN.clock, ffmpeg_path="ffmpeg", threads=2,
    )  # fmt: skip
    words = " ".join(compiled.argv)
    assert words.startswith(f"{HEAD} {INPUT} -filter_complex [0:1]asetpts=")
    assert "aresample=async=1:first_pts=0" in graph(words)
    assert words.endswith(
        "-f mp4 -b:a 128k -c:a aac -map_chapters -1 -map_metadata -1 -movflags +cmaf+delay_moov "
        "file:out/video.mp4 "
        "-map [s11] -f ipod -b:a 96k -c:a aac -map_chapters -1 -map_metadata -1 "
        "-movflags +faststart file:out/audio.m4a"
    )
    assert [promise.size for promise in compiled.promises] == [None, None]


@pytest.mark.parametrize(
    ("outputs", "silent"),
    [
        ((VideoOutput(),), True),
        ((VideoOutput(audio=None),), False),
        ((VideoOutput(audio=None), PosterOutput()), False),
    ],
)
def test_where_nothing_sounds_there_is_nothing_to_run(
    outputs: tuple[Any, ...], silent: bool
) -> None:
    compiled = compile_track(
        Recipe(outputs=outputs), source(silent=silent), PLAN.clock, ffmpeg_path="f", threads=1
    )
    assert (compiled.argv, compiled.promises) == ((), ())


def test_a_join_copies_and_reads_our_own_files_alone() -> None:
    promise = Promise(output=VideoOutput())
    lines = [
        " ".join(compile_join("in/p.mp4", sound, promise, ffmpeg_path="ffmpeg", threads=2).argv)
        for sound in ("in/s.mp4", None)
    ]
    own = "-f mov -format_whitelist mov -protocol_whitelist file -i file:in"
    end = "-f mp4 -c copy -map_chapters -1 -map_metadata -1 -movflags +faststart file:out/video.mp4"
    assert lines == [
        f"{HEAD} {own}/p.mp4 {own}/s.mp4 -map 0:v:0 -map 1:a:0 {end}",
        f"{HEAD} {own}/p.mp4 -map 0:v:0 {end}",
    ]


def test_a_seam_is_half_a_second_of_any_clock() -> None:
    for time_base, ticks in (((1, 90_000), 45_000), ((1001, 30_000), 15), ((1, 1000), 500)):
        clock = msgspec.structs.replace(PLAN.clock, time_base=time_base)
        assert seam_ticks(clock) == ticks


def test_every_output_of_a_recipe_is_somebodys() -> None:
    """A chunk's, or the sound's: no output falls between the parts."""
    outputs = (VideoOutput(), PosterOutput(), AudioOutput())
    recipe, held = Recipe(outputs=outputs), source()
    plan = msgspec.structs.replace(PLAN, stills=(500,))
    files = set()
    for number in range(plan.chunks):
        made = compile_chunk(recipe, held, plan.scope(number), ffmpeg_path="f", threads=1)
        files |= {promise.output.file for promise in made.promises}
    made = compile_track(recipe, held, PLAN.clock, ffmpeg_path="f", threads=1)
    assert files | {promise.output.file for promise in made.promises} == {
        output.file for output in outputs
    }
