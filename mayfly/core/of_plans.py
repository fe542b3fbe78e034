"""The transitions by which one task becomes many, and many become one again.

The worker of `encode` answers with a plan. The first plan wins: in one transaction the task becomes
the first chunk, and the head counts every task that the plan makes. Their rows are made afterwards,
as many at a time as a transaction takes, each batch guarded by the head's cursor `opened`; so a
crash leaves a number that is too low and nothing else. When the last part is done, one more task
joins them. Which function applies when stands in `machine.py`.
"""

import msgspec

from mayfly.contract.plan import Plan
from mayfly.core import commands, events, limits, parts
from mayfly.core.attempts import first_word, seen
from mayfly.core.changes import Create, Update
from mayfly.core.commands import Command
from mayfly.core.decision import (
    Decision,
    fades_at,
    head_moved,
    head_running,
    head_update,
    new_task,
    task_created,
    task_update,
)
from mayfly.core.rows import (
    JobHead,
    JobState,
    PlanRow,
    TaskRow,
    TaskState,
    plan_key,
    spec_key,
    to_item,
)


def working_on_task_planned(head: JobHead, task: TaskRow, event: events.TaskPlanned) -> Decision:
    """The task becomes the first chunk of many. Also when it was taken back from this attempt: a
    plan is knowledge, and no worker need look for it again."""
    if head.adopted or task.task_id != parts.FIRST_TASK:
        return Decision(ignored="only the first task of a job of ours is cut")
    if task.kind != "encode":
        return Decision(commands=_get_going(head), ignored="it was planned before")
    plan = event.plan
    first = parts.part(plan, 0)
    at_work = task.state is not TaskState.OPEN and event.attempt not in task.ended_attempts
    row = PlanRow(plan=msgspec.json.encode(plan).decode())
    first_heard = first_word(task, event)
    cut = head_running(head, event, open_tasks=parts.count(plan) - 1, **first_heard.head)
    return Decision(
        changes=(
            task_update(
                task,
                event,
                TaskState.RUNNING if at_work else task.state,
                kind=first.kind,
                number=first.number,
                scope=first.scope,
                fraction=0.0,
                **(seen(task, event) if at_work else {}),
                # The look at the whole source came before the chunk.
                **{**first_heard.task, "began_at": event.at},
            ),
            msgspec.structs.replace(cut, set={**cut.set, **_sizes(plan)}),
            Create(key=plan_key(head.job_id), item={**to_item(row), "expires_at": fades_at(head)}),
            Update(key=spec_key(head.job_id), set={"clock": to_item(plan.clock)}),
            *first_heard.changes,
        ),
        commands=(commands.OpenTasks(job_id=head.job_id), *first_heard.commands),
    )


def done_on_task_planned(head: JobHead, task: TaskRow, event: events.TaskPlanned) -> Decision:
    """Too late for a plan, or told twice: then its tasks may be still to be opened."""
    stop = commands.StopWorkers(job_id=head.job_id, task_id=task.task_id, reason="done")
    return Decision(commands=(stop, *unopened(head)), ignored="the task is done")


def working_on_tokens_drawn(head: JobHead, event: events.TokensDrawn) -> Decision:
    """The next tasks of the plan get their rows. Workers are called for the first of them, before
    the others are opened."""
    end = min(head.parts, head.opened + min(len(event.tokens), limits.ROWS_PER_TRANSACTION))
    if end <= head.opened:
        return Decision(ignored="every task of the plan is opened")
    indices = range(head.opened, end)
    tasks = [
        _new_part(head, event, parts.part(event.plan, index), token)
        for index, token in zip(indices, event.tokens, strict=False)
    ]
    cursor = head_update(head, event)
    cursor = msgspec.structs.replace(
        cursor,
        set={**cursor.set, "opened": end},
        require={**cursor.require, "opened": head.opened},
    )
    opened = frozenset((task.job_id, task.task_id) for task in tasks)
    first = (
        commands.ReleaseTasks(pool=head.pool, opened=opened),
        commands.SeeToPool(pool=head.pool),
    )
    more = (commands.OpenTasks(job_id=head.job_id),) if end < head.parts else ()
    return Decision(
        changes=(cursor, *(task_created(head, task) for task in tasks)),
        commands=(*first, *more) if head.opened == 1 else more,
    )


def joined(head: JobHead, event: events.TasksCounted) -> Decision:
    """Every part is done: one more task joins them."""
    joins = parts.Part(task_id=parts.FINISH_TASK, kind="finish", number=0)
    task = _new_part(head, event, joins, event.token)
    return Decision(
        changes=(
            head_moved(head, event, JobState.FINISHING, {"open_tasks": 0}, open_tasks=1),
            task_created(head, task),
        ),
        commands=(
            commands.ReleaseTasks(pool=head.pool, opened=frozenset({(head.job_id, task.task_id)})),
            commands.SeeToPool(pool=head.pool),
        ),
    )


def _sizes(plan: Plan) -> dict[str, object]:
    """What the head knows of a plan."""
    predicted = {"plan_ms": round(plan.predicted_seconds * 1e3)} if plan.predicted_seconds else {}
    return {"parts": parts.count(plan), "opened": 1, **predicted}


def _new_part(head: JobHead, event: events.Event, part: parts.Part, token: str) -> TaskRow:
    task = new_task(head, event, TaskState.OPEN, part.task_id, token)
    return msgspec.structs.replace(task, kind=part.kind, number=part.number, scope=part.scope)


def unopened(head: JobHead) -> tuple[Command, ...]:
    """What is to be done about tasks of the plan that have no rows yet."""
    return (commands.OpenTasks(job_id=head.job_id),) if head.opened < head.parts else ()


def _get_going(head: JobHead) -> tuple[Command, ...]:
    return (*unopened(head), commands.ReleaseTasks(pool=head.pool))
