"""A ladder's subtitles in its lists, read back as players read them, and what is copied of them."""

from typing import Any

import msgspec
import pytest

from mayfly.contract.ladder import Layer, Ready, Run, Text, Texts
from mayfly.contract.recipe import Box, LadderOutput, Manifest, Rung
from mayfly.core import dash, ladders, playlists
from tests.unit.tracks import PICTURE, SMALL, SOUND
from worker import read_back
from worker.ends import WorkFailed

TRACKS = (PICTURE, SMALL, SOUND)
TEXTS = (
    Text(name="s0", language="en", label="English", segment_bytes=(40, 50, 60), size_bytes=120),
    Text(name="s1", label="Signs (Türkçe)", forced=True, segment_bytes=(9, 9, 9), size_bytes=9),
)


def lists() -> dict[str, str]:
    pictures = [PICTURE, SMALL]
    return {
        **{ladders.playlist(track.name): playlists.media(track) for track in TRACKS},
        **{ladders.iframes(track.name): playlists.iframes(track) for track in pictures},
        **{ladders.playlist(text.name): playlists.text(text, PICTURE) for text in TEXTS},
        ladders.MASTER: playlists.master(pictures, [SOUND], TEXTS),
        ladders.MANIFEST: dash.manifest(pictures, [SOUND], TEXTS),
    }


def test_what_is_written_leads_to_every_subtitle() -> None:
    read_back.check(lists(), TRACKS, TEXTS)


def test_a_playlist_of_subtitles_has_the_pictures_lengths() -> None:
    assert lists()["s1.m3u8"].splitlines()[-8:] == [
        "#EXT-X-INDEPENDENT-SEGMENTS",
        "#EXTINF:4.004000,", "s1/00000.vtt", "#EXTINF:4.004000,", "s1/00001.vtt",
        "#EXTINF:2.002000,", "s1/00002.vtt", "#EXT-X-ENDLIST",
    ]  # fmt: skip


def test_a_manifest_names_one_file_of_each() -> None:
    assert """\
    <AdaptationSet id="3" contentType="text" mimeType="text/vtt">
      <Label>Signs (Türkçe)</Label>
      <Role schemeIdUri="urn:mpeg:dash:role:2011" value="forced-subtitle" />
      <Representation id="s1" bandwidth="8">
        <BaseURL>s1/whole.vtt</BaseURL>
      </Representation>
    </AdaptationSet>
""" in lists()["manifest.mpd"]


@pytest.mark.parametrize(
    ("name", "old", "new", "told"),
    [
        ("s0.m3u8", "s0/00001.vtt", "s1/00001.vtt", "other segments than the picture's"),
        ("s0.m3u8", "2.002000", "2.003000", "other segments than the picture's"),
        ("s0.m3u8", "#EXTINF:2.002000,\ns0/00002.vtt\n", "", "other segments than the picture's"),
        ("s0.m3u8", "#EXTINF", '#EXT-X-MAP:URI="x"\n#EXTINF', "other segments than"),
        ("master.m3u8", 'URI="s0.m3u8"', 'URI="s1.m3u8"', "other subtitles than there are"),
        ("master.m3u8", 'LANGUAGE="en"', 'LANGUAGE="eng"', "other subtitles than there are"),
        ("master.m3u8", 'NAME="English"', 'NAME="English 2"', "other subtitles than there are"),
        ("master.m3u8", "FORCED=YES", "FORCED=NO", "other subtitles than there are"),
        ("master.m3u8", 'GROUP-ID="subtitles"', 'GROUP-ID="other"', "other subtitles than"),
        ("master.m3u8", ',SUBTITLES="subtitles"', "", "v0 with other subtitles than there are"),
        ("manifest.mpd", "s1/whole.vtt", "s0/whole.vtt", "other subtitles than there are"),
        ("manifest.mpd", ' lang="en"', "", "other subtitles than there are"),
        ("manifest.mpd", "<Label>English", "<Label>French", "other subtitles than there are"),
    ],
)
def test_a_list_that_leads_elsewhere_is_not_delivered(
    name: str, old: str, new: str, told: str
) -> None:
    texts = lists()
    assert old in texts[name]
    texts[name] = texts[name].replace(old, new, 1)
    with pytest.raises(WorkFailed) as failed:
        read_back.check(texts, TRACKS, TEXTS)
    assert failed.value.code == "output_broken"
    assert told in failed.value.detail


# --- What is copied ---------------------------------------------------------------------------

LADDER = LadderOutput(rungs=(Rung(box=Box(width=640, height=360)),), subtitles="all")
PART = "work/job1/audio-0/n3/"


def ready(*manifests: Manifest, **changed: Any) -> Ready:
    texts = Texts(prefix=PART, names=("s0", "s1"), segments=2)
    return Ready(
        folder="hls",
        playlists="work/job1/finish/n9/",
        layers=(Layer(tracks=("v0",), runs=(Run("work/job1/encode/n1/", 0, 2),)),),
        manifests=manifests or ("hls",),
        texts=msgspec.structs.replace(texts, **changed),
    )


def test_each_kind_of_player_gets_its_own_files() -> None:
    both = ready("hls", "dash")
    assert ladders.tracks(both) == ["v0", "s0", "s1"]
    assert ladders.media(both, "s1", "out/") == [
        (f"{PART}hls/s1/{name}.vtt", f"out/hls/s1/{name}.vtt")
        for name in ("00000", "00001", "whole")
    ]
    assert len(ladders.media(ready("hls"), "s1", "")) == 2
    assert ladders.media(ready("dash"), "s1", "") == [
        (f"{PART}hls/s1/whole.vtt", "hls/s1/whole.vtt")
    ]
    assert [name for _, name in ladders.playlists(both, "")] == [
        "hls/v0.m3u8", "hls/s0.m3u8", "hls/s1.m3u8",
    ]  # fmt: skip


def test_subtitles_that_lead_elsewhere_are_not_followed() -> None:
    assert ladders.flaw(ready(), LADDER, "work/job1/") == ""
    told = ladders.flaw(ready(prefix="work/job2/audio-0/n1/"), LADDER, "work/job1/")
    assert told == "hls lies outside of its job"
    assert "s0, s0" in ladders.flaw(ready(names=("s0", "s0")), LADDER, "work/job1/")
    assert "as many segments" in ladders.flaw(ready(segments=3), LADDER, "work/job1/")
    silent = msgspec.structs.replace(LADDER, subtitles="none")
    assert "nobody wanted" in ladders.flaw(ready(), silent, "work/job1/")
    for name in ("../x", "s32", "s0\n", "v0"):
        body = msgspec.json.encode({**msgspec.to_builtins(ready().texts), "names": [name]})
        with pytest.raises(msgspec.ValidationError):
            msgspec.json.decode(body, type=Texts)
