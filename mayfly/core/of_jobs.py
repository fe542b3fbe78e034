"""The transitions of jobs, one function each; which applies when stands in `machine.py`.

Each takes the head as it was read and an event, and answers with a decision. None of them reads a
clock or makes an id.
"""

from typing import Any

import msgspec

from mayfly.contract.failure import failure
from mayfly.core import brake, commands, events, of_plans
from mayfly.core.changes import Change, Create, Put, Update
from mayfly.core.decision import (
    UNFINISHED,
    Decision,
    after_end,
    fades_at,
    head_moved,
    job_ends,
    new_task,
    outcome_told,
    pool_count,
    task_created,
    told,
)
from mayfly.core.limits import RECORD_SECONDS
from mayfly.core.parts import FIRST_TASK
from mayfly.core.rows import (
    ENDED_JOBS,
    OPEN_JOBS,
    JobHead,
    JobSpec,
    JobState,
    TaskRow,
    TaskState,
    head_key,
    job_order,
    request_key,
    spec_key,
    to_item,
    upload_key,
)


def nothing_on_request_accepted(_: None, event: events.RequestAccepted) -> Decision:
    """A new job with its first task, counted in its pool."""
    head = JobHead(
        job_id=event.job_id,
        state=JobState.QUEUED,
        tenant=event.tenant,
        pool=event.pool,
        preset=event.preset,
        source=event.source.address,
        run=event.run,
        priority=event.priority,
        accepted_at=event.at,
        deadline_at=event.at + event.deadline_seconds if event.deadline_seconds else None,
        updated_at=event.at,
        open_tasks=1,
        story=(told(event, None, JobState.QUEUED),),
    )
    task = new_task(head, event, TaskState.OPEN, FIRST_TASK, event.token)
    task = msgspec.structs.replace(task, guessed_seconds=event.guessed_seconds)
    recipe = msgspec.json.encode(event.recipe).decode()
    spec = JobSpec(recipe=recipe, source=event.source, uploaded=event.upload is not None)
    return Decision(
        changes=(*_opened(head, event, task, spec), *asked_by(event)),
        commands=_get_going(head),
    )


def working_on_request_accepted(head: JobHead, event: events.RequestAccepted) -> Decision:
    """The same request again joins the job; what a crash left undone is asked for again."""
    asked: tuple[Change, ...] = asked_by(event)
    if event.upload is not None:
        asked += (Update(key=spec_key(head.job_id), set={"uploaded": True}),)
    # A name that came after the outcome was told would wait for its answer for ever.
    goes_on = Update(key=head_key(head.job_id), require={"state": UNFINISHED})
    return Decision(changes=(*asked, goes_on) if asked else (), commands=_get_going(head))


def ended_on_request_refused(head: JobHead, event: events.RequestRefused) -> Decision:
    """Refused again, or dead again after it was sent again: answered with the outcome there is."""
    changes = asked_by(event)
    if event.request and head.failure is not None and head.failure.code == event.failure.code:
        died = Update(key=head_key(head.job_id), set={"rerun_at": 0.0})
        changes += (died, Put(key=spec_key(head.job_id), item=_remembered(event)))
    if event.request_id is None:
        reason = "the job has ended, and nobody asked by a name of their own"
        return Decision(changes=changes, ignored=reason)
    return Decision(changes=changes, commands=outcome_told(head, head.failure))


def nothing_on_request_refused(_: None, event: events.RequestRefused) -> Decision:
    """A refused request is a job that has failed: it too has an outcome."""
    head = JobHead(
        job_id=event.job_id,
        state=JobState.FAILED,
        tenant=event.tenant,
        pool="",
        preset=event.preset,
        source=event.source,
        run=1,
        priority=0,
        accepted_at=event.at,
        updated_at=event.at,
        ended_at=event.at,
        open_tasks=0,
        failure=event.failure,
        story=(told(event, None, JobState.FAILED),),
    )
    placed = {
        "gpk": OPEN_JOBS,
        "gsk": job_order(event.at, head.job_id),
        "expires_at": int(event.at) + RECORD_SECONDS,
    }
    kept = (Put(key=spec_key(head.job_id), item=_remembered(event)),) if event.request else ()
    return Decision(
        changes=(
            Create(key=head_key(head.job_id), item={**to_item(head), **placed}),
            *asked_by(event),
            *kept,
        ),
        commands=(commands.AnnounceOutcome(job_id=head.job_id),),
    )


def nothing_on_task_adopted(_: None, event: events.TaskAdopted) -> Decision:
    """A job for a task that a user put onto the queue; its worker has begun already."""
    head = JobHead(
        job_id=event.job_id,
        state=JobState.RUNNING,
        tenant="default",
        pool=event.pool,
        preset="custom",
        source=event.source,
        run=1,
        priority=0,
        accepted_at=event.at,
        updated_at=event.at,
        open_tasks=1,
        attempts=1,
        adopted=True,
        story=(told(event, None, JobState.RUNNING),),
    )
    task = msgspec.structs.replace(
        new_task(head, event, TaskState.RUNNING, event.task_id, event.token),
        attempt=event.attempt,
        heard_attempts=(event.attempt,),
        attempts=1,
        worker=event.worker,
        services=(event.service,) if event.service else (),
        reported_at=event.at,
    )
    spec = JobSpec(recipe=msgspec.json.encode(event.recipe).decode())
    return Decision(
        changes=(
            *_opened(head, event, task, spec),
            *brake.begun(event.service, event.worker, event.at),
        ),
        commands=(commands.SeeToPool(pool=head.pool),),
    )


def working_on_tasks_counted(head: JobHead, event: events.TasksCounted) -> Decision:
    """When every task is done the outputs are published; those of an adopted task are already,
    and those of a planned job are joined first."""
    if head.open_tasks > 0:
        return Decision(ignored=f"{head.open_tasks} tasks are open")
    if head.adopted:
        return Decision(changes=job_ends(head, event, JobState.SUCCEEDED), commands=after_end(head))
    if head.parts > 1 and head.state is not JobState.FINISHING:
        return of_plans.joined(head, event)
    return Decision(
        changes=(
            head_moved(head, event, JobState.PUBLISHING, {"open_tasks": 0}),
            *pool_count(head, event, -1),
        ),
        commands=(
            commands.SeeToPool(pool=head.pool),
            commands.PublishOutputs(job_id=head.job_id),
        ),
    )


def publishing_on_outputs_published(head: JobHead, event: events.OutputsPublished) -> Decision:
    """The deliverables are there: success."""
    return Decision(changes=job_ends(head, event, JobState.SUCCEEDED), commands=after_end(head))


def publishing_on_publish_failed(head: JobHead, event: events.PublishFailed) -> Decision:
    """The deliverables will never be there."""
    return Decision(
        changes=job_ends(head, event, JobState.FAILED, event.failure), commands=after_end(head)
    )


def working_on_cancel_requested(head: JobHead, event: events.CancelRequested) -> Decision:
    """The job ends and its workers read so in their control objects."""
    return Decision(
        changes=job_ends(head, event, JobState.CANCELLED, failure("cancelled")),
        commands=_stopped(head, "cancelled"),
    )


def working_on_pool_broke(head: JobHead, event: events.PoolBroke) -> Decision:
    """No worker of its pool will begin it: the job ends instead of waiting for ever."""
    return Decision(
        changes=job_ends(head, event, JobState.FAILED, failure("pool_broken", event.detail)),
        commands=_stopped(head, "pool_broken"),
    )


def working_on_tick_passed(head: JobHead, event: events.TickPassed) -> Decision:
    """Everything that a crash may have left undone, once more."""
    return Decision(
        commands=(
            *of_plans.unopened(head),
            commands.ReleaseTasks(pool=head.pool),
            commands.SeeToPool(pool=head.pool, settled=True),
            commands.CountTasks(job_id=head.job_id),
        )
    )


def publishing_on_tick_passed(head: JobHead, event: events.TickPassed) -> Decision:
    """Publishing may have been cut off."""
    return Decision(commands=(commands.PublishOutputs(job_id=head.job_id),))


def ended_on_tick_passed(head: JobHead, event: events.TickPassed) -> Decision:
    """The outcome may not have been sent."""
    if head.announced:
        return Decision(ignored="the outcome was announced")
    return Decision(commands=outcome_told(head, head.failure))


def ended_on_outcome_announced(head: JobHead, event: events.OutcomeAnnounced) -> Decision:
    """Nobody need send it again; only now the tick forgets the job."""
    ended = {
        "announced": True,
        "gpk": ENDED_JOBS,
        "gsk": job_order(head.ended_at or event.at, head.job_id),
    }
    return Decision(changes=(Update(key=head_key(head.job_id), set=ended),))


def _opened(head: JobHead, event: events.Event, task: TaskRow, spec: JobSpec) -> tuple[Change, ...]:
    fading = {"expires_at": fades_at(head)}
    placed_head = {"gpk": OPEN_JOBS, "gsk": job_order(head.accepted_at, head.job_id)}
    return (
        Create(key=head_key(head.job_id), item={**to_item(head), **placed_head}),
        Create(key=spec_key(head.job_id), item={**to_item(spec), **fading}),
        task_created(head, task),
        *pool_count(head, event, +1),
    )


def _remembered(event: events.RequestRefused) -> dict[str, Any]:
    spec = JobSpec(request=event.request)
    return {**to_item(spec), "expires_at": int(event.at) + RECORD_SECONDS}


def asked_by(event: events.RequestAccepted | events.RequestRefused) -> tuple[Change, ...]:
    """Who asked: by a name of their own, or by an upload."""
    asked: list[Change] = []
    fading = {"at": event.at, "expires_at": int(event.at) + RECORD_SECONDS}
    if event.request_id is not None:
        item = {"request_id": event.request_id, **fading}
        asked.append(Put(key=request_key(event.job_id, event.request_id), item=item))
    if event.upload is not None:
        asked.append(Put(key=upload_key(event.upload), item={"job_id": event.job_id, **fading}))
    return tuple(asked)


def _stopped(head: JobHead, reason: str) -> tuple[commands.Command, ...]:
    """Somebody ends a job while its workers are at it."""
    return (
        commands.StopWorkers(job_id=head.job_id, reason=reason),
        commands.ReleaseTasks(pool=head.pool),
        commands.SeeToPool(pool=head.pool),
    )


def _get_going(head: JobHead) -> tuple[commands.Command, ...]:
    return (
        commands.ReleaseTasks(pool=head.pool, opened=frozenset({(head.job_id, FIRST_TASK)})),
        commands.SeeToPool(pool=head.pool),
    )
