"""What people upload, and what must become of it. Real ffmpeg on clips that lay one trap each."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mayfly.contract import report
from tests.worker.clips import Clips
from tests.worker.conftest import Rig
from worker.halt import Halt
from worker.prober import Prober

pytestmark = pytest.mark.worker

_ALL = {
    "outputs": [
        {"kind": "video", "file": "video.mp4", "speed": "ultrafast"},
        {"kind": "audio", "file": "audio.m4a"},
        {"kind": "poster", "file": "poster.jpg", "at_fraction": 1.0},
    ]
}
_PICTURE = {"outputs": [_ALL["outputs"][0], _ALL["outputs"][2]]}


def encoded(rig: Rig, source: Path, recipe: Any) -> dict[str, report.Artifact]:
    """The outputs by name; the last report must say that they are there."""
    rig.put(rig.task(source.read_bytes(), recipe=recipe))
    last = rig.run_once()[-1]
    assert isinstance(last, report.Encoded), last
    return {stored.file: stored for stored in last.outputs}


def failed(rig: Rig, source: bytes, preset: str = "mp4-720p") -> report.Failed:
    """How it failed; the message must be gone, since bad input is tried once."""
    rig.put(rig.task(source, preset))
    last = rig.run_once()[-1]
    assert isinstance(last, report.Failed), last
    assert (rig.jobs.depth().visible, rig.jobs.depth().in_flight) == (0, 0)
    return last


CASES: list[tuple[str, Callable[[Clips], Path], tuple[int, int], int]] = [
    ("plain", Clips.plain, (320, 180), 50),
    ("portrait", Clips.portrait, (180, 320), 50),
    ("one frame", Clips.one_frame, (320, 180), 1),
    ("anamorphic", Clips.anamorphic, (1024, 576), 25),
    ("interlaced", Clips.interlaced, (320, 180), 50),
    ("cut by an edit list", Clips.edited, (320, 180), 0),
    ("variable rate", Clips.variable, (320, 180), 0),
    ("a clock that begins at 1000 s", Clips.offset_stream, (320, 180), 50),
    ("hidden pictures", Clips.webm, (320, 180), 75),
    ("no moments", Clips.no_moments, (320, 180), 50),
    ("ten bits", Clips.ten_bit, (320, 180), 25),
    (
        "odd sides",
        lambda c: c.silent("odd.mkv", "-pix_fmt", "yuv444p", size="321x181"),
        (320, 180),
        25,
    ),
    (
        "gif",
        lambda c: c.make("moving.gif", "-f", "lavfi", "-i", "testsrc=s=100x50:r=10:d=1"),
        (100, 50),
        10,
    ),
]


@pytest.mark.parametrize(
    ("make", "size", "frames"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
def test_every_picture_is_there_upright_and_in_shape(
    rig: Rig, made: Clips, make: Callable[[Clips], Path], size: tuple[int, int], frames: int
) -> None:
    stored = encoded(rig, make(made), _PICTURE)

    video, poster = stored["video.mp4"].media, stored["poster.jpg"].media
    assert (video.width, video.height) == size
    assert (poster.width, poster.height) == size
    assert (video.video_codec, poster.video_codec) == ("h264", "mjpeg")
    if frames:
        assert video.frames == frames
    assert video.frames and poster.frames == 1


def test_a_large_picture_is_made_to_fit(rig: Rig, made: Clips) -> None:
    large = made.silent("large.mp4", size="1920x800")
    video = encoded(rig, large, _PICTURE)["video.mp4"].media
    assert (video.width, video.height) == (1280, 534)


def test_sound_is_mixed_down_to_what_the_recipe_allows(rig: Rig, made: Clips) -> None:
    stored = encoded(rig, made.surround(), _ALL)
    assert stored["video.mp4"].media.channels == 2
    assert stored["audio.m4a"].media.channels == 2


def test_of_many_tracks_the_first_is_taken(rig: Rig, made: Clips) -> None:
    stored = encoded(rig, made.many_tracks(), _ALL)
    assert stored["video.mp4"].media.channels == 1


def test_a_late_sound_stays_as_late(rig: Rig, made: Clips) -> None:
    """Half a second of silence stands for it, so that every player keeps it in step."""
    stored = encoded(rig, made.offset_stream(), _ALL)
    length = stored["video.mp4"].media.duration_seconds
    assert length is not None and abs(length - 2.5) < 0.15


def test_a_film_without_sound_is_a_film(rig: Rig, made: Clips) -> None:
    video = encoded(rig, made.silent(), _PICTURE)["video.mp4"].media
    assert video.audio_codec is None


def test_real_clips_are_whole(rig: Rig, media: Path) -> None:
    wanted = {
        "traffic-432p-12.5fps.mp4": (768, 432, 377, 2),
        "broadcast-720p50-8xmono.mp4": (1280, 720, 500, 1),
        "big-buck-bunny-480p-30s.mp4": (854, 480, 720, 2),
    }
    for name, seen in wanted.items():
        video = encoded(rig, media / name, _ALL)["video.mp4"].media
        assert (video.width, video.height, video.frames, video.channels) == seen


def test_zero_bytes_are_called_empty(rig: Rig) -> None:
    assert failed(rig, b"").code == "source_empty"


def test_a_text_named_mp4_is_no_media(rig: Rig) -> None:
    assert failed(rig, b"Dear diary, today I did not film anything.\n" * 50).code == "not_media"


def test_sound_alone_has_no_video(rig: Rig, made: Clips) -> None:
    sound = made.make("sound.m4a", "-f", "lavfi", "-i", "sine=d=1", "-c:a", "aac")
    assert failed(rig, sound.read_bytes()).code == "no_video"


def test_a_cover_is_no_video(rig: Rig, made: Clips) -> None:
    assert failed(rig, made.cover().read_bytes()).code == "no_video"


def test_a_cover_does_not_disturb_the_sound(rig: Rig, made: Clips) -> None:
    recipe = {"outputs": [_ALL["outputs"][1]]}
    assert encoded(rig, made.cover(), recipe)["audio.m4a"].media.video_codec is None


def test_a_silent_film_has_no_audio(rig: Rig, made: Clips) -> None:
    assert failed(rig, made.silent().read_bytes(), "audio-m4a").code == "no_audio"


@pytest.mark.parametrize(
    "name", ["plain.mp4", "moov-last.mp4", "cut.mkv", "fragments.mp4", "cut.avi"]
)
def test_a_file_that_was_cut_off_is_called_truncated(rig: Rig, made: Clips, name: str) -> None:
    plain = made.plain()
    flags = ("-movflags", "+frag_keyframe+empty_moov") if name == "fragments.mp4" else ()
    whole = plain if name == plain.name else made.make(name, "-i", str(plain), "-c", "copy", *flags)
    assert failed(rig, made.truncated(whole).read_bytes()).code == "source_truncated"


def test_a_transport_stream_that_was_cut_inside_a_picture_is_corrupt(rig: Rig, made: Clips) -> None:
    whole = made.make("whole.ts", "-i", str(made.plain()), "-c", "copy")
    assert failed(rig, made.truncated(whole).read_bytes()).code == "source_corrupt"


def test_damage_in_the_middle_is_corrupt(rig: Rig, made: Clips) -> None:
    content = bytearray(made.plain().read_bytes())
    middle = len(content) // 2
    content[middle : middle + 3000] = bytes(3000)
    assert failed(rig, bytes(content)).code == "source_corrupt"


def test_two_recordings_in_one_stream_are_both_encoded(rig: Rig, made: Clips) -> None:
    """The clock jumps back and the packets' counter breaks, and yet every picture is whole."""
    part = made.make("whole.ts", "-i", str(made.plain()), "-c", "copy")
    both = part.with_name("both.ts")
    both.write_bytes(2 * part.read_bytes())
    assert encoded(rig, both, _PICTURE)["video.mp4"].media.frames == 100


def test_a_spliced_stream_with_damage_is_corrupt(rig: Rig, made: Clips) -> None:
    part = made.make("whole.ts", "-i", str(made.plain()), "-c", "copy").read_bytes()
    hole = len(part) // 188 // 2 * 188
    assert failed(rig, part[:hole] + part[hole + 188 * 7 :] + part).code == "source_corrupt"


def test_a_stream_that_begins_between_keyframes_gives_what_can_be_decoded(
    rig: Rig, made: Clips
) -> None:
    whole = made.make("whole.ts", "-i", str(made.plain()), "-c", "copy").read_bytes()
    packets = [whole[at : at + 188] for at in range(0, len(whole), 188)]
    late = made.plain().with_name("late.ts")
    late.write_bytes(b"".join(packets[:3] + packets[len(packets) // 10 :]))
    assert encoded(rig, late, _PICTURE)["video.mp4"].media.frames == 25


@pytest.mark.parametrize("fraction", [0.0, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("name", ["counted.mp4", "counted.ts"])
def test_the_poster_is_the_picture_that_was_asked_for(
    rig: Rig, made: Clips, ffmpeg: Path, name: str, fraction: float
) -> None:
    source = made.counted(name, *(("-output_ts_offset", "77") if name.endswith("ts") else ()))
    poster = {"kind": "poster", "file": "poster.jpg", "at_fraction": fraction, "quality": 2}

    stored = encoded(rig, source, {"outputs": [poster]})["poster.jpg"]

    command = [str(ffmpeg), "-v", "error", "-i", "pipe:0"]
    command += ["-pix_fmt", "gray", "-f", "rawvideo", "pipe:1"]
    jpeg = rig.bucket.objects[stored.key]
    grey = subprocess.run(command, input=jpeg, capture_output=True, check=True).stdout
    # A JPEG's black is 0 and its white 255, the film's 16 and 235.
    number = sum(grey) / len(grey) * 219 / 255 / 4
    assert abs(number - round(fraction * 49)) < 0.3


def test_the_moments_of_a_variable_rate_are_kept(
    rig: Rig, made: Clips, ffprobe: Path, tmp_path: Path
) -> None:
    source = made.variable()
    stored = encoded(rig, source, _PICTURE)["video.mp4"]
    output = tmp_path / "output.mp4"
    output.write_bytes(rig.bucket.objects[stored.key])

    def moments(path: Path) -> list[float]:
        prober = Prober(str(ffprobe))
        probe = prober.probe(path.name, folder=path.parent, halt=Halt())
        scan = prober.scan(path.name, probe, folder=path.parent, halt=Halt())
        return [float((tick - scan.ticks[0]) * scan.tick) for tick in scan.ticks]

    wanted, found = moments(source), moments(output)
    assert len(wanted) == len(found) > 60
    assert max(abs(a - b) for a, b in zip(wanted, found, strict=True)) < 0.001


CONTAINERS = {
    "a.flv": ("-c:v", "flv1", "-c:a", "libmp3lame"),
    "a.mpg": ("-c:v", "mpeg2video", "-c:a", "mp2"),
    "a.wmv": ("-c:v", "wmv2", "-c:a", "wmav2"),
    "a.mxf": ("-c:v", "mpeg2video", "-c:a", "pcm_s16le"),
    "a.mov": ("-c:v", "prores_ks", "-c:a", "pcm_s24le"),
    "a.3gp": ("-c:v", "libx264", "-c:a", "aac"),
    "a.m2ts": ("-c:v", "libx264", "-c:a", "ac3"),
    "fields.ts": ("-c:v", "mpeg2video", "-flags", "+ilme+ildct", "-c:a", "mp2"),
    "a.ogv": ("-c:v", "libtheora", "-c:a", "libvorbis"),
    "vp9.webm": (
        "-c:v",
        "libvpx-vp9",
        "-deadline",
        "realtime",
        "-cpu-used",
        "8",
        "-c:a",
        "libopus",
    ),
    "av1.mp4": ("-c:v", "libsvtav1", "-preset", "12", "-c:a", "aac"),
    "hevc.ts": ("-c:v", "libx265", "-preset", "ultrafast", "-c:a", "aac"),
    "open-gop.mkv": ("-c:v", "libx264", "-x264-params", "open-gop=1:keyint=12", "-c:a", "flac"),
    "intra-refresh.ts": ("-c:v", "libx264", "-x264-params", "intra-refresh=1", "-c:a", "aac"),
}


@pytest.mark.parametrize("name", CONTAINERS)
def test_every_container_and_codec_that_people_have(rig: Rig, made: Clips, name: str) -> None:
    source = made.make(
        name, "-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=2", "-f", "lavfi", "-i",
        "sine=d=2:r=44100" if name.endswith("flv") else "sine=d=2:r=48000",
        "-pix_fmt", "yuv422p10le" if name.endswith("mov") else "yuv420p", *CONTAINERS[name],
    )  # fmt: skip
    video = encoded(rig, source, _ALL)["video.mp4"].media
    assert (video.width, video.height, video.frames) == (320, 180, 50)
    assert video.audio_codec == "aac"


SOUNDS = {
    "a.wav": ("pcm_s16le", "22050"),
    "a.flac": ("flac", "96000"),
    "a.opus": ("libopus", "48000"),
    "a.aac": ("aac", "44100"),
    "a.ac3": ("ac3", "48000"),
    "a.mp3": ("libmp3lame", "44100"),
    "a.wma": ("wmav2", "44100"),
    "a.caf": ("pcm_s16be", "44100"),
    "a.aiff": ("pcm_s16be", "8000"),
    "a.mka": ("libvorbis", "44100"),
    "a.amr": ("libopencore_amrnb", "8000"),
}


@pytest.mark.parametrize("name", SOUNDS)
def test_every_kind_of_sound(rig: Rig, made: Clips, name: str) -> None:
    codec, rate = SOUNDS[name]
    sine = f"sine=d=3:r={rate}"
    source = made.make(name, "-f", "lavfi", "-i", sine, "-c:a", codec, "-ar", rate)
    sound = encoded(rig, source, {"outputs": [_ALL["outputs"][1]]})["audio.m4a"].media
    assert sound.audio_codec == "aac"
    assert sound.duration_seconds is not None and abs(sound.duration_seconds - 3) < 0.1
