"""The index of a table in memory: sorted, sparse, and late if it shall be.

Each row's entry follows the row at a time of its own, but never backwards: an entry shows the
versions of its row in the order in which they were written.
"""

import bisect
import heapq

from mayfly.memory.rows import Row

#: `pk`, `sk`.
_RowKey = tuple[str, str]


class Index:
    """Rows that have `gpk` and `gsk`, by `gpk`, in the order of `gsk`."""

    def __init__(self) -> None:
        #: (gsk, pk, sk), in order.
        self._order: dict[str, list[tuple[str, str, str]]] = {}
        self._shown: dict[_RowKey, Row] = {}
        #: When a version shall be shown, and how many were written before it.
        self._late: list[tuple[float, int, _RowKey, Row | None]] = []
        self._latest: dict[_RowKey, float] = {}
        self._written = 0

    def write(self, key: _RowKey, row: Row | None, seen_at: float, *, late: bool) -> None:
        """At once, unless it shall be late or an older version of the row is."""
        if not late and not self._late:
            self._show(key, row)
            return
        self._written += 1
        seen_at = max(seen_at, self._latest.get(key, seen_at))
        self._latest[key] = seen_at
        heapq.heappush(self._late, (seen_at, self._written, key, row))

    def catch_up(self, now: float | None) -> None:
        """Shows what is due; everything, without a time."""
        while self._late and (now is None or self._late[0][0] <= now):
            _, _, key, row = heapq.heappop(self._late)
            self._show(key, row)
        if not self._late:
            self._latest.clear()

    def is_behind(self, gpk: str) -> bool:
        """Whether it shows of `gpk` something else than what was written."""
        for _, _, key, row in self._late:
            places = [r.index_key for r in (self._shown.get(key), row) if r and r.index_key]
            if any(place == gpk for place, _ in places):
                return True
        return False

    def first(self, gpk: str, limit: int, after: str) -> list[Row]:
        """Beyond `after`, as they are shown."""
        order = self._order.get(gpk, [])
        begin = bisect.bisect_right(order, after, key=_gsk) if after else 0
        return [self._shown[pk, sk] for _, pk, sk in order[begin : begin + limit]]

    def _show(self, key: _RowKey, row: Row | None) -> None:
        shown = self._shown.get(key)
        if shown is None and (row is None or row.index_key is None):
            return
        was = shown.index_key if shown else None
        now = row.index_key if row else None
        if was != now:
            if was:
                order = self._order[was[0]]
                del order[bisect.bisect_left(order, (was[1], *key))]
            if now:
                bisect.insort(self._order.setdefault(now[0], []), (now[1], *key))
        if now and row:
            self._shown[key] = row
        elif was:
            del self._shown[key]


def _gsk(entry: tuple[str, str, str]) -> str:
    return entry[0]
