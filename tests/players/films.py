"""A film that tells its own time, and the ladders that real workers make of it.

A white frame and a beep come together, again and again; between them the picture moves and is never
white, and the sound is soft and never quite still. What a player shows and gives can so be held
against the film's own moments, which nothing of Mayfly has computed.
"""

import dataclasses
import subprocess
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path

import msgspec

from mayfly.contract.recipe import Box, LadderOutput, Manifest, Recipe, Rung
from mayfly.core import ladders
from tests.matrix.drive import Driver
from tests.matrix.main import settings
from tests.worker import climbing, store

#: A rate whose frames are no whole number of any tick that players count in.
RATE = Fraction(30000, 1001)
FRAME = 1 / RATE
FRAMES = 450
SECONDS = FRAMES * FRAME

#: Of the sound, and of what listens to it. A frame of AAC has 1024 samples.
SAMPLES_HZ = 48000

#: Flashes lie elsewhere in each segment: those are 60 frames long.
_FIRST_FLASH, _FLASH_EVERY, _FLASH_FRAMES = 25, 50, 4

#: When the flashes begin, and the beeps.
FLASHES = tuple(number * FRAME for number in range(_FIRST_FLASH, FRAMES, _FLASH_EVERY))

#: What it says, and when: within a segment, across two of them, and shortly before it is over.
CUES = ((1.2, 3.1, "Grüß dich"), (7.5, 8.75, "a < b\n& more"), (14.25, 14.75, "over"))
WORDS = "".join(
    f"{number}\n00:00:{start:06.3f} --> 00:00:{end:06.3f}\n{text}\n\n".replace(".", ",")
    for number, (start, end, text) in enumerate(CUES, start=1)
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Ladder:
    """What is made of the film, and how: with a chunk as long as this at most."""

    output: LadderOutput
    chunk_seconds: int
    chunks: int


_THREE_SIZES = LadderOutput(
    rungs=tuple(
        Rung(box=Box(width=width, height=height))
        for width, height in ((320, 180), (192, 108), (128, 72))
    ),
    speed="veryfast",
    segment_seconds=2,
    manifests=("hls", "dash"),
    subtitles="all",
)

LADDERS: Mapping[str, Ladder] = {
    "whole": Ladder(output=_THREE_SIZES, chunk_seconds=3600, chunks=0),
    "cut": Ladder(output=_THREE_SIZES, chunk_seconds=6, chunks=3),
    "av1": Ladder(
        output=msgspec.structs.replace(_THREE_SIZES, codec="av1", speed="ultrafast"),
        chunk_seconds=6,
        chunks=3,
    ),
}


def sizes(name: str) -> list[tuple[int, int]]:
    """Those that a ladder has, the smallest first."""
    boxes = [rung.box for rung in LADDERS[name].output.rungs]
    return sorted((box.width, box.height) for box in boxes)


class Made:
    """Ladders of the film as they are published, each made when it is first asked for."""

    def __init__(self, ffmpeg: Path, folder: Path) -> None:
        self._ffmpeg = ffmpeg
        self.folder = folder

    def ladder(self, name: str) -> Path:
        """Its folder."""
        folder, wanted = self.folder / name, LADDERS[name]
        if not folder.exists():
            with store.running() as stored:
                driver = Driver(stored, settings(self.folder / "scratch"))
                recipe = Recipe(outputs=(wanted.output,))
                done = driver.encode(self._film(), recipe, wanted.chunk_seconds)
            assert (done.plan.chunks if done.plan else 0) == wanted.chunks, done.whole
            within = f"{wanted.output.file}/"
            climbing.put({k: v for k, v in done.files.items() if k.startswith(within)}, folder)
        return folder

    def _film(self) -> Path:
        path, words = self.folder / "film.mp4", self.folder / "words.srt"
        if not path.exists():
            words.write_text(WORDS)
            first, every = (f"({n}*{FRAME})" for n in (_FIRST_FLASH, _FLASH_EVERY))
            since = f"mod(t-{first}+{every},{every})"
            flash = f"lt(mod(n-{_FIRST_FLASH}+{_FLASH_EVERY},{_FLASH_EVERY}),{_FLASH_FRAMES})"
            picture = (
                f"testsrc2=s=320x180:r={RATE}:d={float(SECONDS)},lutyuv=y=val/2+16,"
                f"drawbox=t=fill:c=white:enable='{flash}'"
            )
            sound = (
                f"aevalsrc='0.01*sin(2*PI*330*t)+lt({since},0.1)*0.5*sin(2*PI*1000*{since})'"
                f":s={SAMPLES_HZ}:d={float(SECONDS)}"
            )
            subprocess.run(
                [str(self._ffmpeg), "-v", "error", "-nostdin",
                 "-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", sound, "-i", str(words),
                 "-map", "0", "-map", "1", "-map", "2", "-c:s", "mov_text",
                 "-metadata:s:s:0", "language=deu",
                 "-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p",
                 "-g", "48", "-bf", "2", "-c:a", "aac", "-movflags", "+faststart", str(path)],
                check=True,
            )  # fmt: skip
        return path


def opened(name: str, manifest: Manifest = "hls") -> str:
    """What a player of that kind opens of a ladder, as an address in its folder."""
    return f"{LADDERS[name].output.file}/{ladders.OPENED[manifest]}"
