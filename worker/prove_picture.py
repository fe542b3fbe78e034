"""The proof of a picture: its codec, profile and depth, its size, how many frames it has and how
long it is shown. Pure."""

import dataclasses
import re
from array import array
from itertools import pairwise

from mayfly.contract.formats import ISO, VideoCodec
from mayfly.contract.recipe import VideoOutput
from worker.compile_picture import PIXELS
from worker.ends import WorkFailed
from worker.made import Made, broken
from worker.preflight import Material
from worker.probe import Probe, Stream
from worker.promise import Promise
from worker.scan import Scan
from worker.thinning import kept

_SECONDS_OFF_MAX = 0.1

#: What the sample entry of a file of ISO boxes is called. `hvc1` and not `hev1`: Apple's players
#: show nothing else.
_TAGS: dict[VideoCodec, str] = {"h264": "avc1", "hevc": "hvc1", "av1": "av01", "vp9": "vp09"}

#: By codec and bits. x264 names the least profile that has what it used.
_PROFILES: dict[tuple[VideoCodec, int], tuple[str, ...]] = {
    ("h264", 8): ("Constrained Baseline", "Baseline", "Main", "High"),
    ("h264", 10): ("High 10", "High 10 Intra"),
    ("hevc", 8): ("Main",),
    ("hevc", 10): ("Main 10",),
    ("av1", 8): ("Main",),
    ("av1", 10): ("Main",),
    ("vp9", 8): ("Profile 0",),
    ("vp9", 10): ("Profile 2",),
}
_LOSSLESS_H264 = ("High 4:4:4 Predictive", "High 4:4:4 Intra")

#: The same as a player is told it before it fetches anything (`sample_entries`), in the same order.
_NAMES: dict[tuple[VideoCodec, int], str] = {
    ("h264", 8): r"avc1\.(42|4d|64)[0-9a-f]{4}",
    ("h264", 10): r"avc1\.6e[0-9a-f]{4}",
    ("hevc", 8): r"hvc1\.1\..*",
    ("hevc", 10): r"hvc1\.2\..*",
    ("av1", 8): r"av01\.0\..*\.08",
    ("av1", 10): r"av01\.0\..*\.10",
    ("vp9", 8): r"vp09\.00\..*\.08",
    ("vp9", 10): r"vp09\.02\..*\.10",
}
_LOSSLESS_H264_NAME = r"avc1\.f4[0-9a-f]{4}"
#: How ffprobe calls 8 bits of which a source uses all.
_FULL_RANGE = "yuvj420p"


def prove_frames(name: str, probe: Probe, codec: str, frames: int) -> Stream:
    """It has just so many pictures. Raises WorkFailed(output_broken)."""
    picture = probe.picture()
    if picture is None or picture.codec_name != codec:
        broken(f"{name} has no {codec} picture")
    if picture.nb_read_packets != frames:
        broken(f"{name} has {picture.nb_read_packets} pictures, the source has {frames}")
    return picture


def prove_size(promise: Promise, picture: Stream) -> None:
    """It is shown as large as was promised. Raises WorkFailed(output_broken)."""
    name, size = promise.output.file, promise.size
    assert size is not None
    if (picture.width, picture.height) != (size.width, size.height) or picture.rotation:
        broken(f"{name} is {picture.width}x{picture.height}, not {size.width}x{size.height}")
    if picture.sample_aspect_ratio not in ("", "1:1", "0:1"):
        broken(f"{name} has pixels of {picture.sample_aspect_ratio}")


def prove_coded(output: VideoOutput, made: Made, picture: Stream) -> None:
    """Players find in it what the recipe named. Raises WorkFailed(output_broken)."""
    profiles = _PROFILES[output.codec, output.bits]
    if output.codec == "h264" and output.lossless:
        profiles = _LOSSLESS_H264
    if picture.profile not in profiles:
        broken(f"{output.file} is of profile {picture.profile}, not {' or '.join(profiles)}")
    pixels = (PIXELS[output.bits], *((_FULL_RANGE,) if output.bits == 8 else ()))
    if picture.pix_fmt not in pixels:
        broken(f"{output.file} is {picture.pix_fmt}, not {pixels[0]}")
    tag = _TAGS[output.codec]
    if made.kind.container in ISO and picture.codec_tag_string != tag:
        broken(f"{output.file} calls its picture {picture.codec_tag_string}, not {tag}")
    said = next(iter(made.codecs), "nothing")
    # Of VP9 Matroska says no more than its name.
    if (output.codec, said) != ("vp9", "vp9"):
        prove_named(output.file, said, output.codec, output.bits, lossless=output.lossless)


def prove_named(
    file: str, said: str, codec: VideoCodec, bits: int, *, lossless: bool = False
) -> None:
    """What a player asks its decoders for is what the recipe named. Raises
    WorkFailed(output_broken)."""
    wanted = _NAMES[codec, bits]
    if codec == "h264" and lossless:
        wanted = _LOSSLESS_H264_NAME
    if not re.fullmatch(wanted, said):
        broken(f"{file} calls its picture {said}, which is not {codec} in {bits} bits")


def prove_colours(promise: Promise, picture: Stream) -> None:
    """It says of its colours what was made of them; what was left as it came says what it said.
    Raises WorkFailed(output_broken)."""
    assert promise.drawing is not None
    grading = promise.drawing.grading
    wanted = grading.wanted if grading.tonemapped else grading.told
    pairs = (
        (wanted.primaries, picture.color_primaries),
        (wanted.transfer, picture.color_transfer),
        (wanted.matrix, picture.color_space),
    )
    for word, found in pairs:
        if word and found != word:
            broken(f"the colours of {promise.output.file} are {found or 'unknown'}, not {word}")


def kept_of(promise: Promise, made: Made, material: Material, frames: int) -> tuple[Scan, int]:
    """What of the source's packets a film keeps, and how many pictures that are. Where its decoder
    gave fewer pictures than there are packets, so many may be missing, too."""
    scan, origin = material.scan, material.origin_ticks
    if promise.thinning is None or origin is None:
        return scan, frames
    since = kept(promise.thinning, array("q", (tick - origin for tick in scan.ticks)))
    ticks = array("q", (tick + origin for tick in since))
    left = dataclasses.replace(scan, ticks=ticks, frames=len(ticks))
    picture, missing = made.probe.picture(), abs(scan.frames - frames)
    found = picture.nb_read_packets if picture is not None else None
    if missing and found is not None and 0 < len(ticks) - found <= missing:
        return left, found
    return left, len(ticks)


def prove_pace(promise: Promise, made: Made, material: Material, frames: int) -> int:
    """A film that is sped up is as long as the packets say; how many frames it must have. Raises
    WorkFailed(output_broken, request_refused)."""
    quick, origin, scan = promise.quick, material.origin_ticks, material.scan
    assert quick is not None and origin is not None
    if frames != scan.frames:
        raise WorkFailed(
            "request_refused",
            f"{made.name} cannot be sped up: {scan.frames} packets are {frames} pictures, so"
            " nobody can prove which were chosen",
        )
    ticks = [tick - origin for tick in scan.ticks]
    wanted, last = quick.seconds(ticks), float(1 / quick.rate)
    if not -_SECONDS_OFF_MAX <= made.picture_seconds - wanted <= 2 * last + _SECONDS_OFF_MAX:
        broken(f"{made.name} shows {made.picture_seconds:.3f} s, not {wanted + last:.3f} s")
    return quick.frames(ticks)


def prove_length(made: Made, scan: Scan, frames: int) -> None:
    """Where the source's clock is whole, the output's must be as long. Raises
    WorkFailed(output_broken)."""
    if not scan.regular or frames != scan.frames or frames < 2:
        return
    gaps = [float((b - a) * scan.tick) for a, b in pairwise(scan.ticks)]
    # A last picture lasts as long as an ordinary one; where the rate varies, as any of them.
    last = max(gaps) if max(gaps) > 2 * min(gaps) else gaps[-1]
    wanted, length = scan.span_seconds(), made.picture_seconds
    if not -_SECONDS_OFF_MAX <= length - wanted <= 2 * last + _SECONDS_OFF_MAX:
        broken(f"{made.name} shows {length:.3f} s, the source {wanted + last:.3f} s")
