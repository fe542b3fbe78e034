"""An observer that never speaks proves nothing."""

import pytest

from mayfly.memory.services import MemoryServices
from tests.simulation.life import lived
from tests.simulation.options import fair
from tests.simulation.stack import Stack


def test_a_service_that_outlives_its_work_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    stack = Stack(1, options=fair(1))
    stack.people.put("upload", b"clip 20")
    monkeypatch.setattr(MemoryServices, "delete", lambda *_: None)
    (wrong,) = lived(stack).violations
    assert wrong.startswith("615 s after the last open task there are still mayfly-standard-")
