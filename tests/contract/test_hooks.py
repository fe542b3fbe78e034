"""Whatever runs while a call of a port is under way, the port stays whole.

The simulator suspends a call inside its hooks and lets others run. So a call that runs inside
`before` must count as earlier and one inside `after` as later, for every pair of calls of a port.
"""

from collections.abc import Callable
from itertools import product
from typing import Any

import pytest

from mayfly.core.changes import Above, Create, Delete, Key, Put, Update
from mayfly.memory.clock import VirtualClock
from mayfly.memory.faults import Faults
from mayfly.memory.queue import MemoryQueue
from mayfly.memory.services import MemoryServices
from mayfly.memory.store import MemoryStore
from mayfly.memory.table import MemoryTable
from mayfly.perform.ports import Conflict, Gone, HandleLost, Temporary
from tests.contract.test_services_branches import NAME, wanted

Call = Callable[[Any], object]
ROW = Key("p", "a")


class Meanwhile(Faults):
    """Runs something inside the first hook of the kind that was asked for."""

    def __init__(self, hook: str = "") -> None:
        self.hook = hook
        self.run: Callable[[], None] = lambda: None

    def before(self, action: str) -> None:
        if self.hook == "before":
            self.hook = ""
            self.run()

    def after(self, action: str) -> None:
        if self.hook == "after":
            self.hook = ""
            self.run()


def a_queue(faults: Faults) -> MemoryQueue:
    queue = MemoryQueue(VirtualClock(start=0), faults=faults)
    queue.send(b"held")
    queue.receive(wait_seconds=0)
    queue.send(b"waiting")
    return queue


def a_table(faults: Faults) -> MemoryTable:
    table = MemoryTable(faults=faults)
    table.commit([Create(key=ROW, item={"open": 1, "gpk": "g", "gsk": "1"})])
    return table


def a_store(faults: Faults) -> MemoryStore:
    store = MemoryStore(faults=faults)
    store.write("b", "k", b"1", content_type="x")
    return store


def some_services(faults: Faults) -> MemoryServices:
    services = MemoryServices(VirtualClock(start=0), faults=faults)
    services.create(wanted(desired=0))
    return services


HANDLE, ETAG = "queue-1#1", "c4ca4238a0b923820dcc509a6f75849b"

PORTS: dict[str, tuple[Callable[[Faults], Any], dict[str, Call]]] = {
    "queue": (
        a_queue,
        {
            "send": lambda queue: queue.send(b"new"),
            "receive": lambda queue: queue.receive(wait_seconds=0, limit=1),
            "poll": lambda queue: queue.receive(wait_seconds=3, limit=10),
            "extend": lambda queue: queue.extend(HANDLE, 60),
            "hand back": lambda queue: queue.extend(HANDLE, 0),
            "delete": lambda queue: queue.delete(HANDLE),
            "depth": lambda queue: queue.depth(),
        },
    ),
    "table": (
        a_table,
        {
            "get": lambda table: table.get(ROW),
            "rows": lambda table: table.rows("p"),
            "index": lambda table: table.index("g", limit=9),
            "create": lambda table: table.commit([Create(key=Key("p", "b"), item={"n": 0})]),
            "put": lambda table: table.commit([Put(key=Key("p", "b"), item={"n": 1})]),
            "close": lambda table: table.commit(
                [
                    Update(key=ROW, add={"open": -1}, require={"open": Above(0)}),
                    Update(key=Key("p", "c"), add={"closed": 1}, upsert=True),
                ]
            ),
            "move": lambda table: table.commit([Update(key=ROW, set={"gsk": "2"})]),
            "delete": lambda table: table.commit([Delete(key=ROW)]),
        },
    ),
    "store": (
        a_store,
        {
            "head": lambda store: store.head("b", "k"),
            "read": lambda store: store.read("b", "k"),
            "list": lambda store: store.list("b", ""),
            "copy": lambda store: store.copy("b", "k", "copy"),
            "write": lambda store: store.write("b", "k", b"2", content_type="x"),
            "match": lambda store: store.write("b", "k", b"3", content_type="x", if_match=ETAG),
            "absent": lambda store: store.write("b", "n", b"4", content_type="x", if_absent=True),
            "remove": lambda store: store.remove("b", "k"),
        },
    ),
    "services": (
        some_services,
        {
            "create": lambda services: services.create(wanted(desired=2)),
            "another": lambda services: services.create(wanted("mayfly-small-2")),
            "raise": lambda services: services.resize(NAME, 3),
            "lower": lambda services: services.resize(NAME, 0),
            "delete": lambda services: services.delete(NAME),
            "describe": lambda services: services.describe([NAME]),
            "tagged": lambda services: services.tagged(),
        },
    ),
}
PAIRS = [
    (port, outer, inner, hook)
    for port, (_, calls) in PORTS.items()
    for outer, inner in product(calls, calls)
    for hook in ("before", "after")
]


def answer(call: Call, port: Any) -> str:
    try:
        return repr(call(port))
    except (Conflict, Gone, HandleLost, Temporary) as refused:
        return repr(refused)


def whole(port: Any) -> str:
    """Everything that can be seen of it later."""
    match port:
        case MemoryQueue():
            port._clock.sleep(3600)
            return repr((port.depth(), port.receive(wait_seconds=0, limit=10)))
        case MemoryTable():
            return repr((port.rows("p"), port.index("g", limit=9)))
        case MemoryStore():
            return repr([(key, port.read("b", key)) for key in port.keys("b")])
        case _:
            return repr((port.tagged(), port.describe([NAME, "mayfly-small-2"])))


@pytest.mark.parametrize(("name", "outer", "inner", "hook"), PAIRS)
def test_a_call_inside_a_hook_is_as_one_before_or_after(
    name: str, outer: str, inner: str, hook: str
) -> None:
    make, calls = PORTS[name]
    faults = Meanwhile()
    port = make(faults)
    inside: list[str] = []
    faults.run = lambda: inside.append(answer(calls[inner], port))
    faults.hook = hook
    outside = answer(calls[outer], port)
    if not inside:
        # A call that was refused or only reads has no hook after it; a removal is nobody's call.
        assert hook == "after" or outer == "remove"
        return

    apart = make(Faults())
    order = (inner, outer) if hook == "before" else (outer, inner)
    first, second = (answer(calls[call], apart) for call in order)
    assert (inside[0], outside) == ((first, second) if hook == "before" else (second, first))
    assert whole(port) == whole(apart)
