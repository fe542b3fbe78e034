"""The Bus port in memory."""

from mayfly.memory.faults import Faults

#: EventBridge: an entry of PutEvents.
EVENT_BYTES_MAX = 1024 * 1024


class MemoryBus:
    """Keeps what was published, in order."""

    def __init__(self, *, faults: Faults | None = None) -> None:
        #: Detail type and detail.
        self.published: list[tuple[str, bytes]] = []
        self._faults = faults or Faults()

    def publish(self, detail_type: str, detail: bytes) -> None:
        """Raises ValueError for what EventBridge would not take."""
        if len(detail) > EVENT_BYTES_MAX:
            raise ValueError(f"An event holds {EVENT_BYTES_MAX} bytes, not {len(detail)}.")
        self._faults.before("bus.publish")
        self.published.append((detail_type, detail))
        self._faults.after("bus.publish")
