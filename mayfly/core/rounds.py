"""Rounds over all uploads: when one begins, which uploads it asks about, and where it goes on.

Why it exists: S3 may lose the event of an upload, and then nobody would ever encode it. Once an
hour every key under `uploads/` is looked at; an upload that has led to no job is taken as if its
event had come. The place of a round is a key, so a page that is looked at twice, by two ticks at
once or after a crash, opens nothing twice.
"""

from mayfly.core import limits
from mayfly.core.changes import Absent, Update
from mayfly.core.rows import ROUND_KEY, RoundRow


def current(row: RoundRow | None, now: float) -> RoundRow | None:
    """The round under way, or a new one; None while the last one is young."""
    if row is None:
        # Whatever lay in the bucket before its stack is nobody's request.
        return RoundRow(began_at=now, since=now - limits.RECONCILE_SECONDS)
    if row.done_at is None:
        return row
    if now - row.began_at < limits.RECONCILE_SECONDS:
        return None
    return RoundRow(began_at=now, since=row.since)


def is_asked_about(stored_at: float, since: float, now: float) -> bool:
    """Not so young that its event may be under way, nor so old that its record may have faded."""
    oldest = max(since, now - limits.RECONCILE_LOOKBACK_SECONDS)
    return oldest <= stored_at <= now - limits.RECONCILE_GRACE_SECONDS


def moved(before: RoundRow | None, row: RoundRow, cursor: str, done_at: float | None) -> Update:
    """The round is at `cursor`, unless another tick has moved it meanwhile."""
    as_read = {"began_at": before.began_at, "cursor": before.cursor} if before else None
    return Update(
        key=ROUND_KEY,
        set={
            "began_at": row.began_at,
            "since": row.since,
            "cursor": cursor,
            "done_at": done_at,
        },
        require=as_read or {"began_at": Absent()},
        upsert=before is None,
    )
