"""Golden command lines: what changes here changes what people get."""

from array import array
from fractions import Fraction
from typing import Any

import pytest

from mayfly.contract.recipe import (
    AudioOutput,
    Box,
    PosterOutput,
    Recipe,
    Sound,
    StoryboardOutput,
    VideoOutput,
)
from worker.compile import compile_plan
from worker.preflight import Material
from worker.probe import Format, Probe, Stream
from worker.promise import Plan
from worker.scan import Scan

GUARD = (
    "-format_whitelist mov,matroska,mpegts,mpeg,avi,flv,asf,mxf,ogg,gif,dv,mp3,aac,ac3,eac3,flac,"
    "wav,w64,aiff,caf,amr"
)
HEAD = (
    "ffmpeg -hide_banner -nostdin -v level+verbose -nostats -progress pipe:1 -stats_period 1 "
    "-max_alloc 1073741824 -y -xerror -copyts -filter_complex_threads 2"
)
INPUT = f"{GUARD} -max_pixels 67108864 -protocol_whitelist file -threads 2 -i file:in/source"


def material(**changed: Any) -> Material:
    said = {"color_space": "bt709", "color_transfer": "bt709", "color_primaries": "bt709"}
    shown = {"avg_frame_rate": "25/1", **said, **changed.pop("picture", {})}
    picture = Stream(
        index=0, codec_type="video", codec_name="h264", width=1920, height=1080, **shown
    )
    sound = Stream(index=1, codec_type="audio", codec_name="aac", sample_rate=48000, channels=6)
    streams = (picture,) if changed.pop("silent", False) else (picture, sound)
    probe = Probe(
        format=Format(format_name=changed.pop("container", "mov,mp4"), start_time=10.0),
        streams=streams,
    )
    clock = {"ticks": array("q", range(250, 351)), "tick": Fraction(1, 25)}
    scan = Scan(**{"frames": 101, "packets": 101, "regular": True, **clock, **changed})
    return Material(probe=probe, scan=scan, picture=probe.picture(), sound=probe.sound())


def plan(*outputs: Any, **changed: Any) -> Plan:
    return compile_plan(
        Recipe(outputs=outputs), material(**changed), ffmpeg_path="ffmpeg", threads=2
    )


def line(*outputs: Any, **changed: Any) -> str:
    return " ".join(plan(*outputs, **changed).argv)


def test_a_film() -> None:
    assert line(VideoOutput()) == (
        f"{HEAD} {INPUT} -filter_complex "
        "[0:0]setpts=PTS-(250)[s0];"
        "[s0]scale=1280:720:flags=bicubic[s1];[s1]setsar=1[s2];[s2]format=yuv420p[s3];"
        "[0:1]asetpts=round(PTS-(10)/TB)[s4];[s4]aresample=async=1:first_pts=0[s5];"
        "[s5]aformat=sample_fmts=fltp[s6];"
        "[s6]aformat=channel_layouts=stereo:sample_fmts=fltp:sample_rates=48000[s7];"
        "[s7]alimiter=attack=5:latency=1:level=0:limit=1.000000:release=50[s8];"
        "[s8]aformat=channel_layouts=stereo:sample_fmts=fltp:sample_rates=48000[s9] "
        "-map [s3] -map [s9] -f mp4 -b:a 128k -c:a aac -c:v libx264 -crf 23 "
        "-enc_time_base:v demux -force_key_frames:v "
        "expr:isnan(prev_forced_t)+gte(t,prev_forced_t+1.999) -fps_mode:v passthrough -g 50 "
        "-map_chapters -1 -map_metadata -1 -max_muxing_queue_size 9999 -movflags +faststart "
        "-preset medium -profile:v high -threads 2 file:out/video.mp4"
    )


def test_sound_alone() -> None:
    assert line(AudioOutput(audio=Sound(bitrate_kbps=96, channels_max=8))) == (
        f"{HEAD} {INPUT} -filter_complex [0:1]asetpts=round(PTS-(10)/TB)[s0];"
        "[s0]aresample=async=1:first_pts=0[s1];"
        "[s1]aformat=channel_layouts=5.1:sample_fmts=fltp:sample_rates=48000[s2] "
        "-map [s2] -f ipod -b:a 96k -c:a aac -map_chapters -1 -map_metadata -1 "
        "-movflags +faststart file:out/audio.m4a"
    )


def test_a_poster_is_chosen_by_its_moment_on_the_one_clock() -> None:
    assert line(PosterOutput(at_fraction=0.5)) == (
        f"{HEAD} {INPUT} -filter_complex [0:0]setpts=PTS-(250)[s0];"
        "[s0]select=gte(t\\,1.980000)[s1];"
        "[s1]scale=1280:720:flags=bicubic:out_color_matrix=smpte170m:out_range=full[s2];[s2]setsar=1[s3];"
        "[s3]format=yuvj420p[s4] -map [s4] -f image2 -c:v mjpeg -fps_mode:v passthrough "
        "-frames:v 1 -map_metadata -1 -q:v 3 -threads 1 -update 1 file:out/poster.jpg"
    )


def test_pictures_every_few_seconds_are_chosen_by_the_frame_before() -> None:
    assert line(StoryboardOutput(every_seconds=2), picture={"time_base": "1/25"}) == (
        f"{HEAD} {INPUT} -filter_complex "
        "[0:0]setpts=PTS-(250)[s0];[s0]settb=1/25[s1];"
        "[s1]select=gte(pts\\,0)*not(gte(prev_pts\\,0)*"
        "eq(floor((pts-0)*1/50)\\,floor((prev_pts-0)*1/50)))[s2];"
        "[s2]split=2[s3][s4];"
        "[s3]scale=160:90:flags=bicubic:out_color_matrix=smpte170m:out_range=full[s5];[s5]setsar=1[s6];"
        "[s6]format=yuvj420p[s7];"
        "[s4]crop=h=min(16\\,ih):w=min(16\\,iw):x=0:y=0[s8] "
        "-map [s7] -f mjpeg -c:v mjpeg -enc_time_base:v demux -fps_mode:v passthrough "
        "-frames:v 10001 -map_metadata -1 -q:v 5 -threads 1 file:out/storyboard "
        "-map [s8] -f framehash -enc_time_base:v demux -fps_mode:v passthrough "
        "-frames:v 10001 -hash murmur3 file:out/_storyboard.txt"
    )


def test_a_poster_is_counted_where_the_clock_is_not_to_be_trusted() -> None:
    assert "select=gte(n\\,50)" in line(PosterOutput(at_fraction=0.5), regular=False)


def test_all_outputs_come_from_one_decode() -> None:
    argv = plan(
        VideoOutput(), VideoOutput(file="small.mp4", box=Box(width=640, height=360)),
        AudioOutput(), PosterOutput(),
    ).argv  # fmt: skip
    assert argv.count("-i") == 1
    graph = argv[argv.index("-filter_complex") + 1]
    assert graph.count("[0:0]") == 1
    assert graph.count("[0:1]") == 1
    assert "split=3" in graph
    assert "asplit=3" in graph


def test_a_silent_film_maps_no_sound() -> None:
    argv = plan(VideoOutput(), silent=True).argv
    assert argv.count("-map") == 1
    assert "-c:a" not in argv


def test_a_recipe_without_sound_maps_none() -> None:
    assert "-c:a" not in plan(VideoOutput(audio=None)).argv


@pytest.mark.parametrize("order", ["tt", "bb", "tb", "bt"])
def test_fields_become_pictures_before_they_are_scaled(order: str) -> None:
    graph = line(VideoOutput(), picture={"field_order": order})
    assert "bwdif=deint=interlaced:mode=send_frame:parity=auto[s1];[s1]scale" in graph


def test_a_spliced_stream_is_strict_in_the_decoder_alone() -> None:
    argv = plan(VideoOutput(), container="mpegts", broken_packets=1).argv
    assert "-xerror" not in argv
    assert argv[argv.index("-err_detect") + 1] == "explode"
    assert argv.index("-err_detect") < argv.index("-i")


def test_a_torn_clock_is_left_to_ffmpeg() -> None:
    argv = plan(VideoOutput(), container="mpegts", broken_packets=1, regular=False).argv
    assert "-copyts" not in argv
    assert not any("setpts=PTS-" in word for word in argv)
    assert argv.index("-dts_delta_threshold") < argv.index("-i")


def test_the_guards_come_before_the_input() -> None:
    argv = plan(VideoOutput(), PosterOutput()).argv
    for guard in ("-protocol_whitelist", "-format_whitelist", "-max_pixels"):
        assert argv.index(guard) < argv.index("-i")


@pytest.mark.parametrize(
    ("channels", "most", "layout"),
    [
        (1, 2, "mono"),
        (2, 2, "stereo"),
        (6, 2, "stereo"),
        (7, 8, "5.1"),
        (16, 8, "7.1"),
        (0, 2, "mono"),
    ],
)
def test_channels_are_a_layout_that_aac_knows(channels: int, most: int, layout: str) -> None:
    sound = Stream(
        index=0, codec_type="audio", codec_name="pcm", sample_rate=192000, channels=channels
    )
    probe = Probe(format=Format(), streams=(sound,))
    found = compile_plan(
        Recipe(outputs=(AudioOutput(audio=Sound(channels_max=most)),)),
        Material(probe=probe, scan=Scan(), picture=None, sound=sound),
        ffmpeg_path="ffmpeg",
        threads=1,
    )
    assert f"channel_layouts={layout}:sample_fmts=fltp:sample_rates=48000" in " ".join(found.argv)


#: What each encoder is told at `medium` with two threads; of the line, what differs by codec.
_TOLD = {
    ("h264", "video.mp4"): "-c:v libx264 -crf 23 -preset medium -profile:v high -threads 2",
    ("hevc", "video.mp4"): (
        "-c:v libx265 -crf 26 -forced-idr 1 -preset medium -profile:v main -tag:v hvc1 "
        "-x265-params info=0:log-level=error:open-gop=0:pools=2:frame-threads=1:fps=25/1"
    ),
    ("hevc", "video.mkv"): (
        "-c:v libx265 -crf 26 -forced-idr 1 -preset medium -profile:v main "
        "-x265-params info=0:log-level=error:open-gop=0:pools=2:frame-threads=1:fps=25/1"
    ),
    ("av1", "video.mp4"): (
        "-c:v libsvtav1 -crf 32 -preset 5 "
        "-svtav1-params lp=2:fps-num=25:fps-denom=1:enable-force-key-frames=1"
    ),
    ("vp9", "video.webm"): (
        "-b:v 0 -c:v libvpx-vp9 -cpu-used 3 -crf 33 -deadline good -profile:v 0 -row-mt 1 "
        "-threads 2"
    ),
}
_ALIKE = (
    "-enc_time_base:v demux -force_key_frames:v "
    "expr:isnan(prev_forced_t)+gte(t,prev_forced_t+1.999) -fps_mode:v passthrough -g 50 "
    "-map_chapters -1 -map_metadata -1 -max_muxing_queue_size 9999"
)
_WRITTEN = {
    "video.mp4": "-f mp4 -movflags +faststart",
    "video.mov": "-f mov -movflags +faststart",
    "video.mkv": "-f matroska -cues_to_front 1 -fflags +bitexact",
    "video.webm": "-f webm -cues_to_front 1 -fflags +bitexact",
}


def options(argv: tuple[str, ...]) -> set[tuple[str, str]]:
    """Of the one output: names with their values."""
    words = argv[argv.index("-f") : -1]
    return set(zip(words[::2], words[1::2], strict=True))


def worded(*lines: str) -> set[tuple[str, str]]:
    words = " ".join(lines).split(" ")
    return set(zip(words[::2], words[1::2], strict=True))


@pytest.mark.parametrize(("codec", "file"), _TOLD)
def test_each_codec_is_told_what_makes_it_cut_well(codec: Any, file: str) -> None:
    argv = plan(VideoOutput(codec=codec, file=file, audio=None)).argv
    assert options(argv) == worded(_TOLD[codec, file], _ALIKE, _WRITTEN[file])


@pytest.mark.parametrize(
    ("codec", "changed", "told"),
    [
        ("h264", {"crf": 0}, "-qp 0 -profile:v high444"),
        ("h264", {"bits": 10}, "-crf 23 -profile:v high10"),
        ("h264", {"bitrate_kbps": 900}, "-b:v 900k -profile:v high"),
        ("h264", {"maxrate_kbps": 900}, "-crf 23 -maxrate 900k -bufsize 1800k -profile:v high"),
        ("hevc", {"bits": 10}, "-crf 26 -profile:v main10"),
        ("hevc", {"bitrate_kbps": 900}, "-b:v 900k -profile:v main"),
        ("vp9", {"crf": 0}, "-crf 0 -b:v 0 -lossless 1 -profile:v 0"),
        ("vp9", {"bits": 10}, "-crf 33 -b:v 0 -profile:v 2"),
        ("vp9", {"maxrate_kbps": 90}, "-crf 33 -b:v 90k -maxrate 90k -bufsize 180k -profile:v 0"),
        ("vp9", {"bitrate_kbps": 900}, "-b:v 900k -profile:v 0"),
    ],
)  # fmt: skip
def test_rate_and_depth_are_one_language_for_all_codecs(
    codec: Any, changed: dict[str, Any], told: str
) -> None:
    names = {"-crf", "-qp", "-b:v", "-maxrate", "-bufsize", "-profile:v", "-lossless"}
    found = options(plan(VideoOutput(codec=codec, audio=None, **changed)).argv)
    assert {pair for pair in found if pair[0] in names} == worded(told)


@pytest.mark.parametrize(
    ("codec", "changed", "word"),
    [
        ("hevc", {"crf": 0}, "lossless=1"),
        ("av1", {"crf": 0}, "lossless=1"),
        ("hevc", {"picture": {"avg_frame_rate": "30000/1001"}}, "fps=30000/1001"),
        ("hevc", {"picture": {"avg_frame_rate": "0/0"}}, "fps=25/1"),
        ("av1", {"picture": {"avg_frame_rate": "1000/1"}}, "fps-num=240"),
    ],
)
def test_some_words_an_encoder_takes_in_a_list_of_its_own(
    codec: Any, changed: dict[str, Any], word: str
) -> None:
    picture = changed.pop("picture", None)
    more = {"picture": picture} if picture else {}
    argv = plan(VideoOutput(codec=codec, audio=None, **changed), **more).argv
    lists = [dict(options(argv)).get(name, "") for name in ("-x265-params", "-svtav1-params")]
    assert word in "".join(lists).split(":")


def test_an_average_of_av1_knows_no_forced_keyframes() -> None:
    argv = plan(VideoOutput(codec="av1", audio=None, bitrate_kbps=900)).argv
    assert ("-b:v", "900k") in options(argv)
    assert "force-key" not in dict(options(argv))["-svtav1-params"]


@pytest.mark.parametrize(
    ("file", "told"),
    [
        ("a.m4a", "-f ipod -movflags +faststart -b:a 128k -c:a aac"),
        ("a.mp3", "-f mp3 -fflags +bitexact -b:a 192k -c:a libmp3lame"),
        ("a.opus", "-f ogg -fflags +bitexact -b:a 96k -c:a libopus"),
        ("a.flac", "-f flac -fflags +bitexact -c:a flac -compression_level 8"),
        ("a.mka", "-f matroska -cues_to_front 1 -fflags +bitexact -b:a 128k -c:a aac"),
    ],
)
def test_sound_is_what_the_files_name_says(file: str, told: str) -> None:
    argv = plan(AudioOutput(file=file)).argv
    assert options(argv) == worded(told, "-map_chapters -1 -map_metadata -1")


def test_ten_bits_come_out_of_the_filters() -> None:
    assert "format=yuv420p10le" in line(VideoOutput(bits=10))


@pytest.mark.parametrize(("fmt", "found"), [("s16", "s16"), ("fltp", "s16"), ("s32p", "s32")])
def test_flac_has_the_bits_and_the_rate_of_its_source(fmt: str, found: str) -> None:
    sound = Stream(index=0, codec_type="audio", codec_name="x", sample_rate=96000, channels=4,
                   sample_fmt=fmt)  # fmt: skip
    compiled = compile_plan(
        Recipe(outputs=(AudioOutput(file="a.flac", audio=Sound(channels_max=8)),)),
        Material(probe=Probe(format=Format(), streams=(sound,)), scan=Scan(), picture=None,
                 sound=sound),
        ffmpeg_path="ffmpeg", threads=1,
    )  # fmt: skip
    wanted = f"channel_layouts=quad:sample_fmts={found}:sample_rates=96000"
    assert wanted in " ".join(compiled.argv)
