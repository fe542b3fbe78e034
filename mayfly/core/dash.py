"""The manifest of a ladder for players of DASH (ISO/IEC 23009-1), out of the lists of the same
segments that its playlists name. Pure: the same segments give the same text.

Its times are those at which things are shown, when each track's edit list is applied: the priming
of sound lies before 0, as it does in HLS, and the offset of every track is 0. So it must never
count a time by anything but whole frames and samples of the lists, of which 0 is where all begin.
It must never write a name that is not ours: every name follows from a track's and a number.
"""

import itertools
import math
from collections.abc import Sequence
from fractions import Fraction
from xml.etree import ElementTree as Xml

from mayfly.contract.ladder import Segment, Text, Track
from mayfly.core import grids, ladders, languages

#: What the standard calls a list of segments under names with numbers, one file each.
_PROFILE = "urn:mpeg:dash:profile:isoff-live:2011"

#: ISO/IEC 23091-3, which counts loudspeakers' places, not channels.
_PLACES = "urn:mpeg:mpegB:cicp:ChannelConfiguration"
#: By how many channels there are: as our AAC has them.
_PLACED = {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 6, 8: 12}

#: What a track is there for.
_ROLES = "urn:mpeg:dash:role:2011"
#: Sets have numbers, and these are far from those of the first two.
_OTHER_SOUNDS = 100

_SECOND = 10**6


def manifest(pictures: Sequence[Track], sounds: Sequence[Track], texts: Sequence[Text] = ()) -> str:
    """What a player opens: the sizes of the picture in the order of the recipe, and the sounds."""
    tracks = [*pictures, *sounds]
    buffer = _rounded_up(max(_longest_seconds(track) for track in tracks))
    # Of the longest track, so that nothing is cut off; and no less, for the same reason.
    lasts = _duration(_rounded_up(max(_end_seconds(track) for track in tracks)))
    root = Xml.Element(
        "MPD",
        {
            "xmlns": "urn:mpeg:dash:schema:mpd:2011",
            "profiles": _PROFILE,
            "type": "static",
            "mediaPresentationDuration": lasts,
            "minBufferTime": _duration(buffer),
        },
    )
    period = Xml.SubElement(root, "Period", {"id": "0", "start": "PT0S", "duration": lasts})
    _add_pictures(period, pictures, buffer)
    for number, sound in enumerate(sounds):
        role = "" if len(sounds) == 1 else "alternate" if number else "main"
        _add_sound(period, sound, buffer, _OTHER_SOUNDS + number if number else 1, role)
    for number, text in enumerate(texts, start=2):
        _add_text(period, text, number, _end_seconds(pictures[0]))
    Xml.indent(root)
    written: bytes = Xml.tostring(root, encoding="utf-8", xml_declaration=True)
    return written.decode() + "\n"


def _add_pictures(period: Xml.Element, pictures: Sequence[Track], buffer: Fraction) -> None:
    """All sizes are cut in the same places, so one list is for all of them."""
    largest = max(pictures, key=lambda track: track.width * track.height)
    shape, rate = Fraction(largest.width, largest.height), Fraction(*largest.rate)
    added = Xml.SubElement(
        period,
        "AdaptationSet",
        {
            "id": "0",
            "contentType": "video",
            "mimeType": "video/mp4",
            "segmentAlignment": "true",
            "startWithSAP": "1",
            "par": f"{shape.numerator}:{shape.denominator}",
            "maxWidth": str(max(track.width for track in pictures)),
            "maxHeight": str(max(track.height for track in pictures)),
            "maxFrameRate": str(rate),
        },
    )
    _add_segments(added, largest, grids.timescale(rate), grids.frame_ticks(rate))
    for track in pictures:
        Xml.SubElement(
            added,
            "Representation",
            {
                "id": track.name,
                "codecs": track.codec,
                "width": str(track.width),
                "height": str(track.height),
                "frameRate": str(rate),
                "sar": "1:1",
                "bandwidth": str(steady_bits(track, buffer)),
            },
        )


def _add_sound(period: Xml.Element, sound: Track, buffer: Fraction, number: int, role: str) -> None:
    """A set of its own for each, since a player stays within a set unless a viewer chooses."""
    language = {"lang": languages.tag(sound.language)} if sound.language else {}
    added = Xml.SubElement(
        period,
        "AdaptationSet",
        {
            "id": str(number),
            "contentType": "audio",
            "mimeType": "audio/mp4",
            "segmentAlignment": "true",
            "startWithSAP": "1",
            **language,
        },
    )
    if sound.title:
        Xml.SubElement(added, "Label").text = sound.title
    if role:
        Xml.SubElement(added, "Role", {"schemeIdUri": _ROLES, "value": role})
    _add_segments(added, sound, *sound.rate)
    made = Xml.SubElement(
        added,
        "Representation",
        {
            "id": sound.name,
            "codecs": sound.codec,
            "audioSamplingRate": str(sound.rate[0]),
            "bandwidth": str(steady_bits(sound, buffer)),
        },
    )
    if sound.channels in _PLACED:
        Xml.SubElement(
            made,
            "AudioChannelConfiguration",
            {"schemeIdUri": _PLACES, "value": str(_PLACED[sound.channels])},
        )


def _add_text(period: Xml.Element, text: Text, number: int, seconds: Fraction) -> None:
    """A track of subtitles, in one file beside all segments: players want it before they play."""
    language = {"lang": text.language} if text.language else {}
    added = Xml.SubElement(
        period,
        "AdaptationSet",
        {"id": str(number), "contentType": "text", "mimeType": "text/vtt", **language},
    )
    Xml.SubElement(added, "Label").text = text.label
    role = "forced-subtitle" if text.forced else "subtitle"
    Xml.SubElement(added, "Role", {"schemeIdUri": _ROLES, "value": role})
    bits = max(1, math.ceil(8 * text.size_bytes / seconds))
    made = Xml.SubElement(added, "Representation", {"id": text.name, "bandwidth": str(bits)})
    Xml.SubElement(made, "BaseURL").text = ladders.text_whole(text.name)


def _add_segments(parent: Xml.Element, track: Track, timescale: int, ticks: int) -> None:
    """Which files there are, on the clock that is theirs: so many ticks a second, and a frame or a
    sample. Neighbours of one length are listed as one."""
    template = Xml.SubElement(
        parent,
        "SegmentTemplate",
        {
            "timescale": str(timescale),
            "initialization": ladders.beginning("$RepresentationID$"),
            "media": ladders.SEGMENT_TEMPLATE,
            "startNumber": "0",
        },
    )
    timeline = Xml.SubElement(template, "SegmentTimeline")
    begins = {"t": "0"}
    for length, alike in itertools.groupby(track.segments, key=lambda segment: segment.length):
        more = sum(1 for _ in alike) - 1
        repeated = {"r": str(more)} if more else {}
        Xml.SubElement(timeline, "S", {**begins, "d": str(length * ticks), **repeated})
        begins = {}  # each begins where the one before it ends


def steady_bits(track: Track, buffer: Fraction) -> int:
    """`bandwidth`: so many bits a second, delivered evenly, are enough for a player that begins at
    any segment, plays `buffer` seconds after its first bit, and from then on without a pause.

    That is so when each segment has arrived before it begins to be shown: a little more than need
    be, since its last frames may come later. Begun at i, the segment j is shown `buffer` seconds
    and all that lasts from i to before j after the first bit, and all of i to j has to be there.
    The most of these quotients is found by going from a guess to the quotient of what it is worst
    for, until that is the guess itself: a few turns through a day, in whole numbers."""
    wait = buffer * Fraction(*track.rate)
    bits = Fraction(0)
    while True:
        worst = _worst(track.segments, wait, bits)
        if worst <= bits:
            return math.ceil(bits * Fraction(*track.rate))
        bits = worst


def _worst(segments: Sequence[Segment], wait: Fraction, bits: Fraction) -> Fraction:
    """Bits a frame or sample between two segments, those that so many of them carry least."""
    needed = 0
    # From which segment on, and from which to which, by what is needed before them and their start.
    since = (0, segments[0].start)
    most, pair = -1, (0, 0)
    for segment in segments:
        if _ahead((needed, segment.start), bits) < _ahead(since, bits):
            since = (needed, segment.start)
        needed += 8 * segment.size_bytes
        short = _ahead((needed, segment.start), bits) - _ahead(since, bits)
        if short > most:
            most, pair = short, (needed - since[0], segment.start - since[1])
    return pair[0] / (wait + pair[1])


def _ahead(at: tuple[int, int], bits: Fraction) -> int:
    """How far what is needed by then runs ahead of what comes, in parts of a bit."""
    return bits.denominator * at[0] - bits.numerator * at[1]


def _longest_seconds(track: Track) -> Fraction:
    return max(segment.length for segment in track.segments) / Fraction(*track.rate)


def _end_seconds(track: Track) -> Fraction:
    last = track.segments[-1]
    return (last.start + last.length) / Fraction(*track.rate)


def _rounded_up(seconds: Fraction) -> Fraction:
    """To microseconds, which is what players count."""
    return Fraction(math.ceil(seconds * _SECOND), _SECOND)


def _duration(seconds: Fraction) -> str:
    """Of whole microseconds: `PT4.004S`."""
    whole, rest = divmod(int(seconds * _SECOND), _SECOND)
    return f"PT{whole}.{rest:06d}".rstrip("0").rstrip(".") + "S"
