"""What the completion handler does with one message, by the queue that it came from."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from mayfly.contract.report import read_report
from mayfly.core import limits
from mayfly.core.commands import Command
from mayfly.perform import engine, letters, reporting, watching
from mayfly.perform.ports import HandleLost, Message, Temporary
from mayfly.perform.world import World

Take = Callable[[World, str, str], Sequence[Command]]


def take_record(world: World, record: Mapping[str, Any]) -> Sequence[Command]:
    """One record as Lambda hands it over. Raises as `take` does."""
    message = Message(
        body=record["body"],
        handle=record["receiptHandle"],
        message_id=record["messageId"],
        receives=int(record["attributes"]["ApproximateReceiveCount"]),
    )
    return take(world, str(record["eventSourceARN"]).rpartition(":")[2], message)


def take(world: World, queue_name: str, message: Message) -> Sequence[Command]:
    """Commands that follow; run them once for the whole batch.

    Raises Temporary, and KeyError for a queue that nobody takes from.
    """
    kind = _kind_of(world, queue_name)
    try:
        return _TAKERS[kind](world, message.body, message.message_id)
    except Temporary:
        # The queue hides a message for six times the function's time-out; a report that came
        # before its job's row must not wait half an hour for it.
        if kind == "done":
            with contextlib.suppress(HandleLost):
                pauses = limits.RETRY_PAUSES_SECONDS
            pause = pauses[min(message.receives, len(pauses)) - 1]
            world.done_queue.extend(message.handle, pause)
        raise


def _kind_of(world: World, queue_name: str) -> str:
    """`<stack>-jobs-<pool>-dead` -> `jobs-dead`; a stack may be called anything."""
    kind = queue_name.removeprefix(f"{world.settings.stack}-")
    return "jobs-dead" if kind.startswith("jobs-") and kind.endswith("-dead") else kind


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


def _ecs_event(world: World, body: str, _: str) -> Sequence[Command]:
    event = msgspec.json.decode(body)
    if event.get("detail-type") == "ECS Service Action":
        return watching.take_service_action(world, event["detail"], event["resources"])
    return watching.take_task_event(world, event["detail"])


_TAKERS: Mapping[str, Take] = {
    "done": _report,
    "jobs-dead": _dead_task,
    "requests-dead": _dead_request,
    "events": _ecs_event,
}
