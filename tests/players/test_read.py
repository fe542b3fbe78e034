"""Ladders read by others than browsers: a parser of playlists that knows nothing of us, and ffmpeg,
which opens the master over HTTP as any client does.
"""

import json
import subprocess
from fractions import Fraction

import m3u8
import pytest

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


def test_the_browser_takes_what_the_master_names(watch: Watch, url: str) -> None:
    variants = m3u8.load(url).playlists
    named = {variant.stream_info.codecs for variant in variants}
    codecs = {codec for codecs in named for codec in codecs.split(",")}
    mimes = [
        f'{"audio" if codec.startswith("mp4a") else "video"}/mp4; codecs="{codec}"'
        for codec in sorted(codecs)
    ]
    assert len(mimes) == len(variants) + 1  # the sound's is one
    supported = watch(lambda page: page.supported([*mimes, "video/mp4; codecs=none"]))
    assert supported == [*[True] * len(mimes), False]


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
    said = subprocess.run(
        [str(tools.ffprobe_path()), "-v", "warning", "-count_frames", "-of", "json",
         "-show_entries", "stream=codec_type,width,height,start_time,nb_read_frames", url],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert said.stderr == ""
    streams = json.loads(said.stdout)["streams"]
    pictures = [stream for stream in streams if stream["codec_type"] == "video"]
    assert sorted((one["width"], one["height"]) for one in pictures) == films.sizes(name)
    assert {one["nb_read_frames"] for one in pictures} == {str(films.FRAMES)}
    (sound,) = (stream for stream in streams if stream["codec_type"] == "audio")
    samples = int(sound["nb_read_frames"]) * 1024
    assert 0 <= samples - films.SECONDS * films.SAMPLES_HZ < 3 * 1024


def test_ffmpeg_plays_it_without_a_word(url: str) -> None:
    said = subprocess.run(
        [str(tools.ffmpeg_path()), "-v", "warning", "-nostdin", "-xerror", "-threads", "1",
         "-i", url, "-map", "0", "-c:s", "copy", "-f", "null", "-"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert said.stderr == ""
