"""The output that is one film in several sizes, for lines of several widths.

This module must never know how they are made; the worker's compiler does that.
"""

from typing import Annotated, Literal

import msgspec

from mayfly.contract import formats
from mayfly.contract.formats import Kind, VideoCodec
from mayfly.contract.outputs.burn_in import BurnIn
from mayfly.contract.outputs.fields import Box, FolderName, PictureKbps, Quality, Speed
from mayfly.contract.outputs.picture import Drawn, Watermark
from mayfly.contract.outputs.sound import Sound


class Rung(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One size of a ladder, for one width of line."""

    box: Box
    #: The encoder's constant rate factor: how good it is where the cap does not bite. The codec's
    #: own when null (`formats.CRF_DEFAULT`). At most 51, and 63 for av1 and vp9. Not 0: no player
    #: of ladders reads what loses nothing.
    crf: Annotated[int, msgspec.Meta(ge=1, le=63)] | None = None
    #: No more than this in any second, as far as the encoder can keep it; none when null.
    maxrate_kbps: PictureKbps | None = None


#: What every player of HLS knows.
LADDER_SOUND = Kind("mp4", ("h264", "hevc", "av1", "vp9"), ("aac",))


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
    #: Of all sizes. Every player shows h264; Apple's, and some televisions, hevc; browsers av1 and
    #: vp9, the latter hardly anybody by HLS.
    codec: VideoCodec = "h264"
    #: Of each sample of the picture; in h264 browsers show 8 alone.
    bits: Literal[8, 10] = 8
    #: What is larger than the source is not made; of several that come to one size, the one whose
    #: box is the smallest.
    rungs: Annotated[tuple[Rung, ...], msgspec.Meta(min_length=1, max_length=8)]
    #: Instead of the crf of each rung: how much of what a rung's encoder is given is to be seen.
    quality: Quality | None = None
    #: A rung is not made that looks less than this better than the one below it, both seen at the
    #: size of the largest; null: all are.
    vmaf_apart: Annotated[float, msgspec.Meta(ge=0.1, le=20)] | None = None
    #: An image on every frame of every size; none when null.
    watermark: Watermark | None = None
    speed: Speed = "medium"
    #: Rounded to whole frames: 4 s of 29.97 a second are 120 frames, 4.004 s.
    segment_seconds: Annotated[float, msgspec.Meta(ge=2, le=10)] = 4.0
    #: Of a quicker source every second, or third … frame is kept.
    fps_max: Annotated[int, msgspec.Meta(ge=10, le=120)] = 60
    #: No sound when null.
    audio: Sound | None = msgspec.field(default_factory=Sound)
    #: "all": every track of text that the source has, for viewers to choose from; it need not have
    #: any.
    subtitles: Literal["none", "all"] = "none"
    #: Subtitles of the source that are drawn into the picture; none, when null.
    burn_in: BurnIn | None = None

    def __post_init__(self) -> None:
        if self.quality is not None:
            self.quality.bounds(self.codec)
        most = formats.CRF_MAX[self.codec]
        if any(rung.crf is not None and rung.crf > most for rung in self.rungs):
            raise ValueError(f"{self.codec} takes a crf from 1 to {most}")
        if (self.codec, self.bits) == ("h264", 10):
            raise ValueError("browsers show h264 in 8 bits only: take hevc, av1 or vp9")
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
