"""The Queue port: at least once, hidden while held, dead letters.

What handles do that are old, late or used twice stands in `test_queue_handles.py`.
"""

import json

import pytest

from mayfly.aws.sqs import SqsQueue
from mayfly.memory.clock import VirtualClock
from mayfly.memory.queue import MemoryQueue
from mayfly.perform.ports import Depth, Gone, Message, Queue
from tests.contract.taking import take
from tests.contract.worlds import AwsWorld, World


def take_and_hand_back(queue: Queue) -> Message:
    message = take(queue)
    queue.extend(message.handle, 0)
    return message


def test_what_was_sent_is_received_once_at_first(queue: Queue) -> None:
    queue.send(b'{"a": 1}')
    message = take(queue)
    assert (message.body, message.receives) == ('{"a": 1}', 1)
    assert message.message_id
    assert queue.receive(wait_seconds=0) == []


@pytest.mark.parametrize("text", ["ü\U0001f980", "\ufffe\uffff", "\x00\x1f\x7f\u2028", '"\\', ""])
def test_any_text_survives_as_json(queue: Queue, text: str) -> None:
    """A file's name may hold what XML, and so SQS, does not allow."""
    for ascii_only in (True, False):
        queue.send(json.dumps([text], ensure_ascii=ascii_only).encode())
        assert json.loads(take(queue).body) == [text]


def test_an_empty_receive_gives_nothing(queue: Queue) -> None:
    assert queue.receive(wait_seconds=0) == []
    assert queue.receive(wait_seconds=1) == []


def test_a_receive_takes_up_to_ten(queue: Queue) -> None:
    for number in range(12):
        queue.send(str(number).encode())
    first = queue.receive(wait_seconds=1, limit=10)
    second = queue.receive(wait_seconds=1, limit=10)
    assert (len(first), len(second)) == (10, 2)
    assert {message.body for message in first + second} == {str(number) for number in range(12)}
    with pytest.raises(ValueError):
        queue.receive(wait_seconds=0, limit=11)


def test_a_message_that_nobody_deletes_comes_back_and_counts(brief: Queue) -> None:
    brief.send(b"1")
    first, second = take(brief), take(brief)
    assert (first.receives, second.receives) == (1, 2)
    assert first.message_id == second.message_id
    assert first.handle != second.handle


def test_a_message_that_is_handed_back_comes_back_at_once(queue: Queue) -> None:
    queue.send(b"1")
    queue.extend(take(queue).handle, 0)
    (again,) = queue.receive(wait_seconds=1)
    assert again.receives == 2


def test_an_extended_message_stays_hidden(brief: Queue) -> None:
    brief.send(b"1")
    held = take(brief)
    brief.extend(held.handle, 60)
    assert brief.receive(wait_seconds=2) == []
    brief.extend(held.handle, 60)


def test_a_deleted_message_never_comes_back(brief: Queue) -> None:
    brief.send(b"1")
    held = take(brief)
    brief.delete(held.handle)
    brief.delete(held.handle)
    assert brief.receive(wait_seconds=2) == []


def test_a_message_received_too_often_becomes_a_dead_letter(world: World) -> None:
    queue, dead = world.queue_with_dead_letters(receives_max=2)
    queue.send(b'"poison"')
    first, second = take_and_hand_back(queue), take_and_hand_back(queue)
    assert (first.receives, second.receives) == (1, 2)
    assert queue.receive(wait_seconds=1) == []
    letter = take(dead)
    assert (letter.body, letter.message_id) == ('"poison"', first.message_id)


def test_the_depth_tells_waiting_from_held(queue: Queue) -> None:
    for number in range(3):
        queue.send(str(number).encode())
    assert queue.depth() == Depth(visible=3, in_flight=0, delayed=0)
    held = take(queue)
    assert queue.depth() == Depth(visible=2, in_flight=1, delayed=0)
    queue.delete(held.handle)
    assert queue.depth() == Depth(visible=2, in_flight=0, delayed=0)


def test_a_message_of_more_than_a_mebibyte_is_refused(queue: Queue) -> None:
    queue.send(b"x" * 1024 * 1024)
    with pytest.raises(ValueError):
        queue.send(b"x" * (1024 * 1024 + 1))


def test_a_queue_that_is_not_there_is_gone(world: World) -> None:
    if not isinstance(world, AwsWorld):
        pytest.skip("a queue in memory is there")
    queue = world.queue()
    assert isinstance(queue, SqsQueue)
    missing = SqsQueue(world.client("sqs"), queue._url + "-not")
    for call in (
        lambda: missing.send(b"1"),
        lambda: missing.receive(wait_seconds=0),
        lambda: missing.extend("handle", 1),
        missing.depth,
    ):
        with pytest.raises(Gone):
            call()


def test_in_memory_a_delayed_message_is_hidden_at_first() -> None:
    queue = MemoryQueue(VirtualClock(), delay_seconds=5)
    queue.send(b"1")
    assert queue.depth() == Depth(visible=0, in_flight=0, delayed=1)
    assert queue.receive(wait_seconds=4) == []
    assert take(queue).receives == 1


def test_in_memory_a_message_is_delivered_twice_on_demand() -> None:
    queue = MemoryQueue(VirtualClock())
    queue.send(b"1")
    first = take(queue)
    queue.duplicate(first.message_id)
    second = take(queue)
    assert second.message_id == first.message_id
    queue.delete(first.handle)
    assert queue.bodies() == ["1"]


def test_in_memory_a_long_poll_costs_no_more_time_than_it_must() -> None:
    clock = VirtualClock(start=0)
    queue = MemoryQueue(clock, delay_seconds=3)
    queue.send(b"1")
    take(queue)
    assert clock.now() == 3
    assert queue.receive(wait_seconds=5) == []
    assert clock.now() == 8
