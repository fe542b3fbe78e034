"""Whatever somebody writes for an output is either refused with a sentence, or becomes a command
line that ffmpeg runs to its end, with no option on it that the recipe language does not own."""

import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mayfly.contract import wire
from mayfly.contract.formats import VIDEO_FILES
from mayfly.contract.recipe import Recipe, SampledOutput
from tests.worker.clips import Clips
from worker import preflight
from worker.compile import compile_plan
from worker.ends import WorkFailed
from worker.halt import Halt
from worker.opening import SOURCE
from worker.preflight import Material
from worker.prober import Prober

pytestmark = pytest.mark.worker

#: Every option that may stand behind the input.
OWNED = frozenset(
    [
        "-b:a",
        "-b:v",
        "-bufsize",
        "-c:a",
        "-c:v",
        "-compression_level",
        "-cpu-used",
        "-crf",
        "-cues_to_front",
        "-deadline",
        "-enc_time_base:v",
        "-f",
        "-fflags",
        "-force_key_frames:v",
        "-forced-idr",
        "-fps_mode:v",
        "-frames:v",
        "-g",
        "-hash",
        "-lossless",
        "-map",
        "-map_chapters",
        "-map_metadata",
        "-max_muxing_queue_size",
        "-maxrate",
        "-movflags",
        "-preset",
        "-q:v",
        "-profile:v",
        "-qp",
        "-row-mt",
        "-svtav1-params",
        "-tag:v",
        "-threads",
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
    },
)
_BOX = st.fixed_dictionaries(
    {"width": st.sampled_from([16, 18, 64, 127, 200]), "height": st.sampled_from([16, 64, 99])}
)
_VIDEO = st.fixed_dictionaries(
    {"kind": st.just("video"), "box": _BOX, "file": _NAMES},
    optional={
        "codec": st.sampled_from(["h264", "hevc", "av1", "vp9", "h264 -y"]),
        "crf": _NUMBERS,
        "maxrate_kbps": _NUMBERS,
        "bitrate_kbps": _NUMBERS,
        "bits": st.sampled_from([8, 10, 12]),
        "speed": st.sampled_from(["ultrafast", "veryfast", "medium", "placebo"]),
        "enlarge": st.booleans(),
        "fragmented": st.booleans(),
        "keyframe_seconds": st.sampled_from([0.5, 2, 10, 11]),
        "speedup": _NUMBERS,
        "audio": _SOUND | st.none(),
    },
)
_AUDIO = st.fixed_dictionaries(
    {"kind": st.just("audio"), "file": _NAMES}, optional={"audio": _SOUND}
)

_GALLERY = st.fixed_dictionaries(
    {"kind": st.sampled_from(["storyboard", "thumbnails"]), "box": _BOX},
    optional={
        "file": st.sampled_from(["board", "a b", "-y", "x.jpg", "..", "0", "%d", "$(id)"]),
        "every_seconds": _NUMBERS,
        "columns": st.sampled_from([0, 1, 5, 20, 21]),
        "rows": st.sampled_from([1, 20, "x"]),
        "quality": st.sampled_from([1, 2, 31, 32]),
    },
)
_PREVIEW = st.fixed_dictionaries(
    {"kind": st.just("preview"), "box": _BOX},
    optional={
        "file": st.sampled_from(["a.gif", "a.webp", "a b.gif", "-y.gif", "x.mp4", "$(id).gif"]),
        "seconds": _NUMBERS,
        "fps": st.sampled_from([4, 10, 25, 7, "x"]),
        "places": st.sampled_from([0, 1, 3, 8, 9]),
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
        },
    }
    if draw(st.integers(0, 4)) == 0:
        output |= {"speedup": draw(st.integers(2, 1000)), "audio": None}
    rate = draw(st.sampled_from(["crf", "capped", "bitrate_kbps", ""]))
    if rate == "capped":
        return {**output, "maxrate_kbps": 90, "crf": draw(st.integers(1, 51))}
    if rate == "crf":
        return {**output, "crf": draw(st.integers(0, 63))}
    return {**output, rate: 70} if rate else output


@pytest.fixture(scope="module")
def three(made: Clips) -> Path:
    return made.make(
        "three-frames.mkv", "-f", "lavfi", "-i", "testsrc2=s=96x64:r=25", "-f", "lavfi", "-i",
        "anoisesrc=r=44100:d=0.12", "-frames:v", "3", "-c:v", "ffv1", "-c:a", "pcm_s16le",
        "-ac", "6",
    )  # fmt: skip


@pytest.mark.timeout(300)
@given(output=_VIDEO | _AUDIO | _GALLERY | _PREVIEW | _likely())
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_a_recipe_is_refused_or_runs(
    output: dict[str, Any], three: Path, ffmpeg: Path, ffprobe: Path
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
        except WorkFailed as failed:
            assert failed.code == "request_refused"
            return
        argv = compile_plan(recipe, material, ffmpeg_path=str(ffmpeg), threads=2).argv
        targets = [f"file:out/{name}" for name in written(recipe)]
        behind = argv[argv.index("-i") + 2 :]
        assert [word for word in behind if word.startswith("file:")] == targets
        behind = tuple(word for word in behind if word not in targets)
        assert {word for word in behind[::2] if word.startswith("-")} <= OWNED
        assert all(word.startswith("-") for word in behind[::2]), behind
        ran = subprocess.run(argv, cwd=folder, check=False, capture_output=True, text=True)
        assert ran.returncode == 0, ran.stderr[-2000:]


def written(recipe: Recipe) -> list[str]:
    """What its one output has ffmpeg write: a file, and the list of moments that go by these."""
    (output,) = recipe.outputs
    chosen = isinstance(output, SampledOutput)
    return [output.file, f"_{output.file}.txt"] if chosen else [output.file]


def looked_at(source: Path, recipe: Recipe, folder: Path, ffprobe: Path) -> Material:
    (folder / "in").mkdir()
    (folder / "out").mkdir()
    (folder / SOURCE).write_bytes(source.read_bytes())
    prober, halt = Prober(str(ffprobe)), Halt()
    probe = prober.probe(SOURCE, folder=folder, halt=halt)
    preflight.check_probe(probe, recipe)
    return preflight.check_scan(probe, prober.scan(SOURCE, probe, folder=folder, halt=halt), recipe)
