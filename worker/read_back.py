"""Reads the lists of a ladder as players do, before anybody gets them, and holds them against the
segments that there are.

It must never share a line with what writes them (`mayfly.core.playlists`, `mayfly.core.dash`), or
one mistake would be made twice: it reads nothing but the text, and compares that with the names
under which segments are published.
"""

import dataclasses
import math
import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import NoReturn
from xml.etree import ElementTree as Xml

from mayfly.contract.ladder import Text, Track
from mayfly.core import ladders, languages
from worker.ends import WorkFailed
from worker.rungs import is_sound

#: Lengths in playlists are in millionths of a second.
_ROUNDED = Fraction(1, 2_000_000)
#: A manifest's whole length is, too, and rounded up.
_ROUNDED_UP = Fraction(1, 1_000_000)

_ATTRIBUTE = re.compile(r'([A-Z-]+)=(?:"([^"]*)"|([^",]*))(?:,|$)')
_DURATION = re.compile(r"PT(\d+(?:\.\d+)?)S")
_NAMESPACE = "{urn:mpeg:dash:schema:mpd:2011}"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One segment, as a list has it; its times in seconds."""

    name: str
    starts: Fraction
    ends: Fraction
    #: Of which only so many bytes, from the first on; None: all.
    size: int | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One track, as a list has it."""

    beginning: str
    items: tuple[Item, ...]


def check(texts: Mapping[str, str], tracks: Sequence[Track], spoken: Sequence[Text] = ()) -> None:
    """That these lists, by their names, name all segments of the tracks, each once, in order, at
    their times, and nothing else; and of each track of subtitles as many as of the picture. Raises
    WorkFailed(output_broken)."""
    named: set[str] = set()
    if ladders.MASTER in texts:
        named = {ladders.MASTER, *_check_master(texts[ladders.MASTER], tracks, spoken)}
        for track in tracks:
            _check_playlists(texts, track, named)
        for text in spoken:
            _check_text(texts, text, tracks[0], named)
    if ladders.MANIFEST in texts:
        named.add(ladders.MANIFEST)
        _check_manifest(texts[ladders.MANIFEST], tracks, spoken)
    if named != set(texts):
        _broken("lists", f"{', '.join(sorted(named ^ set(texts)))} without one that leads there")


def _check_master(text: str, tracks: Sequence[Track], spoken: Sequence[Text]) -> set[str]:
    """The playlists that it names."""
    pictures = [track for track in tracks if not is_sound(track.name)]
    sounds = [track for track in tracks if is_sound(track.name)]
    lines = _lines(ladders.MASTER, text)
    streams, keys, media = (
        [(_attributes(line), after) for line, after in zip(lines, [*lines[1:], ""], strict=True)
         if line.startswith(f"#EXT-X-{tag}:")]
        for tag in ("STREAM-INF", "I-FRAME-STREAM-INF", "MEDIA")
    )  # fmt: skip
    said = [one for one, _ in media if one.get("TYPE") == "SUBTITLES"]
    media = [(one, after) for one, after in media if one.get("TYPE") == "AUDIO"]
    _check_spoken(ladders.MASTER, said, spoken)
    group = spoken and said[0].get("GROUP-ID")
    wanted = [f"{track.width}x{track.height}" for track in pictures]
    heard = [track.codec for track in sounds[:1]]
    if [one.get("RESOLUTION") for one, _ in streams] != wanted or len(media) != len(sounds):
        _broken(ladders.MASTER, "other tracks than there are")
    _check_sounds([one for one, _ in media], sounds)
    for (one, _), track in zip(streams, pictures, strict=True):
        codecs = one.get("CODECS", "").split(",")
        if codecs != [track.codec, *heard] or ("AUDIO" in one) != bool(sounds):
            _broken(ladders.MASTER, f"{track.name} with other codecs or sound than it has")
        if one.get("SUBTITLES") != (group or None):
            _broken(ladders.MASTER, f"{track.name} with other subtitles than there are")
    if keys and [one.get("RESOLUTION") for one, _ in keys] != wanted:
        _broken(ladders.MASTER, "keyframes of other sizes than there are")
    return {
        *(after for _, after in streams),
        *(one.get("URI", "") for one, _ in (*keys, *media)),
        *(one.get("URI", "") for one in said),
    }


def _check_spoken(name: str, said: Sequence[Mapping[str, str]], spoken: Sequence[Text]) -> None:
    """The subtitles that a master names."""
    found = [
        (one.get("NAME"), one.get("LANGUAGE", ""), one.get("FORCED"), one.get("URI"))
        for one in said
    ]
    wanted = [
        (one.label, one.language, "YES" if one.forced else "NO", ladders.playlist(one.name))
        for one in spoken
    ]
    if found != wanted or len({one.get("GROUP-ID") for one in said}) > 1:
        _broken(name, "other subtitles than there are")


def _check_text(texts: Mapping[str, str], text: Text, picture: Track, named: set[str]) -> None:
    """The playlist of a track of subtitles: a file for each of the picture's segments."""
    name = ladders.playlist(text.name)
    if name not in named:
        _broken(name, "nobody leads there")
    found, rate = _playlist(name, texts.get(name, "")), Fraction(*picture.rate)
    wanted = [ladders.text_segment(text.name, one.number) for one in picture.segments]
    ends = [(one.start + one.length) / rate for one in picture.segments]
    if (
        [item.name for item in found.items] != wanted
        or found.beginning
        or any(abs(item.ends - end) > _ROUNDED for item, end in zip(found.items, ends, strict=True))
    ):
        _broken(name, "other segments than the picture's")


def _check_sounds(said: Sequence[Mapping[str, str]], sounds: Sequence[Track]) -> None:
    """Those that a viewer may choose among: each in its language, under a name of its own, and the
    first by itself."""
    found = [
        (one.get("URI"), one.get("CHANNELS"), one.get("DEFAULT"), one.get("LANGUAGE", ""))
        for one in said
    ]
    wanted = [
        (
            ladders.playlist(track.name),
            str(track.channels),
            "NO" if number else "YES",
            languages.tag(track.language),
        )
        for number, track in enumerate(sounds)
    ]
    names = {one.get("NAME") for one in said}
    if (
        found != wanted
        or len(names) < len(sounds)
        or len({one.get("GROUP-ID") for one in said}) > 1
    ):
        _broken(ladders.MASTER, "other sounds than there are")


def _check_playlists(texts: Mapping[str, str], track: Track, named: set[str]) -> None:
    """The playlist of a track, and that of its keyframes where the master names one."""
    name, keys = ladders.playlist(track.name), ladders.iframes(track.name)
    if name not in named:
        _broken(name, "nobody leads there")
    _compare(name, _playlist(name, texts.get(name, "")), track, _ROUNDED)
    if keys in named:
        found = _playlist(keys, texts.get(keys, ""))
        _compare(keys, found, track, _ROUNDED)
        for item, segment in zip(found.items, track.segments, strict=True):
            if item.size != segment.key_bytes or not 0 < item.size <= segment.size_bytes:
                _broken(keys, f"{item.size} bytes of the {segment.size_bytes} of {item.name}")


def _playlist(name: str, text: str) -> Listed:
    """A playlist of one track."""
    beginning, items, at = "", list[Item](), Fraction(0)
    length, size, longest = Fraction(0), None, 0
    lines = _lines(name, text)
    for line in lines:
        tag, _, value = line.partition(":")
        if tag == "#EXT-X-MAP":
            beginning = _attributes(line).get("URI", "")
        elif tag == "#EXT-X-TARGETDURATION":
            longest = int(value)
        elif tag == "#EXTINF":
            length = Fraction(value.partition(",")[0])
        elif tag == "#EXT-X-BYTERANGE":
            size, offset = map(int, value.split("@"))
            if offset:
                _broken(name, "keyframes that do not begin where their segments do")
        elif not line.startswith("#"):
            if math.floor(length + Fraction(1, 2)) > longest:
                _broken(name, f"{line} is longer than the {longest} s that it promises")
            items.append(Item(name=line, starts=at, ends=at + length, size=size))
            at += length
    if lines[-1] != "#EXT-X-ENDLIST" or ("#EXT-X-I-FRAMES-ONLY" in lines) != (size is not None):
        _broken(name, "it does not say what it is")
    return Listed(beginning=beginning, items=tuple(items))


def _check_manifest(text: str, tracks: Sequence[Track], spoken: Sequence[Text]) -> None:
    name = ladders.MANIFEST
    try:
        root = Xml.fromstring(text)  # noqa: S314 - written a moment ago, by ourselves
        periods = root.findall(f"{_NAMESPACE}Period")
        found = dict(_represented(periods[0])) if len(periods) == 1 else {}
        lasts = _seconds(root.get("mediaPresentationDuration", ""))
        said = _spoken(periods[0]) if len(periods) == 1 else []
    except (Xml.ParseError, KeyError, ValueError, AttributeError) as error:
        _broken(name, f"it cannot be read: {type(error).__name__}")
    if list(found) != [track.name for track in tracks]:
        _broken(name, f"it has the tracks {', '.join(found)}")
    if said != [(one.language, one.label, ladders.text_whole(one.name)) for one in spoken]:
        _broken(name, "other subtitles than there are")
    for track in tracks:
        made, listed = found[track.name]
        if made.get("codecs") != track.codec or (
            track.width and (made.get("width"), made.get("height")) != _size(track)
        ):
            _broken(name, f"{track.name} is another one there")
        _compare(name, listed, track, Fraction(0))
    heard = [one.get("lang", "") for one in periods[0] if one.get("contentType") == "audio"]
    if heard != [languages.tag(track.language) for track in tracks if is_sound(track.name)]:
        _broken(name, f"it has sound in {', '.join(heard)}")
    longest = max(listed.items[-1].ends for _, listed in found.values())
    if not longest <= lasts < longest + _ROUNDED_UP:
        _broken(name, f"it lasts {float(lasts)} s, its tracks {float(longest)} s")


def _size(track: Track) -> tuple[str, str]:
    return str(track.width), str(track.height)


def _represented(period: Xml.Element) -> list[tuple[str, tuple[Xml.Element, Listed]]]:
    """Every track of a period, with its segments."""
    return [
        (made.attrib["id"], (made, _templated(template, made.attrib["id"])))
        for group in period.findall(f"{_NAMESPACE}AdaptationSet")
        for template in group.findall(f"{_NAMESPACE}SegmentTemplate")
        for made in group.findall(f"{_NAMESPACE}Representation")
    ]


def _spoken(period: Xml.Element) -> list[tuple[str, str, str]]:
    """Language, name and file of each track of subtitles."""
    return [
        (
            group.get("lang", ""),
            group.findtext(f"{_NAMESPACE}Label", ""),
            made.findtext(f"{_NAMESPACE}BaseURL", ""),
        )
        for group in period.findall(f"{_NAMESPACE}AdaptationSet[@mimeType='text/vtt']")
        for made in group.findall(f"{_NAMESPACE}Representation")
    ]


def _templated(template: Xml.Element, track: str) -> Listed:
    """As a player fills a template in, whose offset is 0 unless it says another."""
    ticks = int(template.attrib["timescale"])
    number, offset = int(template.get("startNumber", "1")), template.get("presentationTimeOffset")
    at, items = 0, list[Item]()
    for run in template.iterfind(f"{_NAMESPACE}SegmentTimeline/{_NAMESPACE}S"):
        at = int(run.get("t", at))
        for _ in range(1 + int(run.get("r", "0"))):
            ends = at + int(run.attrib["d"])
            items.append(
                Item(
                    name=_filled(template.attrib["media"], track, number),
                    starts=Fraction(at - int(offset or 0), ticks),
                    ends=Fraction(ends - int(offset or 0), ticks),
                )
            )
            at, number = ends, number + 1
    return Listed(
        beginning=_filled(template.attrib["initialization"], track, number), items=tuple(items)
    )


def _filled(template: str, track: str, number: int) -> str:
    """Raises ValueError for what it does not know."""
    words = template.split("$")
    for at in range(1, len(words), 2):
        kind, _, form = words[at].partition("%")
        if kind not in ("RepresentationID", "Number"):
            raise ValueError(kind)
        words[at] = f"%{form or 's'}" % (track if kind == "RepresentationID" else number)
    return "".join(words)


def _compare(name: str, listed: Listed, track: Track, off_max: Fraction) -> None:
    """What a list has against what there is."""
    if listed.beginning != ladders.beginning(track.name):
        _broken(name, f"{track.name} begins with {listed.beginning}")
    if len(listed.items) != len(track.segments):
        _broken(name, f"{len(listed.items)} segments of the {len(track.segments)} of {track.name}")
    rate = Fraction(*track.rate)
    for item, segment in zip(listed.items, track.segments, strict=True):
        if item.name != ladders.segment(track.name, segment.number):
            _broken(name, f"{item.name} for the segment {segment.number} of {track.name}")
        starts, ends = segment.start / rate, (segment.start + segment.length) / rate
        if abs(item.starts - starts) > off_max or abs(item.ends - ends) > off_max:
            _broken(name, f"{item.name} at {float(item.starts)} s, not at {float(starts)} s")


def _lines(name: str, text: str) -> list[str]:
    lines = text.splitlines()
    if lines[:1] != ["#EXTM3U"] or "" in lines:
        _broken(name, "it is no playlist")
    return lines


def _attributes(line: str) -> dict[str, str]:
    return {found[1]: found[2] or found[3] for found in _ATTRIBUTE.finditer(line.partition(":")[2])}


def _seconds(duration: str) -> Fraction:
    """Raises ValueError."""
    if not (found := _DURATION.fullmatch(duration)):
        raise ValueError(duration)
    return Fraction(found[1])


def _broken(name: str, detail: str) -> NoReturn:
    raise WorkFailed("output_broken", f"{name}: {detail}")
