"""Which tasks are on the queue."""

from mayfly.core import limits, release
from mayfly.core.rows import TaskRow, TaskState
from tests.unit.given import AT, a_task


def waiting(name: str, **fields: object) -> TaskRow:
    return a_task(TaskState.OPEN, job_id=name, **fields)


def test_about_twice_as_many_tasks_as_workers_are_released() -> None:
    many = [waiting(f"j{n:03}") for n in range(100)]
    assert len(release.release(many, [], workers_max=3)) == 6
    out = [a_task(TaskState.RUNNING, job_id=f"o{n}") for n in range(5)]
    assert len(release.release(many, out, workers_max=3)) == 1


def test_priority_goes_first_then_age() -> None:
    rows = [
        waiting("old", created_at=AT - 9),
        waiting("new", created_at=AT),
        waiting("urgent", created_at=AT, priority=10),
    ]
    assert [r.job_id for r in release.release(rows, [], 3)] == ["urgent", "old", "new"]


def test_a_task_named_twice_by_a_stale_index_is_released_once() -> None:
    assert len(release.release([waiting("j"), waiting("j")], [], 3)) == 1
    assert release.release([a_task(TaskState.RELEASED)], [], 3) == ()


def test_what_was_chosen_but_never_sent_is_found_after_a_while() -> None:
    chosen = a_task(TaskState.RELEASED, released_at=AT, enqueued=False)
    assert release.unsent([chosen], AT + 1) == ()
    assert release.unsent([chosen], AT + limits.HEAL_SECONDS + 1) == (chosen,)


def test_a_running_task_without_a_word_is_silent() -> None:
    running = a_task(reported_at=AT)
    assert release.silent([running], AT + limits.SILENCE_SECONDS) == ()
    assert release.silent([running], AT + limits.SILENCE_SECONDS + 1) == (running,)
