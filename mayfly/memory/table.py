"""The JobTable port in memory; `rows.apply` is what a change means.

What DynamoDB refuses as malformed raises ValueError here too, so that a decision that AWS would
never take cannot pass in a test.
"""

import random
from collections.abc import Sequence

from mayfly.core.changes import Change, Key, Update
from mayfly.memory.branches import Branches
from mayfly.memory.faults import Faults
from mayfly.memory.fickle import Fickle
from mayfly.memory.indexes import Index
from mayfly.memory.rows import Row, apply
from mayfly.perform.ports import Clock, Conflict, Item, Temporary

#: BatchGetItem and TransactWriteItems take 100 at most, and the rows of a transaction 4 MB.
BATCH_MAX = 100
TRANSACTION_BYTES_MAX = 4 * 1024 * 1024


class MemoryTable(Fickle):
    """All rows, and the index, which may lag behind."""

    def __init__(
        self,
        *,
        clock: Clock | None = None,
        faults: Faults | None = None,
        branches: Branches | None = None,
        chance: random.Random | None = None,
    ) -> None:
        super().__init__(faults, branches, chance)
        #: While true, the index shows nothing that was committed since.
        self.index_held = False
        #: Only for an index that lags.
        self._clock = clock
        #: By `pk`, then by `sk`.
        self._partitions: dict[str, dict[str, Row]] = {}
        self._index = Index()

    def get(self, *keys: Key) -> list[Item | None]:
        """Copies: what a caller does to them changes nothing."""
        if len(keys) > BATCH_MAX:
            raise ValueError(f"BatchGetItem takes {BATCH_MAX} keys, not {len(keys)}.")
        self._faults.before("table.get")
        return [_without_key(self._row(key)) for key in keys]

    def commit(self, changes: Sequence[Change]) -> None:
        """All or none, and each row at most once."""
        keys = [(change.key.pk, change.key.sk) for change in changes]
        if len(set(keys)) != len(keys):
            raise ValueError("A transaction can name a row only once.")
        if len(keys) > BATCH_MAX:
            raise ValueError(f"A transaction takes {BATCH_MAX} changes, not {len(keys)}.")
        self._faults.before("table.commit")
        if changes:
            self._refuse_some()
            self._write(changes)
            if len(changes) == 1 and self._happens("asked_again_rate"):
                self._ask_again(changes[0])
        self._faults.after("table.commit")

    def rows(self, pk: str, sk_prefix: str = "") -> list[Item]:
        """In the order of `sk`, which DynamoDB compares byte by byte, as code points are."""
        self._faults.before("table.rows")
        partition = self._partitions.get(pk, {})
        found = sorted(sk for sk in partition if sk.startswith(sk_prefix))
        return [partition[sk].item() for sk in found]

    def index(self, gpk: str, *, limit: int, after: str = "") -> list[Item]:
        """Each row as of some moment, and none older than it was in an earlier answer."""
        if limit < 1:
            raise ValueError("Query wants a limit of at least 1.")
        self._faults.before("table.index")
        if not self.index_held:
            lag = self.branches.index_lag_seconds
            self._index.catch_up(self._now() if lag else None)
            if lag and self._index.is_behind(gpk):
                self._faults.took("index_lag_seconds", lag)
        return [row.item() for row in self._index.first(gpk, limit, after)]

    def partition_keys(self) -> list[str]:
        """Every `pk` there ever was, for checkers."""
        return list(self._partitions)

    def keys_of(self, pk: str) -> list[Key]:
        """Of every row of a partition, for checkers."""
        return [Key(pk, sk) for sk in self._partitions.get(pk, ())]

    def peek(self, key: Key) -> Item | None:
        """A row itself, not a copy, for checkers that only look."""
        row = self._row(key)
        return row.fields if row else None

    def snapshot(self) -> dict[Key, Item]:
        """Every row, for checkers, who alter nothing that is in them."""
        return {
            Key(pk, sk): row.fields.copy()
            for pk, partition in self._partitions.items()
            for sk, row in partition.items()
        }

    def _row(self, key: Key) -> Row | None:
        partition = self._partitions.get(key.pk)
        return partition.get(key.sk) if partition else None

    def _write(self, changes: Sequence[Change]) -> None:
        written, bytes_max = [], 0
        for change in changes:
            key = change.key
            before = self._row(key)
            after = apply(change, before)
            written.append((key, before, after))
            concerned = after or before
            bytes_max += concerned.bytes_max if concerned else 0
        if bytes_max > TRANSACTION_BYTES_MAX and len(written) > 1:
            _check_size([after or before for _, before, after in written])
        lag = self.branches.index_lag_seconds
        late = self.index_held or lag > 0
        for key, before, after in written:
            if after is not None:
                self._partitions.setdefault(key.pk, {})[key.sk] = after
            elif before is not None:
                del self._partitions[key.pk][key.sk]
            if (before and before.index_key) or (after and after.index_key):
                seen_at = self._now() + self._chance.uniform(0, lag) if lag else 0.0
                self._index.write((key.pk, key.sk), after, seen_at, late=late)

    def _refuse_some(self) -> None:
        if self._happens("throttled_rate"):
            raise Temporary("TransactWriteItems: ThrottlingError.")
        if self._happens("transaction_conflict_rate"):
            raise Conflict("TransactWriteItems: TransactionConflict, a transaction is ongoing.")

    def _ask_again(self, change: Change) -> None:
        """Only what accumulates is made a transaction, whose token makes the second asking void."""
        if not (isinstance(change, Update) and (change.add or change.append)):
            self._write([change])

    def _now(self) -> float:
        if self._clock is None:
            raise ValueError("An index lags behind a clock, and this table was given none.")
        return self._clock.now()


def _check_size(rows: Sequence[Row | None]) -> None:
    size = sum(row.bytes() for row in rows if row)
    if size > TRANSACTION_BYTES_MAX:
        raise ValueError(f"A transaction has {TRANSACTION_BYTES_MAX} bytes of rows, not {size}.")


def _without_key(row: Row | None) -> Item | None:
    if row is None:
        return None
    item = row.item()
    del item["pk"], item["sk"]
    return item
