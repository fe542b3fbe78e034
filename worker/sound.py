"""The sound of a source that was cut: each output's track, once and whole.

Why whole: an encoder that begins anew at every seam adds 46 ms of silence to each.
"""

from worker.compile_parts import compile_sound
from worker.ends import WorkFailed
from worker.order import Done
from worker.room import Room


def do(room: Room) -> Done:
    """Raises WorkFailed, Halted."""
    settings, order = room.settings, room.order
    clock = order.task.plan_clock
    if clock is None:
        raise WorkFailed("worker_failed", "sound without the plan's clock")
    material = room.source()
    plan = compile_sound(
        order.task.recipe, material, clock, ffmpeg_path=settings.ffmpeg, threads=settings.threads
    )
    ending = room.run(plan, material.seconds())
    order.progress.stage = "proving"
    media = [room.judge.sound(promise, material) for promise in plan.promises]
    stored = room.store([(p.path, seen) for p, seen in zip(plan.promises, media, strict=True)])
    return Done(outputs=stored, source=material.probe.media(), cpu_seconds=ending.cpu_seconds)
