"""What shall come out: the typed recipe language. Strict, because people write it.

Everything of the language is imported from here. This module must never know how a recipe is
encoded; the worker's compiler does that.
"""

from typing import Annotated

import msgspec

from mayfly.contract.outputs.burn_in import BurnIn
from mayfly.contract.outputs.fields import (
    Box,
    FileName,
    FolderName,
    Language,
    Metadata,
    PictureKbps,
    Quality,
    Side,
    Speed,
)
from mayfly.contract.outputs.film import (
    VideoOutput,
)
from mayfly.contract.outputs.ladder import (
    LADDER_SOUND,
    LadderOutput,
    Manifest,
    Rung,
)
from mayfly.contract.outputs.lapse import (
    LAPSE_FPS,
    LAPSE_FPS_MAX,
    LAPSE_FPS_MIN,
    Timelapse,
)
from mayfly.contract.outputs.picture import (
    Crop,
    Drawn,
    Watermark,
)
from mayfly.contract.outputs.sound import (
    AudioOutput,
    Loudness,
    Sound,
)
from mayfly.contract.outputs.still import (
    GalleryOutput,
    PosterOutput,
    PreviewOutput,
    SampledOutput,
    StoryboardOutput,
    ThumbnailsOutput,
)
from mayfly.contract.outputs.subtitles import SubtitlesOutput
from mayfly.contract.wire import Version

__all__ = [
    "LADDER_SOUND",
    "LAPSE_FPS",
    "LAPSE_FPS_MAX",
    "LAPSE_FPS_MIN",
    "AudioOutput",
    "Box",
    "BurnIn",
    "Crop",
    "Drawn",
    "FileName",
    "FolderName",
    "GalleryOutput",
    "LadderOutput",
    "Language",
    "Loudness",
    "Manifest",
    "Metadata",
    "Output",
    "PictureKbps",
    "PosterOutput",
    "PreviewOutput",
    "Quality",
    "Recipe",
    "Rung",
    "SampledOutput",
    "Side",
    "Sound",
    "Speed",
    "StoryboardOutput",
    "SubtitlesOutput",
    "ThumbnailsOutput",
    "Timelapse",
    "VideoOutput",
    "Watermark",
    "assets_of",
]

Output = VideoOutput | AudioOutput | PosterOutput | SampledOutput | LadderOutput | SubtitlesOutput


class Recipe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One or more outputs of one source, made in one pass."""

    outputs: Annotated[tuple[Output, ...], msgspec.Meta(min_length=1, max_length=16)]
    #: The source is photographs, and this says how they become a film; a video when null.
    timelapse: Timelapse | None = None
    version: Version = 1

    def __post_init__(self) -> None:
        if self.timelapse is None:
            return
        for output in self.outputs:
            if isinstance(output, AudioOutput):
                raise ValueError(f"photographs have no sound: leave {output.file} out")
            if isinstance(output, SubtitlesOutput):
                raise ValueError(f"photographs have no subtitles: leave {output.file} out")
            if isinstance(output, VideoOutput) and output.speedup is not None:
                raise ValueError("speedup is of a video; photographs have fps or seconds")


def assets_of(recipe: Recipe) -> tuple[str, ...]:
    """The names of all images that a recipe draws, each once."""
    shown = [o for o in recipe.outputs if isinstance(o, VideoOutput | LadderOutput)]
    return tuple(sorted({o.watermark.image for o in shown if o.watermark is not None}))
