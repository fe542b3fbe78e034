"""The proof of sound: its codec and channels, and that what the encoder was given is all that the
source has. Pure.

What was given is ffmpeg's own count at its end; what a file presents (`made`) must be just that,
where the file has a word for it. Lengths in seconds are held against the source's packets with a
tolerance: priming and half-filled packets at both ends, and headers that count as packets.
"""

import dataclasses
import re

from mayfly.contract.formats import SoundCodec
from worker.compile_sound import rate_hz
from worker.made import Made, broken
from worker.preflight import Material
from worker.probe import Probe
from worker.promise import Plan, Promise
from worker.run import Ending

_SECONDS_OFF_MAX = 0.3
#: Opus drops 6.5 ms to begin with, MP3 25, HE-AAC 90.
_DECODER_SECONDS_MAX = 0.1

_HEARD = re.compile(r"Input stream #0:(\d+) \(audio\): .*? decode errors \((\d+) samples\)")
_ENCODED = re.compile(r"Output stream #(\d+):\d+ \(audio\): \d+ frames encoded \((\d+) samples\)")

#: As people write it.
_NAMES: dict[SoundCodec, str] = {"aac": "AAC", "opus": "Opus", "mp3": "MP3", "flac": "FLAC"}
#: As players ask their decoders for it, in small letters.
_SAID: dict[SoundCodec, str] = {"aac": "mp4a.40.2", "opus": "opus", "mp3": "mp3", "flac": "flac"}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Due:
    """How much sound an encoder is given, and by how much less or more it may be. Silence stands
    for a late start, for what is missing between packets, and for what a decoder drops at the
    beginning: what it needs to begin, and what an edit list hides."""

    seconds: float
    less: float
    more: float


def encoded_samples(plan: Plan, material: Material, ending: Ending) -> list[int | None]:
    """Of each promise: what its encoder of sound was given, as ffmpeg says at its end. Raises
    WorkFailed when that is not what was decoded."""
    found = (_ENCODED.search(line) for line in ending.tail)
    by_output = {int(one[1]): int(one[2]) for one in found if one}
    due = _due(ending, material)
    given, outputs = [], 0
    for promise in plan.promises:
        outputs += promise.files
        samples = by_output.get(outputs - 1)  # a ladder's sound comes after its sizes
        given.append(samples)
        if samples is None or due is None:
            continue
        assert material.sound is not None
        seconds = samples / rate_hz(promise.sound_codec, material.sound.sample_rate)
        wanted = max(due.seconds, promise.sound_seconds)  # silence follows a ladder's sound
        if not -due.less <= seconds - wanted <= due.more:
            broken(f"of {wanted:.3f} s of sound its encoder was given {seconds:.3f} s")
    return given


def _due(ending: Ending, material: Material) -> _Due | None:
    """How much sound comes of what was decoded, by ffmpeg's word. None where the decoder counts
    otherwise than the packets."""
    scan, sound, origin = material.scan, material.sound, material.origin_ticks
    found = [one for line in ending.tail if (one := _HEARD.search(line))]
    counted = [int(one[2]) for one in found if sound is not None and int(one[1]) == sound.index]
    if sound is None or not sound.sample_rate or not counted or origin is None:
        return None
    if scan.sound_seconds is None or scan.sound_span_seconds is None or scan.sound_start is None:
        return None
    decoded = counted[0] / sound.sample_rate
    missing = abs(scan.sound_span_seconds - scan.sound_seconds)
    if abs(decoded - scan.sound_seconds) > missing + _SECONDS_OFF_MAX:
        return None
    lead = max(0.0, scan.sound_start - float(origin * scan.tick))
    return _Due(
        seconds=decoded + lead,
        less=missing + _DECODER_SECONDS_MAX,
        more=missing + max(_DECODER_SECONDS_MAX, scan.sound_seconds - decoded),
    )


def prove_sound(promise: Promise, made: Made, material: Material) -> None:
    """It is there where it was promised, and lasts. Raises WorkFailed(output_broken)."""
    if promise.channels is None:
        if made.probe.sound() is not None:
            broken(f"{made.name} has sound that nobody asked for")
        return
    prove_sound_coded(promise, made.probe)
    said = _SAID[promise.sound_codec]
    if made.codecs and said not in (name.lower() for name in made.codecs):
        broken(f"{made.name} calls its sound otherwise than {said}: {', '.join(made.codecs)}")
    prove_sound_seconds(promise, made.sound_seconds, material)


def prove_sound_coded(promise: Promise, probe: Probe) -> None:
    """Of the codec and the channels that were promised. Raises WorkFailed(output_broken)."""
    name, sound, codec = promise.output.file, probe.sound(), promise.sound_codec
    if sound is None or sound.codec_name != codec:
        broken(f"{name} has no {_NAMES[codec]} sound")
    if sound.channels != promise.channels:
        broken(f"{name} has {sound.channels} channels, not {promise.channels}")


def prove_samples(made: Made, samples: int | None) -> None:
    """It presents what its encoder was given, if anybody said what that was, and from the beginning
    on. Raises WorkFailed(output_broken)."""
    if samples is not None and made.samples is not None:
        more = made.samples - samples
        if not 0 <= more <= made.padding_max:
            broken(f"{made.name} presents {made.samples} samples of sound, not {samples}")
    if made.sound_begins:
        broken(f"the sound of {made.name} begins {float(made.sound_begins):.6f} s late")


def prove_sound_seconds(promise: Promise, length: float, material: Material) -> None:
    """An output sounds for as long as its source. Raises WorkFailed(output_broken)."""
    scan = material.scan
    if scan.sound_seconds is None or scan.sound_span_seconds is None:
        return
    # It begins where the file's clock does: silence stands for a late start.
    lead = max(0.0, (scan.sound_start or 0.0) - (material.probe.format.start_time or 0.0))
    longest = max(scan.sound_seconds, scan.sound_span_seconds) + lead
    longest = max(longest, promise.sound_seconds)
    shortest = min(scan.sound_seconds, scan.sound_span_seconds)
    if not (shortest - _SECONDS_OFF_MAX <= length <= longest + _SECONDS_OFF_MAX):
        name = promise.output.file
        broken(f"{name} sounds for {length:.3f} s, the source for {scan.sound_seconds:.3f} s")
