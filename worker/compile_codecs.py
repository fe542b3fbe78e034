"""What each encoder of pictures is told: rate, speed, depth, threads. Pure.

One recipe's words mean the same for all: seven speeds, a rate factor of 0 that loses nothing, a cap
with a buffer of two seconds, keyframes where they are forced and nowhere that a decoder could not
begin. Threads are part of a task's size and never left to the machine: bytes depend on them.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any

from mayfly.contract.formats import VideoCodec
from mayfly.contract.recipe import Speed, VideoOutput
from worker.colour import Mastered

#: What a player has buffered of a capped film before it begins, in seconds of the cap. A file is
#: loaded ahead further than a ladder's segment, and with more room the cap hurts less.
_BUFFER_SECONDS = 2

#: How full x264 and x265 take that buffer to be where a chunk begins that is not the first: about
#: as full as x264 leaves it behind the chunk before. Its own nine tenths nobody has there: under a
#: cap that bites in every frame, a player that never waits for the whole waited 3.7 s in a minute
#: of a ladder's chunks of 4 s. x264 keeps the buffer about half full where it looks ahead: with 0.5
#: there were 0.08 s left, with 0.4 none. In chunks of a minute neither bytes nor SSIM changed by a
#: thousandth. `ultrafast` does not look ahead and leaves a ninth; with less, chunks would begin in
#: a blur.
_FULL_LATER = Fraction(4, 10)
_FULL_LATER_BLIND = Fraction(1, 10)

#: SVT-AV1 refuses to hear of more.
_RATE_MAX = 240
#: Where nobody says how many frames a second has.
_RATE_GUESSED = Fraction(25)

#: SVT-AV1's presets. Beyond 9 it warns of visible artefacts; below 3 a film takes days. In the
#: middle is what most name for films (4 to 6); it takes one and a half times as long as x264's.
_SVT_PRESETS: dict[Speed, int] = {
    "ultrafast": 9,
    "veryfast": 8,
    "faster": 7,
    "fast": 6,
    "medium": 5,
    "slow": 4,
    "slower": 3,
}

#: Of libvpx, deadline and cpu-used. In one pass `good` takes nearly as long at 5 as at 2, twice as
#: long as x264's medium and, of a smooth 720p, six times; only `realtime` is quicker.
_VPX_SPEEDS: dict[Speed, tuple[str, int]] = {
    "ultrafast": ("realtime", 8),
    "veryfast": ("realtime", 6),
    "faster": ("realtime", 5),
    "fast": ("good", 5),
    "medium": ("good", 3),
    "slow": ("good", 2),
    "slower": ("good", 1),
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Making:
    """What an encoder is to be told beside the output."""

    threads: int
    #: Frames a second; 0 when unknown.
    rate: float
    #: A chunk that is not the first.
    later: bool = False
    #: Of a cap.
    buffer_seconds: int = _BUFFER_SECONDS
    #: Its keyframes come by their numbers, so many frames apart, and nowhere else (`g`).
    even: bool = False
    #: Of a picture of high dynamic range.
    mastered: Mastered | None = None

    @property
    def fps(self) -> Fraction:
        """As encoders want it, who take a clock's ticks for frames where nobody tells them."""
        if not 1 <= self.rate <= _RATE_MAX:
            return _RATE_GUESSED if self.rate < 1 else Fraction(_RATE_MAX)
        return Fraction(self.rate).limit_denominator(1001)


def told(output: VideoOutput, making: Making) -> dict[str, Any]:
    """The options of an output's encoder. What no encoder can do is refused with the recipe."""
    return _ENCODERS[output.codec](output, making)


def _h264(output: VideoOutput, making: Making) -> dict[str, Any]:
    profile = "high10" if output.bits == 10 else "high"
    return {
        "c:v": "libx264",
        "preset": output.speed,
        # Of 10 bits a factor of 0 loses something, a quantiser of 0 nothing.
        **({"qp": 0} if output.lossless else _rate(output, making)),
        # What every decoder of this century knows; x264 loses nothing in another one only.
        "profile:v": "high444" if output.lossless else profile,
        # x264's output depends on its thread count, so it is never left to the machine.
        "threads": making.threads,
        **_occupied(output, making),
    }


def _hevc(output: VideoOutput, making: Making) -> dict[str, Any]:
    more = {
        # It would write its options, the machine's processor among them, into the beginning that
        # all chunks must share.
        "info": 0,
        "log-level": "error",  # it does not ask what ffmpeg was told
        # A decoder can begin at every keyframe, and so can a chunk.
        "open-gop": 0,
        # Of both depends what comes out; more frames at once save little under 8 processors.
        "pools": making.threads,
        "frame-threads": 1,
        # Else it takes the clock's ticks for frames, and a cap for a thousandth of itself.
        "fps": f"{making.fps.numerator}/{making.fps.denominator}",
    }
    if making.even:
        more["scenecut"] = 0
    if output.lossless:
        more["lossless"] = 1
    if making.later and output.maxrate_kbps is not None:
        more["vbv-init"] = float(_full(output))
    if making.mastered is not None:
        units = [round(point * 50_000) for point in making.mastered.points]
        bright = [round(nits * 10_000) for nits in making.mastered.luminance]
        more["master-display"] = _screen(units, bright)
        if making.mastered.light is not None:
            more["max-cll"] = _listed(making.mastered.light)
    return {
        "c:v": "libx265",
        "preset": output.speed,
        **({} if output.lossless else _rate(output, making)),
        "profile:v": "main10" if output.bits == 10 else "main",
        # A keyframe that is forced is an IDR, at which everything begins anew.
        "forced-idr": 1,
        "x265-params": _joined(more),
    }


def _av1(output: VideoOutput, making: Making) -> dict[str, Any]:
    more: dict[str, object] = {
        # A level and no count: about so many processors are busy. It does not change the bytes.
        "lp": next(
            (n for n, most in ((1, 1), (2, 2), (3, 4), (4, 8)) if making.threads <= most), 5
        ),
        # It refuses more than 240 frames a second, and takes a clock's ticks for them.
        "fps-num": making.fps.numerator,
        "fps-denom": making.fps.denominator,
    }
    # Without this it does not listen; with an average bitrate it refuses to, and the distance in
    # frames (`g`) is all there is.
    if output.bitrate_kbps is None and not making.even:
        more["enable-force-key-frames"] = 1
    if output.lossless:
        more["lossless"] = 1
    if making.mastered is not None:
        points = [f"{float(point):.5f}" for point in making.mastered.points]
        more["mastering-display"] = _screen(
            points, [f"{float(nits):.4f}" for nits in making.mastered.luminance]
        )
        if making.mastered.light is not None:
            more["content-light"] = _listed(making.mastered.light)
    # It takes a factor of 0 for none at all.
    rate = {"crf": 1} if output.lossless else _rate(output, making)
    return {
        "c:v": "libsvtav1",
        "preset": _SVT_PRESETS[output.speed],
        **rate,
        "svtav1-params": _joined(more),
    }


def _vp9(output: VideoOutput, making: Making) -> dict[str, Any]:
    deadline, cpu_used = _VPX_SPEEDS[output.speed]
    rate = _rate(output, making)
    if "crf" in rate:
        # Of its own it would keep to 200 kbit/s; with a number here the factor is a bound, and the
        # cap an average over the buffer.
        rate["b:v"] = rate.get("maxrate", 0)
    return {
        "c:v": "libvpx-vp9",
        "deadline": deadline,
        "cpu-used": cpu_used,
        **rate,
        **({"lossless": 1} if output.lossless else {}),
        "profile:v": 2 if output.bits == 10 else 0,
        "row-mt": 1,  # else threads have nothing to do in pictures of less than 512 across
        "threads": making.threads,
    }


_ENCODERS: dict[VideoCodec, Callable[[VideoOutput, Making], dict[str, Any]]] = {
    "h264": _h264,
    "hevc": _hevc,
    "av1": _av1,
    "vp9": _vp9,
}


def _rate(output: VideoOutput, making: Making) -> dict[str, Any]:
    if output.bitrate_kbps is not None:
        return {"b:v": f"{output.bitrate_kbps}k"}
    if output.maxrate_kbps is None:
        return {"crf": output.rate_factor}
    return {
        "crf": output.rate_factor,
        "maxrate": f"{output.maxrate_kbps}k",
        "bufsize": f"{output.maxrate_kbps * making.buffer_seconds}k",
    }


def _full(output: VideoOutput) -> Fraction:
    """`ultrafast` does not look ahead."""
    return _FULL_LATER_BLIND if output.speed == "ultrafast" else _FULL_LATER


def _occupied(output: VideoOutput, making: Making) -> dict[str, Any]:
    """What a capped film has left of its buffer where a later chunk begins."""
    if not making.later or output.maxrate_kbps is None:
        return {}
    bits = output.maxrate_kbps * 1000 * making.buffer_seconds
    return {"rc_init_occupancy": round(bits * _full(output))}


def _joined(more: Mapping[str, object]) -> str:
    return ":".join(f"{name}={value}" for name, value in more.items())


def _screen(points: Sequence[object], bright: Sequence[object]) -> str:
    """As both encoders want it, in units of their own."""
    pairs = [_listed(points[at : at + 2]) for at in range(0, len(points), 2)]
    words = zip(("G", "B", "R", "WP"), pairs, strict=True)
    return "".join(f"{name}({pair})" for name, pair in words) + f"L({_listed(bright)})"


def _listed(numbers: Sequence[object]) -> str:
    return ",".join(map(str, numbers))
