"""Where one attempt works: its folder, what bounds its programs, how it fetches and stores.

Shared by all kinds of tasks; it knows none of them. It must never outlive its attempt: the folder
is empty before and gone afterwards.
"""

import contextlib
import dataclasses
import logging
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mayfly.contract.plan import Decided
from mayfly.contract.recipe import Recipe, assets_of
from mayfly.contract.report import Artifact, Media
from mayfly.contract.settings import WorkerSettings
from mayfly.contract.task import Fetch, PostForm
from mayfly.core import limits, quality
from worker import assets, early, images, loopback, preflight, run, sniff
from worker.assets import Asset
from worker.deliver import Deliverer, Stored
from worker.early import Sent, Track
from worker.ends import WorkFailed
from worker.fetch import Fetcher
from worker.ffmpeg_words import ProgressReader, meaning
from worker.http import HostRule
from worker.opening import FETCHED, SOURCE, Opening, of_loopback
from worker.order import Order
from worker.pieces import Span
from worker.preflight import Material, Seen
from worker.prober import Prober
from worker.promise import Plan
from worker.prove import Judge
from worker.ranges import Ranges
from worker.run import Bounds, Ending, Fate

_LOG = logging.getLogger("mayfly.worker")

#: Segments of a ladder are stored so many at a time.
_STORED_AT_ONCE = 8


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """One attempt's."""

    order: Order
    settings: WorkerSettings
    folder: Path
    encode_seconds_max: float
    stall_seconds_max: float
    #: What was found about the source's quality, where the recipe asks for one.
    decided: Decided | None = None

    @property
    def recipe(self) -> Recipe:
        """The task's, with nothing in it left open that was decided."""
        return quality.settled(self.order.task.recipe, self.decided)

    @contextlib.contextmanager
    def cleared(self) -> Iterator[None]:
        """Empty before, gone afterwards."""
        wipe(self.folder)
        try:
            for part in ("in", "out"):
                (self.folder / part).mkdir(parents=True)
            yield
        finally:
            wipe(self.folder)

    @property
    def prober(self) -> Prober:
        """ffprobe."""
        return Prober(self.settings.ffprobe)

    @property
    def judge(self) -> Judge:
        """Who proves what was made."""
        return Judge(prober=self.prober, folder=self.folder, halt=self.order.halt)

    def fetch(
        self,
        granted: Callable[[], Fetch],
        path: str,
        size_bytes: int | None,
        *,
        bytes_max: int | None = None,
    ) -> Path:
        """One file, to a path beneath the folder. Raises WorkFailed, Halted."""
        target = self.folder / path
        order = self.order
        Fetcher(
            rule=self._rule,
            grants=order.grants,
            halt=order.halt,
            granted=granted,
            bytes_max=bytes_max,
        ).fetch(target, size_bytes)
        return target

    def source(self) -> Material:
        """The whole source, fetched and looked at. Raises WorkFailed, Halted."""
        order = self.order
        self.fetch(lambda: order.grants.source, SOURCE, order.task.source.size_bytes)
        return self.looked_at()

    def looked_at(self) -> Material:
        """The source that lies on the disk. Raises WorkFailed, Halted."""
        order, recipe = self.order, self.recipe
        preflight.check_bytes(sniff.sniff(self.folder / SOURCE))
        probe = self.prober.probe(SOURCE, folder=self.folder, halt=order.halt)
        preflight.check_probe(probe, recipe)
        scan = self.prober.scan(SOURCE, probe, folder=self.folder, halt=order.halt)
        material = preflight.check_scan(probe, scan, recipe)
        return dataclasses.replace(material, assets=self._assets())

    def _assets(self) -> Mapping[str, Asset]:
        """The images that the recipe draws, brought and looked at; none of a task of sound alone.
        Raises WorkFailed, Halted."""
        order = self.order
        names = () if order.task.kind == "audio" else assets_of(order.task.recipe)

        def fetch(name: str, path: str) -> None:
            granted = order.grants.assets
            if name not in granted:
                raise WorkFailed("asset_missing", "the task brings no URL for it")
            self.fetch(lambda: order.grants.assets[name], path, None, bytes_max=assets.BYTES_MAX)

        return images.bring(
            names,
            fetch,
            lambda plan: self.run(plan, None),
            folder=self.folder,
            ffmpeg_path=self.settings.ffmpeg,
        )

    def empty_outputs(self) -> None:
        """What was made so far is of no use."""
        shutil.rmtree(self.folder / "out")
        (self.folder / "out").mkdir()

    def ranges(self) -> Ranges:
        """The source where it is; nothing of it is read yet."""
        order = self.order
        return Ranges(
            rule=self._rule,
            grants=order.grants,
            halt=order.halt,
            granted=lambda: order.grants.source,
            size_bytes=order.task.source.size_bytes,
        )

    @contextlib.contextmanager
    def reading(self, ranges: Ranges) -> Iterator[Seen]:
        """The source where it is, while inside: looked at, and read as far as somebody needs it.
        Raises WorkFailed, Halted."""
        order = self.order
        with loopback.serving(ranges) as served:
            opening = of_loopback(served.url, served.check)
            probe = self.prober.look(opening, folder=self.folder, halt=order.halt)
            seen = preflight.check_seen(probe, self.recipe, opening)
            yield dataclasses.replace(seen, assets=self._assets())
        toll = ranges.toll
        _LOG.info(
            "%d of the source's %d bytes were read, in %d GETs.",
            toll.bytes_read,
            ranges.size,
            toll.gets,
        )

    def run(
        self,
        plan: Plan,
        seconds: float | None,
        opening: Opening = FETCHED,
        frames_per_second: float = 0.0,
    ) -> Ending:
        """Runs ffmpeg on what was opened; `seconds` is how long what it makes will be, with so many
        frames each if anybody knows. Raises WorkFailed, Halted."""
        self.order.progress.stage = "encoding"
        ending = run.run(
            plan.argv,
            folder=self.folder,
            bounds=self._bounds(),
            halt=self.order.halt,
            on_line=ProgressReader(
                self.order.progress, seconds, (seconds or 0.0) * frames_per_second
            ).line,
        )
        opening.check()  # before any word of ffmpeg's: it takes a missing byte for the end
        if ending.fate is not Fate.SUCCEEDED:
            raise meaning(ending)
        return ending

    def sending(self, tracks: Sequence[Track]) -> contextlib.AbstractContextManager[Sent]:
        """While inside, what is whole of these is stored, each with one try; `store_many` does the
        rest. Raises Halted."""
        return early.sending(
            tracks,
            lambda halt: dataclasses.replace(self._deliverer(), halt=halt, tries_max=1).store,
            self.order.halt,
        )

    def store(
        self, files: list[tuple[str, Media]], *, published: bool = False
    ) -> tuple[Artifact, ...]:
        """Files beneath the folder, and what they are. Those that are published may be stored in
        pieces. Raises WorkFailed, Halted."""
        self.order.progress.stage = "storing"
        store = self._deliverer(joined=published)
        return tuple(store.deliver(self.folder / path, media) for path, media in files)

    def store_many(self, spans: Sequence[Span], sent: Sent | None = None) -> list[Stored]:
        """Small files, several at a time: each costs a way to the storage and back. Those that were
        sent already are not sent again. Raises WorkFailed, Halted."""
        self.order.progress.stage = "storing"
        store = self._deliverer()
        with ThreadPoolExecutor(_STORED_AT_ONCE) as threads:
            stored = [threads.submit(_stored, store, span, sent) for span in spans]
            try:
                return [one.result() for one in stored]
            finally:
                for one in stored:
                    one.cancel()

    def _deliverer(self, *, joined: bool = False) -> Deliverer:
        order = self.order
        return Deliverer(
            rule=self._rule,
            grants=order.grants,
            halt=order.halt,
            nonce=order.nonce,
            joined=joined,
        )

    @property
    def _rule(self) -> HostRule:
        return HostRule(self.settings.source_hosts)

    def _bounds(self) -> Bounds:
        memory_mib = max(self.settings.memory_mib - limits.RESERVED_MEMORY_MIB, 256)
        upload, file_bytes = self.order.grants.upload, limits.POST_BYTES_MAX
        if isinstance(upload, PostForm):
            file_bytes = max(min(file_bytes, upload.size_bytes_max), upload.output_bytes_max)
        free_bytes = shutil.disk_usage(self.folder).free
        return Bounds(
            seconds=self.encode_seconds_max,
            stall_seconds=self.stall_seconds_max,
            memory_bytes=memory_mib << 20,
            file_bytes=min(limits.OUTPUT_BYTES_MAX, file_bytes, free_bytes),
            written=self.folder / "out",
            stdout_bytes=1 << 30,
        )


def _stored(store: Deliverer, span: Span, sent: Sent | None) -> Stored:
    return (sent.stored(span) if sent is not None else None) or store.store(span)


def wipe(folder: Path) -> None:
    """Whatever a task left is gone; the next may be somebody else's."""
    shutil.rmtree(folder, ignore_errors=True)
    if folder.exists():
        _LOG.error("The scratch folder could not be emptied.")
