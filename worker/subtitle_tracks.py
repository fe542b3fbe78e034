"""Which tracks of a source are subtitles, and which of them an output is of. Pure.

It must never take a picture for text: DVDs, Blu-rays and broadcasts have subtitles that somebody
has drawn.
"""

from collections.abc import Sequence

from mayfly.contract.recipe import LadderOutput, Output, SubtitlesOutput, VideoOutput
from mayfly.core import languages
from worker.ends import WorkFailed
from worker.probe import Probe, Stream

#: Text, as ffmpeg names it.
TEXT = ("mov_text", "subrip", "srt", "ass", "ssa", "webvtt", "text")
#: Those of them in which braces hide what is no command.
WITH_COMMENTS = ("ass", "ssa")
#: Pictures, and text whose letters only a television has.
_PICTURES = (
    "dvb_subtitle", "dvd_subtitle", "hdmv_pgs_subtitle", "xsub", "dvb_teletext", "arib_caption",
)  # fmt: skip


def texts(probe: Probe) -> list[Stream]:
    """All that are text, in the source's order."""
    return [stream for stream in probe.streams if stream.codec_name in TEXT]


def language(track: Stream) -> str:
    """Its code of three letters; empty where the source does not say."""
    return languages.code(track.tags.get("language", ""))


def is_forced(track: Stream) -> bool:
    """It has only what must be shown even to those who want no subtitles, such as signs."""
    return bool(track.disposition.get("forced"))


def wanted(output: Output) -> tuple[bool, str | None]:
    """Whether an output has to do with one track of subtitles, and in which language."""
    match output:
        case SubtitlesOutput():
            return True, output.language
        case VideoOutput() | LadderOutput():
            burn_in = output.burn_in
            return burn_in is not None, None if burn_in is None else burn_in.language
        case _:
            return False, None


def chosen(file: str, wished: str | None, probe: Probe) -> Stream:
    """The one that an output is of, in that language or in any. Raises WorkFailed(no_subtitles,
    subtitles_are_pictures)."""
    found = texts(probe)
    code = languages.code(wished or "")
    fitting = [track for track in found if wished is None or language(track) == code]
    if fitting:
        return next((track for track in fitting if not is_forced(track)), fitting[0])
    drawn = [stream for stream in probe.streams if stream.codec_name in _PICTURES]
    if not found and drawn:
        raise WorkFailed("subtitles_are_pictures", f"{file} would be of {_codecs(drawn)}")
    if not found:
        raise WorkFailed("no_subtitles", f"{file} cannot be made")
    known = ", ".join(sorted({language(track) or "no language" for track in found}))
    raise WorkFailed("no_subtitles", f"{file} would be in {wished}; it has {known}")


def _codecs(streams: Sequence[Stream]) -> str:
    return ", ".join(sorted({stream.codec_name for stream in streams}))
