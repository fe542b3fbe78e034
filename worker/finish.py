"""Joins the parts of a source that was cut, after it has proven that they are all there, in order,
and fit each other. Nothing is decoded or encoded.
"""

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


def do(room: Room) -> Done:
    """Raises WorkFailed, Halted."""
    order = room.order
    clock = order.task.plan_clock
    if clock is None or order.grants.inputs is None:
        raise WorkFailed("worker_failed", "a finish without its inputs")
    order.progress.stage = "fetching"
    parts = _listed(room)
    frames = _prove(room, parts, clock)
    cpu_seconds, files = 0.0, []
    for output in order.task.recipe.outputs:
        brought = [part for part in parts if part.file == output.file]
        promise = Promise(output=output)
        if isinstance(output, VideoOutput):
            cpu_seconds += _join(room, promise, brought)
        else:
            (only,) = brought
            _bring(room, only, promise.path)
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
    return room.fetch(lambda: part.fetch, path, part.size_bytes)


def _prove(room: Room, parts: tuple[Input, ...], clock: PlanClock) -> int:
    """How many frames there are. Raises WorkFailed when they are not the source's."""
    (listed,) = [part for part in parts if part.file == PACKETS]
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
    return len(packets)


def _join(room: Room, promise: Promise, brought: Sequence[Input]) -> float:
    """The CPU seconds of it."""
    pictures, sounds = _pictures(room, brought), [p for p in brought if p.kind == "audio"]
    for part in sounds:
        _bring(room, part, _SOUND)
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
