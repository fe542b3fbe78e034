"""Holds what the cut source became against what the same source becomes whole, and against the
source itself. It knows frames and times, and nothing of how they were made.
"""

import dataclasses
import shutil
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import msgspec

from mayfly.contract.recipe import Box, Output, PosterOutput, Recipe, Sound, VideoOutput
from mayfly.contract.settings import WorkerSettings
from tests.matrix.cases import Case
from tests.matrix.decode import Seen, decoded
from tests.matrix.drive import Delivered, Driver, Refused
from tests.matrix.sources import NotMade, Sources
from tests.worker import climbing
from tests.worker.store import Store
from worker import preflight
from worker.ends import WorkFailed
from worker.halt import Halt
from worker.opening import SOURCE
from worker.preflight import Material
from worker.prober import Prober

#: What ffprobe calls a source that is not deinterlaced.
_PROGRESSIVE = ("progressive", "unknown", "")
#: Its clock has no others.
_MATROSKA_TICK = Fraction(1, 1000)
#: Encoders of sound fill their last packet: 1,152 samples of MP2, 1,024 of AAC, and so on.
_SOUND_SECONDS_OFF_MAX = 0.05


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What became of one source."""

    chunks: int = 0
    frames: int = 0
    whole: str = ""
    wrong: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of one case."""

    seed: int
    case: Case
    chunks: int = 0
    frames: int = 0
    #: Why the source was not cut.
    whole: str = ""
    #: What is wrong, each in a sentence.
    wrong: tuple[str, ...] = ()
    seconds: float = 0.0

    def told(self) -> str:
        """In one line."""
        became = f"{self.chunks} chunks" if self.chunks else f"whole: {self.whole}"
        told = f"{self.seed}: {self.case.told()} -> {became}, {self.frames} frames"
        return f"{told}, {self.seconds:.1f}s" + "".join(f"\n  WRONG: {one}" for one in self.wrong)


class Court:
    """Judges cases, one after another, in a folder of its own."""

    def __init__(self, settings: WorkerSettings, store: Store, folder: Path) -> None:
        self._settings = settings
        self._driver = Driver(store, settings)
        self._folder = folder
        (folder / "clips").mkdir(parents=True, exist_ok=True)
        self._sources = Sources(Path(settings.ffmpeg), folder / "clips")

    def judge(self, seed: int, case: Case) -> Verdict:
        """One case, from its clip to its verdict."""
        began = time.monotonic()
        verdict = Verdict(seed=seed, case=case)
        try:
            source = self._sources.path(case.clip)
        except NotMade as error:
            return dataclasses.replace(verdict, whole="?", wrong=(str(error),))
        found = self.compare(source, recipe_of(case), case.chunk_seconds, lossless=case.lossless)
        seconds = time.monotonic() - began
        return dataclasses.replace(
            verdict,
            chunks=found.chunks,
            frames=found.frames,
            whole=found.whole,
            wrong=found.wrong,
            seconds=seconds,
        )

    def compare(
        self, source: Path, recipe: Recipe, chunk_seconds: int, *, lossless: bool = True
    ) -> Found:
        """What becomes of a source, cut and whole; with loss, pictures are only counted."""
        with tempfile.TemporaryDirectory(dir=self._folder) as name:
            folder = Path(name)
            try:
                material = self._looked_at(source, recipe, folder)
                made = self._driver.encode(source, recipe, chunk_seconds)
                seen = self._decoded(made, folder)
                wanted = self._of_source(source, material)
                if not lossless:
                    seen, wanted = _unpictured(seen), _unpictured(wanted)
                if made.plan is None:
                    wrong = _of_pictures(seen, wanted, material)
                    return Found(whole=made.whole, wrong=wrong, frames=len(seen.times))
                whole = self._driver.encode(source, recipe, 0)
            except (Refused, WorkFailed) as refused:
                return Found(whole="?", wrong=(str(refused),))
            beside = self._decoded(whole, folder)
            wrong = compared(seen, beside if lossless else _unpictured(beside))
            wrong += self._ladders(made, whole, folder)
        if made.files.get("poster.jpg") != whole.files.get("poster.jpg"):
            wrong += ("the poster is another picture",)
        wrong += _of_pictures(seen, wanted, material)
        wrong += _of_times(seen, wanted, made.plan.origin_ticks * material.scan.tick)
        return Found(chunks=made.plan.chunks, frames=len(seen.times), wrong=wrong)

    def _ladders(self, made: Delivered, whole: Delivered, folder: Path) -> tuple[str, ...]:
        """Every size of the cut source's ladder against that of the whole one's."""
        wrong: list[str] = []
        names = [{name for name in one.files if "/" in name} for one in (made, whole)]
        if names[0] != names[1]:
            return ("the ladders have other files",)
        sides = []
        for side, one in (("cut", made), ("whole", whole)):
            ladder = {name: one.files[name] for name in names[0]}
            master = climbing.put(ladder, folder / side)
            sides.append(climbing.shown(Path(self._settings.ffmpeg), master) if ladder else [])
        for number, (cut, wanted) in enumerate(zip(*sides, strict=True)):
            if cut.hashes != wanted.hashes:
                wrong.append(f"ladder v{number}: pictures {_differ(cut.hashes, wanted.hashes)}")
            if cut.times != wanted.times:
                wrong.append(f"ladder v{number}: times {_differ(cut.times, wanted.times)}")
        return tuple(wrong)

    def _looked_at(self, source: Path, recipe: Recipe, folder: Path) -> Material:
        (folder / "in").mkdir()
        shutil.copyfile(source, folder / SOURCE)
        prober, halt = Prober(self._settings.ffprobe), Halt()
        probe = prober.probe(SOURCE, folder=folder, halt=halt)
        preflight.check_probe(probe, recipe)
        scan = prober.scan(SOURCE, probe, folder=folder, halt=halt)
        return preflight.check_scan(probe, scan, recipe)

    def _of_source(self, source: Path, material: Material) -> Seen:
        assert material.picture is not None
        sound = material.sound.index if material.sound else None
        ffmpeg = Path(self._settings.ffmpeg)
        rgb = material.picture.pix_fmt.startswith(("rgb", "bgr", "gbr", "pal"))
        return decoded(ffmpeg, source, picture=material.picture.index, sound=sound, rgb=rgb)

    def _decoded(self, made: Delivered, folder: Path) -> Seen:
        (film,) = [name for name in made.files if name.startswith("video.")]
        path = folder / film
        path.write_bytes(made.files[film])
        return decoded(Path(self._settings.ffmpeg), path)


def recipe_of(case: Case) -> Recipe:
    """What is to be made of a case."""
    video = VideoOutput(
        file=case.file,
        codec=case.made,  # type: ignore[arg-type]  # likewise
        crf=0 if case.lossless else None,
        box=Box(width=128, height=72),
        speed=case.speed,  # type: ignore[arg-type]  # drawn from the recipe's own words
        keyframe_seconds=case.keyframe_seconds,
        audio=None if case.clip.sound == "without" else Sound(),
    )
    poster = PosterOutput(at_fraction=0.4, box=Box(width=128, height=72))
    ladder = msgspec.structs.replace(
        climbing.LADDER, codec=video.codec, speed=video.speed, audio=video.audio
    )
    outputs: list[Output] = [video]
    outputs += [poster] * case.poster + [ladder] * case.ladder
    return Recipe(outputs=tuple(outputs))


def compared(seen: Seen, whole: Seen) -> tuple[str, ...]:
    """The cut source's film against the whole one's."""
    wrong = []
    if seen.hashes != whole.hashes:
        wrong.append(f"pictures differ from whole: {_differ(seen.hashes, whole.hashes)}")
    if seen.times != whole.times:
        wrong.append(f"times differ from whole: {_differ(seen.times, whole.times)}")
    if seen.samples != whole.samples:
        wrong.append(f"{seen.samples} samples of sound, whole has {whole.samples}")
    if (seen.sound_start is None) != (whole.sound_start is None):
        wrong.append("sound in one of the two only")
    if (
        seen.sound_start is not None
        and whole.sound_start is not None
        and seen.times
        and whole.times
    ):
        offsets = seen.sound_start - seen.times[0], whole.sound_start - whole.times[0]
        if abs(offsets[0] - offsets[1]) > max(seen.ticks):
            wrong.append(f"sound begins {float(offsets[0]):.6f} s, not {float(offsets[1]):.6f}")
    return tuple(wrong)


def _of_pictures(seen: Seen, wanted: Seen, material: Material) -> tuple[str, ...]:
    """Every frame that a decoder finds in the source; where two fields are made one, none is."""
    assert material.picture is not None
    if seen.hashes == wanted.hashes or material.picture.field_order not in _PROGRESSIVE:
        return ()
    return (f"pictures differ from the source: {_differ(seen.hashes, wanted.hashes)}",)


def _of_times(seen: Seen, wanted: Seen, origin: Fraction) -> tuple[str, ...]:
    """Each frame is shown when the source shows it, counted from the plan's origin; and the sound
    ends when the source's does."""
    wrong = []
    moments = tuple(moment - origin for moment in wanted.times)
    if seen.ticks[:1] == (_MATROSKA_TICK,) and len(moments) == len(seen.times):
        # To the nearest of its own.
        pairs = zip(seen.times, moments, strict=True)
        moments = tuple(a if abs(a - b) <= _MATROSKA_TICK / 2 else b for a, b in pairs)
    if seen.times != moments:
        wrong.append(f"times differ from the source: {_differ(seen.times, moments)}")
    if seen.sound_start is not None and wanted.sound_start is not None:
        late = seen.sound_end() - (wanted.sound_end() - origin)
        if abs(late) > _SOUND_SECONDS_OFF_MAX:
            wrong.append(f"its sound ends {float(late):.3f} s late")
    return tuple(wrong)


def _unpictured(seen: Seen) -> Seen:
    """Its frames without what they show."""
    return dataclasses.replace(seen, hashes=("",) * len(seen.hashes))


def _differ(found: tuple[object, ...], wanted: tuple[object, ...]) -> str:
    if len(found) != len(wanted):
        return f"{len(found)} instead of {len(wanted)}"
    at = [n for n, pair in enumerate(zip(found, wanted, strict=True)) if pair[0] != pair[1]]
    return f"{len(at)} of {len(found)}, first {at[0]}: {found[at[0]]} instead of {wanted[at[0]]}"
