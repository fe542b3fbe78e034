"""The end of a source that was cut: its parts are proven and joined. What cannot be proven is made
once more from further back; and what still cannot, as if the source had never been cut.

So a mistake in cutting costs time, and is told; it never costs a frame, nor the job.
"""

import dataclasses
import logging
from collections.abc import Sequence
from pathlib import Path

import msgspec

from mayfly.contract.plan import Scope
from mayfly.contract.task import Input
from mayfly.core import limits
from worker import chunk, whole
from worker.bringing import Listed
from worker.ends import Doubted, WorkFailed
from worker.join import Joining
from worker.order import Done
from worker.preflight import Material
from worker.room import Room

_LOG = logging.getLogger("mayfly.worker")

#: So much further back do they begin to decode.
_FURTHER = 4


def do(room: Room) -> Done:
    """Raises WorkFailed, Halted."""
    order = room.order
    clock = order.task.plan_clock
    if clock is None or order.grants.inputs is None:
        raise WorkFailed("worker_failed", "a finish without its inputs")
    order.progress.stage = "fetching"
    listed = Listed(room)
    joining = Joining(room=room, parts=listed.parts, where=listed.where, clock=clock)
    try:
        return joining.join()
    except WorkFailed as failed:
        if failed.code != "output_broken":
            raise
        _LOG.warning("The parts cannot be proven: %s.", failed.detail)
        return made_good(joining, failed)


def made_good(joining: Joining, doubt: WorkFailed) -> Done:
    """What becomes of a doubt. Raises WorkFailed, Halted."""
    room, why = joining.room, doubt.detail
    chunks = doubt.chunks if isinstance(doubt, Doubted) else ()
    room.empty_outputs()
    joining.clear()
    material = room.source()
    if 0 < len(chunks) <= limits.MADE_ANEW_MAX:
        try:
            return _anew(joining, chunks, material)
        except WorkFailed as still:
            if still.code != "output_broken":
                raise
            why = still.detail
            room.empty_outputs()
            joining.clear()
    because = f"its chunks do not fit: {why}"
    return whole.encode(room, material, f"Encoded whole, for {because}.", because)


def _anew(joining: Joining, numbers: Sequence[int], material: Material) -> Done:
    """Joined with these chunks made once more, from further back. Raises Doubted, WorkFailed."""
    room = joining.room
    made: dict[tuple[int, str], Path] = {}
    cpu_seconds = 0.0
    for number in numbers:
        encoded = chunk.encode(room, material, _further(joining.parts, number))
        cpu_seconds += encoded.cpu_seconds
        for path, _ in encoded.files:
            kept = room.folder / "in" / f"anew-{number}-{Path(path).name}"
            (room.folder / path).rename(kept)
            made[number, kept.name.removeprefix(f"anew-{number}-")] = kept
    done = dataclasses.replace(joining, anew=made).join()
    told = f"{done.note} Made once more, from further back: chunks {', '.join(map(str, numbers))}."
    assert done.proof is not None
    proof = msgspec.structs.replace(done.proof, made_anew=tuple(numbers))
    cpu_seconds += done.cpu_seconds
    return dataclasses.replace(done, note=told, proof=proof, cpu_seconds=cpu_seconds)


def _further(parts: Sequence[Input], number: int) -> Scope:
    scope = next((p.scope for p in parts if p.kind == "chunk" and p.number == number), None)
    if scope is None:
        raise Doubted(f"nobody brought chunk {number}")
    clock = msgspec.structs.replace(
        scope.clock, margin_seconds=_FURTHER * (scope.clock.margin_seconds + 1)
    )
    return msgspec.structs.replace(scope, clock=clock)
