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
from mayfly.contract.recipe import LadderOutput, Recipe, SampledOutput, SubtitlesOutput, assets_of
from tests.worker.clips import Clips
from tests.worker.drawn_recipes import (
    AUDIO,
    GALLERY,
    LADDER,
    PREVIEW,
    SUBTITLES,
    VIDEO,
    likely,
    likely_ladder,
)
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
        VIDEO,
        AUDIO,
        GALLERY,
        PREVIEW,
        SUBTITLES,
        LADDER,
        likely(),
        likely(),
        likely_ladder(),
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
