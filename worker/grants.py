"""The signed URLs that an attempt holds now; the heartbeat replaces them, fetch and delivery read
them at every try. It must never be printed.
"""

from collections.abc import Mapping

from mayfly.contract.task import Fetch, Grants, Task, Upload
from worker.clock import WorkerClock


class HeldGrants:
    """A task's grants. One attribute is replaced at once, so readers need no lock."""

    def __init__(self, task: Task, clock: WorkerClock) -> None:
        self._clock = clock
        urls = (task.source.fetch, task.upload, task.control, task.inputs, task.assets)
        self._held = (*urls, task.grants_end_at)

    @property
    def source(self) -> Fetch:
        """Where to read the source."""
        return self._held[0]

    @property
    def upload(self) -> Upload:
        """Where to store the outputs."""
        return self._held[1]

    @property
    def control(self) -> Fetch | None:
        """Where to look for orders."""
        return self._held[2]

    @property
    def inputs(self) -> Fetch | None:
        """Where to read what a finish joins."""
        return self._held[3]

    @property
    def assets(self) -> Mapping[str, Fetch]:
        """Where to read the images that the recipe draws, by name."""
        return self._held[4]

    def renew(self, grants: Grants) -> bool:
        """True when these live longer than those held."""
        ends = self._held[-1]
        if ends is not None and grants.grants_end_at <= ends:
            return False
        urls = (grants.source, grants.upload, grants.control, grants.inputs, grants.assets)
        self._held = (*urls, grants.grants_end_at)
        return True

    def left_seconds(self) -> float | None:
        """How long they live yet; None when nobody said."""
        ends = self._held[-1]
        return None if ends is None else ends - self._clock.now()

    def dead(self, margin_seconds: float = 0.0) -> bool:
        """They are known to be of no use."""
        left = self.left_seconds()
        return left is not None and left <= margin_seconds

    def __repr__(self) -> str:
        return "HeldGrants(…)"
