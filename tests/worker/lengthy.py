"""A film of thousands of chunks, as their workers would have stored them: cut from one encode whose
fragments are those of chunks, with its own list of frames. Making them one by one would take hours.
"""

import hashlib
import subprocess
from bisect import bisect_left
from pathlib import Path
from typing import Any

import msgspec

from mayfly.contract import report, wire
from mayfly.contract.plan import Plan
from mayfly.contract.recipe import Box, VideoOutput
from mayfly.contract.task import Fetch, Input, Inputs, TaskKind
from mayfly.core import parts
from tests.worker.conftest import Rig
from tests.worker.cutting import Film
from worker import boxes, lists, seams
from worker.compile_parts import FRAMES, PACKETS, seam_ticks
from worker.seams import Frames

VIDEO = VideoOutput(speed="ultrafast", box=Box(width=16, height=16))
LISTED = "work/job-1/inputs.json"
#: Frames of a chunk, ticks of a frame, frames of a second.
CHUNK, FRAME, RATE = 2, 512, 25


class LongFilm:
    """So many chunks of two frames, in the rig's storage."""

    def __init__(self, rig: Rig, chunks: int, folder: Path) -> None:
        self.film = Film(rig, b"", VIDEO)
        self.film.plan = Plan(
            time_base=(1, FRAME * RATE),
            origin_ticks=0,
            margin_seconds=1.0,
            boundaries=tuple(range(CHUNK * FRAME, chunks * CHUNK * FRAME, CHUNK * FRAME)),
        )
        self._bucket = rig.bucket
        made, listed = _encoded(Path(rig.settings.ffmpeg), chunks * CHUNK, folder)
        whole, beginning, held = made.read_bytes(), boxes.beginning(made), boxes.fragments(made)
        assert len(held) == 2 * chunks, "a moof and an mdat each"
        shown = seams.read_frames(listed)
        ticks, seam = shown.ticks, seam_ticks(self.film.plan.clock)
        self.inputs: list[Input] = []
        for number in range(chunks):
            moof, mdat = held[2 * number : 2 * number + 2]
            media = beginning + whole[moof.start : mdat.start + mdat.size]
            begins = bisect_left(ticks, number * CHUNK * FRAME - seam)
            seen = slice(begins, (number + 1) * CHUNK)
            frames = Frames(ticks[seen], shown.hashes[seen])
            scope = self.film.plan.scope(number)
            self._stored("chunk", number, "video.mp4", media)
            self._stored("chunk", number, FRAMES, lists.pack_frames(frames, scope, seam))
        self._stored("audio", 0, PACKETS, lists.pack_ticks(ticks))

    def _stored(self, kind: TaskKind, number: int, file: str, content: bytes) -> None:
        key = f"work/job-1/{kind}-{number}/{file}"
        self._bucket.objects[key] = content
        part = Input(
            kind=kind,
            number=number,
            file=file,
            fetch=Fetch(url=self._bucket.url(key)),
            size_bytes=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
            scope=self.film.plan.scope(number) if kind == "chunk" else None,
        )
        self.inputs.append(part)

    def task(self) -> dict[str, Any]:
        """The finish that joins them."""
        self._bucket.objects[LISTED] = wire.encode(Inputs(parts=tuple(self.inputs)))
        part = parts.Part(task_id="finish", kind="finish", number=0)
        inputs = Fetch(url=self._bucket.url(LISTED))
        return self.film.message(part, inputs=msgspec.to_builtins(inputs))

    def finish(self) -> list[report.Report]:
        """Has them joined; all that was said of it."""
        return self.film.say(self.task())


def _encoded(ffmpeg: Path, frames: int, folder: Path) -> tuple[Path, Path]:
    """Fragments of two frames, and the list of all frames."""
    made, listed = folder / "long.mp4", folder / "long.txt"
    source = f"testsrc2=s=16x16:r={RATE},settb=1/{FRAME * RATE},split[a][b]"
    subprocess.run(
        [
            str(ffmpeg), "-v", "error", "-nostdin", "-y", "-threads", "1",
            "-filter_complex", source,
            "-map", "[a]", "-frames:v", str(frames), "-c:v", "libx264", "-preset", "ultrafast",
            "-g", str(CHUNK), "-pix_fmt", "yuv420p", "-threads", "1",
            "-enc_time_base:v", "filter", "-video_track_timescale", str(FRAME * RATE),
            "-movflags", "+cmaf+frag_keyframe+delay_moov+frag_discont", str(made),
            "-map", "[b]", "-frames:v", str(frames), "-enc_time_base:v", "filter",
            "-f", "framehash", "-hash", "murmur3", str(listed),
        ],
        check=True,
    )  # fmt: skip
    return made, listed
