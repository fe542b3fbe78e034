"""Sound: a track of a film or of a ladder, and the output that is sound alone.

It must never know how sound is encoded; the worker's compiler does that.
"""

from typing import Annotated, Literal

import msgspec

from mayfly.contract import formats
from mayfly.contract.formats import Kind, SoundCodec
from mayfly.contract.outputs.fields import FileName, Language, Metadata


class Loudness(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How loud all of a track is to be (EBU R 128, ITU-R BS.1770): one gain from its beginning to
    its end, and a limiter where that would raise a peak too high. Mono counts as played from two
    loudspeakers."""

    #: Integrated: -23 is European television's, -16 what podcasts have, -14 what music services
    #: turn everything down to.
    lufs: Annotated[float, msgspec.Meta(ge=-31, le=-9)] = -16.0
    #: No true peak that the encoder is given is higher. Of a codec that loses something its own
    #: noise comes on top; what it came to stands in the outcome.
    peak_dbtp: Annotated[float, msgspec.Meta(ge=-9, le=0)] = -1.5


class Sound(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The sound of an output."""

    #: What the file's players look for, when null: `formats.VIDEO_FILES`, `formats.SOUND_FILES`.
    codec: SoundCodec | None = None
    #: The codec's own, when null. FLAC has none.
    bitrate_kbps: Annotated[int, msgspec.Meta(ge=16, le=512)] | None = None
    #: More channels than this are mixed down; MP3 has two at most.
    channels_max: Annotated[int, msgspec.Meta(ge=1, le=8)] = 2
    #: As loud as it is, when null.
    loudness: Loudness | None = None
    #: Which of the source's tracks: its first, all, or all in these languages, in this order. Of
    #: several the first is the one that players begin with; each keeps its language and title.
    tracks: (
        Literal["first", "all"]
        | Annotated[tuple[Language, ...], msgspec.Meta(min_length=1, max_length=8)]
    ) = "first"
    #: What mono tracks at the beginning of the source are: tracks of their own; left and right, two
    #: by two; or the first six a surround (L, R, C, LFE, Ls, Rs), and what follows two by two.
    mono_tracks: Literal["apart", "stereo", "5.1"] = "apart"

    def check_one(self, file: str) -> None:
        """Raises ValueError where a file that holds one track would have several."""
        if self.tracks == "all" or (isinstance(self.tracks, tuple) and len(self.tracks) > 1):
            raise ValueError(
                f"{file} holds one sound track: name one language; .mp4, .mov and .mkv hold several"
            )

    def codec_in(self, kind: Kind) -> SoundCodec:
        """What it is in a file of this kind."""
        return self.codec or kind.sounds[0]


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
    metadata: Metadata = "strip"

    def __post_init__(self) -> None:
        kind = formats.kind_of(self.file, formats.SOUND_FILES)
        formats.check_sound(self.file, kind, self.audio.codec_in(kind), self.audio.bitrate_kbps)
        self.audio.check_one(self.file)

    @property
    def holds(self) -> Kind:
        """What kind of file it is."""
        return formats.kind_of(self.file, formats.SOUND_FILES)
