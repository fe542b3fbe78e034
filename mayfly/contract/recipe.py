"""What shall come out: the typed recipe language. Strict, because people write it.

This module must never know how a recipe is encoded; the worker's compiler does that.
"""

from typing import Annotated, Literal

import msgspec

from mayfly.contract import formats
from mayfly.contract.formats import Kind, SoundCodec, VideoCodec
from mayfly.contract.wire import Version

#: A file name of ours: it becomes part of an S3 key, a path on the worker and a URL.
FileName = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]

#: A folder of ours. It has no dot, so that it looks like no file.
FolderName = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]

#: H.264 level 6.2 ends at 8192 x 4320; libx264 wants even sides.
Side = Annotated[int, msgspec.Meta(ge=16, le=8192)]

#: What browsers on telephones still decode into one picture.
SHEET_SIDE_MAX = 8192

#: Of all pictures of a preview: 200 MB of memory, and a GIF that nobody would wait for.
PREVIEW_PIXELS_MAX = 50_000_000

#: One scale for all codecs, from the quickest to the one that saves most bytes.
Speed = Literal["ultrafast", "veryfast", "faster", "fast", "medium", "slow", "slower"]

#: Less is no moving picture, more no line and hardly a disk takes.
PictureKbps = Annotated[int, msgspec.Meta(ge=50, le=200_000)]


class Box(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The picture fits inside, keeps its shape and is not enlarged unless its output says so. For a
    portrait picture the box is turned, so that 1280x720 means 720x1280 there."""

    width: Side
    height: Side


class Sound(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One sound track."""

    #: What the file's players look for, when null: `formats.VIDEO_FILES`, `formats.SOUND_FILES`.
    codec: SoundCodec | None = None
    #: The codec's own, when null. FLAC has none.
    bitrate_kbps: Annotated[int, msgspec.Meta(ge=16, le=512)] | None = None
    #: More channels than this are mixed down; MP3 has two at most.
    channels_max: Annotated[int, msgspec.Meta(ge=1, le=8)] = 2

    def codec_in(self, kind: Kind) -> SoundCodec:
        """What it is in a file of this kind."""
        return self.codec or kind.sounds[0]


class VideoOutput(
    msgspec.Struct,
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
    #: With a crf: where that would take more than this, it is made worse; nowhere, when null.
    maxrate_kbps: PictureKbps | None = None
    #: Instead of a crf: about so much on average, however good or bad that is. Of a source that is
    #: cut, each chunk has this average.
    bitrate_kbps: PictureKbps | None = None
    #: Of each sample of the picture. Ten band less in skies, and fewer players show them.
    bits: Literal[8, 10] = 8
    speed: Speed = "medium"
    #: The longest distance of two keyframes: how coarse a seek is.
    keyframe_seconds: Annotated[float, msgspec.Meta(ge=0.5, le=10)] = 2.0
    #: An MP4 in fragments, which can be read while it grows; else its one index is in front.
    fragmented: bool = False
    #: No sound when null.
    audio: Sound | None = msgspec.field(default_factory=Sound)

    def __post_init__(self) -> None:
        kind = formats.check_picture(self.file, self.codec)
        if self.audio is not None:
            codec = self.audio.codec_in(kind)
            formats.check_sound(self.file, kind, codec, self.audio.bitrate_kbps)
        if self.fragmented and kind.container != "mp4":
            raise ValueError("only an .mp4 is written in fragments: leave fragmented out")
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


class AudioOutput(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag="audio",
    tag_field="kind",
):
    """The first sound track alone. The end of the file's name says what it is: .m4a, .mp3, .opus,
    .ogg, .flac or .mka."""

    file: FileName = "audio.m4a"
    audio: Sound = msgspec.field(default_factory=Sound)

    def __post_init__(self) -> None:
        kind = formats.kind_of(self.file, formats.SOUND_FILES)
        formats.check_sound(self.file, kind, self.audio.codec_in(kind), self.audio.bitrate_kbps)

    @property
    def holds(self) -> Kind:
        """What kind of file it is."""
        return formats.kind_of(self.file, formats.SOUND_FILES)


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


#: Between two pictures of a storyboard or of thumbnails.
EverySeconds = Annotated[int, msgspec.Meta(ge=1, le=3600)]


class StoryboardOutput(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag="storyboard",
    tag_field="kind",
):
    """What a player shows above its bar while somebody seeks: small pictures on sheets, each of
    these a JPEG, and `<file>/storyboard.vtt`, which says from when to when a rectangle of which
    sheet stands for the film."""

    file: FolderName = "storyboard"
    #: The first picture at or after each multiple of this, from the film's beginning on.
    every_seconds: EverySeconds = 10
    #: Of one picture.
    box: Box = msgspec.field(default_factory=lambda: Box(width=160, height=90))
    #: Of one sheet. Few, so that a seek loads little: 5 x 5 of 160x90 are about 60 kB.
    columns: Annotated[int, msgspec.Meta(ge=1, le=20)] = 5
    rows: Annotated[int, msgspec.Meta(ge=1, le=20)] = 5
    #: ffmpeg's JPEG quantiser: 2 is best, 31 smallest.
    quality: Annotated[int, msgspec.Meta(ge=2, le=31)] = 5

    def __post_init__(self) -> None:
        # A portrait's box is turned, so its longer side may count for both.
        side = max(self.box.width, self.box.height) * max(self.columns, self.rows)
        if side > SHEET_SIDE_MAX:
            raise ValueError(
                f"a sheet would be up to {side} wide or high, where telephones show"
                f" {SHEET_SIDE_MAX}: take fewer columns and rows, or a smaller box"
            )


class ThumbnailsOutput(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag="thumbnails",
    tag_field="kind",
):
    """JPEG pictures out of the video, one file each: `<file>/00001.jpg` and so on."""

    file: FolderName = "thumbnails"
    #: The first picture at or after each multiple of this, from the film's beginning on.
    every_seconds: EverySeconds = 10
    box: Box = msgspec.field(default_factory=lambda: Box(width=640, height=360))
    #: ffmpeg's JPEG quantiser: 2 is best, 31 smallest.
    quality: Annotated[int, msgspec.Meta(ge=2, le=31)] = 3


class PreviewOutput(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag="preview",
    tag_field="kind",
):
    """A few seconds that move, without sound, over and over. The end of the file's name says what
    it is: .gif, which everything shows, or .webp, which is much smaller and which browsers show."""

    file: FileName = "preview.gif"
    #: Of all places together; of a shorter film, all of it.
    seconds: Annotated[int, msgspec.Meta(ge=1, le=30)] = 6
    #: Those that a GIF's clock of hundredths can tell.
    fps: Literal[4, 5, 10, 20, 25] = 10
    #: How many places of the film are shown, each from the middle of its share; 1: its beginning.
    places: Annotated[int, msgspec.Meta(ge=1, le=8)] = 3
    box: Box = msgspec.field(default_factory=lambda: Box(width=320, height=180))

    def __post_init__(self) -> None:
        if not self.file.endswith((".gif", ".webp")):
            raise ValueError(f"{self.file} says by its end what it is to be: .gif or .webp")
        # A GIF's colours are chosen out of all of its pictures, which lie in memory for that.
        if (pixels := self.pictures * self.box.width * self.box.height) > PREVIEW_PIXELS_MAX:
            raise ValueError(
                f"{self.pictures} pictures of {self.box.width}x{self.box.height} are {pixels}"
                f" pixels, at most {PREVIEW_PIXELS_MAX}: take fewer seconds or a smaller box"
            )

    @property
    def pictures(self) -> int:
        """How many it has of a film that is long enough."""
        return self.places * self.slots

    @property
    def slots(self) -> int:
        """Pictures of one place."""
        return max(1, round(self.seconds * self.fps / self.places))


#: Folders of many pictures.
GalleryOutput = StoryboardOutput | ThumbnailsOutput

#: Outputs of many pictures that are chosen by their moments.
SampledOutput = GalleryOutput | PreviewOutput


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
    speed: Speed = "medium"
    #: Rounded to whole frames: 4 s of 29.97 a second are 120 frames, 4.004 s.
    segment_seconds: Annotated[float, msgspec.Meta(ge=2, le=10)] = 4.0
    #: Of a quicker source every second, or third … frame is kept.
    fps_max: Annotated[int, msgspec.Meta(ge=10, le=120)] = 60
    #: No sound when null.
    audio: Sound | None = msgspec.field(default_factory=Sound)

    def __post_init__(self) -> None:
        if self.audio is not None:
            codec = self.audio.codec or "aac"
            if codec != "aac":
                raise ValueError(f"the sound of a ladder is aac, not {codec}")
            formats.check_sound(self.file, LADDER_SOUND, codec, self.audio.bitrate_kbps)

    def listed_twice(self) -> bool:
        """Whether it names one kind of manifest twice, which no schema of a tuple refuses."""
        return len(set(self.manifests)) < len(self.manifests)


Output = VideoOutput | AudioOutput | PosterOutput | SampledOutput | LadderOutput


class Recipe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One or more outputs of one source, made in one pass."""

    outputs: Annotated[tuple[Output, ...], msgspec.Meta(min_length=1, max_length=16)]
    version: Version = 1
