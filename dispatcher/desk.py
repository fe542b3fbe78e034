"""What the dispatcher does with one message: opens its jobs, or records its refusal."""

from collections.abc import Sequence

from mayfly.contract.request import Request
from mayfly.contract.wire import Refusal
from mayfly.core.commands import Command
from mayfly.perform import intake, mail
from mayfly.perform.world import World


def take(world: World, body: str) -> Sequence[Command]:
    """Commands that follow; run them once for the whole batch. Raises Temporary."""
    try:
        read = mail.read(body)
    except Refusal as refusal:
        return intake.take_refusal(world, str(refusal), body.encode())[1]
    if isinstance(read, Request):
        return intake.take_request(world, read, body.encode())[1]
    return [command for source in read for command in intake.take_upload(world, source)]
