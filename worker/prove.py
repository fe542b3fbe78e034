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
    SubtitlesOutput,
    ThumbnailsOutput,
    VideoOutput,
)
from mayfly.contract.report import Media, Proof, SoundTrack
from worker import words
from worker.ends import WorkFailed
from worker.halt import Halt
from worker.made import Made, Measure, broken, prove_built
from worker.opening import SOURCE
from worker.preflight import Material
from worker.probe import Probe, Stream
from worker.prober import Prober
from worker.promise import Plan, Promise
from worker.prove_picture import (
    kept_of,
    prove_coded,
    prove_colours,
    prove_frames,
    prove_length,
    prove_pace,
    prove_size,
)
from worker.prove_sound import (
    encoded_samples,
    prove_samples,
    prove_sound,
    prove_sound_coded,
    prove_told,
)
from worker.run import Ending
from worker.tracks import Chosen

#: A file's own clock, on which its pauses are, where no finer one suits all of its tracks.
_FILE_TICK_SECONDS = Fraction(1, 1000)

#: Of each sound track: how many it has; None: nobody said.
Samples = Sequence[int | None]

_DECODED = re.compile(r"Input stream #0:(\d+) \(video\): .*?(\d+) frames decoded")
_ERRORS = re.compile(r"Input stream #0:\d+ .*?(\d+) decode errors")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What an output must be that is joined of proven parts."""

    frames: int
    #: When its first picture is shown, in seconds from the plan's origin, where its sound begins.
    begins: Fraction = Fraction(0)
    #: Its sound tracks, as who encoded them has told; nobody may have, of films of older workers.
    sounds: tuple[SoundTrack, ...] = ()

    @property
    def samples(self) -> Samples:
        """What each presents."""
        return tuple(sound.samples for sound in self.sounds)


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
        self, promise: Promise, material: Material, frames: int | None, samples: Samples
    ) -> Media | None:
        output = promise.output
        match output:
            case PosterOutput():
                return self._still(promise)
            case VideoOutput():
                assert frames is not None
                made = self._made(promise)
                scan, count = kept_of(promise, made, material, frames)
                if promise.quick is not None:
                    count = prove_pace(promise, made, material, frames)
                else:
                    prove_length(made, scan, count)
                picture = _film(output, made, count)
                prove_size(promise, picture)
                prove_colours(promise, picture)
                prove_sound(promise, made, material)
                prove_told(made, promise.tags, promise.tracks)
                return _media(made, samples, count)
            case AudioOutput():
                made = self._made(promise)
                prove_built(made)
                prove_sound(promise, made, material)
                prove_told(made, promise.tags, promise.tracks)
                return _media(made, samples)
            case StoryboardOutput() | ThumbnailsOutput() | PreviewOutput() | LadderOutput():
                return None
            case SubtitlesOutput():
                raise TypeError(f"{output.file} is none of ffmpeg's.")

    def part(self, promise: Promise) -> None:
        """What a chunk made of a film is of the promised size and colours; its frames are counted
        elsewhere. Raises WorkFailed(output_broken), Halted."""
        probe = self._measure.probed(promise.output.file, promise.path, "mov")
        picture = probe.picture()
        if picture is None:
            broken(f"{promise.output.file} has no picture")
        prove_size(promise, picture)
        prove_colours(promise, picture)

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

    def _sound(self, promise: Promise, material: Material, samples: Samples) -> Media:
        made = self._made(promise)
        prove_sound(promise, made, material)
        media = _media(made, samples)
        if isinstance(promise.output, AudioOutput):
            prove_built(made)
            prove_told(made, promise.tags, promise.tracks)
            return media
        # What these say, the film is told when they are joined with its picture.
        named = tuple(
            msgspec.structs.replace(found, language=track.language, title=track.title)
            for found, track in zip(media.sounds, promise.tracks, strict=True)
        )
        return msgspec.structs.replace(media, sounds=named)

    def heard(self, promise: Promise, track: Chosen, path: str) -> Probe:
        """A sound of a ladder, in a file of its own; how long it is, its boxes tell better. Raises
        WorkFailed(output_broken), Halted."""
        probe = self._measure.probed(promise.output.file, path, "mov")
        prove_sound_coded(promise, [track], probe)
        if words.language(probe.sounds()[0].language) != track.language:
            broken(f"a sound of {promise.output.file} is in another language")
        return probe

    def listed(self, name: str, path: str, demuxer: str) -> Probe:
        """A file of text, whose packets another program counts. Raises WorkFailed(output_broken),
        Halted."""
        return self._measure.probed(name, path, demuxer)

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
                prove_told(made, promise.tags, expected.sounds)
                return _retold(_media(made, expected.samples), expected)
            case VideoOutput():
                made = self._made(promise)
                picture = _film(output, made, expected.frames)
                begins = made.picture_begins
                assert begins is not None
                if abs(begins - expected.begins) > max(picture.tick, _FILE_TICK_SECONDS):
                    wanted = float(expected.begins)
                    broken(f"{output.file} begins at {float(begins):.6f} s, not at {wanted:.6f} s")
                media = _media(made, expected.samples, expected.frames)
                prove_told(made, promise.tags, expected.sounds)
                return _retold(media, expected)
            case StoryboardOutput() | ThumbnailsOutput() | PreviewOutput() | LadderOutput():
                raise TypeError(f"{output.file} is not joined into a file.")
            case SubtitlesOutput():
                raise TypeError(f"{output.file} is not joined, but brought as it is.")

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


def _media(made: Made, samples: Samples, frames: int | None = None) -> Media:
    """As a report tells it, with how many samples it presents: just those that went in."""
    named = ",".join(dict.fromkeys(made.codecs)) or None
    media = msgspec.structs.replace(made.probe.media(frames=frames), codecs=named)
    if len(samples) != len(made.sounds):
        broken(f"{made.name} has {len(made.sounds)} sound tracks, not {len(samples)}")
    for sounded, given in zip(made.sounds, samples, strict=True):
        prove_samples(made.name, sounded, given)
    heard = tuple(
        SoundTrack(
            channels=one.stream.channels,
            language=words.language(one.stream.language),
            title=words.plain(one.stream.title),
            samples=one.samples,
        )
        for one in made.sounds
    )
    first = heard[0].samples if heard else None
    tags = words.kept(made.probe.tags)
    return msgspec.structs.replace(media, samples=first, sounds=heard, tags=tags or None)


def _retold(media: Media, expected: Expected) -> Media:
    """With what only those know who have heard its source."""
    sounds = tuple(
        msgspec.structs.replace(found, loudness=told.loudness)
        for found, told in zip(media.sounds, expected.sounds, strict=True)
    )
    return msgspec.structs.replace(media, sounds=sounds)


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
