"""The proof of loudness: what was made is as loud as was decided. Pure.

What goes into the encoder is measured before; so a film that is off by more than its codec can be
had a gain that it should not have had, or a limiter that did not work. A codec that loses something
adds peaks of its own and, with few bits, leaves out what was loud: that is told, not refused.
"""

import msgspec

from mayfly.contract.formats import BITRATE_DEFAULT_KBPS
from mayfly.contract.report import Loudness
from worker.levels import Level, Measured
from worker.made import broken
from worker.promise import Promise

_OFF_LU_MAX = 1.0
#: With less than a codec's own bitrate: AAC of 32 kbit/s is 1.9 LU quieter than the pink noise that
#: it is made of, and no other of four codecs, four sounds and three bitrates more than 1.2.
_STARVED_LU_MAX = 3.0
_PEAK_DB_MAX = 0.5
#: Pink noise limited to -2.5 dBTP comes out of AAC at 1.2, at 128 kbit/s as at 64.
_CODEC_PEAK_DB_MAX = 5.0


def proven(promise: Promise, level: Level, made: Measured) -> Loudness:
    """What is told of a track. Raises WorkFailed(output_broken)."""
    source, name = level.source, promise.output.file
    told = Loudness(
        input_lufs=source.lufs,
        input_range_lu=source.range_lu if source.lufs is not None else None,
        input_peak_dbtp=source.peak_dbtp if source.lufs is not None else None,
        lufs=made.lufs,
        peak_dbtp=made.peak_dbtp if made.lufs is not None else None,
        note=level.note,
    )
    if level.expected_lufs is None:
        return told
    if made.lufs is None:
        broken(f"{name} is silent, and its source is not")
    notes = [level.note]
    off = abs(made.lufs - level.expected_lufs)
    if off > (_STARVED_LU_MAX if _starved(promise) else _OFF_LU_MAX):
        broken(f"{name} is at {made.lufs} LUFS, not {level.expected_lufs}")
    if off > _OFF_LU_MAX:
        notes.append(f"{made.lufs} LUFS after so few bits, {level.expected_lufs} before")
    ceiling = level.wanted.peak_dbtp
    over = made.peak_dbtp - ceiling
    if over > (_PEAK_DB_MAX if level.lossless else _CODEC_PEAK_DB_MAX):
        broken(f"{name} has a true peak of {made.peak_dbtp} dBTP, at most {ceiling:g} were to be")
    if over > _PEAK_DB_MAX:
        notes.append(f"its codec adds to peaks that were below {ceiling:g} dBTP")
    said = "; ".join(filter(None, notes))
    return msgspec.structs.replace(told, note=said)


def _starved(promise: Promise) -> bool:
    """Whether its codec has fewer bits than its makers would give it."""
    wanted, codec = promise.sound.bitrate_kbps, promise.sound_codec
    return wanted is not None and wanted < BITRATE_DEFAULT_KBPS.get(codec, 0)
