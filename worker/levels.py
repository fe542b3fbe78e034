"""What is done about how loud a sound is: one gain from its beginning to its end, and a limiter
where that would raise a peak over the ceiling. Pure.

Why no dynamic leveller: what was mixed quiet on purpose stays quieter than the rest. It must never
raise hiss without a bound, nor cut so much off the peaks that it can be heard: then the sound stays
quieter than was asked for, and its note says so.
"""

import dataclasses
import re
from collections.abc import Sequence

from mayfly.contract.formats import BITRATE_DEFAULT_KBPS, SoundCodec
from mayfly.contract.recipe import Loudness

#: What BS.1770 does not count: so quiet is nothing but silence, or what is shorter than 0.4 s.
SILENT_LUFS = -70.0

#: More gain makes hiss of a recording that went wrong.
GAIN_DB_MAX = 40.0

#: A limiter that takes more than this off a peak is heard. Big Buck Bunny (-21.4 LUFS, -1.3 dBTP)
#: needs 5.6 of it at -16 LUFS; twelve bring that to -11.
LIMITED_DB_MAX = 12.0

#: What codecs that lose something add to the peaks of sound that was limited, at their default
#: bitrates and up to -11 LUFS: measured 0.3 to 1.1 (AAC, Opus), -0.2 (MP3).
CODEC_DB = 1.0

#: A gain this small is not worth another look.
_CLOSE_LU = 0.3

#: Off by more is told.
_NOTED_LU = 1.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """How loud something is."""

    #: Integrated. None: it is silent, or too short to tell.
    lufs: float | None
    range_lu: float
    peak_dbtp: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """What is done about one track."""

    wanted: Loudness
    lossless: bool
    #: Before anything is done.
    source: Measured
    gain_db: float = 0.0
    #: Where the limiter begins; None: no peak needs it.
    limit_dbtp: float | None = None
    #: What that comes to before it is encoded; None: it is left as it is.
    expected_lufs: float | None = None

    @property
    def note(self) -> str:
        """What is otherwise than was asked, and why; empty where nothing is."""
        if self.expected_lufs is None:
            return "silent, or too short to measure: left as it is"
        if abs(self.expected_lufs - self.wanted.lufs) <= _NOTED_LU:
            return ""
        why = (
            f"its peaks would lose more than {LIMITED_DB_MAX:.0f} dB"
            if self.limit_dbtp is not None
            else f"its hiss would be raised by more than {GAIN_DB_MAX:.0f} dB"
        )
        return f"{self.expected_lufs:.1f} LUFS, not {self.wanted.lufs:g}: {why}"


def first(wanted: Loudness, codec: SoundCodec, source: Measured) -> Level:
    """What the source's sound needs; with a limiter its effect is still to be measured."""
    lossless = codec not in BITRATE_DEFAULT_KBPS
    level = Level(wanted=wanted, lossless=lossless, source=source)
    if source.lufs is None:
        return level
    level = _gained(level, wanted.lufs - source.lufs)
    return dataclasses.replace(level, expected_lufs=round(source.lufs + level.gain_db, 1))


def again(level: Level, limited: Measured) -> Level:
    """The same when its limiter was heard at work: what that took from the whole is given back, as
    far as may be."""
    if limited.lufs is None:
        return level
    heard = known(level, limited)
    missing = level.wanted.lufs - limited.lufs
    if missing <= _CLOSE_LU:
        return heard
    raised = _gained(level, level.gain_db + missing)
    return heard if raised.gain_db <= level.gain_db else raised


def known(level: Level, heard: Measured) -> Level:
    """The same, when it is known what comes of it."""
    return dataclasses.replace(level, expected_lufs=heard.lufs)


def _gained(level: Level, gain_db: float) -> Level:
    """With so much gain, or as much as may be."""
    peak, ceiling = level.source.peak_dbtp, level.wanted.peak_dbtp
    most = min(GAIN_DB_MAX, max(0.0, ceiling + LIMITED_DB_MAX - peak))
    gain_db = round(min(gain_db, most), 2)
    limit = None
    if peak + gain_db > ceiling:
        limit = ceiling if level.lossless else ceiling - CODEC_DB
    return dataclasses.replace(level, gain_db=gain_db, limit_dbtp=limit)


_LUFS = re.compile(r"I:\s+(-?\d{1,3}\.\d|nan|-inf) LUFS")
_RANGE = re.compile(r"LRA:\s+(\d{1,3}\.\d|nan) LU")
_PEAK = re.compile(r"Peak:\s+(-?\d{1,3}\.\d|-inf|nan) dBFS")


def measured(tail: Sequence[str]) -> Measured | None:
    """What ffmpeg's `ebur128` said at its end; None where it said nothing of the kind."""
    found = [_last(word, tail) for word in (_LUFS, _RANGE, _PEAK)]
    if None in found:
        return None
    lufs, span, peak = (float(word or "nan") for word in found)
    silent = not SILENT_LUFS < lufs < -SILENT_LUFS or not abs(peak) < -SILENT_LUFS
    return Measured(
        lufs=None if silent else lufs,
        range_lu=0.0 if silent else span,
        peak_dbtp=0.0 if silent else peak,
    )


def _last(word: "re.Pattern[str]", tail: Sequence[str]) -> str | None:
    found = [one[1] for line in tail if (one := word.match(line))]
    return found[-1] if found else None
