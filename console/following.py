"""Looks at a job again and again until it has ended. Reads only."""

import dataclasses
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from console.ends import WrongCall
from mayfly.contract.outcome import Outcome
from mayfly.core.parts import FINISH_TASK, FIRST_TASK
from mayfly.core.rows import ENDS, JobHead, JobState, TaskRow, from_item, head_key, task_key

if TYPE_CHECKING:
    from mayfly.perform.world import World

#: A look costs two small reads of the table.
LOOK_SECONDS = 0.5


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A job as it was at one moment."""

    at: float
    head: JobHead
    #: All of them; of a job that was cut into parts, the first and the one that joins them.
    tasks: tuple[TaskRow, ...]


def look(world: "World", job_id: str) -> Look | None:
    """The job now; None when it is not known."""
    (item,) = world.table.get(head_key(job_id))
    if item is None:
        return None
    head = from_item(JobHead, item)
    return Look(at=world.clock.now(), head=head, tasks=_tasks(world, head))


def _tasks(world: "World", head: JobHead) -> tuple[TaskRow, ...]:
    if head.parts > 1:  # thousands, and the head knows how many of them are done
        ends = (FIRST_TASK, FINISH_TASK)
        items = world.table.get(*(task_key(head.job_id, name) for name in ends))
    else:
        items = [*world.table.rows(f"job#{head.job_id}", "task#")]
    return tuple(from_item(TaskRow, item) for item in items if item)


def known(world: "World", job_id: str) -> Look:
    """The job now. Raises WrongCall when it is not known."""
    seen = look(world, job_id)
    if seen is None:
        raise WrongCall(
            f"There is no job {job_id} on the stack {world.settings.stack}.",
            "`mayfly jobs` lists the newest; another stack is named with --stack.",
        )
    return seen


def until_opened(world: "World", job_id: str, wait_seconds: float) -> Look | None:
    """The job, or the latest run of it, as soon as the dispatcher has opened it; None when it has
    not in time."""
    deadline = world.clock.now() + wait_seconds
    while True:
        seen = look(world, job_id)
        if seen is not None and seen.head.rerun_as:
            job_id = seen.head.rerun_as
            continue
        # A source that was put back is done again, by the next run.
        waits = seen is None or seen.head.state is JobState.SUPERSEDED
        if not waits or world.clock.now() >= deadline:
            return seen
        world.clock.sleep(LOOK_SECONDS)


def follow(world: "World", job_id: str, look_seconds: float = LOOK_SECONDS) -> Iterator[Look]:
    """Every look until the job has ended, the last one included. Raises WrongCall."""
    while True:
        seen = known(world, job_id)
        yield seen
        if seen.head.state in ENDS:
            return
        world.clock.sleep(look_seconds)


def changes(looks: Iterator[Look], what: Callable[[Look], object]) -> Iterator[Look]:
    """Those looks in which something is different from the look before."""
    before: object = None
    for seen in looks:
        now = what(seen)
        if now != before:
            yield seen
        before = now


def outcome_of(world: "World", job_id: str) -> Outcome:
    """How an ended job ended."""
    from mayfly.perform import announcing

    outcome = announcing.outcome_of(world, job_id)
    assert outcome is not None, "asked of an ended job"
    return outcome
