"""The proof: an output counts only when it is what was promised.

Why: ffmpeg exits 0 on a truncated input, on an empty stream and on a dropped one. The reference
must not come from the run that is judged: pictures are counted as the packets that a demuxer of
another program listed before the encode (`probe.Scan`). Where a decoder rightly gives another
number (fields stored as packets of their own, hidden pictures, a recording that begins between
keyframes), that other program decodes too, and both must agree.

Tolerances: none in the number of pictures. Lengths may differ by two pictures and 0.1 s
(ticks are rounded, and a last picture's length is anybody's guess), sound by 0.3 s (priming and
half-filled packets at both ends, 46 ms each at worst, and headers that count as packets).
"""

import dataclasses
import re
from itertools import pairwise
from pathlib import Path
from typing import NoReturn

from mayfly.contract.recipe import AudioOutput, PosterOutput, VideoOutput
from mayfly.contract.report import Media
from worker.compile import Plan, Promise
from worker.ends import WorkFailed
from worker.halt import Halt
from worker.opening import SOURCE
from worker.preflight import Material
from worker.probe import Probe, Prober, Scan, Stream
from worker.run import Ending

_PICTURE_SECONDS_OFF_MAX = 0.1
_SOUND_SECONDS_OFF_MAX = 0.3

_DECODED = re.compile(r"Input stream #0:(\d+) \(video\): .*?(\d+) frames decoded")
_ERRORS = re.compile(r"Input stream #0:\d+ .*?(\d+) decode errors")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """Holds the outputs of one encode against its promises."""

    prober: Prober
    folder: Path
    halt: Halt

    def prove(self, plan: Plan, material: Material, ending: Ending) -> tuple[Media, ...]:
        """What each output is. Raises WorkFailed(output_broken, source_truncated), Halted."""
        errors = sum(int(found[1]) for line in ending.tail if (found := _ERRORS.search(line)))
        if errors:
            raise WorkFailed("source_corrupt", f"the decoders met {errors} errors")
        frames = None
        if any(isinstance(promise.output, VideoOutput) for promise in plan.promises):
            frames = self._frames(material, ending)
        return tuple(self._one(promise, material, frames) for promise in plan.promises)

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

    def sound(self, promise: Promise, material: Material) -> Media:
        """What the sound of one output is. Raises WorkFailed(output_broken), Halted."""
        probe = self._probed(promise, "mov")
        _prove_sound(promise, probe, material)
        return probe.media()

    def joined(self, promise: Promise, frames: int) -> Media:
        """What an output is that was joined of proven parts. Raises WorkFailed, Halted."""
        match promise.output:
            case PosterOutput():
                return self._probed(promise, "jpeg_pipe").media(frames=1)
            case AudioOutput():
                return self._probed(promise, "mov").media()
            case VideoOutput():
                probe = self._probed(promise, "mov")
                _prove_frames(promise.output.file, probe, "h264", frames)
                return probe.media(frames=frames)

    def _probed(self, promise: Promise, demuxer: str) -> Probe:
        name = promise.output.file
        if not (self.folder / promise.path).is_file():
            _broken(f"{name} was not written")
        try:
            return self.prober.probe(
                promise.path, folder=self.folder, halt=self.halt, demuxer=demuxer
            )
        except WorkFailed as error:
            _broken(f"{name} cannot be read: {error.detail}")

    def _one(self, promise: Promise, material: Material, frames: int | None) -> Media:
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
                return probe.media(frames=frames)
            case AudioOutput():
                return self.sound(promise, material)


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
    name, sound, scan = promise.output.file, probe.sound(), material.scan
    if promise.channels is None:
        if sound is not None:
            _broken(f"{name} has sound that nobody asked for")
        return
    if sound is None or sound.codec_name != "aac":
        _broken(f"{name} has no AAC sound")
    if sound.channels != promise.channels:
        _broken(f"{name} has {sound.channels} channels, not {promise.channels}")
    if scan.sound_seconds is None or scan.sound_span_seconds is None:
        return
    # It begins where the file's clock does: silence stands for a late start.
    lead = max(0.0, (scan.sound_start or 0.0) - (material.probe.format.start_time or 0.0))
    longest = max(scan.sound_seconds, scan.sound_span_seconds) + lead
    shortest = min(scan.sound_seconds, scan.sound_span_seconds)
    length = sound.duration or 0.0
    if not (shortest - _SOUND_SECONDS_OFF_MAX <= length <= longest + _SOUND_SECONDS_OFF_MAX):
        _broken(f"{name} sounds for {length:.3f} s, the source for {scan.sound_seconds:.3f} s")


def _broken(detail: str) -> NoReturn:
    raise WorkFailed("output_broken", detail)
