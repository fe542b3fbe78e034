"""Every refusal of AWS is told by its consequence, and never with a secret in it."""

from typing import Any

import pytest
from botocore import exceptions

from mayfly.aws import clients, errors
from mayfly.aws.dynamodb import DynamoTable
from mayfly.aws.sqs import SqsQueue
from mayfly.core.changes import Create, Key, Put, Update
from mayfly.perform.ports import Conflict, Gone, HandleLost, Temporary

SECRET = "A" * 100
URL = "https://bucket.s3.amazonaws.com/key?X-Amz-Signature=abc"


def refusal(code: str, status: int = 400, message: str = "", **more: Any) -> exceptions.ClientError:
    answer = {"Error": {"Code": code, "Message": message}, **more}
    return exceptions.ClientError(
        {**answer, "ResponseMetadata": {"HTTPStatusCode": status}}, "Operation"
    )


class Answers:
    """A client that gives one answer, or one error, to every call, and writes the calls down."""

    def __init__(self, *answers: Any) -> None:
        self._answers = list(answers)
        self.calls: list[str] = []
        self.asked: list[dict[str, Any]] = []

    def __getattr__(self, name: str) -> Any:
        def call(**asked: Any) -> Any:
            self.calls.append(name)
            self.asked.append(asked)
            answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
            if isinstance(answer, Exception):
                raise answer
            return answer

        return call


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (refusal("ThrottlingException"), Temporary),
        (refusal("ProvisionedThroughputExceededException"), Temporary),
        (refusal("SlowDown", 503), Temporary),
        (refusal("AWS.SimpleQueueService.RequestThrottled", 403), Temporary),
        (refusal("Whatever", 500), Temporary),
        (refusal("Whatever", 429), Temporary),
        (refusal("AccessDenied", 403), errors.Refused),
        (refusal("ValidationException"), errors.Refused),
        (exceptions.EndpointConnectionError(endpoint_url=URL), Temporary),
        (exceptions.ReadTimeoutError(endpoint_url=URL), Temporary),
        (exceptions.ConnectTimeoutError(endpoint_url=URL), Temporary),
        (exceptions.ConnectionClosedError(endpoint_url=URL), Temporary),
        (exceptions.NoCredentialsError(), errors.Refused),
        (exceptions.ParamValidationError(report=SECRET), errors.Refused),
    ],
)
def test_an_error_is_told_by_its_consequence(error: Exception, told: type[Exception]) -> None:
    with pytest.raises(told) as caught, errors.judging("PutObject"):
        raise error
    assert str(caught.value).startswith("PutObject ")
    assert str(caught.value).endswith((".", ": "))
    assert "://" not in str(caught.value)
    assert SECRET not in str(caught.value)
    assert caught.value.__suppress_context__


def test_a_refusal_keeps_the_words_of_aws_without_what_may_be_secret() -> None:
    said = f"User: arn:aws:sts::1:assumed-role/x is not authorized. {SECRET} {URL}"
    with pytest.raises(errors.Refused) as caught, errors.judging("CreateService"):
        raise refusal("AccessDeniedException", message=said)
    assert "arn:aws:sts::1:assumed-role/x is not authorized" in str(caught.value)
    assert SECRET not in str(caught.value)
    assert "Signature" not in str(caught.value)


@pytest.mark.parametrize(
    ("reasons", "told"),
    [
        (["None", "ConditionalCheckFailed"], Conflict),
        (["TransactionConflict", "None"], Conflict),
        (["ThrottlingError", "ConditionalCheckFailed"], Conflict),
        (["ThrottlingError", "None"], Temporary),
        (["None", "ProvisionedThroughputExceeded"], Temporary),
        (["None", "ValidationError"], errors.Refused),
        ([], errors.Refused),
    ],
)
def test_a_cancelled_transaction_is_told_by_its_reasons(
    reasons: list[str], told: type[Exception]
) -> None:
    error = refusal(
        "TransactionCanceledException", CancellationReasons=[{"Code": code} for code in reasons]
    )
    changes = [Put(key=Key("p", sk), item={}) for sk in ("a", "b")]
    with pytest.raises(told):
        DynamoTable(Answers(error), "table").commit(changes)


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("ConditionalCheckFailedException", Conflict),
        ("TransactionConflictException", Conflict),
        ("ThrottlingException", Temporary),
        ("ResourceNotFoundException", Gone),
    ],
)
def test_a_refused_change_is_told_by_its_consequence(code: str, told: type[Exception]) -> None:
    with pytest.raises(told):
        DynamoTable(Answers(refusal(code)), "table").commit([Create(key=Key("p", "s"), item={})])


def test_a_change_that_must_not_happen_twice_is_a_transaction_even_alone() -> None:
    """botocore asks again when an answer was lost; only a transaction carries a token."""
    client = Answers({})
    table, key = DynamoTable(client, "table"), Key("p", "s")
    table.commit([Update(key=key, add={"count": 1})])
    table.commit([Update(key=key, append={"story": ("a",)})])
    table.commit([Update(key=key, set={"a": 1}, require={"a": 0})])
    table.commit([Create(key=key, item={})])
    assert client.calls == ["transact_write_items"] * 2 + ["update_item", "put_item"]


def test_botocore_gives_every_transaction_a_token_of_its_own() -> None:
    """The service's model says so, and the choice above rests on it."""
    operation = clients.make("dynamodb").meta.service_model.operation_model("TransactWriteItems")
    assert operation.idempotent_members == ["ClientRequestToken"]


def test_every_read_is_consistent_but_that_of_the_index() -> None:
    """Emulators always are, so only what is asked can tell."""
    client = Answers({"Responses": {}, "Items": []})
    table = DynamoTable(client, "t")
    table.get(Key("p", "a"))
    table.get(Key("p", "a"), Key("p", "b"))
    table.rows("p")
    table.index("g", limit=1)
    get, batch, query, index = client.asked
    assert get["ConsistentRead"] is True
    assert batch["RequestItems"]["t"]["ConsistentRead"] is True
    assert query["ConsistentRead"] is True
    assert "ConsistentRead" not in index


def test_keys_that_were_left_over_are_asked_for_again() -> None:
    left = {"Responses": {"t": [item("a")]}, "UnprocessedKeys": {"t": {"Keys": [{"pk": {}}]}}}
    rest = {"Responses": {"t": [item("b")]}}
    pauses: list[float] = []
    table = DynamoTable(Answers(left, rest), "t", pause=pauses.append)
    assert table.get(Key("p", "a"), Key("p", "b")) == [{"n": 1}, {"n": 1}]
    assert len(pauses) == 1


def test_keys_that_are_left_over_for_ever_are_put_off() -> None:
    left: dict[str, Any] = {"UnprocessedKeys": {"t": {"Keys": [{"pk": {}}]}}}
    pauses: list[float] = []
    with pytest.raises(Temporary):
        DynamoTable(Answers(left), "t", pause=pauses.append).get(Key("p", "a"), Key("p", "b"))
    assert sum(pauses) < 5


def item(sk: str) -> dict[str, dict[str, str]]:
    return {"pk": {"S": "p"}, "sk": {"S": sk}, "n": {"N": "1"}}


@pytest.mark.parametrize(
    "code",
    [
        "MessageNotInflight",
        "AWS.SimpleQueueService.MessageNotInflight",
        "ReceiptHandleIsInvalid",
        "InvalidParameterValue",
        "InvalidParameterValueException",
    ],
)
def test_every_name_that_sqs_has_for_a_stale_handle_is_a_lost_one(code: str) -> None:
    queue = SqsQueue(Answers(refusal(code, message=f"Value {SECRET} is invalid")), URL)
    with pytest.raises(HandleLost) as caught:
        queue.extend(SECRET, 30)
    assert SECRET not in str(caught.value)
    queue.delete(SECRET)
