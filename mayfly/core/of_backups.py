"""The transitions of a task that has two messages out: it lagged, and was sent once more.

Whoever brings proven outputs first is taken, as always; what is different is how the other ends.
While `lagging` names an attempt, two messages stand for one task, so when one of them is gone the
task has another and must not be released a third time; with the last one it goes back as any
other does. The second message has the outbox mark of the first (`released_at`, `enqueued`): a task
that runs needs none of its own. Which function applies when stands in `machine.py`.
"""

from mayfly.core import events, straggler
from mayfly.core.decision import Decision, task_update
from mayfly.core.rows import JobHead, TaskRow, TaskState


def running_on_task_lagged(head: JobHead, task: TaskRow, event: events.TaskLagged) -> Decision:
    """A second message is this Lambda's to send; a crash before that is healed by `enqueued` being
    false."""
    if task.attempt != event.attempt:
        return Decision(ignored="another attempt was heard of meanwhile")
    if not straggler.lags(head, task, event.at, event.start_seconds):
        return Decision(ignored="it got on, or its backup is out")
    lagged = task_update(
        task,
        event,
        TaskState.RUNNING,
        lagging=task.attempt,
        backups=task.backups + 1,
        released_at=event.at,
        enqueued=False,
    )
    return Decision(changes=(lagged,))


def running_on_task_enqueued(head: JobHead, task: TaskRow, event: events.TaskEnqueued) -> Decision:
    """Nobody need send its backup's message again."""
    if not task.lagging or task.released_at != event.released_at:
        return Decision(ignored="a worker was quicker than the mark")
    return Decision(changes=(task_update(task, event, TaskState.RUNNING, enqueued=True),))


def beside(task: TaskRow, gone: str) -> str:
    """The attempt that is at work when `gone` is not: of the one that lagged and those that came
    after it, the newest that has not ended. Empty when the other message waits on the queue."""
    heard = task.heard_attempts
    after = heard[heard.index(task.lagging) + 1 :] if task.lagging in heard else heard
    left = (name for name in reversed((task.lagging, *after)) if name != gone)
    return next((name for name in left if name not in task.ended_attempts), "")


def over(task: TaskRow) -> dict[str, object]:
    """It has one message at most again."""
    return {"lagging": ""} if task.lagging else {}


def one_left(task: TaskRow, gone: str) -> tuple[TaskState, dict[str, object]]:
    """Where a task is when one of its two messages is gone with its attempt."""
    other = beside(task, gone)
    if not other:
        return TaskState.RELEASED, over(task)
    return TaskState.RUNNING, {"attempt": other, **over(task)}
