"""Which codecs a file of each kind holds, and within which bounds each of them works: what makes a
recipe impossible before anybody has looked at a source.

It must never know how a codec is told what it shall do; the worker's compiler does that.
"""

import dataclasses
from pathlib import PurePath
from typing import Literal

VideoCodec = Literal["h264", "hevc", "av1", "vp9"]
SoundCodec = Literal["aac", "opus", "mp3", "flac"]

#: How a file is built: with ISO boxes, with Matroska's elements, or as sound alone.
Container = Literal["mp4", "mov", "matroska", "webm", "mp3", "ogg", "flac"]

#: Both are built of the same elements, which hold their own word on where a sound ends.
MATROSKA: tuple[Container, ...] = ("matroska", "webm")
#: These are built of ISO boxes.
ISO: tuple[Container, ...] = ("mp4", "mov")


@dataclasses.dataclass(frozen=True, slots=True)
class Kind:
    """A kind of file: how it is built, and which codecs its players look for. The first sound is
    taken where nobody names one."""

    container: Container
    pictures: tuple[VideoCodec, ...]
    sounds: tuple[SoundCodec, ...]


_MP4 = Kind("mp4", ("h264", "hevc", "av1", "vp9"), ("aac", "opus", "flac"))

#: By a name's end. QuickTime's players know no other codecs than these; WebM is Matroska with the
#: codecs that browsers have for nothing. MP3 in an MP4 has an edit list that players read in
#: different ways, so there it is not offered.
VIDEO_FILES = {
    ".mp4": _MP4,
    ".m4v": _MP4,
    ".mov": Kind("mov", ("h264", "hevc"), ("aac",)),
    ".mkv": Kind("matroska", ("h264", "hevc", "av1", "vp9"), ("aac", "opus", "mp3", "flac")),
    ".webm": Kind("webm", ("vp9", "av1"), ("opus",)),
}
SOUND_FILES = {
    ".m4a": Kind("mp4", (), ("aac",)),
    ".mp3": Kind("mp3", (), ("mp3",)),
    ".opus": Kind("ogg", (), ("opus",)),
    ".ogg": Kind("ogg", (), ("opus",)),
    ".flac": Kind("flac", (), ("flac",)),
    ".mka": Kind("matroska", (), ("aac", "opus", "mp3", "flac")),
}

#: The largest rate factor that each encoder takes.
CRF_MAX: dict[VideoCodec, int] = {"h264": 51, "hevc": 51, "av1": 63, "vp9": 63}

#: Where nobody names one: x264's own; of the others what comes near it by SSIM on three clips of
#: 640 wide (x265 24 to 26, SVT-AV1 26 to 40, libvpx 26 to 33), on the side of their encoders' own
#: defaults and of what Google recommends for VP9 (28, 35; 31 to 33).
CRF_DEFAULT: dict[VideoCodec, int] = {"h264": 23, "hevc": 26, "av1": 32, "vp9": 33}

#: Between these a crf is searched for a quality. Better than the first are differences that only a
#: machine sees; worse than the second is no film that anybody wants.
CRF_BOUNDS: dict[VideoCodec, tuple[int, int]] = {
    "h264": (12, 40),
    "hevc": (12, 42),
    "av1": (15, 60),
    "vp9": (15, 60),
}

#: Of two channels, in kbit/s: the least at which a codec is worth its name, the most it can do.
BITRATES_KBPS: dict[SoundCodec, tuple[int, int]] = {
    "aac": (32, 512),
    "opus": (16, 510),
    "mp3": (32, 320),
}

#: Where nobody names one: hard to tell from the original for most ears, as each codec's own people
#: have it (libopus takes 96 by itself; LAME's "standard" comes to 190).
BITRATE_DEFAULT_KBPS: dict[SoundCodec, int] = {"aac": 128, "opus": 96, "mp3": 192}


def kind_of(file: str, known: dict[str, Kind]) -> Kind:
    """By the end of a file's name. Raises ValueError with a sentence for its author."""
    found = known.get(PurePath(file).suffix)
    if found is None:
        raise ValueError(f"{file} says by its end what it is to be: {_listed(known)}")
    return found


def check_picture(file: str, codec: VideoCodec) -> Kind:
    """What the file is to be. Raises ValueError when it cannot hold that codec."""
    kind = kind_of(file, VIDEO_FILES)
    if codec not in kind.pictures:
        fits = [end for end, other in VIDEO_FILES.items() if codec in other.pictures]
        end = PurePath(file).suffix
        raise ValueError(f"a {end} holds {_listed(kind.pictures)}; {codec} goes in {_listed(fits)}")
    return kind


def check_sound(file: str, kind: Kind, codec: SoundCodec, bitrate_kbps: int | None) -> None:
    """Raises ValueError when the file cannot hold that codec, or that does not know the bitrate."""
    if codec not in kind.sounds:
        known = VIDEO_FILES if kind.pictures else SOUND_FILES
        fits = [end for end, other in known.items() if codec in other.sounds]
        end = PurePath(file).suffix
        raise ValueError(
            f"the sound of a {end} is {_listed(kind.sounds)}; {codec} goes in {_listed(fits)}"
        )
    if bitrate_kbps is None:
        return
    if codec not in BITRATES_KBPS:
        raise ValueError(f"{codec} loses nothing and takes what that needs: leave bitrate_kbps out")
    least, most = BITRATES_KBPS[codec]
    if not least <= bitrate_kbps <= most:
        raise ValueError(f"{codec} takes a bitrate_kbps from {least} to {most}")


def _listed(names: object) -> str:
    *most, last = list(names)  # type: ignore[call-overload]
    return f"{', '.join(most)} or {last}" if most else last
