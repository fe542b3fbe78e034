"""How much longer a chunk takes than the slowest of its three stages alone: source down, encode,
result up. Where all three overlap it is 1, where none does it would be their sum.

The worker's own loop does one chunk of a film over a storage on loopback: once with a storage that
is as quick as it can be (which is the encode alone), once with one that gives and takes so many
bytes a second that the chunk's bytes take 0.8 of that each way; medians of several turns. A ladder
is held against its limit. A file's part is not: its index is written when all else is, so it is
stored when the encode has ended, and its figure says what that costs.

    python -m bench.io_overlap [turns]
"""

import json
import os
import platform
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

from bench import chunk_tax
from mayfly.contract import report
from mayfly.contract.recipe import Box, LadderOutput, Rung, VideoOutput
from mayfly.contract.settings import WorkerSettings
from tests.worker import store
from tests.worker.conftest import Rig
from tests.worker.cutting import Film

TURNS = 3
LIMIT = 1.05
BURST_SECONDS = 0.25
#: What each way of the link takes, of the encode.
SHARE = 0.8
CHUNK_SECONDS, SEGMENT_SECONDS = 60, 2
LADDER = LadderOutput(
    rungs=(Rung(box=Box(width=640, height=360)), Rung(box=Box(width=320, height=180))),
    speed="medium",
    segment_seconds=SEGMENT_SECONDS,
)
VIDEO = VideoOutput(box=Box(width=640, height=360), speed="medium")


class Link:
    """One way: so many bytes a second, whoever they are for. Without a rate they are counted."""

    def __init__(self) -> None:
        self.bytes_per_second = float("inf")
        self.size_bytes = 0
        self._lock = threading.Lock()
        self._free_at = 0.0

    def pass_on(self, size_bytes: int) -> None:
        """Returns when they are through."""
        with self._lock:
            self.size_bytes += size_bytes
            # Who overslept, on a busy machine, catches up.
            begin = max(time.monotonic() - BURST_SECONDS, self._free_at)
            self._free_at = begin + size_bytes / self.bytes_per_second
            wait_seconds = self._free_at - time.monotonic()
        if wait_seconds > 0:
            time.sleep(wait_seconds)


class Chunk:
    """The second chunk of a film, as often as wanted."""

    def __init__(self, rig: Rig, source: bytes, output: LadderOutput | VideoOutput) -> None:
        self._down, self._up = Link(), Link()
        rig.bucket.giving, rig.bucket.taking = self._down.pass_on, self._up.pass_on
        self._film = Film(rig, source, output, chunk_seconds=CHUNK_SECONDS)
        self._film.begin()

    def encode(self) -> dict[str, float]:
        """Seconds of each stage alone, and bytes each way."""
        seconds = self._do(float("inf"), float("inf"))
        return {
            "encode": seconds,
            "down_bytes": self._down.size_bytes,
            "up_bytes": self._up.size_bytes,
        }

    def all_at_once(self, alone: dict[str, float]) -> float:
        """Seconds over a link that is nearly as slow as the encode, both ways."""
        slow_seconds = SHARE * alone["encode"]
        return self._do(alone["down_bytes"] / slow_seconds, alone["up_bytes"] / slow_seconds)

    def _do(self, down: float, up: float) -> float:
        for link, rate in ((self._down, down), (self._up, up)):
            link.bytes_per_second, link.size_bytes = rate, 0
        began = time.monotonic()
        said = self._film.do(self._film.part(self._film.plan.audio_tracks + 1))
        if not isinstance(said, report.Encoded):
            raise SystemExit(f"not encoded: {said}")
        return time.monotonic() - began


def main() -> None:
    """Prints a line for each turn, then one JSON line."""
    turns = int(sys.argv[1]) if len(sys.argv) > 1 else TURNS
    with tempfile.TemporaryDirectory(prefix="mayfly-bench-") as name:
        source = chunk_tax.make_source(Path(name)).read_bytes()
        settings = chunk_tax.settings(Path(name))
        found = {
            "ladder": measured("ladder", LADDER, source, settings, turns),
            "file": measured("file", VIDEO, source, settings, turns),
        }
    print(json.dumps(figure(found)))


def measured(
    kind: str,
    output: LadderOutput | VideoOutput,
    source: bytes,
    settings: WorkerSettings,
    turns: int,
) -> list[dict[str, float]]:
    """Of each turn the stages, the whole and its ratio."""
    found = []
    with store.running() as running:
        chunk = Chunk(Rig(running, settings), source, output)
        for turn in range(turns):
            alone = chunk.encode()
            seconds = chunk.all_at_once(alone)
            slow = SHARE * alone["encode"]
            one = {
                **alone,
                "down": slow,
                "up": slow,
                "all": seconds,
                "ratio": seconds / alone["encode"],
            }
            found.append({name: round(value, 3) for name, value in one.items()})
            print(f"{kind} {turn + 1}. encode {alone['encode']:.2f} s, all at once {seconds:.2f} s")
    return found


def figure(found: dict[str, list[dict[str, float]]]) -> dict[str, object]:
    """The line that programs read."""
    ratio = {
        kind: round(statistics.median(turn["ratio"] for turn in turns), 3)
        for kind, turns in found.items()
    }
    return {
        "metric": "chunk_over_slowest_stage",
        "value": ratio["ladder"],
        "limit": LIMIT,
        "conditions": {
            "of_a_file": ratio["file"],
            "turns_seconds": found,
            "link_over_encode": SHARE,
            "source": f"{chunk_tax.SECONDS} s of 854x480, chunks of {CHUNK_SECONDS} s",
            "recipe": f"640x360; as a ladder 320x180 too, in segments of {SEGMENT_SECONDS} s",
            "threads": chunk_tax.THREADS,
            "python": platform.python_version(),
            "load": [round(load, 1) for load in os.getloadavg()],
        },
    }


if __name__ == "__main__":
    main()
