"""What is around the work: the ECS agent, the control object, the log."""

import json
import logging
import sys
from http.server import BaseHTTPRequestHandler

import pytest

from mayfly.contract.task import Fetch, PutUrls, Source, Task
from tests.worker import store
from tests.worker.conftest import WorkerClock, recipe
from worker.agent import EcsAgent, NoAgent, agent_from
from worker.control import HttpControlReader
from worker.ends import Reason
from worker.grants import HeldGrants
from worker.halt import Halt
from worker.http import HostRule
from worker.logs import JsonLines
from worker.run import kill_all


def answering(answer: object, status: int = 200) -> store.Mischief:
    return store.answers(status, json.dumps(answer).encode())


def agent(bucket: store.Store) -> EcsAgent:
    base = f"http://127.0.0.1:{bucket.port}"
    return EcsAgent(f"{base}/api/id", f"{base}/v4/id")


def test_protection_is_believed_only_when_it_is_confirmed(bucket: store.Store) -> None:
    granted = {"protection": {"ProtectionEnabled": True, "TaskArn": "t", "ExpirationDate": "x"}}
    refused = {"failure": {"Arn": "t", "Reason": "DEPLOYMENT_BLOCKED", "Detail": None}}
    error = {"error": {"Arn": "t", "Code": "AccessDeniedException", "Message": "no"}}
    bucket.mischief += [answering(granted), answering(refused), answering(error, 400)]
    bucket.mischief += [store.answers(200, b"not json"), answering([])]
    assert [agent(bucket).set_protection(True) for _ in range(5)] == [True] + [False] * 4
    first = bucket.seen[0]
    assert (first.method, first.path) == ("PUT", "/api/id/task-protection/v1/state")
    assert json.loads(first.body) == {"ProtectionEnabled": True, "ExpiresInMinutes": 720}


def test_protection_is_given_back(bucket: store.Store) -> None:
    bucket.mischief += [answering({"protection": {"ProtectionEnabled": False}})]
    assert agent(bucket).set_protection(False)
    assert json.loads(bucket.seen[0].body) == {"ProtectionEnabled": False}


def test_an_agent_that_is_not_there_protects_nobody() -> None:
    assert not EcsAgent("http://127.0.0.1:9/api", "").set_protection(True)


def test_the_metadata_say_who_we_are(bucket: store.Store) -> None:
    bucket.mischief += [answering({"TaskARN": "arn:task", "ServiceName": "mayfly-standard-x"})]
    who = agent(bucket).identity()
    assert (who.worker, who.service) == ("arn:task", "mayfly-standard-x")
    assert bucket.seen[0].path == "/v4/id/task"


def test_without_an_agent_work_may_be_taken() -> None:
    plain = agent_from({})
    assert isinstance(plain, NoAgent)
    assert plain.set_protection(True)


def read(bucket: store.Store, **changed: object) -> object:
    clock = WorkerClock()
    task = Task(
        source=Source(fetch=Fetch(url=bucket.url("x"))),
        recipe=recipe("mp4-720p"),
        upload=PutUrls(urls={}),
        control=Fetch(url=bucket.url("control.json")),
    )
    return HttpControlReader(HostRule(("127.0.0.1",))).read(HeldGrants(task, clock), Halt())


def test_an_order_is_read(bucket: store.Store) -> None:
    bucket.objects["control.json"] = b'{"order": "stop", "reason": "cancelled"}'
    order = read(bucket)
    assert getattr(order, "order", None) == "stop"


def hang_up(handler: BaseHTTPRequestHandler, seen: store.Seen) -> bool:
    store.cut(handler)
    return True


@pytest.mark.parametrize(
    "odd",
    [
        store.answers(404),
        store.answers(403),
        store.answers(500),
        store.answers(301, headers={"Location": "http://127.0.0.1/"}),
        store.answers(200, b"{"),
        store.answers(200, b'{"order": "dance"}'),
        hang_up,
    ],
)
def test_whatever_is_odd_about_the_control_object_means_go_on(
    bucket: store.Store, odd: store.Mischief
) -> None:
    bucket.mischief += [odd]
    assert read(bucket) is None


def logged(message: str, *arguments: object, exc: bool = False) -> dict[str, object]:
    record = logging.LogRecord(
        "x", logging.ERROR, __file__, 1, message, arguments, sys.exc_info() if exc else None
    )
    record.job_id = "job-1"
    line = JsonLines().format(record)
    assert "\n" not in line
    found: dict[str, object] = json.loads(line)
    return found


def test_a_line_is_a_sentence_and_what_it_is_about() -> None:
    line = logged("The task is %s.", "done")
    assert (line["message"], line["job_id"], line["level"]) == (
        "The task is done.",
        "job-1",
        "error",
    )


@pytest.mark.parametrize(
    "said",
    [
        "Retrying after https://b.s3.amazonaws.com/k?X-Amz-Signature=5ec2e7 broke",
        "Max retries exceeded with url: /k?X-Amz-Credential=a&X-Amz-Signature=5ec2e7 (caused by x)",
        'GET "HTTP://h/p?sig=5ec2e7"',
    ],
)
def test_a_url_that_a_library_logs_is_blotted_out(said: str) -> None:
    assert "5ec2e7" not in str(logged(said))


def test_of_an_exception_its_kind_and_place_are_logged_but_not_its_words() -> None:
    try:
        raise ValueError("5ec2e7")
    except ValueError:
        line = logged("It failed.", exc=True)
    assert "5ec2e7" not in str(line)
    assert line["exception"] == "ValueError"
    assert "test_surroundings.py" in str(line["where"])


def test_the_first_reason_to_halt_stays() -> None:
    halt = Halt()
    halt.set(Reason.ORDERED)
    halt.set(Reason.SIGNAL)
    assert halt.reason is Reason.ORDERED


def test_grants_are_never_shown() -> None:
    task = Task(
        source=Source(fetch=Fetch(url=f"https://b/x?{store.SECRET}")),
        recipe=recipe("mp4-720p"),
        upload=PutUrls(urls={}),
    )
    assert store.SECRET not in repr(HeldGrants(task, WorkerClock()))


def test_killing_nothing_is_fine() -> None:
    kill_all()
