"""Nothing idles: once the weather is calm, what no work is left for is gone within a bounded time.

Asked at every look at what is pending, so it sees a service that came and went as well. It must
never ask the code under test what is to be done: it looks at rows, queues and machines.
"""

from mayfly.core import limits
from mayfly.core.rows import pool_key
from tests.simulation.stack import POOL, Stack

#: After the last open task: the longest that a planner's call to ECS may still be on its way, until
#: what it made is seen; a worker's longest end; and two ticks, one to see it and one to delete it.
IDLE_SECONDS_MAX = (
    limits.CALL_SECONDS_MAX
    + limits.CREATE_GRACE_SECONDS
    + limits.STOP_SECONDS
    + 2 * limits.TICK_SECONDS
)


class Idleness:
    """Sees how long a service or a machine outlives the last open task."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        #: The last look at which all that stood had work, or nothing stood.
        self._seen_well_at = stack.scheduler.now

    def look(self) -> str:
        """While it is calm."""
        now, standing = self._stack.scheduler.now, self._standing()
        if not standing or self._is_work_left():
            self._seen_well_at = now
        idle_seconds = now - self._seen_well_at
        if idle_seconds <= IDLE_SECONDS_MAX:
            return ""
        return f"{idle_seconds:.0f} s after the last open task there are still {standing}"

    def _standing(self) -> str:
        """Machines that live, and services that nobody has deleted."""
        names = [task.name for task in self._stack.fleet.alive]
        for name in self._stack.services.wanted():
            seen = self._stack.services.peek(name)
            if seen is not None and seen.status == "ACTIVE":
                names.append(name)
        return ", ".join(names)

    def _is_work_left(self) -> bool:
        stack = self._stack
        pool = stack.table.peek(pool_key(POOL)) or {}
        return (
            bool(stack.people.outstanding)
            or pool.get("open_jobs", 0) > 0
            or any(line.memory.bodies() for line in (stack.requests, stack.jobs, stack.done))
        )
