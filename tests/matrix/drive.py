"""Runs the worker's own code on a source: whole, or cut, each part a task of its own, and joined.

A real loop takes real tasks and fetches and stores through a storage on loopback; only queues and
time are in memory. What stands here and not in the worker: who hands out the tasks.
"""

import dataclasses
from pathlib import Path
from typing import Any

import msgspec

from mayfly.contract import report, wire
from mayfly.contract.plan import Plan
from mayfly.contract.recipe import Recipe
from mayfly.contract.settings import WorkerSettings
from mayfly.contract.task import Fetch, Input, Inputs
from mayfly.core import parts
from tests.worker import climbing
from tests.worker.conftest import Rig
from tests.worker.store import Store


class Refused(Exception):
    """A task failed: its code and detail."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """Outputs by name; the plan, if the source was cut."""

    files: dict[str, bytes]
    plan: Plan | None = None
    #: Why it was not cut.
    whole: str = ""
    #: What was proven of it.
    proof: report.Proof | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Driver:
    """One worker and its storage."""

    store: Store
    settings: WorkerSettings

    def encode(self, source: Path, recipe: Recipe, chunk_seconds: int) -> Delivered:
        """Cut where the worker wants to, when a chunk's length is given. Raises Refused."""
        self.store.objects.clear()
        self.store.seen.clear()
        rig = Rig(self.store, msgspec.structs.replace(self.settings, chunk_seconds=chunk_seconds))
        content = source.read_bytes()
        said = self._do(rig, content, recipe)
        plan = next((one.plan for one in said if isinstance(one, report.Planned)), None)
        done = _encoded(said)
        if plan is None:
            why = done["encode"].note.removeprefix("Encoded whole: ").rstrip(".")
            encoded = done["encode"]
            return Delivered(files=self._read(encoded.outputs), whole=why, proof=encoded.proof)
        for index in range(1, parts.count(plan)):
            part = parts.part(plan, index)
            done |= _encoded(self._do(rig, content, recipe, **_told(part, plan)))
        joined = _encoded(self._do(rig, content, recipe, **self._finish(plan, done)))["finish"]
        if not joined.note.endswith("every seam fits."):
            raise Refused(joined.note)  # the finish made good what the chunks got wrong
        return Delivered(files=self._read(joined.outputs), plan=plan)

    def _do(self, rig: Rig, content: bytes, recipe: Recipe, **more: Any) -> list[report.Report]:
        task_id = more.get("task_id", "encode")
        more["upload"] = self.store.form(f"work/job-1/{task_id}/")
        rig.put(rig.task(content, recipe=msgspec.to_builtins(recipe), **more))
        return rig.run_once()

    def _read(self, outputs: tuple[report.Artifact, ...]) -> dict[str, bytes]:
        """By clean names, all files of a ladder among them."""
        found = {stored.file: self.store.objects[stored.key] for stored in outputs}
        return found | climbing.files(found, self.store.objects)

    def _finish(self, plan: Plan, done: dict[str, report.Encoded]) -> dict[str, Any]:
        """A finish as the completion handler orders it: chunks by number, then sound."""
        listed = sorted(
            (parts.part(plan, index) for index in range(parts.count(plan))),
            key=lambda part: (part.kind != "chunk", part.number),
        )
        inputs = [
            Input(
                kind=part.kind,
                number=part.number,
                file=stored.file,
                fetch=Fetch(url=self.store.url(stored.key)),
                size_bytes=stored.size_bytes,
                sha256=stored.sha256,
                key=stored.key,
                scope=done[part.task_id].scope,
            )
            for part in listed
            for stored in done[part.task_id].outputs
        ]
        self.store.objects["inputs.json"] = wire.encode(Inputs(parts=tuple(inputs)))
        return {
            "kind": "finish",
            "task_id": "finish",
            "plan_clock": msgspec.to_builtins(plan.clock),
            "inputs": {"url": self.store.url("inputs.json")},
        }


def _told(part: parts.Part, plan: Plan) -> dict[str, Any]:
    told = {
        "kind": part.kind,
        "task_id": part.task_id,
        "plan_clock": msgspec.to_builtins(plan.clock),
    }
    if part.scope is not None:
        return {**told, "scope": msgspec.to_builtins(part.scope)}
    return {**told, "track": part.number}


def _encoded(said: list[report.Report]) -> dict[str, report.Encoded]:
    for one in said:
        if isinstance(one, report.Failed):
            raise Refused(f"{one.task_id}: {one.code}: {one.detail}")
    return {one.task_id: one for one in said if isinstance(one, report.Encoded)}
