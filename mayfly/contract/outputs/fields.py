"""What several kinds of outputs say in the same words: names of files, boxes, speeds.

It must never hold a word that only one kind knows.
"""

from typing import Annotated, Literal

import msgspec

from mayfly.contract import formats
from mayfly.contract.formats import VideoCodec

#: A file name of ours: it becomes part of an S3 key, a path on the worker and a URL.
FileName = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]

#: A folder of ours. It has no dot, so that it looks like no file.
FolderName = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]

#: H.264 level 6.2 ends at 8192 x 4320; libx264 wants even sides.
Side = Annotated[int, msgspec.Meta(ge=16, le=8192)]

#: One scale for all codecs, from the quickest to the one that saves most bytes.
Speed = Literal["ultrafast", "veryfast", "faster", "fast", "medium", "slow", "slower"]

#: Less is no moving picture, more no line and hardly a disk takes.
PictureKbps = Annotated[int, msgspec.Meta(ge=50, le=200_000)]


#: What the source says of itself: nothing; or its title, artist, album, date and comment, and the
#: language of its sound. Where it was filmed never.
Metadata = Literal["strip", "keep"]

#: Three letters of ISO 639-2, either of its two sets: `deu` and `ger` are the same.
Language = Annotated[str, msgspec.Meta(pattern=r"^[a-z]{3}$")]


class Box(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The picture fits inside, keeps its shape and is not enlarged unless its output says so. For a
    portrait picture the box is turned, so that 1280x720 means 720x1280 there."""

    width: Side
    height: Side


class Quality(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much of the source is to be seen, by VMAF, instead of a crf: that is searched on a few
    windows of each source, and is never outside of these bounds, however far from the aim."""

    #: Of 100. From 93 to 95 on hardly anybody sees a difference.
    vmaf: Annotated[float, msgspec.Meta(ge=30, le=99)]
    #: The best that may be taken, whatever that costs; the codec's own when null (`CRF_BOUNDS`).
    crf_min: Annotated[int, msgspec.Meta(ge=1, le=63)] | None = None
    #: The worst.
    crf_max: Annotated[int, msgspec.Meta(ge=1, le=63)] | None = None

    def bounds(self, codec: VideoCodec) -> tuple[int, int]:
        """From the best to the worst. Raises ValueError where there is none between them."""
        best, worst = formats.CRF_BOUNDS[codec]
        low = best if self.crf_min is None else self.crf_min
        high = worst if self.crf_max is None else self.crf_max
        if high > formats.CRF_MAX[codec]:
            raise ValueError(f"{codec} takes a crf_max up to {formats.CRF_MAX[codec]}")
        if low > high:
            raise ValueError(f"no crf is from {low} to {high}: give both, the smaller one first")
        return low, high
