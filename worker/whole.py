"""A source that nobody has looked at: cut it and go on with the first chunk, or encode it whole."""

import contextlib
import dataclasses
import logging
from collections.abc import Sequence

import msgspec

from mayfly.contract.plan import Plan
from mayfly.contract.recipe import LadderOutput
from mayfly.contract.report import Artifact, Loudness, Media
from worker import (
    burning,
    chunk,
    cuts,
    gallery,
    ladder,
    ladder_ready,
    ladder_texts,
    moov,
    preflight,
    promise,
    scoring,
    seams,
    searching,
    subtitles,
)
from worker.compile import compile_plan, promised
from worker.compile_parts import LISTED, compile_beginning
from worker.compile_sound import Levels
from worker.early import Sent
from worker.evenness import last_frame
from worker.loudness import Meter
from worker.order import Done
from worker.preflight import Material, Seen
from worker.promise import OUTPUTS, Promise
from worker.prove import summed
from worker.ranges import RangeFile
from worker.room import Room
from worker.scan import Scan
from worker.sound_notes import notes
from worker.subtitle_clock import origin_of

_LOG = logging.getLogger("mayfly.worker")

#: A source this large takes a second to fetch.
_INDEX_FIRST_BYTES = 64 << 20


def do(room: Room) -> Done:
    """Raises WorkFailed, Halted, and Temporary when nobody hears the plan."""
    order = room.order
    if order.may_plan and _pays(room) and (done := _by_index(room)) is not None:
        return done
    material = room.source()
    room, told = searching.settled(room, material)
    note = because = ""
    if order.may_plan:
        found = _decide(room, material)
        if not isinstance(found, cuts.Whole):
            return chunk.made_of(room, material, order.split(found))
        because, note = found.why, f"Encoded whole: {found.why}." if found.why else ""
    note = f"{note} {told}".strip()
    return encode(room, material, note, because)


def _pays(room: Room) -> bool:
    """To look at the index first: when all is fetched in a second, it is the longer way."""
    size = room.order.task.source.size_bytes
    return room.settings.chunk_seconds > 0 or size is None or size >= _INDEX_FIRST_BYTES


def _by_index(room: Room) -> Done | None:
    """The first chunk of a source that its index alone shows how to cut; nothing but that is read.
    None where its packets must be listed, or it is not to be cut."""
    ranges = room.ranges()
    with contextlib.closing(RangeFile(ranges)) as file:
        try:
            index = moov.read_index(file, ranges.size)
            with room.reading(ranges) as seen:
                if seen.picture is None:
                    return None
                return _first(room, seen, index.scan(seen.picture))
        except moov.Unclear as why:
            _LOG.info("The source is not cut by its index: %s.", why)
            return None


def _first(room: Room, seen: Seen, scan: Scan) -> Done | None:
    """The first chunk, unless the source is not to be cut."""
    recipe = room.recipe
    listed = preflight.check_scan(seen.probe, scan, recipe)
    material = dataclasses.replace(listed, opening=seen.opening, assets=seen.assets)
    if isinstance(_cut(room, material), cuts.Whole):
        return None  # before a quality is searched, which who encodes it whole would do once more
    room, _ = searching.settled(room, material)
    found = _decide(room, material)
    if isinstance(found, cuts.Whole):
        return None
    return chunk.made_of(room, material, room.order.split(found))


def _decide(room: Room, material: Material) -> Plan | cuts.Whole:
    """The plan of a source that pays to be cut, and whose first frames come when its packets say.

    Packets cannot tell everything: H.264 that begins with a refresh and no keyframe shows nothing
    until it is through. Raises WorkFailed, Halted."""
    settings, found = room.settings, _cut(room, material)
    if isinstance(found, cuts.Whole):
        return found
    look = compile_beginning(
        material, found.scope(0), ffmpeg_path=settings.ffmpeg, threads=settings.threads
    )
    room.run(look, None, material.opening)
    listed = room.folder / OUTPUTS / LISTED
    shown = seams.read_frames(listed).ticks
    listed.unlink()
    wanted = (tick - found.origin_ticks for tick in material.scan.ticks)
    if not shown or any(tick != its for tick, its in zip(shown, wanted, strict=False)):
        return cuts.Whole("its first frames do not come when its packets say")
    return msgspec.structs.replace(found, quality=room.decided)


def _cut(room: Room, material: Material) -> Plan | cuts.Whole:
    """As far as its packets tell."""
    settings = room.settings
    policy = cuts.Policy(
        threads=settings.threads,
        workers=settings.workers_max,
        finish_seconds=settings.finish_seconds,
        chunk_seconds=settings.chunk_seconds,
    )
    return cuts.cut(material, room.recipe, policy)


def encode(room: Room, material: Material, note: str, because: str) -> Done:
    """All of it, in one, and why. Raises WorkFailed, Halted."""
    settings, recipe, meter = room.settings, room.recipe, Meter(room)
    levels = meter.levels(material, promised(recipe, material), material.origin_seconds)
    plan = compile_plan(
        recipe, material, ffmpeg_path=settings.ffmpeg, threads=settings.threads, levels=levels
    )
    burning.lay_out(room, plan, material)
    stored: tuple[Artifact, ...] = ()
    files: list[tuple[str, Media]] = []
    cpu_seconds = 0.0
    if plan.promises:
        stored, files, cpu_seconds = _run(room, material, plan, meter, levels)
    files += subtitles.make(room, material, origin_of(material))
    scored = scoring.of_whole(room, material)
    stored = (*stored, *room.store(files, published=True))
    source = material.probe.media(frames=material.scan.frames or None)
    predicted = cuts.predicted_seconds(material, recipe, material.scan.frames, settings.threads)
    return Done(
        outputs=stored,
        source=source,
        cpu_seconds=cpu_seconds,
        predicted_seconds=predicted,
        note=" ".join(filter(None, [note, *notes(recipe, stored)])),
        proof=summed([made for _, made in files], whole_because=because, quality=scored),
    )


def _run(
    room: Room, material: Material, plan: promise.Plan, meter: Meter, levels: Levels
) -> tuple[tuple[Artifact, ...], list[tuple[str, Media]], float]:
    """What is stored already of the plan's outputs, the files that are to be, and CPU seconds."""
    rate = material.picture.frames_per_second if material.picture is not None else 0.0
    with room.sending(ladder.growing(room, plan.promises, 0)) as sent:
        ending = room.run(plan, material.seconds(), frames_per_second=rate)
    room.order.progress.stage = "proving"
    media = meter.told(plan.promises, room.judge.prove(plan, material, ending), levels)
    files = [(p.path, seen) for p, seen in zip(plan.promises, media, strict=True) if seen]
    laddered = ladder.only(plan.promises)
    stored: tuple[Artifact, ...] = ()
    if laddered:
        stored = _ladder(room, material, laddered, sent, meter.proven(laddered, levels))
    for one in [p for p in plan.promises if gallery.is_one(p)]:
        made = gallery.whole(room, one, material, ending)
        if isinstance(made, Artifact):
            stored = (*stored, made)
        else:
            files.append(made)
    return stored, files, ending.cpu_seconds + meter.cpu_seconds


def _ladder(
    room: Room,
    material: Material,
    promise: Promise,
    sent: Sent,
    loudness: Sequence[Loudness | None],
) -> tuple[Artifact, ...]:
    """Its segments and playlists. Raises WorkFailed, Halted."""
    wanted, grid = promise.output, promise.grid
    assert isinstance(wanted, LadderOutput) and grid is not None
    heard = ladder.sounds(room, promise, material, loudness)
    cuts = [*ladder.pictures(room, promise, 0, None), *heard]
    index = ladder.store(room, wanted, cuts, sent)
    count = len(index.tracks[0].segments)
    texts = ladder_texts.store(room, material, grid, origin_of(material), count)
    index = msgspec.structs.replace(index, texts=texts)
    found = ladder_ready.whole(wanted, [ladder_ready.Share(prefix=ladder.here(room), index=index)])
    ladder_ready.check(found, grid, last_frame(material, grid))
    return ladder_ready.deliver(room, wanted, found)
