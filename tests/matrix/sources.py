"""Makes the clip of a case with ffmpeg, once for all cases that share it."""

import hashlib
import subprocess
from fractions import Fraction
from pathlib import Path

from tests.matrix.cases import Clip

_SIZE = "128x72"
#: How much later the one begins than the other.
_LATE_SECONDS = 0.7

_PACKET_BYTES = 188

_SUFFIX = {"fmp4": "mp4", "mpegts": "ts", "live mkv": "mkv"}
_SOUND = {
    "mp4": ("aac",),
    "fmp4": ("aac",),
    "mov": ("pcm_s16le",),
    "mkv": ("flac",),
    "mpegts": ("mp2",),
    "avi": ("libmp3lame",),
    "flv": ("aac", "-ar", "44100"),
    "webm": ("libopus",),
    "live mkv": ("libopus",),
    "asf": ("libmp3lame",),
    "mxf": ("pcm_s16le",),
    "ogv": ("libvorbis",),
    "mpg": ("mp2",),
}


class NotMade(Exception):
    """The case is one that ffmpeg cannot write: not to be drawn."""


class Sources:
    """By clip; made when first asked for."""

    def __init__(self, ffmpeg: Path, folder: Path) -> None:
        self._ffmpeg = ffmpeg
        self._folder = folder

    def path(self, clip: Clip) -> Path:
        """Where it lies."""
        name = hashlib.sha256(repr(clip).encode()).hexdigest()[:16]
        path = self._folder / f"{name}.{_SUFFIX.get(clip.container, clip.container)}"
        if not path.exists():
            self._make(clip, path)
        return path

    def _make(self, clip: Clip, path: Path) -> None:
        if clip.splice:
            parts = [path.with_suffix(f".{number}.ts") for number in range(2)]
            for number, part in enumerate(parts):
                goes_on = clip.seconds * number if clip.splice == "continued" else 0.0
                self._run(_arguments(clip, (clip.start_seconds or 0.0) + goes_on), part)
            path.write_bytes(b"".join(part.read_bytes() for part in parts))
        elif clip.edited:
            uncut = path.with_suffix(f".uncut{path.suffix}")
            self._run(_arguments(clip, None), uncut)
            offset = _offset(clip.start_seconds)
            whole = ["-ss", "0.66", "-i", str(uncut), "-map", "0", "-c", "copy"]
            self._run([*whole, *_muxer(clip), *offset], path)
        elif clip.headless:
            uncut = path.with_suffix(".uncut.ts")
            self._run(_arguments(clip, clip.start_seconds), uncut)
            path.write_bytes(_beheaded(uncut.read_bytes()))
        else:
            self._run(_arguments(clip, clip.start_seconds), path)

    def _run(self, arguments: list[str], path: Path) -> None:
        command = [str(self._ffmpeg), "-v", "error", "-nostdin", "-y", *arguments, str(path)]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode:
            raise NotMade(f"no such clip can be made: {done.stderr[-600:]}")


def _arguments(clip: Clip, start_seconds: float | None) -> list[str]:
    rate = Fraction(clip.rate) * (2 if clip.interlaced else 1)
    picture = f"testsrc2=s={_SIZE}:r={rate}:d={clip.seconds}"
    late = {"late": (0.0, _LATE_SECONDS), "early": (_LATE_SECONDS, 0.0)}.get(clip.sound, (0.0, 0.0))
    arguments = ["-itsoffset", str(late[0]), "-f", "lavfi", "-i", picture]
    if clip.sound != "without":
        sine = f"sine=d={clip.seconds}:r=48000:b=4"
        arguments += ["-itsoffset", str(late[1]), "-f", "lavfi", "-i", sine]
        arguments += ["-c:a", *_SOUND[clip.container]]
    # At such a size testsrc2's parts stand still for frames; noise makes each another.
    filters = ["noise=alls=24:allf=t+u:all_seed=7"]
    if clip.interlaced:
        filters.append("interlace=scan=tff:lowpass=0")
    if clip.variable:
        filters.append("select='not(mod(n\\,3))+gt(random(1)\\,0.55)'")
    arguments += ["-map", "0:v", "-vf", ",".join(filters), "-fps_mode", "passthrough"]
    arguments += ["-map", "1:a"] if clip.sound != "without" else []
    return [*arguments, "-threads", "1", *_codec(clip), *_muxer(clip), *_offset(start_seconds)]


def _muxer(clip: Clip) -> list[str]:
    if clip.container == "fmp4":
        return ["-movflags", "+frag_keyframe+delay_moov"]
    if clip.container == "live mkv":  # neither cues nor a duration
        return ["-live", "1"]
    return ["-movflags", "+faststart"] if clip.container == "mov" else []


def _beheaded(stream: bytes) -> bytes:
    """Without most of its first second, but for the tables at its beginning."""
    packets = [stream[at : at + _PACKET_BYTES] for at in range(0, len(stream), _PACKET_BYTES)]
    return b"".join(packets[:3] + packets[len(packets) // 12 :])


def _offset(start_seconds: float | None) -> list[str]:
    if start_seconds is None:
        return []
    return ["-output_ts_offset", str(start_seconds), "-muxdelay", "0", "-muxpreload", "0"]


def _codec(clip: Clip) -> list[str]:
    ten = clip.depth == 10
    gop = str(max(1, round(clip.gop_seconds * Fraction(clip.rate))))
    common = ["-pix_fmt", "yuv420p10le" if ten else "yuv420p", "-g", gop]
    fields = ["-flags", "+ilme+ildct"] if clip.interlaced else []
    bframes = ["-bf", str(clip.bframes)]
    match clip.codec:
        case "h264":
            wanted = {"open": ":open-gop=1", "intra-refresh": ":intra-refresh=1"}.get(clip.gop, "")
            more = f"scenecut=0:keyint={gop}{wanted}"
            return ["-c:v", "libx264", "-preset", "veryfast", "-crf", "30", *common, *bframes,
                    *fields, "-x264-params", more]  # fmt: skip
        case "hevc":
            wanted = {"open": ":open-gop=1", "intra-refresh": ":open-gop=0:intra-refresh=1"}.get(
                clip.gop, ":open-gop=0"
            )
            more = f"log-level=none:scenecut=0:pools=none:keyint={gop}:min-keyint={gop}{wanted}"
            tag = ["-tag:v", "hvc1"] if clip.container in ("mp4", "fmp4", "mov") else []
            return ["-c:v", "libx265", "-preset", "ultrafast", "-crf", "32", *common, *bframes,
                    *tag, "-x265-params", f"{more}:bframes={clip.bframes}"]  # fmt: skip
        case "mpeg2" | "mpeg4":
            closed = "" if clip.gop == "open" else "+cgop"
            flags = closed + ("+ilme+ildct" if clip.interlaced else "")
            name = "mpeg2video" if clip.codec == "mpeg2" else "mpeg4"
            return ["-c:v", name, "-q:v", "6", *common, *bframes, "-sc_threshold", "1000000000",
                    *(["-flags", flags] if flags else [])]  # fmt: skip
        case "vp9":
            return ["-c:v", "libvpx-vp9", "-deadline", "good", "-cpu-used", "6", "-b:v", "200k",
                    "-auto-alt-ref", "1", "-lag-in-frames", "12", *common]  # fmt: skip
        case "vp8":
            return ["-c:v", "libvpx", "-deadline", "good", "-cpu-used", "5", "-b:v", "200k",
                    "-auto-alt-ref", "1", "-lag-in-frames", "12", *common]  # fmt: skip
        case "wmv2":
            return ["-c:v", "wmv2", "-b:v", "300k", *common]
        case "gif":
            return ["-c:v", "gif", "-g", gop]
        case "theora":
            return ["-c:v", "libtheora", "-q:v", "5", *common]
        case "av1":
            return ["-c:v", "libsvtav1", "-preset", "12", "-crf", "45",
                    "-svtav1-params", "lp=1", *common]  # fmt: skip
        case _:
            return ["-c:v", "prores_ks", "-profile:v", "0", "-pix_fmt", "yuv422p10le", *fields]
