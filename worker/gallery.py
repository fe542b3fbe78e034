"""Many pictures of one film: a storyboard's sheets and cues, or thumbnails. Proves that they are
those that the source's moments promise, makes the files of them, and stores these.

A source that was cut and one that was not come to the same here: a file of all pictures, one behind
the other, and a list of when each frame of the film is shown. It must never tell of a picture that
nobody has decoded.
"""

import mmap
from array import array
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from mayfly.contract.plan import Scope
from mayfly.contract.recipe import GalleryOutput, PreviewOutput, SampledOutput, StoryboardOutput
from mayfly.contract.report import Artifact, Media
from mayfly.core import galleries, limits
from worker import cues, jpegs, preview, seams
from worker.boxes import Malformed
from worker.compile import command
from worker.compile_still import moments, sheets, sheets_of
from worker.cues import Board
from worker.ends import Doubted, WorkFailed
from worker.jpegs import Jpeg
from worker.made import broken
from worker.picture import Size
from worker.pieces import Span, all_of
from worker.preflight import Material
from worker.promise import OUTPUTS, Plan, Promise
from worker.prove import decoded_frames
from worker.room import Room
from worker.run import Ending
from worker.sampling import Sampling, places_of, sampling

#: What is stored already, or a file that is to be stored.
Made = Artifact | tuple[str, Media]


def is_one(promise: Promise) -> bool:
    """Whether it is made here."""
    return isinstance(promise.output, SampledOutput)


def of_chunk(
    room: Room, promise: Promise, seen: "array[int]", scope: Scope
) -> list[tuple[str, Media]]:
    """The file of a chunk's own pictures, if it has any; `seen` is when each frame is shown that
    it listed. Raises WorkFailed(output_broken)."""
    output = promise.output
    assert isinstance(output, SampledOutput)
    start = seams.since_origin(scope.start_ticks, scope)
    before = None if start is None else max((t for t in seen if t < start), default=None)
    own = seams.own(seams.Frames(seen, ()), scope).ticks
    every = sampling(output, Fraction(*scope.clock.time_base), promise.places)
    wanted = every.chosen(own, before)
    shown = list(seams.read_frames(room.folder / moments(output)).ticks)
    # The very first is there in any case (`Sampling.expression`).
    surplus = shown[:1] if start is not None and shown[:1] != wanted[:1] else []
    if shown != surplus + wanted or (surplus and surplus != own[:1].tolist()):
        broken(f"{output.file} has {len(shown)} pictures, not {len(wanted)}, or others")
    where = room.folder / promise.path
    pictures = _read(where, output.file)
    assert promise.size is not None
    _check(output.file, pictures, len(shown), promise.size)
    if surplus:
        where.write_bytes(where.read_bytes()[pictures[0].size :])
    if not wanted:
        return []
    return [(promise.path, Media(container="part", frames=len(wanted)))]


def whole(room: Room, promise: Promise, material: Material, ending: Ending) -> Made:
    """Of a source that was not cut. Raises WorkFailed, Halted."""
    output = promise.output
    assert isinstance(output, SampledOutput) and material.picture is not None
    shown = seams.read_frames(room.folder / moments(output)).ticks
    if len(shown) > limits.PICTURES_MAX:
        raise WorkFailed("output_limit", f"{output.file} has over {limits.PICTURES_MAX} pictures")
    every = sampling(output, material.picture.tick, promise.places)
    scan, origin, until = material.scan, material.origin_ticks, None
    if origin is not None and len(scan.ticks) > 0:
        packets = array("q", (tick - origin for tick in scan.ticks))
        until = _until(packets)
        # A decoder may rightly show other frames than there are packets; the judge has asked.
        if decoded_frames(ending, material.picture.index) in (None, len(packets)):
            wanted = every.chosen(packets)
            if shown.tolist() != wanted:
                broken(f"{output.file} has {len(shown)} pictures, not {len(wanted)}, or others")
    if len(shown) == 0:
        broken(f"{output.file} has no picture")
    pictures = _read(room.folder / promise.path, output.file)
    assert promise.size is not None
    _check(output.file, pictures, len(shown), promise.size)
    return _made(room, output, pictures, shown, every, until)


def joined(room: Room, output: SampledOutput, packets: "array[int]", tick: Fraction) -> Made:
    """Of a source that was cut, whose chunks' pictures lie where the whole run's would. Raises
    Doubted, WorkFailed, Halted."""
    places = places_of(output, packets, tick) if isinstance(output, PreviewOutput) else ()
    every = sampling(output, tick, places)
    chosen = every.chosen(packets)
    try:
        pictures = _read(room.folder / OUTPUTS / output.file, output.file)
        size = Size(pictures[0].width, pictures[0].height) if pictures else Size(0, 0)
        _check(output.file, pictures, len(chosen), size)
    except WorkFailed as failed:
        raise Doubted(failed.detail) from None
    return _made(room, output, pictures, chosen, every, _until(packets))


def _made(
    room: Room,
    output: SampledOutput,
    pictures: Sequence[Jpeg],
    shown: Sequence[int],
    every: Sampling,
    until: int | None,
) -> Made:
    _check_decoded(room, output, room.folder / OUTPUTS / output.file, len(pictures))
    if isinstance(output, PreviewOutput):
        return preview.make(room, output, pictures, preview.filled(every, shown, until))
    return _deliver(room, output, pictures, shown, every, until)


def _deliver(
    room: Room,
    output: GalleryOutput,
    pictures: Sequence[Jpeg],
    shown: Sequence[int],
    every: Sampling,
    until: int | None,
) -> Artifact:
    one, where = pictures[0], room.folder / OUTPUTS / output.file
    if isinstance(output, StoryboardOutput):
        board = Board(
            columns=output.columns,
            # What fits onto one sheet makes that no higher than it must be.
            rows=min(output.rows, -(-len(pictures) // output.columns)),
            size=Size(one.width, one.height),
            every_seconds=output.every_seconds,
            stretches=tuple(every.stretch(moment) or 0 for moment in shown),
            until=None if until is None else until * every.tick,
        )
        spans = _storyboard(room, output, board)
    else:
        spans = [
            Span(path=where, file=f"{output.file}/{galleries.thumbnail(number)}",
                 start=its.start, size=its.size)
            for number, its in enumerate(pictures, start=1)
        ]  # fmt: skip
    stored = {made.file: made for made in room.store_many(spans)}
    main = stored[galleries.delivered(output)]
    container = "webvtt" if isinstance(output, StoryboardOutput) else "jpeg"
    media = Media(
        container=container,
        video_codec="mjpeg",
        width=one.width,
        height=one.height,
        frames=len(pictures),
    )
    return Artifact(
        file=main.file,
        key=main.key,
        size_bytes=sum(span.size for span in spans),
        sha256=main.sha256,
        media=media,
        files=len(spans),
    )


def _storyboard(room: Room, output: StoryboardOutput, board: Board) -> list[Span]:
    """Its sheets and its cues. Raises WorkFailed, Halted."""
    line = command(
        room.settings.ffmpeg,
        1,
        ("-xerror",),
        [sheets_of(output, f"{OUTPUTS}/{output.file}", board.rows)],
    )
    room.run(Plan(argv=line, promises=()), None)
    where = room.folder / sheets(output)
    made = _read(where, output.file)
    _check(f"the sheets of {output.file}", made, board.sheets, board.sheet_size)
    _check_decoded(room, output, where, len(made))
    text = cues.written(board)
    cues.check(text, board)
    listed = room.folder / OUTPUTS / f"_{output.file}.vtt"
    listed.write_text(text, encoding="ascii")
    return [
        *(
            Span(path=where, file=f"{output.file}/{galleries.sheet(number)}",
                 start=its.start, size=its.size)
            for number, its in enumerate(made, start=1)
        ),
        all_of(listed, galleries.delivered(output)),
    ]  # fmt: skip


def _until(packets: "array[int]") -> int | None:
    """When the film is over: its last frame is shown as long as the one before."""
    return 2 * packets[-1] - packets[-2] if len(packets) > 1 else None


def _read(where: Path, name: str) -> list[Jpeg]:
    if not where.stat().st_size:
        return []
    try:
        with where.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as all_:
            return jpegs.pictures(all_)
    except Malformed as error:
        broken(f"{name}: {error}")


def _check(name: str, pictures: Sequence[Jpeg], count: int, size: Size) -> None:
    if len(pictures) != count:
        broken(f"{name} has {len(pictures)} pictures, not {count}")
    for one in pictures:
        if (one.width, one.height) != (size.width, size.height):
            broken(f"{name} is {one.width}x{one.height}, not {size.width}x{size.height}")


def _check_decoded(room: Room, output: SampledOutput, where: Path, count: int) -> None:
    """All are pictures to a decoder of another program."""
    path = str(where.relative_to(room.folder))
    seen = room.prober.decoded_frames(
        path, 0, folder=room.folder, halt=room.order.halt, demuxer="mjpeg"
    )
    if seen != count:
        broken(f"{output.file}: {seen} of {count} pictures can be decoded")
