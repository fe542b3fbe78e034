"""Events as AWS words them, through the real handlers."""

import importlib
import json

import pytest

from mayfly.contract import wire
from mayfly.contract.outcome import Outcome
from mayfly.contract.task import Task
from mayfly.core import limits
from mayfly.core.receipt import BILLED_SECONDS_MIN
from mayfly.core.rows import ROUND_KEY, billed_key, pool_key
from mayfly.memory.world import MemoryWorld
from mayfly.perform.ports import Temporary
from tests.edge import conftest as edge
from tests.edge.conftest import Invoke

ALL_TAKEN: dict[str, list[str]] = {"batchItemFailures": []}


def heads(w: MemoryWorld) -> list[dict[str, object]]:
    return [
        dict(row) for key, row in w.table.snapshot().items() if key.sk == "head" and "job_id" in row
    ]


def test_a_form_encoded_key_is_the_users_own_name_again(w: MemoryWorld, dispatch: Invoke) -> None:
    assert dispatch("s3_put") == ALL_TAKEN
    (head,) = heads(w)
    assert head["source"] == "s3://media/uploads/mp4-720p/my clip (1)+ü.mp4"
    assert head["preset"] == "mp4-720p"
    (message,) = w.jobs.receive(wait_seconds=0)
    assert wire.decode(Task, message.body).job_id == head["job_id"]


def test_the_test_event_of_a_new_notification_is_skipped(w: MemoryWorld, dispatch: Invoke) -> None:
    assert dispatch("s3_test_event") == ALL_TAKEN
    assert w.table.snapshot() == {}


def test_several_records_in_one_message_are_several_jobs_and_folders_are_none(
    w: MemoryWorld, dispatch: Invoke
) -> None:
    assert dispatch("s3_several_records") == ALL_TAKEN
    assert {(head["preset"], head["state"]) for head in heads(w)} == {
        ("mp4-720p", "queued"),
        ("poster", "queued"),
    }


def test_the_same_event_again_changes_nothing(w: MemoryWorld, dispatch: Invoke) -> None:
    dispatch("s3_put")
    before = len(w.table.snapshot()), w.jobs.depth()
    dispatch("s3_put")
    assert (len(w.table.snapshot()), w.jobs.depth()) == before


def test_only_the_message_that_failed_is_delivered_again(
    w: MemoryWorld, dispatch: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(bucket: str, key: str) -> None:
        raise Temporary("HeadObject: SlowDown")

    monkeypatch.setattr(w.store, "head", away)
    answer = dispatch("requests_mixed")
    assert answer == {
        "batchItemFailures": [{"itemIdentifier": "00000001-1111-2222-3333-444444444444"}]
    }
    assert sorted(str(head["state"]) for head in heads(w)) == ["failed", "queued"]


def test_a_refused_message_is_taken_and_answered(w: MemoryWorld, dispatch: Invoke) -> None:
    assert dispatch("requests_mixed") == ALL_TAKEN
    told = [wire.decode(Outcome, detail) for _, detail in w.bus.published]
    codes = sorted(outcome.failure.code for outcome in told if outcome.failure)
    assert codes == ["request_refused", "source_missing"]


def test_a_spot_interruption_is_billed_and_is_no_crash(w: MemoryWorld, complete: Invoke) -> None:
    assert complete("ecs_spot_interruption") == ALL_TAKEN
    (billed,) = w.table.get(billed_key("mayfly-standard-abc", "02e0dfe2"))
    assert billed is not None
    assert billed["stopped_at"] - billed["began_at"] == 120 > BILLED_SECONDS_MIN
    assert (billed["vcpu"], billed["memory_gib"], billed["spot"]) == (2, 4, True)
    (pool,) = w.table.get(pool_key("standard"))
    assert not (pool or {}).get("crashes")


def test_an_image_that_cannot_be_pulled_pulls_the_brake_in_the_end(
    w: MemoryWorld, dispatch: Invoke, complete: Invoke
) -> None:
    dispatch("s3_put")
    (service,) = w.services.wanted()
    w.services.keep(service, 1)
    for n in range(limits.CRASHES_MAX):
        complete("ecs_failed_to_start", worker=f"worker{n}")
    (pool,) = w.table.get(pool_key("standard"))
    assert pool is not None and pool["broken_at"]


@pytest.mark.parametrize("name", ["ecs_foreign", "ecs_no_capacity"])
def test_events_that_are_not_about_our_workers_change_nothing(
    w: MemoryWorld, complete: Invoke, name: str
) -> None:
    assert complete(name) == ALL_TAKEN
    assert w.table.snapshot() == {}


def test_the_tick_of_an_idle_stack_writes_its_hourly_round_and_nothing_else(
    w: MemoryWorld, complete: Invoke
) -> None:
    complete("tick")
    first = w.table.snapshot()
    assert list(first) == [ROUND_KEY]
    w.clock.sleep(limits.RECONCILE_SECONDS - 1)
    complete("tick")
    assert w.table.snapshot() == first


def test_figures_are_published_as_embedded_metrics(
    dispatch: Invoke, capsys: pytest.CaptureFixture[str]
) -> None:
    dispatch("requests_mixed")
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
    names = {m["Metrics"][0]["Name"] for line in lines for m in line["_aws"]["CloudWatchMetrics"]}
    assert {"JobsFailed", "TimeToOutcomeSeconds"} <= names
    assert all(line["stack"] == "mayfly" for line in lines)


def test_a_message_from_a_queue_that_nobody_takes_from_is_not_lost(complete: Invoke) -> None:
    event = json.loads((edge.EVENTS / "ecs_foreign.json").read_text())
    event["Records"][0]["eventSourceARN"] = "arn:aws:sqs:us-east-1:123456789012:mayfly-what"
    answer = importlib.import_module("completion_handler.handler").handler(event, edge.Context())
    assert len(answer["batchItemFailures"]) == 1
