"""What the ports in memory have in common: one account's branches, and the chance to take them.

It holds no state of a port, and draws only where a branch has a choice: with the kind branches
nothing is ever drawn.
"""

import random

from mayfly.memory.branches import KIND, Branches
from mayfly.memory.faults import Faults


class Fickle:
    """A port that does what its account's branches say."""

    def __init__(
        self, faults: Faults | None, branches: Branches | None, chance: random.Random | None
    ) -> None:
        #: May be changed while the port is used, as when bad weather ends.
        self.branches = branches or KIND
        self._faults = faults or Faults()
        self._chance = chance or random.Random(0)  # noqa: S311 - repeatable is what it is for

    def _happens(self, branch: str) -> bool:
        """Whether the branch, one with a rate, is taken now."""
        if self.branches is KIND:
            return False
        rate: float = getattr(self.branches, branch)
        if not rate or self._chance.random() >= rate:
            return False
        self._faults.took(branch, rate)
        return True
