"""What every unit test may ask for."""

import pytest

from mayfly.memory.world import MemoryWorld, memory_world


@pytest.fixture
def w() -> MemoryWorld:
    return memory_world()
