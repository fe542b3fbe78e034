"""When the frames of a part are decoded, so that parts can be laid behind each other. Pure.

Why: x264, and x265 like it, has its B-frames decoded before they are shown. Frame n it wants
decoded when frame n-2 is shown; for the first two there is no such frame, and it counts back from
the beginning by as much as its first two frames take. So parts that begin with frames of different
length would begin in different ways, while only one beginning can stand before the joined file; and
they might begin before the part before them ends. But the last two frames of that part, whatever
they take, are free moments: no frame is decoded when they are shown. So the first two are decoded
one and two of the source's shortest frames before the part begins. It must never change when a
frame is shown.
"""

from itertools import pairwise

from mayfly.contract.formats import VideoCodec
from mayfly.contract.recipe import Speed, VideoOutput
from worker.preflight import Material
from worker.probe import Stream


def frame_ticks(material: Material) -> int:
    """How long the shortest frame is shown."""
    gaps = (later - tick for tick, later in pairwise(material.scan.ticks))
    return min(gaps, default=1)


def keyframe_distance(output: VideoOutput, picture: Stream) -> int | None:
    """Frames; None when nobody says how many frames a second has."""
    rate = picture.frames_per_second
    return max(1, round(rate * output.keyframe_seconds)) if rate else None


def depth(output: VideoOutput, picture: Stream) -> int:
    """So many frames its encoder reorders: two where three B-frames in a row may be one upon the
    other. x264: one where its keyframes leave room for a single one (`x264_validate_parameters`),
    none at its quickest; x265: two unless each frame is a keyframe. AV1 and VP9
    hide frames that are decoded early in the packet of one that is shown."""
    distance = keyframe_distance(output, picture)
    room = 2 if distance is None else min(2, distance - 1)
    if not reorders(output.codec, output.speed):
        return 0
    if output.codec == "hevc":
        return 2 if room else 0
    return room


def reorders(codec: VideoCodec, speed: Speed) -> bool:
    """Whether it has pictures decoded before they are shown, where its keyframes leave room."""
    return codec == "hevc" or (codec == "h264" and speed != "ultrafast")
