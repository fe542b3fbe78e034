"""Lists of a ladder are read back before anybody gets them: whatever in them does not lead to the
segments that there are, at their times, is not delivered.
"""

import msgspec
import pytest

from mayfly.contract.ladder import Track
from mayfly.core import dash, ladders, playlists
from tests.unit.tracks import PICTURE, SMALL, SOUND
from worker import read_back
from worker.ends import WorkFailed

TRACKS = (PICTURE, SMALL, SOUND)


def lists(*tracks: Track) -> dict[str, str]:
    """All that is written of a ladder."""
    pictures = [track for track in tracks if track.name != "a0"]
    sound = next((track for track in tracks if track.name == "a0"), None)
    return {
        **{ladders.playlist(track.name): playlists.media(track) for track in tracks},
        **{ladders.iframes(track.name): playlists.iframes(track) for track in pictures},
        ladders.MASTER: playlists.master(pictures, [sound] if sound else []),
        ladders.MANIFEST: dash.manifest(pictures, [sound] if sound else []),
    }


@pytest.mark.parametrize("tracks", [TRACKS, (PICTURE,), (PICTURE, SMALL), (SMALL, SOUND)])
def test_what_is_written_leads_to_all_there_is(tracks: tuple[Track, ...]) -> None:
    texts = lists(*tracks)
    read_back.check(texts, tracks)
    manifest = texts.pop(ladders.MANIFEST)
    read_back.check(texts, tracks)
    read_back.check({ladders.MANIFEST: manifest}, tracks)


def test_without_keyframes_there_is_a_ladder_too() -> None:
    segments = tuple(msgspec.structs.replace(one, key_bytes=0) for one in PICTURE.segments)
    older = msgspec.structs.replace(PICTURE, segments=segments)
    texts = {
        ladders.playlist("v0"): playlists.media(older),
        ladders.MASTER: playlists.master([older], []),
    }
    read_back.check(texts, [older])


@pytest.mark.parametrize(
    ("name", "old", "new", "told"),
    [
        # A manifest.
        ("manifest.mpd", 'd="120120" r="1"', 'd="120120"', "2 segments of the 3 of v0"),
        ("manifest.mpd", 'd="120120" r="1"', 'd="120120" r="2"', "4 segments of the 3 of v0"),
        ("manifest.mpd", 'd="60060"', 'd="60061"', "v0/00002.m4s at 8.008 s, not at 8.008 s"),
        ("manifest.mpd", 'd="191000"', 'd="191001"', "a0/00001.m4s at 4.0 s"),
        ("manifest.mpd", 't="0" d="192000"', 't="1024" d="192000"', "a0/00000.m4s at"),
        ("manifest.mpd", 'd="191000"', 't="200000" d="191000"', "a0/00001.m4s at"),
        ("manifest.mpd", 'timescale="48000"', 'timescale="44100"', "a0/00000.m4s at"),
        (
            "manifest.mpd",
            'timescale="48000"',
            'timescale="48000" presentationTimeOffset="1024"',
            "a0/00000.m4s at -0.02",
        ),
        ("manifest.mpd", 'startNumber="0"', 'startNumber="1"', "v0/00001.m4s for the segment 0"),
        ("manifest.mpd", "$Number%05d$", "$Number$", "v0/0.m4s for the segment 0"),
        ("manifest.mpd", "$Number%05d$", "$Time$", "cannot be read: ValueError"),
        ("manifest.mpd", "$RepresentationID$/init", "v0/init", "v1 begins with v0/init.mp4"),
        ("manifest.mpd", "$RepresentationID$/$", "../v0/$", "../v0/00000.m4s for the segment"),
        ("manifest.mpd", 'id="v1"', 'id="v2"', "it has the tracks v0, v2, a0"),
        ("manifest.mpd", 'id="v1"', 'id="v0"', "it has the tracks v0, a0"),
        ("manifest.mpd", 'codecs="mp4a.40.2"', 'codecs="mp4a.40.5"', "a0 is another one"),
        ("manifest.mpd", ' width="640"', ' width="642"', "v1 is another one"),
        ("manifest.mpd", "</Period>", "</Period><Period/>", "it has the tracks "),
        ("manifest.mpd", "</MPD>", "", "cannot be read: ParseError"),
        ("manifest.mpd", "schema:mpd:2011", "schema:mpd:2012", "it has the tracks "),
        ("manifest.mpd", "PresentationDuration=", "X=", "cannot be read: ValueError"),
        (
            "manifest.mpd",
            'PresentationDuration="PT10.01S"',
            'PresentationDuration="PT10.009S"',
            "it lasts 10.009 s, its tracks 10.01 s",
        ),
        # Playlists.
        ("v0.m3u8", "v0/00001.m4s\n", "", "2 segments of the 3 of v0"),
        ("v0.m3u8", "v0/00001.m4s", "v1/00001.m4s", "v1/00001.m4s for the segment 1 of v0"),
        ("v0.m3u8", "v0/init.mp4", "init.mp4", "v0 begins with init.mp4"),
        ("v0.m3u8", "2.002000", "2.002001", "v0/00002.m4s at 8.008 s, not at"),
        ("v0.m3u8", "TARGETDURATION:4", "TARGETDURATION:3", "longer than the 3 s"),
        ("v0.m3u8", "#EXT-X-ENDLIST\n", "", "does not say what it is"),
        ("v0.m3u8", "#EXTM3U\n", "", "no playlist"),
        ("v0.m3u8", "#EXT-X-ENDLIST\n", "\n#EXT-X-ENDLIST\n", "no playlist"),
        ("a0.m3u8", "a0/00000.m4s", "a0/00001.m4s", "a0/00001.m4s for the segment 0 of a0"),
        # Keyframes.
        ("v0-iframes.m3u8", "#EXT-X-I-FRAMES-ONLY\n", "", "does not say what it is"),
        ("v0-iframes.m3u8", "40000@0", "40001@0", "40001 bytes of the 1000000 of v0/00000.m4s"),
        ("v0-iframes.m3u8", "40000@0", "40000@8", "do not begin where their segments do"),
        # The master.
        ("master.m3u8", "v1.m3u8\n", "v0.m3u8\n", "v1.m3u8: nobody leads there"),
        (
            "master.m3u8",
            'URI="a0.m3u8"',
            'URI="a1.m3u8"',
            "master.m3u8: other sounds than there are",
        ),
        ("master.m3u8", "v0-iframes", "v1-iframes", "v0-iframes.m3u8 without one that leads"),
        ("master.m3u8", "RESOLUTION=640x360,FRAME", "RESOLUTION=642x360,FRAME", "other tracks"),
        ("master.m3u8", "RESOLUTION=640x360,URI", "RESOLUTION=64x36,URI", "other sizes"),
        ("master.m3u8", 'avc1.64001f,mp4a.40.2"', 'avc1.64001f"', "v0 with other codecs"),
        ("master.m3u8", ',AUDIO="sound"', "", "v0 with other codecs or sound"),
    ],
)
def test_a_list_that_leads_elsewhere_is_not_delivered(
    name: str, old: str, new: str, told: str
) -> None:
    texts = lists(*TRACKS)
    assert old in texts[name]
    texts[name] = texts[name].replace(old, new, 1)
    with pytest.raises(WorkFailed) as failed:
        read_back.check(texts, TRACKS)
    assert failed.value.code == "output_broken"
    assert told in failed.value.detail


@pytest.mark.parametrize("missing", sorted({*lists(*TRACKS)} - {"master.m3u8", "manifest.mpd"}))
def test_a_list_that_is_named_and_not_there_is_missed(missing: str) -> None:
    texts = lists(*TRACKS)
    del texts[missing]
    with pytest.raises(WorkFailed, match=missing):
        read_back.check(texts, TRACKS)


def test_a_keyframe_longer_than_its_segment_is_none() -> None:
    first, *others = PICTURE.segments
    longer = msgspec.structs.replace(first, key_bytes=first.size_bytes + 1)
    track = msgspec.structs.replace(PICTURE, segments=(longer, *others))
    with pytest.raises(WorkFailed, match="1000001 bytes of the 1000000"):
        read_back.check(lists(track), [track])
