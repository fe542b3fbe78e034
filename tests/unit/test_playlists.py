"""The text of playlists, to the letter: players read nothing else of a ladder before its media."""

from fractions import Fraction

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.contract.ladder import Index
from mayfly.core import playlists
from tests.unit.tracks import PICTURE, SMALL, SOUND, track


def test_a_track() -> None:
    assert (
        playlists.media(PICTURE)
        == """\
#EXTM3U
#EXT-X-VERSION:7
#EXT-X-TARGETDURATION:4
#EXT-X-MEDIA-SEQUENCE:0
#EXT-X-PLAYLIST-TYPE:VOD
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-MAP:URI="v0/init.mp4"
#EXTINF:4.004000,
v0/00000.m4s
#EXTINF:4.004000,
v0/00001.m4s
#EXTINF:2.002000,
v0/00002.m4s
#EXT-X-ENDLIST
"""
    )


def test_the_master() -> None:
    assert (
        playlists.master([PICTURE, SMALL], [SOUND])
        == """\
#EXTM3U
#EXT-X-VERSION:7
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="sound",NAME="Sound",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2",URI="a0.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=4124675,AVERAGE-BANDWIDTH=2605523,CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=1280x720,FRAME-RATE=29.970,AUDIO="sound"
v0.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=528272,AVERAGE-BANDWIDTH=375753,CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=640x360,FRAME-RATE=29.970,AUDIO="sound"
v1.m3u8
#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=179821,AVERAGE-BANDWIDTH=127873,CODECS="avc1.64001f",RESOLUTION=1280x720,URI="v0-iframes.m3u8"
#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=17983,AVERAGE-BANDWIDTH=12788,CODECS="avc1.64001f",RESOLUTION=640x360,URI="v1-iframes.m3u8"
"""
    )


def test_the_keyframes_of_a_track_last_until_the_next_one() -> None:
    assert (
        playlists.iframes(PICTURE)
        == """\
#EXTM3U
#EXT-X-VERSION:7
#EXT-X-TARGETDURATION:4
#EXT-X-MEDIA-SEQUENCE:0
#EXT-X-PLAYLIST-TYPE:VOD
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-I-FRAMES-ONLY
#EXT-X-MAP:URI="v0/init.mp4"
#EXTINF:4.004000,
#EXT-X-BYTERANGE:40000@0
v0/00000.m4s
#EXTINF:4.004000,
#EXT-X-BYTERANGE:90000@0
v0/00001.m4s
#EXTINF:2.002000,
#EXT-X-BYTERANGE:30000@0
v0/00002.m4s
#EXT-X-ENDLIST
"""
    )


def test_where_a_chunk_told_of_no_keyframe_none_are_listed() -> None:
    """Its worker was of an older release: the ladder is whole without."""
    told = msgspec.json.encode(Index(folder="hls", tracks=(SMALL,)))
    older = msgspec.json.decode(told.replace(b",9000]", b"]"), type=Index)
    (track,) = older.tracks
    assert [segment.key_bytes for segment in track.segments] == [4_000, 0, 3_000]
    assert not playlists.has_iframes([PICTURE, track])
    text = playlists.master([PICTURE, track], [SOUND])
    assert "I-FRAME" not in text
    assert playlists.master([PICTURE, SMALL], [SOUND]).startswith(text)


def test_without_sound_there_is_no_group() -> None:
    text = playlists.master([SMALL], [])
    assert "AUDIO" not in text
    assert 'CODECS="avc1.64001f",' in text


def test_what_is_rounded_off_a_segment_is_put_onto_the_next() -> None:
    thirds = track(*((1, 10),) * 9, rate=(3, 1))
    lines = playlists.media(thirds).splitlines()
    lengths = [Fraction(line[8:-1]) for line in lines if line.startswith("#EXTINF")]
    assert sum(lengths) == 3
    assert set(lengths) == {Fraction("0.333333"), Fraction("0.333334")}


def test_a_short_last_segment_is_no_peak() -> None:
    """One frame of 40 ms with 40 KB is 8 Mbit/s, which no line has to carry."""
    found = track((120, 500_000), (1, 40_000))
    assert playlists.peak_bits(found) < 8 * 540_000 / 4
    alone = track((1, 40_000))
    assert playlists.peak_bits(alone) == playlists.average_bits(alone) > 8_000_000


def test_a_track_without_segments_has_no_playlist() -> None:
    with pytest.raises(ValueError, match="v0"):
        playlists.target_seconds(track())


@given(
    st.lists(st.tuples(st.integers(1, 300), st.integers(0, 10**7)), min_size=1, max_size=40),
    st.sampled_from([(25, 1), (30000, 1001), (50, 1)]),
)
def test_no_segment_is_above_what_the_playlists_promise(
    segments: list[tuple[int, int]], rate: tuple[int, int]
) -> None:
    made = track(*segments, rate=rate)
    target = playlists.target_seconds(made)
    for length, size in segments:
        seconds = length / Fraction(*rate)
        assert seconds < target + Fraction(1, 2)
        if seconds >= Fraction(target, 2):
            assert 8 * size / seconds <= playlists.peak_bits(made)
