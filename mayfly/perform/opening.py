"""Makes the rows of a plan's tasks, a transaction at a time.

The head's cursor says how many there are, so whoever comes after a crash goes on where it stands.
"""

from collections.abc import Sequence

import msgspec

from mayfly.contract.plan import Plan
from mayfly.core import commands, limits, parts
from mayfly.core.events import TokensDrawn
from mayfly.core.rows import PlanRow, from_item, plan_key
from mayfly.perform.releasing import Apply
from mayfly.perform.world import World


def open_tasks(world: World, job_id: str, apply: Apply) -> Sequence[commands.Command]:
    """Until all are there, or until somebody must be told of the first. Raises Temporary."""
    (item,) = world.table.get(plan_key(job_id))
    if item is None:
        return ()
    plan = msgspec.json.decode(from_item(PlanRow, item).plan, type=Plan)
    more = (commands.OpenTasks(job_id=job_id),)
    tokens_max = min(parts.count(plan), limits.ROWS_PER_TRANSACTION)
    # Each round opens some, or finds that another invocation did.
    for _ in range(parts.count(plan)):
        tokens = tuple(world.dice.token() for _ in range(tokens_max))
        drawn = TokensDrawn(at=world.clock.now(), plan=plan, tokens=tokens)
        following = apply(world, drawn, job_id).commands
        if following != more:
            return following
    return ()
