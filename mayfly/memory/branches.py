"""Where AWS's documents allow more than one behaviour: which one an account in memory shows.

Why it exists: a test against one lucky behaviour proves that behaviour and nothing else. The
simulator draws one `Branches` a seed and gives it to every port. It must never hold what AWS does
not do: what fails at random (5xx, lost answers) is `Faults`, and how time passes is the clock.

The sentence above each field and the page below it become a row of `docs/emulators.md`. A field
that ends in `_rate` is a chance from 0 to 1, drawn from the port's own `random.Random`.
"""

import dataclasses
import enum
import math
import random
from collections.abc import Mapping
from typing import Any


class Deleting(enum.StrEnum):
    """What DeleteMessage makes of a handle that is not the one to use."""

    #: The message goes, whoever has it.
    DELETES = "deletes"
    #: The call succeeds, and the message stays.
    IGNORED = "ignored"
    #: HandleLost.
    REFUSED = "refused"


class Extending(enum.StrEnum):
    """What ChangeMessageVisibility makes of a handle that is not the one to use."""

    #: The message is hidden, whoever has it.
    EXTENDS = "extends"
    #: The call succeeds, and nothing changes.
    IGNORED = "ignored"
    #: HandleLost.
    LOST = "lost"


class Taken(enum.StrEnum):
    """In which words CreateService refuses the name of a DRAINING service."""

    #: "Unable to Start a service that is still Draining": Temporary.
    DRAINING = "draining"
    #: "Creation of service was not idempotent": the adapter takes the name for its own service.
    NOT_IDEMPOTENT = "not idempotent"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Branches:
    """One account's behaviour. The defaults are the kindest that is documented."""

    # SQS
    #: DeleteMessage with the handle of an earlier receipt, after the message was received again.
    #: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_DeleteMessage.html
    stale_delete: Deleting = Deleting.IGNORED
    #: DeleteMessage after the visibility ran out, before anybody received the message again.
    #: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibility.html
    late_delete: Deleting = Deleting.DELETES
    #: DeleteMessage of what is deleted already.
    #: https://repost.aws/knowledge-center/sqs-receipt-handle-error
    second_delete: Deleting = Deleting.IGNORED
    #: Twelve hours after its receipt a handle is refused, although no other was given since.
    #: https://github.com/boto/boto3/issues/2898
    handles_expire: bool = False
    #: ChangeMessageVisibility with the handle of an earlier receipt, after another receipt.
    #: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibility.html
    stale_extend: Extending = Extending.LOST
    #: ChangeMessageVisibility after the visibility ran out, before anybody received it again.
    #: https://github.com/localstack/localstack/pull/9632
    late_extend: Extending = Extending.LOST
    #: ChangeMessageVisibility of what is deleted.
    #: https://github.com/aws/aws-sdk-net/issues/1927
    second_extend: Extending = Extending.LOST
    #: The 12 h of being hidden are counted from the receipt; else from each extension.
    #: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-visibility-timeout.html
    holds_end: bool = True
    #: A deleted message is received once more.
    #: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_DeleteMessage.html
    undeleted_rate: float = 0.0
    #: A message has a second copy under its id, with handles of its own, even while one is held.
    #: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/standard-queues-at-least-once-delivery.html
    copies_rate: float = 0.0
    #: Receiving one copy counts for the other as well.
    #: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html
    copies_share_count: bool = False
    #: A message counts as received and is hidden, but is in nobody's answer.
    #: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/avoiding-inconsistent-message-processing.html
    unheard_rate: float = 0.0
    #: The oldest visible message is handed out first; else any.
    #: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/standard-queues.html
    in_order: bool = True
    #: A short poll, which asks only some servers, misses a visible message.
    #: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-short-and-long-polling.html
    missed_rate: float = 0.0
    #: Each of the three counts of a queue may be as old as this.
    #: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_GetQueueAttributes.html
    depth_lag_seconds: float = 0.0
    #: A dead letter's count goes on ("across all queues"); else it begins anew.
    #: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html
    dead_letters_keep_count: bool = True

    # Several services
    #: The answer of a call got lost, and the SDK asks again: a message is sent twice under two ids,
    #: an event is put twice, and a conditional write meets its own effect and is refused.
    #: https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html
    asked_again_rate: float = 0.0

    # DynamoDB
    #: A write is put off because of the table's throughput.
    #: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
    throttled_rate: float = 0.0
    #: A write is refused because a transaction on one of its rows is under way.
    #: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
    transaction_conflict_rate: float = 0.0
    #: Each write reaches the index within this, one row sooner than another.
    #: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.html
    index_lag_seconds: float = 0.0

    # S3
    #: A conditional write is refused with 409 although its condition holds.
    #: https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html
    write_race_rate: float = 0.0

    # ECS
    #: A new service is neither described nor listed for so long.
    #: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RunTask.html
    service_unseen_seconds: float = 0.0
    #: Until a service is seen, UpdateService and DeleteService do not find it either.
    #: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RunTask.html
    unseen_service_is_gone: bool = False
    #: A service is not listed for so long, although it is described.
    #: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RunTask.html
    service_unlisted_seconds: float = 0.0
    #: DescribeServices tells a status and counts that may be as old as this.
    #: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RunTask.html
    service_lag_seconds: float = 0.0
    #: How long an INACTIVE service is described.
    #: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeleteService.html
    inactive_kept_seconds: float = math.inf
    #: In which words CreateService refuses the name of a DRAINING service.
    #: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeleteService.html
    draining_name: Taken = Taken.DRAINING
    #: What the rest of the account leaves us of the 50 calls that Create, Update and DeleteService
    #: have at once; 5 come back in a second.
    #: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/request-throttling.html
    service_calls_left: int = 50

    @classmethod
    def drawn(cls, chance: random.Random, **fixed: Any) -> "Branches":
        """Any account; `fixed` are fields that are not left to chance."""
        drawn = {name: chance.choice(values) for name, values in CHOICES.items()}
        return cls(**{**drawn, **fixed})

    def told(self) -> Mapping[str, Any]:
        """What differs from the defaults, for the report of a seed."""
        return {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if getattr(self, field.name) != field.default
        }


#: What is drawn from, kind values more often than unkind ones.
CHOICES: Mapping[str, tuple[Any, ...]] = {
    "stale_delete": tuple(Deleting),
    "late_delete": (Deleting.DELETES, *Deleting),
    "second_delete": (Deleting.IGNORED, Deleting.REFUSED),
    "handles_expire": (False, True),
    "stale_extend": (Extending.LOST, *Extending),
    "late_extend": tuple(Extending),
    "second_extend": (Extending.LOST, Extending.LOST, Extending.IGNORED),
    "holds_end": (True, True, True, False),
    "undeleted_rate": (0.0, 0.0, 0.01, 0.1),
    "copies_rate": (0.0, 0.0, 0.02, 0.2),
    "copies_share_count": (False, True),
    "asked_again_rate": (0.0, 0.0, 0.02),
    "throttled_rate": (0.0, 0.0, 0.02),
    "transaction_conflict_rate": (0.0, 0.0, 0.02, 0.2),
    "index_lag_seconds": (0.0, 0.0, 2.0, 90.0),
    "write_race_rate": (0.0, 0.0, 0.02, 0.2),
    "service_unseen_seconds": (0.0, 0.0, 5.0, 40.0),
    "unseen_service_is_gone": (False, True),
    "service_unlisted_seconds": (0.0, 0.0, 5.0, 90.0),
    "service_lag_seconds": (0.0, 0.0, 5.0, 30.0),
    "inactive_kept_seconds": (math.inf, 3600.0, 0.0),
    "draining_name": tuple(Taken),
    "service_calls_left": (50, 50, 5, 1),
    "unheard_rate": (0.0, 0.0, 0.02),
    "in_order": (True, False),
    "missed_rate": (0.0, 0.3, 0.9),
    "depth_lag_seconds": (0.0, 15.0, 60.0, 120.0),
    "dead_letters_keep_count": (True, False),
}

#: How an account behaves that nobody drew.
KIND = Branches()
