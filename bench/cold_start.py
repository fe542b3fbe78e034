"""What importing each Lambda costs, over what nobody who calls AWS from Python can avoid.

A Lambda bills its start. The yardstick is `import boto3` and one client made; the figure is the
CPU (user and system, of a child process, the bare interpreter's own start taken off both) of
importing a handler, over it: the larger of the two handlers. Medians of interleaved rounds, so
that a machine that slows down slows both. Clients are made when first used, so what a first
invocation adds is told beside it.

    python -m bench.cold_start
"""

import json
import os
import platform
import statistics
import sys
from collections.abc import Mapping

from mayfly.memory.world import SETTINGS

ROUNDS = 9
LIMIT = 1.3

BARE = "pass"
YARDSTICK = "import boto3; boto3.client('sqs')"
HANDLERS = {
    "dispatcher": "import dispatcher.handler",
    "completion_handler": "import completion_handler.handler",
}
#: What the first batch of requests needs beside the import.
CLIENTS = "; import mayfly.aws.clients as c; [m().meta for m in (c.dynamodb, c.sqs, c.sts, c.s3)]"


def main() -> None:
    """Prints a line for each, then one JSON line."""
    programs = {
        "bare": BARE,
        "yardstick": YARDSTICK,
        **HANDLERS,
        "dispatcher, its clients made": HANDLERS["dispatcher"] + CLIENTS,
    }
    seconds = _medians(programs)
    bare = seconds.pop("bare")
    own = {name: taken - bare for name, taken in seconds.items()}
    ratios = {name: taken / own["yardstick"] for name, taken in own.items()}
    for name, taken in own.items():
        print(f"{name}: {taken * 1000:.0f} ms of CPU, {ratios[name]:.2f} times the yardstick")
    print(json.dumps(_figure(own, ratios)))


def _figure(own: Mapping[str, float], ratios: Mapping[str, float]) -> dict[str, object]:
    return {
        "metric": "cold_start_import_cpu_over_boto3_and_a_client",
        "value": round(max(ratios[name] for name in HANDLERS), 3),
        "limit": LIMIT,
        "conditions": {
            "cpu_milliseconds": {name: round(taken * 1000, 1) for name, taken in own.items()},
            "python": platform.python_version(),
            "machine": f"{platform.machine()}, {os.cpu_count()} CPUs",
            "rounds": ROUNDS,
        },
    }


def _medians(programs: Mapping[str, str]) -> dict[str, float]:
    """CPU seconds by program. The first round only warms the disk and the byte code."""
    taken: dict[str, list[float]] = {name: [] for name in programs}
    for turn in range(ROUNDS + 1):
        for name, program in programs.items():
            cpu_seconds = _child(program)
            if turn:
                taken[name].append(cpu_seconds)
    return {name: statistics.median(measured) for name, measured in taken.items()}


def _child(program: str) -> float:
    """CPU seconds of one child."""
    child = os.posix_spawn(sys.executable, [sys.executable, "-c", program], _environment())
    _, status, used = os.wait4(child, 0)
    if status:
        raise SystemExit(f"It failed: {program}")
    return used.ru_utime + used.ru_stime


def _environment() -> dict[str, str]:
    """A Lambda's, with nothing of the caller's AWS configuration."""
    return {
        **SETTINGS.to_env(),
        "PATH": os.defpath,
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path) or ".",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": "none",
    }


if __name__ == "__main__":
    main()
