"""The proof of sound: its codec and channels, and that what the encoder was given is all that the
source has. Pure.

What was given is ffmpeg's own count at its end; what a file presents (`made`) must be just that,
where the file has a word for it. Lengths in seconds are held against the source's packets with a
tolerance: priming and half-filled packets at both ends, and headers that count as packets.
"""

import dataclasses
import re
from collections.abc import Mapping, Sequence

from mayfly.contract.formats import SoundCodec
from mayfly.contract.recipe import LadderOutput
from mayfly.contract.report import SoundTrack
from worker import words
from worker.compile_sound import rate_hz
from worker.made import Made, Sounded, broken
from worker.preflight import Material
from worker.probe import Probe, Stream
from worker.promise import Plan, Promise
from worker.run import Ending
from worker.tracks import Chosen

_SECONDS_OFF_MAX = 0.3
#: Opus drops 6.5 ms to begin with, MP3 25, HE-AAC 90.
_DECODER_SECONDS_MAX = 0.1

_HEARD = re.compile(r"Input stream #0:(\d+) \(audio\): .*? decode errors \((\d+) samples\)")
_ENCODED = re.compile(r"Output stream #(\d+):(\d+) \(audio\): \d+ frames encoded \((\d+) samples\)")

#: What muxers say by themselves.
_OF_MUXERS = ("major_brand", "minor_version", "compatible_brands", "encoder", "language")

#: QuickTime has numbers for languages, and not for all; these others have no word for one.
_FEW_LANGUAGES = ("mov", "mp3", "flac")

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


def encoded_samples(plan: Plan, material: Material, ending: Ending) -> list[tuple[int | None, ...]]:
    """Of each promise's tracks: what their encoders were given, as ffmpeg says at its end. Raises
    WorkFailed when that is not what was decoded."""
    found = (_ENCODED.search(line) for line in ending.tail)
    by_stream = {(int(one[1]), int(one[2])): int(one[3]) for one in found if one}
    given, outputs = [], 0
    for promise in plan.promises:
        outputs += promise.files
        # A ladder's sounds are files of their own, and come after its sizes.
        files = len(promise.tracks) if isinstance(promise.output, LadderOutput) else 1
        heard = sorted(stream for stream in by_stream if outputs - files <= stream[0] < outputs)
        samples: list[int | None] = [by_stream[stream] for stream in heard]
        if len(samples) != len(promise.tracks):  # nobody said
            samples = [None] * len(promise.tracks)
        for track, count in zip(promise.tracks, samples, strict=True):
            _check_given(promise, track, count, _due(ending, material, track))
        given.append(tuple(samples))
    return given


def _check_given(promise: Promise, track: Chosen, samples: int | None, due: _Due | None) -> None:
    if samples is None or due is None:
        return
    seconds = samples / rate_hz(promise.sound_codec, track.rate_hz)
    wanted = max(due.seconds, promise.sound_seconds)  # silence follows a ladder's sound
    if not -due.less <= seconds - wanted <= due.more:
        broken(f"of {wanted:.3f} s of sound its encoder was given {seconds:.3f} s")


def _due(ending: Ending, material: Material, track: Chosen) -> _Due | None:
    """How much sound comes of what was decoded, by ffmpeg's word. None where the decoder counts
    otherwise than the packets. What becomes of several lasts as long as the longest."""
    dues = [_due_of(ending, material, stream) for stream in track.streams]
    known = [due for due in dues if due is not None]
    if len(known) < len(dues):
        return None
    return max(known, key=lambda due: due.seconds, default=None)


def _due_of(ending: Ending, material: Material, stream: Stream) -> _Due | None:
    scan, origin = material.scan, material.origin_ticks
    found = [one for line in ending.tail if (one := _HEARD.search(line))]
    counted = [int(one[2]) for one in found if int(one[1]) == stream.index]
    sounding = scan.sounds.get(stream.index)
    if not stream.sample_rate or not counted or origin is None or sounding is None:
        return None
    decoded = counted[0] / stream.sample_rate
    missing = abs(sounding.span_seconds - sounding.seconds)
    if abs(decoded - sounding.seconds) > missing + _SECONDS_OFF_MAX:
        return None
    lead = max(0.0, sounding.start - float(origin * scan.tick))
    return _Due(
        seconds=decoded + lead,
        less=missing + _DECODER_SECONDS_MAX,
        more=missing + max(_DECODER_SECONDS_MAX, sounding.seconds - decoded),
    )


def prove_sound(promise: Promise, made: Made, material: Material) -> None:
    """It is there where it was promised, and lasts. Raises WorkFailed(output_broken)."""
    if not promise.tracks:
        if made.probe.sound() is not None:
            broken(f"{made.name} has sound that nobody asked for")
        return
    prove_sound_coded(promise, promise.tracks, made.probe)
    said = _SAID[promise.sound_codec]
    if made.codecs and said not in (name.lower() for name in made.codecs):
        broken(f"{made.name} calls its sound otherwise than {said}: {', '.join(made.codecs)}")
    for track, sounded in zip(promise.tracks, made.sounds, strict=True):
        prove_sound_seconds(promise, track, sounded.seconds, material)


def prove_sound_coded(promise: Promise, tracks: Sequence[Chosen], probe: Probe) -> None:
    """Of the codec and the channels that were promised. Raises WorkFailed(output_broken)."""
    name, sounds, codec = promise.output.file, probe.sounds(), promise.sound_codec
    if not sounds or any(sound.codec_name != codec for sound in sounds):
        broken(f"{name} has no {_NAMES[codec]} sound")
    found, wanted = [one.channels for one in sounds], [one.channels for one in tracks]
    if found != wanted:
        broken(f"{name} has {_told(found)} channels, not {_told(wanted)}")


def _told(channels: Sequence[int]) -> str:
    return " and ".join(map(str, channels))


def prove_told(made: Made, tags: Mapping[str, str], tracks: Sequence[Chosen | SoundTrack]) -> None:
    """The file says of itself and of its sound what it shall, and nothing else: no place, no
    device, nobody's name. Raises WorkFailed(output_broken)."""
    said = {name.lower(): text for name, text in made.probe.tags.items()}
    for name in (*words.KEPT, *said):
        if name not in _OF_MUXERS and said.get(name, "") != tags.get(name, ""):
            broken(f"{made.name} says another {name} than it shall")
    for track, sounded in zip(tracks, made.sounds, strict=True):
        stream = sounded.stream
        found = words.language(stream.language)
        lost = not found and made.kind.container in _FEW_LANGUAGES
        if found != track.language and not lost:
            broken(f"{made.name} has a sound track in {found or 'no language'}")
        if made.probe.picture() is not None and stream.title != track.title:
            broken(f"{made.name} has a sound track of another name")
    defaults = [one.stream.disposition.get("default", 0) for one in made.sounds]
    if len(defaults) > 1 and made.kind.container != "mov" and defaults != _first(len(defaults)):
        broken(f"{made.name} has another default track than its first")


def _first(count: int) -> list[int]:
    return [1, *[0] * (count - 1)]


def prove_samples(name: str, sounded: Sounded, samples: int | None) -> None:
    """It presents what its encoder was given, if anybody said what that was, and from the beginning
    on. Raises WorkFailed(output_broken)."""
    if samples is not None and sounded.samples is not None:
        more = sounded.samples - samples
        if not 0 <= more <= sounded.padding_max:
            broken(f"{name} presents {sounded.samples} samples of sound, not {samples}")
    if sounded.begins:
        broken(f"the sound of {name} begins {float(sounded.begins):.6f} s late")


def prove_sound_seconds(promise: Promise, track: Chosen, length: float, material: Material) -> None:
    """An output sounds for as long as its source. Raises WorkFailed(output_broken)."""
    found = [material.scan.sounds.get(stream.index) for stream in track.streams]
    known = [one for one in found if one is not None]
    if len(known) < len(found):
        return
    # It begins where the file's clock does: silence stands for a late start.
    begins = material.probe.format.start_time or 0.0
    longest = max(
        max(one.seconds, one.span_seconds) + max(0.0, one.start - begins) for one in known
    )
    longest = max(longest, promise.sound_seconds)
    shortest = max(min(one.seconds, one.span_seconds) for one in known)
    if not (shortest - _SECONDS_OFF_MAX <= length <= longest + _SECONDS_OFF_MAX):
        name = promise.output.file
        broken(f"{name} sounds for {length:.3f} s, the source for {known[0].seconds:.3f} s")
