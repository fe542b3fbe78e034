"""One interval of a source that was cut: its pictures, and what proves them."""

import dataclasses
from array import array
from pathlib import Path

from mayfly.contract.plan import Scope
from mayfly.contract.recipe import VideoOutput
from mayfly.contract.report import Media
from worker import boxes, seams
from worker.compile import OUTPUTS
from worker.compile_parts import FRAMES, compile_chunk
from worker.ends import WorkFailed
from worker.order import Done
from worker.preflight import Material
from worker.room import Room


def do(room: Room) -> Done:
    """Raises WorkFailed, Halted."""
    scope = room.order.task.scope
    if scope is None:
        raise WorkFailed("worker_failed", "a chunk without its interval")
    return made_of(room, room.source(), scope)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Encoded:
    """One chunk's files beneath the folder, proven as far as one chunk can be."""

    files: list[tuple[str, Media]]
    cpu_seconds: float


def made_of(room: Room, material: Material, scope: Scope) -> Done:
    """One chunk of a source that is here already. Raises WorkFailed, Halted."""
    encoded = encode(room, material, scope)
    source = material.probe.media(frames=material.scan.frames)
    stored = room.store(encoded.files)
    return Done(outputs=stored, source=source, cpu_seconds=encoded.cpu_seconds)


def encode(room: Room, material: Material, scope: Scope) -> Encoded:
    """The same, not stored yet. Raises WorkFailed, Halted."""
    settings, order = room.settings, room.order
    plan = compile_chunk(
        order.task.recipe, material, scope, ffmpeg_path=settings.ffmpeg, threads=settings.threads
    )
    packets = array("q", (tick - scope.clock.origin_ticks for tick in material.scan.ticks))
    wanted = seams.of_interval(packets, scope)
    ending = room.run(plan, float((wanted[-1] - wanted[0]) * material.scan.tick) if wanted else 0)
    order.progress.stage = "proving"
    frames = seams.own(seams.read_frames(room.folder / OUTPUTS / FRAMES), scope)
    if frames.ticks != wanted:
        raise WorkFailed("output_broken", f"{len(frames.ticks)} frames, not {len(wanted)}")
    files = []
    for promise in plan.promises:
        if isinstance(promise.output, VideoOutput):
            _prove(room.folder / promise.path, wanted, scope.clock.time_base[0])
        files.append((promise.path, Media(container="part", frames=len(wanted))))
    files.append((f"{OUTPUTS}/{FRAMES}", Media(container="list")))
    return Encoded(files=files, cpu_seconds=ending.cpu_seconds)


def _prove(path: Path, wanted: "array[int]", factor: int) -> None:
    """The fragments hold just these frames, at their times, and begin with a keyframe."""
    try:
        found = boxes.samples(path)
    except boxes.Malformed as error:
        raise WorkFailed("output_broken", f"{path.name}: {error}") from None
    # A file's clock ticks whole parts of a second; some sources' ticks are several of these.
    if astray := boxes.astray(found, array("q", (tick * factor for tick in wanted))):
        raise WorkFailed("output_broken", f"{path.name}: {astray}")
