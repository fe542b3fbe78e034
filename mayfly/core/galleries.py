"""The names of the files of a storyboard or of thumbnails, and what is copied where when it is
published.

All of it follows from how many files there are, which a worker tells: so no list of them is stored,
and nothing in what it says can lead out of its own folder.
"""

from mayfly.contract.recipe import GalleryOutput, StoryboardOutput
from mayfly.contract.report import Artifact
from mayfly.core import limits

#: Says which rectangle of which sheet belongs to which seconds.
CUES = "storyboard.vtt"

#: From where to where.
Copy = tuple[str, str]


def sheet(number: int) -> str:
    """One sheet of a storyboard, counted from 1, within its folder."""
    return f"sheet-{number:03d}.jpg"


def thumbnail(number: int) -> str:
    """One thumbnail, counted from 1, within its folder."""
    return f"{number:05d}.jpg"


def delivered(output: GalleryOutput) -> str:
    """What its outcome names, which stands for all of its files: what a player opens, or the first
    picture."""
    return f"{output.file}/{CUES if isinstance(output, StoryboardOutput) else thumbnail(1)}"


def names(output: GalleryOutput, files: int) -> list[str]:
    """All that there are, the one that stands for all of them last."""
    if isinstance(output, StoryboardOutput):
        others = [sheet(number) for number in range(1, files)]
    else:
        others = [thumbnail(number) for number in range(2, files + 1)]
    return [*(f"{output.file}/{name}" for name in others), delivered(output)]


def copies(output: GalleryOutput, artifact: Artifact, target: str) -> list[Copy]:
    """In order; clean names begin with `target`."""
    prefix = artifact.key.removesuffix(artifact.file)
    return [(f"{prefix}{name}", f"{target}{name}") for name in names(output, artifact.files)]


def flaw(output: GalleryOutput, artifact: Artifact) -> str:
    """Why it is not to be published; empty when it is."""
    least = 2 if isinstance(output, StoryboardOutput) else 1
    if not least <= artifact.files <= limits.PICTURES_MAX + 1:
        return f"{output.file} is told to have {artifact.files} files"
    if not artifact.key.endswith(f"/{artifact.file}") or artifact.pieces:
        return f"{output.file} is not where its files are"
    return ""
