"""What a queue in memory does on each branch that AWS's documents leave open.

What every world must do stands in `test_queue.py`; here stands only what no emulator can be told
to do, so the claims are made in memory alone.
"""

import random
from typing import Any

import pytest

from mayfly.memory.branches import Branches, Deleting, Extending
from mayfly.memory.clock import VirtualClock
from mayfly.memory.depths import LAG_SECONDS_MAX
from mayfly.memory.queue import HOLD_SECONDS_MAX, STRAY_SECONDS_MAX, MemoryQueue
from mayfly.perform.ports import Depth, HandleLost, Message

HELD_SECONDS = 30


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(start=0)


def a_queue(clock: VirtualClock, **fields: Any) -> MemoryQueue:
    return MemoryQueue(
        clock,
        visibility_seconds=HELD_SECONDS,
        branches=Branches(**fields),
        chance=random.Random(7),
    )


def take(queue: MemoryQueue) -> Message:
    (message,) = queue.receive(wait_seconds=0)
    return message


def sent(queue: MemoryQueue, body: bytes = b"1") -> Message:
    """Sends it and receives it."""
    queue.send(body)
    return take(queue)


def slept_through(queue: MemoryQueue, clock: VirtualClock) -> tuple[Message, Message]:
    """Two receipts of one message; the second receiver has it."""
    sleeper = sent(queue)
    clock.sleep(HELD_SECONDS)
    return sleeper, take(queue)


@pytest.mark.parametrize("branch", list(Deleting))
def test_a_stale_handle_may_delete_what_another_worker_has(
    clock: VirtualClock, branch: Deleting
) -> None:
    queue = a_queue(clock, stale_delete=branch)
    sleeper, successor = slept_through(queue, clock)
    if branch is Deleting.REFUSED:
        with pytest.raises(HandleLost):
            queue.delete(sleeper.handle)
    else:
        queue.delete(sleeper.handle)
    assert queue.bodies() == ([] if branch is Deleting.DELETES else ["1"])
    if branch is not Deleting.DELETES:
        queue.extend(successor.handle, 60)
        queue.delete(successor.handle)
        assert queue.bodies() == []


@pytest.mark.parametrize("branch", list(Deleting))
def test_a_handle_whose_time_ran_out_may_still_delete(
    clock: VirtualClock, branch: Deleting
) -> None:
    queue = a_queue(clock, late_delete=branch)
    late = sent(queue)
    clock.sleep(HELD_SECONDS)
    if branch is Deleting.REFUSED:
        with pytest.raises(HandleLost):
            queue.delete(late.handle)
    else:
        queue.delete(late.handle)
    assert queue.bodies() == ([] if branch is Deleting.DELETES else ["1"])


def test_a_second_delete_may_be_refused(clock: VirtualClock) -> None:
    for branch in (Deleting.IGNORED, Deleting.DELETES):
        queue = a_queue(clock, second_delete=branch)
        message = sent(queue)
        queue.delete(message.handle)
        queue.delete(message.handle)
        queue.delete("never-was")
    strict = a_queue(clock, second_delete=Deleting.REFUSED)
    message = sent(strict)
    strict.delete(message.handle)
    with pytest.raises(HandleLost):
        strict.delete(message.handle)


def test_a_handle_may_die_after_twelve_hours(clock: VirtualClock) -> None:
    for expire in (False, True):
        queue = a_queue(clock, handles_expire=expire)
        old = sent(queue)
        queue.extend(old.handle, HOLD_SECONDS_MAX)
        clock.sleep(HOLD_SECONDS_MAX)
        if expire:
            with pytest.raises(HandleLost):
                queue.delete(old.handle)
        else:
            queue.delete(old.handle)
        assert queue.bodies() == (["1"] if expire else [])


@pytest.mark.parametrize("branch", list(Extending))
def test_a_stale_handle_may_hide_what_another_worker_has(
    clock: VirtualClock, branch: Extending
) -> None:
    queue = a_queue(clock, stale_extend=branch)
    sleeper, successor = slept_through(queue, clock)
    if branch is Extending.LOST:
        with pytest.raises(HandleLost):
            queue.extend(sleeper.handle, 0)
    else:
        queue.extend(sleeper.handle, 0)
    handed_back = queue.receive(wait_seconds=0)
    assert [message.message_id for message in handed_back] == (
        [successor.message_id] if branch is Extending.EXTENDS else []
    )


@pytest.mark.parametrize("branch", list(Extending))
def test_an_extension_that_comes_too_late_may_be_told_to_have_worked(
    clock: VirtualClock, branch: Extending
) -> None:
    """The worst of them: the worker hears that it holds what anybody can take."""
    queue = a_queue(clock, late_extend=branch)
    late = sent(queue)
    clock.sleep(HELD_SECONDS)
    if branch is Extending.LOST:
        with pytest.raises(HandleLost):
            queue.extend(late.handle, 60)
    else:
        queue.extend(late.handle, 60)
    visible = len(queue.receive(wait_seconds=0))
    assert visible == (0 if branch is Extending.EXTENDS else 1)


@pytest.mark.parametrize("branch", list(Extending))
def test_extending_what_is_deleted_brings_nothing_back(
    clock: VirtualClock, branch: Extending
) -> None:
    queue = a_queue(clock, second_extend=branch)
    message = sent(queue)
    queue.delete(message.handle)
    if branch is Extending.LOST:
        with pytest.raises(HandleLost):
            queue.extend(message.handle, 0)
    else:
        queue.extend(message.handle, 0)
    assert queue.next_visible_at() is None


def test_the_hold_may_be_endless(clock: VirtualClock) -> None:
    queue = a_queue(clock, holds_end=False)
    message = sent(queue)
    for _ in range(3):
        queue.extend(message.handle, HOLD_SECONDS_MAX)
        clock.sleep(HOLD_SECONDS_MAX - 1)
    assert queue.receive(wait_seconds=0) == []


def test_a_deleted_message_may_come_back_but_only_once(clock: VirtualClock) -> None:
    queue = a_queue(clock, undeleted_rate=1.0)
    first = sent(queue)
    queue.delete(first.handle)
    clock.sleep(STRAY_SECONDS_MAX)
    again = take(queue)
    assert (again.message_id, again.receives) == (first.message_id, 2)
    assert again.handle != first.handle
    queue.delete(again.handle)
    assert queue.next_visible_at() is None


def test_a_message_may_be_held_twice_at_once(clock: VirtualClock) -> None:
    queue = a_queue(clock, copies_rate=1.0)
    queue.send(b"1")
    first = take(queue)
    clock.sleep(STRAY_SECONDS_MAX)
    seen = [take(queue), take(queue)]
    assert {message.message_id for message in seen} == {first.message_id}
    queue.delete(seen[0].handle)
    queue.extend(seen[1].handle, 60)
    assert len(queue.bodies()) == 1


@pytest.mark.parametrize("shared", [False, True])
def test_copies_may_be_counted_together(clock: VirtualClock, shared: bool) -> None:
    queue = a_queue(clock, copies_rate=1.0, copies_share_count=shared)
    queue.send(b"1")
    clock.sleep(STRAY_SECONDS_MAX)
    seen = queue.receive(wait_seconds=0, limit=10)
    assert [message.receives for message in seen] == ([1, 2] if shared else [1, 1])


def test_a_sending_may_be_asked_twice(clock: VirtualClock) -> None:
    queue = a_queue(clock, asked_again_rate=1.0)
    queue.send(b"1")
    seen = queue.receive(wait_seconds=0, limit=10)
    assert [message.body for message in seen] == ["1", "1"]
    assert len({message.message_id for message in seen}) == 2


def test_a_receipt_may_be_nobodys(clock: VirtualClock) -> None:
    queue = a_queue(clock, unheard_rate=1.0)
    queue.send(b"1")
    assert queue.receive(wait_seconds=0) == []
    assert queue.next_visible_at() == HELD_SECONDS
    queue.branches = Branches()
    clock.sleep(HELD_SECONDS)
    assert take(queue).receives == 2


def test_any_visible_message_may_be_handed_out(clock: VirtualClock) -> None:
    firsts = set[str]()
    for _ in range(40):
        queue = a_queue(clock, in_order=False)
        queue._chance.seed(len(firsts))
        for number in range(4):
            queue.send(str(number).encode())
        seen = queue.receive(wait_seconds=0, limit=10)
        assert sorted(message.body for message in seen) == ["0", "1", "2", "3"]
        firsts.add(seen[0].body)
    assert len(firsts) > 1


def test_a_short_poll_may_miss_what_a_long_one_finds(clock: VirtualClock) -> None:
    queue = a_queue(clock, missed_rate=1.0)
    queue.send(b"1")
    queue.send(b"2")
    assert queue.receive(wait_seconds=0, limit=10) == []
    assert [message.body for message in queue.look()] == ["1"]
    assert [message.body for message in queue.receive(wait_seconds=1)] == ["2"]
    assert clock.now() == 0


def test_the_depth_may_be_late_and_is_right_in_the_end(clock: VirtualClock) -> None:
    queue = a_queue(clock, depth_lag_seconds=60.0)
    for number in range(3):
        queue.send(str(number).encode())
    clock.sleep(30)
    take(queue)
    clock.sleep(10)
    depths = {queue.depth() for _ in range(60)}
    assert 0 in {depth.in_flight for depth in depths}
    assert {depth.visible for depth in depths} == {0, 2, 3}
    assert any(depth.visible + depth.in_flight == 4 for depth in depths)
    clock.sleep(HELD_SECONDS + 60)
    assert {queue.depth() for _ in range(20)} == {Depth(visible=3, in_flight=0, delayed=0)}


def test_the_depth_does_not_tell_of_a_copy_before_it_turns_up(clock: VirtualClock) -> None:
    queue = a_queue(clock, undeleted_rate=1.0)
    queue.delete(sent(queue).handle)
    assert queue.depth() == Depth(visible=0, in_flight=0, delayed=0)
    clock.sleep(STRAY_SECONDS_MAX)
    assert queue.depth() == Depth(visible=1, in_flight=0, delayed=0)


def test_a_depth_that_nobody_asks_for_is_forgotten(clock: VirtualClock) -> None:
    queue = a_queue(clock, depth_lag_seconds=60.0)
    for _ in range(2000):
        clock.sleep(1)
        queue.delete(sent(queue).handle)
    assert queue._past is not None
    assert len(queue._past._notes) < 3 * LAG_SECONDS_MAX + 300
    clock.sleep(60)
    assert queue.depth() == Depth(visible=0, in_flight=0, delayed=0)


@pytest.mark.parametrize("keep", [True, False])
def test_a_dead_letter_may_keep_its_count(clock: VirtualClock, keep: bool) -> None:
    dead = a_queue(clock)
    queue = MemoryQueue(
        clock,
        receives_max=1,
        dead_letters=dead,
        branches=Branches(dead_letters_keep_count=keep),
    )
    message = sent(queue)
    queue.extend(message.handle, 0)
    assert queue.receive(wait_seconds=0) == []
    letter = take(dead)
    assert (letter.message_id, letter.receives) == (message.message_id, 2 if keep else 1)


def test_a_port_that_nobody_told_otherwise_is_kind() -> None:
    assert Branches().told() == {}
    drawn = Branches.drawn(random.Random(3), copies_rate=0.5)
    assert drawn.copies_rate == 0.5
    assert drawn == Branches.drawn(random.Random(3), copies_rate=0.5)


def test_every_branch_is_drawn_sooner_or_later() -> None:
    chance = random.Random(1)
    drawn = [Branches.drawn(chance) for _ in range(300)]
    for name in Branches.__dataclass_fields__:
        assert len({getattr(one, name) for one in drawn}) > 1, f"{name} is never left to chance"
        assert Branches.__dataclass_fields__[name].default in {getattr(one, name) for one in drawn}
