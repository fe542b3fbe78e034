"""A source that is cut, its parts done one by one by real workers, with tasks as the dispatcher
would write them. What lies in between can be falsified.
"""

import hashlib
from collections.abc import Iterable
from typing import Any

import msgspec
import pytest

from mayfly.contract import report, wire
from mayfly.contract.plan import Plan
from mayfly.contract.recipe import Recipe
from mayfly.contract.task import Fetch, Input, Inputs
from mayfly.core import parts
from tests.worker.conftest import Rig
from worker import finish
from worker.encode import Encoding
from worker.ends import WorkFailed


def unmended(patch: pytest.MonkeyPatch) -> None:
    """What a finish doubts it does not make good: its doubt is its last word."""

    def gives_up(_: object, doubt: WorkFailed) -> None:
        raise doubt

    patch.setattr(finish, "made_good", gives_up)


class Film:
    """One job of a source that is long for these workers."""

    def __init__(self, rig: Rig, source: bytes, *outputs: Any, chunk_seconds: int = 1) -> None:
        settings = msgspec.structs.replace(rig.settings, chunk_seconds=chunk_seconds)
        rig.settings, rig.work = settings, Encoding(settings=settings)
        self.rig, self.source = rig, source
        self.recipe = Recipe(outputs=outputs)
        #: What attempts brought, by task.
        self.brought: dict[str, report.Encoded] = {}
        self.plan: Plan

    def begin(self) -> list[report.Report]:
        """The first worker looks at the source; what it said."""
        said = self.say(self.message(parts.Part(task_id="encode", kind="encode", number=0)))
        for one in said:
            if isinstance(one, report.Planned):
                self.plan = one.plan
            if isinstance(one, report.Encoded):
                self.brought["encode"] = one
        return said

    def work(self) -> "Film":
        """All parts, each by a worker of its own; the finish is left."""
        self.begin()
        for index in range(1, parts.count(self.plan)):
            self.do(self.part(index))
        return self

    def part(self, index: int) -> parts.Part:
        """As the plan has it: the first chunk, the sound, the other chunks."""
        return parts.part(self.plan, index)

    def do(self, part: parts.Part, **changed: Any) -> report.Report:
        """One part, by its task; its last word."""
        last = self.say(self.message(part, **changed))[-1]
        if isinstance(last, report.Encoded):
            self.brought[part.task_id] = last
        return last

    def message(self, part: parts.Part, **changed: Any) -> dict[str, Any]:
        """The task of a part."""
        shared: dict[str, Any] = {
            "kind": part.kind,
            "task_id": part.task_id,
            "recipe": msgspec.to_builtins(self.recipe),
            "upload": self.rig.bucket.form(f"work/job-1/{part.task_id}/"),
        }
        if part.kind != "encode":
            shared["plan_clock"] = msgspec.to_builtins(self.plan.clock)
            shared["scope"] = msgspec.to_builtins(part.scope)
            shared["track"] = part.number if part.kind == "audio" else None
        return self.rig.task(self.source, **{**shared, **changed})

    def say(self, task: dict[str, Any]) -> list[report.Report]:
        """What a worker says of a task."""
        self.rig.put(task)
        return self.rig.run_once()

    def inputs(self) -> list[Input]:
        """What is to be joined, in order."""
        known = [self.part(index) for index in range(parts.count(self.plan))]
        known.sort(key=lambda part: (("chunk", "audio").index(part.kind), part.number))
        return [
            Input(
                kind=part.kind,
                number=part.number,
                file=artifact.file,
                fetch=Fetch(url=self.rig.bucket.url(artifact.key)),
                size_bytes=artifact.size_bytes,
                sha256=artifact.sha256,
                key=artifact.key,
                scope=part.scope,
                samples=artifact.media.samples,
                sounds=artifact.media.sounds,
                tags=artifact.media.tags or {},
            )
            for part in known
            for artifact in self.brought[part.task_id].outputs
        ]

    def finish(self, inputs: Iterable[Input] | None = None) -> report.Report:
        """Has them joined; the last word of that."""
        listed = Inputs(parts=tuple(self.inputs() if inputs is None else inputs))
        return self.finish_with(wire.encode(listed))

    def finish_with(self, listed: bytes) -> report.Report:
        """The same, with a list as it is stored."""
        self.rig.bucket.objects["work/job-1/inputs.json"] = listed
        fetch = Fetch(url=self.rig.bucket.url("work/job-1/inputs.json"))
        part = parts.Part(task_id="finish", kind="finish", number=0)
        return self.do(part, inputs=msgspec.to_builtins(fetch))

    def falsified(self, part: Input, content: bytes) -> Input:
        """A part with other content, as if its attempt had stored that."""
        key = f"work/job-1/falsified-{hashlib.sha256(content).hexdigest()}"
        self.rig.bucket.objects[key] = content
        return msgspec.structs.replace(
            part,
            fetch=Fetch(url=self.rig.bucket.url(key)),
            size_bytes=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
        )

    def stored(self, task_id: str) -> dict[str, bytes]:
        """What a task's attempt has stored, by file."""
        outputs = self.brought[task_id].outputs
        return {artifact.file: self.rig.bucket.objects[artifact.key] for artifact in outputs}
