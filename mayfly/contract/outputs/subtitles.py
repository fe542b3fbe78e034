"""The output that is what a film says, as text.

It must never know how subtitles are read; the worker does that.
"""

import msgspec

from mayfly.contract.outputs.fields import FileName, Language


class SubtitlesOutput(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag="subtitles",
    tag_field="kind",
):
    """One track of the source's subtitles as a file. The end of the file's name says what it is:
    .vtt (WebVTT, for browsers) or .srt (SubRip, for everything else)."""

    file: FileName = "subtitles.vtt"
    #: Which track: the first in that language. The first of all, when null; tracks of forced parts
    #: alone come last in both.
    language: Language | None = None

    def __post_init__(self) -> None:
        if not self.file.endswith((".vtt", ".srt")):
            raise ValueError(f"{self.file} says by its end what it is to be: .vtt or .srt")
