"""Lays out what subtitles are drawn from, before ffmpeg begins: our own file of them for each size
of picture, our font, and nothing of the machine's.

It must never let a film begin that would have boxes where letters should be.
"""

import functools
import importlib.util
from collections.abc import Sequence
from pathlib import Path

from mayfly.contract.recipe import BurnIn, LadderOutput, VideoOutput
from worker import burnt, glyphs, subtitle_tracks, subtitles
from worker.ends import WorkFailed
from worker.made import broken
from worker.opening import FONT_CONFIG
from worker.picture import Size
from worker.preflight import Material
from worker.promise import Plan, Promise
from worker.room import Room
from worker.subtitle_clock import origin_of
from worker.subtitle_text import Cue

#: A package that holds nothing but the files of a font.
_PACKAGE, _FILES = "fontpkg_noto_sans", "files"


def lay_out(room: Room, plan: Plan, material: Material) -> None:
    """For every picture of the plan that has subtitles drawn into it; nothing where none has.
    Raises WorkFailed, Halted."""
    wanted = [promise for promise in plan.promises if _burnt_in(promise) is not None]
    if not wanted:
        return
    tracks = {
        promise.output.file: subtitle_tracks.chosen(
            promise.output.file, burn.language, material.probe
        )
        for promise in wanted
        if (burn := _burnt_in(promise)) is not None
    }
    cues = subtitles.read(room, material, list(tracks.values()), origin_of(material))
    (room.folder / burnt.FONTS).symlink_to(font_folder(), target_is_directory=True)
    (room.folder / FONT_CONFIG).write_text(burnt.NO_OTHER_FONTS, encoding="ascii")
    for promise in wanted:
        said = cues[tracks[promise.output.file].index]
        if missing := burnt.undrawable(said, drawable()):
            told = " ".join(f"U+{ord(one):04X}" for one in missing[:10])
            raise WorkFailed("subtitles_undrawable", f"{promise.output.file}: {told}")
        for size in _sizes(promise):
            _write(room, burnt.path(size), burnt.without_signs(said, drawable()), size)


def font_folder() -> Path:
    """Where the font lies that the lock has brought. Raises WorkFailed."""
    spec = importlib.util.find_spec(_PACKAGE)
    for place in (spec.submodule_search_locations or []) if spec else []:
        if (folder := Path(place) / _FILES).is_dir():
            return folder
    raise WorkFailed("worker_failed", "the font of subtitles is not here")


@functools.cache
def drawable() -> frozenset[int]:
    """The characters that each file of the font has."""
    fonts = [glyphs.characters(path) for path in sorted(font_folder().glob("*.ttf"))]
    return frozenset.intersection(*fonts)


def _write(room: Room, path: str, cues: Sequence[Cue], size: Size) -> None:
    (room.folder / path).write_bytes(burnt.written(cues, size).encode())
    probe = room.judge.listed(path, path, "ass")
    count = sum(stream.nb_read_packets or 0 for stream in probe.streams)
    if count != len(cues):
        broken(f"{count} of {len(cues)} subtitles would be drawn")


def _sizes(promise: Promise) -> list[Size]:
    if promise.rungs:
        return [rung.size for rung in promise.rungs]
    assert promise.size is not None
    return [promise.size]


def _burnt_in(promise: Promise) -> BurnIn | None:
    output = promise.output
    return output.burn_in if isinstance(output, VideoOutput | LadderOutput) else None
