"""The Bus port on EventBridge."""

from typing import Any

from mayfly.aws import errors
from mayfly.perform.ports import Temporary

SOURCE = "mayfly"


class EventBus:
    """One event bus, by its name."""

    def __init__(self, client: Any, name: str = "default") -> None:
        self._client = client
        self._name = name

    def publish(self, detail_type: str, detail: bytes) -> None:
        """`detail` is a JSON object. PutEvents answers 200 even when it took nothing."""
        entry = {
            "Source": SOURCE,
            "DetailType": detail_type,
            "Detail": detail.decode(),
            "EventBusName": self._name,
        }
        with errors.judging("PutEvents"):
            answer = self._client.put_events(Entries=[entry])
        if not answer.get("FailedEntryCount"):
            return
        code = str(answer["Entries"][0].get("ErrorCode", "Unknown"))
        if code in errors.TEMPORARY_CODES:
            raise Temporary(f"PutEvents was put off by AWS with {code}.")
        raise errors.Refused(f"PutEvents was refused by AWS with {code}.")
