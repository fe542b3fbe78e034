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
    "VideoOutput",
    "Watermark",
    "assets_of",
]

Output = VideoOutput | AudioOutput | PosterOutput | SampledOutput | LadderOutput | SubtitlesOutput


class Recipe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One or more outputs of one source, made in one pass."""

    outputs: Annotated[tuple[Output, ...], msgspec.Meta(min_length=1, max_length=16)]
    version: Version = 1


def assets_of(recipe: Recipe) -> tuple[str, ...]:
    """The names of all images that a recipe draws, each once."""
    shown = [o for o in recipe.outputs if isinstance(o, VideoOutput | LadderOutput)]
    return tuple(sorted({o.watermark.image for o in shown if o.watermark is not None}))
