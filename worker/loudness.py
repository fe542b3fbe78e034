"""Measures how loud sound is, before and after it is encoded, where a recipe asks for a loudness.

Why before: one gain needs to know all of the sound. It must never decide what is done about it
(`levels`), nor judge what was made (`prove_loudness`).
"""

from collections.abc import Sequence
from fractions import Fraction

import msgspec

from mayfly.contract.recipe import LadderOutput
from mayfly.contract.report import Loudness, Media
from worker import compile_loudness, levels, prove_loudness
from worker.compile_sound import Levels
from worker.ends import WorkFailed
from worker.levels import Level, Measured
from worker.made import demuxer
from worker.preflight import Material
from worker.promise import Plan, Promise
from worker.room import Room
from worker.rungs import path, sound_name
from worker.tracks import Chosen


class Meter:
    """Of one attempt: each thing is measured once, however many outputs it goes into."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._known: dict[tuple[str, ...], Measured] = {}
        #: Of ffmpeg, so far.
        self.cpu_seconds = 0.0

    def levels(
        self, material: Material, promises: Sequence[Promise], origin_seconds: Fraction | None
    ) -> Levels:
        """What is to be done about each track of the outputs that want a loudness. Raises
        WorkFailed, Halted."""
        return {
            promise.output.file: tuple(
                self._level(material, promise, track, origin_seconds) for track in promise.tracks
            )
            for promise in promises
            if promise.tracks and promise.sound.loudness is not None
        }

    def _level(
        self, material: Material, promise: Promise, track: Chosen, origin: Fraction | None
    ) -> Level:
        def heard(level: Level | None) -> Measured:
            settings = self._room.settings
            line = compile_loudness.of_source(
                material, promise, track, level, origin,
                ffmpeg_path=settings.ffmpeg, threads=settings.threads,
            )  # fmt: skip
            return self._measured(line)

        assert promise.sound.loudness is not None
        level = levels.first(promise.sound.loudness, promise.sound_codec, heard(None))
        if level.limit_dbtp is None:
            return level
        raised = levels.again(level, heard(level))
        return raised if raised.gain_db == level.gain_db else levels.known(raised, heard(raised))

    def told(
        self, promises: Sequence[Promise], media: Sequence[Media | None], found: Levels
    ) -> tuple[Media | None, ...]:
        """What each file is, and how loud its tracks are where that was asked for. Raises
        WorkFailed(output_broken), Halted."""
        return tuple(
            self._told(promise, one, found) if one is not None and one.sounds else one
            for promise, one in zip(promises, media, strict=True)
        )

    def _told(self, promise: Promise, media: Media, found: Levels) -> Media:
        sounds = tuple(
            msgspec.structs.replace(sound, loudness=loudness)
            for sound, loudness in zip(media.sounds, self.proven(promise, found), strict=True)
        )
        return msgspec.structs.replace(media, sounds=sounds)

    def proven(self, promise: Promise, found: Levels) -> tuple[Loudness | None, ...]:
        """How loud each track of an output came out, as it lies on the disk. Raises
        WorkFailed(output_broken), Halted."""
        decided = found.get(promise.output.file)
        if decided is None:
            return (None,) * len(promise.tracks)
        told = []
        for number, (track, level) in enumerate(zip(promise.tracks, decided, strict=True)):
            assert level is not None
            where, reader, at = _written(promise, number)
            settings = self._room.settings
            line = compile_loudness.of_file(
                where, reader, at, track.channels,
                ffmpeg_path=settings.ffmpeg, threads=settings.threads,
            )  # fmt: skip
            told.append(prove_loudness.proven(promise, level, self._measured(line)))
        return tuple(told)

    def _measured(self, line: tuple[str, ...]) -> Measured:
        if line in self._known:
            return self._known[line]
        ending = self._room.run(Plan(argv=line, promises=()), None)
        self.cpu_seconds += ending.cpu_seconds
        found = levels.measured(ending.tail)
        if found is None:
            raise WorkFailed("encoder_failed", "ffmpeg did not say how loud its sound is")
        self._known[line] = found
        return found


def _written(promise: Promise, number: int) -> tuple[str, str, int]:
    """The file of a track beneath the folder, what reads it, and which of its tracks it is."""
    output = promise.output
    if isinstance(output, LadderOutput):
        return path(output, sound_name(number)), "mov", 0
    return promise.path, demuxer(promise.holds), number
