"""`mayfly estimate`: what a file would take, before it is sent anywhere. Needs no stack.

It asks the same code as the worker that would cut the file and the planner that would call workers
for it, so it is as right as their table; sound, uploads and downloads are not in it.
"""

import contextlib
import dataclasses
import math
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from console import options
from console.ends import WrongCall, speaking

if TYPE_CHECKING:
    from mayfly.contract.recipe import Recipe
    from worker.preflight import Material


#: What every pool gives a processor.
_GIB_PER_VCPU = 2


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What there is to do it with."""

    vcpu: int
    workers_max: int
    finish_seconds: int


def estimate(
    file: Annotated[str, typer.Argument(metavar="FILE", help="The video.")],
    preset: options.PresetOrFile = None,
    vcpu: Annotated[int, typer.Option(min=1, max=16, help="Processors of a worker.")] = 2,
    workers: Annotated[int, typer.Option(min=1, max=1000, help="The most workers.")] = 3,
    finish_seconds: Annotated[
        int, typer.Option(min=120, max=1800, help="It should be done in so long.")
    ] = 600,
    as_json: options.AsJson = False,
) -> None:
    """Say what a file would take: work, parts, workers, time and dollars on Fargate Spot.

    JSON: {"source", "preset", "vcpu", "work_seconds" (of one worker), "chunks" (1: not cut), "note"
    (why not, or null), "workers", "seconds" (from acceptance to outcome, starts included),
    "dollars"}. Pictures alone, by a table that was measured: content makes it half or twice that.
    """
    with speaking(as_json) as voice:
        from console import jobview, submitting

        path = submitting.checked_file(file)
        name, recipe = _recipe(preset or "mp4-720p")
        if recipe.timelapse is not None:
            raise WrongCall(
                f"{name} makes a film of photographs, which are not estimated.",
                "docs/timelapse.md says what one photograph takes.",
            )
        means = Means(vcpu=vcpu, workers_max=workers, finish_seconds=finish_seconds)
        with _looked_at(path, recipe) as material:
            found = _estimate(material, recipe, means)
        media = material.probe.media(frames=material.scan.frames or None)
        voice.document({"source": media, "preset": name, "vcpu": vcpu, **found})
        voice.say(f"{path.name}: {jobview.media_words(media, path.name)}")
        cut = f"cut into {found['chunks']} parts" if found["chunks"] > 1 else "in one piece"
        why = f" ({found['note']})" if found["note"] else ""
        voice.say(f"{jobview.seconds(found['work_seconds'])} of work for one worker, {cut}{why}.")
        many = f"{found['workers']} worker{'s' if found['workers'] > 1 else ''}"
        voice.say(
            f"About {jobview.seconds(found['seconds'])} with {many} of {vcpu} vCPU: "
            f"{jobview.dollars(found['dollars'])} on Fargate Spot."
        )


def _recipe(preset: str) -> tuple[str, "Recipe"]:
    from console import presets
    from mayfly.contract.presets import all_presets

    if presets.is_file(preset):
        own = presets.from_file(preset)
        return own.name, own.preset.recipe
    if preset not in all_presets():
        raise WrongCall(
            f"There is no preset {preset}.",
            "`mayfly presets` lists them; one of your own is given as its file.",
        )
    return preset, all_presets()[preset].recipe


def _estimate(material: "Material", recipe: "Recipe", means: Means) -> dict[str, Any]:
    from mayfly.core import limits, receipt, sizing
    from worker import cuts

    policy = cuts.Policy(
        threads=means.vcpu, workers=means.workers_max, finish_seconds=means.finish_seconds
    )
    plan = cuts.cut(material, recipe, policy)
    work = cuts.predicted_seconds(material, recipe, material.scan.frames, means.vcpu)
    whole = isinstance(plan, cuts.Whole)
    chunks = 1 if isinstance(plan, cuts.Whole) else plan.chunks
    workers = (
        1
        if whole
        else min(chunks, sizing.divided_among(work, means.finish_seconds, means.workers_max))
    )
    # The last part ends when all others have; until the plan is known one worker is at work.
    rounds = math.ceil(chunks / workers) * work / chunks
    looks = limits.WORKER_START_SECONDS * (1 if whole else 2)
    billed = work + chunks * limits.CHUNK_COST_SECONDS + workers * limits.WORKER_START_SECONDS
    billed = max(billed, workers * receipt.BILLED_SECONDS_MIN)
    return {
        "work_seconds": round(work, 1),
        "chunks": chunks,
        "note": plan.why or None if isinstance(plan, cuts.Whole) else None,
        "workers": workers,
        "seconds": round(looks + rounds + chunks / workers * limits.CHUNK_COST_SECONDS, 1),
        "dollars": round(receipt.dollars(billed, means.vcpu, _GIB_PER_VCPU * means.vcpu), 6),
    }


@contextlib.contextmanager
def _looked_at(path: Path, recipe: "Recipe") -> Iterator["Material"]:
    """The file as a worker would see it. Raises WrongCall for what no worker would encode."""
    from local import tools
    from worker import preflight, sniff
    from worker.ends import WorkFailed
    from worker.halt import Halt
    from worker.opening import SOURCE
    from worker.prober import Prober

    prober, halt = Prober(str(tools.ffprobe_path())), Halt()
    with tempfile.TemporaryDirectory(prefix="mayfly-estimate-") as name:
        folder = Path(name)
        (folder / SOURCE).parent.mkdir(parents=True)
        (folder / SOURCE).symlink_to(path.resolve())
        try:
            preflight.check_bytes(sniff.sniff(folder / SOURCE))
            probe = prober.probe(SOURCE, folder=folder, halt=halt)
            preflight.check_probe(probe, recipe)
            scan = prober.scan(SOURCE, probe, folder=folder, halt=halt)
            yield preflight.check_scan(probe, scan, recipe)
        except WorkFailed as failed:
            raise WrongCall(f"{path.name} would not be encoded: {failed}.") from None
