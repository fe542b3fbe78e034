"""The local Fargate: one worker process for each ECS task, on this machine.

It does for a task what Fargate and the ECS agent do: it watches the cluster, starts the container,
serves its metadata, protection and credentials on 127.0.0.1, reports what becomes of it, sends
SIGTERM when ECS wants it stopped, and SIGKILL after `stopTimeout`. It decides nothing: how many
tasks there are, and which one stops, is ECS's affair (`local.ecs`).

Every process of it ends with it, however it ends (`local.container`).
"""

import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import urllib3

from local import container, embedded
from local.agent import AgentServer, TaskView
from local.ecs import INTERRUPT_ACTION

_LOG = logging.getLogger("mayfly.fargate")

#: How often ECS is asked. A look costs two small calls.
_LOOK_SECONDS = 0.3
#: What ECS gives a container that names no `stopTimeout`.
_STOP_SECONDS_DEFAULT = 30
#: DescribeTasks takes at most so many.
_DESCRIBE_MAX = 100


class NoSuchTask(LookupError):
    """There is no such task, or it cannot be interrupted; the message says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the agent needs to know of the laptop."""

    endpoint_url: str
    cluster: str
    #: Scratch folders and logs go beneath.
    folder: Path
    #: What a container runs, and where its Python finds it.
    command: Sequence[str]
    python_path: Sequence[Path]
    #: Added to every container: ffmpeg's place, and the like.
    environment: Mapping[str, str]
    #: How long a pretended image pull takes.
    pull_seconds: float = 0.0


@dataclass(slots=True, kw_only=True)
class Run:
    """One task on this machine."""

    view: TaskView
    stop_seconds: float
    scratch: Path
    log: Path
    start_at: float
    process: "subprocess.Popen[bytes] | None" = None
    kill_at: float | None = None
    #: What ECS said last.
    record: dict[str, Any] = field(default_factory=dict)


class LocalFargate:
    """Runs the cluster's tasks while it is started."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._ecs = embedded.client("ecs", settings.endpoint_url)
        self._server = AgentServer(settings.endpoint_url)
        self._definitions: dict[str, dict[str, Any]] = {}
        self._runs: dict[str, Run] = {}
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="mayfly-fargate", daemon=True)

    def start(self) -> None:
        """Begins to run what ECS asks for."""
        self._server.start()
        self._thread.start()

    def stop(self) -> None:
        """Ends every container at once and stops watching. ECS is not told."""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join()
        self._server.stop()

    def interrupt(self, task: str, *, kill: bool = False) -> None:
        """Takes a task's machine away: as Spot does, announced, or at once without a word."""
        if not kill:
            ecs_call(
                self._settings.endpoint_url,
                INTERRUPT_ACTION,
                {"cluster": self._settings.cluster, "task": task},
            )
            return
        run = self._runs.get(task)
        if run is None or run.process is None:
            raise NoSuchTask(f"No container runs for the task {task}.")
        _lose(run.process)

    def runs(self) -> list[Run]:
        """The tasks on this machine, oldest first."""
        return sorted(self._runs.values(), key=lambda run: run.start_at)

    def _watch(self) -> None:
        # Containers are started by this thread alone: the kernel ties them to their starter.
        try:
            while not self._ending.wait(_LOOK_SECONDS):
                try:
                    self._look()
                except Exception:  # noqa: BLE001 - whatever it is, the next look may succeed
                    if not self._ending.is_set():
                        _LOG.exception("Could not look at the tasks; trying again.")
        finally:
            for run in self._runs.values():
                if run.process is not None:
                    _lose(run.process)
                    run.process.wait()
                shutil.rmtree(run.scratch, ignore_errors=True)

    def _look(self) -> None:
        pages = self._ecs.get_paginator("list_tasks").paginate(cluster=self._settings.cluster)
        wanted = {arn for page in pages for arn in page["taskArns"]} | set(self._runs)
        for record in self._describe(sorted(wanted)):
            arn = record["taskArn"]
            if arn not in self._runs:
                if record["lastStatus"] == "STOPPED":
                    continue
                self._runs[arn] = self._accept(record)
            run = self._runs[arn]
            run.record = record
            run.view.desired_status = record["desiredStatus"]
            self._advance(run)

    def _describe(self, arns: list[str]) -> list[dict[str, Any]]:
        records: list[dict[str, Any]] = []
        for at in range(0, len(arns), _DESCRIBE_MAX):
            answer = self._ecs.describe_tasks(
                cluster=self._settings.cluster, tasks=arns[at : at + _DESCRIBE_MAX]
            )
            records += answer["tasks"]
        return records

    def _accept(self, record: dict[str, Any]) -> Run:
        definition = self._definition(record["taskDefinitionArn"])
        identity = record["taskArn"].rpartition("/")[2]
        view = TaskView(record=record, definition=definition)
        self._server.serve(view)
        now = time.time()
        view.pull_started_at = now
        self._submit(record, status="PENDING", pullStartedAt=now)
        (self._settings.folder / "logs" / "workers").mkdir(parents=True, exist_ok=True)
        stop_seconds = definition["containerDefinitions"][0].get("stopTimeout")
        return Run(
            view=view,
            stop_seconds=stop_seconds or _STOP_SECONDS_DEFAULT,
            scratch=self._settings.folder / "scratch" / identity,
            log=self._settings.folder / "logs" / "workers" / f"{identity}.log",
            start_at=now + self._settings.pull_seconds,
        )

    def _advance(self, run: Run) -> None:
        stopping = run.record["desiredStatus"] == "STOPPED"
        if run.process is None:
            if stopping:
                self._end(run)
            elif time.time() >= run.start_at:
                self._begin(run)
        elif run.process.poll() is not None:
            self._end(run, run.process.returncode)
        elif stopping and run.kill_at is None:
            run.process.send_signal(signal.SIGTERM)
            run.kill_at = time.time() + run.stop_seconds
        elif run.kill_at is not None and time.time() >= run.kill_at:
            _lose(run.process)

    def _begin(self, run: Run) -> None:
        run.scratch.mkdir(parents=True)
        with run.log.open("ab") as log:
            run.process = subprocess.Popen(
                container.command(self._settings.command),
                env=self._environment(run),
                cwd=run.scratch,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        run.view.started_at = time.time()
        run.view.known_status = "RUNNING"
        self._submit(run.record, status="RUNNING", pullStoppedAt=run.view.started_at)

    def _end(self, run: Run, exit_code: int | None = None) -> None:
        arn = run.record["taskArn"]
        one: dict[str, Any] = {"containerName": run.view.container_name, "status": "STOPPED"}
        if exit_code is not None:
            one["exitCode"] = exit_code
        if run.process is not None and run.process.stdin is not None:
            run.process.stdin.close()
        self._submit(run.record, status="STOPPED", containers=[one], executionStoppedAt=time.time())
        self._server.forget(run.view)
        shutil.rmtree(run.scratch, ignore_errors=True)
        del self._runs[arn]

    def _environment(self, run: Run) -> dict[str, str]:
        """The container's whole environment; nothing of the terminal's reaches it."""
        settings = self._settings
        declared = run.view.definition["containerDefinitions"][0].get("environment", ())
        return {
            "PATH": os.defpath,
            "LANG": "C.UTF-8",
            "HOME": str(run.scratch),
            "TMPDIR": str(run.scratch),
            "PYTHONPATH": os.pathsep.join(map(str, settings.python_path)),
            "PYTHONUNBUFFERED": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "AWS_REGION": embedded.REGION,
            "AWS_DEFAULT_REGION": embedded.REGION,
            "AWS_ENDPOINT_URL": settings.endpoint_url,
            **{one["name"]: one["value"] for one in declared},
            **self._server.environment(run.view),
            **settings.environment,
            "MAYFLY_SCRATCH": str(run.scratch),
        }

    def _definition(self, arn: str) -> dict[str, Any]:
        if arn not in self._definitions:
            answer = self._ecs.describe_task_definition(taskDefinition=arn)
            self._definitions[arn] = answer["taskDefinition"]
        return self._definitions[arn]

    def _submit(self, record: dict[str, Any], **change: Any) -> None:
        self._ecs.submit_task_state_change(
            cluster=self._settings.cluster, task=record["taskArn"], **change
        )


def ecs_call(endpoint_url: str, action: str, request: dict[str, Any]) -> dict[str, Any]:
    """Calls an ECS action that boto3 does not know. Raises NoSuchTask with what ECS says."""
    response = urllib3.request(
        "POST",
        endpoint_url,
        headers={
            "Content-Type": "application/x-amz-json-1.1",
            "X-Amz-Target": f"AmazonEC2ContainerServiceV20141113.{action}",
        },
        body=json.dumps(request),
    )
    answer: dict[str, Any] = response.json()
    if response.status != 200:
        raise NoSuchTask(str(answer.get("message", answer)))
    return answer


def worker_command() -> list[str]:
    """What the image's entry point runs."""
    return [sys.executable, "-m", "worker"]


def _lose(process: "subprocess.Popen[bytes]") -> None:
    """The container's machine is gone: everything in it dies at once."""
    if process.stdin is not None and not process.stdin.closed:
        process.stdin.close()
