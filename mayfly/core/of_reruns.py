"""What it means to do an ended job once more: the transitions of reruns and of redriven requests.

A run is a job of its own, named by its content and its number, so no run overwrites what another
has made. The older job points forward to it, written in the transaction that opens it: hence two
askers at once get one new run, a repeated asking the same one, and whoever sends the same request
later joins the newest run and not the one that failed.
"""

import dataclasses

from mayfly.contract.failure import FailureClass, class_of
from mayfly.core import events, limits
from mayfly.core.changes import Below, Delete, Update
from mayfly.core.decision import Decision, outcome_told
from mayfly.core.identity import job_id
from mayfly.core.of_jobs import asked_by, nothing_on_request_accepted
from mayfly.core.rows import ENDS, JobHead, JobSpec, JobState, head_key, spec_key

#: The code of a request that died on its queue.
DEAD_REQUEST = "request_unprocessable"


def why_not(head: JobHead, spec: JobSpec | None) -> str:
    """Why a job cannot be done once more, as the end of a sentence; empty when it can."""
    if head.state not in ENDS:
        return f"it is still {head.state.value}"
    if head.adopted:
        return "its URLs were its user's own and came with its message; send a new task"
    if head.failure is not None and head.failure.code == DEAD_REQUEST:
        return "its request died before any work was known; `mayfly redrive` sends that again"
    if spec is None or spec.source is None:
        return "it was refused before there was any work; send a request that can be taken"
    if head.run >= limits.RUNS_MAX:
        return f"it was run {limits.RUNS_MAX} times"
    return ""


def is_redrivable(head: JobHead) -> bool:
    """Whether a job failed through no fault of its input, and nobody has asked for it since."""
    if head.state is not JobState.FAILED or head.failure is None or head.rerun_at > 0:
        return False
    return class_of(head.failure.code) is not FailureClass.BAD_INPUT


def ended_on_rerun_requested(head: JobHead, event: events.RerunRequested) -> Decision:
    """The next run is opened, and the job points to it."""
    if head.rerun_as:
        return Decision(later=head.rerun_as, ignored="the job was run again before")
    if head.adopted or not head.pool:
        return Decision(ignored="there is no work to be done again")
    opened = nothing_on_request_accepted(None, event.accepted)
    forward = Update(
        key=head_key(head.job_id),
        set={"rerun_as": event.accepted.job_id, "rerun_at": event.at},
        require={"state": head.state.value, "rerun_at": Below(1)},
    )
    return Decision(
        changes=(forward, *opened.changes), commands=opened.commands, later=event.accepted.job_id
    )


def ended_on_request_accepted(head: JobHead, event: events.RequestAccepted) -> Decision:
    """The same request after the end means the latest run, if there is another, and is answered
    with the outcome that there is. A source that was put back is done again."""
    if head.rerun_as:
        return Decision(later=head.rerun_as, ignored="the job was run again")
    if head.state is JobState.SUPERSEDED and event.standing and head.run < limits.RUNS_MAX:
        run = head.run + 1
        ident = job_id(head.tenant, event.source, event.recipe, run)
        again = dataclasses.replace(event, job_id=ident, run=run)
        return ended_on_rerun_requested(head, events.RerunRequested(at=event.at, accepted=again))
    if event.request_id is None:
        reason = "the job has ended, and nobody asked by a name of their own"
        return Decision(changes=asked_by(event), ignored=reason)
    return Decision(changes=asked_by(event), commands=outcome_told(head, head.failure))


def ended_on_request_redriven(head: JobHead, event: events.RequestRedriven) -> Decision:
    """Its request need not be remembered any more; if it dies again it will be."""
    if head.failure is None or head.failure.code != DEAD_REQUEST:
        return Decision(ignored="the job is no dead request")
    asked = Update(key=head_key(head.job_id), set={"rerun_at": event.at})
    return Decision(changes=(asked, Delete(key=spec_key(head.job_id))))
