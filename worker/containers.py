"""How a file of each kind is written, so that it is played at once, exact to the sample where its
kind allows that, and the same to the byte whenever it is made again. Pure."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from mayfly.contract.formats import MATROSKA, Kind
from mayfly.contract.recipe import AudioOutput, VideoOutput
from mayfly.contract.report import SoundTrack
from worker import words
from worker.streams import ANONYMOUS
from worker.tracks import Chosen

#: Found on ffmpeg 9: with these all chunks have one and the same beginning, times that fit behind
#: each other, and no edit list that a player could read in another way.
FRAGMENTS = "+cmaf+frag_keyframe+delay_moov+frag_discont"
#: With `frag_discont` the priming of sound would be a time before 0.
_SOUND_FRAGMENTS = "+cmaf+delay_moov"

#: Picture and sound in one file; its index waits for the first packets, whose priming it tells; and
#: one list of all fragments in front, since else a player reads the whole file to find a moment.
_IN_FRAGMENTS = "+frag_keyframe+delay_moov+default_base_moof+global_sidx"

_REPEATED = re.compile(r"^(-metadata(?::s:a:\d+)?)#[a-z]+$")

#: Their muxers would write a random number and the day into each.
_SAME = {"fflags": "+bitexact"}


def delivered(output: VideoOutput | AudioOutput) -> dict[str, Any]:
    """What a file that somebody asked for is written with."""
    container = output.holds.container
    match container:
        case "mp4" | "mov":
            fragmented = isinstance(output, VideoOutput) and output.fragmented
            return {
                # Of sound alone with the brand that Apple's players look for.
                "format": "ipod" if isinstance(output, AudioOutput) else container,
                # The index in front: playback starts before it is loaded.
                "movflags": _IN_FRAGMENTS if fragmented else "+faststart",
                **ANONYMOUS,
            }
        case "matroska" | "webm":
            # The same as faststart.
            return {"format": container, "cues_to_front": 1, **_SAME, **ANONYMOUS}
        case _:
            return {"format": container, **_SAME, **ANONYMOUS}


def told(
    kind: Kind, tags: Mapping[str, str], tracks: Sequence[Chosen | SoundTrack]
) -> dict[str, Any]:
    """What a file says of itself and of its sound tracks, which was made fit for that (`words`).
    Each is one argument, and no shell reads it. The same option several times: see `repeated`."""
    options: dict[str, Any] = {f"metadata#{name}": f"{name}={said}" for name, said in tags.items()}
    for number, track in enumerate(tracks):
        language = words.older(track.language) if kind.container == "mov" else track.language
        said = {"language": language, "title": track.title}
        for name, text in said.items():
            if text:
                options[f"metadata:s:a:{number}#{name}"] = f"{name}={text}"
        if len(tracks) > 1:
            options[f"disposition:a:{number}"] = 0 if number else "default"
    return options


def spoken(language: str) -> dict[str, Any]:
    """What a file of one sound says of it, where anybody knows."""
    return {"metadata:s:a:0": f"language={language}"} if language else {}


def repeated(words: Sequence[str]) -> list[str]:
    """A line's words, with options that it has more than once under their own name: ffmpeg-python
    knows each once."""
    return [_REPEATED.sub(r"\1", word) for word in words]


def sound_part(kind: Kind) -> dict[str, Any]:
    """What the sound of a source that was cut is written with until it is joined. In the elements
    of the file to be: in a copy from one kind to the other the word on its end would be lost."""
    if kind.container in MATROSKA:
        return {"format": "matroska", **_SAME, **ANONYMOUS}
    return {"format": "mp4", "movflags": _SOUND_FRAGMENTS, **ANONYMOUS}


def sound_demuxer(kind: Kind) -> str:
    """What reads such a part."""
    return "matroska" if kind.container in MATROSKA else "mov"


def demuxer(kind: Kind) -> str:
    """What reads a film of ours."""
    return "matroska" if kind.container in MATROSKA else "mov"


def tag(output: VideoOutput) -> dict[str, Any]:
    """What Apple's players ask of HEVC: its parameter sets in front, not among the pictures."""
    if output.codec == "hevc" and output.holds.container not in MATROSKA:
        return {"tag:v": "hvc1"}
    return {}
