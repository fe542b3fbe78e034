"""Sound is as loud as its recipe asks, by one gain and, where peaks need it, a limiter; whole and
cut alike, to the sample; and what cannot be done is left and told."""

import array
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.contract import report
from mayfly.contract.recipe import (
    AudioOutput,
    Box,
    LadderOutput,
    Loudness,
    Rung,
    Sound,
    VideoOutput,
)
from tests.worker.clips import Clips
from tests.worker.conftest import Rig
from tests.worker.cutting import Film, unmended
from worker import compile_sound, levels, prove_loudness
from worker.ends import WorkFailed
from worker.levels import Level, Measured
from worker.promise import Promise

pytestmark = pytest.mark.worker

_TINY = Box(width=64, height=64)
_PICTURE = ("-f", "lavfi", "-i", "testsrc2=s=64x64:r=12:d=4")
_CODED = ("-c:v", "libx264", "-preset", "ultrafast", "-g", "12", "-c:a", "pcm_s24le")


def flac(lufs: float = -16, peak: float = -1.5, **changed: Any) -> AudioOutput:
    sound = Sound(codec="flac", loudness=Loudness(lufs=lufs, peak_dbtp=peak), **changed)
    return AudioOutput(file="a.flac", audio=sound)


def film(lufs: float = -16, peak: float = -1.5) -> VideoOutput:
    sound = Sound(codec="flac", loudness=Loudness(lufs=lufs, peak_dbtp=peak))
    return VideoOutput(file="f.mkv", box=_TINY, speed="ultrafast", audio=sound)


def clip(made: Clips, name: str, sound: str) -> bytes:
    """Four seconds of a small picture at most, and that sound."""
    return made.make(
        f"{name}.mov", *_PICTURE, "-f", "lavfi", "-i", sound, *_CODED
    ).read_bytes()  # fmt: skip


def tone(made: Clips, dbfs: float = -23, channels: str = "stereo") -> bytes:
    """By EBU Tech 3341, 1 kHz in two channels is as many LUFS as its peaks have dBFS."""
    level = 10 ** (dbfs / 20)
    sound = f"aevalsrc='{level}*sin(2*PI*1000*t)|{level}*sin(2*PI*1000*t)':s=48000:d=4"
    return clip(made, f"tone{dbfs}{channels}", f"{sound},aformat=channel_layouts={channels}")


def bursts(made: Clips) -> bytes:
    """Quiet noise and, once in a second, a loud peak between two samples: at -16 LUFS it would be
    at 6 dBTP."""
    noise = "0.2*random(0)-0.1"
    peak = "0.9*sin(2*PI*12000*t+PI/4)*lt(mod(t,1),0.002)"
    return clip(made, "bursts", f"aevalsrc='{noise}+{peak}|{noise}+{peak}':s=48000:d=4")


def last(said: list[report.Report]) -> report.Encoded:
    assert isinstance(said[-1], report.Encoded), said[-1]
    return said[-1]


def made_of(rig: Rig, source: bytes, *outputs: Any) -> report.Encoded:
    return last(Film(rig, source, *outputs, chunk_seconds=99).begin())


def loud(said: report.Encoded, file: str = "a.flac") -> report.Loudness:
    (found,) = (output for output in said.outputs if output.file == file)
    told = found.media.sounds[0].loudness
    assert told is not None
    return told


def decoded(ffmpeg: Path, content: bytes, folder: Path) -> "array.array[float]":
    """Samples of the first track, of all its channels in turn."""
    (folder / "decoded").write_bytes(content)
    raw = subprocess.run(
        [str(ffmpeg), "-v", "error", "-i", str(folder / "decoded"), "-map", "0:a:0", "-f", "f32le",
         "-"],
        check=True, capture_output=True,
    )  # fmt: skip
    return array.array("f", raw.stdout)


def near(found: float | None, wanted: float, off: float = 0.15) -> bool:
    return found is not None and abs(found - wanted) <= off


# --- Made ------------------------------------------------------------------------------------


def test_a_tone_of_known_loudness_becomes_as_loud_as_was_asked(rig: Rig, made: Clips) -> None:
    mp3 = AudioOutput(file="a.mp3", audio=Sound(loudness=Loudness(lufs=-14)))
    said = made_of(rig, tone(made), flac(), mp3, film(-23))
    told = loud(said)
    assert near(told.input_lufs, -23) and near(told.input_peak_dbtp, -23)
    assert near(told.lufs, -16) and near(told.peak_dbtp, -16) and told.note == ""
    assert near(loud(said, "a.mp3").lufs, -14, 0.5)
    assert near(loud(said, "f.mkv").lufs, -23)
    assert "LUFS" not in said.note


def test_sound_that_nobody_wants_louder_is_untouched(
    rig: Rig, made: Clips, ffmpeg: Path, tmp_path: Path
) -> None:
    source = tone(made)
    plain = AudioOutput(file="a.flac", audio=Sound(codec="flac"))
    said = made_of(rig, source, plain)
    assert said.outputs[0].media.sounds[0].loudness is None
    assert decoded(ffmpeg, rig.bucket.objects[key(said)], tmp_path) == decoded(
        ffmpeg, source, tmp_path
    )


def test_mono_counts_as_played_from_two_loudspeakers(rig: Rig, made: Clips) -> None:
    """A meter that hears one of them reads 3 dB less."""
    told = loud(made_of(rig, tone(made, channels="mono"), flac()))
    assert near(told.lufs, -16) and near(told.peak_dbtp, -16)


@pytest.mark.parametrize("lufs", [-31.0, -9.0])
def test_peaks_stay_below_the_ceiling_and_every_sample_in_its_place(
    rig: Rig, made: Clips, ffmpeg: Path, tmp_path: Path, lufs: float
) -> None:
    source = bursts(made)
    said = made_of(rig, source, flac(lufs=lufs, peak=-2))
    told = loud(said)
    assert told.peak_dbtp is not None and told.peak_dbtp <= -1.9
    before, after = (
        decoded(ffmpeg, source, tmp_path),
        decoded(ffmpeg, rig.bucket.objects[key(said)], tmp_path),
    )
    assert len(after) == len(before) == 2 * 4 * 48_000
    for second in range(4):
        at = second * 96_000
        loudest = [max(range(at, at + 48_000), key=lambda n: abs(s[n])) for s in (before, after)]
        assert abs(loudest[0] - loudest[1]) <= 2 * 96, "in the same burst, of 2 ms"


def key(said: report.Encoded) -> str:
    return said.outputs[0].key


def test_what_the_limiter_takes_from_all_is_given_back(rig: Rig, made: Clips) -> None:
    told = loud(made_of(rig, bursts(made), flac()))
    assert near(told.lufs, -16, 0.5), told
    assert told.input_peak_dbtp is not None and told.input_lufs is not None
    assert told.input_peak_dbtp - told.input_lufs - 16 > -1.5, "nothing was to be limited"


def test_what_a_limiter_would_ruin_stays_quieter_and_says_so(rig: Rig, made: Clips) -> None:
    noise = "0.001*random(0)"
    source = clip(made, "click", f"aevalsrc='{noise}+0.9*eq(n\\,9)':s=48000:d=4")
    said = made_of(rig, source, flac())
    told = loud(said)
    assert told.lufs is not None and told.lufs < -25
    assert "its peaks would lose more than 12 dB" in told.note
    assert said.note.endswith(f"a.flac: {told.note}.")


@pytest.mark.parametrize(
    ("name", "sound"),
    [
        ("silence", "anullsrc=r=48000:cl=stereo:d=3"),
        ("short", "sine=r=48000:d=0.2"),
        ("whisper", "aevalsrc='0.00003*sin(2*PI*1000*t)':s=48000:d=3"),
    ],
)
def test_silence_and_what_is_too_short_are_left_as_they_are(
    rig: Rig, made: Clips, ffmpeg: Path, tmp_path: Path, name: str, sound: str
) -> None:
    source = clip(made, name, sound)
    said = made_of(rig, source, flac())
    assert loud(said).lufs is None and "left as it is" in loud(said).note
    assert "a.flac: silent, or too short to measure: left as it is." in said.note
    assert decoded(ffmpeg, rig.bucket.objects[key(said)], tmp_path) == decoded(
        ffmpeg, source, tmp_path
    )


@pytest.mark.parametrize("source", [tone, bursts])
def test_cut_or_whole_it_is_the_same_to_the_sample(
    rig: Rig,
    made: Clips,
    ffmpeg: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    source: Any,
) -> None:
    unmended(monkeypatch)
    content = source(made)
    uncut = made_of(rig, content, film(), flac())
    cut = Film(rig, content, film(), flac()).work()
    joined = cut.finish()
    assert isinstance(joined, report.Encoded), joined
    for one, other in zip(uncut.outputs, joined.outputs, strict=True):
        heard = [decoded(ffmpeg, rig.bucket.objects[said.key], tmp_path) for said in (one, other)]
        assert heard[0] == heard[1] and len(heard[0]) == 2 * 4 * 48_000
        assert one.media.sounds == other.media.sounds
        assert near(loud(joined, one.file).lufs, -16, 0.5)


@pytest.mark.parametrize("chunk_seconds", [2, 99])
def test_a_ladders_sound_is_as_loud(rig: Rig, made: Clips, chunk_seconds: int) -> None:
    ladder = LadderOutput(
        rungs=(Rung(box=_TINY),), speed="ultrafast", segment_seconds=2,
        audio=Sound(loudness=Loudness()),
    )  # fmt: skip
    film = Film(rig, tone(made), ladder, chunk_seconds=chunk_seconds)
    said = last(film.begin()) if chunk_seconds == 99 else last([film.work().finish()])
    assert near(loud(said, "hls/master.m3u8").lufs, -16, 0.5)


def test_real_clips_become_as_loud_as_was_asked(rig: Rig, media: Path) -> None:
    """Big Buck Bunny needs a limiter; the traffic makes no sound."""
    mp3 = AudioOutput(file="a.mp3", audio=Sound(loudness=Loudness()))
    told = loud(made_of(rig, (media / "big-buck-bunny-480p-30s.mp4").read_bytes(), mp3), "a.mp3")
    assert near(told.lufs, -16, 0.6) and told.note == ""
    assert told.peak_dbtp is not None and told.peak_dbtp <= -1
    quiet = made_of(rig, (media / "traffic-432p-12.5fps.mp4").read_bytes(), mp3)
    assert loud(quiet, "a.mp3").lufs is None


def test_sound_that_came_out_otherwise_is_not_delivered(
    rig: Rig, made: Clips, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gain is measured, and then forgotten."""
    real = compile_sound.heard_in
    monkeypatch.setattr(compile_sound, "heard_in", lambda *a: real(*a[:3]))
    said = Film(rig, tone(made), flac(), chunk_seconds=99).begin()[-1]
    assert isinstance(said, report.Failed)
    assert (said.code, said.detail) == ("output_broken", "a.flac is at -23.0 LUFS, not -16.0")


def promise(codec: Any, bitrate_kbps: int | None = None) -> Promise:
    sound = Sound(codec=codec, loudness=Loudness(), bitrate_kbps=bitrate_kbps)
    return Promise(output=AudioOutput(file="a.mka", audio=sound))


@pytest.mark.parametrize(
    ("made", "lufs", "peak", "why"),
    [
        (promise("flac"), -14.9, -1.5, "a.mka is at -14.9 LUFS, not -16.0"),
        (promise("flac"), -16, -0.9, "a.mka has a true peak of -0.9 dBTP, at most -1.5 were to be"),
        (promise("aac"), -17.1, -1.5, "a.mka is at -17.1 LUFS, not -16.0"),
        (promise("aac", 32), -19.1, -1.5, "a.mka is at -19.1 LUFS, not -16.0"),
        (promise("aac"), -16, 3.6, "a.mka has a true peak of 3.6 dBTP"),
        (promise("aac"), None, 0.0, "a.mka is silent, and its source is not"),
    ],
)
def test_what_is_not_as_loud_as_it_went_in_is_not_delivered(
    made: Promise, lufs: float | None, peak: float, why: str
) -> None:
    level = levels.first(Loudness(), made.sound_codec, Measured(lufs=-20, range_lu=3, peak_dbtp=-5))
    with pytest.raises(WorkFailed, match=why) as failed:
        prove_loudness.proven(made, level, Measured(lufs=lufs, range_lu=3, peak_dbtp=peak))
    assert failed.value.code == "output_broken"


@pytest.mark.parametrize(
    ("made", "lufs", "peak", "note"),
    [
        (promise("flac"), -15, -1.0, ""),
        (promise("aac"), -16, 0.5, "its codec adds to peaks that were below -1.5 dBTP"),
        (promise("aac", 32), -18, -3, "-18 LUFS after so few bits, -16.0 before"),
    ],
)
def test_what_a_codec_does_to_sound_is_told(
    made: Promise, lufs: float, peak: float, note: str
) -> None:
    level = levels.first(Loudness(), made.sound_codec, Measured(lufs=-20, range_lu=3, peak_dbtp=-5))
    told = prove_loudness.proven(made, level, Measured(lufs=lufs, range_lu=3, peak_dbtp=peak))
    assert (told.note, told.lufs, told.peak_dbtp) == (note, lufs, peak)


# --- Mixed down ------------------------------------------------------------------------------


@pytest.mark.parametrize("codec", ["pcm_s16le", "pcm_f32le"])
def test_surround_is_mixed_down_as_the_itu_has_it(
    rig: Rig, made: Clips, ffmpeg: Path, tmp_path: Path, codec: str
) -> None:
    """Each channel in a second of its own. Sources of whole numbers and of others alike."""
    parts = "|".join(f"0.5*sin(2*PI*1000*t)*eq(floor(t),{n})" for n in range(6))
    source = made.make(
        f"six-{codec}.mov", "-f", "lavfi", "-i", f"aevalsrc='{parts}':s=48000:d=6:c=5.1",
        "-c:a", codec,
    ).read_bytes()  # fmt: skip
    said = made_of(rig, source, AudioOutput(file="a.flac", audio=Sound(codec="flac")))
    heard = decoded(ffmpeg, rig.bucket.objects[key(said)], tmp_path)
    peaks = [
        [max(map(abs, heard[n * 96_000 + side : (n + 1) * 96_000 : 2])) * 2 for side in (0, 1)]
        for n in range(6)
    ]
    half = 0.5**0.5
    wanted = [[1, 0], [0, 1], [half, half], [0, 0], [half, 0], [0, half]]
    for found, due in zip(peaks, wanted, strict=True):
        assert found == pytest.approx(due, abs=0.01)


def test_what_is_mixed_down_does_not_clip(
    rig: Rig, made: Clips, ffmpeg: Path, tmp_path: Path
) -> None:
    """All channels of 5.1 at full scale would be 7.6 dB over it."""
    parts = "|".join(["sin(2*PI*100*t)"] * 6)
    source = made.make(
        "full.mov", "-f", "lavfi", "-i", f"aevalsrc='{parts}':s=48000:d=1:c=5.1",
        "-c:a", "pcm_f32le",
    ).read_bytes()  # fmt: skip
    said = made_of(rig, source, AudioOutput(file="a.flac", audio=Sound(codec="flac")))
    heard = decoded(ffmpeg, rig.bucket.objects[key(said)], tmp_path)
    assert len(heard) == 2 * 48_000
    clipped = sum(abs(sample) > 0.9999 for sample in heard)
    assert max(heard) > 0.99 and clipped < len(heard) / 50, "flat tops"


# --- Decided ---------------------------------------------------------------------------------

_LUFS = st.floats(-69.9, 3).map(lambda value: round(value, 1))
_PEAKS = st.floats(-60, 6).map(lambda value: round(value, 1))


@given(_LUFS, _PEAKS, st.floats(-31, -9), st.floats(-9, 0), st.sampled_from(["aac", "flac"]))
def test_gain_is_bounded_and_no_peak_is_without_a_limiter(
    lufs: float, peak: float, target: float, ceiling: float, codec: Any
) -> None:
    source = Measured(lufs=lufs, range_lu=0, peak_dbtp=peak)
    wanted = Loudness(lufs=target, peak_dbtp=ceiling)
    level = levels.first(wanted, codec, source)
    assert level.gain_db <= 40
    assert level.gain_db <= 0 or peak + level.gain_db <= ceiling + 12.01
    if level.limit_dbtp is None:
        assert peak + level.gain_db <= ceiling
    assert level.expected_lufs is not None
    assert abs(level.expected_lufs - target) <= 0.11 or level.expected_lufs < target


def test_a_level_that_is_raised_again_stays_within_its_bounds() -> None:
    source = Measured(lufs=-30, range_lu=5, peak_dbtp=-3)
    level = levels.first(Loudness(), "flac", source)
    assert (level.gain_db, level.limit_dbtp) == (13.5, -1.5), "12 dB off the peaks, not 12.5"
    again = levels.again(level, Measured(lufs=-19, range_lu=5, peak_dbtp=-1.5))
    assert (again.gain_db, again.expected_lufs) == (13.5, -19)
    assert again.note == "-19.0 LUFS, not -16: its peaks would lose more than 12 dB"


_SAID = ["[Parsed_ebur128_1 @ 0x7] [info] Summary:",
         "Integrated loudness:", "I:         -21.6 LUFS",
         "Threshold: -34.9 LUFS", "LRA:        17.7 LU", "LRA low:   -38.4 LUFS",
         "LRA high:  -20.7 LUFSAll streams finished", "Peak:       -0.8 dBFS"]  # fmt: skip


def test_what_the_meter_says_is_read() -> None:
    assert levels.measured(_SAID) == Measured(lufs=-21.6, range_lu=17.7, peak_dbtp=-0.8)


@pytest.mark.parametrize("said", ["I: -70.0 LUFS", "I: -inf LUFS", "I: nan LUFS"])
def test_a_meter_that_heard_nothing_says_silence(said: str) -> None:
    found = levels.measured([*_SAID, said, "Peak: -inf dBFS", "LRA: nan LU"])
    assert found is not None and found.lufs is None


@pytest.mark.parametrize("left_out", [2, 4, 7])
def test_half_a_word_of_the_meter_is_none(left_out: int) -> None:
    assert levels.measured([one for n, one in enumerate(_SAID) if n != left_out]) is None
    odd = [one.replace("-", "--") for one in _SAID]
    assert levels.measured(odd) is None


def test_hiss_is_not_raised_without_a_bound() -> None:
    level: Level = levels.first(Loudness(), "aac", Measured(lufs=-69, range_lu=0, peak_dbtp=-60))
    assert level.gain_db == 40 and level.expected_lufs == -29
    assert "its hiss would be raised by more than 40 dB" in level.note
