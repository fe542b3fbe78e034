"""How bright the pictures of a sequence are, and how they are made alike: flicker out of a shutter
and an iris that never close twice in just the same way. Pure, but for the files that it reads.

A picture is kept as ffmpeg writes `pgmyuv`: a line of text, then 4:2:0 of limited range. It is our
own, so it is read here. Why not ffmpeg's `deflicker`: it multiplies the black level too, and takes
the bars beside a picture of another shape for a part of it (docs/timelapse.md has what both do to a
sequence whose flicker is known).
"""

import math
from collections.abc import Sequence
from pathlib import Path

from worker.lapse_plan import Place
from worker.picture import Size

#: So many photographs before and behind say how bright one should be. Half a second of film on both
#: sides: what changes more slowly than that is the day.
WINDOW = 12
#: No photograph is made darker or brighter than by this: what needs more was no flicker.
_GAIN_MAX = 2.0

_BLACK, _GREY = 16, 128
#: Every so many pixels are enough to measure by, and have no common divisor with a picture's side.
_STRIDE = 7
_LINES = 5


def frame_bytes(canvas: Size) -> int:
    """Of one picture, with its line of text."""
    return len(first_line(canvas)) + canvas.width * canvas.height * 3 // 2


def brightness(path: Path, canvas: Size, place: Place) -> float:
    """The mean above black of what is photograph in it, bars left out."""
    body = path.read_bytes()
    left, top, width, height = _seen(canvas, place)
    start = len(first_line(canvas))
    total = count = 0
    for line in range(top, top + height, _LINES):
        at = start + line * canvas.width + left
        some = body[at : at + width : _STRIDE]
        total += sum(some)
        count += len(some)
    return max(0.0, total / count - _BLACK)


def gains(levels: Sequence[float]) -> list[float]:
    """By what each is to be multiplied, so that brightness runs smoothly: a bell-shaped mean, over
    as many before as behind, so that a sunrise stays what it is, also at both ends."""
    logs = [math.log(max(level, 1.0)) for level in levels]
    return [_gain(logs, number) for number in range(len(logs))]


def _gain(logs: Sequence[float], number: int) -> float:
    reach = min(WINDOW, number, len(logs) - 1 - number)
    total = weight = 0.0
    for step in range(-reach, reach + 1):
        share = 1 + math.cos(math.pi * step / (reach + 1))
        total += share * logs[number + step]
        weight += share
    wanted = math.exp(total / weight - logs[number])
    return min(max(wanted, 1 / _GAIN_MAX), _GAIN_MAX)


def brightened(body: bytes, canvas: Size, gain: float) -> bytes:
    """A picture, brighter by that: black stays black, and grey grey."""
    split = len(first_line(canvas)) + canvas.width * canvas.height
    head = body[: len(first_line(canvas))]
    light, colour = body[len(head) : split], body[split:]
    return head + light.translate(_table(_BLACK, gain)) + colour.translate(_table(_GREY, gain))


def _table(middle: int, gain: float) -> bytes:
    return bytes(min(max(round(middle + (value - middle) * gain), 0), 255) for value in range(256))


def first_line(canvas: Size) -> bytes:
    """What a picture's file begins with."""
    return f"P5\n{canvas.width} {canvas.height * 3 // 2}\n255\n".encode()


def _seen(canvas: Size, place: Place) -> tuple[int, int, int, int]:
    """What of the canvas is photograph: left, top, width and height."""
    width, height = min(place.size.width, canvas.width), min(place.size.height, canvas.height)
    left = place.left if place.size.width < canvas.width else 0
    top = place.top if place.size.height < canvas.height else 0
    return left, top, width, height
