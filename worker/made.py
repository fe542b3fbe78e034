"""One file that was made, as it lies on the disk: how it is built, when its picture and its sound
begin, and how many samples it presents.

Boxes say the last exactly, and nothing needs decoding; in files without boxes only a decoder of
another program can tell. It must never ask who made the file, nor what was promised.
"""

import dataclasses
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import NoReturn, TypeVar

from mayfly.contract.formats import ISO, MATROSKA, Kind
from worker import boxes, ebml, presented, sample_entries
from worker.boxes import Malformed
from worker.ends import WorkFailed
from worker.halt import Halt
from worker.probe import Probe, Stream
from worker.prober import Prober

_Read = TypeVar("_Read")

#: Of ffprobe, and of ffmpeg.
_DEMUXERS = {"mp4": "mov", "mov": "mov", "webm": "matroska"}

#: Ends of AAC that Matroska has no word for: the rest of the last packet is silence.
_AAC_PACKET_SAMPLES = 1024


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Sounded:
    """One sound track."""

    stream: Stream
    #: On the file's own clock.
    begins: Fraction
    seconds: float
    #: How many it presents; None: nobody can tell.
    samples: int | None
    #: So many more than went in may come out, since nothing in the file says where it ends.
    padding_max: int = 0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What there is."""

    name: str
    path: Path
    kind: Kind
    probe: Probe
    #: On the file's own clock.
    picture_begins: Fraction | None = None
    picture_seconds: float = 0.0
    #: In the file's order.
    sounds: tuple[Sounded, ...] = ()
    #: What players call its picture and its sound (RFC 6381); empty where nobody asks.
    codecs: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """Measures files of a folder."""

    prober: Prober
    folder: Path
    halt: Halt

    def probed(self, name: str, path: str, demuxer: str) -> Probe:
        """A file that was promised. Raises WorkFailed(output_broken), Halted."""
        if not (self.folder / path).is_file():
            broken(f"{name} was not written")
        return _readable(
            name,
            lambda: self.prober.probe(path, folder=self.folder, halt=self.halt, demuxer=demuxer),
        )

    def made(self, name: str, path: str, kind: Kind) -> Made:
        """Everything about it. Raises WorkFailed(output_broken), Halted."""
        probe = self.probed(name, path, demuxer(kind))
        named = _codecs(name, self.folder / path, kind)
        found = Made(name=name, path=self.folder / path, kind=kind, probe=probe, codecs=named)
        if kind.container in ISO:
            return _by_boxes(found)
        return self._decoded(self._listed(found, path), path)

    def _listed(self, made: Made, path: str) -> Made:
        """With the moments of its pictures, by its packets."""
        if made.probe.picture() is None:
            return made
        scan = _readable(
            made.name,
            lambda: self.prober.scan(path, made.probe, folder=self.folder, halt=self.halt),
        )
        # Two at one moment may be: the clock of Matroska is too coarse for what two recordings that
        # overlap become (`compile`).
        if len(scan.ticks) != scan.frames or scan.key_ticks[:1] != scan.ticks[:1]:
            broken(f"{made.name} has pictures without a moment, or no keyframe in front")
        return dataclasses.replace(
            made, picture_begins=scan.ticks[0] * scan.tick, picture_seconds=scan.span_seconds()
        )

    def _decoded(self, made: Made, path: str) -> Made:
        """With what its sound is heard to be."""
        sounds = [
            self._heard(made, path, number, stream)
            for number, stream in enumerate(made.probe.sounds())
        ]
        return dataclasses.replace(made, sounds=tuple(sounds))

    def _heard(self, made: Made, path: str, number: int, stream: Stream) -> Sounded:
        begins, samples = _readable(
            made.name,
            lambda: self.prober.decoded_samples(path, number, folder=self.folder, halt=self.halt),
        )
        in_matroska = made.kind.container in MATROSKA
        padded = in_matroska and stream.codec_name == "aac"
        return Sounded(
            stream=stream,
            # What a file of sound alone says of its beginning is how much of it is not played.
            begins=Fraction(begins if in_matroska else 0),
            seconds=samples / (stream.sample_rate or 1),
            samples=samples,
            padding_max=_AAC_PACKET_SAMPLES - 1 if padded else 0,
        )


def _codecs(name: str, path: Path, kind: Kind) -> tuple[str, ...]:
    try:
        if kind.container in ISO:
            return sample_entries.codecs(path)
        return ebml.codecs(path) if kind.container in MATROSKA else ()
    except Malformed as error:
        broken(f"{name}: {error}")


def demuxer(kind: Kind) -> str:
    """What reads a file of our own of that kind."""
    return _DEMUXERS.get(kind.container, kind.container)


def _by_boxes(made: Made) -> Made:
    picture, sounds = made.probe.picture(), made.probe.sounds()
    try:
        if picture is not None:
            begins = presented.picture(made.path).begins
            seconds = picture.duration or 0.0
            made = dataclasses.replace(made, picture_begins=begins, picture_seconds=seconds)
        found = presented.sounds(made.path, len(sounds))
    except Malformed as error:
        broken(f"{made.name}: {error}")
    heard = tuple(
        Sounded(stream=sound, begins=one.begins, seconds=sound.duration or 0.0, samples=one.ticks)
        for sound, one in zip(sounds, found, strict=True)
    )
    return dataclasses.replace(made, sounds=heard)


def prove_built(made: Made, *, fragmented: bool = False) -> None:
    """It is the kind of file that its name says, and begins to play before it is loaded. Raises
    WorkFailed(output_broken)."""
    container, name = made.kind.container, made.name
    try:
        if container in ISO:
            _prove_boxes(made, fragmented=fragmented)
        elif container in MATROSKA:
            if (said := ebml.doc_type(made.path)) != container:
                broken(f"{name} says that it is {said}")
            if made.probe.picture() is not None and not ebml.index_in_front(made.path):
                broken(f"the index of {name} is not in front")
    except Malformed as error:
        broken(f"{name}: {error}")


def _prove_boxes(made: Made, *, fragmented: bool) -> None:
    found = boxes.boxes(made.path)
    kinds = [box.kind for box in found]
    if b"moov" not in kinds or kinds[:1] != [b"ftyp"]:
        broken(f"{made.name} has no index")
    if (b"moof" in kinds) is not fragmented:
        broken(f"{made.name} is {'not ' if fragmented else ''}in fragments")
    if kinds.index(b"moov") > kinds.index(b"mdat" if b"mdat" in kinds else b"moov"):
        broken(f"the index of {made.name} is not in front")
    with made.path.open("rb") as file:
        file.seek(found[0].start + 8)
        is_quicktime = file.read(4) == b"qt  "
    if is_quicktime is not (made.kind.container == "mov"):
        broken(f"{made.name} is {'' if is_quicktime else 'not '}for QuickTime")


def _readable(name: str, read: Callable[[], _Read]) -> _Read:
    try:
        return read()
    except WorkFailed as error:
        broken(f"{name} cannot be read: {error.detail}")


def broken(detail: str) -> NoReturn:
    """A promise was not kept. Raises WorkFailed(output_broken)."""
    raise WorkFailed("output_broken", detail)
