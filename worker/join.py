"""Proves that the parts of a source that was cut are all there, in order, and fit each other; then
joins them. Nothing is decoded or encoded.

It must never deliver what it doubts: what to do about that is the finish's to decide.
"""

import contextlib
import dataclasses
import hashlib
import shutil
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import msgspec

from mayfly.contract.packed import Unreadable
from mayfly.contract.plan import PlanClock, Scope
from mayfly.contract.recipe import (
    AudioOutput,
    LadderOutput,
    Output,
    SampledOutput,
    SubtitlesOutput,
    VideoOutput,
)
from mayfly.contract.report import Artifact, Media, Scored, SoundTrack
from mayfly.contract.task import Fetch, Input
from mayfly.core import grids, ladders, limits
from worker import (
    boxes,
    bringing,
    gallery,
    ladder,
    ladder_ready,
    scoring,
    seams,
    subtitles,
    thinning,
    words,
)
from worker.compile_parts import FRAMES, PACKETS, compile_join, seam_ticks
from worker.ends import Doubted, WorkFailed
from worker.ladder_ready import Share
from worker.lists import unpack_frames, unpack_ticks
from worker.order import Done
from worker.promise import OUTPUTS, Promise
from worker.prove import Expected, summed
from worker.room import Room
from worker.seams import Frames
from worker.sound_notes import notes

_PICTURES, _SOUND = "in/pictures", "in/sound"
_JOINED = (_PICTURES, _SOUND)
_BLOCK_BYTES = 1 << 20
#: Of a finish, how much is over when all parts are there: the rest is a copy on one disk.
_FETCHING = 0.9
#: A fetch speaks of sources; what a part is not there for is no fault of anybody's source.
_NOT_AS_STORED = ("source_missing", "source_replaced")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Joining:
    """All parts of one source."""

    room: Room
    parts: Sequence[Input]
    #: Where each is now: a long join outlives its first URLs.
    where: Callable[[Input], Fetch]
    clock: PlanClock
    #: Files of chunks that were made anew, by the chunk's number and the file's name.
    anew: Mapping[tuple[int, str], Path] = dataclasses.field(default_factory=dict)

    def join(self) -> Done:
        """Every output. Raises Doubted, WorkFailed, Halted."""
        room = self.room
        packets = self._prove()
        frames, cpu_seconds, files = len(packets), 0.0, []
        ready: tuple[Artifact, ...] = ()
        for output in room.recipe.outputs:
            if isinstance(output, LadderOutput):
                ready += self._ladder(output, packets)
                continue
            if isinstance(output, SampledOutput):
                made = self._sampled(output, packets)
                if isinstance(made, Artifact):
                    ready += (made,)
                else:
                    files.append(made)
                continue
            file, seconds = self._file(output, packets)
            files.append(file)
            cpu_seconds += seconds
        stored = (*ready, *room.store(files, published=True))
        count = sum(part.file == FRAMES for part in self.parts)
        note = f"Encoded in {count} chunks; each of {frames} frames is there once, every seam fits."
        return Done(
            outputs=stored,
            source=Media(container="parts"),
            cpu_seconds=cpu_seconds,
            note=" ".join([note, *notes(room.recipe, stored)]),
            proof=summed(
                [made for _, made in files],
                chunks=count,
                seams_checked=count - 1,
                quality=self._scored(),
            ),
        )

    def _file(self, output: Output, packets: "array[int]") -> tuple[tuple[str, Media], float]:
        """An output that is one file, where it lies, and the CPU seconds of joining it."""
        brought = [part for part in self.parts if part.file == output.file]
        promise, seconds, shown = Promise(output=output, tags=self._tags(output)), 0.0, packets
        if isinstance(output, SubtitlesOutput):
            self._bring(_only(brought, output.file), promise.path)
            return (promise.path, subtitles.delivered(self.room, output)), seconds
        if isinstance(output, VideoOutput):
            shown = thinning.kept(thinning.joined(output, self.clock), packets)
            shown_at = array("q", (tick * self.clock.time_base[0] for tick in shown))
            seconds = self._join(promise, brought, shown_at)
        else:
            self._bring(_only(brought, output.file), promise.path)
        sounds = [part for part in brought if part.kind == "audio"]
        expected = Expected(
            frames=len(shown),
            begins=packets[0] * Fraction(*self.clock.time_base),
            sounds=_told(sounds[0]) if sounds else (),
        )
        return (promise.path, self.room.judge.joined(promise, expected)), seconds

    def _tags(self, output: Output) -> dict[str, str]:
        """What the source says of itself, as who read all of it has told."""
        if not isinstance(output, VideoOutput | AudioOutput) or output.metadata == "strip":
            return {}
        return words.kept(_only([p for p in self.parts if p.file == PACKETS], PACKETS).tags)

    def clear(self) -> None:
        """What a join that failed has left on the disk."""
        left = [*self.room.folder.glob("in/part-*"), *map(self.room.folder.joinpath, _JOINED)]
        for path in left:
            path.unlink(missing_ok=True)

    def _bring(self, part: Input, path: str) -> Path:
        """A part as it was stored, or none."""
        made = self.anew.get((part.number, part.file)) if part.kind == "chunk" else None
        if made is not None:
            return Path(shutil.copyfile(made, self.room.folder / path))
        try:
            found = self.room.fetch(lambda: self.where(part), path, part.size_bytes)
        except WorkFailed as failed:
            if failed.code not in _NOT_AS_STORED:
                raise
            raise _unlike(part) from None
        with found.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != part.sha256:
                raise _unlike(part)
        return found

    @contextlib.contextmanager
    def _brought(self, parts: Sequence[Input]) -> Iterator[Iterator[tuple[Input, Path]]]:
        """Each in its turn, while the next ones are on their way. What was handed on before is
        gone by then. Raises Doubted, WorkFailed, Halted."""

        def bring(number: int, part: Input) -> tuple[Input, Path]:
            return part, self._bring(part, f"in/part-{number}")

        with bringing.in_order(parts, bring) as brought:
            yield self._in_turn(brought)

    def _in_turn(self, brought: Iterator[tuple[Input, Path]]) -> Iterator[tuple[Input, Path]]:
        progress, whole = self.room.order.progress, sum(part.size_bytes for part in self.parts)
        for part, path in brought:
            yield part, path
            path.unlink()
            progress.fraction += _FETCHING * part.size_bytes / max(whole, 1)

    def _ladder(self, wanted: LadderOutput, packets: "array[int]") -> tuple[Artifact, ...]:
        """Of a ladder, which lies where its parts have stored it, only the lists are read."""
        grid = self.clock.grid
        if grid is None:
            raise WorkFailed("plan_refused", "a ladder without a grid")
        with self._brought([part for part in self.parts if part.file == ladders.INDEX]) as brought:
            shares = [self._share(part, path) for part, path in brought]
        found = ladder_ready.whole(wanted, shares)
        last = packets[-1] + self.clock.origin_ticks
        last_frame = grids.frame_of(last, grid, Fraction(*self.clock.time_base))
        ladder_ready.check(found, grid, last_frame)
        return ladder_ready.deliver(self.room, wanted, found)

    def _sampled(self, output: SampledOutput, packets: "array[int]") -> gallery.Made:
        """Of all chunks' pictures, one behind the other."""
        parts = [part for part in self.parts if part.file == output.file]
        pictures = self.room.folder / OUTPUTS / output.file
        with pictures.open("wb") as target, self._brought(parts) as brought:
            for _, path in brought:
                with path.open("rb") as source:
                    shutil.copyfileobj(source, target)
        return gallery.joined(self.room, output, packets, Fraction(*self.clock.time_base))

    def _share(self, part: Input, path: Path) -> Share:
        """What an attempt, or this one in its stead, has stored."""
        made = part.kind == "chunk" and (part.number, part.file) in self.anew
        prefix, slash, _ = (ladder.here(self.room) if made else part.key).rpartition("/")
        if not slash:
            raise WorkFailed("worker_failed", "a ladder whose place nobody tells")
        try:
            index = ladder.read(path)
        except Unreadable as error:
            raise _unlike(part, str(error)) from None
        chunk = part.number if part.kind == "chunk" else None
        return Share(prefix=f"{prefix}/", index=index, chunk=chunk)

    def _prove(self) -> "array[int]":
        """When each frame is shown. Raises Doubted when the parts' are not the source's."""
        listed = _only([part for part in self.parts if part.file == PACKETS], PACKETS)
        try:
            packets = unpack_ticks(self._bring(listed, "in/packets"))
        except Unreadable as error:
            raise _unlike(listed, str(error)) from None
        chunks: list[tuple[Scope, Frames]] = []
        torn: list[int] = []
        before: list[tuple[Scope, Frames]] = []
        with self._brought([part for part in self.parts if part.file == FRAMES]) as brought:
            for part, path in brought:
                assert part.scope is not None
                try:
                    this = (part.scope, unpack_frames(path))
                except Unreadable as error:
                    raise _unlike(part, str(error)) from None
                torn += seams.torn([*before, this], seam_ticks(self.clock))
                before = [this]
                # A day of pictures has gigabytes of hashes; what is left of them is their times.
                chunks.append((part.scope, this[1].unhashed()))
        if flaw := seams.flaw(packets, chunks):
            raise Doubted(flaw, seams.amiss(packets, chunks))
        if torn:
            raise Doubted(f"the chunks {torn[:10]} do not fit those before them", torn)
        return packets

    def _join(self, promise: Promise, brought: Sequence[Input], shown_at: "array[int]") -> float:
        """The CPU seconds of it."""
        self._check_room(promise.output.file, sum(part.size_bytes for part in brought))
        pictures, sounds = self._pictures(brought), [p for p in brought if p.kind == "audio"]
        _check_joined(pictures, promise.output.file, shown_at)
        if sounds:
            self._bring(_only(sounds, promise.output.file), _SOUND)
        settings = self.room.settings
        plan = compile_join(
            _PICTURES,
            _SOUND if sounds else None,
            promise,
            _told(sounds[0]) if sounds else (),
            ffmpeg_path=settings.ffmpeg,
            threads=settings.threads,
        )
        ending = self.room.run(plan, None)
        pictures.unlink()
        return ending.cpu_seconds

    def _scored(self) -> tuple[Scored, ...]:
        """How the outputs look, by who has made their chunks."""
        parts = [part for part in self.parts if part.file == scoring.GLANCES]
        paths = [self._bring(part, f"in/glances-{number}") for number, part in enumerate(parts)]
        return scoring.joined(self.room, self.clock, paths)

    def _check_room(self, file: str, size_bytes: int) -> None:
        """For what is joined, and for the film that is made of it. Raises WorkFailed."""
        free = shutil.disk_usage(self.room.folder).free
        if 2 * size_bytes + limits.RESERVED_DISK_BYTES > free:
            detail = f"to join {file} takes {2 * size_bytes} bytes of disk, and {free} are free"
            raise WorkFailed("output_limit", detail)

    def _pictures(self, brought: Sequence[Input]) -> Path:
        """All fragments in one file, behind the one beginning that all of them share."""
        joined = self.room.folder / _PICTURES
        beginning = b""
        chunks = [part for part in brought if part.kind == "chunk"]
        with joined.open("wb") as target, self._brought(chunks) as in_turn:
            for part, path in in_turn:
                try:
                    its_own, held = boxes.beginning(path), boxes.fragments(path)
                except boxes.Malformed as error:
                    raise Doubted(f"chunk {part.number}: {error}", [part.number]) from None
                if not beginning:
                    beginning = its_own
                    target.write(beginning)
                if its_own != beginning:
                    raise Doubted(f"chunk {part.number} is of another making")
                with path.open("rb") as source:
                    for box in held:
                        source.seek(box.start)
                        _copy(source, target, box.size)
        return joined


def _told(sound: Input) -> tuple[SoundTrack, ...]:
    """What its worker has told of its tracks; one that is older, of the only one."""
    told = sound.sounds or (SoundTrack(channels=0, samples=sound.samples),)
    # It may have been led astray by what it read.
    return tuple(
        msgspec.structs.replace(
            one, language=words.language(one.language), title=words.plain(one.title)
        )
        for one in told
    )


def _unlike(part: Input, why: str = "") -> Doubted:
    number = [part.number] if part.kind == "chunk" else []
    what = f"{part.file} of {part.kind} {part.number}"
    return Doubted(f"{what}: {why}" if why else f"{what} is not as stored", number)


def _only(brought: Sequence[Input], file: str) -> Input:
    if len(brought) != 1:
        raise Doubted(f"{len(brought)} parts brought {file}")
    return brought[0]


def _check_joined(pictures: Path, file: str, shown_at: "array[int]") -> None:
    """The lists say what was decoded; this, what was encoded, and in which order it stands here."""
    try:
        astray = boxes.astray(boxes.samples(pictures), shown_at)
    except boxes.Malformed as error:
        astray = str(error)
    if astray:
        raise Doubted(f"{file}, joined: {astray}")


def _copy(source: BinaryIO, target: BinaryIO, size: int) -> None:
    while size:
        block = source.read(min(size, _BLOCK_BYTES))
        if not block:
            raise Doubted("a part was cut off")
        target.write(block)
        size -= len(block)
