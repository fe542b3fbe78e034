"""The work of one task: fetch, look, encode, prove, store. Each step in a module of its own; here
is their order, and what a run of ffmpeg that went wrong means.

It must never report, touch the queue, or outlive its folder.
"""

import dataclasses
import logging
import re
import shutil
from pathlib import Path
from typing import Protocol

from mayfly.contract import plan as plans
from mayfly.contract.report import Artifact, Media
from mayfly.contract.settings import WorkerSettings
from mayfly.contract.task import PostForm, Task
from mayfly.core import limits
from worker import preflight, run, sniff
from worker.compile import SOURCE, Plan, compile_plan
from worker.deliver import Deliverer
from worker.ends import WorkFailed
from worker.extent import Extent
from worker.fetch import Fetcher
from worker.grants import HeldGrants
from worker.halt import Halt
from worker.heartbeat import Progress
from worker.http import HostRule
from worker.preflight import Material
from worker.probe import Prober, last_words
from worker.prove import Judge
from worker.run import Bounds, Ending, Fate

_LOG = logging.getLogger("mayfly.worker")

#: The share of an attempt's progress that is the encode; the rest is storing.
_ENCODE_SHARE = 0.97


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One attempt at one task."""

    task: Task
    nonce: str
    grants: HeldGrants
    halt: Halt
    progress: Progress
    extent: Extent

    @property
    def may_plan(self) -> bool:
        """Whether the work may cut the source into chunks."""
        return self.extent.may_plan

    def split(self, plan: plans.Plan) -> plans.Scope:
        """Says that the source is cut like this; what is left to do is the first chunk, whose scope
        it answers with. Raises WorkFailed, and Temporary when nobody hears it."""
        self.extent.split(plan)
        return plan.scope(0)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """Every output is stored and proven."""

    outputs: tuple[Artifact, ...]
    source: Media
    cpu_seconds: float


class Work(Protocol):
    """What the loop has done for it."""

    def do(self, order: Order) -> Done:
        """All that the order covers: its task, or, once it has split that, the first chunk.
        Raises WorkFailed, Halted."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Encoding:
    """The real work. Nothing is kept from one task to the next."""

    settings: WorkerSettings
    encode_seconds_max: float = limits.ENCODE_SECONDS_MAX
    stall_seconds_max: float = limits.STALL_SECONDS_MAX

    def do(self, order: Order) -> Done:
        """All of it, in a folder that is empty before and gone afterwards."""
        if order.task.kind != "encode":
            raise WorkFailed("worker_too_old", f"a task of the kind {order.task.kind}")
        folder = self.folder
        wipe(folder)
        try:
            for room in ("in", "out"):
                (folder / room).mkdir(parents=True)
            return self._do(order, folder)
        finally:
            wipe(folder)

    @property
    def folder(self) -> Path:
        """The attempt's. Scratch itself is a mount, and not ours to remove."""
        return Path(self.settings.scratch).resolve() / "attempt"

    def _do(self, order: Order, folder: Path) -> Done:
        recipe, halt = order.task.recipe, order.halt
        preflight.check_task(recipe, order.grants.upload)
        rule = HostRule(self.settings.source_hosts)
        Fetcher(rule=rule, grants=order.grants, halt=halt).fetch(
            folder / SOURCE, order.task.source.size_bytes
        )
        material = self._look(order, folder)
        order.progress.stage = "encoding"
        plan = compile_plan(
            recipe, material, ffmpeg_path=self.settings.ffmpeg, threads=self.settings.threads
        )
        ending = self._encode(order, folder, plan, material)
        order.progress.stage = "proving"
        media = Judge(prober=self._prober, folder=folder, halt=halt).prove(plan, material, ending)
        order.progress.stage = "storing"
        store = Deliverer(rule=rule, grants=order.grants, halt=halt, nonce=order.nonce)
        stored = tuple(
            store.deliver(folder / promise.path, seen)
            for promise, seen in zip(plan.promises, media, strict=True)
        )
        source = material.probe.media(frames=material.scan.frames or None)
        return Done(outputs=stored, source=source, cpu_seconds=ending.cpu_seconds)

    @property
    def _prober(self) -> Prober:
        return Prober(self.settings.ffprobe)

    def _look(self, order: Order, folder: Path) -> Material:
        recipe = order.task.recipe
        preflight.check_bytes(sniff.sniff(folder / SOURCE))
        probe = self._prober.probe(SOURCE, folder=folder, halt=order.halt)
        preflight.check_probe(probe, recipe)
        scan = self._prober.scan(SOURCE, probe, folder=folder, halt=order.halt)
        return preflight.check_scan(probe, scan, recipe)

    def _encode(self, order: Order, folder: Path, plan: Plan, material: Material) -> Ending:
        ending = run.run(
            plan.argv,
            folder=folder,
            bounds=self._bounds(order, folder),
            halt=order.halt,
            on_line=ProgressReader(order.progress, material.seconds()).line,
        )
        if ending.fate is not Fate.SUCCEEDED:
            raise meaning(ending)
        return ending

    def _bounds(self, order: Order, folder: Path) -> Bounds:
        memory_mib = max(self.settings.memory_mib - limits.RESERVED_MEMORY_MIB, 256)
        upload = order.grants.upload
        form_bytes = upload.size_bytes_max if isinstance(upload, PostForm) else 1 << 62
        free_bytes = shutil.disk_usage(folder).free
        return Bounds(
            seconds=self.encode_seconds_max,
            stall_seconds=self.stall_seconds_max,
            memory_bytes=memory_mib << 20,
            file_bytes=min(limits.OUTPUT_BYTES_MAX, form_bytes, free_bytes),
            stdout_bytes=1 << 30,
        )


class ProgressReader:
    """Reads ffmpeg's `-progress`: blocks of key=value, each ended by `progress=`."""

    def __init__(self, progress: Progress, seconds: float | None) -> None:
        self._progress = progress
        self._seconds = seconds
        self._block: dict[str, str] = {}
        self._mark = ("", "")

    def line(self, line: bytes) -> bool:
        """True when the encode moved on."""
        name, _, value = line.decode("ascii", "replace").strip().partition("=")
        self._block[name] = value.strip()
        if name != "progress":
            return False
        mark = (self._block.get("frame", ""), self._block.get("out_time_us", ""))
        moved, self._mark = mark != self._mark, mark
        self._take()
        self._block.clear()
        return moved

    def _take(self) -> None:
        done, speed = self._block.get("out_time_us", ""), self._block.get("speed", "")
        if self._seconds and done.isdecimal():
            fraction = min(1.0, int(done) / 1e6 / self._seconds)
            self._progress.fraction = max(self._progress.fraction, _ENCODE_SHARE * fraction)
        try:
            self._progress.speed = float(speed.removesuffix("x"))
        except ValueError:
            self._progress.speed = None  # N/A, until the first frame is out


def wipe(folder: Path) -> None:
    """Whatever a task left is gone; the next may be somebody else's."""
    shutil.rmtree(folder, ignore_errors=True)
    if folder.exists():
        _LOG.error("The scratch folder could not be emptied.")


#: ffmpeg's words for media that it could not decode or read to its end.
_CUT_OFF = re.compile(r"ended prematurely|partial file|moov atom not found|End of file", re.I)
_UNDECODABLE = re.compile(
    r"Error processing packet in decoder|corrupt (?:input packet|decoded frame)|Packet corrupt"
    r"|Error while decoding|Decoding error|Error submitting packet to decoder"
    r"|Invalid data found when processing input|Error during demuxing",
    re.I,
)


def meaning(ending: Ending) -> WorkFailed:
    """What it means that ffmpeg did not succeed."""
    words = last_words(ending)
    match ending.fate:
        case Fate.TIME_LIMIT:
            return WorkFailed("time_limit", f"after {ending.wall_seconds:.0f} s")
        case Fate.STALLED:
            return WorkFailed("encoder_failed", "it did not move on any more")
        case Fate.MEMORY_LIMIT:
            return WorkFailed("memory_limit", words)
        case Fate.OUTPUT_LIMIT:
            return WorkFailed("output_limit", words)
        case Fate.FAILED | Fate.SUCCEEDED:
            if _CUT_OFF.search(words):
                return WorkFailed("source_truncated", words)
            if _UNDECODABLE.search(words):
                return WorkFailed("source_corrupt", words)
            return WorkFailed("encoder_failed", f"exit code {ending.exit_code}: {words}")
