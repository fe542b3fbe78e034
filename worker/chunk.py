"""One interval of a source that was cut: its pictures, and what proves them."""

import dataclasses
from array import array
from fractions import Fraction
from pathlib import Path

from mayfly.contract.plan import Scope
from mayfly.contract.recipe import LadderOutput, SampledOutput, VideoOutput
from mayfly.contract.report import Media
from mayfly.core import grids
from worker import boxes, cuts, gallery, ladder, lists, scoring, seams, thinning
from worker.compile_parts import FRAMES, HASHED, LISTED, compile_chunk, seam_ticks
from worker.early import Sent
from worker.ends import WorkFailed
from worker.order import Done
from worker.preflight import Material, Seen
from worker.promise import OUTPUTS, Promise
from worker.room import Room


def do(room: Room) -> Done:
    """Raises WorkFailed, Halted."""
    scope = room.order.task.scope
    if scope is None:
        raise WorkFailed("worker_failed", "a chunk without its interval")
    with room.reading(room.ranges()) as seen:
        return made_of(room, seen, scope)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Encoded:
    """One chunk's files beneath the folder, proven as far as one chunk can be. The segments of a
    ladder are stored already."""

    files: list[tuple[str, Media]]
    cpu_seconds: float
    predicted_seconds: float


def made_of(room: Room, seen: Seen, scope: Scope) -> Done:
    """One chunk of a source that was looked at. Raises WorkFailed, Halted."""
    encoded = encode(room, seen, scope)
    source = seen.probe.media(frames=seen.scan.frames if isinstance(seen, Material) else None)
    stored = room.store(encoded.files)
    return Done(
        outputs=stored,
        source=source,
        cpu_seconds=encoded.cpu_seconds,
        predicted_seconds=encoded.predicted_seconds,
    )


def encode(room: Room, seen: Seen, scope: Scope) -> Encoded:
    """The same, but for a ladder not stored yet. Raises WorkFailed, Halted."""
    settings, order = room.settings, room.order
    plan = compile_chunk(
        room.recipe, seen, scope, ffmpeg_path=settings.ffmpeg, threads=settings.threads
    )
    assert seen.picture is not None
    rate = seen.picture.frames_per_second
    with room.sending(ladder.growing(room, plan.promises, _first_segment(scope))) as sent:
        ending = room.run(plan, _seconds(scope, seen), seen.opening, rate)
    order.progress.stage = "proving"
    out = room.folder / OUTPUTS
    listed = seams.hashed(seams.read_frames(out / LISTED), seams.read_frames(out / HASHED))
    shown = seams.own(listed, scope).ticks
    if not shown:
        raise WorkFailed("output_broken", "an interval without a frame")
    wanted = _wanted(seen, scope, shown)
    if shown != wanted:
        raise WorkFailed("output_broken", f"{len(shown)} frames, not {len(wanted)}")
    files = []
    for promise in plan.promises:
        if isinstance(promise.output, LadderOutput):
            files.append((_climb(room, promise, scope, sent), Media(container="list")))
            continue
        if isinstance(promise.output, SampledOutput):
            files += gallery.of_chunk(room, promise, listed.ticks, scope)
            continue
        if isinstance(promise.output, VideoOutput):
            room.judge.part(promise)
            kept = _kept(promise, wanted, listed.ticks, scope)
            _prove(room.folder / promise.path, kept, scope.clock.time_base[0])
        files.append((promise.path, Media(container="part", frames=len(wanted))))
    files += scoring.of_chunk(room, seen, scope)
    frames = f"{OUTPUTS}/{FRAMES}"
    packed = lists.pack_frames(listed, scope, seam_ticks(scope.clock))
    (room.folder / frames).write_bytes(packed)
    files.append((frames, Media(container="list")))
    return Encoded(
        files=files,
        cpu_seconds=ending.cpu_seconds,
        predicted_seconds=cuts.predicted_seconds(seen, room.recipe, len(wanted), settings.threads),
    )


def _kept(
    promise: Promise, wanted: "array[int]", listed: "array[int]", scope: Scope
) -> "array[int]":
    """Those of the interval's frames that a film keeps."""
    start = seams.since_origin(scope.start_ticks, scope)
    before = None if start is None else max((t for t in listed if t < start), default=None)
    return thinning.kept(promise.thinning, wanted, before)


def _climb(room: Room, promise: Promise, scope: Scope, sent: Sent) -> str:
    """A ladder's segments of the interval, which are stored; where the index of them lies."""
    wanted, grid = promise.output, promise.grid
    assert isinstance(wanted, LadderOutput) and grid is not None
    first, end = grids.segments_of(scope)
    frames = None if end is None else end * grid.segment_frames
    index = ladder.store(room, wanted, ladder.pictures(room, promise, first, frames), sent)
    return ladder.write(room, index)


def _first_segment(scope: Scope) -> int:
    """Of a ladder, if there is one."""
    return grids.segments_of(scope)[0] if scope.clock.grid is not None else 0


def _wanted(seen: Seen, scope: Scope, shown: "array[int]") -> "array[int]":
    """When the interval's packets are shown. Where nobody has listed them, whether these are all
    frames, and the right ones, only the finish can tell, which holds them against such a list."""
    if not isinstance(seen, Material):
        return shown
    packets = array("q", (tick - scope.clock.origin_ticks for tick in seen.scan.ticks))
    return seams.of_interval(packets, scope)


def _seconds(scope: Scope, seen: Seen) -> float | None:
    """How long it plays, as far as anybody says."""
    tick = Fraction(*scope.clock.time_base)
    begins = scope.clock.origin_ticks if scope.start_ticks is None else scope.start_ticks
    if scope.end_ticks is not None:
        return float((scope.end_ticks - begins) * tick)
    if seen.probe.format.duration is None:
        return None
    past = float((begins - scope.clock.origin_ticks) * tick)
    return max(0.0, seen.probe.format.duration - past) or None


def _prove(path: Path, wanted: "array[int]", factor: int) -> None:
    """The fragments hold just these frames, at their times, and begin with a keyframe."""
    try:
        found = boxes.samples(path)
    except boxes.Malformed as error:
        raise WorkFailed("output_broken", f"{path.name}: {error}") from None
    # A file's clock ticks whole parts of a second; some sources' ticks are several of these.
    if astray := boxes.astray(found, array("q", (tick * factor for tick in wanted))):
        raise WorkFailed("output_broken", f"{path.name}: {astray}")
