"""Subtitles in the picture: drawn while they are said, in our own font, from our own file, and
nowhere else."""

import subprocess
from fractions import Fraction
from pathlib import Path

import msgspec
import pytest

from mayfly.contract import report
from mayfly.contract.recipe import Box, BurnIn, LadderOutput, Rung, VideoOutput
from tests.worker import climbing, spoken
from tests.worker.clips import Clips
from tests.worker.conftest import Rig
from tests.worker.cutting import Film
from tests.worker.spoken import HOSTILE, Words
from worker import burnt, glyphs
from worker.burning import drawable, font_folder
from worker.picture import Size
from worker.subtitle_text import Cue, Run, lines_of

pytestmark = pytest.mark.worker

#: Bit for bit what comes out of the filters.
PLAIN = VideoOutput(speed="ultrafast", crf=0, box=Box(width=160, height=90), audio=None)
BURNT = VideoOutput(
    file="burnt.mp4", speed="ultrafast", crf=0, box=Box(width=160, height=90), audio=None,
    burn_in=BurnIn(language="eng"),
)  # fmt: skip
WORDS: Words = ((500, 1500, "Hello"), (2300, 2700, "Grüße, Привет"))


def hashes(ffmpeg: Path, path: Path) -> list[str]:
    """Of each frame."""
    said = subprocess.run(
        [str(ffmpeg), "-v", "error", "-threads", "1", "-i", str(path), "-f", "framemd5", "-"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    lines = [line for line in said.stdout.splitlines() if line[0] != "#"]
    return [line.rpartition(",")[2].strip() for line in lines]


def differing(one: list[str], other: list[str]) -> list[int]:
    pairs = zip(one, other, strict=True)
    return [number for number, (here, there) in enumerate(pairs) if here != there]


def made_of(rig: Rig, source: Path, folder: Path, *outputs: object) -> report.Encoded:
    folder.mkdir(exist_ok=True)
    said = Film(rig, source.read_bytes(), *outputs).begin()[-1]
    assert isinstance(said, report.Encoded), said
    for one in said.outputs:
        (folder / one.file).write_bytes(rig.bucket.objects[one.key])
    return said


def failed(rig: Rig, source: Path, *outputs: object) -> tuple[str, str]:
    said = Film(rig, source.read_bytes(), *outputs, chunk_seconds=0).begin()[-1]
    assert isinstance(said, report.Failed), said
    return said.code, said.detail


@pytest.mark.parametrize("offset", ["0", "1000"])
def test_pictures_differ_just_while_something_is_said(
    rig: Rig, made: Clips, tmp_path: Path, ffmpeg: Path, offset: str
) -> None:
    more = ("-output_ts_offset", offset)
    source = spoken.film(made, tmp_path, {"fra": HOSTILE, "eng": WORDS}, "a.mkv", "srt", *more)

    said = made_of(rig, source, tmp_path / "out", PLAIN, BURNT)

    plain, drawn = (hashes(ffmpeg, tmp_path / "out" / one.file) for one in (PLAIN, BURNT))
    assert differing(plain, drawn) == [*range(5, 15), *range(23, 27)]
    # A short source may be cut where somebody says so; this one is not, and tells why.
    assert said.proof is not None
    assert said.proof.whole_because == "subtitles are drawn into its pictures"


def test_a_ladder_has_them_in_every_size(
    rig: Rig, made: Clips, tmp_path: Path, ffmpeg: Path
) -> None:
    source = spoken.film(made, tmp_path, {"eng": WORDS}, "a.mkv").read_bytes()
    rungs = tuple(Rung(box=Box(width=w, height=h)) for w, h in ((160, 90), (96, 54)))
    ladder = LadderOutput(rungs=rungs, speed="ultrafast", segment_seconds=2, burn_in=BurnIn())
    without = msgspec.structs.replace(ladder, burn_in=None)
    with climbing.lossless():
        _, drawn = climbing.whole(rig, source, tmp_path / "drawn", ladder)
        _, plain = climbing.whole(rig, source, tmp_path / "plain", without)
    for track in ("v0", "v1"):
        found = [hashes(ffmpeg, master.parent / f"{track}.m3u8") for master in (plain, drawn)]
        assert differing(*found) == [*range(5, 15), *range(23, 27)]


def test_whatever_it_says_is_only_drawn(rig: Rig, made: Clips, tmp_path: Path) -> None:
    for codec in ("srt", "ass"):
        source = spoken.film(made, tmp_path, {"eng": HOSTILE}, f"{codec}.mkv", codec)
        made_of(rig, source, tmp_path / codec, BURNT)


def test_letters_that_the_font_has_not_are_refused_before_the_encode(
    rig: Rig, made: Clips, tmp_path: Path
) -> None:
    source = spoken.film(made, tmp_path, {"eng": ((0, 900, "中文 שלום"),)}, "zh.mkv")
    code, detail = failed(rig, source, BURNT)
    assert code == "subtitles_undrawable"
    assert detail == "burnt.mp4: U+05D5 U+05DC U+05DD U+05E9 U+4E2D U+6587"
    assert failed(rig, made.plain(), BURNT)[0] == "no_subtitles"


# --- What is drawn from -----------------------------------------------------------------------

SIZE = Size(640, 360)


def events(*cues: Cue) -> list[str]:
    return burnt.written(cues, SIZE).partition("Effect, Text\n")[2].splitlines()


def test_times_are_never_before_their_own() -> None:
    line: tuple[tuple[Run, ...], ...] = ((Run("x"),),)
    assert events(Cue(1, 3_600_009, line), Cue(500, 510, line)) == [
        "Dialogue: 0,0:00:00.01,1:00:00.01,Default,,0,0,0,,x",
        "Dialogue: 0,0:00:00.50,0:00:00.51,Default,,0,0,0,,x",
    ]


@pytest.mark.parametrize(
    ("said", "drawn"),
    [
        (r"{\b1}a{\b0}\Nb", r"{\b1}a{\b0}\Nb"),
        (r"\{\\fnevil\}", "\\{\\\u2060\\\u2060fnevil\\}"),
        (r"{not a command}", r"\{not a command\}"),
        (r"C:\Users\x", "C:\\\u2060Users\\\u2060x"),
    ],
)
def test_nothing_of_it_is_a_command(said: str, drawn: str) -> None:
    cue = Cue(0, 10, lines_of(said, comments=False))
    assert events(cue) == [f"Dialogue: 0,0:00:00.00,0:00:00.01,Default,,0,0,0,,{drawn}"]


def test_signs_may_be_left_out_and_letters_may_not() -> None:
    known = frozenset(map(ord, "abc "))
    cues = [Cue(0, 1, ((Run("♪ abc ♪"),), (Run("♪"),))), Cue(1, 2, ((Run("🎵"),),))]
    assert burnt.undrawable(cues, known) == ""
    assert [cue.said() for cue in burnt.without_signs(cues, known)] == [" abc "]
    assert burnt.undrawable([Cue(0, 1, ((Run("xa中x"),),))], known) == "x中"


def test_letters_are_as_large_in_a_portrait_as_beside_it() -> None:
    def letters(size: Size) -> float:
        style = burnt.written([], size).partition("\nStyle: ")[2]
        return float(style.split(",")[2])

    assert letters(Size(640, 360)) == pytest.approx(0.06 * 360)
    assert letters(Size(360, 640)) == pytest.approx(float(Fraction(3, 4)) * 360 * 0.06, abs=0.1)


def test_the_font_knows_what_is_written_in_europe() -> None:
    for letters in ("Zażółć", "Ελληνικά", "Українська", "Þórshöfn", "Tiếng Việt", "“…”—€"):
        assert {*map(ord, letters)} <= drawable()
    assert ord("中") not in drawable()


def test_a_file_that_is_no_font_is_told(tmp_path: Path) -> None:
    (tmp_path / "x.ttf").write_bytes(b"\0\1\0\0\0\0" + bytes(20))
    with pytest.raises(ValueError, match="no table of characters"):
        glyphs.characters(tmp_path / "x.ttf")
    assert (font_folder().parent / "LICENSE").is_file()
