"""The two Lambda handlers over a world in memory; events as AWS words them."""

import importlib
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from mayfly.memory.world import SETTINGS, MemoryWorld, memory_world

EVENTS = Path(__file__).parent / "events"


class Context:
    """What Lambda hands a handler."""

    function_name = "mayfly"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:us-east-1:123456789012:function:mayfly"
    aws_request_id = "52fdfc07-2182-154f-163f-5f0f9a621d72"


@pytest.fixture
def w() -> MemoryWorld:
    return memory_world()


def _handler(name: str, w: MemoryWorld, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    for key, value in SETTINGS.to_env().items():
        monkeypatch.setenv(key, value)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    module = importlib.import_module(f"{name}.handler")
    monkeypatch.setattr(module, "world", w.world)
    return module


Invoke = Callable[..., Any]


@pytest.fixture
def dispatch(w: MemoryWorld, monkeypatch: pytest.MonkeyPatch) -> Invoke:
    """Invokes the dispatcher with a recorded event."""
    module = _handler("dispatcher", w, monkeypatch)
    return lambda name: module.handler(json.loads((EVENTS / f"{name}.json").read_text()), Context())


@pytest.fixture
def complete(w: MemoryWorld, monkeypatch: pytest.MonkeyPatch) -> Invoke:
    """Invokes the completion handler with a recorded event, perhaps of another worker."""
    module = _handler("completion_handler", w, monkeypatch)

    def invoke(name: str, worker: str = "02e0dfe2") -> Any:
        recorded = (EVENTS / f"{name}.json").read_text().replace("02e0dfe2", worker)
        return module.handler(json.loads(recorded), Context())

    return invoke
