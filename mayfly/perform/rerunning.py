"""Does ended jobs once more: one by its name (`rerun`), or all that failed through no fault of
their input (`redrive`).

Called by people through the console, with their own powers: it opens jobs and sends requests again;
what follows (signing, releasing, workers) is left to the Lambdas' next tick.
"""

import dataclasses
from collections.abc import Iterator

import msgspec

from mayfly.contract.recipe import Recipe
from mayfly.core import events, of_reruns
from mayfly.core.identity import SourceObject, job_id, upload_id
from mayfly.core.rows import (
    ENDED_JOBS,
    OPEN_JOBS,
    JobHead,
    JobSpec,
    from_item,
    head_key,
    job_order,
    spec_key,
)
from mayfly.perform import engine, intake, photographs
from mayfly.perform.ports import Queue
from mayfly.perform.world import World

#: Jobs read at once while looking for failed ones.
_PAGE_JOBS = 200


_FORGOTTEN = "its message is not remembered, since it was sent again before or was no request"


class NotAgain(Exception):
    """A job that cannot be done once more, and why."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    """A job's next run."""

    job_id: str
    #: It had been asked for before.
    joined: bool


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which failed jobs. Every part narrows it."""

    code: str | None = None
    pool: str | None = None
    #: Ended at this time or later.
    since: float = 0.0


def rerun(world: World, ident: str, pool: str | None = None) -> Again:
    """The next run of an ended job, in its own pool or in another. Asked twice, it is one run.

    Raises NotAgain, Temporary.
    """
    head, spec = _read(world, ident)
    if head.rerun_as:
        return Again(job_id=head.rerun_as, joined=True)
    if reason := _why_not(world, head, spec, pool or head.pool):
        raise NotAgain(f"Job {ident} cannot be run again: {reason}.")
    asked = events.RerunRequested(
        at=world.clock.now(), accepted=_accepted(world, head, spec, pool or head.pool)
    )
    decision = engine.apply(world, asked, ident)
    if not decision.later:
        raise NotAgain(f"Job {ident} cannot be run again: {decision.ignored}.")
    return Again(job_id=decision.later, joined=decision.later != asked.accepted.job_id)


def failed(world: World, wanted: Wanted) -> Iterator[JobHead]:
    """Jobs that failed through no fault of their input before now, oldest first; a page is read
    when the one before is used up. Raises Temporary."""
    now = world.clock.now()
    # A job whose outcome is still to be told stands among the open ones.
    for partition, since in ((OPEN_JOBS, 0.0), (ENDED_JOBS, wanted.since)):
        for head in _listed(world, partition, since, now):
            if of_reruns.is_redrivable(head) and _is(head, wanted) and _ended(head) <= now:
                yield head


def why_not(world: World, head: JobHead) -> str:
    """Why a job that failed would not be redriven now, as the end of a sentence; empty when it
    would. Raises Temporary."""
    head, spec = _read(world, head.job_id)
    if head.failure is not None and head.failure.code == of_reruns.DEAD_REQUEST:
        return "" if spec.request else _FORGOTTEN
    return "" if head.rerun_as else _why_not(world, head, spec, head.pool)


def redrive(world: World, head: JobHead, requests: Queue) -> str:
    """The job's next run, or `request` when its dead request was sent again.

    Raises NotAgain, Temporary.
    """
    if head.failure is None or head.failure.code != of_reruns.DEAD_REQUEST:
        return rerun(world, head.job_id).job_id
    head, spec = _read(world, head.job_id)
    if not spec.request:
        raise NotAgain(f"The request of job {head.job_id} cannot be sent again: {_FORGOTTEN}.")
    # Sent first: twice sent is one job, and forgotten would be none.
    requests.send(spec.request.encode())
    engine.apply(world, events.RequestRedriven(at=world.clock.now()), head.job_id)
    return "request"


def _listed(world: World, partition: str, since: float, until: float) -> Iterator[JobHead]:
    after, last = job_order(since, ""), job_order(until, "~")
    while after <= last:
        page = world.table.index(partition, limit=_PAGE_JOBS, after=after)
        yield from (from_item(JobHead, item) for item in page)
        if len(page) < _PAGE_JOBS:
            return
        after = str(page[-1]["gsk"])


def _is(head: JobHead, wanted: Wanted) -> bool:
    assert head.failure is not None
    return (
        wanted.code in (None, head.failure.code)
        and wanted.pool in (None, head.pool)
        and _ended(head) >= wanted.since
    )


def _ended(head: JobHead) -> float:
    return head.ended_at or head.updated_at


def _read(world: World, ident: str) -> tuple[JobHead, JobSpec]:
    head, spec = world.table.get(head_key(ident), spec_key(ident))
    if head is None:
        raise NotAgain(f"There is no job {ident}.")
    return from_item(JobHead, head), from_item(JobSpec, spec or {})


def _why_not(world: World, head: JobHead, spec: JobSpec, pool: str) -> str:
    if reason := of_reruns.why_not(head, spec):
        return reason
    assert spec.source is not None
    return _why_not_here(world, spec.source, pool)


def _why_not_here(world: World, source: SourceObject, pool: str) -> str:
    """What stands against it in this stack, as it is now."""
    pools = [settings.name for settings in world.settings.pools]
    if pool not in pools:
        return f"the stack has no pool {pool}; name one of: {', '.join(pools)}"
    if source.is_set:
        kept = photographs.is_kept(world, source)
        return "" if kept else "its list of photographs is not kept any more; ask for them again"
    if source.version_id:
        return ""
    seen = world.store.head(source.bucket, source.key)
    if seen is None:
        return "its source is not in the bucket any more"
    if seen.etag != source.etag:
        return "its source was replaced; the newer upload has a job of its own"
    return ""


def _accepted(world: World, head: JobHead, spec: JobSpec, pool: str) -> events.RequestAccepted:
    assert spec.source is not None
    recipe = msgspec.json.decode(spec.recipe, type=Recipe)
    due = None if head.deadline_at is None else int(head.deadline_at - head.accepted_at)
    run = head.run
    while True:
        run += 1
        ident = job_id(head.tenant, spec.source, recipe, run)
        if world.table.get(head_key(ident)) == [None]:
            break  # a run of this number can be left over from records that have faded
    return events.RequestAccepted(
        at=world.clock.now(),
        job_id=ident,
        tenant=head.tenant,
        pool=pool,
        preset=head.preset,
        recipe=recipe,
        source=spec.source,
        run=run,
        priority=head.priority,
        deadline_seconds=due,
        token=world.dice.token(),
        upload=upload_id(spec.source) if spec.uploaded else None,
        guessed_seconds=intake.guessed_seconds(world, recipe, spec.source.size_bytes, pool),
    )
