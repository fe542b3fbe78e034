"""The JobTable port on one DynamoDB table: conditional deltas become expressions.

One change alone is a plain conditional write, which costs half of a transaction, unless repeating
it would change the row again: botocore asks again when an answer got lost, and only a transaction
carries a token that makes the second asking harmless.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from botocore import exceptions

from mayfly.aws import attributes, errors, expressions
from mayfly.core.changes import Change, Key, Update
from mayfly.perform.ports import Conflict, Gone, Item, Temporary

#: BatchGetItem and TransactWriteItems take 100 at most.
BATCH_MAX = 100

#: Askings for what a throttled BatchGetItem left over; the pauses double from the first.
LEFTOVER_TRIES_MAX = 6
LEFTOVER_PAUSE_SECONDS = 0.05

INDEX = "by_state"

_TABLE_GONE: dict[str, type[Exception]] = {"ResourceNotFoundException": Gone}
_CONFLICT: dict[str, type[Exception]] = {
    "ConditionalCheckFailedException": Conflict,
    "TransactionConflictException": Conflict,
}
#: Why a transaction was cancelled, by AWS's codes. Whatever was throttled beside it: a requirement
#: that does not hold will not hold later.
_CANCELLED_BY_CONFLICT = frozenset({"ConditionalCheckFailed", "TransactionConflict"})


class DynamoTable:
    """One table with `pk`, `sk` and the index `by_state`."""

    def __init__(
        self, client: Any, name: str, *, pause: Callable[[float], None] = time.sleep
    ) -> None:
        self._client = client
        self._name = name
        self._pause = pause

    def get(self, *keys: Key) -> list[Item | None]:
        """Each row is consistent; two rows of one answer may be of two moments."""
        if len(keys) > BATCH_MAX:
            raise ValueError(f"BatchGetItem takes {BATCH_MAX} keys, not {len(keys)}.")
        found = self._one(keys[0]) if len(keys) == 1 else self._many(keys)
        return [_without_key(found[key]) if key in found else None for key in keys]

    def commit(self, changes: Sequence[Change]) -> None:
        """All or none, and each row at most once."""
        if not changes:
            return
        if len({change.key for change in changes}) != len(changes):
            raise ValueError("A transaction can name a row only once.")
        if len(changes) > BATCH_MAX:
            raise ValueError(f"A transaction takes {BATCH_MAX} changes, not {len(changes)}.")
        if len(changes) == 1 and not _accumulates(changes[0]):
            self._write(changes[0])
        else:
            self._transact(changes)

    def rows(self, pk: str, sk_prefix: str = "") -> list[Item]:
        """All pages."""
        names, values = {"#pk": "pk"}, {":pk": pk}
        condition = "#pk = :pk"
        if sk_prefix:
            names["#sk"], values[":sk"] = "sk", sk_prefix
            condition += " AND begins_with(#sk, :sk)"
        asked = {"ConsistentRead": True, **_query(condition, names, values)}
        return [item for page in self._pages(asked) for item in page]

    def index(self, gpk: str, *, limit: int, after: str = "") -> list[Item]:
        """Pages until there are enough."""
        found: list[Item] = []
        names, values = {"#pk": "gpk"}, {":pk": gpk}
        condition = "#pk = :pk"
        if after:
            names["#sk"], values[":sk"] = "gsk", after
            condition += " AND #sk > :sk"
        asked = {"IndexName": INDEX, "Limit": limit, **_query(condition, names, values)}
        for page in self._pages(asked):
            found.extend(page)
            if len(found) >= limit:
                break
        return found[:limit]

    def _one(self, key: Key) -> dict[Key, Item]:
        with errors.judging("GetItem", _TABLE_GONE):
            answer = self._client.get_item(
                TableName=self._name, Key=expressions.key(key), ConsistentRead=True
            )
        return {key: attributes.read(answer["Item"])} if "Item" in answer else {}

    def _many(self, keys: Sequence[Key]) -> dict[Key, Item]:
        asked = [expressions.key(key) for key in dict.fromkeys(keys)]
        found: dict[Key, Item] = {}
        for tried in range(LEFTOVER_TRIES_MAX):
            if not asked:
                return found
            if tried:
                self._pause(LEFTOVER_PAUSE_SECONDS * 2**tried)
            with errors.judging("BatchGetItem", _TABLE_GONE):
                answer = self._client.batch_get_item(
                    RequestItems={self._name: {"Keys": asked, "ConsistentRead": True}}
                )
            for raw in answer.get("Responses", {}).get(self._name, ()):
                item = attributes.read(raw)
                found[Key(item["pk"], item["sk"])] = item
            asked = answer.get("UnprocessedKeys", {}).get(self._name, {}).get("Keys", [])
        if asked:
            raise Temporary("BatchGetItem left keys unread again and again.")
        return found

    def _pages(self, asked: dict[str, Any]) -> Iterator[list[Item]]:
        while True:
            with errors.judging("Query", _TABLE_GONE):
                answer = self._client.query(TableName=self._name, **asked)
            yield [attributes.read(raw) for raw in answer.get("Items", ())]
            if "LastEvaluatedKey" not in answer:
                return
            asked["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def _write(self, change: Change) -> None:
        action, asked = expressions.alone(change)
        call = {"Put": "put_item", "Update": "update_item", "Delete": "delete_item"}[action]
        with errors.judging(f"{action}Item", _TABLE_GONE | _CONFLICT):
            getattr(self._client, call)(TableName=self._name, **asked)

    def _transact(self, changes: Sequence[Change]) -> None:
        actions = []
        for change in changes:
            action, asked = expressions.together(change)
            actions.append({action: {"TableName": self._name, **asked}})
        with errors.judging("TransactWriteItems", _TABLE_GONE | _CONFLICT):
            try:
                self._client.transact_write_items(TransactItems=actions)
            except exceptions.ClientError as error:
                if errors.code(error) == "TransactionCanceledException":
                    raise _cancelled(error) from None
                raise


def _accumulates(change: Change) -> bool:
    """Whether done twice it changes the row twice."""
    return isinstance(change, Update) and bool(change.add or change.append)


def _query(condition: str, names: dict[str, str], values: dict[str, str]) -> dict[str, Any]:
    return {
        "KeyConditionExpression": condition,
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": attributes.written(values),
    }


def _without_key(item: Item) -> Item:
    return {name: value for name, value in item.items() if name not in ("pk", "sk")}


def _cancelled(error: exceptions.ClientError) -> Exception:
    """By the reason of the first change that has one, conflicts before throttles before faults."""
    reasons: Sequence[Mapping[str, Any]] = error.response.get("CancellationReasons", ())
    codes = [
        str(reason.get("Code")) for reason in reasons if reason.get("Code") not in (None, "None")
    ]
    told = ", ".join(dict.fromkeys(codes)) or "no reason"
    if _CANCELLED_BY_CONFLICT.intersection(codes):
        return Conflict(f"TransactWriteItems was cancelled by AWS with {told}.")
    if errors.TEMPORARY_CODES.intersection(codes):
        return Temporary(f"TransactWriteItems was put off by AWS with {told}.")
    said = next((str(reason.get("Message", "")) for reason in reasons if reason.get("Message")), "")
    return errors.Refused(
        f"TransactWriteItems was refused by AWS with {told}: {errors.clean(said)}"
    )
