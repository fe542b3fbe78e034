"""A worker for the tests of the agent: it tells what it sees, and leaves as it is told to.

STAND_IN_REPORT   folder for a file per process: its id, environment and metadata
STAND_IN_PROTECT  protect itself first
STAND_IN_STUBBORN ignore SIGTERM
STAND_IN_EXIT     exit at once with this code
STAND_IN_CHILD    start a child in a session of its own, as an encoder would be
"""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any


def main() -> None:
    """Reports, then waits for SIGTERM."""
    signal.signal(signal.SIGTERM, lambda *_: None if "STAND_IN_STUBBORN" in os.environ else leave())
    seen: dict[str, Any] = {"pid": os.getpid(), "environment": dict(os.environ)}
    seen["cwd"] = str(Path.cwd())
    seen["task"] = get(os.environ["ECS_CONTAINER_METADATA_URI_V4"] + "/task")
    seen["credentials"] = get(os.environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"])
    if "STAND_IN_PROTECT" in os.environ:
        body = json.dumps({"ProtectionEnabled": True, "ExpiresInMinutes": 5}).encode()
        seen["protected"] = get(os.environ["ECS_AGENT_URI"] + "/task-protection/v1/state", body)
        seen["protection"] = get(os.environ["ECS_AGENT_URI"] + "/task-protection/v1/state")
    if "STAND_IN_CHILD" in os.environ:
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"],
                                 start_new_session=True)  # fmt: skip
        seen["child"] = child.pid
    folder = Path(os.environ["STAND_IN_REPORT"])
    folder.mkdir(exist_ok=True)
    written = folder / f"{os.getpid()}.tmp"
    written.write_text(json.dumps(seen))
    written.rename(folder / seen["task"]["TaskARN"].rpartition("/")[2])
    if "STAND_IN_EXIT" in os.environ:
        sys.exit(int(os.environ["STAND_IN_EXIT"]))
    while True:
        time.sleep(600)


def leave() -> None:
    """A worker that was told to stop."""
    sys.exit(0)


def get(url: str, body: bytes | None = None) -> dict[str, Any]:
    """GET, or PUT when there is a body."""
    request = urllib.request.Request(url, data=body, method="PUT" if body else "GET")
    with urllib.request.urlopen(request, timeout=5) as response:
        answer: dict[str, Any] = json.load(response)
    return answer


if __name__ == "__main__":
    main()
