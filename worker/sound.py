"""The sound of a source that was cut: each output's track, once and whole; and the list of its
packets, against which the chunks are proven.

Why whole: an encoder that begins anew at every seam adds 46 ms of silence to each. Why here: this
task reads the whole source in any case, and knows nothing of the chunks. So are subtitles, for the
same reason.
"""

from fractions import Fraction

import msgspec

from mayfly.contract.ladder import Index
from mayfly.contract.plan import PlanClock
from mayfly.contract.recipe import AudioOutput, LadderOutput, Recipe, VideoOutput
from mayfly.contract.report import Media
from worker import ladder, ladder_texts, lists, subtitles, words
from worker.compile_parts import PACKETS, compile_track, origin_seconds, promised_sounds
from worker.ends import WorkFailed
from worker.loudness import Meter
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
    files, index, cpu_seconds = _encode(room, material, clock)
    origin = clock.origin_ticks * Fraction(*clock.time_base)
    files += subtitles.make(room, material, origin)
    if (told := _with_texts(room, material, clock, index, origin)) is not None:
        files.append((ladder.write(room, told), Media(container="list")))
    path = f"{OUTPUTS}/{PACKETS}"
    ticks = (tick - clock.origin_ticks for tick in material.scan.ticks)
    (room.folder / path).write_bytes(lists.pack_ticks(ticks))
    kept = words.kept(material.probe.tags) if _keeps(room.recipe) else {}
    files.append((path, Media(container="list", tags=kept or None)))
    stored = room.store(files)
    return Done(outputs=stored, source=material.probe.media(), cpu_seconds=cpu_seconds)


def _keeps(recipe: Recipe) -> bool:
    return any(
        isinstance(output, VideoOutput | AudioOutput) and output.metadata == "keep"
        for output in recipe.outputs
    )


def _with_texts(
    room: Room, material: Material, clock: PlanClock, index: Index | None, origin: Fraction
) -> Index | None:
    """What is told of a ladder's sound, and of its subtitles; None where it has neither."""
    wanted = ladder.of_recipe(room)
    if wanted is None or clock.grid is None:
        return index
    texts = ladder_texts.store(room, material, clock.grid, origin)
    index = index or (Index(folder=wanted.file, tracks=()) if texts else None)
    return index and msgspec.structs.replace(index, texts=texts)


def _encode(
    room: Room, material: Material, clock: PlanClock
) -> tuple[list[tuple[str, Media]], Index | None, float]:
    settings, order = room.settings, room.order
    meter, recipe = Meter(room), room.recipe
    promises = promised_sounds(recipe, material, clock)
    levels = meter.levels(material, promises, origin_seconds(clock))
    plan = compile_track(
        recipe, material, clock,
        ffmpeg_path=settings.ffmpeg, threads=settings.threads, levels=levels,
    )  # fmt: skip
    if not plan.promises:
        return [], None, 0.0
    with room.sending(ladder.growing(room, plan.promises, 0)) as sent:
        ending = room.run(plan, material.seconds())
    order.progress.stage = "proving"
    media = meter.told(plan.promises, room.judge.sounds(plan, material, ending), levels)
    files, index = [], None
    for promise, made in zip(plan.promises, media, strict=True):
        if isinstance(promise.output, LadderOutput):
            heard = ladder.sounds(room, promise, material, meter.proven(promise, levels))
            index = ladder.store(room, promise.output, heard, sent)
        elif made is not None:
            files.append((promise.path, made))
    return files, index, ending.cpu_seconds + meter.cpu_seconds
