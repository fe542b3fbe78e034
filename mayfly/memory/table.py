"""The JobTable port in memory; `rows.apply` is what a change means.

What DynamoDB refuses as malformed raises ValueError here too, so that a decision that AWS would
never take cannot pass in a test.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from mayfly.core.changes import Change, Key
from mayfly.memory.faults import Faults
from mayfly.memory.rows import Row, apply
from mayfly.perform.ports import Item

#: BatchGetItem and TransactWriteItems take 100 at most.
BATCH_MAX = 100


class MemoryTable:
    """All rows, and the index, which may be held behind."""

    def __init__(self, *, faults: Faults | None = None) -> None:
        #: While true, the index shows nothing that was committed since.
        self.index_held = False
        self._faults = faults or Faults()
        self._rows: dict[Key, Row] = {}
        self._indexed: dict[Key, Row] = {}
        self._unindexed: dict[Key, None] = {}

    def get(self, *keys: Key) -> list[Item | None]:
        """Copies: what a caller does to them changes nothing."""
        if len(keys) > BATCH_MAX:
            raise ValueError(f"BatchGetItem takes {BATCH_MAX} keys, not {len(keys)}.")
        self._faults.before("table.get")
        return [_without_key(self._rows[key]) if key in self._rows else None for key in keys]

    def commit(self, changes: Sequence[Change]) -> None:
        """All or none, and each row at most once."""
        if len({change.key for change in changes}) != len(changes):
            raise ValueError("A transaction can name a row only once.")
        if len(changes) > BATCH_MAX:
            raise ValueError(f"A transaction takes {BATCH_MAX} changes, not {len(changes)}.")
        self._faults.before("table.commit")
        after = {change.key: apply(change, self._rows.get(change.key)) for change in changes}
        for key, row in after.items():
            _keep(self._rows, key, row)
            self._unindexed[key] = None
        self._faults.after("table.commit")

    def rows(self, pk: str, sk_prefix: str = "") -> list[Item]:
        """In the order of `sk`, which DynamoDB compares byte by byte, as code points are."""
        self._faults.before("table.rows")
        found = [key for key in self._rows if key.pk == pk and key.sk.startswith(sk_prefix)]
        return [_copy(self._rows[key]) for key in sorted(found)]

    def index(self, gpk: str, *, limit: int, after: str = "") -> list[Item]:
        """As of the last time it was not held."""
        if limit < 1:
            raise ValueError("Query wants a limit of at least 1.")
        self._faults.before("table.index")
        if not self.index_held:
            for key in self._unindexed:
                _keep(self._indexed, key, self._rows.get(key))
            self._unindexed.clear()
        found = [
            (row["gsk"], key)
            for key, row in self._indexed.items()
            if row.get("gpk") == gpk and row.get("gsk", "") > after
        ]
        return [_copy(self._indexed[key]) for _, key in sorted(found)[:limit]]

    def row_keys(self) -> list[Key]:
        """Of every row, for checkers."""
        return list(self._rows)

    def peek(self, key: Key) -> Item | None:
        """A row itself, not a copy, for checkers that only look."""
        return self._rows.get(key)

    def snapshot(self) -> dict[Key, Item]:
        """Every row, for checkers."""
        return {key: _copy(row) for key, row in self._rows.items()}


def _keep(rows: dict[Key, Row], key: Key, row: Row | None) -> None:
    if row is None:
        rows.pop(key, None)
    else:
        rows[key] = row


def _copy(value: Any) -> Any:
    """Lists and objects anew, all the way down."""
    if isinstance(value, Mapping):
        return {name: _copy(held) for name, held in value.items()}
    if isinstance(value, list):
        return [_copy(held) for held in value]
    return value


def _without_key(row: Row) -> Row:
    return {name: _copy(value) for name, value in row.items() if name not in ("pk", "sk")}
