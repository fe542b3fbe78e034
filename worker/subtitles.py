"""Subtitles of a source, as files of ours.

What ffmpeg decodes is text in a stranger's words, so none of its files is delivered: its events are
read (`subtitle_packets`), understood (`subtitle_text`), put on the plan's clock (`subtitle_clock`),
written (`subtitle_files`), and read back before anybody gets them (`subtitle_reading`).
"""

import math
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from mayfly.contract.recipe import SubtitlesOutput
from mayfly.contract.report import Media
from worker import subtitle_files, subtitle_reading, subtitle_tracks
from worker.compile_subtitles import DECODED, compile_decoded
from worker.made import broken
from worker.opening import SOURCE
from worker.preflight import Material
from worker.probe import Stream
from worker.promise import OUTPUTS
from worker.room import Room
from worker.subtitle_clock import film_seconds, on_clock, said
from worker.subtitle_packets import LISTED, SHOWN, EventList, PacketList
from worker.subtitle_text import Cue


def make(room: Room, material: Material, origin: Fraction) -> list[tuple[str, Media]]:
    """The file of each output of the recipe that is one, and what it is; `origin` is the second
    that is 0 from now on. Raises WorkFailed, Halted."""
    outputs = [one for one in room.order.task.recipe.outputs if isinstance(one, SubtitlesOutput)]
    tracks = {
        one.file: subtitle_tracks.chosen(one.file, one.language, material.probe) for one in outputs
    }
    cues = read(room, material, list(tracks.values()), origin)
    until = film_seconds(material, origin)
    return [_written(room, one, cues[tracks[one.file].index], until) for one in outputs]


def read(
    room: Room, material: Material, tracks: Sequence[Stream], origin: Fraction
) -> dict[int, tuple[Cue, ...]]:
    """What these tracks say, by their indexes, within the film. Raises WorkFailed, Halted."""
    if not tracks:
        return {}
    once = sorted({track.index: track for track in tracks}.items())
    settings, halt = room.settings, room.order.halt
    plan = compile_decoded(
        material,
        [track for _, track in once],
        ffmpeg_path=settings.ffmpeg,
        threads=settings.threads,
    )
    room.run(plan, None, material.opening)
    events, packets = EventList(), PacketList()
    prober, folder = room.prober, room.folder
    prober.told(SHOWN, DECODED, folder=folder, halt=halt, take=events.line)
    prober.told(LISTED, SOURCE, folder=folder, halt=halt, take=packets.line)
    (folder / DECODED).unlink()
    until = film_seconds(material, origin)
    return {
        index: on_clock(
            said(track, packets.packets.get(index, []), events.events.get(number, [])),
            origin,
            until,
        )
        for number, (index, track) in enumerate(once)
    }


def _written(
    room: Room, output: SubtitlesOutput, cues: Sequence[Cue], until: Fraction | None
) -> tuple[str, Media]:
    path, last = f"{OUTPUTS}/{output.file}", None if until is None else math.ceil(until * 1000)
    if output.file.endswith(".srt"):
        text = subtitle_files.subrip(cues)
        subtitle_reading.check_subrip(text, cues, until_ms=last)
    else:
        text = subtitle_files.webvtt(cues)
        subtitle_reading.check_webvtt(text, cues, until_ms=last)
    (room.folder / path).write_bytes(text.encode())
    media = delivered(room, output)
    if media.cues != len(cues):
        broken(f"{output.file} holds {media.cues} subtitles for players, not {len(cues)}")
    return path, media


def delivered(room: Room, output: SubtitlesOutput) -> Media:
    """What another program counts in the file of an output. Raises WorkFailed(output_broken),
    Halted."""
    path = Path(OUTPUTS) / output.file
    container = "srt" if output.file.endswith(".srt") else "webvtt"
    count, seconds = 0, None
    if (room.folder / path).stat().st_size:
        probe = room.judge.listed(output.file, str(path), container)
        count = sum(stream.nb_read_packets or 0 for stream in probe.streams)
        seconds = probe.format.duration
    return Media(container=container, duration_seconds=seconds, cues=count)
