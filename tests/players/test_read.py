"""Ladders read by others than browsers: parsers of playlists and of manifests that know nothing of
us, and ffmpeg, which opens the master over HTTP as any client does.
"""

import json
import subprocess
from fractions import Fraction
from pathlib import Path
from typing import Any

import m3u8
import pytest
from mpegdash.parser import MPEGDASHParser

from local import tools
from tests.players import films
from tests.players.conftest import Watch

pytestmark = [pytest.mark.worker, pytest.mark.xdist_group("players")]


@pytest.fixture(params=films.LADDERS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def url(name: str, made: films.Made, address: str) -> str:
    made.ladder(name)
    return f"{address}/ladders/{name}/{films.opened(name)}"


def test_the_browser_takes_what_the_lists_name(
    watch: Watch, name: str, made: films.Made, url: str
) -> None:
    """To the letter: a player asks for just this before it fetches anything."""
    variants = m3u8.load(url).playlists
    named = [variant.stream_info.codecs.split(",") for variant in variants]
    assert {len(one) for one in named} == {2}
    codecs = {("video", picture) for picture, _ in named} | {("audio", heard) for _, heard in named}
    period = _manifest(made.ladder(name), name).periods[0]
    assert codecs == {
        (group.content_type, one.codecs)
        for group in period.adaptation_sets
        for one in group.representations
        if group.content_type != "text"
    }
    mimes = [f'{kind}/mp4; codecs="{codec}"' for kind, codec in sorted(codecs)]
    supported = watch(lambda page: page.supported([*mimes, "video/mp4; codecs=none"]))
    assert supported == [*[True] * len(mimes), False]


def _manifest(folder: Path, name: str) -> Any:
    text = (folder / films.opened(name, "dash")).read_text()
    return MPEGDASHParser.parse(text)


def test_a_parser_of_manifests_finds_every_file_at_its_time(name: str, made: films.Made) -> None:
    folder = made.ladder(name)
    (period,) = _manifest(folder, name).periods
    pictures, sound, *texts = period.adaptation_sets
    assert all(text.content_type == "text" for text in texts)
    shown = [(one.width, one.height) for one in pictures.representations]
    assert sorted(shown) == films.sizes(name)
    assert all(Fraction(one.frame_rate) == films.RATE for one in pictures.representations)
    beside, listed = (folder / films.opened(name, "dash")).parent, set()
    for group, step in ((pictures, films.FRAME), (sound, Fraction(1024, films.SAMPLES_HZ))):
        (template,) = group.segment_templates
        (timeline,) = template.segment_timelines
        lengths = [run.d for run in timeline.Ss for _ in range(1 + (run.r or 0))]
        assert timeline.Ss[0].t == 0 and all(run.t is None for run in timeline.Ss[1:])
        lasts = Fraction(sum(lengths), template.timescale)
        assert abs(lasts - films.SECONDS) < step
        for one in group.representations:
            numbers = range(template.start_number, template.start_number + len(lengths))
            names = [
                template.initialization,
                *(template.media.replace("$Number%05d$", f"{number:05d}") for number in numbers),
            ]
            listed |= {beside / name.replace("$RepresentationID$", one.id) for name in names}
    assert listed == {path for path in beside.rglob("*") if path.suffix in (".mp4", ".m4s")}


def test_a_parser_of_playlists_finds_what_was_promised(name: str, url: str) -> None:
    master = m3u8.load(url)
    assert master.is_variant and master.is_independent_segments
    found = [variant.stream_info for variant in master.playlists]
    assert sorted(variant.resolution for variant in found) == films.sizes(name)
    assert all(variant.average_bandwidth <= variant.bandwidth for variant in found)
    assert all(abs(variant.frame_rate - films.RATE) < Fraction(1, 1000) for variant in found)
    sound, text = master.media
    assert (sound.type, sound.default, sound.autoselect) == ("AUDIO", "YES", "YES")
    assert {variant.audio for variant in found} == {sound.group_id}
    assert (text.type, text.language, text.name, text.default) == (
        "SUBTITLES", "de", "German", "NO",
    )  # fmt: skip
    assert {variant.subtitles for variant in found} == {text.group_id}
    lengths = [segment.duration for segment in m3u8.load(text.absolute_uri).segments]
    assert lengths == [s.duration for s in m3u8.load(master.playlists[0].absolute_uri).segments]
    tracks = [m3u8.load(track.absolute_uri) for track in (*master.playlists, sound)]
    for track in tracks:
        assert track.is_endlist and track.playlist_type == "vod"
        lengths = [segment.duration for segment in track.segments]
        assert all(round(length) <= track.target_duration for length in lengths)
        assert abs(sum(lengths) - films.SECONDS) < films.FRAME
        assert len({segment.init_section.uri for segment in track.segments}) == 1
    assert len({tuple(s.duration for s in track.segments) for track in tracks[:-1]}) == 1


def test_ffmpeg_reads_every_track_whole_from_the_master(name: str, url: str) -> None:
    # This ffprobe has no decoder of AV1; the ffmpeg below has one.
    counted = "packets" if films.LADDERS[name].output.codec == "av1" else "frames"
    said = subprocess.run(
        [str(tools.ffprobe_path()), "-v", "warning", f"-count_{counted}", "-of", "json",
         "-show_entries", f"stream=codec_type,width,height,start_time,nb_read_{counted}", url],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    words = [line for line in said.stderr.splitlines() if "av1 @" not in line]
    assert words == [] and (counted == "packets" or said.stderr == "")
    streams = json.loads(said.stdout)["streams"]
    pictures = [stream for stream in streams if stream["codec_type"] == "video"]
    assert sorted((one["width"], one["height"]) for one in pictures) == films.sizes(name)
    assert {one[f"nb_read_{counted}"] for one in pictures} == {str(films.FRAMES)}
    (sound,) = (stream for stream in streams if stream["codec_type"] == "audio")
    samples = int(sound[f"nb_read_{counted}"]) * 1024
    assert 0 <= samples - films.SECONDS * films.SAMPLES_HZ < 3 * 1024


def test_ffmpeg_plays_it_without_a_word(url: str) -> None:
    said = subprocess.run(
        [str(tools.ffmpeg_path()), "-v", "warning", "-nostdin", "-xerror", "-threads", "1",
         "-i", url, "-map", "0", "-c:s", "copy", "-f", "null", "-"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert said.stderr == ""
