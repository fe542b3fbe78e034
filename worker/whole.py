"""A source that nobody has looked at: cut it and go on with the first chunk, or encode it whole."""

from worker import chunk, cuts
from worker.compile import compile_plan
from worker.order import Done
from worker.preflight import Material
from worker.room import Room


def do(room: Room) -> Done:
    """Raises WorkFailed, Halted, and Temporary when nobody hears the plan."""
    material, order = room.source(), room.order
    note = ""
    if order.may_plan:
        policy = cuts.Policy(
            threads=room.settings.threads,
            workers=room.settings.workers_max,
            chunk_seconds=room.settings.chunk_seconds,
        )
        found = cuts.cut(material, order.task.recipe, policy)
        if not isinstance(found, cuts.Whole):
            return chunk.made_of(room, material, order.split(found))
        note = f"Encoded whole: {found.why}." if found.why else ""
    return encode(room, material, note)


def encode(room: Room, material: Material, note: str) -> Done:
    """All of it, in one. Raises WorkFailed, Halted."""
    settings, order = room.settings, room.order
    plan = compile_plan(
        order.task.recipe, material, ffmpeg_path=settings.ffmpeg, threads=settings.threads
    )
    ending = room.run(plan, material.seconds())
    order.progress.stage = "proving"
    media = room.judge.prove(plan, material, ending)
    stored = room.store([(p.path, seen) for p, seen in zip(plan.promises, media, strict=True)])
    source = material.probe.media(frames=material.scan.frames or None)
    return Done(outputs=stored, source=source, cpu_seconds=ending.cpu_seconds, note=note)
