"""The playlists of a ladder for players of HLS (RFC 8216), out of the lists of its segments. Pure:
the same segments give the same text.

It must never write a name that is not ours: every name follows from a track's and a number.
"""

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction

import msgspec

from mayfly.contract.ladder import Segment, Text, Track
from mayfly.core import ladders, languages

#: The first that knows EXT-X-MAP beside segments that are no I-frames; 7 is what CMAF asks for.
_VERSION = 7

_HEAD = ("#EXTM3U", f"#EXT-X-VERSION:{_VERSION}")
#: Every segment begins with a keyframe, or is sound.
_INDEPENDENT = "#EXT-X-INDEPENDENT-SEGMENTS"

#: The group of all subtitles.
_TEXTS = "subtitles"

#: A peak is of segments that last together as long as about one (RFC 8216, 4.1).
_PEAK_MIN, _PEAK_MAX = Fraction(1, 2), Fraction(3, 2)


def media(track: Track) -> str:
    """The playlist of one track, beside whose folder it stands."""
    lines = [*_head_of(track), *_map(track)]
    for segment, length in zip(track.segments, _lengths(track), strict=True):
        lines += [length, ladders.segment(track.name, segment.number)]
    return "\n".join([*lines, "#EXT-X-ENDLIST", ""])


def iframes(track: Track) -> str:
    """The playlist of a size's keyframes, which a player winds and scrubs through: of each segment
    the bytes up to the end of its first picture. Each lasts until the next one."""
    lines = [*_head_of(track), "#EXT-X-I-FRAMES-ONLY", *_map(track)]
    for segment, length in zip(track.segments, _lengths(track), strict=True):
        name = ladders.segment(track.name, segment.number)
        lines += [length, f"#EXT-X-BYTERANGE:{segment.key_bytes}@0", name]
    return "\n".join([*lines, "#EXT-X-ENDLIST", ""])


def text(track: Text, picture: Track) -> str:
    """The playlist of a track of subtitles, which is cut where the picture is."""
    lines = _head_of(picture)
    for segment, length in zip(picture.segments, _lengths(picture), strict=True):
        lines += [length, ladders.text_segment(track.name, segment.number)]
    return "\n".join([*lines, "#EXT-X-ENDLIST", ""])


def has_iframes(pictures: Sequence[Track]) -> bool:
    """Whether somebody told of all segments where their keyframes end."""
    return all(segment.key_bytes for track in pictures for segment in track.segments)


def _head_of(track: Track) -> list[str]:
    return [
        *_HEAD,
        f"#EXT-X-TARGETDURATION:{target_seconds(track)}",
        "#EXT-X-MEDIA-SEQUENCE:0",
        "#EXT-X-PLAYLIST-TYPE:VOD",
        _INDEPENDENT,
    ]


def _map(track: Track) -> list[str]:
    return [f'#EXT-X-MAP:URI="{ladders.beginning(track.name)}"']


def _lengths(track: Track) -> Iterator[str]:
    """What is rounded off one segment is put onto the next, so that the sum stays exact."""
    numerator, denominator = track.rate
    begins = 0
    for segment in track.segments:
        ends = segment.start + segment.length
        ends = round(Fraction(ends * denominator * 10**6, numerator))
        yield f"#EXTINF:{_decimal(ends - begins)},"
        begins = ends


def master(pictures: Sequence[Track], sounds: Sequence[Track], texts: Sequence[Text] = ()) -> str:
    """What a player opens: the sizes of the picture in the order of the recipe, whose first is what
    most players begin with; then their keyframes, where all are known."""
    lines = [*_HEAD, _INDEPENDENT]
    heard, codec, group = (0, 0), "", ""
    if sounds:
        # A player may take any of them beside any size.
        heard = max(map(peak_bits, sounds)), max(map(average_bits, sounds))
        codec, group = f",{sounds[0].codec}", "sound"
        lines += [
            _sound(sound, group, name) for sound, name in zip(sounds, names(sounds), strict=True)
        ]
    lines += [_text_media(text) for text in texts]
    for track in pictures:
        parts = [
            f"BANDWIDTH={peak_bits(track) + heard[0]}",
            f"AVERAGE-BANDWIDTH={average_bits(track) + heard[1]}",
            f'CODECS="{track.codec}{codec}"',
            f"RESOLUTION={track.width}x{track.height}",
            f"FRAME-RATE={_decimal(round(Fraction(*track.rate) * 10**6), 3)}",
            *([f'AUDIO="{group}"'] if group else []),
            *([f'SUBTITLES="{_TEXTS}"'] if texts else []),
        ]
        lines += [f"#EXT-X-STREAM-INF:{','.join(parts)}", ladders.playlist(track.name)]
    if has_iframes(pictures):
        lines += [_iframe_stream(track) for track in pictures]
    return "\n".join([*lines, ""])


def _text_media(text: Text) -> str:
    """Shown when a viewer wants them, or a player knows that viewer's language: never unasked."""
    parts = [
        f'TYPE=SUBTITLES,GROUP-ID="{_TEXTS}",NAME="{text.label}"',
        *([f'LANGUAGE="{text.language}"'] if text.language else []),
        f"DEFAULT=NO,AUTOSELECT=YES,FORCED={'YES' if text.forced else 'NO'}",
        f'URI="{ladders.playlist(text.name)}"',
    ]
    return f"#EXT-X-MEDIA:{','.join(parts)}"


def _sound(sound: Track, group: str, name: str) -> str:
    """One of the sounds that a viewer may choose; the first is what a player begins with."""
    parts = [
        f'TYPE=AUDIO,GROUP-ID="{group}",NAME="{name}"',
        *([f'LANGUAGE="{languages.tag(sound.language)}"'] if sound.language else []),
        f"DEFAULT={'YES' if sound.name == 'a0' else 'NO'},AUTOSELECT=YES",
        f'CHANNELS="{sound.channels}",URI="{ladders.playlist(sound.name)}"',
    ]
    return f"#EXT-X-MEDIA:{','.join(parts)}"


def names(sounds: Sequence[Track]) -> list[str]:
    """What viewers choose a sound by, each once: by its title, or else its language."""
    found = list[str]()
    for sound in sounds:
        name, number = sound.title or sound.language or "Sound", 1
        while (called := name if number == 1 else f"{name} {number}") in found:
            number += 1
        found.append(called)
    return found


def _iframe_stream(track: Track) -> str:
    """Its segments are keyframes, so their bytes alone count."""
    keys = msgspec.structs.replace(
        track,
        segments=tuple(
            msgspec.structs.replace(segment, size_bytes=segment.key_bytes)
            for segment in track.segments
        ),
    )
    parts = [
        f"BANDWIDTH={peak_bits(keys)}",
        f"AVERAGE-BANDWIDTH={average_bits(keys)}",
        f'CODECS="{track.codec}"',
        f"RESOLUTION={track.width}x{track.height}",
        f'URI="{ladders.iframes(track.name)}"',
    ]
    return f"#EXT-X-I-FRAME-STREAM-INF:{','.join(parts)}"


def target_seconds(track: Track) -> int:
    """No segment is longer, rounded to the nearest second."""
    longest = max(_seconds(segment, track) for segment in _of(track))
    return max(1, math.floor(longest + Fraction(1, 2)))


def peak_bits(track: Track) -> int:
    """A second, in whichever neighbouring segments that last about as long as one it is most."""
    segments, target = _of(track), target_seconds(track) * Fraction(*track.rate)
    # In whole numbers: a day has 43,200 segments in each size.
    least, longest = math.ceil(_PEAK_MIN * target), math.floor(_PEAK_MAX * target)
    most, over = 0, 1
    for first in range(len(segments)):
        size = length = 0
        for number in range(first, len(segments)):
            size += segments[number].size_bytes
            length += segments[number].length
            if length > longest:
                break
            if length >= least and size * over > most * length:
                most, over = size, length
    return math.ceil(8 * most * Fraction(*track.rate) / over) or average_bits(track)


def average_bits(track: Track) -> int:
    """A second, of all of it."""
    seconds = sum((_seconds(segment, track) for segment in _of(track)), Fraction(0))
    return math.ceil(8 * sum(segment.size_bytes for segment in track.segments) / seconds)


def _of(track: Track) -> Sequence[Segment]:
    if not track.segments:
        raise ValueError(f"The track {track.name} has no segment.")
    return track.segments


def _seconds(segment: Segment, track: Track) -> Fraction:
    return Fraction(segment.length) / Fraction(*track.rate)


def _decimal(millionths: int, places: int = 6) -> str:
    """`4.004000`: with a point whatever the machine's language is."""
    scaled = round(Fraction(millionths, 10 ** (6 - places)))
    whole, rest = divmod(scaled, 10**places)
    return f"{whole}.{rest:0{places}d}"
