"""Compiles a picture that keeps its own times: from fields to frames, the encoder and its clock,
the file that is delivered. Pure."""

from typing import Any

from mayfly.contract.recipe import VideoOutput
from worker import pace
from worker.preflight import Seen
from worker.streams import ANONYMOUS

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


def mp4(container: str) -> dict[str, Any]:
    """A file to deliver."""
    # The index in front: playback starts before it is loaded.
    return {"format": container, "movflags": "+faststart", **ANONYMOUS}
