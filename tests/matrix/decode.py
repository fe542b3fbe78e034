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
    #: Of each stream's clock.
    ticks: tuple[Fraction, ...]

    def sound_offset(self) -> Fraction | None:
        """From the first picture to the first sound."""
        if self.sound_start is None or not self.times:
            return None
        return self.sound_start - self.times[0]


def decoded(ffmpeg: Path, path: Path, *, stream: str = "v:0", sound: bool = True) -> Seen:
    """All of a file, by its own clock."""
    command = [str(ffmpeg), "-v", "error", "-nostdin", "-threads", "1", "-copyts", "-i", str(path)]
    command += ["-map", f"0:{stream}", *(("-map", "0:a:0?") if sound else ())]
    command += ["-vf", "scale=128:72:flags=bicubic,setsar=1,format=yuv420p"]
    command += ["-fps_mode:v", "passthrough", "-enc_time_base:v", "demux", "-c:a", "pcm_s16le"]
    command += ["-f", "framehash", "-hash", "murmur3", "-"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    return _read(done.stdout)


def _read(text: str) -> Seen:
    ticks: dict[int, Fraction] = {}
    layouts: dict[int, int] = {}
    kinds: dict[int, str] = {}
    lines: dict[int, list[tuple[int, int, str]]] = defaultdict(list)
    for line in text.splitlines():
        if line.startswith("#"):
            name, _, rest = line.partition(" ")
            if name in ("#tb", "#media_type", "#channel_layout_name"):
                number, _, value = rest.partition(": ")
                if name == "#tb":
                    ticks[int(number)] = Fraction(value)
                elif name == "#media_type":
                    kinds[int(number)] = value
                else:
                    layouts[int(number)] = {"mono": 1, "stereo": 2}[value.split()[0]]
            continue
        stream, _, pts, _, size, found = (field.strip() for field in line.split(","))
        lines[int(stream)].append((int(pts), int(size), found))
    video = next((n for n, kind in kinds.items() if kind == "video"), -1)
    audio = next((n for n, kind in kinds.items() if kind == "audio"), -1)
    heard = lines[audio]
    heard_bytes = sum(length for _, length, _ in heard)
    return Seen(
        times=tuple(pts * ticks[video] for pts, _, _ in lines[video]),
        hashes=tuple(found for _, _, found in lines[video]),
        sound_start=heard[0][0] * ticks[audio] if heard else None,
        samples=heard_bytes // _SAMPLE_BYTES // layouts[audio] if heard else 0,
        ticks=tuple(ticks[n] for n in (video, audio) if n in ticks),
    )
