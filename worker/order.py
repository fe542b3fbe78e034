"""What the loop asks of the work, and what it hears back: one attempt at one task."""

import dataclasses
from typing import Protocol

from mayfly.contract import plan as plans
from mayfly.contract.report import Artifact, Media, Proof
from mayfly.contract.task import Task
from worker.extent import Extent
from worker.grants import HeldGrants
from worker.halt import Halt
from worker.heartbeat import Progress


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
    #: Wall seconds that its pictures were predicted to take; 0: there are none.
    predicted_seconds: float = 0.0
    #: How the work was divided and proven, or why it was not divided.
    note: str = ""
    proof: Proof | None = None


class Work(Protocol):
    """What the loop has done for it."""

    def do(self, order: Order) -> Done:
        """All that the order covers: its task, or, once it has split that, the first chunk.
        Raises WorkFailed, Halted."""
