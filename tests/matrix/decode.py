"""What a decoder sees in a file, for the judge: pictures and sound with their times, exactly.

It is told of nothing that the worker knows, and runs ffmpeg by itself.
"""

import dataclasses
import subprocess
from collections import defaultdict
from fractions import Fraction
from pathlib import Path

#: Of 16-bit samples.
_SAMPLE_BYTES = 2


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    """Pictures and sound, in order. Times in seconds."""

    times: tuple[Fraction, ...]
    hashes: tuple[str, ...]
    sound_start: Fraction | None
    samples: int
    rate_hz: int
    #: Of each stream's clock.
    ticks: tuple[Fraction, ...]

    def sound_end(self) -> Fraction:
        """When the sound is over."""
        assert self.sound_start is not None
        return self.sound_start + Fraction(self.samples, self.rate_hz)

    def sound_offset(self) -> Fraction | None:
        """From the first picture to the first sound."""
        if self.sound_start is None or not self.times:
            return None
        return self.sound_start - self.times[0]


def decoded(
    ffmpeg: Path,
    path: Path,
    *,
    picture: int = 0,
    sound: int | None = 1,
    since: float | None = None,
    rgb: bool = False,
) -> Seen:
    """All of a file, or what it shows since a moment, by its own clock; of the streams of these
    numbers, if they are there. What is red, green and blue becomes luma and colour by BT.709."""
    matrix = ":out_color_matrix=bt709" if rgb else ""
    command = [str(ffmpeg), "-v", "error", "-nostdin", "-threads", "1", "-copyts"]
    command += [*(("-ss", str(since)) if since is not None else ()), "-i", str(path)]
    command += ["-map", f"0:{picture}", *(("-map", f"0:{sound}?") if sound is not None else ())]
    command += ["-vf", f"scale=128:72:flags=bicubic{matrix},setsar=1,format=yuv420p"]
    command += ["-fps_mode:v", "passthrough", "-enc_time_base:v", "demux"]
    command += ["-c:a", "pcm_s16le", "-ac", "1", "-f", "framehash", "-hash", "murmur3", "-"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    return _read(done.stdout)


def _read(text: str) -> Seen:
    told: dict[str, dict[int, str]] = defaultdict(dict)
    lines: dict[int, list[tuple[int, int, str]]] = defaultdict(list)
    for line in text.splitlines():
        if line.startswith("#"):
            name, _, rest = line.partition(" ")
            number, colon, value = rest.partition(": ")
            if colon and number.isdecimal():
                told[name][int(number)] = value
            continue
        stream, _, pts, _, size, found = (field.strip() for field in line.split(","))
        lines[int(stream)].append((int(pts), int(size), found))
    ticks = {number: Fraction(value) for number, value in told["#tb"].items()}
    numbers = {kind: number for number, kind in told["#media_type"].items()}
    video, audio = numbers.get("video", -1), numbers.get("audio", -1)
    heard = lines[audio]
    return Seen(
        times=tuple(pts * ticks[video] for pts, _, _ in lines[video]),
        hashes=tuple(found for _, _, found in lines[video]),
        sound_start=heard[0][0] * ticks[audio] if heard else None,
        samples=sum(length for _, length, _ in heard) // _SAMPLE_BYTES,
        rate_hz=int(told["#sample_rate"].get(audio, "1")),
        ticks=tuple(ticks[n] for n in (video, audio) if n in ticks),
    )
