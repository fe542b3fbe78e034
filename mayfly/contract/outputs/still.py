"""Outputs that are pictures out of a film: one, many, or a few seconds that move.

This module must never know how they are made; the worker's compiler does that.
"""

from typing import Annotated, Literal

import msgspec

from mayfly.contract.outputs.fields import Box, FileName, FolderName
from mayfly.contract.outputs.picture import Drawn

#: What browsers on telephones still decode into one picture.
SHEET_SIDE_MAX = 8192

#: Of all pictures of a preview: 200 MB of memory, and a GIF that nobody would wait for.
PREVIEW_PIXELS_MAX = 50_000_000


class PosterOutput(
    Drawn,
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

    def __post_init__(self) -> None:
        self.check_box(self.box)


#: Between two pictures of a storyboard or of thumbnails.
EverySeconds = Annotated[int, msgspec.Meta(ge=1, le=3600)]


class StoryboardOutput(
    Drawn,
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
        self.check_box(self.box)
        # A portrait's box is turned, so its longer side may count for both.
        side = max(self.box.width, self.box.height) * max(self.columns, self.rows)
        if side > SHEET_SIDE_MAX:
            raise ValueError(
                f"a sheet would be up to {side} wide or high, where telephones show"
                f" {SHEET_SIDE_MAX}: take fewer columns and rows, or a smaller box"
            )


class ThumbnailsOutput(
    Drawn,
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

    def __post_init__(self) -> None:
        self.check_box(self.box)


class PreviewOutput(
    Drawn,
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
        self.check_box(self.box)
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
