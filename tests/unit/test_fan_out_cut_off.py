"""Fan-out under crashes and meetings at every point: an invocation may die, or another may run
whole, between any two port calls, and every part is still done once and joined once.

Each test plays its scene once for each point. Batches are small, so that opening takes several.
"""

from functools import partial

import pytest

from mayfly.contract.report import Interrupted, Progressed, Report, Started
from mayfly.contract.task import Task
from mayfly.core import limits, parts
from mayfly.core.rows import ENDS, JobState
from mayfly.memory.world import MemoryWorld, memory_world
from tests.unit.acting import cancel, dispatch, outcomes, receive, report, said, tick, upload
from tests.unit.interrupting import Crash, Interruption, crash, points_of
from tests.unit.splitting import (
    assert_whole,
    begun,
    brought,
    finish_parts,
    head_of,
    indexed,
    plan_of,
    planned,
    take_all,
    tasks_of,
    work_to_the_end,
)

PLAN = plan_of(6)
#: Points that each scene has at least, or it does not show what it says.
POINTS_MIN = 20


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "ROWS_PER_TRANSACTION", 2)


def a_first_task() -> tuple[MemoryWorld, Interruption, Task]:
    """A job whose first worker has its task in hand."""
    point = Interruption()
    w = memory_world(faults=point)
    dispatch(w, upload(w))
    first, message = receive(w)
    w.jobs.delete(message.handle)
    return w, point, first


@pytest.mark.parametrize("delivered_again", [True, False])
def test_opening_is_completed_wherever_it_was_cut_off(delivered_again: bool) -> None:
    def scene(point: int) -> bool:
        w, at, first = a_first_task()
        reached = at.during(lambda: report(w, planned(first, PLAN)), point, crash)
        # SQS does not forget a report that nobody has taken.
        if delivered_again or head_of(w, first.job_id).parts == 1:
            report(w, planned(first, PLAN))
        work_to_the_end(w, first, PLAN)
        assert_whole(w, first.job_id, PLAN)
        return reached

    assert points_of(scene) >= POINTS_MIN


def test_a_tick_opens_the_other_parts_while_the_first_keep_the_job_busy() -> None:
    """Nobody waits for the workers to run dry."""
    w, at, first = a_first_task()

    def dies_after_the_first_batch() -> None:
        report(w, planned(first, PLAN))

    reached = 0
    while head_of(w, first.job_id).opened < 2:
        reached += 1
        w, at, first = a_first_task()
        at.during(dies_after_the_first_batch, reached, crash)
    assert head_of(w, first.job_id).opened < parts.count(PLAN)
    w.clock.sleep(limits.HEAL_SECONDS)
    report(w, Progressed(**said(first), fraction=0.5), Interrupted(**said(first), reason="x"))
    tick(w, after=1)
    assert head_of(w, first.job_id).opened == parts.count(PLAN)


def test_two_invocations_that_open_at_once_open_each_task_once() -> None:
    """Two attempts, two plans, two Lambdas."""
    others = plan_of(9, audio_tracks=0)

    def scene(point: int) -> bool:
        w, at, first = a_first_task()
        meets = partial(report, w, planned(first, others, "n2"))
        met = at.during(lambda: report(w, planned(first, PLAN)), point, meets)
        won = PLAN if head_of(w, first.job_id).parts == 7 else others
        work_to_the_end(w, first, won)
        assert_whole(w, first.job_id, won)
        return met

    assert points_of(scene) >= POINTS_MIN


@pytest.mark.parametrize("dies", [False, True])
def test_a_cancel_in_the_middle_of_opening_leaves_nothing(dies: bool) -> None:
    def scene(point: int) -> bool:
        w, at, first = a_first_task()

        def meets() -> None:
            cancel(w, first.job_id)
            if dies:
                raise Crash

        met = at.during(lambda: report(w, planned(first, PLAN)), point, meets)
        if not met:
            cancel(w, first.job_id)
        assert head_of(w, first.job_id).state is JobState.CANCELLED
        # Whoever has a message of it is told to stop with its first word.
        report(w, *(Started(**said(task, "n9")) for task in take_all(w)))
        for _ in range(3):
            tick(w)
        assert indexed(w) == []
        assert {outcome.state for outcome in outcomes(w)} == {"cancelled"}
        return met

    assert points_of(scene) >= POINTS_MIN


def test_stopping_is_completed_wherever_it_was_cut_off() -> None:
    def scene(point: int) -> bool:
        w = memory_world(faults=(at := Interruption()))
        first = begun(w, PLAN)
        reached = at.during(lambda: cancel(w, first.job_id), point, crash)
        if head_of(w, first.job_id).state not in ENDS:
            cancel(w, first.job_id)
        for _ in range(3):
            tick(w)
        assert indexed(w) == []
        assert {outcome.state for outcome in outcomes(w)} == {"cancelled"}
        control = w.store.get("media", f"work/{first.job_id}/encode/control.json")
        assert control is not None and b'"stop"' in control.body
        return reached

    assert points_of(scene) >= POINTS_MIN


def all_but_two(w: MemoryWorld) -> tuple[Task, Task, Task]:
    """The first task, and the two that are left."""
    first = begun(w, PLAN)
    report(w, brought(w, first, scope=PLAN.scope(0)))
    waiting: list[Task] = []
    while tasks := take_all(w):
        waiting += tasks
        for task in waiting[:-2]:
            report(w, brought(w, task))
        waiting = waiting[-2:]
    assert head_of(w, first.job_id).open_tasks == 2
    return first, waiting[0], waiting[1]


def test_two_invocations_that_close_the_last_two_parts_at_once_open_one_finish() -> None:
    def scene(point: int) -> bool:
        w = memory_world(faults=(at := Interruption()))
        first, one, other = all_but_two(w)
        last = brought(w, other)
        met = at.during(lambda: report(w, brought(w, one)), point, partial(report, w, last))
        if not met:
            report(w, last)
        assert head_of(w, first.job_id).state is JobState.FINISHING
        assert [task.task_id for task in take_all(w)] == ["finish"]
        assert head_of(w, first.job_id).open_tasks == 1
        return met

    assert points_of(scene) >= 8


@pytest.mark.parametrize("delivered_again", [True, False])
def test_the_finish_is_opened_wherever_the_closing_of_the_last_part_was_cut_off(
    delivered_again: bool,
) -> None:
    def scene(point: int) -> bool:
        w = memory_world(faults=(at := Interruption()))
        first, one, other = all_but_two(w)
        report(w, brought(w, other))
        last = brought(w, one)
        reached = at.during(lambda: report(w, last), point, crash)
        if delivered_again or head_of(w, first.job_id).open_tasks == 1:
            report(w, last)
        work_to_the_end(w, first, PLAN)
        assert_whole(w, first.job_id, PLAN)
        return reached

    assert points_of(scene) >= POINTS_MIN


@pytest.mark.parametrize("delivered_again", [True, False])
def test_the_joined_job_is_published_wherever_its_end_was_cut_off(delivered_again: bool) -> None:
    def scene(point: int) -> bool:
        w = memory_world(faults=(at := Interruption()))
        first = begun(w, PLAN)
        finish = finish_parts(w, first, PLAN)[-1]
        last = brought(w, finish)
        reached = at.during(lambda: report(w, last), point, crash)
        if delivered_again or tasks_of(w, first.job_id)["finish"].artifacts == ():
            report(w, last)
        for _ in range(3):
            tick(w)
        assert_whole(w, first.job_id, PLAN)
        return reached

    assert points_of(scene) >= POINTS_MIN


def test_every_word_of_every_worker_may_come_twice_and_backwards() -> None:
    w, _, first = a_first_task()
    words: list[Report] = [planned(first, PLAN)]
    report(w, words[0])
    words += [brought(w, first, scope=PLAN.scope(0))]
    while tasks := take_all(w):
        words += [brought(w, task) for task in tasks]
        report(w, *words[-len(tasks) :])
        if tasks[-1].kind == "finish":
            break
        report(w, *reversed(words))
    for _ in range(2):
        report(w, *reversed(words))
    tick(w)
    assert_whole(w, first.job_id, PLAN)


def test_a_part_that_is_done_twice_is_taken_once() -> None:
    w = memory_world()
    first = begun(w, PLAN)
    sound, *_ = take_all(w)
    report(w, brought(w, sound, "n1"), brought(w, sound, "n2"))
    assert head_of(w, first.job_id).open_tasks == 6
    (artifact,) = tasks_of(w, first.job_id)["audio-0"].artifacts
    assert "/n1/" in artifact.key
