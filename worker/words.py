"""What a source says of itself, made fit to be said again. Pure.

It is a stranger's: it must never reach a file, a list or a command line with more in it than one
line of letters that can be seen, nor with where something was filmed.
"""

import re
import unicodedata
from collections.abc import Mapping

#: What a recipe can have kept, by ffmpeg's names. Where something was filmed is never among them.
KEPT = ("title", "artist", "album", "date", "comment")

#: Of each; a comment of a podcast is a paragraph.
_CHARACTERS_MAX = {"comment": 1000}
_OTHER_CHARACTERS_MAX = 200

#: ISO 6709, as telephones write it: +48.8577+002.295/
_PLACE = re.compile(r"[+-]\d{2,6}(?:\.\d+)?[+-]\d{3,7}(?:\.\d+)?")

#: ISO 639-2 has two codes for these; the second is the one that files are to have.
_OLDER = {
    "alb": "sqi", "arm": "hye", "baq": "eus", "bur": "mya", "chi": "zho", "cze": "ces",
    "dut": "nld", "fre": "fra", "geo": "kat", "ger": "deu", "gre": "ell", "ice": "isl",
    "mac": "mkd", "mao": "mri", "may": "msa", "per": "fas", "rum": "ron", "slo": "slk",
    "tib": "bod", "wel": "cym",
}  # fmt: skip
_NEWER = {newer: older for older, newer in _OLDER.items()}
_LANGUAGE = re.compile(r"[a-z]{3}")


def plain(text: str, characters_max: int = _OTHER_CHARACTERS_MAX) -> str:
    """One line of it, without anything that cannot be seen."""
    # No longer than is looked at anyway: composing letters takes its time.
    composed = unicodedata.normalize("NFC", text[: 4 * characters_max])
    seen = (one if one.isprintable() else " " for one in composed)
    return " ".join("".join(seen).split())[:characters_max].strip()


def kept(tags: Mapping[str, str]) -> dict[str, str]:
    """What of a file's tags may be kept, in one order."""
    by_name = {name.lower(): text for name, text in tags.items()}
    found = {
        name: plain(by_name.get(name, ""), _CHARACTERS_MAX.get(name, _OTHER_CHARACTERS_MAX))
        for name in KEPT
    }
    return {name: text for name, text in found.items() if text and not _PLACE.search(text)}


def language(code: str) -> str:
    """As ISO 639-2/T has it; empty where it is none, or nobody knows which."""
    lower = code.lower()
    if not _LANGUAGE.fullmatch(lower) or lower == "und":
        return ""
    return _OLDER.get(lower, lower)


def older(code: str) -> str:
    """The same in ISO 639-2/B, which is what ffmpeg writes QuickTime's languages by."""
    return _NEWER.get(code, code)
