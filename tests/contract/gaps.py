"""Where an emulator differs from AWS's documents, or these from themselves, by name.

A claim says `gap("<name>")`, and from then on its failure in the worlds named here is expected,
strictly: the day an emulator is mended, the suite says so. `docs/emulators.md` is made of this.
"""

import dataclasses
from collections.abc import Mapping

_SQS = "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference"
_SQS_GUIDE = "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide"
_DYNAMODB = "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference"
_DYNAMODB_GUIDE = "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide"
_S3_GUIDE = "https://docs.aws.amazon.com/AmazonS3/latest/userguide"
_ECS = "https://docs.aws.amazon.com/AmazonECS/latest/APIReference"


#: What SqsQueue makes silence of.
REFUSED = "yes, by ReceiptHandleIsInvalid"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """One behaviour that not every emulator has."""

    service: str
    #: What AWS does.
    behaviour: str
    #: The page that says so.
    document: str
    #: What an emulator does instead, by world: there the claim fails.
    instead: Mapping[str, str] = dataclasses.field(default_factory=dict)
    #: How it does so, by world, where that is worth a word: there the claim holds.
    how: Mapping[str, str] = dataclasses.field(default_factory=dict)
    #: Worlds in which the claim is not made, since what it needs is missing there.
    unasked: tuple[str, ...] = ()
    #: The fields of `Branches` by which memory does the one or the other; without any it does as
    #: AWS does.
    branches: tuple[str, ...] = ()


GAPS: Mapping[str, Gap] = {
    "late extension": Gap(
        service="SQS",
        behaviour="A message that nobody holds any more cannot be hidden again by its old handle.",
        document=f"{_SQS}/API_ChangeMessageVisibility.html",
        instead={"moto": "hides it", "embedded": "hides it"},
        branches=("late_extend",),
    ),
    "stale extension": Gap(
        service="SQS",
        behaviour="The handle of an earlier receipt does not move the message of another receiver.",
        document=f"{_SQS}/API_ChangeMessageVisibility.html",
        instead={"moto": "takes every handle that a message ever had"},
        branches=("stale_extend",),
    ),
    "stale deletion": Gap(
        service="SQS",
        behaviour="The handle of an earlier receipt may delete nothing, and say that it did.",
        document=f"{_SQS}/API_DeleteMessage.html",
        instead={"moto": "takes every handle that a message ever had"},
        how={"embedded": REFUSED},
        branches=("stale_delete",),
    ),
    "late deletion": Gap(
        service="SQS",
        behaviour="A message whose time ran out, and that nobody has received since, is deleted.",
        document=f"{_SQS}/API_ChangeMessageVisibility.html",
        branches=("late_delete",),
    ),
    "second deletion": Gap(
        service="SQS",
        behaviour="To delete what is deleted already is no error.",
        document="https://repost.aws/knowledge-center/sqs-receipt-handle-error",
        how={"embedded": REFUSED},
        branches=("second_delete",),
    ),
    "extension after deletion": Gap(
        service="SQS",
        behaviour="What is deleted cannot be hidden.",
        document="https://github.com/aws/aws-sdk-net/issues/1927",
        branches=("second_extend",),
    ),
    "count of a dead letter": Gap(
        service="SQS",
        behaviour="A dead letter's receives are counted across all queues.",
        document=f"{_SQS}/API_ReceiveMessage.html",
        branches=("dead_letters_keep_count",),
    ),
    "twelve hours": Gap(
        service="SQS",
        behaviour="A message is hidden for 12 hours at most, counted from its receipt.",
        document=f"{_SQS_GUIDE}/sqs-visibility-timeout.html",
        instead={"embedded": "counts them from each extension"},
        branches=("holds_end",),
    ),
    "form signature": Gap(
        service="S3",
        behaviour="A POST form whose signature is not that of its policy is refused.",
        document="https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-authentication-HTTPPOST.html",
        instead={"embedded": "takes any signature"},
        unasked=("moto",),
    ),
    "small parts": Gap(
        service="S3",
        behaviour="A part of less than 5 MiB that is not the last one is refused.",
        document=f"{_S3_GUIDE}/qfacts.html",
        instead={"embedded": "takes it"},
    ),
    "key length": Gap(
        service="S3",
        behaviour="A key of more than 1,024 bytes is refused.",
        document=f"{_S3_GUIDE}/object-keys.html",
        instead={"moto": "takes it", "embedded": "takes it"},
    ),
    "update without a delta": Gap(
        service="DynamoDB",
        behaviour="An UpdateItem that changes nothing checks its condition.",
        document=f"{_DYNAMODB}/API_UpdateItem.html",
        instead={"moto": "fails"},
    ),
    "kinds": Gap(
        service="DynamoDB",
        behaviour="Values of different kinds are never equal, above or below one another.",
        document=f"{_DYNAMODB_GUIDE}/Expressions.OperatorsAndFunctions.html",
        instead={"moto": "compares as Python does: true is 1"},
    ),
    "absent is not null": Gap(
        service="DynamoDB",
        behaviour="A field that is absent does not equal null.",
        document=f"{_DYNAMODB_GUIDE}/Expressions.OperatorsAndFunctions.html",
        instead={"moto": "takes it for null"},
    ),
    "kind of an index key": Gap(
        service="DynamoDB",
        behaviour="A number, or an empty string, is refused where the index has a string as key.",
        document=f"{_DYNAMODB_GUIDE}/GSI.html",
        instead={"moto": "takes a number; takes either in an update"},
    ),
    "length of an index key": Gap(
        service="DynamoDB",
        behaviour="A key of the index has no more bytes than a key of the table may have.",
        document=f"{_DYNAMODB}/API_TransactWriteItems.html",
        instead={"embedded": "takes it"},
    ),
    "overlapping paths": Gap(
        service="DynamoDB",
        behaviour="An update that names a field twice is refused.",
        document=f"{_DYNAMODB_GUIDE}/Expressions.UpdateExpressions.html",
        instead={"embedded": "takes it"},
    ),
    "append to no list": Gap(
        service="DynamoDB",
        behaviour="list_append to what is no list is refused.",
        document=f"{_DYNAMODB_GUIDE}/Expressions.UpdateExpressions.html",
        instead={"embedded": "replaces what is there"},
    ),
    "levels": Gap(
        service="DynamoDB",
        behaviour="A value of more than 32 levels of lists and objects is refused.",
        document=f"{_DYNAMODB_GUIDE}/Constraints.html",
        instead={"moto": "takes it"},
    ),
    "bytes of a transaction": Gap(
        service="DynamoDB",
        behaviour="A transaction whose rows have more than 4 MB is refused.",
        document=f"{_DYNAMODB}/API_TransactWriteItems.html",
        instead={"moto": "takes it", "embedded": "counts what is sent, not the rows"},
    ),
    "draining": Gap(
        service="ECS",
        behaviour="A deleted service is DRAINING while its tasks stop, and its name is taken.",
        document=f"{_ECS}/API_DeleteService.html",
        instead={"embedded": "is INACTIVE at once"},
        unasked=("moto",),
        branches=("draining_name",),
    ),
}
