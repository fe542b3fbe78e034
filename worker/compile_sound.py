"""Compiles sound: the filters between its decoder and its encoders, and the encoders. Pure."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from mayfly.contract.formats import BITRATE_DEFAULT_KBPS, SoundCodec
from mayfly.contract.recipe import LadderOutput
from worker import compile_ladder
from worker.preflight import Seen
from worker.probe import Stream
from worker.promise import LAYOUTS, Promise
from worker.streams import branches

#: Sampling rates of AAC up to 48 kHz, and all of MP3; others become the highest.
_RATES_HZ = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
#: Opus knows lower ones, but is decoded at this one whatever it was given: only so are its samples
#: counted alike on both sides.
_OPUS_RATE_HZ = 48000
#: FLAC's header has 20 bits for it.
_FLAC_RATE_MAX_HZ = 655_350

#: What libopus takes of each channel.
_OPUS_CHANNEL_KBPS_MAX = 256

#: More than 16 bits of each sample. What a lossy codec decodes to is a fraction and has no bits;
#: 16 are what its makers count on.
_DEEP = ("s32", "s32p", "s64", "s64p")


def sound_since(decoded: Any, origin_seconds: Fraction) -> Any:
    """On the picture's clock, to the nearest sample: an expression's fraction would be cut off."""
    return decoded.filter("asetpts", f"round(PTS-({origin_seconds})/TB)")


def heard_in(decoded: Any, material: Seen, promises: Sequence[Promise]) -> dict[str, Any]:
    """A filtered stream for each output that has sound."""
    assert material.sound is not None
    # Gaps are filled with silence, so that sound and picture stay together; and it begins where
    # the picture's clock does, since players treat a late start in different ways.
    steady = decoded.filter("aresample", **{"async": 1, "first_pts": 0})
    return {
        promise.output.file: _lasting(branch, promise).filter(
            "aformat",
            sample_fmts=_sample_format(promise.sound_codec, material.sound),
            sample_rates=rate_hz(promise.sound_codec, material.sound.sample_rate),
            channel_layouts=_layout(promise),
        )
        for promise, branch in zip(promises, branches(steady, "asplit", len(promises)), strict=True)
    }


def _lasting(heard: Any, promise: Promise) -> Any:
    """Where sound is a file of its own, players wait for it at its end: silence follows it there
    for as long as there is a picture."""
    if not promise.sound_seconds:
        return heard
    return heard.filter("apad", whole_dur=f"{promise.sound_seconds:.6f}")


def rate_hz(codec: SoundCodec, source_hz: int) -> int:
    """At how many samples a second the sound of a source is encoded."""
    match codec:
        case "opus":
            return _OPUS_RATE_HZ
        case "flac":
            return source_hz if 0 < source_hz <= _FLAC_RATE_MAX_HZ else _RATES_HZ[-1]
        case _:
            return source_hz if source_hz in _RATES_HZ else _RATES_HZ[-1]


def _sample_format(codec: SoundCodec, sound: Stream) -> str:
    """What the encoder takes. FLAC loses nothing of what the source has."""
    if codec == "flac":
        deep = sound.sample_fmt in _DEEP or sound.codec_name.startswith("pcm_f")
        return "s32" if deep else "s16"
    return "flt" if codec == "opus" else "fltp"


def _layout(promise: Promise) -> str:
    """AAC's fourth channel is behind in the middle; the others know two behind."""
    if promise.channels == 4 and promise.sound_codec != "aac":
        return "quad"
    return LAYOUTS[promise.channels or 1]


def encoder(promise: Promise) -> dict[str, Any]:
    """The encoder of sound."""
    codec = promise.sound_codec
    if codec == "flac":
        return {"c:a": "flac", "compression_level": 8}  # the smallest that every player takes
    wanted = promise.sound.bitrate_kbps or BITRATE_DEFAULT_KBPS[codec]
    if codec == "opus":
        wanted = min(wanted, _OPUS_CHANNEL_KBPS_MAX * (promise.channels or 1))
    return {"c:a": _ENCODERS[codec], "b:a": f"{wanted}k"}


#: ffmpeg's own of Opus is not finished.
_ENCODERS = {"aac": "aac", "opus": "libopus", "mp3": "libmp3lame"}


def of_ladder(promise: Promise, sounds: dict[str, Any]) -> list[Any]:
    """The sound of a ladder, if it has any."""
    output = promise.output
    assert isinstance(output, LadderOutput)
    if promise.channels is None or output.audio is None:
        return []
    return [compile_ladder.sound(output, sounds[output.file], encoder(promise))]
