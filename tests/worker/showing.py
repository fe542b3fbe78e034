"""What a decoder of its own shows of a film, as grey values of two corners."""

import dataclasses
import subprocess
from pathlib import Path


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Tone:
    """Of one picture, 0 to 255 as people see them: the means of its four quarters."""

    upper_left: float
    upper_right: float
    lower_left: float
    lower_right: float


def shown(ffmpeg: Path, film: bytes, size: str) -> list[Tone]:
    """Each picture of a film of that size."""
    argv = [str(ffmpeg), "-v", "error", "-nostdin", "-i", "pipe:0", "-fps_mode", "passthrough"]
    argv += ["-vf", "format=yuv420p", "-f", "rawvideo", "pipe:1"]
    raw = subprocess.run(argv, check=True, input=film, capture_output=True, timeout=60).stdout
    width, height = map(int, size.split("x"))
    light, whole = width * height, width * height * 3 // 2
    assert len(raw) % whole == 0, "the film has another size"
    starts = range(0, len(raw), whole)
    return [_tone(raw[at : at + light], width, height) for at in starts]


def _tone(picture: bytes, width: int, height: int) -> Tone:
    def mean(left: int, top: int) -> float:
        """Of the middle of a quarter, away from edges that an encoder blurs."""
        lines = range(top + height // 8, top + height * 3 // 8)
        cut = slice(left + width // 8, left + width * 3 // 8)
        body = b"".join(picture[line * width : (line + 1) * width][cut] for line in lines)
        return (sum(body) / len(body) - 16) * 255 / 219  # of limited range

    middle, centre = width // 2, height // 2
    return Tone(
        upper_left=mean(0, 0),
        upper_right=mean(middle, 0),
        lower_left=mean(0, centre),
        lower_right=mean(middle, centre),
    )
