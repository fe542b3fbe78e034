"""What a file cannot hold is refused with the recipe, by a sentence that says what would do."""

import json
from typing import Any

import pytest

from mayfly.contract import presets, wire
from mayfly.contract.recipe import AudioOutput, LadderOutput, Recipe, VideoOutput
from mayfly.contract.request import Request


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ({"kind": "video", "file": "a.webm"},
         "a .webm holds vp9 or av1; h264 goes in .mp4, .m4v, .mov or .mkv."),
        ({"kind": "video", "file": "a.mov", "codec": "av1"},
         "a .mov holds h264 or hevc; av1 goes in .mp4, .m4v, .mkv or .webm."),
        ({"kind": "video", "file": "a.exe"},
         "a.exe says by its end what it is to be: .mp4, .m4v, .mov, .mkv or .webm."),
        ({"kind": "video", "file": "a"},
         "a says by its end what it is to be: .mp4, .m4v, .mov, .mkv or .webm."),
        ({"kind": "audio", "file": "a.wav"},
         "a.wav says by its end what it is to be: .m4a, .mp3, .opus, .ogg, .flac or .mka."),
        ({"kind": "video", "file": "a.webm", "codec": "vp9", "audio": {"codec": "aac"}},
         "the sound of a .webm is opus; aac goes in .mp4, .m4v, .mov or .mkv."),
        ({"kind": "video", "audio": {"codec": "mp3"}},
         "the sound of a .mp4 is aac, opus or flac; mp3 goes in .mkv."),
        ({"kind": "audio", "file": "a.mp3", "audio": {"codec": "flac"}},
         "the sound of a .mp3 is mp3; flac goes in .flac or .mka."),
        ({"kind": "audio", "file": "a.flac", "audio": {"bitrate_kbps": 128}},
         "flac loses nothing and takes what that needs: leave bitrate_kbps out."),
        ({"kind": "audio", "file": "a.mp3", "audio": {"bitrate_kbps": 500}},
         "mp3 takes a bitrate_kbps from 32 to 320."),
        ({"kind": "audio", "audio": {"bitrate_kbps": 16}},
         "aac takes a bitrate_kbps from 32 to 512."),
        ({"kind": "video", "codec": "hevc", "crf": 52}, "hevc takes a crf from 0 to 51."),
        ({"kind": "video", "bitrate_kbps": 900, "crf": 23},
         "bitrate_kbps stands alone: leave crf and maxrate_kbps out."),
        ({"kind": "video", "bitrate_kbps": 900, "maxrate_kbps": 950},
         "bitrate_kbps stands alone: leave crf and maxrate_kbps out."),
        ({"kind": "video", "maxrate_kbps": 900, "crf": 0},
         "a crf of 0 loses nothing and knows no maxrate_kbps: leave one out."),
        ({"kind": "video", "codec": "av1", "crf": 0, "bits": 10},
         "av1 loses nothing in 8 bits only: take hevc or vp9, or a crf from 1."),
        ({"kind": "video", "file": "a.mkv", "fragmented": True},
         "only an .mp4 is written in fragments: leave fragmented out."),
        ({"kind": "ladder", "rungs": [{"box": {"width": 64, "height": 64}}],
          "audio": {"codec": "opus"}}, "the sound of a ladder is aac, not opus."),
        ({"kind": "ladder", "codec": "hevc", "rungs": [{"box": {"width": 64, "height": 64}},
          {"box": {"width": 32, "height": 32}, "crf": 52}]}, "hevc takes a crf from 1 to 51."),
        ({"kind": "ladder", "bits": 10, "rungs": [{"box": {"width": 64, "height": 64}}]},
         "browsers show h264 in 8 bits only: take hevc, av1 or vp9."),
    ],
)  # fmt: skip
def test_a_contradiction_is_told_in_a_sentence(output: dict[str, Any], said: str) -> None:
    recipe = {"outputs": [{"kind": "poster"}, output]}
    with pytest.raises(wire.Refusal) as refused:
        wire.decode(Request, json.dumps({"source": "s3://bucket/key", "recipe": recipe}))
    assert str(refused.value) == f"recipe.outputs[1]: {said}"
    assert refused.value.field == "recipe.outputs[1]"


def test_what_was_written_before_there_were_codecs_means_what_it_meant() -> None:
    old = {
        "outputs": [
            {"kind": "video", "crf": 20, "audio": {"bitrate_kbps": 96, "channels_max": 6}},
            {"kind": "audio", "audio": {"bitrate_kbps": 128}},
        ]
    }
    video, audio = wire.convert(Recipe, old).outputs
    assert isinstance(video, VideoOutput) and isinstance(audio, AudioOutput)
    assert video.audio is not None
    assert (video.codec, video.rate_factor) == ("h264", 20)
    assert video.audio.codec_in(video.holds) == audio.audio.codec_in(audio.holds) == "aac"


@pytest.mark.parametrize(("codec", "factor"), [("h264", 23), ("hevc", 26), ("av1", 32)])
def test_a_codec_has_a_factor_of_its_own(codec: Any, factor: int) -> None:
    assert VideoOutput(codec=codec).rate_factor == factor
    assert VideoOutput(codec=codec, bitrate_kbps=500).rate_factor is None


def test_every_preset_says_why_and_decodes() -> None:
    found = presets.all_presets()
    assert {"mp4-1080p", "hevc-1080p", "av1-1080p", "webm", "audio-podcast", "phone"} < set(found)
    for name, preset in found.items():
        assert preset.why.endswith("."), name
    archive = found["archive-lossless"].recipe.outputs[0]
    assert isinstance(archive, VideoOutput) and archive.lossless
    assert isinstance(found["web-hls"].recipe.outputs[0], LadderOutput)
