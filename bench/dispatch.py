"""Requests dispatched a second, and AWS calls a job, at batches of ten.

The real use cases of the dispatcher over the real adapters, against the embedded AWS with the real
template, planners paused so that no worker takes the processor. The limit beside the figure: the
rate at which the same process makes the least that a job needs, one table write and one send.
The rates are wall seconds of one emulator on this machine, so only their ratio
and the number of calls mean anything elsewhere.

    python -m bench.dispatch
"""

import json
import os
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from dispatcher import desk
from local.cloud import LocalCloud, Options
from mayfly.aws import clients
from mayfly.aws.world import aws_world
from mayfly.contract.settings import FunctionSettings
from mayfly.core.changes import Key, Put
from mayfly.core.rows import PAUSED_KEY
from mayfly.perform import engine
from mayfly.perform.world import World

BATCH = 10
BATCHES = 10
ROUNDS = 3


def main() -> None:
    """Prints one JSON line."""
    with tempfile.TemporaryDirectory() as folder:
        options = Options(workers={"standard": 1_000})
        with LocalCloud.start(Path(folder), options) as cloud:
            os.environ.update(cloud.environment)
            world = _world(cloud)
            world.table.commit([Put(key=PAUSED_KEY, item={"why": "bench"})])
            print(json.dumps(_measure(world)))


def _world(cloud: LocalCloud) -> World:
    function = cloud.client("lambda").get_function_configuration(
        FunctionName=cloud.outputs["DispatcherFunction"]
    )
    return aws_world(FunctionSettings.from_env(function["Environment"]["Variables"]))


def _measure(world: World) -> dict[str, object]:
    calls = _count_calls()
    _dispatch(world, "warm")
    _least(world, "warm")
    calls.clear()
    dispatch = [_seconds(_dispatch, world, f"d{number}") for number in range(ROUNDS)]
    per_job = {name: count / (ROUNDS * BATCH * BATCHES) for name, count in calls.items()}
    bare = [_seconds(_least, world, f"b{number}") for number in range(ROUNDS)]
    jobs = BATCH * BATCHES
    return {
        "metric": "dispatch_jobs_per_second",
        "value": round(jobs / statistics.median(dispatch), 1),
        "limit": round(jobs / statistics.median(bare), 1),
        "conditions": {
            "aws_calls_per_job": round(sum(per_job.values()), 2),
            "calls": {name: round(count, 2) for name, count in sorted(per_job.items())},
            "batch": BATCH,
            "jobs_per_round": jobs,
            "rounds": ROUNDS,
            "limit_is": "one PutItem and one SendMessage a job, same process, same emulator",
        },
    }


def _dispatch(world: World, name: str) -> None:
    for batch in range(BATCHES):
        todo = [
            command
            for number in range(BATCH)
            for command in desk.take(world, _upload(world, f"{name}-{batch}-{number}"))
        ]
        engine.run(world, todo)


def _least(world: World, name: str) -> None:
    for number in range(BATCH * BATCHES):
        world.table.commit([Put(key=Key(f"bench#{name}", str(number)), item={"n": number})])
        world.jobs_queues["standard"].send(b"{}")


def _upload(world: World, name: str) -> str:
    thing = {"key": f"uploads/{name}.mp4", "size": 1000, "eTag": name, "sequencer": "0A"}
    record = {
        "eventSource": "aws:s3",
        "eventName": "ObjectCreated:Put",
        "s3": {"bucket": {"name": world.settings.bucket}, "object": thing},
    }
    return json.dumps({"Records": [record]})


def _seconds(work: Callable[[World, str], None], world: World, name: str) -> float:
    began = time.perf_counter()
    work(world, name)
    return time.perf_counter() - began


def _count_calls() -> Counter[str]:
    """Counts every call that leaves this process for AWS."""
    calls: Counter[str] = Counter()

    def counted(model: object, **_: object) -> None:
        calls[str(getattr(model, "name", model))] += 1

    for make in (clients.dynamodb, clients.sqs, clients.sts, clients.ecs, clients.s3):
        make().meta.events.register("before-call.*.*", counted)
    return calls


if __name__ == "__main__":
    main()
