"""How a made picture looks, as VMAF tells it: runs the comparison, and reads what it wrote.

The log is written by a library that read a stranger's pictures; it is bounded and typed. It must
never be believed to be of more frames than there were.
"""

import math
from collections.abc import Sequence
from pathlib import Path

import msgspec

from mayfly.contract.plan import Scope
from mayfly.contract.recipe import Recipe
from worker.compile_quality import Look, compile_looks, log_of
from worker.ends import WorkFailed
from worker.preflight import Seen
from worker.room import Room

#: A window of ten seconds at a thousand frames a second, with all that the library tells of each.
_LOG_BYTES_MAX = 16 << 20


class _Metrics(msgspec.Struct):
    vmaf: float


class _Frame(msgspec.Struct):
    metrics: _Metrics


class _Log(msgspec.Struct):
    frames: list[_Frame]


def look(
    room: Room, recipe: Recipe, seen: Seen, scope: Scope, looks: Sequence[Look]
) -> list[float]:
    """The mean of each, in order. Raises WorkFailed, Halted."""
    plan = compile_looks(
        recipe,
        seen,
        scope,
        looks,
        ffmpeg_path=room.settings.ffmpeg,
        threads=room.settings.threads,
    )
    room.run(plan, None, seen.opening)
    return [_mean(room.folder / log_of(number)) for number in range(len(looks))]


def _mean(path: Path) -> float:
    try:
        if path.stat().st_size > _LOG_BYTES_MAX:
            raise WorkFailed("worker_failed", "a comparison that tells too much")
        frames = msgspec.json.decode(path.read_bytes(), type=_Log).frames
        path.unlink()
    except (OSError, msgspec.DecodeError):
        raise WorkFailed("worker_failed", "a comparison that tells nothing") from None
    values = [frame.metrics.vmaf for frame in frames]
    if not values or not all(map(math.isfinite, values)):
        raise WorkFailed("worker_failed", "a comparison of no frame")
    return sum(values) / len(values)
