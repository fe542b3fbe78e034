"""When each subtitle is shown, by the plan's clock. Pure.

What says so are the source's own packets, as ffprobe lists them; what ffmpeg decoded must be just
those, each once, at its time, or nobody knows which text belongs where. It must never let one begin
before the film does or end behind it.
"""

import dataclasses
import itertools
import math
from bisect import bisect_right
from collections.abc import Sequence
from fractions import Fraction

from worker import subtitle_tracks
from worker.ends import WorkFailed
from worker.preflight import Material
from worker.probe import Stream
from worker.subtitle_packets import Event, Packet
from worker.subtitle_text import Cue, Line, lines_of

#: Both programs round to milliseconds.
_OFF_MAX = Fraction(2, 1000)
#: Where nobody told how long one is shown: until the next one, and no longer than this.
_UNTOLD_MS = 5000
#: A packet of mov_text begins with the length of its text: such a one says that there is none.
_NOTHING_BYTES = 2
_EVENT_FIELDS = 9


@dataclasses.dataclass(frozen=True, slots=True)
class Said:
    """A subtitle in seconds of the source's own clock. A duration of 0 is one that nobody told."""

    at: Fraction
    duration: Fraction
    lines: tuple[Line, ...]


def said(track: Stream, packets: Sequence[Packet], events: Sequence[Event]) -> list[Said]:
    """What a track's packets say, in its order. Raises WorkFailed(source_corrupt,
    source_absurd)."""
    nothing = _NOTHING_BYTES if track.codec_name == "mov_text" else 0
    holding = [packet for packet in packets if packet.size > nothing]
    if len(holding) != len(events):
        detail = f"of its {len(holding)} subtitles {len(events)} can be decoded"
        raise WorkFailed("source_corrupt", detail)
    # A file of ours has them in the order of time: whichever comes late there, comes at once.
    moments = itertools.accumulate((packet.pts * track.tick for packet in holding), max)
    found = []
    for packet, event, moment in zip(holding, events, moments, strict=True):
        if abs(Fraction(event.pts, 1000) - moment) > _OFF_MAX:
            raise WorkFailed("source_corrupt", f"a subtitle at {float(moment):.3f} s is elsewhere")
        found.append(
            Said(packet.pts * track.tick, packet.duration * track.tick, _lines(track, event))
        )
    return found


def _lines(track: Stream, event: Event) -> tuple[Line, ...]:
    fields = event.body.decode("utf-8", "replace").split(",", _EVENT_FIELDS - 1)
    if len(fields) < _EVENT_FIELDS:
        raise WorkFailed("source_corrupt", "a subtitle cannot be read")
    return lines_of(fields[-1], comments=track.codec_name in subtitle_tracks.WITH_COMMENTS)


def on_clock(found: Sequence[Said], origin: Fraction, until: Fraction | None) -> tuple[Cue, ...]:
    """Those that say something, in order: what is at `origin` is at 0, and what reaches beyond
    `until`, counted from there, ends with it."""
    starts = sorted(_ms(one.at - origin) for one in found)
    last = None if until is None else math.ceil(until * 1000)
    cues = []
    for one in found:
        start = _ms(one.at - origin)
        end = max(start + 1, _ms(one.at + one.duration - origin))
        if not one.duration:
            after = bisect_right(starts, start)
            end = min([start + _UNTOLD_MS, *starts[after : after + 1]])
        start, end = max(start, 0), end if last is None else min(end, last)
        if one.lines and start < end:
            cues.append(Cue(start, end, one.lines))
    return tuple(sorted(cues, key=lambda cue: (cue.start_ms, cue.end_ms)))


def origin_of(material: Material) -> Fraction:
    """The second that is 0 in outputs of a source that is not cut: where its clock tells, that;
    else, as ffmpeg has it, where its container says that it begins."""
    if material.origin_ticks is not None:
        return material.origin_ticks * material.scan.tick
    return Fraction(material.probe.format.start_time or 0).limit_denominator(10**6)


def film_seconds(material: Material, origin: Fraction) -> Fraction | None:
    """From the origin until picture and sound are over; None where nobody can tell."""
    scan, ends = material.scan, list[Fraction]()
    if scan.regular and len(scan.ticks) > 1:
        ends.append((2 * scan.ticks[-1] - scan.ticks[-2]) * scan.tick - origin)
    ends += [Fraction(one.start + one.span_seconds) - origin for one in scan.sounds.values()]
    if not ends and (told := material.probe.format.duration):
        ends.append(Fraction(told))
    return max(ends, default=None)


def _ms(seconds: Fraction) -> int:
    return round(seconds * 1000)
