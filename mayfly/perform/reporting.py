"""Takes what workers say: a report becomes an event, if its token is right.

A worker is not believed without its task's token, whatever it says; and what it says it stored is
believed only within its own prefix.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from mayfly.contract import report as r
from mayfly.contract.failure import Failure, FailureClass, class_of, failure
from mayfly.core import events, limits, naming, parts
from mayfly.core.commands import Command
from mayfly.perform import engine
from mayfly.perform.world import World


def take_report(world: World, report: r.Report) -> Sequence[Command]:
    """Advances the job. Raises UnknownJob, WrongToken, Temporary."""
    at = world.clock.now()
    if isinstance(report, r.Adopted):
        return engine.apply(world, _adopted(report, at), report.job_id).commands
    event = event_of(report, at)
    if isinstance(event, events.TaskInterrupted) and event.reason == "spot_interruption":
        world.tally.add("SpotInterruptions")
    decision = engine.apply(world, event, report.job_id, report.task_id, token=report.token)
    return decision.commands


def event_of(report: r.Report, at: float) -> events.TaskEvent:
    """The event that a report stands for. Times of workers' clocks are not used."""
    said: dict[str, Any] = {
        "at": at,
        "attempt": report.attempt,
        "worker": report.worker,
        "service": report.service,
    }
    match report:
        case r.Started():
            return events.TaskStarted(**said)
        case r.Progressed():
            return events.TaskProgressed(
                **said, fraction=report.fraction, stage=report.stage, speed=report.speed
            )
        case r.Planned():
            if flaw := parts.flaw(report.plan):
                return _failed("plan_refused", flaw, 0.0, said)
            return events.TaskPlanned(**said, plan=report.plan)
        case r.Encoded():
            return _encoded(report, said)
        case r.Interrupted():
            return events.TaskInterrupted(
                **said, reason=report.reason, busy_seconds=report.busy_seconds
            )
        case r.Failed():
            return _failed(report.code, report.detail, report.busy_seconds, said)
        case r.RenewalWanted():
            return events.RenewalWanted(**said)
        case r.Adopted():
            raise TypeError("An adoption opens a job; it is no event of a task.")


def _encoded(report: r.Encoded, said: dict[str, Any]) -> events.TaskEvent:
    prefix = f"{naming.work_prefix(report.job_id, report.task_id)}{report.attempt}/"
    strays = [a.file for a in report.outputs if a.key and not a.key.startswith(prefix)]
    if strays:
        detail = f"{strays[0]} lies outside of its attempt"
        return _failed("output_broken", detail, report.busy_seconds, said)
    return events.TaskEncoded(
        **said,
        artifacts=report.outputs,
        busy_seconds=report.busy_seconds,
        scope=report.scope,
        note=report.note[: limits.DETAIL_CHARACTERS_MAX],
        predicted_seconds=report.predicted_seconds,
        proof=_bounded(report.proof),
    )


def _bounded(proof: r.Proof | None) -> r.Proof | None:
    """Rows hold it, and a worker may say anything."""
    return proof and msgspec.structs.replace(
        proof,
        made_anew=proof.made_anew[: limits.MADE_ANEW_MAX],
        whole_because=proof.whole_because[: limits.DETAIL_CHARACTERS_MAX],
    )


def _failed(code: str, detail: str, busy_seconds: float, said: dict[str, Any]) -> events.TaskEvent:
    bounded = detail[: limits.DETAIL_CHARACTERS_MAX]
    known = class_of(code)
    if known is FailureClass.INTERRUPTION:
        return events.TaskInterrupted(**said, reason=code, busy_seconds=busy_seconds)
    kind = events.TaskRefused if known is FailureClass.BAD_INPUT else events.TaskFailed
    return kind(**said, failure=_failure(code, bounded), busy_seconds=busy_seconds)


def _failure(code: str, detail: str) -> Failure:
    try:
        return failure(code, detail)
    except KeyError:  # a newer worker's code
        return failure("worker_failed", f"{code}: {detail}")


def _adopted(report: r.Adopted, at: float) -> events.TaskAdopted:
    return events.TaskAdopted(
        at=at,
        job_id=report.job_id,
        task_id=report.task_id,
        token=report.token,
        pool=report.pool,
        recipe=report.recipe,
        source=report.source,
        attempt=report.attempt,
        worker=report.worker,
        service=report.service,
    )
