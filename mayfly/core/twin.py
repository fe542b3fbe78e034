"""When on-demand stands in for Spot, and for how many workers.

AWS never falls back: a service on FARGATE_SPOT waits for capacity for minutes or for days. One rule
of ours: when Spot has given fewer workers than asked for, and the open task that waits longest has
not moved, both for as long as the pool allows, a second service on FARGATE runs the missing
workers beside it. Both conditions are needed: a Spot worker that is replaced after an interruption
is missing for a minute or two, and a task behind long ones has not moved for an hour.

The twin leaves first. Spot goes on being asked for everything, so the moment it runs what is wanted
is seen, and then the twin is asked for none: its idle workers go, a busy one ends its task. Of
itself it only ever shrinks; to grow again it needs its reason again. It must never ask for more
than Spot lacks.
"""

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Shortage:
    """What Spot lacks, and for how long."""

    #: Workers that were asked for and do not run.
    missing: int
    for_seconds: float
    #: How long the open task that waits longest has not moved.
    still_seconds: float


def workers(shortage: Shortage, standing: int, after_seconds: float) -> int:
    """How many workers the twin shall have, where it was last asked for `standing`."""
    if after_seconds <= 0:
        return 0
    if min(shortage.for_seconds, shortage.still_seconds) >= after_seconds:
        return shortage.missing
    return min(standing, shortage.missing)
