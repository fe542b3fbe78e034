"""Compiles what turns photographs into a source: one command line a photograph, and one for all of
them behind each other. Pure.

A photograph is opened by the demuxer that its own first bytes name, turned as its camera said (and
by ffmpeg's own guess never: each kind of file would be turned by another rule), and brought to the
one size, in the colours of video: 8 bits, 4:2:0, BT.709. What is between the two runs lies on the
disk as it is, without loss, so that a brightness can be measured and moved.
"""

from fractions import Fraction
from typing import Any

import ffmpeg

from mayfly.core import limits
from worker.compile import command
from worker.lapse_plan import Place
from worker.photograph import Photo
from worker.picture import Size
from worker.promise import Plan

#: What people see when EXIF says one of eight; `transpose` counts them in another way.
_TURNS: dict[int, tuple[tuple[str, dict[str, int]], ...]] = {
    1: (),
    2: (("hflip", {}),),
    3: (("hflip", {}), ("vflip", {})),
    4: (("vflip", {}),),
    5: (("transpose", {"dir": 0}),),
    6: (("transpose", {"dir": 1}),),
    7: (("transpose", {"dir": 3}),),
    8: (("transpose", {"dir": 2}),),
}

#: Between matrices and ranges ffmpeg rounds down at each step: by bicubic alone a grey of a JPEG or
#: WebP comes out up to 2.4 of 255 too dark, with these two within 0.8, for a tenth of its time.
_FLAGS = "bicubic+accurate_rnd+full_chroma_int"

#: Of a picture between the two runs: a line of text, then the bytes of 4:2:0 as they are.
FRAME_DEMUXER = "image2"


def compile_photograph(
    path: str,
    photo: Photo,
    place: Place,
    canvas: Size,
    target: str,
    *,
    crop: bool,
    ffmpeg_path: str,
) -> Plan:
    """One photograph, at its place in a picture of that size."""
    source = ffmpeg.input(
        f"file:{path}",
        protocol_whitelist="file",
        format_whitelist=photo.demuxer,
        f=photo.demuxer,
        noautorotate=None,
        **_strict(photo),
        max_pixels=limits.SOURCE_PIXELS_MAX,
        threads=1,
    )
    stream = source["v:0"]
    for name, options in _TURNS[photo.orientation]:
        stream = stream.filter(name, **options)
    stream = (
        stream.filter(
            "scale",
            place.size.width,
            place.size.height,
            flags=_FLAGS,
            out_color_matrix="bt709",
            out_range="limited",
        )
        .filter("setsar", 1)
        .filter("format", "yuv420p")
    )
    if not place.fills(canvas):
        kind = "crop" if crop else "pad"
        stream = stream.filter(kind, canvas.width, canvas.height, place.left, place.top)
    output = ffmpeg.output(
        stream, f"file:{target}", **{"frames:v": 1, "c:v": "pgmyuv"}, f="image2", update=1
    )
    return Plan(argv=command(ffmpeg_path, 1, ("-xerror",), [output]), promises=())


def _strict(photo: Photo) -> dict[str, str]:
    """Half a JPEG is a picture to a lenient decoder. That of TIFF takes each tag that it does not
    know for an error then; whether such a file is whole, its strips have told (`photograph`)."""
    return {} if photo.demuxer == "tiff_pipe" else {"err_detect": "explode"}


def compile_sequence(
    pattern: str, rate: Fraction, target: str, *, ffmpeg_path: str, threads: int
) -> Plan:
    """All pictures behind each other, one a beat, without loss: a source like any other."""
    beat = f"{rate.numerator}/{rate.denominator}"
    source = ffmpeg.input(
        f"file:{pattern}",
        protocol_whitelist="file",
        format_whitelist=FRAME_DEMUXER,
        f=FRAME_DEMUXER,
        pattern_type="sequence",
        start_number=0,
        framerate=beat,
        threads=threads,
    )
    options: dict[str, Any] = {
        "c:v": "libx264",
        "preset": "ultrafast",
        "qp": 0,
        "g": 1,  # pictures of other moments help little, and a decoder can begin anywhere
        "pix_fmt": "yuv420p",
        "threads": threads,
        "fps_mode:v": "passthrough",
        "color_range": "tv",
        "colorspace": "bt709",
        "color_primaries": "bt709",
        "color_trc": "bt709",
    }
    output = ffmpeg.output(source["v:0"], f"file:{target}", **options, f="mp4")
    return Plan(argv=command(ffmpeg_path, threads, ("-xerror",), [output]), promises=())
