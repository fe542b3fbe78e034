"""Looks for uploads whose event was lost, and takes them as if it had come.

The tick drives it, a bounded number of calls each time. Lists keys and asks the table; it never
decides what an upload becomes: `intake` does, for both.
"""

import logging
from collections.abc import Callable, Sequence

from mayfly.core import limits, naming, rounds
from mayfly.core.commands import Command
from mayfly.core.identity import SourceObject, upload_id
from mayfly.core.rows import ROUND_KEY, RoundRow, from_item, upload_key
from mayfly.perform import intake
from mayfly.perform.ports import Conflict, ObjectListed
from mayfly.perform.world import World

log = logging.getLogger("mayfly")

#: BatchGetItem reads 100.
_ASKED_AT_ONCE = 100

#: Looks at one thing and remembers what there is to do; whether it could.
Look = Callable[..., bool]


def reconcile(world: World, look: Look) -> tuple[()]:
    """Goes on with the round, if one is due. Raises Temporary: the next tick reads the page again.

    An upload that cannot be taken now stops no other; the next round finds it again.
    """
    now = world.clock.now()
    (item,) = world.table.get(ROUND_KEY)
    before = from_item(RoundRow, item) if item else None
    row = rounds.current(before, now)
    if row is None:
        return ()
    cursor, room, done = row.cursor, limits.RECONCILE_TAKEN_MAX, False
    for _ in range(limits.RECONCILE_PAGES_MAX):
        size = limits.RECONCILE_PAGE_KEYS
        page = world.store.list(world.settings.bucket, naming.UPLOADS, after=cursor, limit=size)
        missing = _missing(world, page, row, now)
        for source in missing[:room]:
            look(_take, source)
        if len(missing) > room:
            cursor = missing[room - 1].key if room else cursor
            break
        room -= len(missing)
        if page:
            cursor = page[-1].key
        done = len(page) < size
        if done:
            break
    _store(world, before, row, cursor, world.clock.now() if done else None)
    return ()


def _missing(
    world: World, page: Sequence[ObjectListed], row: RoundRow, now: float
) -> list[SourceObject]:
    """Uploads that have led to no job."""
    asked = [
        SourceObject(
            bucket=world.settings.bucket,
            key=listed.key,
            etag=listed.etag,
            size_bytes=listed.size_bytes,
        )
        for listed in page
        if naming.is_upload(listed.key)
        and rounds.is_asked_about(listed.last_modified, row.since, now)
    ]
    missing: list[SourceObject] = []
    for start in range(0, len(asked), _ASKED_AT_ONCE):
        some = asked[start : start + _ASKED_AT_ONCE]
        found = world.table.get(*(upload_key(upload_id(source)) for source in some))
        missing += [source for source, item in zip(some, found, strict=True) if item is None]
    return missing


def _take(world: World, source: SourceObject) -> Sequence[Command]:
    log.warning(
        "No event of an upload has come.", extra={"action": "reconcile", "source": source.address}
    )
    world.tally.add("UploadsReconciled")
    return intake.take_upload(world, source, standing=True)


def _store(
    world: World, before: RoundRow | None, row: RoundRow, cursor: str, done_at: float | None
) -> None:
    try:
        world.table.commit([rounds.moved(before, row, cursor, done_at)])
    except Conflict:
        log.info("Another tick has moved the round.", extra={"action": "reconcile"})
