"""How a message is taken from a queue, in worlds whose time is real as in one whose time is not."""

from mayfly.perform.ports import Message, Queue

#: The longest that a message hidden for a second is waited for. Long polls end with the message.
WAIT_SECONDS = 4


def take(queue: Queue) -> Message:
    """The one message that is there, or will be before long."""
    (message,) = queue.receive(wait_seconds=WAIT_SECONDS)
    return message
