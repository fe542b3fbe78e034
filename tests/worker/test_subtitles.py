"""Subtitles as files: what a film says, at its times, as text and as nothing else."""

from pathlib import Path

import pytest

from mayfly.contract import report
from mayfly.contract.recipe import AudioOutput, Box, SubtitlesOutput, VideoOutput
from tests.worker import spoken
from tests.worker.clips import Clips
from tests.worker.conftest import Rig
from tests.worker.cutting import Film
from tests.worker.spoken import HOSTILE, PLAIN

pytestmark = pytest.mark.worker

VIDEO = VideoOutput(speed="ultrafast", box=Box(width=96, height=64))
VTT, SRT = SubtitlesOutput(), SubtitlesOutput(file="words.srt")

PLAIN_VTT = """WEBVTT

00:00:00.500 --> 00:00:01.500
Hello <i>there</i>

00:00:01.000 --> 00:00:02.000
a &lt; b &amp; "c"

00:00:03.000 --> 00:00:03.700
two
lines
<b>bold </b><b><u>under</u></b>

"""


def whole(rig: Rig, source: Path, *outputs: object) -> report.Report:
    film = Film(rig, source.read_bytes(), *outputs, chunk_seconds=0)
    return film.begin()[-1]


def texts(rig: Rig, said: report.Report) -> dict[str, str]:
    """What was delivered as text, by its file."""
    assert isinstance(said, report.Encoded), said
    return {
        made.file: rig.bucket.objects[made.key].decode()
        for made in said.outputs
        if made.file.endswith((".vtt", ".srt"))
    }


def refused(said: report.Report) -> tuple[str, str]:
    assert isinstance(said, report.Failed), said
    return said.code, said.detail


# --- What it comes to -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.mkv", "srt"), ("a.mkv", "ass"), ("a.mkv", "webvtt"), ("a.mov", "mov_text")],
)
def test_every_kind_of_text_comes_to_the_same_file(
    rig: Rig, made: Clips, tmp_path: Path, name: str, codec: str
) -> None:
    # What says "<" or comes while another is shown, ffmpeg itself cannot write in all of them.
    words = tuple(one for one in PLAIN if one[0] != 1000)
    source = spoken.film(made, tmp_path, {"eng": words}, f"{codec}-{name}", codec)

    (text,) = texts(rig, whole(rig, source, VTT)).values()

    first, _, last = PLAIN_VTT.removeprefix("WEBVTT\n\n").removesuffix("\n\n").split("\n\n")
    if codec == "mov_text":  # which ends what is bold where it underlines
        last = last.replace("<b><u>under</u></b>", "<u>under</u>")
    assert text == f"WEBVTT\n\n{first}\n\n{last}\n\n"


def test_a_source_that_is_cut_says_the_same(rig: Rig, made: Clips, tmp_path: Path) -> None:
    source = spoken.film(made, tmp_path, {"eng": PLAIN})
    alone = texts(rig, whole(rig, source, VIDEO, VTT, SRT))

    film = Film(rig, source.read_bytes(), VIDEO, VTT, SRT, AudioOutput()).work()
    said = film.finish()

    assert film.plan.chunks > 1
    assert texts(rig, said) == alone
    assert isinstance(said, report.Encoded)
    assert [made.media.cues for made in said.outputs] == [None, 3, 3, None]
    assert said.proof is not None and said.proof.frames == 40


def test_subtitles_of_a_film_without_sound_are_cut_too(
    rig: Rig, made: Clips, tmp_path: Path
) -> None:
    source = spoken.film(made, tmp_path, {"eng": PLAIN}, "mute.mkv", "srt", "-an")
    film = Film(rig, source.read_bytes(), VIDEO, VTT).work()
    assert texts(rig, film.finish()) == {"subtitles.vtt": PLAIN_VTT}


def test_times_are_counted_from_where_the_film_begins(
    rig: Rig, made: Clips, tmp_path: Path
) -> None:
    offset = ("-output_ts_offset", "1000")
    source = spoken.film(made, tmp_path, {"eng": PLAIN}, "late.mkv", "srt", *offset)
    assert texts(rig, whole(rig, source, VTT, VIDEO)) == {"subtitles.vtt": PLAIN_VTT}


def test_what_reaches_beyond_the_film_ends_with_it(rig: Rig, made: Clips, tmp_path: Path) -> None:
    words = ((3500, 60000, "still there"), (5000, 6000, "never seen"))
    source = spoken.film(made, tmp_path, {"eng": words}, "long.mkv")
    (text,) = texts(rig, whole(rig, source, VTT)).values()
    assert text == "WEBVTT\n\n00:00:03.500 --> 00:00:04.000\nstill there\n\n"


# --- Which track ------------------------------------------------------------------------------


def test_a_language_is_found_by_either_of_its_codes(rig: Rig, made: Clips, tmp_path: Path) -> None:
    german, french = ((0, 900, "Guten Tag"),), ((0, 900, "Bonjour"),)
    source = spoken.film(made, tmp_path, {"ger": german, "fra": french}, "two.mkv")
    outputs = [SubtitlesOutput(file=f"{code}.srt", language=code) for code in ("deu", "ger", "fre")]
    found = texts(rig, whole(rig, source, *outputs))
    assert ["Guten Tag" in found["deu.srt"], "Guten Tag" in found["ger.srt"]] == [True, True]
    assert "Bonjour" in found["fre.srt"]


def test_a_source_without_the_language_is_refused_before_it_is_encoded(
    rig: Rig, made: Clips, tmp_path: Path
) -> None:
    source = spoken.film(made, tmp_path, {"eng": PLAIN})
    code, detail = refused(whole(rig, source, SubtitlesOutput(language="fra")))
    assert (code, detail) == ("no_subtitles", "subtitles.vtt would be in fra; it has eng")
    assert refused(whole(rig, made.plain(), VTT))[0] == "no_subtitles"


def test_pictures_of_text_are_refused_with_a_sentence_of_their_own(
    rig: Rig, made: Clips, tmp_path: Path
) -> None:
    # No encoder makes them of text, but a header is enough to tell.
    spoken.film(made, tmp_path, {"eng": PLAIN}, "text.mkv")
    source = (tmp_path / "text.mkv").read_bytes()
    drawn = tmp_path / "drawn.mkv"
    drawn.write_bytes(source.replace(b"S_TEXT/UTF8", b"S_HDMV/PGS\0"))
    code, detail = refused(whole(rig, drawn, VTT))
    assert (code, detail) == (
        "subtitles_are_pictures", "subtitles.vtt would be of hdmv_pgs_subtitle",
    )  # fmt: skip


# --- What a stranger says ---------------------------------------------------------------------


@pytest.mark.parametrize("codec", ["srt", "ass", "mov_text", "webvtt"])
def test_whatever_it_says_is_text(rig: Rig, made: Clips, tmp_path: Path, codec: str) -> None:
    name = "h.mov" if codec == "mov_text" else "h.mkv"
    source = spoken.film(made, tmp_path, {"eng": HOSTILE}, f"{codec}-{name}", codec)
    found = texts(rig, whole(rig, source, VTT, SRT))
    for text in found.values():
        assert text.count(" --> ") == len(HOSTILE)
        assert "alert(1)" in text and "$(id) %s %n" in text
        assert not any(mark in text for mark in ("<s", "<v", "<f", "<img", "{\\"))
    assert "X-TIMESTAMP-MAP=" not in found["subtitles.vtt"].split("-->")[0]


def test_bytes_that_are_no_text_are_a_corrupt_source(rig: Rig, made: Clips, tmp_path: Path) -> None:
    source = spoken.film(made, tmp_path, {"eng": PLAIN})
    broken = tmp_path / "broken.mkv"
    broken.write_bytes(source.read_bytes().replace(b"Hello", b"He\xff\xfeo"))
    code, detail = refused(whole(rig, broken, VTT))
    assert (code, detail) == ("source_corrupt", "of its 3 subtitles 2 can be decoded")
