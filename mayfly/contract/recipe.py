"""What shall come out: the typed recipe language. Strict, because people write it.

This module must never know how a recipe is encoded; the worker's compiler does that.
"""

from typing import Annotated, Literal

import msgspec

from mayfly.contract.wire import Version

#: A file name of ours: it becomes part of an S3 key, a path on the worker and a URL.
FileName = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]

#: A folder of ours. It has no dot, so that it looks like no file.
FolderName = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]

#: H.264 level 6.2 ends at 8192 x 4320; libx264 wants even sides.
Side = Annotated[int, msgspec.Meta(ge=16, le=8192)]


class Box(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The picture fits inside, keeps its shape and is never enlarged. For a portrait picture
    the box is turned, so that 1280x720 means 720x1280 there."""

    width: Side
    height: Side


class Aac(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One AAC-LC sound track."""

    bitrate_kbps: Annotated[int, msgspec.Meta(ge=32, le=512)] = 128
    #: More channels than this are mixed down.
    channels_max: Annotated[int, msgspec.Meta(ge=1, le=8)] = 2


class VideoOutput(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag="video",
    tag_field="kind",
):
    """An MP4 with H.264 and, where the source has sound, AAC; its index in front (faststart)."""

    file: FileName = "video.mp4"
    codec: Literal["h264"] = "h264"
    box: Box = msgspec.field(default_factory=lambda: Box(width=1280, height=720))
    #: x264's constant rate factor: 18 is nearly transparent, 23 its default, 28 small.
    crf: Annotated[int, msgspec.Meta(ge=0, le=51)] = 23
    speed: Literal["ultrafast", "veryfast", "faster", "fast", "medium", "slow", "slower"] = "medium"
    #: The longest distance of two keyframes: how coarse a seek is.
    keyframe_seconds: Annotated[float, msgspec.Meta(ge=0.5, le=10)] = 2.0
    #: No sound when null.
    audio: Aac | None = msgspec.field(default_factory=Aac)


class AudioOutput(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag="audio",
    tag_field="kind",
):
    """The first sound track as M4A."""

    file: FileName = "audio.m4a"
    audio: Aac = msgspec.field(default_factory=Aac)


class PosterOutput(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag="poster",
    tag_field="kind",
):
    """One JPEG picture out of the video."""

    file: FileName = "poster.jpg"
    #: Where in the video: 0 is its first frame, 1 its last.
    at_fraction: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.1
    box: Box = msgspec.field(default_factory=lambda: Box(width=1280, height=720))
    #: ffmpeg's JPEG quantiser: 2 is best, 31 smallest.
    quality: Annotated[int, msgspec.Meta(ge=2, le=31)] = 3


class Rung(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One size of a ladder, for one width of line."""

    box: Box
    #: x264's constant rate factor: how good it is where the cap does not bite. Not 0: no player
    #: of ladders reads what loses nothing.
    crf: Annotated[int, msgspec.Meta(ge=1, le=51)] = 23
    #: No more than this in any second, as far as x264 can keep it; none when null.
    maxrate_kbps: Annotated[int, msgspec.Meta(ge=50, le=200_000)] | None = None


#: For which players a ladder is listed.
Manifest = Literal["hls", "dash"]


class LadderOutput(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag="ladder",
    tag_field="kind",
):
    """One picture in several sizes, in segments of one length that all begin with a keyframe, and
    its sound beside them. A player of HLS begins with `<file>/master.m3u8`, one of DASH with
    `<file>/manifest.mpd`."""

    file: FolderName = "hls"
    #: Each once; all list the same segments. The first stands for the ladder in its outcome.
    manifests: Annotated[
        tuple[Manifest, ...],
        msgspec.Meta(min_length=1, max_length=2, extra_json_schema={"uniqueItems": True}),
    ] = ("hls",)
    codec: Literal["h264"] = "h264"
    #: What is larger than the source is not made; of several that come to one size, the one whose
    #: box is the smallest.
    rungs: Annotated[tuple[Rung, ...], msgspec.Meta(min_length=1, max_length=8)]
    speed: Literal["ultrafast", "veryfast", "faster", "fast", "medium", "slow", "slower"] = "medium"
    #: Rounded to whole frames: 4 s of 29.97 a second are 120 frames, 4.004 s.
    segment_seconds: Annotated[float, msgspec.Meta(ge=2, le=10)] = 4.0
    #: Of a quicker source every second, or third … frame is kept.
    fps_max: Annotated[int, msgspec.Meta(ge=10, le=120)] = 60
    #: No sound when null.
    audio: Aac | None = msgspec.field(default_factory=Aac)

    def listed_twice(self) -> bool:
        """Whether it names one kind of manifest twice, which no schema of a tuple refuses."""
        return len(set(self.manifests)) < len(self.manifests)


Output = VideoOutput | AudioOutput | PosterOutput | LadderOutput


class Recipe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One or more outputs of one source, made in one pass."""

    outputs: Annotated[tuple[Output, ...], msgspec.Meta(min_length=1, max_length=16)]
    version: Version = 1
