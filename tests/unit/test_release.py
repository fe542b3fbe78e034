"""Which tasks are on the queue."""

import random
from collections.abc import Sequence

from mayfly.contract.request import DEADLINE_SECONDS_MAX
from mayfly.core import limits, release
from mayfly.core.rows import TaskRow, TaskState, TenantRow
from tests.unit.given import AT, a_task


def waiting(name: str, **fields: object) -> TaskRow:
    return a_task(TaskState.OPEN, job_id=name, **fields)


def film(name: str, chunks: int, **fields: object) -> list[TaskRow]:
    return [
        waiting(name, task_id=f"chunk-{number:05d}", kind="chunk", number=number, **fields)
        for number in range(chunks)
    ]


def lines(*rows: TaskRow) -> list[release.Line]:
    """One line a tenant, in the order of their names."""
    tenants = sorted({row.tenant for row in rows})
    return [release.line(t, [row for row in rows if row.tenant == t]) for t in tenants]


def chosen(rows: Sequence[TaskRow], out: Sequence[TaskRow] = (), room: int = 99) -> list[str]:
    """Jobs in the order in which their tasks go out."""
    return [row.job_id for row in release.release(lines(*rows), out, room)]


def test_about_twice_as_many_tasks_as_workers_are_released() -> None:
    assert release.room([], workers_max=3) == 6
    assert release.room([a_task(job_id=f"o{n}") for n in range(5)], workers_max=3) == 1
    assert release.room([a_task(job_id=f"o{n}") for n in range(9)], workers_max=3) == 0
    many = [waiting(f"j{n:03}") for n in range(100)]
    assert len(chosen(many, room=6)) == 6


def test_priority_goes_first_then_age() -> None:
    rows = [
        waiting("old", accepted_at=AT - 9),
        waiting("new", accepted_at=AT),
        waiting("urgent", accepted_at=AT, priority=10),
        waiting("whenever", accepted_at=AT - 99, priority=-50),
    ]
    assert chosen(rows) == ["urgent", "old", "new", "whenever"]


def test_the_nearest_deadline_goes_first_and_none_last() -> None:
    rows = [
        waiting("never", accepted_at=AT - 60),
        waiting("tomorrow", deadline_at=AT + 86_400),
        waiting("late already", deadline_at=AT - 5),
        waiting("in a week", deadline_at=AT + DEADLINE_SECONDS_MAX - 61),
        waiting("soon", deadline_at=AT + 60),
    ]
    assert chosen(rows) == ["late already", "soon", "tomorrow", "in a week", "never"]


def test_a_priority_is_worth_more_than_a_deadline() -> None:
    rows = [waiting("soon", deadline_at=AT + 60), waiting("urgent", priority=1)]
    assert chosen(rows) == ["urgent", "soon"]


def test_a_clip_goes_before_every_further_chunk_of_a_film_of_the_same_tenant() -> None:
    clip = waiting("clip", accepted_at=AT + 600)
    assert chosen([*film("film", 10_000)[1:], clip], room=1) == ["clip"]


def test_films_take_turns_chunk_by_chunk_and_a_new_one_catches_up_first() -> None:
    old, new = film("old", 6)[3:], film("new", 6, accepted_at=AT + 60)
    assert chosen([*old, *new]) == [*["new"] * 3, "old", "new", "old", "new", "old", "new"]


def test_films_due_at_the_same_time_take_turns() -> None:
    rows = [*film("b", 2, deadline_at=AT + 60), *film("a", 2, deadline_at=AT + 60)]
    assert chosen(rows) == ["a", "b", "a", "b"]


def test_chunks_go_in_the_order_of_their_numbers_and_sound_and_finish_first() -> None:
    numbers = [row.number for row in release.release(lines(*film("film", 10_000)[1:]), (), 9_999)]
    assert numbers == list(range(1, 10_000))
    sound = waiting("film", task_id="audio-7", kind="audio", number=7)
    finish = waiting("film", task_id="finish", kind="finish")
    first = release.release(lines(*film("film", 9)[1:], finish, sound), (), 3)
    assert [row.kind for row in first] == ["audio", "finish", "chunk"]


def test_newcomers_cannot_pass_a_chunk_for_longer_than_its_rounds() -> None:
    third = film("film", 4)[3]
    in_time = waiting("early", accepted_at=AT + 3 * limits.ROUND_SECONDS - 1)
    too_late = waiting("late", accepted_at=AT + 3 * limits.ROUND_SECONDS + 1)
    assert chosen([too_late, third, in_time]) == ["early", "film", "late"]


def test_a_thousand_clips_of_one_tenant_do_not_stand_before_the_one_of_another() -> None:
    many = [waiting(f"a{n:04}", tenant="ann", accepted_at=AT - 999) for n in range(1000)]
    one = waiting("b", tenant="bob")
    out = [a_task(job_id=f"o{n}", tenant="ann") for n in range(5)]
    assert chosen([*many, one], out, room=1) == ["b"]
    assert chosen([*many, one], room=2) == ["a0000", "b"]


def test_tenants_share_the_queue_whatever_they_have_waiting() -> None:
    rows = [waiting(f"{t}{n}", tenant=t) for t in ("ann", "bob", "cid") for n in range(9)]
    out = [a_task(job_id=f"o{n}", tenant="ann") for n in range(2)]
    picked = release.release(lines(*rows), out, 4)
    assert [row.tenant for row in picked] == ["bob", "cid", "bob", "cid"]


def test_of_tenants_with_as_many_tasks_out_the_one_goes_first_that_waited_longest() -> None:
    ann, bob = waiting("a", tenant="ann"), waiting("b", tenant="bob", accepted_at=AT - 999)
    assert [row.job_id for row in release.release([*lines(ann), *lines(bob)], (), 1)] == ["a"]
    assert [row.job_id for row in release.release([*lines(bob), *lines(ann)], (), 1)] == ["b"]


def test_a_tenant_does_not_pass_another_by_giving_deadlines() -> None:
    ann = waiting("a", tenant="ann")
    bob = waiting("b", tenant="bob", deadline_at=AT + 60)
    assert chosen([bob, ann]) == ["a", "b"]


def test_urgent_work_of_a_tenant_with_much_out_still_goes_first() -> None:
    rows = [waiting("a", tenant="ann", priority=1), waiting("b", tenant="bob")]
    out = [a_task(job_id=f"o{n}", tenant="ann") for n in range(5)]
    assert chosen(rows, out) == ["a", "b"]


def test_a_task_named_twice_by_a_stale_index_is_released_once() -> None:
    assert chosen([waiting("j"), waiting("j")]) == ["j"]
    assert chosen([a_task(TaskState.RELEASED)]) == []


def tenant_rows(*counts: int) -> list[TenantRow]:
    return [TenantRow(tenant=f"t{n:02}", open_jobs=count) for n, count in enumerate(counts)]


def test_of_many_tenants_those_are_looked_at_whose_turns_are_longest_ago() -> None:
    looked = release.looked_at(tenant_rows(*[0, 1] * 25), ())
    assert [len(some) for some in looked] == [limits.TENANTS_LOOKED_AT_MAX, 5]
    assert [row.tenant for row in looked[0][:3]] == ["t01", "t03", "t05"]


def test_tenants_of_whom_much_is_out_are_looked_at_last() -> None:
    out = [a_task(tenant="t00"), a_task(tenant="t00"), a_task(tenant="t01")]
    (looked,) = release.looked_at(tenant_rows(1, 1, 1, 1), out)
    assert [row.tenant for row in looked] == ["t02", "t03", "t01", "t00"]


def test_within_one_look_too_whoever_was_served_goes_behind_the_others() -> None:
    ann = [waiting(f"a{n}", tenant="ann") for n in range(3)]
    bob = [waiting(f"b{n}", tenant="bob") for n in range(3)]
    assert chosen([*ann, *bob], [a_task(tenant="bob")]) == ["a0", "b0", "a1", "b1", "a2", "b2"]


def test_turns_are_noted_only_when_there_is_somebody_to_take_them_from() -> None:
    alone = tenant_rows(1, 0)
    task = waiting("j", tenant="t00")
    assert release.turned(alone, lines(task), [task]) == ()
    assert release.turned(tenant_rows(1, 1), lines(task), [task]) == ("t00",)
    nothing = [release.Line(tenant="t01", tasks=())]
    assert release.turned(tenant_rows(1, 1), [*lines(task), *nothing], []) == ()


def test_a_tenant_without_waiting_tasks_makes_room_when_not_all_may_be_known() -> None:
    crowd = tenant_rows(*[1] * limits.TENANTS_READ_MAX)
    task = waiting("j", tenant="t05")
    nothing = [release.Line(tenant="t01", tasks=())]
    assert release.turned(crowd, [*nothing, *lines(task)], []) == ("t01",)


def test_the_index_sorts_tasks_as_their_rules_do() -> None:
    chance = random.Random(7)
    rows = [
        waiting(
            f"j{n}",
            kind=chance.choice(("encode", "chunk", "audio")),
            number=chance.choice((0, 1, 9, 10, 99_999)),
            priority=chance.choice((-50, -1, 0, 5, 50)),
            deadline_at=chance.choice((None, 0.001, AT, AT + 0.25, AT + 9e8)),
            accepted_at=AT - chance.randint(0, 9),
        )
        for n in range(500)
    ]

    def rules(row: TaskRow) -> tuple[object, ...]:
        return -row.priority, release.due_at(row), release.round_of(row), row.job_id

    assert sorted(rows, key=release.order_of) == sorted(rows, key=rules)


def test_what_was_chosen_but_never_sent_is_found_after_a_while() -> None:
    chosen = a_task(TaskState.RELEASED, released_at=AT, enqueued=False)
    assert release.unsent([chosen], AT + 1) == ()
    assert release.unsent([chosen], AT + limits.HEAL_SECONDS + 1) == (chosen,)


def test_a_running_task_without_a_word_is_silent() -> None:
    running = a_task(reported_at=AT)
    assert release.silent([running], AT + limits.SILENCE_SECONDS) == ()
    assert release.silent([running], AT + limits.SILENCE_SECONDS + 1) == (running,)
