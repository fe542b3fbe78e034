"""The Queue port on an SQS standard queue."""

from typing import Any

from mayfly.aws import errors
from mayfly.perform.ports import Depth, Gone, HandleLost, Message

#: SQS: 0 s to 12 h, and 12 h from the receipt in all.
VISIBILITY_SECONDS_MAX = 12 * 3600

_QUEUE_GONE: dict[str, type[Exception]] = {
    "QueueDoesNotExist": Gone,
    "NonExistentQueue": Gone,
    "QueueDeletedRecently": Gone,
}

#: SQS answers a stale handle with any of these, and so it does when the 12 h are used up: either
#: way the message can be held no longer.
_HANDLE_LOST: dict[str, type[Exception]] = {
    "MessageNotInflight": HandleLost,
    "ReceiptHandleIsInvalid": HandleLost,
    "InvalidParameterValue": HandleLost,
    "InvalidParameterValueException": HandleLost,
}

#: JSON allows these characters raw, SQS refuses them (they are no XML); as escapes both do.
_NOT_XML = {0xFFFE: "\\ufffe", 0xFFFF: "\\uffff"}


class SqsQueue:
    """One queue, by its URL."""

    def __init__(self, client: Any, url: str) -> None:
        self._client = client
        self._url = url

    def send(self, body: bytes) -> None:
        """`body` is JSON. At most 1 MiB, else Refused."""
        with errors.judging("SendMessage", _QUEUE_GONE):
            self._client.send_message(
                QueueUrl=self._url, MessageBody=body.decode().translate(_NOT_XML)
            )

    def receive(self, *, wait_seconds: int, limit: int = 1) -> list[Message]:
        """A long poll (20 s at most) asks every host of the queue; a short one only some."""
        with errors.judging("ReceiveMessage", _QUEUE_GONE):
            answer = self._client.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=limit,
                WaitTimeSeconds=wait_seconds,
                MessageSystemAttributeNames=["ApproximateReceiveCount"],
            )
        return [
            Message(
                body=seen["Body"],
                handle=seen["ReceiptHandle"],
                message_id=seen["MessageId"],
                receives=int(seen.get("Attributes", {}).get("ApproximateReceiveCount", 1)),
            )
            for seen in answer.get("Messages", ())
        ]

    def extend(self, handle: str, seconds: int) -> None:
        """From now; what is asked beyond the 12 h since the receipt is HandleLost."""
        if not 0 <= seconds <= VISIBILITY_SECONDS_MAX:
            raise ValueError(f"A message is hidden for 0 to 43200 seconds, not for {seconds}.")
        with errors.judging("ChangeMessageVisibility", _QUEUE_GONE | _HANDLE_LOST):
            self._client.change_message_visibility(
                QueueUrl=self._url, ReceiptHandle=handle, VisibilityTimeout=seconds
            )

    def delete(self, handle: str) -> None:
        """A lost handle is silence."""
        try:
            with errors.judging("DeleteMessage", _QUEUE_GONE | _HANDLE_LOST):
                self._client.delete_message(QueueUrl=self._url, ReceiptHandle=handle)
        except HandleLost:
            return

    def depth(self) -> Depth:
        """Approximate, and up to a minute late."""
        with errors.judging("GetQueueAttributes", _QUEUE_GONE):
            answer = self._client.get_queue_attributes(
                QueueUrl=self._url,
                AttributeNames=[
                    "ApproximateNumberOfMessages",
                    "ApproximateNumberOfMessagesNotVisible",
                    "ApproximateNumberOfMessagesDelayed",
                ],
            )
        counts = answer.get("Attributes", {})
        return Depth(
            visible=int(counts.get("ApproximateNumberOfMessages", 0)),
            in_flight=int(counts.get("ApproximateNumberOfMessagesNotVisible", 0)),
            delayed=int(counts.get("ApproximateNumberOfMessagesDelayed", 0)),
        )
