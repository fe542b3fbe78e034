"""The sound of a source that was cut: each output's track, once and whole; and the list of its
packets, against which the chunks are proven.

Why whole: an encoder that begins anew at every seam adds 46 ms of silence to each. Why here: this
task reads the whole source in any case, and knows nothing of the chunks. So are subtitles, for the
same reason.
"""

from fractions import Fraction

from mayfly.contract.plan import PlanClock
from mayfly.contract.recipe import LadderOutput
from mayfly.contract.report import Media
from worker import ladder, lists, subtitles
from worker.compile_parts import PACKETS, compile_track
from worker.ends import WorkFailed
from worker.order import Done
from worker.preflight import Material
from worker.promise import OUTPUTS
from worker.room import Room


def do(room: Room) -> Done:
    """Raises WorkFailed, Halted."""
    clock = room.order.task.plan_clock
    if clock is None:
        raise WorkFailed("worker_failed", "sound without the plan's clock")
    material = room.source()
    files, cpu_seconds = _encode(room, material, clock)
    files += subtitles.make(room, material, clock.origin_ticks * Fraction(*clock.time_base))
    path = f"{OUTPUTS}/{PACKETS}"
    ticks = (tick - clock.origin_ticks for tick in material.scan.ticks)
    (room.folder / path).write_bytes(lists.pack_ticks(ticks))
    files.append((path, Media(container="list")))
    stored = room.store(files)
    return Done(outputs=stored, source=material.probe.media(), cpu_seconds=cpu_seconds)


def _encode(
    room: Room, material: Material, clock: PlanClock
) -> tuple[list[tuple[str, Media]], float]:
    settings, order = room.settings, room.order
    plan = compile_track(
        order.task.recipe, material, clock, ffmpeg_path=settings.ffmpeg, threads=settings.threads
    )
    if not plan.promises:
        return [], 0.0
    with room.sending(ladder.growing(room, plan.promises, 0)) as sent:
        ending = room.run(plan, material.seconds())
    order.progress.stage = "proving"
    media = room.judge.sounds(plan, material, ending)
    files = []
    for promise, made in zip(plan.promises, media, strict=True):
        if isinstance(promise.output, LadderOutput):
            heard = ladder.sounds(room, promise, material)
            index = ladder.store(room, promise.output, heard, sent)
            files.append((ladder.write(room, index), Media(container="list")))
        elif made is not None:
            files.append((promise.path, made))
    return files, ending.cpu_seconds
