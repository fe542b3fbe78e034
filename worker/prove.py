"""The proof: an output counts only when it is what was promised.

Why: ffmpeg exits 0 on a truncated input, on an empty stream and on a dropped one. The reference
must not come from the run that is judged: pictures are counted as the packets that a demuxer of
another program listed before the encode (`probe.Scan`). Where a decoder rightly gives another
number (fields stored as packets of their own, hidden pictures, a recording that begins between
keyframes), that other program decodes too, and both must agree.

Tolerances: none in the number of pictures, and none in the sound between what the encoder was given
and what the file presents. Lengths may differ by two pictures and 0.1 s
(ticks are rounded, and a last picture's length is anybody's guess), sound by 0.3 s (priming and
half-filled packets at both ends, 46 ms each at worst, and headers that count as packets).
"""

import dataclasses
import re
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any, NoReturn

import msgspec

from mayfly.contract.recipe import AudioOutput, LadderOutput, PosterOutput, VideoOutput
from mayfly.contract.report import Media, Proof
from worker import presented
from worker.boxes import Malformed
from worker.compile_sound import RATES_HZ
from worker.ends import WorkFailed
from worker.halt import Halt
from worker.opening import SOURCE
from worker.preflight import Material
from worker.probe import Probe, Prober, Scan, Stream
from worker.promise import Plan, Promise
from worker.run import Ending

_PICTURE_SECONDS_OFF_MAX = 0.1
_SOUND_SECONDS_OFF_MAX = 0.3

#: A file's own clock, on which its pauses are, where no finer one suits all of its tracks.
_FILE_TICK_SECONDS = Fraction(1, 1000)

_DECODED = re.compile(r"Input stream #0:(\d+) \(video\): .*?(\d+) frames decoded")
#: Opus drops 6.5 ms to begin with, MP3 25, HE-AAC 90.
_DECODER_SECONDS_MAX = 0.1

_HEARD = re.compile(r"Input stream #0:(\d+) \(audio\): .*? decode errors \((\d+) samples\)")
_ENCODED = re.compile(r"Output stream #(\d+):\d+ \(audio\): \d+ frames encoded \((\d+) samples\)")
_ERRORS = re.compile(r"Input stream #0:\d+ .*?(\d+) decode errors")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What an output must be that is joined of proven parts."""

    frames: int
    #: When its first picture is shown, in seconds from the plan's origin, where its sound begins.
    begins: Fraction = Fraction(0)
    #: What its sound presents, by who encoded that; None: nobody said, or there is none.
    samples: int | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Due:
    """How much sound an encoder is given, and by how much less or more it may be. Silence stands
    for a late start, for what is missing between packets, and for what a decoder drops at the
    beginning: what it needs to begin, and what an edit list hides."""

    seconds: float
    less: float
    more: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """Holds the outputs of one encode against its promises."""

    prober: Prober
    folder: Path
    halt: Halt

    def prove(self, plan: Plan, material: Material, ending: Ending) -> tuple[Media | None, ...]:
        """What each output is; nothing of a ladder, which is proven by its segments. Raises
        WorkFailed(output_broken, source_truncated), Halted."""
        errors = sum(int(found[1]) for line in ending.tail if (found := _ERRORS.search(line)))
        if errors:
            raise WorkFailed("source_corrupt", f"the decoders met {errors} errors")
        frames = None
        if any(isinstance(p.output, VideoOutput | LadderOutput) for p in plan.promises):
            frames = self._frames(material, ending)
        heard = _encoded_samples(plan, material, ending)
        return tuple(
            self._one(promise, material, frames, samples)
            for promise, samples in zip(plan.promises, heard, strict=True)
        )

    def _frames(self, material: Material, ending: Ending) -> int:
        """How many pictures the source has."""
        assert material.picture is not None
        packets = material.scan.frames
        decoded = _decoded(ending, material.picture.index)
        if decoded is None or decoded == packets:
            return packets
        again = self.prober.decoded_frames(
            SOURCE, material.picture.index, folder=self.folder, halt=self.halt
        )
        if again != decoded:
            _broken(f"{packets} packets gave {decoded} pictures here and {again} there")
        if decoded == 0:
            raise WorkFailed("source_corrupt", f"none of its {packets} packets is a picture")
        return decoded

    def sounds(self, plan: Plan, material: Material, ending: Ending) -> tuple[Media | None, ...]:
        """What the sound of each output is; nothing of a ladder's. Raises
        WorkFailed(output_broken), Halted."""
        heard = _encoded_samples(plan, material, ending)
        return tuple(
            None
            if isinstance(promise.output, LadderOutput)
            else self._sound(promise, material, samples)
            for promise, samples in zip(plan.promises, heard, strict=True)
        )

    def _sound(self, promise: Promise, material: Material, samples: int | None) -> Media:
        probe = self._probed(promise, "mov")
        _prove_sound(promise, probe, material)
        return self._heard(promise, probe.media(), samples)

    def heard(self, promise: Promise, path: str) -> Probe:
        """A ladder's sound, in a file of its own; how long it is, its boxes tell better. Raises
        WorkFailed(output_broken), Halted."""
        probe = self._probed(promise, "mov", path)
        _prove_aac(promise, probe)
        return probe

    def joined(self, promise: Promise, expected: Expected) -> Media:
        """What an output is that was joined of proven parts; a ladder never is. Raises WorkFailed,
        Halted."""
        match promise.output:
            case PosterOutput():
                return self._probed(promise, "jpeg_pipe").media(frames=1)
            case AudioOutput():
                media = self._probed(promise, "mov").media()
                return self._heard(promise, media, expected.samples)
            case VideoOutput():
                probe = self._probed(promise, "mov")
                _prove_frames(promise.output.file, probe, "h264", expected.frames)
                self._prove_beginning(promise, probe, expected.begins)
                media = probe.media(frames=expected.frames)
                return self._heard(promise, media, expected.samples)
            case LadderOutput():
                raise TypeError("A ladder is not joined into a file.")

    def _heard(self, promise: Promise, media: Media, samples: int | None) -> Media:
        """The same with how many samples it presents: just those that went in."""
        if media.audio_codec is None:
            return media
        name = promise.output.file
        try:
            found = presented.sound(self.folder / promise.path)
        except Malformed as error:
            _broken(f"the sound of {name}: {error}")
        if samples is not None and found.ticks != samples:
            _broken(f"{name} presents {found.ticks} samples of sound, not {samples}")
        if found.begins:
            _broken(f"the sound of {name} begins {float(found.begins):.6f} s late")
        return msgspec.structs.replace(media, samples=found.ticks)

    def _prove_beginning(self, promise: Promise, probe: Probe, wanted: Fraction) -> None:
        """Its first picture is as far from the beginning of its sound as the source's."""
        try:
            begins = presented.picture(self.folder / promise.path).begins
        except Malformed as error:
            _broken(f"{promise.output.file}: {error}")
        picture = probe.picture()
        assert picture is not None
        if abs(begins - wanted) > max(picture.tick, _FILE_TICK_SECONDS):
            name = promise.output.file
            _broken(f"{name} begins at {float(begins):.6f} s, not at {float(wanted):.6f} s")

    def _probed(self, promise: Promise, demuxer: str, path: str = "") -> Probe:
        name, path = promise.output.file, path or promise.path
        if not (self.folder / path).is_file():
            _broken(f"{name} was not written")
        try:
            return self.prober.probe(path, folder=self.folder, halt=self.halt, demuxer=demuxer)
        except WorkFailed as error:
            _broken(f"{name} cannot be read: {error.detail}")

    def _one(
        self, promise: Promise, material: Material, frames: int | None, samples: int | None
    ) -> Media | None:
        match promise.output:
            case PosterOutput():
                probe = self._probed(promise, "jpeg_pipe")
                _prove_picture(promise, probe, "mjpeg", frames=1)
                return probe.media(frames=1)
            case VideoOutput():
                assert frames is not None
                probe = self._probed(promise, "mov")
                _prove_picture(promise, probe, "h264", frames=frames)
                _prove_length(promise.output.file, probe, material.scan, frames)
                _prove_sound(promise, probe, material)
                return self._heard(promise, probe.media(frames=frames), samples)
            case AudioOutput():
                return self._sound(promise, material, samples)
            case LadderOutput():
                return None


def summed(media: Sequence[Media], **more: Any) -> Proof:
    """What was proven of outputs that are these."""
    samples = [one.samples for one in media if one.samples is not None]
    return Proof(
        frames=max((one.frames or 0 for one in media), default=0),
        samples=max(samples, default=None),
        **more,
    )


def _encoded_samples(plan: Plan, material: Material, ending: Ending) -> list[int | None]:
    """Of each promise: what its encoder of sound was given, as ffmpeg says at its end. Raises
    WorkFailed when that is not what was decoded."""
    found = (_ENCODED.search(line) for line in ending.tail)
    by_output = {int(one[1]): int(one[2]) for one in found if one}
    due = _due(ending, material)
    rate = material.sound.sample_rate if material.sound else None
    given, outputs = [], 0
    for promise in plan.promises:
        outputs += promise.files
        samples = by_output.get(outputs - 1)  # a ladder's sound comes after its sizes
        given.append(samples)
        if samples is None or due is None or rate not in RATES_HZ:
            continue
        assert rate is not None
        wanted = max(due.seconds, promise.sound_seconds)  # silence follows a ladder's sound
        if not -due.less <= samples / rate - wanted <= due.more:
            _broken(f"of {wanted:.3f} s of sound its encoder was given {samples / rate:.3f} s")
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
    if abs(decoded - scan.sound_seconds) > missing + _SOUND_SECONDS_OFF_MAX:
        return None
    lead = max(0.0, scan.sound_start - float(origin * scan.tick))
    return _Due(
        seconds=decoded + lead,
        less=missing + _DECODER_SECONDS_MAX,
        more=missing + max(_DECODER_SECONDS_MAX, scan.sound_seconds - decoded),
    )


def _decoded(ending: Ending, index: int) -> int | None:
    for line in ending.tail:
        if (found := _DECODED.search(line)) and int(found[1]) == index:
            return int(found[2])
    return None


def _prove_picture(promise: Promise, probe: Probe, codec: str, *, frames: int) -> None:
    name, size = promise.output.file, promise.size
    picture = _prove_frames(name, probe, codec, frames)
    assert size is not None
    if (picture.width, picture.height) != (size.width, size.height) or picture.rotation:
        _broken(f"{name} is {picture.width}x{picture.height}, not {size.width}x{size.height}")
    if picture.sample_aspect_ratio not in ("", "1:1", "0:1"):
        _broken(f"{name} has pixels of {picture.sample_aspect_ratio}")


def _prove_frames(name: str, probe: Probe, codec: str, frames: int) -> Stream:
    picture = probe.picture()
    if picture is None or picture.codec_name != codec:
        _broken(f"{name} has no {codec} picture")
    if picture.nb_read_packets != frames:
        _broken(f"{name} has {picture.nb_read_packets} pictures, the source has {frames}")
    return picture


def _prove_length(name: str, probe: Probe, scan: Scan, frames: int) -> None:
    """Where the source's clock is whole, the output's must be as long."""
    picture = probe.picture()
    if not scan.regular or frames != scan.frames or frames < 2 or picture is None:
        return
    gaps = [float((b - a) * scan.tick) for a, b in pairwise(scan.ticks)]
    # A last picture lasts as long as an ordinary one; where the rate varies, as any of them.
    last = max(gaps) if max(gaps) > 2 * min(gaps) else gaps[-1]
    wanted, length = scan.span_seconds(), picture.duration or 0.0
    if not -_PICTURE_SECONDS_OFF_MAX <= length - wanted <= 2 * last + _PICTURE_SECONDS_OFF_MAX:
        _broken(f"{name} shows {length:.3f} s, the source {wanted + last:.3f} s")


def _prove_sound(promise: Promise, probe: Probe, material: Material) -> None:
    name, sound = promise.output.file, probe.sound()
    if promise.channels is None:
        if sound is not None:
            _broken(f"{name} has sound that nobody asked for")
        return
    _prove_aac(promise, probe)
    assert sound is not None
    prove_sound_seconds(promise, sound.duration or 0.0, material)


def _prove_aac(promise: Promise, probe: Probe) -> None:
    name, sound = promise.output.file, probe.sound()
    if sound is None or sound.codec_name != "aac":
        _broken(f"{name} has no AAC sound")
    if sound.channels != promise.channels:
        _broken(f"{name} has {sound.channels} channels, not {promise.channels}")


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
    if not (shortest - _SOUND_SECONDS_OFF_MAX <= length <= longest + _SOUND_SECONDS_OFF_MAX):
        name = promise.output.file
        _broken(f"{name} sounds for {length:.3f} s, the source for {scan.sound_seconds:.3f} s")


def _broken(detail: str) -> NoReturn:
    raise WorkFailed("output_broken", detail)
