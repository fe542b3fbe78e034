"""Outputs of recipes, drawn at random: some that anybody might want, some that nobody can have, and
what an attacker would write."""

from typing import Any

from hypothesis import strategies as st

from mayfly.contract.formats import CRF_MAX, VIDEO_FILES, VideoCodec

_ENDS = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".m4a", ".mp3", ".opus", ".ogg", ".flac", ".mka")
_NAMES = st.builds(
    "".join,
    st.tuples(
        st.sampled_from(["a", "a b", "-y", "x;y", "0", "..", "film", "$(id)"]),
        st.sampled_from([*_ENDS, *_ENDS, "", ".exe"]),
    ),
)
_NUMBERS = st.sampled_from(
    [0, 1, 8, 10, 23, 48, 51, 63, 64, 100, 128, 320, 510, 5000, -1, 0.5, "x"]
)
_SOUND = st.fixed_dictionaries(
    {},
    optional={
        "codec": st.sampled_from(["aac", "opus", "mp3", "flac", "wav", None]),
        "bitrate_kbps": _NUMBERS | st.none(),
        "channels_max": st.sampled_from([1, 2, 4, 6, 8, 9]),
        "loudness": st.none()
        | st.fixed_dictionaries(
            {}, optional={"lufs": st.sampled_from([-31, -16.5, -9, -8]), "peak_dbtp": _NUMBERS}
        ),
        "tracks": st.sampled_from(["first", "all", ["deu"], ["und", "eng"], ["-y"], [], "0:a"]),
        "mono_tracks": st.sampled_from(["apart", "stereo", "5.1", "7.1"]),
    },
)
_METADATA = st.sampled_from(["strip", "keep", "title"])
_BOX = st.fixed_dictionaries(
    {"width": st.sampled_from([16, 18, 64, 127, 200]), "height": st.sampled_from([16, 64, 99])}
)
_SHARES = st.sampled_from([0, 0.1, 0.2, 0.333, 0.45, 0.45, 0.9, "iw"])
_DRAWN: dict[str, st.SearchStrategy[Any]] = {
    "crop": st.none()
    | st.fixed_dictionaries(
        {}, optional={f"{side}_fraction": _SHARES for side in ("left", "top", "right", "bottom")}
    ),
    "rotate": st.sampled_from([0, 90, 180, 270, 0, 90, 180, 270, "90,hflip"]),
    "flip": st.sampled_from([None, None, "horizontal", "vertical", "horizontal", "x"]),
    "fit": st.sampled_from(["inside", "pad", "fill", "inside", "pad", "fill", "stretch"]),
}
_MARK = st.fixed_dictionaries(
    {"image": st.sampled_from(["logo.png", "logo.png", "../logo.png", "a,b.png", "[x].png"])},
    optional={
        "position": st.sampled_from(["top-left", "center", "bottom-right", "W-w:0"]),
        "width_fraction": st.sampled_from([0.01, 0.5, 1, 2]),
        "margin_fraction": st.sampled_from([0, 0.25, 0.3]),
        "opacity": st.sampled_from([0.05, 1, 0]),
    },
)
VIDEO = st.fixed_dictionaries(
    {"kind": st.just("video"), "box": _BOX, "file": _NAMES},
    optional={
        "codec": st.sampled_from(["h264", "hevc", "av1", "vp9", "h264 -y"]),
        "crf": _NUMBERS,
        "quality": st.fixed_dictionaries({}, optional={"vmaf": _NUMBERS, "crf_max": _NUMBERS}),
        "maxrate_kbps": _NUMBERS,
        "bitrate_kbps": _NUMBERS,
        "bits": st.sampled_from([8, 10, 12]),
        "speed": st.sampled_from(["ultrafast", "veryfast", "medium", "placebo"]),
        "enlarge": st.booleans(),
        "fragmented": st.booleans(),
        "keyframe_seconds": st.sampled_from([0.5, 2, 10, 11]),
        "speedup": _NUMBERS,
        "audio": _SOUND | st.none(),
        "metadata": _METADATA,
        "burn_in": st.sampled_from([None, {}, {"language": "eng"}, {"language": "x:y"}, {"x": 1}]),
        "hdr": st.sampled_from(["tonemap", "tonemap", "keep", "clip"]),
        "fps_max": st.sampled_from([None, 1, 10, 24, 120, 0, 121, "30"]),
        "watermark": st.none() | _MARK,
        **_DRAWN,
    },
)
AUDIO = st.fixed_dictionaries(
    {"kind": st.just("audio"), "file": _NAMES}, optional={"audio": _SOUND, "metadata": _METADATA}
)

GALLERY = st.fixed_dictionaries(
    {"kind": st.sampled_from(["storyboard", "thumbnails"]), "box": _BOX},
    optional={
        "file": st.sampled_from(["board", "a b", "-y", "x.jpg", "..", "0", "%d", "$(id)"]),
        "every_seconds": _NUMBERS,
        "columns": st.sampled_from([0, 1, 5, 20, 21]),
        "rows": st.sampled_from([1, 20, "x"]),
        "quality": st.sampled_from([1, 2, 31, 32]),
        **_DRAWN,
    },
)
PREVIEW = st.fixed_dictionaries(
    {"kind": st.just("preview"), "box": _BOX},
    optional={
        "file": st.sampled_from(["a.gif", "a.webp", "a b.gif", "-y.gif", "x.mp4", "$(id).gif"]),
        "seconds": _NUMBERS,
        "fps": st.sampled_from([4, 10, 25, 7, "x"]),
        "places": st.sampled_from([0, 1, 3, 8, 9]),
        **_DRAWN,
    },
)
_RUNG = st.fixed_dictionaries(
    {"box": _BOX},
    optional={
        "crf": st.sampled_from([0, 1, 23, 51, 52, 63, 64, None]),
        "maxrate_kbps": st.sampled_from([49, 90, 4000, None]),
    },
)
LADDER = st.fixed_dictionaries(
    {"kind": st.just("ladder"), "rungs": st.lists(_RUNG, min_size=1, max_size=3)},
    optional={
        "file": st.sampled_from(["hls", "a b", "-y", "x.mp4", "..", "0", "$(id)"]),
        "codec": st.sampled_from(["h264", "hevc", "av1", "vp9", "h264 -y"]),
        "bits": st.sampled_from([8, 10, 12]),
        "speed": st.sampled_from(["ultrafast", "veryfast", "medium", "placebo"]),
        "segment_seconds": st.sampled_from([1, 2, 4.5, 10, 11]),
        "fps_max": st.sampled_from([9, 10, 60, 120]),
        "manifests": st.sampled_from([["hls"], ["dash", "hls"], ["hls", "hls"], []]),
        "audio": _SOUND | st.none(),
    },
)
SUBTITLES = st.fixed_dictionaries(
    {"kind": st.just("subtitles")},
    optional={
        "file": st.sampled_from(["a.vtt", "a.srt", "a b.vtt", "-y.srt", "x.ass", "$(id).vtt"]),
        "language": st.sampled_from(["eng", "fra", "en", "e\ng", "-y", None]),
    },
)


@st.composite
def likely(draw: st.DrawFn) -> dict[str, Any]:
    """A film that nothing speaks against, most of the time."""
    """What mostly fits: of anything at all nine in ten are refused."""
    end, kind = draw(st.sampled_from(sorted(VIDEO_FILES.items())))
    output = {
        "kind": "video",
        "file": f"film{end}",
        "codec": draw(st.sampled_from(kind.pictures)),
        "box": draw(_BOX),
        "speed": draw(st.sampled_from(["ultrafast", "veryfast", "medium"])),
        "bits": draw(st.sampled_from([8, 10])),
        "enlarge": draw(st.booleans()),
        "audio": {
            "codec": draw(st.sampled_from(kind.sounds)),
            "channels_max": draw(st.integers(1, 8)),
            "loudness": draw(st.none() | st.just({"lufs": -12})),
            "tracks": draw(st.sampled_from(["first", ["deu"], ["ger"]])),
            "mono_tracks": draw(st.sampled_from(["apart", "stereo"])),
        },
        "metadata": draw(st.sampled_from(["strip", "keep"])),
        "burn_in": draw(st.sampled_from([None, {}])),
    }
    if draw(st.integers(0, 4)) == 0:
        output |= {"speedup": draw(st.integers(2, 1000)), "audio": None}
    if "speedup" not in output and draw(st.booleans()):
        output |= {
            "crop": {"left_fraction": draw(st.sampled_from([0, 0.1, 0.45]))},
            "rotate": draw(st.sampled_from([0, 90, 180, 270])),
            "flip": draw(st.sampled_from([None, "horizontal", "vertical"])),
            "fit": draw(st.sampled_from(["inside", "pad", "fill"])),
            "fps_max": draw(st.sampled_from([None, 1, 10, 30])),
            "watermark": draw(st.none() | st.just({"image": "logo.png", "opacity": 0.5})),
        }
    rate = draw(st.sampled_from(["crf", "capped", "bitrate_kbps", "quality", ""]))
    if rate == "capped":
        return {**output, "maxrate_kbps": 90, "crf": draw(st.integers(1, 51))}
    if rate == "quality":
        return {**output, "quality": {"vmaf": draw(st.floats(30, 99))}}
    if rate == "crf":
        return {**output, "crf": draw(st.integers(0, 63))}
    return {**output, rate: 70} if rate else output


@st.composite
def likely_ladder(draw: st.DrawFn) -> dict[str, Any]:
    """The same of a ladder."""
    codec: VideoCodec = draw(st.sampled_from(["h264", "hevc", "av1", "vp9"]))
    most = CRF_MAX[codec]
    rung = st.fixed_dictionaries(
        {"box": _BOX},
        optional={"crf": st.integers(1, most), "maxrate_kbps": st.sampled_from([60, 4000])},
    )
    return {
        "kind": "ladder",
        "codec": codec,
        "bits": 8 if codec == "h264" else draw(st.sampled_from([8, 10])),
        "speed": draw(st.sampled_from(["ultrafast", "veryfast", "medium"])),
        "rungs": draw(st.lists(rung, min_size=1, max_size=3)),
    }
