"""Compiles sound: the filters between its decoder and its encoders, and the encoders. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import ffmpeg

from mayfly.contract.formats import BITRATE_DEFAULT_KBPS, SoundCodec
from mayfly.contract.recipe import LadderOutput
from worker import compile_ladder, containers
from worker.levels import Level
from worker.probe import Stream
from worker.promise import LAYOUTS, Promise
from worker.rungs import sound_name
from worker.streams import branches
from worker.tracks import Chosen

#: By an output's file: what is done about each of its tracks.
Levels = Mapping[str, Sequence[Level | None]]
_AS_IT_IS: Levels = {}

#: Where mono tracks belong, as SMPTE and EBU order them.
_PLACES = {
    2: ("stereo", ("FL", "FR")),
    6: ("5.1", ("FL", "FR", "FC", "LFE", "BL", "BR")),
}

#: So many times 48 kHz does a limiter listen at.
_FINER = 4

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


def heard_in(
    source: Any,
    promises: Sequence[Promise],
    origin_seconds: Fraction | None,
    levels: Levels = _AS_IT_IS,
) -> dict[str, list[Any]]:
    """Filtered streams for each output that has sound, one of each track, all from one decode.
    `origin_seconds` is what the picture's clock counts from, where anybody knows."""
    stems = _stems(source, promises, origin_seconds)
    return {
        promise.output.file: [
            finished(stems[track.numbers].pop(), promise, track, level)
            for track, level in zip(
                promise.tracks,
                levels.get(promise.output.file, (None,) * len(promise.tracks)),
                strict=True,
            )
        ]
        for promise in promises
    }


def _stems(
    source: Any, promises: Sequence[Promise], origin_seconds: Fraction | None
) -> dict[tuple[int, ...], list[Any]]:
    """Each track of the source as often as it is wanted, in the order of its outputs."""
    wanted = Counter(track.numbers for promise in promises for track in promise.tracks)
    return {
        numbers: branches(stem(source, numbers, origin_seconds), "asplit", count)[::-1]
        for numbers, count in wanted.items()
    }


def stem(source: Any, numbers: Sequence[int], origin_seconds: Fraction | None) -> Any:
    """A track of the source, from the origin on and without gaps."""
    heard = [_steady(source[str(number)], origin_seconds) for number in numbers]
    if len(heard) == 1:
        return heard[0]
    # Each in its place among the channels, and then all added: what ends first is followed by
    # silence, where other filters would end.
    layout, places = _PLACES[len(heard)]
    placed = [
        one.filter("pan", f"{layout}|{place}<c0") for one, place in zip(heard, places, strict=True)
    ]
    return ffmpeg.filter(placed, "amix", inputs=len(placed), duration="longest", normalize=0)


def _steady(decoded: Any, origin_seconds: Fraction | None) -> Any:
    if origin_seconds is not None:
        # To the nearest sample: an expression's fraction would be cut off.
        decoded = decoded.filter("asetpts", f"round(PTS-({origin_seconds})/TB)")
    # Gaps are filled with silence, so that sound and picture stay together; and it begins where
    # the picture's clock does, since players treat a late start in different ways.
    return decoded.filter("aresample", **{"async": 1, "first_pts": 0})


def finished(stem: Any, promise: Promise, track: Chosen, level: Level | None) -> Any:
    """As the encoder is given it."""
    if level is not None:
        stem = levelled(shaped(stem, promise, track), promise, track, level)
    elif mixed_down(track):
        # What comes of several channels may be louder than full scale. So far only does a limiter
        # reach into it; all else comes out as it went in.
        stem = _limited(shaped(stem, promise, track), 0.0)
    return _lasting(stem, promise).filter(
        "aformat",
        sample_fmts=_sample_format(promise.sound_codec, track.streams[0]),
        sample_rates=rate_hz(promise.sound_codec, track.rate_hz),
        channel_layouts=_layout(promise, track),
    )


def mixed_down(track: Chosen) -> bool:
    """Whether several channels of the source become one."""
    return track.channels < sum(stream.channels for stream in track.streams)


def shaped(stem: Any, promise: Promise, track: Chosen) -> Any:
    """In the channels and at the rate of its encoder, in numbers that nothing is too loud for.

    Numbers first, then channels: ffmpeg mixes whole numbers down with all of it made quieter, by
    7.7 dB of 5.1, and floating ones at the levels of ITU-R BS.775. So it is the latter always."""
    return stem.filter("aformat", sample_fmts="fltp").filter(
        "aformat",
        sample_fmts="fltp",
        sample_rates=rate_hz(promise.sound_codec, track.rate_hz),
        channel_layouts=_layout(promise, track),
    )


def levelled(shaped: Any, promise: Promise, track: Chosen, level: Level) -> Any:
    """As loud as was decided. A sample comes out for each that goes in, at its moment."""
    if level.gain_db:
        shaped = shaped.filter("volume", f"{level.gain_db:.2f}dB", precision="float")
    if level.limit_dbtp is None:
        return shaped
    # The limiter sees samples, and what a loudspeaker makes of them rises above them in between:
    # at four times the rate there is little left of that. A whole multiple, so that there are as
    # many afterwards, where they were.
    rate = rate_hz(promise.sound_codec, track.rate_hz)
    finer = shaped.filter("aresample", rate * _oversampled(rate))
    return _limited(finer, level.limit_dbtp).filter("aresample", rate)


def _oversampled(rate: int) -> int:
    """BS.1770 asks for about 192 kHz."""
    return max(1, min(_FINER, round(_FINER * 48_000 / rate)))


def _limited(stream: Any, peak_db: float) -> Any:
    return stream.filter(
        "alimiter",
        limit=f"{10 ** (peak_db / 20):.6f}",
        attack=5,  # it looks as far ahead, so that nothing is cut off
        release=50,
        level=0,  # not made louder afterwards
        latency=1,  # what it looks ahead is taken off again
    )


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


def _layout(promise: Promise, track: Chosen) -> str:
    """AAC's fourth channel is behind in the middle; the others know two behind."""
    if track.channels == 4 and promise.sound_codec != "aac":
        return "quad"
    return LAYOUTS[track.channels]


def encoder(promise: Promise) -> dict[str, Any]:
    """The encoder of sound."""
    codec = promise.sound_codec
    if codec == "flac":
        return {"c:a": "flac", "compression_level": 8}  # the smallest that every player takes
    wanted = promise.sound.bitrate_kbps or BITRATE_DEFAULT_KBPS[codec]
    if codec == "opus":
        wanted = min(
            wanted, _OPUS_CHANNEL_KBPS_MAX * min(track.channels for track in promise.tracks)
        )
    return {"c:a": _ENCODERS[codec], "b:a": f"{wanted}k"}


#: ffmpeg's own of Opus is not finished.
_ENCODERS = {"aac": "aac", "opus": "libopus", "mp3": "libmp3lame"}


def of_ladder(promise: Promise, sounds: dict[str, list[Any]]) -> list[Any]:
    """The sound of a ladder, if it has any."""
    output = promise.output
    assert isinstance(output, LadderOutput)
    if promise.channels is None or output.audio is None:
        return []
    return [
        compile_ladder.sound(
            output,
            sound_name(number),
            heard,
            {**encoder(promise), **containers.spoken(track.language)},
        )
        for number, (track, heard) in enumerate(
            zip(promise.tracks, sounds[output.file], strict=True)
        )
    ]
