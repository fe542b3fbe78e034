"""What tasks tell of the segments that they stored: objects of their own, since thousands of
segments fit no message and no row.

Values only. They come from workers, who parse strangers' bytes, so every number and name in them is
bounded.
"""

from typing import Annotated

import msgspec

from mayfly.contract.recipe import FolderName, Manifest
from mayfly.contract.report import Loudness
from mayfly.contract.wire import Version

#: Of one track: a day at two seconds each, with room to spare. Their names have five digits.
SEGMENTS_MAX = 50_000

#: Sounds of one ladder, as many as an output has at most.
SOUNDS_MAX = 16

#: A picture of up to eight sizes, or a sound.
TrackName = Annotated[str, msgspec.Meta(pattern=r"^(v[0-7]|a[0-9]|a1[0-5])$")]

#: What stands between quotation marks in a list.
Quotable = Annotated[str, msgspec.Meta(pattern=r'^[^"\x00-\x1f\x7f]*$', max_length=200)]

#: Subtitles: as many as a Blu-ray has.
TEXTS_MAX = 32
TextName = Annotated[str, msgspec.Meta(pattern=r"^s([0-9]|[12][0-9]|3[01])\Z")]

#: As BCP 47 writes it; empty where nobody says.
LanguageTag = Annotated[str, msgspec.Meta(pattern=r"^([a-z]{2,3})?\Z")]

#: What a viewer chooses by. Quoted in lists, so nothing that could end that.
Label = Annotated[str, msgspec.Meta(pattern=r"^[^\x00-\x1f\x7f-\x9f\"'<>&\u2028\u2029]{1,80}\Z")]

#: As `CODECS` in a playlist names it (RFC 6381).
Codec = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^(avc1\.[0-9a-f]{6}"
        r"|hvc1\.[A-C]?[0-9]{1,2}\.[0-9A-F]{1,8}\.[LH][0-9]{1,3}(\.[0-9A-F]{1,2}){0,6}"
        r"|av01\.[0-2]\.[0-9]{2}[MH]\.[0-9]{2}"
        r"|vp09\.[0-9]{2}\.[0-9]{2}\.[0-9]{2}"
        r"|mp4a\.40\.2)$"
    ),
]

Sha256 = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}$")]

_Count = Annotated[int, msgspec.Meta(ge=0, le=1 << 40)]
_Few = Annotated[int, msgspec.Meta(ge=0, le=1 << 16)]
_Rate = Annotated[int, msgspec.Meta(ge=1, le=10**6)]


class Segment(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One file of media, as a row of numbers."""

    number: Annotated[int, msgspec.Meta(ge=0, lt=SEGMENTS_MAX)]
    #: When it begins and how long it is: frames of a picture, samples of sound.
    start: _Count
    length: _Count
    size_bytes: _Count
    sha256: Sha256
    #: Of a picture: how many bytes, from its first on, hold its keyframe whole. 0 of sound, and
    #: where nobody told.
    key_bytes: _Count = 0


class Track(msgspec.Struct, frozen=True, kw_only=True):
    """One size of the picture, or a sound: its beginning and some of its segments, in order."""

    name: TrackName
    codec: Codec
    #: Frames or samples a second, as a fraction.
    rate: tuple[_Rate, _Rate]
    init_bytes: _Count
    init_sha256: Sha256
    segments: Annotated[tuple[Segment, ...], msgspec.Meta(max_length=SEGMENTS_MAX)]
    #: Of a picture.
    width: _Few = 0
    height: _Few = 0
    #: Of sound.
    channels: _Few = 0
    #: ISO 639-2/T, and a name for people; empty where nobody knows or asks.
    language: Annotated[str, msgspec.Meta(pattern=r"^([a-z]{3})?$")] = ""
    title: Quotable = ""
    loudness: Loudness | None = None


class Text(msgspec.Struct, frozen=True, kw_only=True):
    """One track of subtitles, which are cut where the picture is."""

    name: TextName
    language: LanguageTag = ""
    #: Each track of a ladder has another.
    label: Label
    #: Only what must be shown even to those who want none.
    forced: bool = False
    #: Of each segment's file, in order; one or two may be behind the picture's last.
    segment_bytes: Annotated[tuple[_Count, ...], msgspec.Meta(max_length=SEGMENTS_MAX)] = ()
    #: Of the file of all of them.
    size_bytes: _Count


class Index(msgspec.Struct, frozen=True, kw_only=True):
    """What one attempt made of a ladder. Its files lie beside it, under names that follow from
    these (`mayfly.core.ladders`)."""

    folder: FolderName
    tracks: Annotated[tuple[Track, ...], msgspec.Meta(max_length=8 + SOUNDS_MAX)]
    texts: Annotated[tuple[Text, ...], msgspec.Meta(max_length=TEXTS_MAX)] = ()
    version: Version = 1


class Run(msgspec.Struct, frozen=True, array_like=True):
    """Segments of one attempt: from `first` to before `end`, of every track of a layer."""

    #: The attempt's own, in the work folder.
    prefix: Annotated[str, msgspec.Meta(max_length=512)]
    first: Annotated[int, msgspec.Meta(ge=0, lt=SEGMENTS_MAX)]
    end: Annotated[int, msgspec.Meta(ge=1, le=SEGMENTS_MAX)]


class Layer(msgspec.Struct, frozen=True, kw_only=True):
    """Tracks that were cut in the same places: all sizes of the picture, or a sound."""

    tracks: Annotated[tuple[TrackName, ...], msgspec.Meta(min_length=1, max_length=8)]
    #: The beginnings are those of the first.
    runs: Annotated[tuple[Run, ...], msgspec.Meta(min_length=1, max_length=SEGMENTS_MAX)]


class Texts(msgspec.Struct, frozen=True, kw_only=True):
    """Tracks of subtitles, which one attempt has made whole."""

    #: The attempt's own, in the work folder.
    prefix: Annotated[str, msgspec.Meta(max_length=512)]
    names: Annotated[tuple[TextName, ...], msgspec.Meta(min_length=1, max_length=TEXTS_MAX)]
    #: Of each, as many as the picture has.
    segments: Annotated[int, msgspec.Meta(ge=1, le=SEGMENTS_MAX)]


class Ready(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that makes a ladder, and where each file of it stands: what is to be published.

    By runs, not by files: a day in eight sizes has 350,000 files, whose list no function would
    hold; their names follow from a number."""

    folder: FolderName
    #: Where the attempt that made the playlists put them.
    playlists: Annotated[str, msgspec.Meta(max_length=512)]
    layers: Annotated[tuple[Layer, ...], msgspec.Meta(min_length=1, max_length=1 + SOUNDS_MAX)]
    #: Which lists there are of it, as its recipe has them.
    manifests: Annotated[tuple[Manifest, ...], msgspec.Meta(min_length=1, max_length=2)] = ("hls",)
    #: Whether the playlists of keyframes are there.
    iframes: bool = False
    #: Its subtitles.
    texts: Texts | None = None
    version: Version = 1
