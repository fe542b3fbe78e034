"""Reads the newest jobs of a stack, for people who look at it."""

from typing import Any

from mayfly.aws import attributes, errors
from mayfly.aws.dynamodb import INDEX
from mayfly.core.rows import ENDED_JOBS, OPEN_JOBS, JobHead, from_item
from mayfly.perform.ports import Gone

_TABLE_GONE: dict[str, type[Exception]] = {"ResourceNotFoundException": Gone}


class History:
    """The jobs of one table, newest first."""

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table

    def jobs(self, limit: int) -> list[JobHead]:
        """The newest jobs, open ones before ended ones. Eventually consistent."""
        heads = [head for part in (OPEN_JOBS, ENDED_JOBS) for head in self._newest(part, limit)]
        return heads[:limit]

    def _newest(self, partition: str, limit: int) -> list[JobHead]:
        found: list[JobHead] = []
        asked: dict[str, Any] = {
            "TableName": self._table,
            "IndexName": INDEX,
            "KeyConditionExpression": "#pk = :pk",
            "ExpressionAttributeNames": {"#pk": "gpk"},
            "ExpressionAttributeValues": attributes.written({":pk": partition}),
            "ScanIndexForward": False,
            "Limit": limit,
        }
        while True:
            with errors.judging("Query", _TABLE_GONE):
                answer = self._client.query(**asked)
            found += [from_item(JobHead, attributes.read(raw)) for raw in answer.get("Items", ())]
            if len(found) >= limit or "LastEvaluatedKey" not in answer:
                return found[:limit]
            asked["ExclusiveStartKey"] = answer["LastEvaluatedKey"]
