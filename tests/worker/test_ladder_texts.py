"""Subtitles of a ladder: in segments for players of HLS, in one file for those of DASH, whole and
cut alike."""

from fractions import Fraction
from pathlib import Path

import msgspec
import pytest

from mayfly.contract.ladder import Index, Text
from mayfly.contract.recipe import Box, LadderOutput, Rung
from mayfly.contract.request import check_outputs
from tests.worker import climbing, spoken
from tests.worker.clips import Clips
from tests.worker.conftest import Rig, recipe
from tests.worker.spoken import PLAIN
from worker.ladder_texts import cut, labels
from worker.probe import Stream
from worker.subtitle_text import Cue, Run

pytestmark = pytest.mark.worker

LADDER = LadderOutput(
    manifests=("hls", "dash"),
    speed="ultrafast",
    segment_seconds=2,
    rungs=(Rung(box=Box(width=96, height=64)),),
    subtitles="all",
)

MASTER = """\
#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="subtitles",NAME="English",LANGUAGE="en",DEFAULT=NO,\
AUTOSELECT=YES,FORCED=NO,URI="s0.m3u8"
#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="subtitles",NAME="German",LANGUAGE="de",DEFAULT=NO,\
AUTOSELECT=YES,FORCED=NO,URI="s1.m3u8"
"""

FIRST = """WEBVTT
X-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:0

00:00:00.500 --> 00:00:01.500
Hello <i>there</i>

00:00:01.000 --> 00:00:02.500
over both

"""
SECOND = """WEBVTT
X-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:0

00:00:01.000 --> 00:00:02.500
over both

"""
WORDS = ((500, 1500, "Hello <i>there</i>"), (1000, 2500, "over both"))


def texts(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in sorted(folder.rglob("*"))
        if path.suffix in (".vtt", ".m3u8", ".mpd")
    }


def test_whole_and_cut_have_the_same_subtitles(rig: Rig, made: Clips, tmp_path: Path) -> None:
    source = spoken.film(made, tmp_path, {"eng": WORDS, "ger": PLAIN}, "film.mkv").read_bytes()

    _, alone = climbing.whole(rig, source, tmp_path / "whole", LADDER)
    film, cut = climbing.climbed(rig, source, tmp_path / "cut", LADDER, chunk_seconds=2)

    assert film.plan.chunks == 2
    found = texts(alone.parent)
    assert {name: text for name, text in texts(cut.parent).items() if name[0] == "s"} == {
        name: text for name, text in found.items() if name[0] == "s"
    }
    assert [name for name in found if name.endswith(".vtt")] == [
        f"s{track}/{name}.vtt" for track in (0, 1) for name in ("00000", "00001", "whole")
    ]
    assert (found["s0/00000.vtt"], found["s0/00001.vtt"]) == (FIRST, SECOND)
    assert found["s0/whole.vtt"] == FIRST.replace(SECOND.split("\n")[1] + "\n", "")
    assert MASTER in found["master.m3u8"]
    assert found["master.m3u8"].count('SUBTITLES="subtitles"') == 1
    lengths = [line for line in found["v0.m3u8"].splitlines() if line.startswith("#EXTINF")]
    assert [line for line in found["s0.m3u8"].splitlines() if line.startswith("#EXTINF")] == lengths
    assert "#EXT-X-MAP" not in found["s0.m3u8"]
    assert "<BaseURL>s1/whole.vtt</BaseURL>" in found["manifest.mpd"]


@pytest.mark.parametrize(("manifest", "files"), [("hls", ["00000", "00001"]), ("dash", ["whole"])])
def test_each_kind_of_player_has_what_it_reads_and_no_more(
    rig: Rig, made: Clips, tmp_path: Path, manifest: str, files: list[str]
) -> None:
    source = spoken.film(made, tmp_path, {"eng": WORDS}, "film.mkv", "srt", "-an").read_bytes()
    ladder = msgspec.structs.replace(LADDER, manifests=(manifest,))
    film, opened = climbing.climbed(rig, source, tmp_path / "out", ladder, chunk_seconds=2)
    assert [path.stem for path in sorted((opened.parent / "s0").iterdir())] == files
    first = film.brought["finish"].outputs[0]
    there = [path for path in opened.parent.rglob("*") if path.is_file()]
    assert first.files == len(there)
    assert first.size_bytes == sum(path.stat().st_size for path in there)


def test_a_source_without_any_is_a_ladder_without(rig: Rig, made: Clips, tmp_path: Path) -> None:
    _, opened = climbing.whole(rig, made.plain().read_bytes(), tmp_path, LADDER)
    assert not [name for name in texts(opened.parent) if name[0] == "s"]


def test_nobody_gets_subtitles_who_wants_none(rig: Rig, made: Clips, tmp_path: Path) -> None:
    source = spoken.film(made, tmp_path, {"eng": WORDS}, "film.mkv").read_bytes()
    ladder = msgspec.structs.replace(LADDER, subtitles="none")
    _, opened = climbing.whole(rig, source, tmp_path / "out", ladder)
    assert not [name for name in texts(opened.parent) if name[0] == "s"]


def test_presets_for_the_web_take_subtitles_along() -> None:
    for name in ("web-hls", "web-hls-dash"):
        check_outputs(recipe(name))
        (ladder,) = recipe(name).outputs
        assert isinstance(ladder, LadderOutput) and ladder.subtitles == "all"


# --- Names ------------------------------------------------------------------------------------


def stream(language: str = "", title: str = "", **disposition: int) -> Stream:
    return Stream(
        index=2,
        codec_name="subrip",
        tags={"language": language, "title": title},
        disposition=disposition,
    )


def test_each_track_has_a_name_of_its_own() -> None:
    tracks = [
        stream("eng"), stream("eng"), stream("eng", forced=1), stream("gsw"), stream(), stream(),
        stream("fra", "Français (SDH)"), stream("fra", "English"),
    ]  # fmt: skip
    assert labels(tracks) == [
        "English", "English 2", "English (forced)", "gsw", "Subtitles", "Subtitles 2",
        "Français (SDH)", "English 3",
    ]  # fmt: skip


def test_a_name_ends_no_quotation() -> None:
    hostile = 'a",URI="https://evil.example/x\r\n#EXTINF:1,\u2028<b>&\x00' + "y" * 200
    (label,) = labels([stream("eng", hostile)])
    assert label.startswith("a ,URI https://evil.example/x EXTINF:1, b") and len(label) == 60
    text = Text(name="s0", label=label, size_bytes=1)
    index = msgspec.json.encode(Index(folder="hls", tracks=(), texts=(text,)))
    assert msgspec.json.decode(index, type=Index).texts == (text,)
    for bad in ('"', "\n", "x\n", "", "x" * 81, "<"):
        body = msgspec.json.encode(msgspec.structs.replace(text, label=bad))
        with pytest.raises(msgspec.ValidationError):
            msgspec.json.decode(body, type=Text)
    body = msgspec.json.encode(msgspec.structs.replace(text, language="en\n"))
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(body, type=Text)


def test_seconds_of_segments_are_exact() -> None:
    third = Fraction(4004, 1000)
    cues = [Cue(4003, 4004, ((Run("a"),),)), Cue(4004, 4005, ((Run("b"),),))]
    assert [["a" in text.split("-->")[-1], "b" in text.split("-->")[-1]]
            for text in cut(cues, 2, third)] == [[True, False], [False, True]]  # fmt: skip
