"""Where the rules of the queue begin and end: at which second, at which count."""

import pytest
from msgspec.structs import replace

from mayfly.core import limits, parts, release
from mayfly.core.release import Line
from mayfly.core.rows import TaskRow, TaskState, TenantRow
from tests.unit.given import AT, PLAN, a_task
from tests.unit.splitting import plan_of

SILENCE = limits.SILENCE_SECONDS


def out(state: TaskState, name: str = "t", **fields: object) -> TaskRow:
    given: dict[str, object] = {"task_id": name, "created_at": 0.0}
    return a_task(state, **(given | fields))


def sent(name: str, at: float, **fields: object) -> TaskRow:
    return out(TaskState.RELEASED, name, **({"enqueued": True, "released_at": at} | fields))


def test_what_was_chosen_is_sent_again_after_a_while_if_it_was_not_sent() -> None:
    late = out(TaskState.RELEASED, released_at=AT - limits.HEAL_SECONDS - 1)
    assert release.unsent([late], AT) == (late,)
    assert release.unsent([late], AT - 1) == ()
    assert release.unsent([sent("t", AT - 9999)], AT) == ()
    assert release.unsent([out(TaskState.RUNNING, released_at=1.0)], AT) == ()
    never = out(TaskState.RELEASED)
    assert release.unsent([never], limits.HEAL_SECONDS + 0.5) == (never,)


def test_a_message_is_missed_when_fewer_are_there_than_tasks_wait() -> None:
    old = [sent(f"t{n}", AT - SILENCE - 9 + n) for n in range(3)]
    mixed = (old[2], old[0], old[1])
    assert release.vanished(mixed, 0, 0, AT) == tuple(old)
    assert release.vanished(mixed, 1, 0, AT) == tuple(old[:2])
    assert release.vanished(mixed, 0, 2, AT) == tuple(old[:1])
    assert release.vanished(mixed, 3, 0, AT) == release.vanished(mixed, 9, 9, AT) == ()


def test_messages_in_the_hands_of_workers_that_run_are_theirs() -> None:
    old = sent("t1", AT - SILENCE - 9)
    running = [out(TaskState.RUNNING, f"r{n}") for n in range(2)]
    assert release.vanished((old, *running), 0, 2, AT) == (old,)
    assert release.vanished((old, *running), 0, 3, AT) == ()
    assert release.vanished((old, *running), 0, 0, AT) == (old,)


def test_only_what_has_waited_for_long_is_missed() -> None:
    young = sent("t1", AT - SILENCE)
    assert release.vanished((young,), 0, 0, AT) == ()
    unsent = out(TaskState.RELEASED, released_at=1.0)
    assert release.vanished((unsent,), 0, 0, AT) == ()


def test_a_task_last_moved_when_it_was_made_sent_or_heard_of() -> None:
    row = a_task(created_at=5.0)
    assert release.last_moved(row) == 5.0
    assert release.last_moved(a_task(created_at=5.0, released_at=7.0)) == 7.0
    assert release.last_moved(a_task(created_at=5.0, released_at=7.0, reported_at=9.0)) == 9.0
    assert release.last_moved(a_task(created_at=0.0)) == 0.0
    assert release.is_overdue(row, 5.0 + SILENCE + 1)
    assert not release.is_overdue(row, 5.0 + SILENCE)


def test_silence_counts_from_the_last_word_or_from_the_beginning() -> None:
    heard = out(TaskState.RUNNING, reported_at=AT)
    assert release.silent([heard], AT + SILENCE + 1) == (heard,)
    assert release.silent([heard], AT + SILENCE) == ()
    never = out(TaskState.RUNNING, created_at=AT)
    assert release.silent([never], AT + SILENCE + 1) == (never,)
    assert release.silent([never], AT + SILENCE) == ()
    assert release.silent([out(TaskState.RELEASED)], AT) == ()


def test_only_chunks_come_in_rounds() -> None:
    assert release.round_of(a_task(kind="chunk", number=4)) == 4
    assert release.round_of(a_task(kind="audio", number=4)) == 0
    due = AT + limits.UNHURRIED_SECONDS
    assert release.due_at(a_task(kind="audio", number=4)) == due
    chunk = a_task(kind="chunk", number=4)
    assert release.due_at(chunk) == due + 4 * limits.ROUND_SECONDS
    assert release.due_at(a_task(deadline_at=7.0)) == 7.0


def test_places_in_the_index_sort_as_text() -> None:
    task = a_task(kind="chunk", number=4, priority=-3, deadline_at=7.0)
    assert release.order_of(task) == "053#0000000000007.000#00004#job1#encode"


def waiting(tenant: str, count: int) -> Line:
    rows = tuple(
        a_task(TaskState.OPEN, task_id=f"{tenant}{n}", tenant=tenant) for n in range(count)
    )
    return Line(tenant=tenant, tasks=rows)


def test_each_task_that_goes_out_counts_against_its_tenant() -> None:
    held = [a_task(task_id=f"h{n}", tenant="b") for n in range(2)]
    chosen = release.release([waiting("a", 4), waiting("b", 2)], held, 5)
    assert [row.task_id for row in chosen] == ["a0", "a1", "b0", "a2", "b1"]
    assert release.release([waiting("a", 2)], (), 0) == ()


def test_room_is_twice_the_workers_less_what_is_out() -> None:
    two = [a_task(), a_task()]
    assert release.room(two, 3) == 4 and release.room((), 3) == 6
    assert release.room(two, 1) == release.room(two, 0) == 0


def tenants(count: int, jobs: int = 1) -> list[TenantRow]:
    return [TenantRow(tenant=f"t{n:03d}", open_jobs=jobs) for n in range(count)]


def test_a_turn_is_of_those_served_and_of_those_with_nothing_when_there_may_be_more() -> None:
    lines = [waiting("t000", 1), waiting("t001", 1), Line(tenant="t002", tasks=())]
    chosen = lines[1].tasks
    assert release.turned(tenants(2), lines, chosen) == ("t001",)
    assert release.turned(tenants(1), lines, chosen) == ()
    assert release.turned([*tenants(1), *tenants(5, jobs=0)], lines, chosen) == ()
    many = tenants(limits.TENANTS_READ_MAX)
    assert release.turned(many, lines, chosen) == ("t001", "t002")
    assert release.turned(many[1:], lines, chosen) == ("t001",)


def test_lines_are_read_some_at_a_time_of_those_who_have_something() -> None:
    size = limits.TENANTS_LOOKED_AT_MAX
    rows = tenants(size + 1)
    first, second = release.looked_at([*tenants(3, jobs=0), *rows], ())
    assert (first, second) == (rows[:size], rows[size:])
    assert release.looked_at(tenants(1, jobs=0), ()) == []


@pytest.mark.parametrize(
    ("change", "flaw"),
    [
        ({"time_base": (0, 5)}, "a tick of 0/5 s"),
        ({"time_base": (5, 0)}, "a tick of 5/0 s"),
        ({"margin_seconds": -0.5}, "a margin of -0.5 s"),
        ({"boundaries": ()}, f"1 chunks, where 2 to {limits.CHUNKS_MAX} may be"),
        ({"audio_tracks": -1}, f"-1 sound tracks, at most {limits.AUDIO_TRACKS_MAX}"),
        ({"boundaries": (5, 5)}, "cuts that do not follow each other"),
        ({"origin_ticks": limits.TICKS_MAX + 1}, "ticks beyond 64 bits"),
        ({"boundaries": (-limits.TICKS_MAX - 1, 5)}, "ticks beyond 64 bits"),
        ({"time_base": (limits.TICKS_MAX + 1, 1)}, "ticks beyond 64 bits"),
        ({"time_base": (1, limits.TICKS_MAX + 1)}, "ticks beyond 64 bits"),
    ],
)
def test_a_plan_that_cannot_be_carried_out_says_why(change: dict[str, object], flaw: str) -> None:
    assert parts.flaw(replace(PLAN, **change)) == flaw


def test_a_plan_may_be_as_large_as_its_limits() -> None:
    assert parts.flaw(PLAN) == ""
    largest = replace(
        PLAN,
        origin_ticks=limits.TICKS_MAX,
        margin_seconds=float(limits.SOURCE_SECONDS_MAX),
        audio_tracks=limits.AUDIO_TRACKS_MAX,
    )
    assert parts.flaw(largest) == ""
    assert parts.flaw(replace(PLAN, margin_seconds=0.0, audio_tracks=0, boundaries=(1,))) == ""
    assert parts.flaw(plan_of(limits.CHUNKS_MAX, audio_tracks=0)) == ""
    assert parts.flaw(plan_of(limits.CHUNKS_MAX + 1, audio_tracks=0)) != ""
    beyond = replace(PLAN, margin_seconds=limits.SOURCE_SECONDS_MAX + 0.5)
    assert parts.flaw(beyond).startswith("a margin of ")
