"""The output that is one film in several sizes, for lines of several widths.

This module must never know how they are made; the worker's compiler does that.
"""

from typing import Annotated, Literal

import msgspec

from mayfly.contract import formats
from mayfly.contract.formats import Kind
from mayfly.contract.outputs.fields import Box, FolderName, PictureKbps, Speed
from mayfly.contract.outputs.picture import Drawn, Watermark
from mayfly.contract.outputs.sound import Sound


class Rung(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One size of a ladder, for one width of line."""

    box: Box
    #: x264's constant rate factor: how good it is where the cap does not bite. Not 0: no player
    #: of ladders reads what loses nothing.
    crf: Annotated[int, msgspec.Meta(ge=1, le=51)] = 23
    #: No more than this in any second, as far as x264 can keep it; none when null.
    maxrate_kbps: PictureKbps | None = None


#: What every player of HLS knows.
LADDER_SOUND = Kind("mp4", ("h264",), ("aac",))


#: For which players a ladder is listed.
Manifest = Literal["hls", "dash"]


class LadderOutput(
    Drawn,
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
    #: An image on every frame of every size; none when null.
    watermark: Watermark | None = None
    speed: Speed = "medium"
    #: Rounded to whole frames: 4 s of 29.97 a second are 120 frames, 4.004 s.
    segment_seconds: Annotated[float, msgspec.Meta(ge=2, le=10)] = 4.0
    #: Of a quicker source every second, or third … frame is kept.
    fps_max: Annotated[int, msgspec.Meta(ge=10, le=120)] = 60
    #: No sound when null.
    audio: Sound | None = msgspec.field(default_factory=Sound)

    def __post_init__(self) -> None:
        for rung in self.rungs:
            self.check_box(rung.box)
        if self.audio is not None:
            codec = self.audio.codec or "aac"
            if codec != "aac":
                raise ValueError(f"the sound of a ladder is aac, not {codec}")
            formats.check_sound(self.file, LADDER_SOUND, codec, self.audio.bitrate_kbps)

    def listed_twice(self) -> bool:
        """Whether it names one kind of manifest twice, which no schema of a tuple refuses."""
        return len(set(self.manifests)) < len(self.manifests)
