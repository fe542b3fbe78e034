"""Compiles a recipe and a source into one ffmpeg command line: one decode for all outputs. Pure.

The only module that knows ffmpeg-python, and it only writes with it. Nothing that a user typed
becomes an option, a filter or a path, but for file names of the recipe's narrow pattern; there is
never a URL on the line.
"""

import dataclasses
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import ffmpeg

from mayfly.contract.plan import Grid
from mayfly.contract.recipe import (
    Aac,
    AudioOutput,
    LadderOutput,
    Output,
    PosterOutput,
    Recipe,
    VideoOutput,
)
from mayfly.core import limits
from worker import compile_ladder, pace
from worker.compile_ladder import Cut
from worker.evenness import grid_of, shown_seconds
from worker.opening import DEMUXERS
from worker.picture import Size, fit
from worker.preflight import Material, Seen
from worker.probe import Stream
from worker.rungs import Rung, rungs_of
from worker.streams import ANONYMOUS, branches, scaled

#: Where the outputs go, beneath the attempt's folder.
OUTPUTS = "out"

#: Channel counts that AAC has a layout for; seven are mixed down to six.
_LAYOUTS = {1: "mono", 2: "stereo", 3: "3.0", 4: "4.0", 5: "5.0", 6: "5.1", 8: "7.1"}
#: Sampling rates of AAC up to 48 kHz; others become the highest.
RATES_HZ = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
#: Where ffprobe sees that a frame holds two fields.
_INTERLACED = ("tt", "bb", "tb", "bt")
#: Keyframes are forced a little before the beat, since 2 s of 23.976 fps are no whole frames.
_BEAT_SLACK_SECONDS = 0.001

#: Where nobody says when a frame is shown, or what it is made of is missing, ffmpeg guesses, and
#: two may fall upon the same moment or change places: the later one comes a tick after the other.
#: What goes back further is no guess.
_FORWARD = "if(gte(PREV_OUTPTS-PTS,0)*lt(PREV_OUTPTS-PTS,0.5/TB),PREV_OUTPTS+1,PTS)"

_GLOBAL = (
    "-hide_banner",
    "-nostdin",  # a key press on a terminal must not stop an encode
    "-v", "level+verbose",  # each line says how grave it is; verbose ends with what was decoded
    "-nostats",
    "-progress", "pipe:1",
    "-stats_period", "1",
    "-max_alloc", str(1 << 30),  # one block, of which a hostile header could ask for any size
    "-y",
)  # fmt: skip


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

    @property
    def files(self) -> int:
        """How many ffmpeg writes: each size of a ladder is one, and its sound."""
        if not isinstance(self.output, LadderOutput):
            return 1
        return len(self.rungs) + (self.channels is not None)

    @property
    def path(self) -> str:
        """Beneath the attempt's folder."""
        return f"{OUTPUTS}/{self.output.file}"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A command line and what it promises."""

    argv: tuple[str, ...]
    promises: tuple[Promise, ...]


def compile_plan(recipe: Recipe, material: Material, *, ffmpeg_path: str, threads: int) -> Plan:
    """The one command line of a recipe."""
    source = ffmpeg.input(
        material.opening.url, **_torn_clock(material), **input_options(threads, material)
    )
    origin_ticks = material.origin_ticks
    promises = tuple(promise(output, material) for output in recipe.outputs)
    pictured = [p for p in promises if p.size is not None]
    pictures: dict[str, Any] = {}
    if material.picture is not None and pictured:
        # ffmpeg turns the picture upright by itself before the first filter (-autorotate).
        decoded = source[str(material.picture.index)]
        if origin_ticks is not None:
            decoded = picture_since(decoded, origin_ticks)
        if origin_ticks is None or material.scan.headless:
            decoded = decoded.filter("setpts", _FORWARD)
        steady = steady_picture(decoded, material)
        cut = Cut(tick=material.picture.tick, origin_ticks=origin_ticks)
        pictures = all_shown(steady, pictured, lambda poster: _chosen(poster, material), cut)
    sounds: dict[str, Any] = {}
    sounding = [p for p in promises if p.channels is not None]
    if material.sound is not None and sounding:
        heard = source[str(material.sound.index)]
        if origin_ticks is not None:
            heard = sound_since(heard, origin_ticks * material.scan.tick)
        sounds = heard_in(heard, material, sounding)
    outputs = [
        output for p in promises for output in _outputs(p, material, pictures, sounds, threads)
    ]
    # The first error of a demuxer or decoder ends it; without, a damaged source exits 0. Where a
    # stream is spliced the demuxer's word counts for nothing, so there the decoder alone is
    # strict (`err_detect`), and the proof reads how many errors it met.
    strict = () if material.spliced else ("-xerror",)
    clock = () if origin_ticks is None else ("-copyts",)
    flags = (*strict, *clock)
    return Plan(argv=command(ffmpeg_path, threads, flags, outputs), promises=promises)


def command(
    ffmpeg_path: str, threads: int, flags: Sequence[str], outputs: Sequence[Any]
) -> tuple[str, ...]:
    """The line of one run that makes all these."""
    # Filters run in a thread each and may use more of their own: bounded like the encoder's.
    graph = ("-filter_complex_threads", str(threads))
    arguments = ffmpeg.merge_outputs(*outputs).get_args()
    return (ffmpeg_path, *_GLOBAL, *flags, *graph, *arguments)


def input_options(threads: int, material: Seen) -> dict[str, Any]:
    """What keeps a hostile source within its bounds."""
    return {
        **material.opening.options,
        **({"err_detect": "explode"} if material.spliced else {}),
        "protocol_whitelist": material.opening.protocols,  # nothing nested
        # Content decides the demuxer, so name those that may.
        "format_whitelist": ",".join(DEMUXERS),
        "max_pixels": limits.SOURCE_PIXELS_MAX,  # a 1 MB picture can decode to gigabytes
        "threads": threads,  # fixed: the same task takes the same memory everywhere
    }


def _torn_clock(material: Material) -> dict[str, Any]:
    """Where two recordings meet, a packet of the first may come behind the second's first ones.
    ffmpeg takes it for a third recording, and shifts what follows once more, unless it believes
    such a jump as soon as it is a long one."""
    if not material.spliced or material.scan.regular:
        return {}
    return {"dts_delta_threshold": 2}


def picture_since(decoded: Any, origin_ticks: int) -> Any:
    """On a clock that is 0 at that tick, whatever a container says."""
    return decoded.filter("setpts", f"PTS-({origin_ticks})")


def sound_since(decoded: Any, origin_seconds: Fraction) -> Any:
    """On the picture's clock, to the nearest sample: an expression's fraction would be cut off."""
    return decoded.filter("asetpts", f"round(PTS-({origin_seconds})/TB)")


def promise(output: Output, material: Seen, grid: Grid | None = None) -> Promise:
    """What becomes of an output with this source; a ladder's grid is the plan's, where there is
    one."""
    match output:
        case VideoOutput():
            assert material.picture is not None
            sound = material.sound if output.audio else None
            return Promise(
                output=output,
                size=fit(material.picture, output.box),
                channels=_channels(sound, output.audio) if sound and output.audio else None,
            )
        case AudioOutput():
            assert material.sound is not None
            return Promise(output=output, channels=_channels(material.sound, output.audio))
        case PosterOutput():
            assert material.picture is not None
            return Promise(output=output, size=fit(material.picture, output.box))
        case LadderOutput():
            assert material.picture is not None
            rungs = rungs_of(output, material.picture)
            listed = material if isinstance(material, Material) else None
            if grid is None:
                assert listed is not None
                grid = grid_of(listed, output)
            sound = material.sound if output.audio else None
            return Promise(
                output=output,
                size=rungs[0].size,
                channels=_channels(sound, output.audio) if sound and output.audio else None,
                rungs=rungs,
                grid=grid,
                sound_seconds=shown_seconds(listed, grid) if listed else 0.0,
            )


def _channels(sound: Stream, aac: Aac) -> int:
    wanted = min(sound.channels or 1, aac.channels_max)
    return max(count for count in _LAYOUTS if count <= wanted)


def steady_picture(decoded: Any, material: Seen) -> Any:
    """Whole frames. What stands before this or in it remembers frames, so it comes before a cut."""
    assert material.picture is not None
    if material.picture.field_order not in _INTERLACED:
        return decoded
    # One frame for one frame, and only those that say they are interlaced.
    return decoded.filter("bwdif", mode="send_frame", parity="auto", deint="interlaced")


def shown_in(
    steady: Any, promises: Sequence[Promise], chosen: Callable[[PosterOutput], str]
) -> dict[str, Any]:
    """A filtered stream for each output that shows a picture, all from one decode. `chosen` selects
    the frame of a still."""
    return {
        promise.output.file: _filtered(branch, promise, chosen)
        for branch, promise in zip(branches(steady, "split", len(promises)), promises, strict=True)
    }


def all_shown(
    steady: Any, promises: Sequence[Promise], chosen: Callable[[PosterOutput], str], cut: Cut
) -> dict[str, Any]:
    """A filtered stream for each picture of each output. What lives on a grid is cut behind its
    filter, which must see the frame before the first one; all else on the source's times."""
    flat = [promise for promise in promises if not promise.rungs]
    ladders = [promise for promise in promises if promise.rungs]
    stems = branches(steady, "split", bool(flat) + len(ladders))
    pictures = shown_in(cut.own(stems.pop(0)), flat, chosen) if flat else {}
    for ladder, stem in zip(ladders, stems, strict=True):
        assert ladder.grid is not None and isinstance(ladder.output, LadderOutput)
        pictures |= compile_ladder.pictures(stem, ladder.output, ladder.rungs, ladder.grid, cut)
    return pictures


def _filtered(branch: Any, promise: Promise, chosen: Callable[[PosterOutput], str]) -> Any:
    assert promise.size is not None
    if not isinstance(promise.output, PosterOutput):
        return scaled(branch, promise.size)
    return scaled(branch.filter("select", chosen(promise.output)), promise.size, full_range=True)


def poster_frame(poster: PosterOutput, material: Material) -> int:
    """Which frame is wanted, counted from 0."""
    return round(poster.at_fraction * (material.scan.frames - 1))


def _chosen(poster: PosterOutput, material: Material) -> str:
    """Selects the poster's picture. By its moment: a decoder that swallows the first pictures of a
    recording shifts the numbers. By number only where the clock is not to be trusted."""
    scan, number = material.scan, poster_frame(poster, material)
    if not scan.regular or number == 0:
        return f"gte(n,{number})"
    # Half a picture early, against rounding.
    early = (scan.ticks[number] + scan.ticks[number - 1]) / 2
    if (origin_ticks := material.origin_ticks) is not None:
        moment = (early - origin_ticks) * float(scan.tick)
    else:  # ffmpeg counts time from the container's start
        moment = early * float(scan.tick) - (material.probe.format.start_time or 0.0)
    return f"gte(t,{moment:.6f})"


def _outputs(
    promise: Promise,
    material: Material,
    pictures: dict[str, Any],
    sounds: dict[str, Any],
    threads: int,
) -> list[Any]:
    output, target = promise.output, f"file:{promise.path}"
    match output:
        case VideoOutput():
            streams = [pictures[output.file]]
            options = h264(output, material, threads)
            if promise.channels is not None and output.audio is not None:
                streams.append(sounds[output.file])
                options |= aac(output.audio)
            return [ffmpeg.output(*streams, target, **options, **mp4("mp4"))]
        case AudioOutput():
            return [ffmpeg.output(sounds[output.file], target, **aac(output.audio), **mp4("ipod"))]
        case PosterOutput():
            return [ffmpeg.output(pictures[output.file], target, **jpeg(output))]
        case LadderOutput():
            assert promise.grid is not None
            made = compile_ladder.rungs(output, promise.rungs, promise.grid, pictures, 0, threads)
            return [*made, *ladder_sound(promise, sounds)]


def ladder_sound(promise: Promise, sounds: dict[str, Any]) -> list[Any]:
    """The sound of a ladder, if it has any."""
    output = promise.output
    assert isinstance(output, LadderOutput)
    if promise.channels is None or output.audio is None:
        return []
    return [compile_ladder.sound(output, sounds[output.file], aac(output.audio))]


def jpeg(poster: PosterOutput) -> dict[str, Any]:
    """One still picture."""
    return {
        "format": "image2",
        "update": 1,  # one file, whatever its name
        "c:v": "mjpeg",
        "q:v": poster.quality,
        "frames:v": 1,
        "fps_mode:v": "passthrough",  # the one chosen, none for the gap before
        "map_metadata": -1,
        "threads": 1,
    }


def h264(output: VideoOutput, material: Seen, threads: int) -> dict[str, Any]:
    """The encoder and its clock."""
    assert material.picture is not None
    distance = output.keyframe_seconds - _BEAT_SLACK_SECONDS
    options: dict[str, Any] = {
        "c:v": "libx264",
        "preset": output.speed,
        "crf": output.crf,
        # What every decoder of this century knows; x264 loses nothing in another one only.
        "profile:v": "high" if output.crf else "high444",
        # x264's output depends on its thread count, so it is never left to the machine.
        "threads": threads,
        # Every decoded frame once: none doubled to fill a gap, none dropped.
        "fps_mode:v": "passthrough",
        # Its moment stays exact: the source's own ticks, not those of a guessed frame rate.
        "enc_time_base:v": "demux",
        # By time, since frames of a variable rate do not count it.
        "force_key_frames:v": f"expr:isnan(prev_forced_t)+gte(t,prev_forced_t+{distance:g})",
        # Sound that begins late must not end the encode for want of a buffer.
        "max_muxing_queue_size": 9999,
    }
    if (frames := pace.keyframe_distance(output, material.picture)) is not None:
        options["g"] = frames  # the same beat, for x264's own planning
    return options


def aac(wanted: Aac) -> dict[str, Any]:
    """The encoder of sound."""
    return {"c:a": "aac", "b:a": f"{wanted.bitrate_kbps}k"}


def heard_in(decoded: Any, material: Seen, promises: Sequence[Promise]) -> dict[str, Any]:
    """A filtered stream for each output that has sound."""
    assert material.sound is not None
    # Gaps are filled with silence, so that sound and picture stay together; and it begins where
    # the picture's clock does, since players treat a late start in different ways.
    steady = decoded.filter("aresample", **{"async": 1, "first_pts": 0})
    rate = material.sound.sample_rate
    return {
        promise.output.file: _lasting(branch, promise).filter(
            "aformat",
            sample_fmts="fltp",
            sample_rates=rate if rate in RATES_HZ else RATES_HZ[-1],
            channel_layouts=_LAYOUTS[promise.channels or 1],
        )
        for promise, branch in zip(promises, branches(steady, "asplit", len(promises)), strict=True)
    }


def _lasting(heard: Any, promise: Promise) -> Any:
    """Where sound is a file of its own, players wait for it at its end: silence follows it there
    for as long as there is a picture."""
    if not promise.sound_seconds:
        return heard
    return heard.filter("apad", whole_dur=f"{promise.sound_seconds:.6f}")


def mp4(container: str) -> dict[str, Any]:
    """A file to deliver."""
    # The index in front: playback starts before it is loaded.
    return {"format": container, "movflags": "+faststart", **ANONYMOUS}
