"""Takes dead letters: messages that were received too often. A letter is an event, judged by its
task's attempts, and never just an alarm: the job still ends.
"""

from collections.abc import Sequence

from mayfly.contract import wire
from mayfly.contract.failure import failure
from mayfly.contract.request import Request
from mayfly.contract.task import Task
from mayfly.contract.wire import Refusal
from mayfly.core import events
from mayfly.core.commands import Command
from mayfly.core.identity import adopted_job_id, adopted_token, digest
from mayfly.core.of_reruns import DEAD_REQUEST
from mayfly.core.parts import FIRST_TASK
from mayfly.perform import engine, mail
from mayfly.perform.world import World


def take_dead_task(world: World, body: str, message_id: str) -> Sequence[Command]:
    """A message that died on a jobs queue; a redrive keeps its id. Raises Temporary."""
    raw = body.encode()
    try:
        task = wire.decode(Task, body)
    except Refusal as refusal:
        return _refused(world, body, "task_unreadable", str(refusal))
    job_id = task.job_id or adopted_job_id(raw, message_id)
    task_id = task.task_id or FIRST_TASK
    token = task.token or adopted_token(raw)
    letter = events.TaskDeadLettered(at=world.clock.now(), letter=message_id)
    try:
        return engine.apply(world, letter, job_id, task_id, token=token).commands
    except (engine.UnknownJob, engine.WrongToken):
        # Of a user's own task the job has this name also when its adoption is still to be heard.
        ident = "" if task.job_id else job_id
        return _refused(world, body, "worker_lost", "no worker ever began it", ident)


def take_dead_request(world: World, body: str) -> Sequence[Command]:
    """A message that died on the requests queue: the dispatcher failed on it. It is remembered,
    so that it can be sent again. Raises Temporary."""
    kept = mail.kept(body)
    read = mail.read(kept) if kept else None
    request = read if isinstance(read, Request) else None
    # Not the name that its refusal would have: sent again, it may yet be refused, or die again.
    ident = digest(b"dead\n" + (kept or body).encode())
    event = events.RequestRefused(
        at=world.clock.now(),
        job_id=ident,
        tenant=request.tenant if request else "default",
        preset=(request.preset or "") if request else "",
        source=request.asked_for if request else "",
        failure=failure(DEAD_REQUEST),
        request_id=request.request_id if request else None,
        request=kept,
    )
    return engine.apply(world, event, ident).commands


def _refused(world: World, body: str, code: str, detail: str, ident: str = "") -> Sequence[Command]:
    ident = ident or digest(body.encode())
    event = events.RequestRefused(
        at=world.clock.now(),
        job_id=ident,
        tenant="default",
        preset="",
        source="",
        failure=failure(code, detail),
    )
    return engine.apply(world, event, ident).commands
