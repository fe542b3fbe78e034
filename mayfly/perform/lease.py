"""One planner at a time for a pool: a short lease on its row.

A planner that finds the lease taken leaves a mark and goes; the one that holds it looks again
before it lets go, so nothing that was opened meanwhile waits for the tick. ECS knows no fence: a
holder that is slow may still call it after its lease has ended, so it asks before each call, and
the plan is made so that a late call heals. The lease must never be believed without its owner's
name in the row.

The row is also written whenever a job opens or closes, so a refused change is looked at: what
merely met another transaction is tried again.
"""

import dataclasses
from collections.abc import Callable, Mapping

from mayfly.core import limits
from mayfly.core.changes import Below, Update
from mayfly.core.rows import PoolRow, from_item, pool_key
from mayfly.perform.ports import Conflict, Temporary
from mayfly.perform.world import World


class Ended(Exception):
    """The lease ended under its holder: somebody else may be planning."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The right to plan for a pool, until a time."""

    pool: str
    owner: str
    until: float


def take(world: World, name: str, *, settled: bool) -> Lease | None:
    """None when another planner has it, who will look for us. Raises Temporary."""
    lease = Lease(
        pool=name,
        owner=world.dice.token(),
        until=world.clock.now() + limits.LEASE_SECONDS,
    )
    taken = Update(
        key=pool_key(name),
        set={"pool": name, "lease_owner": lease.owner, "lease_until": lease.until},
        require={"lease_until": Below(world.clock.now())},
        upsert=True,
    )
    refusing = _insist(world, taken, lambda row: row.lease_until < world.clock.now())
    if refusing is None or refusing.lease_owner == lease.owner:
        return lease  # ours too when AWS took it twice, since the first answer was lost
    marks: dict[str, object] = {"settled_wanted": True} if settled else {}
    mark = Update(key=pool_key(name), set=marks, add={"looks_wanted": 1})
    _insist(world, mark, lambda _: True)
    return None


def write(
    world: World, lease: Lease, fields: Mapping[str, object], remove: tuple[str, ...] = ()
) -> None:
    """Changes the pool's row as its planner. Raises Ended, Temporary."""
    change = Update(
        key=pool_key(lease.pool),
        set=fields,
        remove=remove,
        require={"lease_owner": lease.owner},
    )
    if _insist(world, change, lambda row: row.lease_owner == lease.owner) is not None:
        raise Ended(f"The lease of pool {lease.pool} ended under its planner.")


def check(world: World, lease: Lease) -> None:
    """Before each call to ECS. Raises Ended."""
    if world.clock.now() >= lease.until:
        raise Ended(f"The lease of pool {lease.pool} ended before a call.")


def let_go(world: World, lease: Lease, row: PoolRow | None) -> bool:
    """Frees the lease; with `row`, only if nobody wanted a look since it was read."""
    fields: dict[str, object] = {"lease_owner": "", "lease_until": 0.0}
    require: dict[str, object] = {"lease_owner": lease.owner}
    if row is not None:
        fields["settled_wanted"] = False
        # A count that only grows, and is not there before the first.
        require["looks_wanted"] = Below(row.looks_wanted + 1)
    change = Update(key=pool_key(lease.pool), set=fields, require=require)
    refusing = _insist(
        world,
        change,
        lambda now: (
            now.lease_owner == lease.owner and (row is None or now.looks_wanted == row.looks_wanted)
        ),
    )
    return refusing is None


def _insist(world: World, change: Update, may_succeed: Callable[[PoolRow], bool]) -> PoolRow | None:
    """Makes the change, again and again for as long as the row lets it. Answers with the row that
    does not. Raises Temporary."""
    pool = change.key.pk.removeprefix("pool#")
    for attempt in range(limits.CONFLICT_TRIES_MAX):
        try:
            world.table.commit([change])
            return None
        except Conflict:
            (item,) = world.table.get(change.key)
            row = from_item(PoolRow, {"pool": pool, **(item or {})})
            if not may_succeed(row):
                return row
            world.clock.sleep(world.dice.jitter(0.05 * 2**attempt))
    raise Temporary(f"The row of pool {pool} is too busy.")
