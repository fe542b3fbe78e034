"""The output that is a film in one file.

It must never know how a film is encoded; the worker's compiler does that.
"""

from typing import Annotated, Literal

import msgspec

from mayfly.contract import formats
from mayfly.contract.formats import Kind, VideoCodec
from mayfly.contract.outputs.burn_in import BurnIn
from mayfly.contract.outputs.fields import Box, FileName, Metadata, PictureKbps, Quality, Speed
from mayfly.contract.outputs.picture import Drawn, Watermark
from mayfly.contract.outputs.sound import Sound


class VideoOutput(
    Drawn,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag="video",
    tag_field="kind",
):
    """A film: one picture and, where the source has sound, one sound track. The end of the file's
    name says what it is: .mp4 (its index in front), .m4v, .mov, .mkv or .webm."""

    file: FileName = "video.mp4"
    codec: VideoCodec = "h264"
    box: Box = msgspec.field(default_factory=lambda: Box(width=1280, height=720))
    #: Make it as large as the box, even if the source is smaller.
    enlarge: bool = False
    #: How good it is, whatever that takes: 0 loses nothing, more is worse. The codec's own when
    #: null (`formats.CRF_DEFAULT`). At most 51, and 63 for av1 and vp9.
    crf: Annotated[int, msgspec.Meta(ge=0, le=63)] | None = None
    #: Instead of a crf: how good it is to look, by VMAF. Which crf that takes is found for each
    #: source.
    quality: Quality | None = None
    #: With a crf or a quality: where that would take more than this, it is made worse; nowhere,
    #: when null.
    maxrate_kbps: PictureKbps | None = None
    #: Instead of a crf: about so much on average, however good or bad that is. Of a source that is
    #: cut, each chunk has this average.
    bitrate_kbps: PictureKbps | None = None
    #: Of each sample of the picture. Ten band less in skies, and fewer players show them.
    bits: Literal[8, 10] = 8
    #: What becomes of a source of high dynamic range: what every screen shows (`tonemap`), or what
    #: it is (`keep`), which takes ten bits and a codec whose players know it.
    hdr: Literal["tonemap", "keep"] = "tonemap"
    #: Of a quicker source every second frame is kept, or third …; all of them when null.
    fps_max: Annotated[int, msgspec.Meta(ge=1, le=120)] | None = None
    #: An image on every frame; none when null.
    watermark: Watermark | None = None
    speed: Speed = "medium"
    #: The longest distance of two keyframes: how coarse a seek is.
    keyframe_seconds: Annotated[float, msgspec.Meta(ge=0.5, le=10)] = 2.0
    #: An MP4 in fragments, which can be read while it grows; else its one index is in front.
    fragmented: bool = False
    #: So many times as quickly as the source, by leaving frames out; it has no sound then.
    speedup: Annotated[int, msgspec.Meta(ge=2, le=1000)] | None = None
    #: No sound when null.
    audio: Sound | None = msgspec.field(default_factory=Sound)
    metadata: Metadata = "strip"
    #: Subtitles of the source that are drawn into the picture; none, when null.
    burn_in: BurnIn | None = None

    def __post_init__(self) -> None:
        kind = formats.check_picture(self.file, self.codec)
        self.check_box(self.box)
        self._check_range()
        self._check_rate()
        if self.audio is not None:
            codec = self.audio.codec_in(kind)
            formats.check_sound(self.file, kind, codec, self.audio.bitrate_kbps)
            if kind.container == "webm":
                self.audio.check_one(self.file)
        if self.fragmented and kind.container != "mp4":
            raise ValueError("only an .mp4 is written in fragments: leave fragmented out")
        if self.speedup is not None and self.audio is not None:
            raise ValueError("a film that is sped up has no sound: say audio null")
        if self.speedup is not None and (self.fps_max, self.quality, self.burn_in) != (None,) * 3:
            raise ValueError("speedup stands alone: leave fps_max, quality and burn_in out")

    def _check_range(self) -> None:
        if self.hdr != "keep":
            return
        if self.watermark is not None:
            raise ValueError("an image is drawn in standard range: leave hdr or watermark out")
        if self.quality is not None:
            raise ValueError("VMAF knows standard range alone: leave hdr or quality out")
        if self.codec == "h264" or self.bits != 10:
            raise ValueError(
                "high dynamic range is kept in 10 bits of hevc, av1 or vp9: take these, or leave"
                " hdr out"
            )

    def _check_rate(self) -> None:
        if self.quality is not None:
            if (self.crf, self.bitrate_kbps) != (None, None):
                raise ValueError("quality says what crf and bitrate_kbps say: leave these out")
            self.quality.bounds(self.codec)
        most = formats.CRF_MAX[self.codec]
        if self.crf is not None and self.crf > most:
            raise ValueError(f"{self.codec} takes a crf from 0 to {most}")
        if self.bitrate_kbps is not None and (self.crf, self.maxrate_kbps) != (None, None):
            raise ValueError("bitrate_kbps stands alone: leave crf and maxrate_kbps out")
        if (self.codec, self.crf, self.bits) == ("av1", 0, 10):
            # SVT-AV1 4.2 says that it does, and the pictures are others.
            raise ValueError("av1 loses nothing in 8 bits only: take hevc or vp9, or a crf from 1")
        if self.maxrate_kbps is not None and self.crf == 0:
            raise ValueError("a crf of 0 loses nothing and knows no maxrate_kbps: leave one out")

    @property
    def holds(self) -> Kind:
        """What kind of file it is."""
        return formats.kind_of(self.file, formats.VIDEO_FILES)

    @property
    def rate_factor(self) -> int | None:
        """Its crf; None where a bitrate is wanted instead."""
        if self.bitrate_kbps is not None:
            return None
        return formats.CRF_DEFAULT[self.codec] if self.crf is None else self.crf

    @property
    def lossless(self) -> bool:
        """Whether its pictures are to be, bit for bit, those that the encoder is given."""
        return self.crf == 0
