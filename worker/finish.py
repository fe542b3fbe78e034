"""Joins the parts of a source that was cut, after it has proven that they are all there, in order,
and fit each other. Nothing is decoded or encoded.
"""

import hashlib
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from mayfly.contract import wire
from mayfly.contract.plan import PlanClock
from mayfly.contract.recipe import VideoOutput
from mayfly.contract.report import Media
from mayfly.contract.task import Fetch, Input, Inputs
from worker import boxes, seams
from worker.compile import Promise
from worker.compile_parts import FRAMES, PACKETS, compile_join, seam_ticks
from worker.ends import WorkFailed
from worker.order import Done
from worker.room import Room

_PICTURES, _SOUND = "in/pictures.mp4", "in/sound.mp4"
_BLOCK_BYTES = 1 << 20
#: A fetch speaks of sources; what a part is not there for is no fault of anybody's source.
_NOT_AS_STORED = ("source_missing", "source_replaced")


def do(room: Room) -> Done:
    """Raises WorkFailed, Halted."""
    order = room.order
    clock = order.task.plan_clock
    if clock is None or order.grants.inputs is None:
        raise WorkFailed("worker_failed", "a finish without its inputs")
    order.progress.stage = "fetching"
    parts = _listed(room)
    packets = _prove(room, parts, clock)
    frames, cpu_seconds, files = len(packets), 0.0, []
    for output in order.task.recipe.outputs:
        brought = [part for part in parts if part.file == output.file]
        promise = Promise(output=output)
        if isinstance(output, VideoOutput):
            shown_at = array("q", (tick * clock.time_base[0] for tick in packets))
            cpu_seconds += _join(room, promise, brought, shown_at)
        else:
            _bring(room, _only(brought, output.file), promise.path)
        files.append((promise.path, room.judge.joined(promise, frames)))
    stored = room.store(files)
    count = sum(part.file == FRAMES for part in parts)
    note = f"Encoded in {count} chunks; each of {frames} frames is there once, every seam fits."
    return Done(outputs=stored, source=Media(container="parts"), cpu_seconds=cpu_seconds, note=note)


def _listed(room: Room) -> tuple[Input, ...]:
    def where() -> Fetch:
        granted = room.order.grants.inputs
        assert granted is not None
        return granted

    path = room.fetch(where, "in/inputs.json", None)
    try:
        return wire.decode(Inputs, path.read_bytes()).parts
    except wire.Refusal:
        raise WorkFailed("worker_failed", "the list of parts cannot be read") from None


def _bring(room: Room, part: Input, path: str) -> Path:
    """A part as it was stored, or none."""
    try:
        found = room.fetch(lambda: part.fetch, path, part.size_bytes)
    except WorkFailed as failed:
        if failed.code not in _NOT_AS_STORED:
            raise
        raise _unlike(part) from None
    with found.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != part.sha256:
            raise _unlike(part)
    return found


def _unlike(part: Input) -> WorkFailed:
    return WorkFailed("output_broken", f"{part.file} of {part.kind} {part.number} is not as stored")


def _only(brought: Sequence[Input], file: str) -> Input:
    if len(brought) != 1:
        raise WorkFailed("output_broken", f"{len(brought)} parts brought {file}")
    return brought[0]


def _prove(room: Room, parts: tuple[Input, ...], clock: PlanClock) -> "array[int]":
    """When each frame is shown. Raises WorkFailed when the parts' are not the source's."""
    listed = _only([part for part in parts if part.file == PACKETS], PACKETS)
    packets = array("q", map(int, _bring(room, listed, "in/packets").read_text().split()))
    chunks = []
    for part in parts:
        if part.file == FRAMES:
            assert part.scope is not None
            frames = seams.read_frames(_bring(room, part, "in/frames"))
            chunks.append((part.scope, frames))
    if flaw := seams.flaw(packets, chunks):
        raise WorkFailed("output_broken", flaw)
    if torn := seams.torn(chunks, seam_ticks(clock)):
        raise WorkFailed("output_broken", f"the chunks {torn[:10]} do not fit those before them")
    return packets


def _join(room: Room, promise: Promise, brought: Sequence[Input], shown_at: "array[int]") -> float:
    """The CPU seconds of it."""
    pictures, sounds = _pictures(room, brought), [p for p in brought if p.kind == "audio"]
    _check_joined(pictures, promise.output.file, shown_at)
    if sounds:
        _bring(room, _only(sounds, promise.output.file), _SOUND)
    settings = room.settings
    plan = compile_join(
        _PICTURES,
        _SOUND if sounds else None,
        promise,
        ffmpeg_path=settings.ffmpeg,
        threads=settings.threads,
    )
    ending = room.run(plan, None)
    pictures.unlink()
    return ending.cpu_seconds


def _check_joined(pictures: Path, file: str, shown_at: "array[int]") -> None:
    """The lists say what was decoded; this, what was encoded, and in which order it stands here."""
    try:
        astray = boxes.astray(boxes.samples(pictures), shown_at)
    except boxes.Malformed as error:
        astray = str(error)
    if astray:
        raise WorkFailed("output_broken", f"{file}, joined: {astray}")


def _pictures(room: Room, brought: Sequence[Input]) -> Path:
    """All fragments in one file, behind the one beginning that all of them share."""
    joined = room.folder / _PICTURES
    beginning = b""
    with joined.open("wb") as target:
        for part in brought:
            if part.kind != "chunk":
                continue
            path = _bring(room, part, "in/chunk")
            try:
                its_own, held = boxes.beginning(path), boxes.fragments(path)
            except boxes.Malformed as error:
                raise WorkFailed("output_broken", f"chunk {part.number}: {error}") from None
            if not beginning:
                beginning = its_own
                target.write(beginning)
            if its_own != beginning:
                raise WorkFailed("output_broken", f"chunk {part.number} is of another making")
            with path.open("rb") as source:
                for box in held:
                    source.seek(box.start)
                    _copy(source, target, box.size)
    return joined


def _copy(source: BinaryIO, target: BinaryIO, size: int) -> None:
    while size:
        block = source.read(min(size, _BLOCK_BYTES))
        if not block:
            raise WorkFailed("output_broken", "a part was cut off")
        target.write(block)
        size -= len(block)
