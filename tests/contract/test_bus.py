"""The Bus port: an event arrives as it was published."""

import json

import pytest

from mayfly.aws.errors import Refused
from mayfly.aws.events import EventBus
from mayfly.memory.bus import MemoryBus
from mayfly.perform.ports import Temporary
from tests.contract.worlds import AwsWorld, World


@pytest.mark.parametrize(
    "world", ["moto", pytest.param("embedded", marks=pytest.mark.embedded)], indirect=True
)
def test_an_event_reaches_a_rule_on_its_source_and_type(world: World) -> None:
    assert isinstance(world, AwsWorld)
    queue, arn = world.queue_with_arn()
    events = world.client("events")
    pattern = json.dumps({"source": ["mayfly"], "detail-type": ["Mayfly Outcome"]})
    events.put_rule(Name="outcomes", EventPattern=pattern)
    events.put_targets(Rule="outcomes", Targets=[{"Id": "queue", "Arn": arn}])
    EventBus(events, "default").publish("Mayfly Outcome", b'{"job_id": "j", "ok": true}')
    (message,) = queue.receive(wait_seconds=5)
    assert json.loads(message.body)["detail"] == {"job_id": "j", "ok": True}


def test_in_memory_events_are_kept_in_order() -> None:
    bus = MemoryBus()
    bus.publish("a", b"{}")
    bus.publish("b", b'{"x": 1}')
    assert bus.published == [("a", b"{}"), ("b", b'{"x": 1}')]


class Failing:
    """PutEvents answers 200 with a failed entry."""

    def __init__(self, code: str) -> None:
        self._code = code

    def put_events(self, **_: object) -> dict[str, object]:
        return {"FailedEntryCount": 1, "Entries": [{"ErrorCode": self._code}]}


def test_an_entry_that_failed_is_an_error_although_the_call_succeeded() -> None:
    with pytest.raises(Temporary):
        EventBus(Failing("ThrottlingException")).publish("a", b"{}")
    with pytest.raises(Temporary):
        EventBus(Failing("InternalFailure")).publish("a", b"{}")
    with pytest.raises(Refused):
        EventBus(Failing("NotAuthorizedForSourceException")).publish("a", b"{}")
