"""The proof: an output counts only when it is what was promised.

Why: ffmpeg exits 0 on a truncated input, on an empty stream and on a dropped one. The reference
must not come from the run that is judged: pictures are counted as the packets that a demuxer of
another program listed before the encode (`scan.Scan`). Where a decoder rightly gives another
number (fields stored as packets of their own, hidden pictures, a recording that begins between
keyframes), that other program decodes too, and both must agree.

Tolerances: none in the number of pictures, and none in the sound between what the encoder was given
and what the file presents (but for AAC in Matroska, which has no word for its end: `made`). Lengths
may differ by two pictures and 0.1 s (ticks are rounded, and a last picture's length is anybody's
guess), sound by 0.3 s.
"""

import dataclasses
import re
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import msgspec

from mayfly.contract.recipe import (
    AudioOutput,
    LadderOutput,
    PosterOutput,
    PreviewOutput,
    SampledOutput,
    StoryboardOutput,
    ThumbnailsOutput,
    VideoOutput,
)
from mayfly.contract.report import Media, Proof
from worker.ends import WorkFailed
from worker.halt import Halt
from worker.made import Made, Measure, broken, prove_built
from worker.opening import SOURCE
from worker.preflight import Material
from worker.probe import Probe, Stream
from worker.prober import Prober
from worker.promise import Plan, Promise
from worker.prove_picture import (
    prove_coded,
    prove_frames,
    prove_length,
    prove_pace,
    prove_size,
)
from worker.prove_sound import encoded_samples, prove_samples, prove_sound, prove_sound_coded
from worker.run import Ending

#: A file's own clock, on which its pauses are, where no finer one suits all of its tracks.
_FILE_TICK_SECONDS = Fraction(1, 1000)

_DECODED = re.compile(r"Input stream #0:(\d+) \(video\): .*?(\d+) frames decoded")
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
class Judge:
    """Holds the outputs of one encode against its promises."""

    prober: Prober
    folder: Path
    halt: Halt

    def prove(self, plan: Plan, material: Material, ending: Ending) -> tuple[Media | None, ...]:
        """What each output is; nothing of a ladder, which is proven by its segments, nor of what
        is many pictures (`gallery`). Raises
        WorkFailed(output_broken, source_truncated), Halted."""
        errors = sum(int(found[1]) for line in ending.tail if (found := _ERRORS.search(line)))
        if errors:
            raise WorkFailed("source_corrupt", f"the decoders met {errors} errors")
        frames = None
        moving = VideoOutput | LadderOutput | SampledOutput
        if any(isinstance(p.output, moving) for p in plan.promises):
            frames = self._frames(material, ending)
        heard = encoded_samples(plan, material, ending)
        return tuple(
            self._one(promise, material, frames, samples)
            for promise, samples in zip(plan.promises, heard, strict=True)
        )

    def _frames(self, material: Material, ending: Ending) -> int:
        """How many pictures the source has."""
        assert material.picture is not None
        packets = material.scan.frames
        decoded = decoded_frames(ending, material.picture.index)
        if decoded is None or decoded == packets:
            return packets
        again = self.prober.decoded_frames(
            SOURCE, material.picture.index, folder=self.folder, halt=self.halt
        )
        if again != decoded:
            broken(f"{packets} packets gave {decoded} pictures here and {again} there")
        if decoded == 0:
            raise WorkFailed("source_corrupt", f"none of its {packets} packets is a picture")
        return decoded

    def _one(
        self, promise: Promise, material: Material, frames: int | None, samples: int | None
    ) -> Media | None:
        output = promise.output
        match output:
            case PosterOutput():
                return self._still(promise)
            case VideoOutput():
                assert frames is not None
                made = self._made(promise)
                if promise.quick is not None:
                    frames = prove_pace(promise, made, material, frames)
                else:
                    prove_length(made, material.scan, frames)
                prove_size(promise, _film(output, made, frames))
                prove_sound(promise, made, material)
                return _media(made, samples, frames)
            case AudioOutput():
                made = self._made(promise)
                prove_built(made)
                prove_sound(promise, made, material)
                return _media(made, samples)
            case StoryboardOutput() | ThumbnailsOutput() | PreviewOutput() | LadderOutput():
                return None

    def sounds(self, plan: Plan, material: Material, ending: Ending) -> tuple[Media | None, ...]:
        """What the sound of each output is; nothing of a ladder's. Raises
        WorkFailed(output_broken), Halted."""
        heard = encoded_samples(plan, material, ending)
        return tuple(
            None
            if isinstance(promise.output, LadderOutput)
            else self._sound(promise, material, samples)
            for promise, samples in zip(plan.promises, heard, strict=True)
        )

    def _sound(self, promise: Promise, material: Material, samples: int | None) -> Media:
        made = self._made(promise)
        if isinstance(promise.output, AudioOutput):
            prove_built(made)
        prove_sound(promise, made, material)
        return _media(made, samples)

    def heard(self, promise: Promise, path: str) -> Probe:
        """A ladder's sound, in a file of its own; how long it is, its boxes tell better. Raises
        WorkFailed(output_broken), Halted."""
        probe = self._measure.probed(promise.output.file, path, "mov")
        prove_sound_coded(promise, probe)
        return probe

    def joined(self, promise: Promise, expected: Expected) -> Media:
        """What an output is that was joined of proven parts; a ladder never is. Raises WorkFailed,
        Halted."""
        output = promise.output
        match output:
            case PosterOutput():
                probe = self._measure.probed(output.file, promise.path, "jpeg_pipe")
                return probe.media(frames=1)
            case AudioOutput():
                made = self._made(promise)
                prove_built(made)
                return _media(made, expected.samples)
            case VideoOutput():
                made = self._made(promise)
                picture = _film(output, made, expected.frames)
                begins = made.picture_begins
                assert begins is not None
                if abs(begins - expected.begins) > max(picture.tick, _FILE_TICK_SECONDS):
                    wanted = float(expected.begins)
                    broken(f"{output.file} begins at {float(begins):.6f} s, not at {wanted:.6f} s")
                return _media(made, expected.samples, expected.frames)
            case StoryboardOutput() | ThumbnailsOutput() | PreviewOutput() | LadderOutput():
                raise TypeError(f"{output.file} is not joined into a file.")

    def _still(self, promise: Promise) -> Media:
        name = promise.output.file
        probe = self._measure.probed(name, promise.path, "jpeg_pipe")
        prove_size(promise, prove_frames(name, probe, "mjpeg", 1))
        return probe.media(frames=1)

    def _made(self, promise: Promise) -> Made:
        output = promise.output
        assert isinstance(output, VideoOutput | AudioOutput)
        return self._measure.made(output.file, promise.path, output.holds)

    @property
    def _measure(self) -> Measure:
        return Measure(prober=self.prober, folder=self.folder, halt=self.halt)


def _film(output: VideoOutput, made: Made, frames: int) -> Stream:
    """Its picture, which is coded and packed as was promised."""
    prove_built(made, fragmented=output.fragmented)
    picture = prove_frames(output.file, made.probe, output.codec, frames)
    prove_coded(output, made, picture)
    return picture


def _media(made: Made, samples: int | None, frames: int | None = None) -> Media:
    """As a report tells it, with how many samples it presents: just those that went in."""
    media = made.probe.media(frames=frames)
    if media.audio_codec is None:
        return media
    prove_samples(made, samples)
    return msgspec.structs.replace(media, samples=made.samples)


def summed(media: Sequence[Media], **more: Any) -> Proof:
    """What was proven of outputs that are these."""
    samples = [one.samples for one in media if one.samples is not None]
    return Proof(
        frames=max((one.frames or 0 for one in media), default=0),
        samples=max(samples, default=None),
        **more,
    )


def decoded_frames(ending: Ending, index: int) -> int | None:
    """How many frames of a stream ffmpeg says that it has decoded."""
    for line in ending.tail:
        if (found := _DECODED.search(line)) and int(found[1]) == index:
            return int(found[2])
    return None
