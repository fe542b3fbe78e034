"""What the completion handler does with one message, by the queue that it came from."""

from collections.abc import Callable, Mapping, Sequence

import msgspec

from mayfly.contract.report import read_report
from mayfly.core.commands import Command
from mayfly.perform import engine, letters, reporting, watching
from mayfly.perform.world import World

Take = Callable[[World, str, str], Sequence[Command]]


def take(world: World, queue_name: str, body: str, message_id: str) -> Sequence[Command]:
    """Commands that follow; run them once for the whole batch.

    Raises Temporary, and KeyError for a queue that nobody takes from.
    """
    return _TAKERS[_kind_of(queue_name)](world, body, message_id)


def _kind_of(queue_name: str) -> str:
    """`mayfly-jobs-standard-dead` -> jobs-dead. The stack's name may stand in front of it."""
    dead = queue_name.endswith("-dead")
    parts = queue_name.removesuffix("-dead").split("-")
    for kind in ("jobs", "requests", "done", "events"):
        if kind in parts:
            return f"{kind}-dead" if dead else kind
    raise KeyError(queue_name)


def _report(world: World, body: str, _: str) -> Sequence[Command]:
    report = read_report(body)
    try:
        return reporting.take_report(world, report)
    except engine.WrongToken:
        world.tally.add("ReportsWithWrongToken")
        return ()


def _dead_task(world: World, body: str, message_id: str) -> Sequence[Command]:
    return letters.take_dead_task(world, body, message_id)


def _dead_request(world: World, body: str, _: str) -> Sequence[Command]:
    return letters.take_dead_request(world, body)


def _task_event(world: World, body: str, _: str) -> Sequence[Command]:
    event = msgspec.json.decode(body)
    return watching.take_task_event(world, event["detail"])


_TAKERS: Mapping[str, Take] = {
    "done": _report,
    "jobs-dead": _dead_task,
    "requests-dead": _dead_request,
    "events": _task_event,
}
