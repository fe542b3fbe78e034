"""Several sound tracks: those that the recipe names, in its order, with their languages and names,
whole and cut; and mono ones put together as broadcasters mean them."""

import array
import itertools
import subprocess
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import msgspec
import pytest

from mayfly.contract import report, wire
from mayfly.contract.ladder import Track
from mayfly.contract.recipe import AudioOutput, Box, LadderOutput, Recipe, Rung, Sound, VideoOutput
from mayfly.core import playlists
from tests.worker.clips import Clips
from tests.worker.conftest import Rig
from tests.worker.cutting import Film, unmended
from worker import containers, tracks, words
from worker.probe import Stream

pytestmark = pytest.mark.worker

_PICTURE = ("-f", "lavfi", "-i", "testsrc2=s=64x64:r=12:d=3")
_CODED = ("-c:v", "libx264", "-preset", "ultrafast", "-g", "12", "-c:a", "pcm_s16le")
_HOSTILE = 'Regie\n\x1b[31m"; rm -rf /\u202e \N{GRINNING FACE}'


def film(file: str = "f.mkv", codec: Any = None, **sound: Any) -> VideoOutput:
    return VideoOutput(
        file=file,
        box=Box(width=64, height=64),
        speed="ultrafast",
        audio=Sound(codec=codec, **sound),
    )


def spoken(made: Clips, seconds: int = 3) -> bytes:
    """English, German as Matroska calls it, more of it with a name, and one that nobody names."""
    tones = [
        part
        for hertz in (300, 500, 700, 900)
        for part in ("-f", "lavfi", "-i", f"sine=f={hertz}:r=48000,atrim=end_sample=140001")
    ]
    maps = [part for number in range(5) for part in ("-map", f"{number}")]
    said = {0: ["language=eng"], 1: ["language=ger"], 2: ["language=ger", f"title={_HOSTILE}"]}
    told = [
        part
        for number, all_ in said.items()
        for one in all_
        for part in (f"-metadata:s:a:{number}", one)
    ]
    return made.make(
        f"spoken-{seconds}.mkv", *_PICTURE[:3], f"testsrc2=s=64x64:r=12:d={seconds}",
        *tones, *maps, *told,
        "-disposition:a:1", "default", *_CODED
    ).read_bytes()  # fmt: skip


def mono(made: Clips, count: int, *more: str) -> bytes:
    """So many mono tracks, each of its own tone; the last a tenth of a second shorter."""
    tones = [
        part
        for number in range(count)
        for part in (
            "-f", "lavfi", "-i",
            f"sine=f={300 + 100 * number}:r=48000:d={2.9 if number == count - 1 else 3}",
        )
    ]  # fmt: skip
    maps = [part for number in range(count + 1) for part in ("-map", f"{number}")]
    return made.make(f"mono-{count}.mov", *_PICTURE, *tones, *maps, *_CODED, *more).read_bytes()


def last(said: list[report.Report]) -> report.Encoded:
    assert isinstance(said[-1], report.Encoded), said[-1]
    return said[-1]


def whole(rig: Rig, source: bytes, *outputs: Any) -> report.Encoded:
    return last(Film(rig, source, *outputs, chunk_seconds=99).begin())


def cut(rig: Rig, source: bytes, *outputs: Any) -> report.Encoded:
    return last([Film(rig, source, *outputs).work().finish()])


def cut_in_two(rig: Rig, source: bytes, *outputs: Any) -> report.Encoded:
    return last([Film(rig, source, *outputs, chunk_seconds=2).work().finish()])


def heard(ffmpeg: Path, folder: Path, content: bytes, track: int) -> list["array.array[int]"]:
    """Samples of each channel of a track."""
    (folder / "heard").write_bytes(content)
    raw = subprocess.run(
        [str(ffmpeg), "-v", "error", "-i", str(folder / "heard"), "-map", f"0:a:{track}", "-f",
         "s16le", "-"],
        check=True, capture_output=True,
    )  # fmt: skip
    samples = array.array("h", raw.stdout)
    probed = subprocess.run(
        [str(ffmpeg), "-i", str(folder / "heard")], check=False, capture_output=True, text=True
    ).stderr
    line = [one for one in probed.splitlines() if "Audio:" in one][track]
    channels = next(n for word, n in (("mono", 1), ("stereo", 2), ("5.1", 6)) if word in line)
    return [samples[channel::channels] for channel in range(channels)]


def hertz(samples: "array.array[int]") -> int:
    """Of a tone, to the nearest ten."""
    second = samples[4800:52800]
    ups = sum(one < 0 <= other for one, other in itertools.pairwise(second))
    return round(ups, -1)


def told(said: report.Encoded) -> list[tuple[str, str]]:
    return [(one.language, one.title) for one in said.outputs[0].media.sounds]


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "output",
    [
        film("f.mkv", "flac", tracks="all"),
        film("f.mp4", "flac", tracks="all"),
        film("f.mov", "aac", tracks="all"),
        msgspec.structs.replace(film("f.mp4", "aac", tracks="all"), fragmented=True),
        film("f.mkv", "opus", tracks="all"),
    ],
    ids=lambda output: f"{output.file}-{output.audio.codec}",
)
def test_all_tracks_are_there_in_their_order_whole_and_cut(
    rig: Rig, made: Clips, ffmpeg: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    output: VideoOutput,
) -> None:  # fmt: skip
    unmended(monkeypatch)
    source = spoken(made)
    clean = 'Regie [31m"; rm -rf / \N{GRINNING FACE}'
    found = []
    for said in (whole(rig, source, output), cut(rig, source, output)):
        assert told(said) == [("eng", ""), ("deu", ""), ("deu", clean), ("", "")]
        content = rig.bucket.objects[said.outputs[0].key]
        sounds = [heard(ffmpeg, tmp_path, content, track)[0] for track in range(4)]
        assert [hertz(one) for one in sounds] == [300, 500, 700, 900]
        samples = [sound.samples for sound in said.outputs[0].media.sounds]
        assert samples == [140_001] * 4
        # In fragments AAC's last packet is cut off by a length that ffmpeg's own decoder ignores.
        assert {len(one) for one in sounds} == {140_288 if output.fragmented else 140_001}
        found.append(sounds)
    assert found[0] == found[1]


@pytest.mark.parametrize("wanted", [("deu", "eng"), ("ger", "eng")])
def test_languages_come_in_the_recipes_order_under_either_code(
    rig: Rig, made: Clips, wanted: tuple[str, ...]
) -> None:
    said = whole(rig, spoken(made), film(tracks=wanted))
    assert [language for language, _ in told(said)] == ["deu", "deu", "eng"]


@pytest.mark.parametrize("way", [whole, cut])
def test_a_language_that_is_not_there_is_told(rig: Rig, made: Clips, way: Any) -> None:
    said = way(rig, spoken(made), film(tracks=("jpn", "eng")))
    assert told(said) == [("eng", "")]
    assert said.note.endswith("f.mkv: no sound in jpn.")


def test_a_language_that_is_there_is_not_missed_where_a_file_has_no_word_for_it(
    rig: Rig, made: Clips
) -> None:
    """Regression: of German sound in FLAC the note said that there was none."""
    files = [AudioOutput(file=f"a.{end}", audio=Sound(tracks=("deu",))) for end in ("mp3", "flac")]
    assert whole(rig, spoken(made), *files).note == ""
    # QuickTime has no number for Swiss German.
    swiss = made.make(
        "swiss.mkv", *_PICTURE, "-f", "lavfi", "-i", "sine=f=300:r=48000:d=3",
        "-map", "0", "-map", "1", "-metadata:s:a:0", "language=gsw", *_CODED,
    ).read_bytes()  # fmt: skip
    said = whole(rig, swiss, film("f.mov", tracks=("gsw",)))
    assert told(said) == [("", "")] and "no sound" not in said.note


def test_a_file_for_none_of_whose_languages_there_is_sound_fails(rig: Rig, made: Clips) -> None:
    said = Film(rig, spoken(made), film(tracks=("jpn", "kor")), chunk_seconds=99).begin()[-1]
    assert isinstance(said, report.Failed)
    assert said.code == "no_audio"
    assert said.detail == "f.mkv is to sound in jpn, kor, its source in deu, eng, no known language"


def test_sound_alone_is_of_the_first_track_in_the_language(
    rig: Rig, made: Clips, ffmpeg: Path, tmp_path: Path
) -> None:
    output = AudioOutput(file="a.mp3", audio=Sound(tracks=("deu",)))
    said = whole(rig, spoken(made), output)
    assert len(said.outputs[0].media.sounds) == 1
    (samples,) = heard(ffmpeg, tmp_path, rig.bucket.objects[said.outputs[0].key], 0)
    assert hertz(samples) == 500


@pytest.mark.parametrize(
    ("output", "why"),
    [
        ({"kind": "audio", "audio": {"tracks": "all"}}, "audio.m4a holds one sound track: name"),
        ({"kind": "audio", "audio": {"tracks": ["deu", "eng"]}}, "holds one sound track"),
        ({"kind": "video", "file": "a.webm", "codec": "vp9", "audio": {"tracks": "all"}}, "a.webm"),
        ({"kind": "video", "audio": {"tracks": ["German"]}}, "German"),
        ({"kind": "video", "audio": {"tracks": []}}, "tracks"),
        ({"kind": "video", "audio": {"mono_tracks": "quad"}}, "quad"),
    ],
)
def test_what_no_file_holds_is_refused(output: dict[str, Any], why: str) -> None:
    with pytest.raises(wire.Refusal, match=why):
        wire.convert(Recipe, {"outputs": [output]})


# --- Mono ------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", [whole, cut])
@pytest.mark.parametrize(
    ("as_what", "wanted"),
    [
        ("apart", [[300], [400], [500], [600], [700], [800], [900], [1000]]),
        ("stereo", [[300, 400], [500, 600], [700, 800], [900, 1000]]),
        ("5.1", [[300, 400, 500, 600, 700, 800], [900, 1000]]),
    ],
)
def test_mono_tracks_are_what_the_recipe_says_to_the_bit(
    rig: Rig, made: Clips, ffmpeg: Path, tmp_path: Path, way: Any, as_what: Any,
    wanted: list[list[int]],
) -> None:  # fmt: skip
    source = mono(made, 8)
    output = film("f.mkv", "flac", tracks="all", mono_tracks=as_what, channels_max=8)
    said = way(rig, source, output)
    content, before = rig.bucket.objects[said.outputs[0].key], 0
    assert [sound.channels for sound in said.outputs[0].media.sounds] == [*map(len, wanted)]
    for number, tones in enumerate(wanted):
        channels = heard(ffmpeg, tmp_path, content, number)
        assert [hertz(one) for one in channels] == tones
        for channel in channels:
            (its,) = heard(ffmpeg, tmp_path, source, before)
            silence = array.array("h", [0] * (len(channel) - len(its)))
            assert channel == its + silence, "silence follows what ends first"
            before += 1


def test_a_source_of_other_tracks_is_taken_as_it_is(rig: Rig, made: Clips) -> None:
    """A recipe for broadcasters' files serves others as well."""
    output = film("f.mkv", "flac", mono_tracks="5.1", channels_max=8)
    assert whole(rig, mono(made, 3), output).outputs[0].media.channels == 2
    assert whole(rig, made.plain().read_bytes(), output).outputs[0].media.channels == 2


def test_more_tracks_than_anybody_plays_are_refused(rig: Rig, made: Clips) -> None:
    source = mono(made, 17, "-t", "1")
    said = Film(rig, source, film(tracks="all"), chunk_seconds=99).begin()[-1]
    assert isinstance(said, report.Failed), said
    assert said.code == "request_refused"
    assert "f.mkv would have 17 sound tracks, at most 16: name languages, or say" in said.detail
    paired = whole(rig, source, film(tracks="all", mono_tracks="stereo"))
    assert [sound.channels for sound in paired.outputs[0].media.sounds] == [*[2] * 8, 1]


def test_a_real_broadcast_keeps_its_programmes(rig: Rig, media: Path) -> None:
    source = (media / "broadcast-720p50-8xmono.mp4").read_bytes()
    said = whole(rig, source, film("f.mp4", tracks="all", mono_tracks="stereo"))
    assert [sound.channels for sound in said.outputs[0].media.sounds] == [2, 2, 2, 2]
    said = whole(rig, source, film("f.mp4", tracks="all"))
    assert [sound.channels for sound in said.outputs[0].media.sounds] == [1] * 8


# --- Falsified -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"metadata:s:a:0#language": "language=fra"}, "f.mp4 has a sound track in fra"),
        ({"metadata:s:a:2#title": "title=Other"}, "a sound track of another name"),
        ({"disposition:a:0": 0, "disposition:a:1": "default"}, "another default track"),
    ],
)
@pytest.mark.parametrize("chunk_seconds", [1, 99])
def test_tracks_that_say_something_else_are_not_delivered(
    rig: Rig, made: Clips, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], why: str,
    chunk_seconds: int,
) -> None:  # fmt: skip
    unmended(monkeypatch)
    real = containers.told
    monkeypatch.setattr(containers, "told", lambda *given: {**real(*given), **change})
    film_ = Film(rig, spoken(made), film("f.mp4", tracks="all"), chunk_seconds=chunk_seconds)
    said = film_.begin()[-1] if chunk_seconds == 99 else film_.work().finish()
    assert isinstance(said, report.Failed), said
    assert said.code == "output_broken" and why in said.detail


# --- Words -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("ger", "deu"),
        ("ENG", "eng"),
        ("und", ""),
        ("", ""),
        ("en", ""),
        ("deutsch", ""),
        ("e\ng", ""),
    ],
)
def test_a_language_is_a_code_or_nothing(said: str, found: str) -> None:
    assert words.language(said) == found


def test_words_are_one_bounded_line_of_what_can_be_seen() -> None:
    assert words.plain(" a\x00b\tc\u200bd\u2028 e\udc80 ") == "a b c d e"
    assert words.plain("x" * 10**6) == "x" * 200
    assert words.plain("e\u0301") == "\u00e9"


def test_of_mono_tracks_only_those_alike_belong_together() -> None:
    def stream(index: int, rate: int = 48000, language: str = "eng") -> Stream:
        return Stream(
            index=index, channels=1, sample_rate=rate, tags={"language": language}
        )  # fmt: skip

    sound = Sound(tracks="all", mono_tracks="stereo")
    found = tracks.chosen(
        sound, [stream(0), stream(1), stream(2), stream(3, 44100), stream(4)], most=16
    )
    assert [[one.index for one in group] for group in found] == [[0, 1], [2], [3], [4]]


# --- Ladders ---------------------------------------------------------------------------------

_LADDER = LadderOutput(
    file="hls", manifests=("hls", "dash"), rungs=(Rung(box=Box(width=64, height=64)),),
    speed="ultrafast", segment_seconds=2, audio=Sound(tracks=("deu", "eng")),
)  # fmt: skip


@pytest.mark.parametrize("way", [whole, cut_in_two])
def test_a_ladder_has_a_sound_for_each_language(rig: Rig, made: Clips, way: Any) -> None:
    said = way(rig, spoken(made, seconds=5), _LADDER)
    texts = {
        output.file: rig.bucket.objects[output.key].decode()
        for output in said.outputs
        if output.file in ("hls/master.m3u8", "hls/manifest.mpd")
    }
    media = [one for one in texts["hls/master.m3u8"].splitlines() if "TYPE=AUDIO" in one]
    head = '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="sound",NAME='
    name = "Regie [31m'; rm -rf / \N{GRINNING FACE}"
    assert media == [
        f'{head}"deu",LANGUAGE="de",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="1",URI="a0.m3u8"',
        f'{head}"{name}",LANGUAGE="de",DEFAULT=NO,AUTOSELECT=YES,CHANNELS="1",URI="a1.m3u8"',
        f'{head}"eng",LANGUAGE="en",DEFAULT=NO,AUTOSELECT=YES,CHANNELS="1",URI="a2.m3u8"',
    ]
    sets = ElementTree.fromstring(texts["hls/manifest.mpd"]).iter(
        "{urn:mpeg:dash:schema:mpd:2011}AdaptationSet"
    )
    found = [(one.get("id"), one.get("lang")) for one in sets if one.get("contentType") == "audio"]
    assert found == [("1", "de"), ("101", "de"), ("102", "en")]
    told = [(one.language, one.channels) for one in said.outputs[0].media.sounds]
    assert told == [("deu", 1), ("deu", 1), ("eng", 1)]


def test_sounds_of_one_name_can_be_told_apart() -> None:
    track = Track(name="a0", codec="mp4a.40.2", rate=(48000, 1), init_bytes=1,
                  init_sha256="0" * 64, segments=())  # fmt: skip
    named = [msgspec.structs.replace(track, language=code) for code in ("", "", "eng", "eng")]
    assert playlists.names(named) == ["Sound", "Sound 2", "eng", "eng 2"]
