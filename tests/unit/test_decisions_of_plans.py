"""What plans and their parts write and ask for, to the letter."""

import msgspec

from mayfly.contract.failure import failure
from mayfly.core import commands, machine
from mayfly.core import events as e
from mayfly.core.changes import Create, Key, Update
from mayfly.core.decision import WORKING, Decision
from mayfly.core.rows import JobState, TaskState
from tests.unit.given import AT, PLAN, a_job, a_task, every_event
from tests.unit.written import AT_WORK, FADES, HEAD, SPEC, moves

EVENTS = every_event()
OPEN_MORE = commands.OpenTasks(job_id="job1")
RELEASE = commands.ReleaseTasks(pool="standard")
SCOPE = msgspec.to_builtins(PLAN.scope(0))
CUT = {"kind": "chunk", "number": 0, "scope": SCOPE, "fraction": 0.0, "began_at": AT}


def test_a_plan_makes_the_task_its_first_chunk_and_counts_the_others() -> None:
    task = a_task(fraction=0.3)
    counts = Update(
        key=HEAD,
        set={"updated_at": AT, "parts": 4, "opened": 1},
        add={"open_tasks": 3},
        require={"state": WORKING},
    )
    plan = {"plan": msgspec.json.encode(PLAN).decode(), "expires_at": FADES}
    clock = Update(key=SPEC, set={"clock": msgspec.to_builtins(PLAN.clock)})
    beside = (counts, Create(key=Key("job#job1", "plan"), item=plan), clock)
    assert machine.advance(a_job(), task, EVENTS[e.TaskPlanned]) == Decision(
        changes=(moves(task, e.TaskPlanned, "running", **CUT, **AT_WORK), *beside),
        commands=(OPEN_MORE,),
    )
    waits = a_task(TaskState.OPEN)
    assert machine.advance(a_job(), waits, EVENTS[e.TaskPlanned]).changes == (
        moves(waits, e.TaskPlanned, "open", **CUT),
        *beside,
    )
    out = a_task(TaskState.RELEASED)
    assert machine.advance(a_job(), out, EVENTS[e.TaskPlanned]).changes == (
        moves(out, e.TaskPlanned, "running", **CUT, **AT_WORK),
        *beside,
    )


def test_a_plan_of_one_who_has_ended_is_taken_without_its_worker() -> None:
    task = a_task(TaskState.RELEASED, ended_attempts=("nonce1",))
    (moved, *_) = machine.advance(a_job(), task, EVENTS[e.TaskPlanned]).changes
    assert moved == moves(task, e.TaskPlanned, "released", **CUT)


def test_only_the_first_task_of_ours_is_cut_and_once() -> None:
    planned = EVENTS[e.TaskPlanned]
    reason = "only the first task of a job of ours is cut"
    assert machine.advance(a_job(adopted=True), a_task(), planned) == Decision(ignored=reason)
    other = a_task(task_id="chunk-00001")
    assert machine.advance(a_job(), other, planned) == Decision(ignored=reason)
    chunk = a_task(kind="chunk")
    assert machine.advance(a_job(parts=4), chunk, planned) == Decision(
        commands=(OPEN_MORE, RELEASE), ignored="it was planned before"
    )


def test_a_plan_for_what_is_done_stops_its_worker() -> None:
    stop = commands.StopWorkers(job_id="job1", task_id="encode", reason="done")
    done = a_task(TaskState.DONE)
    assert machine.advance(a_job(parts=4), done, EVENTS[e.TaskPlanned]) == Decision(
        commands=(stop, OPEN_MORE), ignored="the task is done"
    )
    ended = a_job(JobState.FAILED, failure=failure("not_media"))
    assert machine.advance(ended, a_task(), EVENTS[e.TaskPlanned]).changes == ()


def test_the_next_parts_get_rows_and_the_first_of_them_workers() -> None:
    drawn = e.TokensDrawn(at=AT, plan=PLAN, tokens=("t2", "t3"))
    some = machine.advance(a_job(parts=4), None, drawn)
    cursor = Update(
        key=HEAD,
        set={"updated_at": AT, "opened": 3},
        require={"state": WORKING, "opened": 1},
    )
    first, second = some.changes[1:]
    assert some.changes[0] == cursor
    assert [_part(first), _part(second)] == [
        ("task#audio-0", "t2", "audio", 0, None, FADES),
        ("task#chunk-00001", "t3", "chunk", 1, msgspec.to_builtins(PLAN.scope(1)), FADES),
    ]
    opened = frozenset({("job1", "audio-0"), ("job1", "chunk-00001")})
    called = (
        commands.ReleaseTasks(pool="standard", opened=opened),
        commands.SeeToPool(pool="standard"),
    )
    assert some.commands == (*called, OPEN_MORE)
    rest = machine.advance(a_job(parts=4, opened=3), None, drawn)
    (last,) = rest.changes[1:]
    scope = msgspec.to_builtins(PLAN.scope(2))
    assert _part(last) == ("task#chunk-00002", "t2", "chunk", 2, scope, FADES)
    assert rest.commands == ()
    assert machine.advance(a_job(parts=4, opened=4), None, drawn) == Decision(
        ignored="every task of the plan is opened"
    )


def _part(change: object) -> tuple[object, ...]:
    assert isinstance(change, Create)
    at = ("token", "kind", "number", "scope", "expires_at")
    return (change.key.sk, *(change.item[name] for name in at))


def test_when_every_part_is_done_one_more_task_joins_them() -> None:
    decision = machine.advance(a_job(open_tasks=0, parts=4, opened=4), None, EVENTS[e.TasksCounted])
    moved, finish = decision.changes
    assert moved == Update(
        key=HEAD,
        set={"state": "finishing", "updated_at": AT},
        add={"open_tasks": 1},
        require={"state": "running", "open_tasks": 0},
        append={"story": ("TasksCounted: running -> finishing",)},
    )
    assert _part(finish) == ("task#finish", "token9", "finish", 0, None, FADES)
    opened = frozenset({("job1", "finish")})
    assert decision.commands == (
        commands.ReleaseTasks(pool="standard", opened=opened),
        commands.SeeToPool(pool="standard"),
    )
