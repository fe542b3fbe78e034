"""What an output will be with this source, before it is made: what the compiler makes of it and the
proof holds the file against. Pure.

It must never know how: no option and no filter is named here.
"""

import dataclasses
from collections.abc import Mapping

from mayfly.contract.formats import Kind, SoundCodec
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
    SubtitlesOutput,
    ThumbnailsOutput,
    VideoOutput,
)
from worker import tracks, words
from worker.drawing import Drawing, drawing
from worker.evenness import grid_of, shown_seconds
from worker.picture import Size
from worker.preflight import Material, Seen
from worker.rungs import Rung, rungs_of
from worker.sampling import Sampling, places_of
from worker.speeding import Quick, quick_of
from worker.thinning import joined, own_grid, thinning
from worker.tracks import Chosen

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
    #: What the file says of itself.
    tags: Mapping[str, str] = dataclasses.field(default_factory=dict)
    #: Its sound, the default first.
    tracks: tuple[Chosen, ...] = ()
    #: Of a ladder: its sizes, and the frames that all of them have.
    rungs: tuple[Rung, ...] = ()
    grid: Grid | None = None
    #: Of a ladder's sound: no shorter than this.
    sound_seconds: float = 0.0
    #: Of a film that is quicker than it shall be: which frames it keeps; None: all.
    thinning: Sampling | None = None
    #: Of a film that is sped up: its frames.
    quick: Quick | None = None
    #: Of a preview: the ticks, from the origin on, where each of its places begins.
    places: tuple[int, ...] = ()

    @property
    def channels(self) -> int | None:
        """Of the first sound track; None: no sound."""
        return self.tracks[0].channels if self.tracks else None

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
        return len(self.rungs) + len(self.tracks)

    @property
    def sound(self) -> Sound:
        """What is wanted of the sound of an output that has any."""
        silent = PosterOutput | SampledOutput | SubtitlesOutput
        if isinstance(self.output, silent) or self.output.audio is None:
            raise TypeError(f"{self.output.file} has no sound.")
        return self.output.audio

    @property
    def sound_codec(self) -> SoundCodec:
        """Of an output that has sound."""
        assert not isinstance(self.output, PosterOutput | SampledOutput | SubtitlesOutput)
        if isinstance(self.output, LadderOutput):
            return self.sound.codec_in(LADDER_SOUND)
        return self.sound.codec_in(self.output.holds)

    @property
    def holds(self) -> Kind:
        """What kind of file it is, of an output that is one file with sound."""
        assert isinstance(self.output, VideoOutput | AudioOutput)
        return self.output.holds

    @property
    def holds_one(self) -> bool:
        """Whether it is a file for one sound track."""
        output = self.output
        webm = isinstance(output, VideoOutput) and output.holds.container == "webm"
        return webm or isinstance(output, AudioOutput)

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
                output=output,
                drawing=drawn,
                thinning=_thinning(output, material, clock),
                tags=_tags(output, material),
                quick=quick_of(output, material) if isinstance(material, Material) else None,
            )
            if output.audio is None:
                return sized
            return dataclasses.replace(sized, tracks=_tracks(sized, material))
        case AudioOutput():
            promised = Promise(output=output, tags=_tags(output, material))
            return dataclasses.replace(promised, tracks=_tracks(promised, material))
        case SubtitlesOutput():
            return Promise(output=output)
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
            return _laddered(output, material, clock.grid if clock is not None else None)


def _laddered(output: LadderOutput, material: Seen, grid: Grid | None) -> Promise:
    assert material.picture is not None
    rungs = rungs_of(output, material.picture, material.assets)
    listed = material if isinstance(material, Material) else None
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
    return dataclasses.replace(laddered, tracks=_tracks(laddered, material))


def _tags(output: VideoOutput | AudioOutput, material: Seen) -> dict[str, str]:
    return words.kept(material.probe.tags) if output.metadata == "keep" else {}


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


def _tracks(promise: Promise, material: Seen) -> tuple[Chosen, ...]:
    """Those of the source that it has."""
    sound, output = promise.sound, promise.output
    named = sound.tracks != "first" or (
        isinstance(output, VideoOutput | AudioOutput) and output.metadata == "keep"
    )
    one = promise.holds_one
    found = tracks.chosen(sound, material.probe.sounds(), most=1 if one else tracks.TRACKS_MAX)
    return tuple(
        Chosen(
            streams=streams,
            channels=_channels(promise, sum(stream.channels for stream in streams)),
            language=words.language(streams[0].language) if named else "",
            # Where there is one, its name would be the file's.
            title=words.plain(streams[0].title) if named and not one else "",
        )
        for streams in found
    )


def _channels(promise: Promise, channels: int) -> int:
    """How many come of a source's."""
    wanted = min(channels or 1, promise.sound.channels_max)
    if promise.sound_codec == "mp3":
        wanted = min(wanted, _MP3_CHANNELS_MAX)
    return max(count for count in LAYOUTS if count <= wanted)
