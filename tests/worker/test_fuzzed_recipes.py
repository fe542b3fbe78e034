"""Whatever somebody writes for an output is either refused with a sentence, or becomes a command
line that ffmpeg runs to its end, with no option on it that the recipe language does not own."""

import dataclasses
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mayfly.contract import wire
from mayfly.contract.formats import CRF_MAX, VIDEO_FILES, VideoCodec
from mayfly.contract.recipe import LadderOutput, Recipe, SampledOutput, SubtitlesOutput, assets_of
from tests.worker.clips import Clips
from tests.worker.spoken import PLAIN, subrip
from worker import burnt, preflight, subtitle_tracks
from worker.assets import Asset
from worker.compile import compile_plan
from worker.compile_sound import Levels
from worker.compile_subtitles import DECODED, PASSED, compile_decoded
from worker.ends import WorkFailed
from worker.halt import Halt
from worker.levels import Measured, first
from worker.opening import SOURCE
from worker.picture import Size
from worker.preflight import Material
from worker.prober import Prober
from worker.promise import Promise

pytestmark = pytest.mark.worker

#: Every option that may stand behind the input.
OWNED = frozenset(
    [
        "-avoid_negative_ts",
        "-b:a",
        "-b:v",
        "-bufsize",
        "-c:a",
        "-c:s",
        "-c:v",
        "-compression_level",
        "-cpu-used",
        "-crf",
        "-cues_to_front",
        "-deadline",
        *(f"-disposition:a:{number}" for number in range(3)),
        "-enc_time_base:v",
        "-bsf:v",
        "-f",
        "-fflags",
        "-flags:v",
        "-flush_packets",
        "-frag_duration",
        "-fragment_index",
        "-force_key_frames:v",
        "-forced-idr",
        "-fps_mode:v",
        "-frames:v",
        "-g",
        "-hash",
        "-keyint_min",
        "-lossless",
        "-map",
        "-map_chapters",
        "-map_metadata",
        "-max_muxing_queue_size",
        "-maxrate",
        "-metadata",
        *(f"-metadata:s:a:{number}" for number in range(3)),
        "-movflags",
        "-preset",
        "-q:v",
        "-profile:v",
        "-qp",
        "-row-mt",
        "-sc_threshold",
        "-svtav1-params",
        "-tag:v",
        "-threads",
        "-video_track_timescale",
        "-x265-params",
        "-filter_complex",
    ]
)

_ENDS = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".m4a", ".mp3", ".opus", ".ogg", ".flac", ".mka")
_NAMES = st.builds(
    "".join,
    st.tuples(
        st.sampled_from(["a", "a b", "-y", "x;y", "0", "..", "film", "$(id)"]),
        st.sampled_from([*_ENDS, *_ENDS, "", ".exe"]),
    ),
)
_NUMBERS = st.sampled_from(
    [0, 1, 8, 10, 23, 48, 51, 63, 64, 100, 128, 320, 510, 5000, -1, 0.5, "x"]
)
_SOUND = st.fixed_dictionaries(
    {},
    optional={
        "codec": st.sampled_from(["aac", "opus", "mp3", "flac", "wav", None]),
        "bitrate_kbps": _NUMBERS | st.none(),
        "channels_max": st.sampled_from([1, 2, 4, 6, 8, 9]),
        "loudness": st.none()
        | st.fixed_dictionaries(
            {}, optional={"lufs": st.sampled_from([-31, -16.5, -9, -8]), "peak_dbtp": _NUMBERS}
        ),
        "tracks": st.sampled_from(["first", "all", ["deu"], ["und", "eng"], ["-y"], [], "0:a"]),
        "mono_tracks": st.sampled_from(["apart", "stereo", "5.1", "7.1"]),
    },
)
_METADATA = st.sampled_from(["strip", "keep", "title"])
_BOX = st.fixed_dictionaries(
    {"width": st.sampled_from([16, 18, 64, 127, 200]), "height": st.sampled_from([16, 64, 99])}
)
_SHARES = st.sampled_from([0, 0.1, 0.2, 0.333, 0.45, 0.45, 0.9, "iw"])
_DRAWN: dict[str, st.SearchStrategy[Any]] = {
    "crop": st.none()
    | st.fixed_dictionaries(
        {}, optional={f"{side}_fraction": _SHARES for side in ("left", "top", "right", "bottom")}
    ),
    "rotate": st.sampled_from([0, 90, 180, 270, 0, 90, 180, 270, "90,hflip"]),
    "flip": st.sampled_from([None, None, "horizontal", "vertical", "horizontal", "x"]),
    "fit": st.sampled_from(["inside", "pad", "fill", "inside", "pad", "fill", "stretch"]),
}
_MARK = st.fixed_dictionaries(
    {"image": st.sampled_from(["logo.png", "logo.png", "../logo.png", "a,b.png", "[x].png"])},
    optional={
        "position": st.sampled_from(["top-left", "center", "bottom-right", "W-w:0"]),
        "width_fraction": st.sampled_from([0.01, 0.5, 1, 2]),
        "margin_fraction": st.sampled_from([0, 0.25, 0.3]),
        "opacity": st.sampled_from([0.05, 1, 0]),
    },
)
_VIDEO = st.fixed_dictionaries(
    {"kind": st.just("video"), "box": _BOX, "file": _NAMES},
    optional={
        "codec": st.sampled_from(["h264", "hevc", "av1", "vp9", "h264 -y"]),
        "crf": _NUMBERS,
        "quality": st.fixed_dictionaries({}, optional={"vmaf": _NUMBERS, "crf_max": _NUMBERS}),
        "maxrate_kbps": _NUMBERS,
        "bitrate_kbps": _NUMBERS,
        "bits": st.sampled_from([8, 10, 12]),
        "speed": st.sampled_from(["ultrafast", "veryfast", "medium", "placebo"]),
        "enlarge": st.booleans(),
        "fragmented": st.booleans(),
        "keyframe_seconds": st.sampled_from([0.5, 2, 10, 11]),
        "audio": _SOUND | st.none(),
        "metadata": _METADATA,
        "burn_in": st.sampled_from([None, {}, {"language": "eng"}, {"language": "x:y"}, {"x": 1}]),
        "hdr": st.sampled_from(["tonemap", "tonemap", "keep", "clip"]),
        "fps_max": st.sampled_from([None, 1, 10, 24, 120, 0, 121, "30"]),
        "watermark": st.none() | _MARK,
        **_DRAWN,
    },
)
_AUDIO = st.fixed_dictionaries(
    {"kind": st.just("audio"), "file": _NAMES}, optional={"audio": _SOUND, "metadata": _METADATA}
)

_GALLERY = st.fixed_dictionaries(
    {"kind": st.sampled_from(["storyboard", "thumbnails"]), "box": _BOX},
    optional={
        "file": st.sampled_from(["board", "a b", "-y", "x.jpg", "..", "0", "%d", "$(id)"]),
        "every_seconds": _NUMBERS,
        "columns": st.sampled_from([0, 1, 5, 20, 21]),
        "rows": st.sampled_from([1, 20, "x"]),
        "quality": st.sampled_from([1, 2, 31, 32]),
        **_DRAWN,
    },
)
_PREVIEW = st.fixed_dictionaries(
    {"kind": st.just("preview"), "box": _BOX},
    optional={
        "file": st.sampled_from(["a.gif", "a.webp", "a b.gif", "-y.gif", "x.mp4", "$(id).gif"]),
        "seconds": _NUMBERS,
        "fps": st.sampled_from([4, 10, 25, 7, "x"]),
        "places": st.sampled_from([0, 1, 3, 8, 9]),
        **_DRAWN,
    },
)
_RUNG = st.fixed_dictionaries(
    {"box": _BOX},
    optional={
        "crf": st.sampled_from([0, 1, 23, 51, 52, 63, 64, None]),
        "maxrate_kbps": st.sampled_from([49, 90, 4000, None]),
    },
)
_LADDER = st.fixed_dictionaries(
    {"kind": st.just("ladder"), "rungs": st.lists(_RUNG, min_size=1, max_size=3)},
    optional={
        "file": st.sampled_from(["hls", "a b", "-y", "x.mp4", "..", "0", "$(id)"]),
        "codec": st.sampled_from(["h264", "hevc", "av1", "vp9", "h264 -y"]),
        "bits": st.sampled_from([8, 10, 12]),
        "speed": st.sampled_from(["ultrafast", "veryfast", "medium", "placebo"]),
        "segment_seconds": st.sampled_from([1, 2, 4.5, 10, 11]),
        "fps_max": st.sampled_from([9, 10, 60, 120]),
        "manifests": st.sampled_from([["hls"], ["dash", "hls"], ["hls", "hls"], []]),
        "audio": _SOUND | st.none(),
    },
)
_SUBTITLES = st.fixed_dictionaries(
    {"kind": st.just("subtitles")},
    optional={
        "file": st.sampled_from(["a.vtt", "a.srt", "a b.vtt", "-y.srt", "x.ass", "$(id).vtt"]),
        "language": st.sampled_from(["eng", "fra", "en", "e\ng", "-y", None]),
    },
)


@st.composite
def _likely(draw: st.DrawFn) -> dict[str, Any]:
    """What mostly fits: of anything at all nine in ten are refused."""
    end, kind = draw(st.sampled_from(sorted(VIDEO_FILES.items())))
    output = {
        "kind": "video",
        "file": f"film{end}",
        "codec": draw(st.sampled_from(kind.pictures)),
        "box": draw(_BOX),
        "speed": draw(st.sampled_from(["ultrafast", "veryfast", "medium"])),
        "bits": draw(st.sampled_from([8, 10])),
        "enlarge": draw(st.booleans()),
        "audio": {
            "codec": draw(st.sampled_from(kind.sounds)),
            "channels_max": draw(st.integers(1, 8)),
            "loudness": draw(st.none() | st.just({"lufs": -12})),
            "tracks": draw(st.sampled_from(["first", ["deu"], ["ger"]])),
            "mono_tracks": draw(st.sampled_from(["apart", "stereo"])),
        },
        "metadata": draw(st.sampled_from(["strip", "keep"])),
        "burn_in": draw(st.sampled_from([None, {}])),
    }
    if draw(st.booleans()):
        output |= {
            "crop": {"left_fraction": draw(st.sampled_from([0, 0.1, 0.45]))},
            "rotate": draw(st.sampled_from([0, 90, 180, 270])),
            "flip": draw(st.sampled_from([None, "horizontal", "vertical"])),
            "fit": draw(st.sampled_from(["inside", "pad", "fill"])),
            "fps_max": draw(st.sampled_from([None, 1, 10, 30])),
            "watermark": draw(st.none() | st.just({"image": "logo.png", "opacity": 0.5})),
        }
    rate = draw(st.sampled_from(["crf", "capped", "bitrate_kbps", "quality", ""]))
    if rate == "capped":
        return {**output, "maxrate_kbps": 90, "crf": draw(st.integers(1, 51))}
    if rate == "quality":
        return {**output, "quality": {"vmaf": draw(st.floats(30, 99))}}
    if rate == "crf":
        return {**output, "crf": draw(st.integers(0, 63))}
    return {**output, rate: 70} if rate else output


@st.composite
def _likely_ladder(draw: st.DrawFn) -> dict[str, Any]:
    codec: VideoCodec = draw(st.sampled_from(["h264", "hevc", "av1", "vp9"]))
    most = CRF_MAX[codec]
    rung = st.fixed_dictionaries(
        {"box": _BOX},
        optional={"crf": st.integers(1, most), "maxrate_kbps": st.sampled_from([60, 4000])},
    )
    return {
        "kind": "ladder",
        "codec": codec,
        "bits": 8 if codec == "h264" else draw(st.sampled_from([8, 10])),
        "speed": draw(st.sampled_from(["ultrafast", "veryfast", "medium"])),
        "rungs": draw(st.lists(rung, min_size=1, max_size=3)),
    }


@pytest.fixture(scope="module")
def three(made: Clips, tmp_path_factory: pytest.TempPathFactory) -> Path:
    words = tmp_path_factory.mktemp("words") / "words.srt"
    words.write_text(subrip(PLAIN))
    return made.make(
        "three-frames.mkv", "-f", "lavfi", "-i", "testsrc2=s=96x64:r=25", "-f", "lavfi", "-i",
        "anoisesrc=r=44100:d=0.12,aformat=channel_layouts=5.1", "-f", "lavfi", "-i",
        "sine=d=0.12", "-f", "lavfi", "-i", "sine=d=0.1", "-i", str(words), "-map", "0",
        "-map", "1", "-map", "2", "-map", "3", "-map", "4", "-frames:v", "3", "-c:v", "ffv1",
        "-c:a", "pcm_s16le", "-metadata:s:s:0", "language=eng",
        "-metadata:s:a:0", "language=ger", "-metadata:s:a:1", "language=eng",
        "-metadata", "title=-y;[0:a]'\"", "-metadata", "comment=%d\\:=,",
    )  # fmt: skip


@pytest.mark.timeout(300)
@given(
    output=st.one_of(
        _VIDEO,
        _AUDIO,
        _GALLERY,
        _PREVIEW,
        _SUBTITLES,
        _LADDER,
        _likely(),
        _likely(),
        _likely_ladder(),
    )
)
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_a_recipe_is_refused_or_runs(
    output: dict[str, Any], three: Path, made: Clips, ffmpeg: Path, ffprobe: Path
) -> None:
    try:
        recipe = wire.convert(Recipe, {"outputs": [output]})
    except wire.Refusal as refused:
        assert str(refused).endswith(".")
        assert refused.field.startswith("outputs[0]")
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        try:
            material = looked_at(three, recipe, folder, ffprobe)
            material = dataclasses.replace(material, assets=drawn(recipe, folder, made))
        except WorkFailed as failed:
            assert failed.code in ("request_refused", "no_audio", "no_subtitles")
            return
        argv = line(recipe, material, str(ffmpeg))
        for promise in compile_plan(recipe, material, ffmpeg_path="", threads=1).promises:
            for size in sizes(promise):
                (folder / burnt.path(size)).write_text(burnt.written([], size))
        targets = [f"file:{name}" for name in written(recipe, material)]
        # The last input is an image, where one is drawn; the others are the recipe's own.
        last = len(argv) - 1 - argv[::-1].index("-i")
        behind = argv[last + 2 :]
        assert [word for word in behind if word.startswith("file:")] == targets
        behind = tuple(word for word in behind if word not in targets)
        assert {word for word in behind[::2] if word.startswith("-")} <= OWNED
        assert all(word.startswith("-") for word in behind[::2]), behind
        ran = subprocess.run(argv, cwd=folder, check=False, capture_output=True, text=True)
        assert ran.returncode == 0, ran.stderr[-2000:]


def drawn(recipe: Recipe, folder: Path, made: Clips) -> dict[str, Asset]:
    """The images of a recipe, brought."""
    logo = made.make("logo.png", "-f", "lavfi", "-i", "testsrc=s=30x20", "-frames:v", "1")
    (folder / "in/asset-0").write_bytes(logo.read_bytes())
    asset = Asset(path="in/asset-0", demuxer="png_pipe", size=Size(30, 20))
    return dict.fromkeys(assets_of(recipe), asset)


def raised(promises: Sequence[Promise]) -> Levels:
    """As if all sound were a little too quiet, and had peaks."""
    quiet = Measured(lufs=-20, range_lu=3, peak_dbtp=-1)
    return {
        promise.output.file: [first(promise.sound.loudness, promise.sound_codec, quiet)]
        * len(promise.tracks)
        for promise in promises
        if promise.tracks and promise.sound.loudness is not None
    }


def sizes(promise: Promise) -> list[Size]:
    """Of all pictures of an output."""
    if promise.rungs:
        return [rung.size for rung in promise.rungs]
    return [] if promise.size is None else [promise.size]


def written(recipe: Recipe, material: Material) -> list[str]:
    """What its one output has ffmpeg write: a file, the list of moments that go by these, and of a
    ladder a file of each track."""
    (output,) = recipe.outputs
    if isinstance(output, SubtitlesOutput):
        return [DECODED, PASSED]
    if isinstance(output, LadderOutput):
        (promise,) = compile_plan(recipe, material, ffmpeg_path="", threads=1).promises
        tracks = [rung.name for rung in promise.rungs]
        tracks += ["a0"] if promise.channels is not None else []
        return [f"out/_{output.file}-{track}.mp4" for track in tracks]
    chosen = isinstance(output, SampledOutput)
    return [f"out/{output.file}", *([f"out/_{output.file}.txt"] if chosen else [])]


def line(recipe: Recipe, material: Material, ffmpeg: str) -> tuple[str, ...]:
    """What is run for its one output: subtitles have a run of their own."""
    (output,) = recipe.outputs
    levels = raised(compile_plan(recipe, material, ffmpeg_path="", threads=1).promises)
    argv = compile_plan(recipe, material, ffmpeg_path=ffmpeg, threads=2, levels=levels).argv
    if not isinstance(output, SubtitlesOutput):
        return argv
    assert argv == ()
    track = subtitle_tracks.chosen(output.file, output.language, material.probe)
    return compile_decoded(material, [track], ffmpeg_path=ffmpeg, threads=2).argv


def looked_at(source: Path, recipe: Recipe, folder: Path, ffprobe: Path) -> Material:
    (folder / "in").mkdir()
    (folder / "out").mkdir()
    (folder / SOURCE).write_bytes(source.read_bytes())
    prober, halt = Prober(str(ffprobe)), Halt()
    probe = prober.probe(SOURCE, folder=folder, halt=halt)
    preflight.check_probe(probe, recipe)
    return preflight.check_scan(probe, prober.scan(SOURCE, probe, folder=folder, halt=halt), recipe)
