"""Compiles the decoding of subtitles: all kinds of text to one, in a file of our own. Pure.

To ASS, since that is what ffmpeg's decoders give: whatever a text says, it is text there and no
command, as it is in no file of WebVTT or SubRip that ffmpeg writes. In Matroska, since that keeps
each subtitle's bounds and milliseconds, as no file of ASS does.
"""

from collections.abc import Sequence

import ffmpeg

from worker import compile as whole
from worker.preflight import Seen
from worker.probe import Stream
from worker.promise import Plan
from worker.streams import ANONYMOUS

#: Beneath the attempt's folder.
DECODED = "in/subtitles.mkv"
#: Never written: packets go there so that ffmpeg says how far it has read. A film's few signs may
#: be an hour of it apart, and who says nothing for long is taken to hang.
PASSED = "in/passed"


def compile_decoded(
    material: Seen, tracks: Sequence[Stream], *, ffmpeg_path: str, threads: int
) -> Plan:
    """All these tracks, in this order, at the source's own times."""
    source = ffmpeg.input(material.opening.url, **whole.input_options(threads, material))
    output = ffmpeg.output(
        *(source[str(track.index)] for track in tracks),
        f"file:{DECODED}",
        **{"c:s": "ass"},
        format="matroska",
        avoid_negative_ts="disabled",
        **ANONYMOUS,
    )
    passed = [
        ffmpeg.output(source[str(one.index)], f"file:{PASSED}", **{kind: "copy"}, format="null")
        for kind, one in (("c:v", material.picture), ("c:a", material.sound))
        if one is not None
    ][-1:]
    # Not -xerror: a subtitle that cannot be decoded is missed when they are counted, and then there
    # is a sentence for it.
    line = whole.command(ffmpeg_path, threads, ("-copyts",), [output, *passed])
    return Plan(argv=line, promises=())
