"""A short preview that moves: which picture is shown at each of its moments, the file of it, and
the proof that the file shows that many for that long.

It must never read what another program has to say of WebP: ffprobe knows no animated one.
"""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from mayfly.contract.recipe import PreviewOutput
from mayfly.contract.report import Media
from worker.compile import command
from worker.compile_still import preview_of
from worker.jpegs import Jpeg
from worker.made import Measure, broken
from worker.picture import Size
from worker.promise import OUTPUTS, Plan
from worker.prove_picture import prove_frames
from worker.room import Room
from worker.sampling import Sampling

#: Each picture of a WebP lasts whole milliseconds.
_ROUNDED_MS = 1


def filled(every: Sampling, shown: Sequence[int], until: int | None) -> list[int]:
    """By number, the picture of each moment: where no frame is in it, the one before stands on, and
    what is before the first or after the film's end is left out."""
    assert every.slots is not None
    pictures = {every.stretch(tick): number for number, tick in enumerate(shown)}
    last = max(number for number in pictures if number is not None)
    found: list[int] = []
    for place, begin in enumerate(every.places):
        for slot in range(every.slots):
            number = place * every.slots + slot
            over = until is None and number > last
            if until is not None:
                over = begin + slot * every.step_seconds / every.tick >= until
            if number in pictures:
                found.append(pictures[number])
            elif found and not over:
                found.append(found[-1])
    return found


def make(
    room: Room, output: PreviewOutput, pictures: Sequence[Jpeg], numbers: Sequence[int]
) -> tuple[str, Media]:
    """The file, and what it is. Raises WorkFailed(output_broken), Halted."""
    path = f"{OUTPUTS}/{output.file}"
    repeated, made = f"{OUTPUTS}/_{output.file}.pictures", f"{OUTPUTS}/_{output.file}.made"
    content = (room.folder / path).read_bytes()
    with (room.folder / repeated).open("wb") as target:
        for its in (pictures[number] for number in numbers):
            target.write(content[its.start : its.start + its.size])
    line = command(room.settings.ffmpeg, 1, ("-xerror",), [preview_of(output, repeated, made)])
    room.run(Plan(argv=line, promises=()), None)
    (room.folder / made).replace(room.folder / path)
    size, count = Size(pictures[0].width, pictures[0].height), len(numbers)
    if output.file.endswith(".webp"):
        _prove_webp(output, room.folder / path, size, count)
    else:
        _prove_gif(room, output, path, size, count)
    seconds = count / output.fps
    kind = Path(output.file).suffix.removeprefix(".")
    return path, Media(
        container=kind, duration_seconds=seconds, video_codec=kind,
        width=size.width, height=size.height, frames=count,
    )  # fmt: skip


def _prove_gif(room: Room, output: PreviewOutput, path: str, size: Size, count: int) -> None:
    measure = Measure(prober=room.prober, folder=room.folder, halt=room.order.halt)
    probe = measure.probed(output.file, path, "gif")
    picture = prove_frames(output.file, probe, "gif", count)
    _prove(output, Size(picture.width, picture.height), size)
    seen = room.prober.decoded_frames(
        path, 0, folder=room.folder, halt=room.order.halt, demuxer="gif"
    )
    if seen != count:
        broken(f"{output.file}: {seen} of {count} pictures can be decoded")


def _prove_webp(output: PreviewOutput, path: Path, size: Size, count: int) -> None:
    """Pictures that are the same are one there, which lasts longer."""
    found, lasts_ms = webp(path.read_bytes())
    _prove(output, found, size)
    wanted_ms = Fraction(1000 * count, output.fps)
    # One picture alone is a still.
    if lasts_ms is not None and abs(lasts_ms - wanted_ms) > _ROUNDED_MS * count:
        broken(f"{output.file} lasts {lasts_ms} ms, not {float(wanted_ms):.0f}")


def _prove(output: PreviewOutput, found: Size, size: Size) -> None:
    if found != size:
        broken(f"{output.file} is {found.width}x{found.height}, not {size.width}x{size.height}")


def webp(content: bytes) -> tuple[Size, int | None]:
    """How large a WebP is, and how many milliseconds all of its pictures last; None of a still. By
    its chunks (RFC 9649). A file that is none is of no size."""
    size, lasts_ms, at = Size(0, 0), None, 12
    if content[:4] + content[8:12] != b"RIFFWEBP" or _number(content[4:8]) + 8 != len(content):
        return size, None
    while at + 8 <= len(content):
        kind, length = content[at : at + 4], _number(content[at + 4 : at + 8])
        body = content[at + 8 : at + 8 + length]
        if len(body) < length:
            return Size(0, 0), None
        if kind == b"VP8X":
            size = Size(_number(body[4:7]) + 1, _number(body[7:10]) + 1)
        elif kind == b"ANMF":
            lasts_ms = (lasts_ms or 0) + _number(body[12:15])
        elif kind == b"VP8 " and not size.width:
            size = Size(_number(body[6:8]) & 0x3FFF, _number(body[8:10]) & 0x3FFF)
        at += 8 + length + length % 2
    return size, lasts_ms


def _number(some: bytes) -> int:
    return int.from_bytes(some, "little")
