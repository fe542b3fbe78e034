"""Changes as decisions write them, for tests that hold them to the letter."""

from typing import Any

import msgspec

from mayfly.contract.failure import Failure, failure
from mayfly.core.changes import Change, Key, Put, Update
from mayfly.core.decision import WORKING
from mayfly.core.limits import RECORD_SECONDS
from mayfly.core.rows import TaskRow, pool_key, tenant_key
from tests.unit.given import AT

HEAD, SPEC, TASK = (Key("job#job1", sk) for sk in ("head", "spec", "task#encode"))
#: When what lies beside a job may go, and when whatever else may.
FADES, GOES = int(AT) + 2 * RECORD_SECONDS, int(AT) + RECORD_SECONDS
#: The place of the task among those that wait.
PLACE = "050#0001800604800.000#00000#job1#encode"
SERVICE = "mayfly-standard-s1"
#: Who is at work.
AT_WORK: dict[str, Any] = {
    "attempt": "nonce1",
    "worker": "w1",
    "services": (SERVICE,),
    "reported_at": AT,
}

#: The worker is no crash loop.
BEGAN = Put(key=Key(f"service#{SERVICE}", "first#w1"), item={"act": "began", "expires_at": GOES})


def counted(jobs: int, at: float = AT) -> tuple[Change, ...]:
    """A job comes to its pool and its tenant, or leaves them."""
    set_: dict[str, Any] = {"tenant": "default", "changed_at": at}
    place = {}
    if jobs > 0:
        set_["gpk"] = "tenants#standard#open"
        place = {"gsk": f"{at:017.3f}#default"}
    added = {"open_jobs": jobs}
    return (
        Update(key=pool_key("standard"), set={"pool": "standard"}, add=added, upsert=True),
        Update(
            key=tenant_key("standard", "default"), set=set_, initial=place, add=added, upsert=True
        ),
    )


def ends(state: str, told: str, require: object = WORKING, **fields: Any) -> Update:
    """The head of a job whose end is here."""
    times = {"updated_at": AT, "ended_at": AT, "expires_at": GOES}
    return Update(
        key=HEAD,
        set={"state": state, **times, **fields},
        append={"story": (told,)},
        require={"state": require},
    )


def why(code: str, detail: str = "") -> dict[str, Any]:
    said: dict[str, Any] = msgspec.to_builtins(failure(code, detail))
    return said


def moves(task: TaskRow, event: type[Any], to: str, **fields: Any) -> Update:
    """The task goes to this state, or stays in it."""
    story = [] if task.state.value == to else [f"{event.__name__}: {task.state.value} -> {to}"]
    values: dict[str, Any] = {"state": to, "version": 4, "story": story}
    index = {
        "open": {"gpk": "tasks#standard#open#default", "gsk": PLACE},
        "done": {},
    }.get(to, {"gpk": "tasks#standard#out", "gsk": PLACE})
    return Update(
        key=TASK,
        set=values | index | fields,
        remove=() if index else ("gpk", "gsk"),
        require={"version": 3},
    )


def leaves(task: TaskRow, event: type[Any], **fields: Any) -> Update:
    """The task leaves the index with its job."""
    story = [f"{event.__name__}: {task.state.value} -> ended"]
    return Update(
        key=TASK,
        set={"version": 4, "story": story, **fields},
        remove=("gpk", "gsk"),
        require={"version": 3},
    )


def head(**added: int) -> Update:
    """The job gets on."""
    return Update(key=HEAD, set={"updated_at": AT}, add=added, require={"state": WORKING})


def began(**added: int) -> Update:
    """It was queued until now."""
    return Update(
        key=HEAD,
        set={"state": "running", "updated_at": AT},
        add=added,
        require={"state": "queued"},
        append={"story": ("TaskStarted: queued -> running",)},
    )


def cost(seconds: float) -> Put:
    item = {"job_id": "job1", "seconds": seconds, "expires_at": GOES}
    return Put(key=Key(f"service#{SERVICE}", "busy#job1#nonce1"), item=item)


def failed(event: str, why: Failure) -> tuple[Change, ...]:
    """The job ends with this."""
    end = ends("failed", f"{event}: running -> failed", failure=msgspec.to_builtins(why))
    return (end, *counted(-1))
