"""Event in, rows changed, commands out; then the commands are run.

`apply` is the only way in which rows of jobs and tasks change: load, ask the core, commit on
condition, and when somebody was quicker, load and ask again. It must never change a row that the
core did not name.
"""

import logging
from collections.abc import Sequence

from mayfly.core import brake, commands, events, limits, machine
from mayfly.core.decision import Decision
from mayfly.core.events import Event
from mayfly.core.rows import ENDS, JobHead, TaskRow, from_item, head_key, task_key
from mayfly.perform import (
    announcing,
    control,
    opening,
    planning,
    publishing,
    releasing,
    waiting,
)
from mayfly.perform.ports import Conflict, Temporary
from mayfly.perform.world import World

log = logging.getLogger("mayfly")

#: Commands that commands may lead to; more is a loop.
_ROUNDS_MAX = 32


class UnknownJob(Temporary):
    """A report came before its job's row, or long after: SQS delivers it again, then buries it."""


class TooEarly(Temporary):
    """Something must be heard first that is still under way: SQS delivers this one again."""


class WrongToken(Exception):
    """Somebody reports on a task without its token: dropped, and worth an alarm."""


#: A job's head and one of its tasks, as far as they are there.
Rows = tuple[JobHead | None, TaskRow | None]


def load(world: World, job_id: str, task_id: str | None) -> Rows:
    """The head and, if asked for, one task of a job."""
    keys = [head_key(job_id)] + ([task_key(job_id, task_id)] if task_id else [])
    items = world.table.get(*keys)
    head = from_item(JobHead, items[0]) if items[0] else None
    task = from_item(TaskRow, items[1]) if task_id and items[1] else None
    return head, task


def apply(
    world: World,
    event: Event,
    job_id: str,
    task_id: str | None = None,
    *,
    token: str | None = None,
    known: Rows | None = None,
) -> Decision:
    """Advances the machine by one event; what was decided is written, its commands are not run.

    `known` are the rows as the caller has just read or guessed them: a wrong guess is refused by
    the changes' conditions, and the rows are read. Raises UnknownJob, TooEarly, WrongToken,
    machine.IllegalEvent, Temporary.
    """
    for attempt in range(limits.CONFLICT_TRIES_MAX):
        head, task = known if known and not attempt else load(world, job_id, task_id)
        if head is not None and head.state in ENDS and task_id and task is None:
            return Decision(ignored="the job was refused and never had a task")
        if task_id and (head is None or task is None):
            raise UnknownJob(f"{type(event).__name__} for job {job_id}, which is not known (yet).")
        if token is not None and task is not None and task.token != token:
            raise WrongToken(f"A report on job {job_id} came with a wrong token.")
        decision = machine.advance(head, task, event)
        if decision.too_early:
            raise TooEarly(f"{type(event).__name__} for job {job_id}: {decision.too_early}.")
        try:
            if decision.changes:
                world.table.commit(decision.changes)
        except Conflict:
            if not known or attempt:  # a wrong guess met nobody
                world.clock.sleep(world.dice.jitter(0.05 * 2**attempt))
            continue
        _tell(event, job_id, task_id, head, decision.ignored)
        return decision
    raise Temporary(f"Job {job_id} is too busy: {limits.CONFLICT_TRIES_MAX} tries met another.")


def run(world: World, todo: Sequence[commands.Command]) -> None:
    """Runs commands, and the commands they lead to, until none is left.

    Releases of one pool are one; a pool is seen to once, after everything else. One that fails
    stops no other: its error, the first of them, is raised when all the others are done.
    """
    failed: Exception | None = None
    for _ in range(_ROUNDS_MAX):
        if not todo:
            if failed is not None:
                raise failed
            return
        following: list[commands.Command] = []
        for command in _arranged(todo):
            try:
                following.extend(_perform(world, command))
            except Exception as error:  # noqa: BLE001 - raised below, after the others
                _tell_failed(command, error)
                failed = failed or error
        todo = following
    raise RuntimeError(f"Commands lead to commands without end: {todo}")


def _arranged(todo: Sequence[commands.Command]) -> list[commands.Command]:
    """Each command once; a pool's releases as one; seeing to pools after these, so that it sees
    what the others did. Opening tasks comes last: thousands of rows, and nobody waits for them."""
    distinct = list(dict.fromkeys(todo))
    opened: dict[str, frozenset[tuple[str, str]]] = {}
    pools: dict[str, bool] = {}
    openings: list[commands.Command] = []
    others: list[commands.Command] = []
    for command in distinct:
        match command:
            case commands.ReleaseTasks(pool=pool):
                opened[pool] = opened.get(pool, frozenset()) | command.opened
            case commands.SeeToPool(pool=pool):
                pools[pool] = pools.get(pool, False) or command.settled
            case commands.OpenTasks():
                openings.append(command)
            case _:
                others.append(command)
    releases = [commands.ReleaseTasks(pool=pool, opened=new) for pool, new in opened.items()]
    looks = [
        commands.SeeToPool(pool=pool, settled=settled, opened=opened.get(pool, frozenset()))
        for pool, settled in pools.items()
    ]
    return [*others, *releases, *looks, *openings]


def _perform(world: World, command: commands.Command) -> Sequence[commands.Command]:
    match command:
        case commands.ReleaseTasks(pool=pool, opened=opened):
            releasing.release_tasks(world, pool, opened, apply)
        case commands.SeeToPool(pool=pool, settled=settled, opened=opened):
            planning.see_to_pool(world, pool, settled=settled, opened=opened)
        case commands.CountTasks(job_id=job_id):
            event = events.TasksCounted(at=world.clock.now(), token=world.dice.token())
            return apply(world, event, job_id).commands
        case commands.OpenTasks(job_id=job_id):
            return opening.open_tasks(world, job_id, apply)
        case commands.PublishOutputs(job_id=job_id):
            return apply(world, publishing.publish(world, job_id), job_id).commands
        case commands.AnnounceOutcome(job_id=job_id):
            announcing.announce(world, job_id)
            told = events.OutcomeAnnounced(at=world.clock.now())
            return apply(world, told, job_id).commands
        case commands.RenewGrants(job_id=job_id, task_id=task_id):
            control.renew_grants(world, job_id, task_id)
        case commands.StopWorkers(job_id=job_id, reason=reason, task_id=None):
            _drop(world, job_id, control.stop_workers(world, job_id, reason))
            return (commands.AnnounceOutcome(job_id=job_id),)
        case commands.StopWorkers(job_id=job_id, reason=reason, task_id=str(task_id)):
            control.stop_worker(world, job_id, task_id, reason)
            apply(world, events.TaskDropped(at=world.clock.now()), job_id, task_id)
        case commands.NoteWorkerStarted(pool=pool):
            _set_brake_back(world, pool)
    return ()


def _drop(world: World, job_id: str, rows: Sequence[TaskRow]) -> None:
    """Lets go of the tasks of an ended job, many at once; those of a batch in which one has moved
    meanwhile, one by one."""
    head, _ = load(world, job_id, None)
    for start in range(0, len(rows), limits.ROWS_PER_TRANSACTION):
        some = rows[start : start + limits.ROWS_PER_TRANSACTION]
        if head is None or not waiting.drop(world, [(head, row) for row in some]):
            for row in some:
                apply(world, events.TaskDropped(at=world.clock.now()), job_id, row.task_id)


def _tell_failed(command: commands.Command, error: Exception) -> None:
    kind = type(command).__name__
    log.warning(
        "%s",
        f"{kind} failed: {type(error).__name__}",
        extra={"action": "run", "job_id": getattr(command, "job_id", None)},
        exc_info=error,
    )


def _set_brake_back(world: World, pool: str) -> None:
    try:
        world.table.commit([brake.set_back(pool)])
    except Conflict:
        return  # it was not set, as nearly always


def _tell(
    event: Event, job_id: str, task_id: str | None, head: JobHead | None, ignored: str
) -> None:
    log.info(
        "%s",
        f"{type(event).__name__} ignored: {ignored}" if ignored else type(event).__name__,
        extra={
            "action": "apply",
            "event": type(event).__name__,
            "job_id": job_id,
            "task_id": task_id,
            "state": head.state.value if head else None,
        },
    )
