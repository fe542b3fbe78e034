"""Compiles a picture that keeps its own times: from fields to frames, the encoder and its clock.
Pure."""

from fractions import Fraction
from typing import Any

from mayfly.contract.recipe import VideoOutput
from worker import compile_codecs, containers, pace
from worker.colour import graded
from worker.compile_codecs import Making
from worker.preflight import Seen
from worker.probe import Stream
from worker.promise import Promise

#: Where ffprobe sees that a frame holds two fields.
_INTERLACED = ("tt", "bb", "tb", "bt")
#: Keyframes are forced a little before the beat, since 2 s of 23.976 fps are no whole frames.
_BEAT_SLACK_SECONDS = 0.001


def steady(decoded: Any, material: Seen) -> Any:
    """Whole frames. What stands before this or in it remembers frames, so it comes before a cut."""
    assert material.picture is not None
    if material.picture.field_order not in _INTERLACED:
        return decoded
    # One frame for one frame, and only those that say they are interlaced.
    return decoded.filter("bwdif", mode="send_frame", parity="auto", deint="interlaced")


def sped(steady: Any, promise: Promise, tick: Fraction) -> Any:
    """The chosen frames, each at its new moment. Of a whole source only: `cuts` has it so."""
    quick = promise.quick
    assert quick is not None
    clocked = steady.filter("settb", f"{tick.numerator}/{tick.denominator}")
    chosen = clocked.filter("select", quick.sampling.expression())
    return chosen.filter("setpts", quick.moment())


def encoded(
    output: VideoOutput, picture: Stream, threads: int, *, later: bool = False
) -> dict[str, Any]:
    """The encoder of such a picture, and its clock; `later` of a chunk that is not the first."""
    making = Making(
        threads=threads,
        rate=picture.frames_per_second,
        later=later,
        mastered=graded(picture, keep=output.hdr == "keep").mastered,
    )
    distance = output.keyframe_seconds - _BEAT_SLACK_SECONDS
    options: dict[str, Any] = {
        **compile_codecs.told(output, making),
        **containers.tag(output),
        # Every decoded frame once: none doubled to fill a gap, none dropped.
        "fps_mode:v": "passthrough",
        # Its moment stays exact: the source's own ticks, not those of a guessed frame rate.
        "enc_time_base:v": "demux",
        # By time, since frames of a variable rate do not count it.
        "force_key_frames:v": f"expr:isnan(prev_forced_t)+gte(t,prev_forced_t+{distance:g})",
        # Sound that begins late must not end the encode for want of a buffer.
        "max_muxing_queue_size": 9999,
    }
    if (frames := pace.keyframe_distance(output, picture)) is not None:
        options["g"] = frames  # the same beat, for the encoder's own planning
    return options
