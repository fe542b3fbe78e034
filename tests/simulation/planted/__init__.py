"""The bugs that others shipped, planted in our code one by one: the simulator must find each.

Every entry is text to replace in a module; `tests.simulation.planting` runs the search over it.
"""

from tests.simulation.planted import of_the_queue, of_the_work
from tests.simulation.planted.bug import Bug

__all__ = ["BUGS", "Bug", "bug_of"]

BUGS: tuple[Bug, ...] = (*of_the_queue.BUGS, *of_the_work.BUGS)


def bug_of(number: int) -> Bug:
    """The one with this number. Raises KeyError."""
    return {bug.number: bug for bug in BUGS}[number]
