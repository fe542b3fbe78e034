"""The Queue port: whose a message is, told by handles that are old, late or used twice.

Workers sleep, die and wake, so every one of these calls comes some day. Where AWS leaves it open,
memory takes the kindest branch here, and every branch in `test_queue_branches.py`.
"""

import contextlib

import pytest
from botocore.exceptions import ClientError

from mayfly.aws.sqs import SqsQueue
from mayfly.perform.ports import HandleLost, Queue
from tests.contract.conftest import Expect
from tests.contract.taking import take
from tests.contract.worlds import AwsWorld, World


def test_the_handle_of_a_deleted_message_is_lost(queue: Queue, gap: Expect) -> None:
    gap("extension after deletion")
    queue.send(b"1")
    held = take(queue)
    queue.delete(held.handle)
    with pytest.raises(HandleLost):
        queue.extend(held.handle, 30)


def test_the_handle_of_a_message_that_was_handed_back_is_lost(queue: Queue, gap: Expect) -> None:
    gap("late extension")
    queue.send(b"1")
    held = take(queue)
    queue.extend(held.handle, 0)
    with pytest.raises(HandleLost):
        queue.extend(held.handle, 30)


def test_an_extension_that_comes_too_late_hides_nothing(
    world: World, brief: Queue, gap: Expect
) -> None:
    gap("late extension")
    brief.send(b"1")
    late = take(brief)
    world.pass_seconds(1.2)
    with contextlib.suppress(HandleLost):
        brief.extend(late.handle, 30)
    assert take(brief).message_id == late.message_id


def test_a_handle_whose_time_ran_out_still_deletes(world: World, brief: Queue, gap: Expect) -> None:
    gap("late deletion")
    brief.send(b"1")
    late = take(brief)
    world.pass_seconds(1.2)
    brief.delete(late.handle)
    assert brief.receive(wait_seconds=1) == []


def test_a_handle_is_lost_when_another_worker_has_the_message(brief: Queue, gap: Expect) -> None:
    gap("stale extension")
    brief.send(b"1")
    sleeper, successor = take(brief), take(brief)
    with pytest.raises(HandleLost):
        brief.extend(sleeper.handle, 30)
    brief.extend(successor.handle, 30)


def test_a_stale_handle_hands_nothing_back(brief: Queue, gap: Expect) -> None:
    gap("stale extension")
    brief.send(b"1")
    sleeper, successor = take(brief), take(brief)
    brief.extend(successor.handle, 30)
    with contextlib.suppress(HandleLost):
        brief.extend(sleeper.handle, 0)
    assert brief.receive(wait_seconds=1) == []


def test_a_stale_handle_deletes_nothing(brief: Queue, gap: Expect) -> None:
    """AWS: "the request will succeed, but the message might not be deleted"."""
    gap("stale deletion")
    brief.send(b"1")
    sleeper, successor = take(brief), take(brief)
    brief.delete(sleeper.handle)
    assert take(brief).message_id == successor.message_id


def test_what_is_deleted_is_deleted_again_without_an_error(queue: Queue, gap: Expect) -> None:
    gap("second deletion")
    queue.send(b"1")
    held = take(queue)
    queue.delete(held.handle)
    queue.delete(held.handle)
    assert queue.receive(wait_seconds=1) == []


@pytest.mark.parametrize(
    ("world", "told"),
    [
        ("moto", ""),
        pytest.param("embedded", "ReceiptHandleIsInvalid", marks=pytest.mark.embedded),
    ],
    indirect=["world"],
)
def test_what_an_emulator_says_to_a_handle_that_deletes_nothing(
    world: World, queue: Queue, told: str
) -> None:
    """The port makes silence of it: `docs/emulators.md` tells what is behind."""
    assert isinstance(queue, SqsQueue)
    assert isinstance(world, AwsWorld)
    queue.send(b"1")
    handle = take(queue).handle
    queue.delete(handle)
    asked = {"QueueUrl": queue._url, "ReceiptHandle": handle}
    if not told:
        world.client("sqs").delete_message(**asked)
    else:
        with pytest.raises(ClientError, match=told):
            world.client("sqs").delete_message(**asked)


def test_a_handle_that_never_was_is_lost(queue: Queue) -> None:
    with pytest.raises(HandleLost):
        queue.extend("no-such-handle", 30)
    queue.delete("no-such-handle")


def test_twelve_hours_are_counted_from_the_receipt(world: World, queue: Queue, gap: Expect) -> None:
    gap("twelve hours")
    queue.send(b"1")
    held = take(queue)
    world.pass_seconds(2.1)
    queue.extend(held.handle, 12 * 3600 - 60)
    with pytest.raises(HandleLost):
        queue.extend(held.handle, 12 * 3600)


@pytest.mark.parametrize("seconds", [-1, 12 * 3600 + 1])
def test_hiding_for_longer_than_sqs_can_is_refused(queue: Queue, seconds: int) -> None:
    queue.send(b"1")
    with pytest.raises(ValueError):
        queue.extend(take(queue).handle, seconds)


def test_an_extension_is_of_one_receipt_only(world: World, brief: Queue) -> None:
    """The next receiver has the queue's own time again."""
    brief.send(b"1")
    held = take(brief)
    brief.extend(held.handle, 60)
    brief.extend(held.handle, 0)
    assert take(brief).receives == 2
    assert take(brief).receives == 3


def test_a_dead_letter_is_out_of_reach_of_its_old_handles(world: World) -> None:
    queue, dead = world.queue_with_dead_letters(receives_max=1)
    queue.send(b'"poison"')
    held = take(queue)
    queue.extend(held.handle, 0)
    assert queue.receive(wait_seconds=1) == []
    queue.delete(held.handle)
    assert take(dead).body == '"poison"'


def test_a_message_dies_when_it_is_received_once_too_often_and_not_before(world: World) -> None:
    """Nobody hears of a last attempt that died until somebody asks the queue again."""
    queue, dead = world.queue_with_dead_letters(receives_max=1)
    queue.send(b'"poison"')
    queue.extend(take(queue).handle, 0)
    assert dead.receive(wait_seconds=1) == []
    assert queue.depth().visible == 1
    assert queue.receive(wait_seconds=1) == []
    assert take(dead).body == '"poison"'


def test_a_dead_letters_count_goes_on(world: World, gap: Expect) -> None:
    """ApproximateReceiveCount is told "across all queues"."""
    gap("count of a dead letter")
    queue, dead = world.queue_with_dead_letters(receives_max=2)
    queue.send(b'"poison"')
    for _ in range(2):
        queue.extend(take(queue).handle, 0)
    assert queue.receive(wait_seconds=1) == []
    assert take(dead).receives == 3
