"""What of a source one attempt covers: its task, or, once the attempt has cut it, the first chunk.

It must never let work be done that nobody was told of: the plan is said before it is acted upon.
"""

import dataclasses

from mayfly.contract import report
from mayfly.contract.plan import Plan, Scope
from mayfly.core import parts
from worker.ends import WorkFailed
from worker.speak import Speaker


@dataclasses.dataclass(slots=True, kw_only=True)
class Extent:
    """Changes at most once."""

    speaker: Speaker
    #: A chunk's interval; None is the whole source, or whatever else the task is.
    scope: Scope | None
    may_plan: bool

    def split(self, plan: Plan) -> None:
        """Says the plan. Raises WorkFailed, and Temporary when nobody hears it."""
        if not self.may_plan:
            raise WorkFailed("plan_refused", "this task is not to be cut")
        if flaw := parts.flaw(plan):
            raise WorkFailed("plan_refused", flaw)
        self.speaker.say(report.Planned, plan=plan)
        self.scope, self.may_plan = plan.scope(0), False
