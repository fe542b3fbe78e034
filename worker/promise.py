"""What an output will be with this source, before it is made: what the compiler makes of it and the
proof holds the file against. Pure.

It must never know how: no option and no filter is named here.
"""

import dataclasses

from mayfly.contract.formats import SoundCodec
from mayfly.contract.plan import Grid
from mayfly.contract.recipe import (
    LADDER_SOUND,
    AudioOutput,
    LadderOutput,
    Output,
    PosterOutput,
    PreviewOutput,
    SampledOutput,
    Sound,
    StoryboardOutput,
    ThumbnailsOutput,
    VideoOutput,
)
from worker.evenness import grid_of, shown_seconds
from worker.picture import Size, fit
from worker.preflight import Material, Seen
from worker.probe import Stream
from worker.rungs import Rung, rungs_of
from worker.sampling import places_of
from worker.speeding import Quick, quick_of

#: Where the outputs go, beneath the attempt's folder.
OUTPUTS = "out"

#: Channel counts that codecs have a layout for; seven are mixed down to six.
LAYOUTS = {1: "mono", 2: "stereo", 3: "3.0", 4: "4.0", 5: "5.0", 6: "5.1", 8: "7.1"}
_MP3_CHANNELS_MAX = 2


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """What an output will be: the proof holds the file against it."""

    output: Output
    size: Size | None = None
    #: None: no sound.
    channels: int | None = None
    #: Of a ladder: its sizes, and the frames that all of them have.
    rungs: tuple[Rung, ...] = ()
    grid: Grid | None = None
    #: Of a ladder's sound: no shorter than this.
    sound_seconds: float = 0.0
    #: Of a film that is sped up: its frames.
    quick: Quick | None = None
    #: Of a preview: the ticks, from the origin on, where each of its places begins.
    places: tuple[int, ...] = ()

    @property
    def files(self) -> int:
        """How many ffmpeg writes: each size of a ladder is one, and its sound."""
        if isinstance(self.output, SampledOutput):
            return 2  # its pictures, and when they are shown
        if not isinstance(self.output, LadderOutput):
            return 1
        return len(self.rungs) + (self.channels is not None)

    @property
    def sound(self) -> Sound:
        """What is wanted of the sound of an output that has any."""
        if isinstance(self.output, PosterOutput | SampledOutput) or self.output.audio is None:
            raise TypeError(f"{self.output.file} has no sound.")
        return self.output.audio

    @property
    def sound_codec(self) -> SoundCodec:
        """Of an output that has sound."""
        assert not isinstance(self.output, PosterOutput | SampledOutput)
        if isinstance(self.output, LadderOutput):
            return self.sound.codec_in(LADDER_SOUND)
        return self.sound.codec_in(self.output.holds)

    @property
    def path(self) -> str:
        """Beneath the attempt's folder."""
        return f"{OUTPUTS}/{self.output.file}"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A command line and what it promises."""

    argv: tuple[str, ...]
    promises: tuple[Promise, ...]


def promise(output: Output, material: Seen, grid: Grid | None = None) -> Promise:
    """What becomes of an output with this source; a ladder's grid is the plan's, where there is
    one."""
    match output:
        case VideoOutput():
            assert material.picture is not None
            sized = Promise(
                output=output,
                size=fit(material.picture, output.box, enlarge=output.enlarge),
                quick=quick_of(output, material) if isinstance(material, Material) else None,
            )
            if output.audio is None:
                return sized
            return dataclasses.replace(sized, channels=_channels(sized, material.sound))
        case AudioOutput():
            promised = Promise(output=output)
            return dataclasses.replace(promised, channels=_channels(promised, material.sound))
        case PosterOutput() | StoryboardOutput() | ThumbnailsOutput():
            assert material.picture is not None
            return Promise(output=output, size=fit(material.picture, output.box))
        case PreviewOutput():
            assert material.picture is not None
            return Promise(
                output=output,
                size=fit(material.picture, output.box),
                places=_places(output, material) if isinstance(material, Material) else (),
            )
        case LadderOutput():
            assert material.picture is not None
            rungs = rungs_of(output, material.picture)
            listed = material if isinstance(material, Material) else None
            if grid is None:
                assert listed is not None
                grid = grid_of(listed, output)
            laddered = Promise(
                output=output,
                size=rungs[0].size,
                rungs=rungs,
                grid=grid,
                sound_seconds=shown_seconds(listed, grid) if listed else 0.0,
            )
            if output.audio is None:
                return laddered
            return dataclasses.replace(laddered, channels=_channels(laddered, material.sound))


def _places(output: PreviewOutput, material: Material) -> tuple[int, ...]:
    origin, scan = material.origin_ticks, material.scan
    assert material.picture is not None
    ticks = [] if origin is None else [scan.ticks[0] - origin, scan.ticks[-1] - origin]
    return places_of(output, ticks, material.picture.tick)


def _channels(promise: Promise, sound: Stream | None) -> int | None:
    """How many come of the source's; None where it has no sound."""
    if sound is None:
        return None
    wanted = min(sound.channels or 1, promise.sound.channels_max)
    if promise.sound_codec == "mp3":
        wanted = min(wanted, _MP3_CHANNELS_MAX)
    return max(count for count in LAYOUTS if count <= wanted)
