"""Subtitles that are drawn into a picture, for players and places that show none of their own.

It must never know how they are drawn; the worker's compiler does that.
"""

import msgspec

from mayfly.contract.outputs.fields import Language


class BurnIn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which of the source's subtitles: a track of text."""

    #: The first track in that language; the first of all, when null.
    language: Language | None = None
