"""What a simulated life costs, over what its port calls cost at the very least.

A life is port calls, and the real functions and workers between them. The floor is those same
calls with nothing between and nobody who watches: each read of the table takes one row of a job and
decodes it, each commit makes and applies one change, all other calls are free. Lives and floors
take turns in one run, so that a machine that slows down slows both. Beside the figure: how many
lives of each kind a CPU second holds, and how many it could if they cost no more than their floors.

    python -m bench.simulation
"""

import json
import os
import platform
import time
from collections import Counter

from mayfly.core.changes import Put, Update
from mayfly.core.rows import JobHead, JobState, from_item, head_key, to_item
from mayfly.memory.table import MemoryTable
from tests.simulation.life import live

LIVES = 150
#: So many times the floor; what else a life does is the code under test.
LIMIT = 45.0
READS = ("table.get", "table.index", "table.rows")
#: Requests of each life: 1 makes a small world, None leaves it to the seed.
KINDS = {"small": 1, "ordinary": None}


def main() -> None:
    """Prints one JSON line."""
    measured = {kind: _measure(requests) for kind, requests in KINDS.items()}
    figure = {
        "metric": "simulated_life_cpu_over_its_port_calls",
        "value": measured["small"]["over_floor"],
        "limit": LIMIT,
        "conditions": {
            "worlds": measured,
            "lives": LIVES,
            "python": platform.python_version(),
            "machine": f"{platform.machine()}, {os.cpu_count()} CPUs",
            "load": [round(load, 1) for load in os.getloadavg()],
        },
    }
    print(json.dumps(figure))


def _measure(requests: int | None) -> dict[str, float]:
    _life(0, requests)  # warm
    calls: Counter[str] = Counter()
    life_seconds = floor_seconds = 0.0
    table = _table()
    for seed in range(LIVES):
        own, seconds = _life(seed, requests)
        calls.update(own)
        life_seconds += seconds
        floor_seconds += _least(table, own)
    return {
        "over_floor": round(life_seconds / floor_seconds, 2),
        "lives_per_cpu_second": round(LIVES / life_seconds, 1),
        "lives_per_cpu_second_at_the_floor": round(LIVES / floor_seconds, 1),
        "port_calls_per_life": round(calls.total() / LIVES, 1),
        "port_calls_per_cpu_second": round(calls.total() / life_seconds),
    }


def _life(seed: int, requests: int | None) -> tuple[Counter[str], float]:
    """Its port calls, and its CPU seconds."""
    began = time.process_time()
    life = live(seed, requests)
    seconds = time.process_time() - began
    calls: Counter[str] = Counter()
    for (_, action), count in life.calls.items():
        calls[action] += count
    return calls, seconds


def _table() -> MemoryTable:
    head = JobHead(
        job_id="job",
        state=JobState.RUNNING,
        tenant="default",
        pool="standard",
        preset="mp4-720p",
        source="s3://media/uploads/a.mp4",
        run=1,
        priority=0,
        open_tasks=1,
        accepted_at=1.5,
        updated_at=1.5,
        story=("RequestAccepted: nothing -> queued", "TaskStarted: queued -> running"),
    )
    table = MemoryTable()
    table.commit([Put(key=head_key("job"), item=to_item(head))])
    return table


def _least(table: MemoryTable, calls: Counter[str]) -> float:
    """CPU seconds of these calls alone."""
    key, began = head_key("job"), time.process_time()
    for _ in range(sum(calls[action] for action in READS)):
        (item,) = table.get(key)
        from_item(JobHead, item)
    for number in range(calls["table.commit"]):
        table.commit([Update(key=key, set={"updated_at": number, "state": "running"})])
    return time.process_time() - began


if __name__ == "__main__":
    main()
