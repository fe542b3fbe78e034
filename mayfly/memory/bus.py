"""The Bus port in memory."""

import random

from mayfly.memory.branches import Branches
from mayfly.memory.faults import Faults
from mayfly.memory.fickle import Fickle

#: EventBridge: an entry of PutEvents.
EVENT_BYTES_MAX = 1024 * 1024


class MemoryBus(Fickle):
    """Keeps what was published, in order."""

    def __init__(
        self,
        *,
        faults: Faults | None = None,
        branches: Branches | None = None,
        chance: random.Random | None = None,
    ) -> None:
        super().__init__(faults, branches, chance)
        #: Detail type and detail.
        self.published: list[tuple[str, bytes]] = []

    def publish(self, detail_type: str, detail: bytes) -> None:
        """Raises ValueError for what EventBridge would not take."""
        if len(detail) > EVENT_BYTES_MAX:
            raise ValueError(f"An event holds {EVENT_BYTES_MAX} bytes, not {len(detail)}.")
        self._faults.before("bus.publish")
        for _ in range(2 if self._happens("asked_again_rate") else 1):
            self.published.append((detail_type, detail))
        self._faults.after("bus.publish")
