"""Ladders as players find them: the files under their clean names, in a folder, and what a decoder
sees in them.
"""

import dataclasses
import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mayfly.contract import report
from mayfly.contract.ladder import Ready
from mayfly.contract.recipe import Box, LadderOutput, Rung
from mayfly.core import ladders
from tests.matrix.decode import Seen, decoded
from tests.worker.conftest import Rig, kinds
from tests.worker.cutting import Film
from worker import compile_ladder, rungs, segments

#: Two sizes, segments as short as they may be.
LADDER = LadderOutput(
    rungs=(Rung(box=Box(width=128, height=72)), Rung(box=Box(width=64, height=64))),
    speed="veryfast",
    segment_seconds=2,
)


SOUND = ("-f", "lavfi", "-i", "sine=d=7:r=48000", "-c:a", "aac")
X264 = ("-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-g", "40", "-bf", "2")
_MIXED = "select='not(mod(n,2))+gt(random(1),0.6)'"


def film_of(rate: str, size: str = "160x90") -> tuple[str, ...]:
    """Seven seconds of moving pictures."""
    return ("-f", "lavfi", "-i", f"testsrc2=s={size}:r={rate}:d=7")


#: Name, ffmpeg's arguments, the grid's rate.
FILMS: dict[str, tuple[tuple[str, ...], str]] = {
    "even.mp4": ((*film_of("25"), *SOUND, *X264), "25"),
    "silent.mkv": ((*film_of("30000/1001"), *X264), "30000/1001"),
    "film.flv": ((*film_of("24000/1001"), *SOUND, *X264), "24000/1001"),
    "uneven.mkv": (
        (*film_of("30"), *SOUND, "-vf", _MIXED, "-fps_mode", "passthrough", *X264),
        "30",
    ),
    "fields.ts": (
        (*film_of("50", "160x92"), *SOUND, "-vf", "interlace", *X264, "-flags", "+ilme+ildct"),
        "25",
    ),
    "quick.mp4": ((*film_of("100"), *SOUND, *X264), "50"),
    "portrait.mp4": ((*film_of("12", "90x160"), *SOUND, *X264), "12"),
    "far.ts": ((*film_of("25"), *SOUND, *X264, "-output_ts_offset", "1000"), "25"),
    "late-sound.ts": (
        (*film_of("25"), "-itsoffset", "0.53", *SOUND, *X264, "-output_ts_offset", "26.5"),
        "25",
    ),
    "late-picture.mkv": (
        ("-itsoffset", "0.53", *film_of("30000/1001"), *SOUND, *X264),
        "30000/1001",
    ),
}


@contextmanager
def lossless() -> Iterator[None]:
    """Encoders lose nothing: what a decoder sees is what came out of the filters."""
    real = compile_ladder.encoded

    def encoded(ladder: LadderOutput, rung: rungs.Rung, *given: Any, **more: Any) -> dict[str, Any]:
        exact = msgspec.structs.replace(rung.wanted, crf=0, maxrate_kbps=None)
        return real(ladder, dataclasses.replace(rung, wanted=exact), *given, **more)

    def named(*_: object) -> None:
        """Nobody promises H.264's profile for that."""

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compile_ladder, "encoded", encoded)
        patch.setattr(segments, "prove_named", named)
        yield


def climbed(rig: Rig, source: bytes, folder: Path, *outputs: Any, **more: Any) -> tuple[Film, Path]:
    """The ladder of a source that is cut, and where it is published."""
    film = Film(rig, source, *outputs, **more).work()
    last = film.finish()
    assert isinstance(last, report.Encoded), last
    assert "every seam fits" in last.note, last.note
    return film, published(film.stored("finish"), rig.bucket.objects, folder)


def whole(rig: Rig, source: bytes, folder: Path, *outputs: Any) -> tuple[Film, Path]:
    """The same of the source encoded whole."""
    film = Film(rig, source, *outputs, chunk_seconds=3600)
    said = film.begin()
    assert "Planned" not in kinds(said), said
    assert isinstance(said[-1], report.Encoded), said[-1]
    return film, published(film.stored("encode"), rig.bucket.objects, folder)


def files(delivered: Mapping[str, bytes], objects: Mapping[str, bytes]) -> dict[str, bytes]:
    """What an attempt delivered of a ladder, if it did, by clean names."""
    if ladders.PUBLISHED not in delivered:
        return {}
    ready = msgspec.json.decode(delivered[ladders.PUBLISHED], type=Ready)
    copies = [copy for track in ladders.tracks(ready) for copy in ladders.media(ready, track, "")]
    copies += [*ladders.playlists(ready, ""), *ladders.opened(ready, "")]
    return {name: objects[key] for key, name in copies}


def published(delivered: Mapping[str, bytes], objects: Mapping[str, bytes], folder: Path) -> Path:
    """Puts them where they would be published; the master playlist, whether there is one or not."""
    return put(files(delivered, objects), folder)


def put(found: Mapping[str, bytes], folder: Path) -> Path:
    """Files into a folder; the master playlist."""
    for name, content in found.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder / LADDER.file / ladders.MASTER


def named(playlist: Path) -> list[str]:
    """The files that a playlist names."""
    return [line for line in playlist.read_text().splitlines() if line and line[0] != "#"]


def shown(ffmpeg: Path, master: Path) -> list[Seen]:
    """What a decoder sees of each size, in order."""
    return [decoded(ffmpeg, master.parent / size, sound=None) for size in named(master)]


def heard(ffmpeg: Path, master: Path) -> tuple[Fraction, int, str]:
    """When the sound begins, how many samples it has, and their hash."""
    return of_sound(ffmpeg, master.parent / "a0.m3u8")


def of_sound(ffmpeg: Path, path: Path) -> tuple[Fraction, int, str]:
    """The same of any file."""
    said = subprocess.run(
        [str(ffmpeg), "-v", "error", "-copyts", "-i", str(path), "-map", "0:a", "-c:a", "pcm_s16le",
         "-ac", "1", "-f", "framehash", "-hash", "murmur3", "-"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    (tick,) = re.findall(r"#tb 0: (.*)", said.stdout)
    blocks = [line.split(",") for line in said.stdout.splitlines() if line[0] != "#"]
    samples = sum(int(block[4]) for block in blocks) // 2
    hashes = ",".join(block[5].strip() for block in blocks)
    return int(blocks[0][2]) * Fraction(tick), samples, hashes


def keyframes(ffprobe: Path, playlist: Path) -> list[Fraction]:
    """When the keyframes of a size are shown."""
    said = subprocess.run(
        [str(ffprobe), "-v", "error", "-select_streams", "v", "-show_entries",
         "stream=time_base:packet=pts,flags", "-of", "csv", str(playlist)],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    rows = [line.split(",") for line in said.stdout.splitlines()]
    (tick,) = {Fraction(row[1]) for row in rows if row[0] == "stream"}
    return [int(row[1]) * tick for row in rows if row[0] == "packet" and "K" in row[2]]
