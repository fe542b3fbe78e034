"""What an output will be with this source, before it is made: what the compiler makes of it and the
proof holds the file against. Pure.

It must never know how: no option and no filter is named here.
"""

import dataclasses

from mayfly.contract.formats import SoundCodec
from mayfly.contract.plan import Grid, PlanClock
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
from worker.drawing import Drawing, drawing
from worker.evenness import grid_of, shown_seconds
from worker.picture import Size
from worker.preflight import Material, Seen
from worker.probe import Stream
from worker.rungs import Rung, rungs_of
from worker.sampling import Sampling, places_of
from worker.thinning import joined, own_grid, thinning

#: Where the outputs go, beneath the attempt's folder.
OUTPUTS = "out"

#: Channel counts that codecs have a layout for; seven are mixed down to six.
LAYOUTS = {1: "mono", 2: "stereo", 3: "3.0", 4: "4.0", 5: "5.0", 6: "5.1", 8: "7.1"}
_MP3_CHANNELS_MAX = 2


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """What an output will be: the proof holds the file against it."""

    output: Output
    #: None: it shows no picture. Of a ladder, its first size.
    drawing: Drawing | None = None
    #: None: no sound.
    channels: int | None = None
    #: Of a ladder: its sizes, and the frames that all of them have.
    rungs: tuple[Rung, ...] = ()
    grid: Grid | None = None
    #: Of a ladder's sound: no shorter than this.
    sound_seconds: float = 0.0
    #: Of a film that is quicker than it shall be: which frames it keeps; None: all.
    thinning: Sampling | None = None
    #: Of a preview: the ticks, from the origin on, where each of its places begins.
    places: tuple[int, ...] = ()

    @property
    def size(self) -> Size | None:
        """Of what it shows."""
        return self.drawing.size if self.drawing is not None else None

    @property
    def drawings(self) -> tuple[Drawing, ...]:
        """Of each picture that it shows at once."""
        if self.rungs:
            return tuple(rung.drawing for rung in self.rungs)
        return (self.drawing,) if self.drawing is not None else ()

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


def promise(output: Output, material: Seen, clock: PlanClock | None = None) -> Promise:
    """What becomes of an output with this source; the grids of a ladder and of a quick film
    are the plan's, where there is one."""
    match output:
        case VideoOutput():
            assert material.picture is not None
            picture = material.picture
            drawn = drawing(picture, output, output.box, assets=material.assets)
            sized = Promise(
                output=output, drawing=drawn, thinning=_thinning(output, material, clock)
            )
            if output.audio is None:
                return sized
            return dataclasses.replace(sized, channels=_channels(sized, material.sound))
        case AudioOutput():
            promised = Promise(output=output)
            return dataclasses.replace(promised, channels=_channels(promised, material.sound))
        case PosterOutput() | StoryboardOutput() | ThumbnailsOutput():
            assert material.picture is not None
            return Promise(output=output, drawing=drawing(material.picture, output, output.box))
        case PreviewOutput():
            assert material.picture is not None
            return Promise(
                output=output,
                drawing=drawing(material.picture, output, output.box),
                places=_places(output, material) if isinstance(material, Material) else (),
            )
        case LadderOutput():
            assert material.picture is not None
            rungs = rungs_of(output, material.picture, material.assets)
            listed = material if isinstance(material, Material) else None
            grid = clock.grid if clock is not None else None
            if grid is None:
                assert listed is not None
                grid = grid_of(listed, output)
            laddered = Promise(
                output=output,
                drawing=rungs[0].drawing,
                rungs=rungs,
                grid=grid,
                sound_seconds=shown_seconds(listed, grid) if listed else 0.0,
            )
            if output.audio is None:
                return laddered
            return dataclasses.replace(laddered, channels=_channels(laddered, material.sound))


def _thinning(output: VideoOutput, material: Seen, clock: PlanClock | None) -> Sampling | None:
    if output.fps_max is None:
        return None
    if clock is not None:
        return joined(output, clock)
    assert isinstance(material, Material)
    origin = material.origin_ticks
    if origin is None:
        return None
    return thinning(output, own_grid(material), material.scan.tick, origin)


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
