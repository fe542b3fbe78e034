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

from mayfly.contract.recipe import Aac, AudioOutput, Output, PosterOutput, Recipe, VideoOutput
from mayfly.core import limits
from worker import pace
from worker.opening import DEMUXERS
from worker.picture import Size, fit
from worker.preflight import Material, Seen
from worker.probe import Stream

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
        pictures = shown_in(steady, pictured, lambda poster: _chosen(poster, material))
    sounds: dict[str, Any] = {}
    sounding = [p for p in promises if p.channels is not None]
    if material.sound is not None and sounding:
        heard = source[str(material.sound.index)]
        if origin_ticks is not None:
            heard = sound_since(heard, origin_ticks * material.scan.tick)
        sounds = heard_in(heard, material, sounding)
    outputs = [_output(p, material, pictures, sounds, threads) for p in promises]
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


def promise(output: Output, material: Seen) -> Promise:
    """What becomes of an output with this source."""
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


def _filtered(branch: Any, promise: Promise, chosen: Callable[[PosterOutput], str]) -> Any:
    assert promise.size is not None
    full_range = {}
    if isinstance(promise.output, PosterOutput):
        branch = branch.filter("select", chosen(promise.output))
        full_range = {"out_range": "full"}  # JPEG knows no other
    return (
        # Both sides are ours: a source that changes size midway stays in one shape. Bicubic is
        # ffmpeg's default, named so that a newer one cannot change the picture.
        branch.filter(
            "scale", promise.size.width, promise.size.height, flags="bicubic", **full_range
        )
        # Square pixels: the shape is in the size now.
        .filter("setsar", 1)
        # 8 bits, 4:2:0: the one format that every player decodes.
        .filter("format", "yuvj420p" if full_range else "yuv420p")
    )


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


def _output(
    promise: Promise,
    material: Material,
    pictures: dict[str, Any],
    sounds: dict[str, Any],
    threads: int,
) -> Any:
    output, target = promise.output, f"file:{promise.path}"
    match output:
        case VideoOutput():
            streams = [pictures[output.file]]
            options = h264(output, material, threads)
            if promise.channels is not None and output.audio is not None:
                streams.append(sounds[output.file])
                options |= aac(output.audio)
            return ffmpeg.output(*streams, target, **options, **mp4("mp4"))
        case AudioOutput():
            return ffmpeg.output(sounds[output.file], target, **aac(output.audio), **mp4("ipod"))
        case PosterOutput():
            return ffmpeg.output(pictures[output.file], target, **jpeg(output))


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
        promise.output.file: branch.filter(
            "aformat",
            sample_fmts="fltp",
            sample_rates=rate if rate in RATES_HZ else RATES_HZ[-1],
            channel_layouts=_LAYOUTS[promise.channels or 1],
        )
        for promise, branch in zip(promises, branches(steady, "asplit", len(promises)), strict=True)
    }


def branches(stream: Any, split: str, count: int) -> list[Any]:
    """The same stream so many times."""
    if count == 1:
        return [stream]
    node = stream.filter_multi_output(split, count)
    return [node[index] for index in range(count)]


def mp4(container: str) -> dict[str, Any]:
    """A file to deliver."""
    # The index in front: playback starts before it is loaded.
    return {"format": container, "movflags": "+faststart", **ANONYMOUS}


#: What is not taken over from the source.
ANONYMOUS = {
    # Telephones write where and when a film was made; what is published must not tell.
    "map_metadata": -1,
    "map_chapters": -1,  # they would become a track of their own
}
