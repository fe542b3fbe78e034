"""What a plan means, and each transition by which one task becomes many and many become one."""

import dataclasses
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mayfly.contract.failure import failure
from mayfly.contract.plan import Plan, Scope
from mayfly.core import commands, limits, machine, parts
from mayfly.core import events as e
from mayfly.core.changes import Create, Update
from mayfly.core.decision import Decision
from mayfly.core.rows import (
    ENDS,
    JobHead,
    JobState,
    TaskRow,
    TaskState,
    head_key,
    plan_key,
    pool_key,
    spec_key,
    task_key,
    to_item,
)
from tests.unit.given import AT, PLAN, a_job, a_task, every_event
from tests.unit.splitting import plan_of

EVENTS = every_event()
PLANNED: e.TaskPlanned = EVENTS[e.TaskPlanned]
DRAWN: e.TokensDrawn = EVENTS[e.TokensDrawn]
COUNTED: e.TasksCounted = EVENTS[e.TasksCounted]
ENCODED: e.TaskEncoded = EVENTS[e.TaskEncoded]
OTHER = msgspec.structs.replace(PLAN, boundaries=(600_000, 1_080_000))
#: The same cuts on another clock.
SHIFTED = msgspec.structs.replace(PLAN, origin_ticks=0)
ALIVE = (TaskState.OPEN, TaskState.RELEASED, TaskState.RUNNING)


def a_planned_job(state: JobState = JobState.RUNNING, **fields: Any) -> JobHead:
    return a_job(state, **{"parts": 4, "opened": 4, "open_tasks": 4, **fields})


def a_chunk(state: TaskState = TaskState.RUNNING, number: int = 0, **fields: Any) -> TaskRow:
    return a_task(state, kind="chunk", number=number, scope=PLAN.scope(number), **fields)


def the(decision: Decision, key: object) -> Update:
    (found,) = [change for change in decision.changes if change.key == key]
    assert isinstance(found, Update)
    return found


# --- plans -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"boundaries": ()}, "1 chunks"),
        ({"boundaries": tuple(range(limits.CHUNKS_MAX))}, "10001 chunks"),
        ({"boundaries": (5, 5)}, "follow"),
        ({"boundaries": (5, 4)}, "follow"),
        ({"boundaries": (5, 2**63)}, "64 bits"),
        ({"origin_ticks": -(2**63)}, "64 bits"),
        ({"time_base": (0, 1)}, "tick"),
        ({"time_base": (1, 0)}, "tick"),
        ({"time_base": (1, -1)}, "tick"),
        ({"margin_seconds": -0.1}, "margin"),
        ({"margin_seconds": float("nan")}, "margin"),
        ({"margin_seconds": 90_000.0}, "margin"),
        ({"frame_ticks": 0}, "frames of 0 ticks"),
        ({"audio_tracks": -1}, "tracks"),
        ({"audio_tracks": limits.AUDIO_TRACKS_MAX + 1}, "tracks"),
    ],
)
def test_a_plan_that_cannot_be_carried_out_is_refused_with_what_is_wrong(
    changed: dict[str, Any], says: str
) -> None:
    assert says in parts.flaw(msgspec.structs.replace(PLAN, **changed))


def test_plans_up_to_the_limits_are_carried_out() -> None:
    assert parts.flaw(PLAN) == ""
    assert parts.flaw(plan_of(2, audio_tracks=0)) == ""
    assert parts.flaw(plan_of(limits.CHUNKS_MAX, limits.AUDIO_TRACKS_MAX)) == ""
    second = Plan(time_base=(1, 1), origin_ticks=0, margin_seconds=0.0, boundaries=(1,))
    assert parts.flaw(second) == "" and parts.count(second) == 2
    longest = float(limits.SOURCE_SECONDS_MAX)
    assert parts.flaw(msgspec.structs.replace(PLAN, margin_seconds=longest)) == ""


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 300), st.integers(0, 64))
def test_the_parts_of_a_plan_are_every_chunk_and_every_track_once(chunks: int, tracks: int) -> None:
    plan = plan_of(chunks, tracks)
    made = [parts.part(plan, index) for index in range(parts.count(plan))]
    assert len({part.task_id for part in made}) == chunks + tracks
    assert [part.number for part in made if part.kind == "chunk"] == list(range(chunks))
    assert [part.number for part in made if part.kind == "audio"] == list(range(tracks))
    # What one ends with the next begins with, so no tick is in none or in two of them.
    scopes = [part.scope for part in made if part.scope is not None]
    assert [scope.start_ticks for scope in scopes] == [None, *plan.boundaries]
    assert [scope.end_ticks for scope in scopes] == [*plan.boundaries, None]


def test_sound_is_opened_before_the_other_chunks_since_everybody_waits_for_it() -> None:
    made = [parts.part(PLAN, index).task_id for index in range(parts.count(PLAN))]
    assert made == ["encode", "audio-0", "chunk-00001", "chunk-00002"]


# --- planned -----------------------------------------------------------------------------------


def test_a_plan_makes_the_task_the_first_chunk_and_counts_all_the_others() -> None:
    decision = machine.advance(a_job(), a_task(), PLANNED)
    task = the(decision, task_key("job1", "encode"))
    assert (task.set["kind"], task.set["number"], task.set["fraction"]) == ("chunk", 0, 0.0)
    assert task.set["scope"] == to_item(PLAN.scope(0))
    assert task.set["state"] == "running" and task.require == {"version": 3}
    head = the(decision, head_key("job1"))
    assert head.add == {"open_tasks": 3}
    assert head.set == {"updated_at": AT, "parts": 4, "opened": 1}
    (plan,) = [change for change in decision.changes if change.key == plan_key("job1")]
    assert isinstance(plan, Create)
    assert msgspec.json.decode(plan.item["plan"], type=Plan) == PLAN
    assert the(decision, spec_key("job1")).set["clock"] == msgspec.structs.asdict(PLAN.clock)
    assert decision.commands == (commands.OpenTasks(job_id="job1"),)


def test_a_plan_that_is_heard_before_the_start_makes_job_and_task_run() -> None:
    decision = machine.advance(a_job(JobState.QUEUED), a_task(TaskState.RELEASED), PLANNED)
    task, head = the(decision, task_key("job1", "encode")), the(decision, head_key("job1"))
    assert task.set["state"] == "running" and task.set["attempt"] == "nonce1"
    assert head.set["state"] == "running" and head.set["parts"] == 4
    assert head.require == {"state": "queued"}


@pytest.mark.parametrize(
    "task",
    [a_task(TaskState.OPEN), a_task(TaskState.RELEASED, ended_attempts=("nonce1",))],
    ids=["open", "released anew"],
)
def test_a_plan_is_knowledge_even_from_an_attempt_that_has_ended(task: TaskRow) -> None:
    decision = machine.advance(a_job(), task, PLANNED)
    found = the(decision, task_key("job1", "encode"))
    assert found.set["kind"] == "chunk"
    assert found.set["state"] == task.state
    assert "attempt" not in found.set


@pytest.mark.parametrize("state", ALIVE)
def test_a_second_plan_changes_nothing_and_asks_again_for_what_a_crash_left(
    state: TaskState,
) -> None:
    again = dataclasses.replace(PLANNED, plan=OTHER)
    opened = machine.advance(a_planned_job(), a_chunk(state), again)
    assert opened.changes == () and opened.ignored
    assert commands.OpenTasks(job_id="job1") not in opened.commands
    unopened = machine.advance(a_planned_job(opened=1), a_chunk(state), again)
    assert unopened.changes == ()
    assert commands.OpenTasks(job_id="job1") in unopened.commands


@pytest.mark.parametrize("kind", ["audio", "finish", "chunk"])
def test_only_the_first_task_of_a_job_can_be_cut(kind: str) -> None:
    task = a_task(task_id="another", kind=kind)
    decision = machine.advance(a_planned_job(), task, PLANNED)
    assert decision.changes == () and decision.ignored


def test_a_users_own_task_cannot_be_cut_since_nobody_could_write_its_parts() -> None:
    decision = machine.advance(a_job(adopted=True), a_task(), PLANNED)
    assert decision.changes == () and decision.commands == () and decision.ignored


def test_a_plan_after_the_whole_was_done_stops_its_worker() -> None:
    decision = machine.advance(a_job(JobState.PUBLISHING), a_task(TaskState.DONE), PLANNED)
    assert decision.changes == ()
    assert [type(command) for command in decision.commands] == [commands.StopWorkers]


def test_a_plan_told_again_after_its_first_chunk_was_done_opens_what_a_crash_left() -> None:
    decision = machine.advance(a_planned_job(opened=1), a_chunk(TaskState.DONE), PLANNED)
    assert decision.changes == ()
    assert commands.OpenTasks(job_id="job1") in decision.commands


# --- opening -----------------------------------------------------------------------------------


def test_the_first_tasks_are_opened_behind_the_cursor_and_workers_are_called_for_them() -> None:
    drawn = dataclasses.replace(DRAWN, tokens=("token2", "token3"))
    decision = machine.advance(a_planned_job(opened=1), None, drawn)
    head = the(decision, head_key("job1"))
    assert head.set["opened"] == 3 and head.require["opened"] == 1
    created = [change.item for change in decision.changes if isinstance(change, Create)]
    assert [(row["task_id"], row["token"], row["state"]) for row in created] == [
        ("audio-0", "token2", "open"),
        ("chunk-00001", "token3", "open"),
    ]
    assert created[1]["scope"] == msgspec.to_builtins(PLAN.scope(1))
    names = frozenset({("job1", "audio-0"), ("job1", "chunk-00001")})
    assert decision.commands == (
        commands.ReleaseTasks(pool="standard", opened=names),
        commands.SeeToPool(pool="standard"),
        commands.OpenTasks(job_id="job1"),
    )


def test_the_last_tasks_are_opened_and_nothing_more_is_asked() -> None:
    decision = machine.advance(a_planned_job(opened=3), None, DRAWN)
    assert the(decision, head_key("job1")).set["opened"] == 4
    assert len([c for c in decision.changes if isinstance(c, Create)]) == 1
    assert decision.commands == ()


def test_a_batch_fits_into_one_transaction_however_many_tokens_there_are() -> None:
    plan = plan_of(1000)
    head = a_planned_job(parts=1001, opened=91, open_tasks=1001)
    tokens = tuple(f"t{n}" for n in range(500))
    decision = machine.advance(head, None, e.TokensDrawn(at=AT, plan=plan, tokens=tokens))
    assert len(decision.changes) == limits.ROWS_PER_TRANSACTION + 1 <= 100
    assert decision.commands == (commands.OpenTasks(job_id="job1"),)


@pytest.mark.parametrize("head", [a_planned_job(), a_job(JobState.QUEUED), a_job()])
def test_nothing_is_opened_twice(head: JobHead) -> None:
    decision = machine.advance(head, None, DRAWN)
    assert decision.changes == () and decision.commands == () and decision.ignored


@pytest.mark.parametrize("state", sorted(ENDS))
def test_nothing_is_opened_for_an_ended_job(state: JobState) -> None:
    decision = machine.advance(a_planned_job(state, opened=1), None, DRAWN)
    assert decision.changes == () and decision.ignored


def test_the_tick_opens_what_a_crash_left() -> None:
    left = machine.advance(a_planned_job(opened=3), None, EVENTS[e.TickPassed])
    assert commands.OpenTasks(job_id="job1") in left.commands
    whole = machine.advance(a_planned_job(), None, EVENTS[e.TickPassed])
    assert commands.OpenTasks(job_id="job1") not in whole.commands


# --- encoded -----------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ALIVE)
def test_a_chunk_that_is_the_tasks_is_taken_whoever_brings_it(state: TaskState) -> None:
    event = dataclasses.replace(ENCODED, scope=PLAN.scope(0))
    decision = machine.advance(a_planned_job(), a_chunk(state), event)
    assert the(decision, task_key("job1", "encode")).set["state"] == "done"
    took = {"chunks": 1, "done_ms": 0, "took_ms": 10_000}
    assert the(decision, head_key("job1")).add == {"open_tasks": -1, **took}


@pytest.mark.parametrize("state", ALIVE)
def test_a_chunk_before_its_plan_is_heard_again_later(state: TaskState) -> None:
    event = dataclasses.replace(ENCODED, scope=PLAN.scope(0))
    decision = machine.advance(a_job(), a_task(state), event)
    assert decision.too_early
    assert decision.changes == () and decision.commands == () and not decision.ignored


@pytest.mark.parametrize("scope", [None, OTHER.scope(0), SHIFTED.scope(0), PLAN.scope(1)], ids=str)
@pytest.mark.parametrize("state", [TaskState.RELEASED, TaskState.RUNNING])
def test_what_is_not_the_task_gives_it_back_and_is_counted(
    state: TaskState, scope: Scope | None
) -> None:
    event = dataclasses.replace(ENCODED, scope=scope)
    decision = machine.advance(a_planned_job(), a_chunk(state), event)
    task = the(decision, task_key("job1", "encode"))
    assert task.set["state"] == "open" and task.set["interruptions"] == 1
    assert task.set["failures"] == 1 and task.set["ended_attempts"] == ("nonce1",)
    assert the(decision, head_key("job1")).add == {"interruptions": 1}
    again = frozenset({("job1", "encode")})
    assert commands.ReleaseTasks(pool="standard", opened=again) in decision.commands


@pytest.mark.parametrize(
    "task",
    [
        a_chunk(TaskState.OPEN),
        a_chunk(TaskState.RELEASED, ended_attempts=("nonce1",)),
        a_chunk(attempt="other"),
    ],
    ids=["taken back", "told twice", "another is at work"],
)
def test_what_is_not_the_task_changes_nothing_for_those_who_have_it_now(task: TaskRow) -> None:
    event = dataclasses.replace(ENCODED, scope=OTHER.scope(0))
    decision = machine.advance(a_planned_job(), task, event)
    assert decision.ignored and decision.commands == ()
    assert [change.key.pk for change in decision.changes] == ["service#mayfly-standard-s1"]


def test_a_worker_that_never_brings_its_task_ends_the_job() -> None:
    task = a_chunk(failures=limits.UNKNOWN_TRIES_MAX - 1)
    decision = machine.advance(a_planned_job(), task, ENCODED)
    head = the(decision, head_key("job1"))
    assert head.set["state"] == "failed" and head.set["failure"]["code"] == "worker_failed"
    # What it cost is the job's all the same.
    assert "service#mayfly-standard-s1" in [change.key.pk for change in decision.changes]


@pytest.mark.parametrize("kind", ["audio", "finish"])
def test_a_part_that_is_no_chunk_is_taken_without_a_scope_only(kind: str) -> None:
    task = a_task(task_id="another", kind=kind)
    taken = machine.advance(a_planned_job(), task, ENCODED)
    assert the(taken, task_key("job1", "another")).set["state"] == "done"
    event = dataclasses.replace(ENCODED, scope=PLAN.scope(1))
    strayed = machine.advance(a_planned_job(), task, event)
    assert the(strayed, task_key("job1", "another")).set["state"] == "open"


def test_a_chunk_of_a_users_own_task_ends_its_job_since_its_message_is_gone() -> None:
    event = dataclasses.replace(ENCODED, scope=PLAN.scope(0))
    decision = machine.advance(a_job(adopted=True), a_task(), event)
    assert the(decision, head_key("job1")).set["state"] == "failed"


# --- joining, and the ends ---------------------------------------------------------------------


def test_when_the_last_part_is_done_one_task_is_opened_that_joins_them() -> None:
    decision = machine.advance(a_planned_job(open_tasks=0), None, COUNTED)
    head = the(decision, head_key("job1"))
    assert head.set["state"] == "finishing" and head.add == {"open_tasks": 1}
    assert head.require == {"state": "running", "open_tasks": 0}
    (task,) = [change for change in decision.changes if isinstance(change, Create)]
    assert task.key == task_key("job1", "finish")
    assert (task.item["kind"], task.item["number"], task.item["token"]) == ("finish", 0, "token9")
    again = frozenset({("job1", "finish")})
    assert decision.commands == (
        commands.ReleaseTasks(pool="standard", opened=again),
        commands.SeeToPool(pool="standard"),
    )


def test_a_planned_job_is_published_when_its_parts_are_joined() -> None:
    waiting = a_planned_job(JobState.FINISHING, open_tasks=1)
    assert machine.advance(waiting, None, COUNTED).ignored
    joined = machine.advance(a_planned_job(JobState.FINISHING, open_tasks=0), None, COUNTED)
    head = the(joined, head_key("job1"))
    assert head.set["state"] == "publishing"
    assert head.require == {"state": "finishing", "open_tasks": 0}
    assert the(joined, pool_key("standard")).add == {"open_jobs": -1}


def test_words_about_one_task_never_set_back_what_the_job_is_by_now() -> None:
    for kind in (e.TaskStarted, e.TaskEncoded, e.TaskInterrupted, e.TaskFailed):
        task = a_task(TaskState.RELEASED, kind="audio")
        decision = machine.advance(a_planned_job(), task, EVENTS[kind])
        assert "state" not in the(decision, head_key("job1")).set


@pytest.mark.parametrize("kind", [e.CancelRequested, e.PoolBroke])
def test_a_job_ends_while_its_parts_are_joined_like_at_any_other_time(kind: type) -> None:
    head = a_planned_job(JobState.FINISHING, open_tasks=1)
    decision = machine.advance(head, None, EVENTS[kind])
    assert the(decision, pool_key("standard")).add == {"open_jobs": -1}
    assert isinstance(decision.commands[0], commands.StopWorkers)


def test_bad_input_in_any_part_ends_the_job_stops_its_workers_and_makes_room() -> None:
    task = a_task(task_id="audio-0", kind="audio")
    decision = machine.advance(a_planned_job(), task, EVENTS[e.TaskRefused])
    assert decision.commands == (
        commands.StopWorkers(job_id="job1", reason="not_media"),
        commands.ReleaseTasks(pool="standard"),
        commands.SeeToPool(pool="standard"),
    )


def test_the_tick_stops_the_workers_of_an_ended_job_before_it_tells_the_outcome() -> None:
    failed = failure("worker_lost")
    ended = a_planned_job(JobState.FAILED, failure=failed)
    stop = commands.StopWorkers(job_id="job1", reason="worker_lost")
    assert machine.advance(ended, None, EVENTS[e.TickPassed]).commands == (stop,)
    asked = dataclasses.replace(EVENTS[e.RequestAccepted], request_id="mine")
    assert machine.advance(ended, None, asked).commands == (stop,)
    told = msgspec.structs.replace(ended, announced=True)
    announce = commands.AnnounceOutcome(job_id="job1")
    assert machine.advance(told, None, asked).commands == (announce,)


def test_the_head_of_ten_thousand_parts_is_as_small_as_any_other() -> None:
    head = a_planned_job(
        parts=limits.CHUNKS_MAX + limits.AUDIO_TRACKS_MAX,
        opened=limits.CHUNKS_MAX,
        open_tasks=limits.CHUNKS_MAX,
        story=tuple(f"SomeEventName{n}: publishing -> finishing" for n in range(7)),
        source="s3://b/" + "k" * 150,
        failure=failure("source_truncated"),
    )
    assert len(msgspec.json.encode(head)) < 1024
