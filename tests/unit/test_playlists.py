"""The text of playlists, to the letter: players read nothing else of a ladder before its media."""

from fractions import Fraction

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.contract.ladder import Segment, Track
from mayfly.core import playlists


def track(
    *segments: tuple[int, int], name: str = "v0", rate: tuple[int, int] = (30000, 1001)
) -> Track:
    """Of so many frames and bytes each."""
    made, at = [], 0
    for number, (length, size) in enumerate(segments):
        made.append(Segment(number, at, length, size, "0" * 64))
        at += length
    return Track(
        name=name,
        codec="avc1.64001f" if name[0] == "v" else "mp4a.40.2",
        rate=rate,
        init_bytes=800,
        init_sha256="0" * 64,
        segments=tuple(made),
        width=1280 if name[0] == "v" else 0,
        height=720 if name[0] == "v" else 0,
        channels=0 if name[0] == "v" else 2,
    )


PICTURE = track((120, 1_000_000), (120, 2_000_000), (60, 100_000))
SMALL = msgspec.structs.replace(
    track((120, 100_000), (120, 200_000), (60, 10_000), name="v1"), width=640, height=360
)
SOUND = track((192_000, 64_000), (191_000, 64_000), (97_000, 32_000), name="a0", rate=(48_000, 1))


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
        playlists.master([PICTURE, SMALL], SOUND)
        == """\
#EXTM3U
#EXT-X-VERSION:7
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="sound",NAME="Sound",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2",URI="a0.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=4124675,AVERAGE-BANDWIDTH=2605523,CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=1280x720,FRAME-RATE=29.970,AUDIO="sound"
v0.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=528272,AVERAGE-BANDWIDTH=375753,CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=640x360,FRAME-RATE=29.970,AUDIO="sound"
v1.m3u8
"""
    )


def test_without_sound_there_is_no_group() -> None:
    text = playlists.master([SMALL], None)
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
