"""What each event of a job writes and asks for, to the letter: rows are read by other versions of
the code, by indexes and by DynamoDB's TTL, none of which forgives a name that is a letter off.
"""

import dataclasses
from typing import Any

import msgspec
import pytest

from mayfly.contract.failure import failure
from mayfly.core import commands, machine
from mayfly.core import events as e
from mayfly.core.changes import Create, Key, Put, Update
from mayfly.core.decision import UNFINISHED, Decision
from mayfly.core.limits import RECORD_SECONDS
from mayfly.core.rows import JobHead, JobState, TaskState
from tests.unit.given import AT, RECIPE, SOURCE, a_job, an_acceptance, every_event
from tests.unit.written import FADES, GOES, HEAD, SPEC, counted, ends, why

EVENTS = every_event()
LATER = AT + 100
ORDER = f"{AT:017.3f}#job1"
RECIPE_JSON = msgspec.json.encode(RECIPE).decode()
SEE = commands.SeeToPool(pool="standard")
RELEASE = commands.ReleaseTasks(pool="standard")
FIRST = commands.ReleaseTasks(pool="standard", opened=frozenset({("job1", "encode")}))
ANNOUNCE = commands.AnnounceOutcome(job_id="job1")
#: What the fields of a row are until something is known.
NEW_HEAD: dict[str, Any] = msgspec.to_builtins(
    JobHead(
        job_id="job1",
        state=JobState.QUEUED,
        tenant="default",
        pool="standard",
        preset="mp4-720p",
        source="s3://media/uploads/mp4-720p/a clip.mp4",
        run=1,
        priority=0,
        accepted_at=AT,
        updated_at=AT,
        open_tasks=1,
    )
)
NEW_SPEC = {"recipe": "", "source": None, "uploaded": False, "clock": None, "request": ""}


def decide(head: JobHead | None, event: e.Event) -> Decision:
    return machine.advance(head, None, event)


def task_of(event: str, state: str, **fields: Any) -> dict[str, Any]:
    """The first task's row as it is written."""
    row = {
        "job_id": "job1",
        "task_id": "encode",
        "state": state,
        "pool": "standard",
        "tenant": "default",
        "token": "token1",
        "priority": 0,
        "accepted_at": AT,
        "deadline_at": None,
        "created_at": AT,
        "story": (f"{event}: nothing -> {state}",),
        "expires_at": FADES,
    }
    return row | fields


def covers(item: Any, expected: dict[str, Any]) -> bool:
    """Whether a row holds this; what it does not name is at rest."""
    rest = {key: value for key, value in item.items() if key not in expected}
    return {key: item.get(key) for key in expected} == expected and not any(rest.values())


def test_a_new_job_is_a_head_a_spec_a_task_and_a_count() -> None:
    asked = an_acceptance(deadline_seconds=60, request_id="mine", upload="u1", priority=2)
    head, spec, task, *rest = decide(None, asked).changes
    assert head == Create(
        key=HEAD,
        item=NEW_HEAD
        | {"priority": 2, "deadline_at": AT + 60, "gpk": "jobs#open", "gsk": ORDER}
        | {"story": ("RequestAccepted: nothing -> queued",)},
    )
    assert spec == Create(
        key=SPEC,
        item=NEW_SPEC
        | {"recipe": RECIPE_JSON, "source": msgspec.to_builtins(SOURCE), "uploaded": True}
        | {"expires_at": FADES},
    )
    assert isinstance(task, Create) and task.key == Key("job#job1", "task#encode")
    placed = {"priority": 2, "deadline_at": AT + 60, "gpk": "tasks#standard#open#default"}
    gsk = task.item["gsk"]
    written = task_of("RequestAccepted", "open", kind="encode", gsk=gsk, **placed)
    assert covers(task.item, written)
    fading = {"at": AT, "expires_at": GOES}
    assert tuple(rest) == (
        *counted(+1),
        Put(key=Key("job#job1", "request#mine"), item={"request_id": "mine", **fading}),
        Put(key=Key("upload#u1", "seen"), item={"job_id": "job1", **fading}),
    )


def test_a_job_without_an_upload_or_a_deadline_says_neither() -> None:
    head, spec, *rest = decide(None, an_acceptance()).changes
    assert isinstance(head, Create) and head.item["deadline_at"] is None
    assert isinstance(spec, Create) and spec.item["uploaded"] is False
    assert tuple(rest[1:]) == counted(+1)


def test_the_same_request_joins_the_job_if_it_still_goes_on() -> None:
    going: tuple[commands.Command, ...] = (FIRST, SEE)
    upload = decide(a_job(), an_acceptance(at=LATER, upload="u1"))
    assert upload == Decision(
        changes=(
            Put(
                key=Key("upload#u1", "seen"),
                item={"job_id": "job1", "at": LATER, "expires_at": int(LATER) + RECORD_SECONDS},
            ),
            Update(key=SPEC, set={"uploaded": True}),
            Update(key=HEAD, require={"state": UNFINISHED}),
        ),
        commands=going,
    )
    assert decide(a_job(), an_acceptance()) == Decision(commands=going)


REFUSED = e.RequestRefused(
    at=AT,
    job_id="job1",
    tenant="acme",
    preset="p",
    source="s",
    failure=failure("request_unprocessable"),
    request="{}",
)
REMEMBERED = Put(key=SPEC, item=NEW_SPEC | {"request": "{}", "expires_at": GOES})


def test_a_refused_request_is_a_job_that_has_failed_and_remembers_its_message() -> None:
    refused = NEW_HEAD | {"state": "failed", "tenant": "acme", "pool": "", "preset": "p"}
    refused |= {"source": "s", "open_tasks": 0, "ended_at": AT}
    refused |= {"failure": why("request_unprocessable")}
    refused |= {"story": ("RequestRefused: nothing -> failed",)}
    refused |= {"gpk": "jobs#open", "gsk": ORDER, "expires_at": GOES}
    head = Create(key=HEAD, item=refused)
    assert decide(None, REFUSED) == Decision(changes=(head, REMEMBERED), commands=(ANNOUNCE,))
    silent = dataclasses.replace(REFUSED, request="")
    assert decide(None, silent).changes == (head,)


def test_a_request_that_dies_again_is_remembered_again() -> None:
    died = a_job(JobState.FAILED, failure=failure("request_unprocessable"))
    again = (Update(key=HEAD, set={"rerun_at": 0.0}), REMEMBERED)
    unnamed = "the job has ended, and nobody asked by a name of their own"
    assert decide(died, REFUSED) == Decision(changes=again, ignored=unnamed)
    named = dataclasses.replace(REFUSED, request_id="mine")
    name = Put(
        key=Key("job#job1", "request#mine"),
        item={"request_id": "mine", "at": AT, "expires_at": GOES},
    )
    assert decide(died, named) == Decision(changes=(name, *again), commands=(ANNOUNCE,))


@pytest.mark.parametrize(
    ("head", "event"),
    [
        (a_job(JobState.FAILED, failure=failure("not_media")), REFUSED),
        (a_job(JobState.SUCCEEDED), REFUSED),
        (
            a_job(JobState.FAILED, failure=failure("request_unprocessable")),
            dataclasses.replace(REFUSED, request=""),
        ),
    ],
)
def test_a_request_that_dies_after_its_job_came_to_another_end_changes_nothing(
    head: JobHead, event: e.RequestRefused
) -> None:
    assert decide(head, event).changes == ()


def test_whoever_is_refused_after_a_planned_job_failed_hears_when_its_workers_are_stopped() -> None:
    failed = a_job(JobState.FAILED, parts=3, failure=failure("not_media"))
    told = decide(failed, dataclasses.replace(REFUSED, request_id="mine"))
    assert told.commands == (commands.StopWorkers(job_id="job1", reason="not_media"),)


def test_an_adopted_task_is_a_job_whose_worker_has_begun() -> None:
    decision = decide(None, EVENTS[e.TaskAdopted])
    head, spec, task, *rest = decision.changes
    adopted = {"state": "running", "preset": "custom", "source": "u", "adopted": True}
    adopted |= {"attempts": 1}
    adopted |= {"story": ("TaskAdopted: nothing -> running",), "gpk": "jobs#open", "gsk": ORDER}
    assert head == Create(key=HEAD, item=NEW_HEAD | adopted)
    assert spec == Create(key=SPEC, item=NEW_SPEC | {"recipe": RECIPE_JSON, "expires_at": FADES})
    assert isinstance(task, Create)
    at_work = {"attempt": "nonce1", "worker": "w1", "services": ("s",), "reported_at": AT}
    at_work |= {"attempts": 1, "heard_attempts": ("nonce1",)}
    placed = {"kind": "encode", "gpk": "tasks#standard#out", "gsk": task.item["gsk"]}
    assert covers(task.item, task_of("TaskAdopted", "running", **at_work, **placed))
    first = Put(key=Key("service#s", "first#w1"), item={"act": "began", "expires_at": GOES})
    assert tuple(rest) == (*counted(+1), first)
    assert decision.commands == (SEE,)


def test_a_worker_that_names_no_service_adopts_all_the_same() -> None:
    alone = decide(None, dataclasses.replace(EVENTS[e.TaskAdopted], service=""))
    _, _, task, *rest = alone.changes
    assert isinstance(task, Create) and task.item["services"] == ()
    assert tuple(rest) == counted(+1)


def test_the_last_task_leads_to_publishing_and_frees_the_pool() -> None:
    counting = EVENTS[e.TasksCounted]
    moved = Update(
        key=HEAD,
        set={"state": "publishing", "updated_at": AT},
        require={"state": "running", "open_tasks": 0},
        append={"story": ("TasksCounted: running -> publishing",)},
    )
    publish = commands.PublishOutputs(job_id="job1")
    assert decide(a_job(open_tasks=0), counting) == Decision(
        changes=(moved, *counted(-1)), commands=(SEE, publish)
    )
    assert decide(a_job(open_tasks=2), counting) == Decision(ignored="2 tasks are open")


def test_a_job_of_two_parts_is_joined_first() -> None:
    decision = decide(a_job(open_tasks=0, parts=2), EVENTS[e.TasksCounted])
    (head, _) = decision.changes
    assert isinstance(head, Update) and head.set["state"] == "finishing"


def test_the_end_of_an_adopted_job_is_told_when_its_task_is_done() -> None:
    decision = decide(a_job(open_tasks=0, adopted=True), EVENTS[e.TasksCounted])
    end = ends("succeeded", "TasksCounted: running -> succeeded")
    assert decision == Decision(changes=(end, *counted(-1)), commands=(ANNOUNCE, SEE))


def test_published_outputs_are_success_and_outputs_that_never_will_be_are_failure() -> None:
    head = a_job(JobState.PUBLISHING)
    good = ends("succeeded", "OutputsPublished: publishing -> succeeded", "publishing")
    told = (ANNOUNCE, SEE)
    assert decide(head, EVENTS[e.OutputsPublished]) == Decision(changes=(good,), commands=told)
    bad = ends(
        "failed",
        "PublishFailed: publishing -> failed",
        "publishing",
        failure=why("publish_failed"),
    )
    assert decide(head, EVENTS[e.PublishFailed]) == Decision(changes=(bad,), commands=told)


@pytest.mark.parametrize(
    ("event", "state", "code", "detail"),
    [
        (e.CancelRequested(at=AT), "cancelled", "cancelled", ""),
        (e.PoolBroke(at=AT, detail="5 times"), "failed", "pool_broken", "5 times"),
    ],
)
def test_whoever_ends_a_job_at_work_stops_its_workers_and_frees_the_pool(
    event: e.Event, state: str, code: str, detail: str
) -> None:
    end = ends(state, f"{type(event).__name__}: running -> {state}", failure=why(code, detail))
    stop = commands.StopWorkers(job_id="job1", reason=code)
    assert decide(a_job(), event) == Decision(
        changes=(end, *counted(-1)), commands=(stop, RELEASE, SEE)
    )


def test_the_tick_asks_again_for_all_that_a_crash_may_have_left() -> None:
    tick = EVENTS[e.TickPassed]
    settled = commands.SeeToPool(pool="standard", settled=True)
    asked = (RELEASE, settled, commands.CountTasks(job_id="job1"))
    assert decide(a_job(), tick) == Decision(commands=asked)
    opened = commands.OpenTasks(job_id="job1")
    assert decide(a_job(parts=3), tick) == Decision(commands=(opened, *asked))
    assert decide(a_job(JobState.PUBLISHING), tick) == Decision(
        commands=(commands.PublishOutputs(job_id="job1"),)
    )
    assert decide(a_job(JobState.FAILED), tick) == Decision(commands=(ANNOUNCE,))
    assert decide(a_job(JobState.FAILED, announced=True), tick) == Decision(
        ignored="the outcome was announced"
    )


def test_a_planned_job_that_failed_is_told_once_its_workers_are_stopped() -> None:
    failed = a_job(JobState.FAILED, parts=2, failure=failure("not_media"))
    stop = commands.StopWorkers(job_id="job1", reason="not_media")
    assert decide(failed, EVENTS[e.TickPassed]).commands == (stop,)


def test_an_announced_job_goes_to_the_ended_by_the_time_of_its_end() -> None:
    def moved(gsk: str) -> Decision:
        index = {"announced": True, "gpk": "jobs#ended", "gsk": gsk}
        return Decision(changes=(Update(key=HEAD, set=index),))

    announced = e.OutcomeAnnounced(at=LATER)
    known = a_job(JobState.SUCCEEDED, ended_at=AT)
    assert decide(known, announced) == moved(ORDER)
    unknown = a_job(JobState.SUCCEEDED)
    assert decide(unknown, announced) == moved(f"{LATER:017.3f}#job1")


def test_an_impossible_event_says_what_it_is_where_it_was_and_how_it_came_to_that() -> None:
    event = EVENTS[e.OutputsPublished]
    story = ("A: nothing -> queued", "B: queued -> running")
    with pytest.raises(machine.IllegalEvent) as raised:
        decide(a_job(story=story), event)
    assert (raised.value.event, raised.value.state) == (event, JobState.RUNNING)
    assert str(raised.value) == (
        "OutputsPublished cannot happen to running. "
        "Its story: A: nothing -> queued; B: queued -> running."
    )
    with pytest.raises(machine.IllegalEvent) as raised:
        decide(None, event)
    assert str(raised.value) == "OutputsPublished cannot happen to None. Its story: nothing."


def test_a_task_event_needs_a_job_and_a_task() -> None:
    event = EVENTS[e.TaskReleased]
    with pytest.raises(machine.IllegalEvent) as raised:
        machine.advance(a_job(), None, event)
    assert (raised.value.event, raised.value.state) == (event, None)
    assert str(raised.value) == "TaskReleased cannot happen to None. Its story: nothing."


def test_every_state_has_its_name() -> None:
    assert [state.value for state in TaskState] == ["open", "released", "running", "done", "ended"]
