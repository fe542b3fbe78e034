"""AWS on a laptop, whole: the embedded AWS, the template deployed into it, and a local Fargate.

`LocalCloud.start` is what tests and the console use in one process; `up` keeps one in the
foreground for other terminals, which find it with `attach`. Everything that it starts ends with
it, and everything that it needs arrives as an argument: it reads no AWS configuration of the
caller's, and nothing of it ever speaks to AWS.
"""

import json
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from local import assembly, embedded, fargate, standing, tools
from local.assembly import Say
from local.workers import Worker, worker_of
from mayfly.aws import stack

#: `down` waits so long for the cloud to end.
_END_SECONDS = 20


class CloudFailed(RuntimeError):
    """The laptop cloud could not be brought up; the message says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What may be chosen for one run."""

    #: The most workers of each pool, by its name; empty: what the template says.
    workers: Mapping[str, int] = field(default_factory=dict)
    #: Other settings of the template, as for `python -m infra.app -c key=value`.
    context: Mapping[str, str] = field(default_factory=dict)
    stack: str = "mayfly"
    #: 0: any free one.
    port: int = 0
    #: What Fargate spends before a container runs, and ECS before a deleted service is gone.
    pull_seconds: float = 0.0
    draining_seconds: float = 0.0
    #: Variables added to every worker's environment.
    worker_environment: Mapping[str, str] = field(default_factory=dict)

    def template_settings(self) -> dict[str, str]:
        """The settings that the template is written with."""
        settings = {
            "stack": self.stack,
            # The laptop's S3 is another host than Amazon's.
            "source_hosts": ".amazonaws.com,127.0.0.1,localhost",
            # No quota here, and nobody bills a worker's start: each task gets one at once.
            "finish_seconds": "0",
            "spot_vcpu_quota": "0",
            "on_demand_vcpu_quota": "0",
        }
        if self.workers:
            settings["pools"] = ",".join(f"{name}={most}" for name, most in self.workers.items())
        return {**settings, **self.context}


class LocalCloud:
    """A running laptop cloud, in this process."""

    def __init__(self, options: Options, post: standing.Post, say: Say) -> None:
        self._options = options
        self._post = post
        self._say = say
        self._clients: dict[str, Any] = {}
        self._aws: embedded.EmbeddedAws | None = None
        self._fargate: fargate.LocalFargate | None = None
        self._stopping = threading.Lock()
        #: Set when another terminal asked for the end.
        self.asked_to_stop = threading.Event()
        self.outputs: dict[str, str] = {}

    @classmethod
    def start(
        cls,
        folder: Path | None = None,
        options: Options | None = None,
        say: Say = lambda _: None,
    ) -> Self:
        """Brings everything up; ready for work when this returns.

        Raises AlreadyStands, BuildFailed, EmbeddedAwsFailed or CloudFailed, and leaves nothing.
        """
        cloud = cls(options or Options(), standing.Post(folder or standing.home()), say)
        try:
            cloud._bring_up()
        except BaseException:
            cloud.stop()
            raise
        return cloud

    @property
    def folder(self) -> Path:
        """Its state and logs."""
        return self._post.folder

    @property
    def endpoint_url(self) -> str:
        """Where its AWS answers."""
        assert self._aws is not None
        return self._aws.endpoint_url

    @property
    def environment(self) -> dict[str, str]:
        """What an AWS CLI or SDK needs to speak to it."""
        assert self._aws is not None
        return self._aws.environment

    def client(self, service: str) -> Any:
        """A boto3 client of its AWS."""
        if service not in self._clients:
            self._clients[service] = embedded.client(service, self.endpoint_url)
        return self._clients[service]

    def ps(self) -> list[Worker]:
        """The tasks that have not stopped, oldest first."""
        assert self._fargate is not None
        return [worker_of(run) for run in self._fargate.runs()]

    def interrupt(self, task: str, *, kill: bool = False) -> None:
        """Takes a worker's machine away, with Spot's notice or without any. Raises NoSuchTask.

        `task` is an ARN, an id, or the beginning of an id.
        """
        assert self._fargate is not None
        found = [one.arn for one in self.ps() if task == one.arn or one.task.startswith(task)]
        if len(found) != 1 or not task:
            raise fargate.NoSuchTask(
                f"{len(found)} running tasks are called {task!r}; `mayfly local ps` lists them."
            )
        self._fargate.interrupt(found[0], kill=kill)

    def tick(self) -> None:
        """The minute's tick, now."""
        self.client("lambda").invoke(
            FunctionName=self.outputs["CompletionFunction"], Payload=b'{"mayfly": "tick"}'
        )

    def stop(self) -> None:
        """Ends everything, at once. It may be called twice."""
        with self._stopping:
            if self._fargate is not None:
                self._fargate.stop()
                self._fargate = None
            for client in self._clients.values():
                client.close()
            self._clients.clear()
            if self._aws is not None:
                self._aws.stop()
            shutil.rmtree(self.folder / "scratch", ignore_errors=True)
            self._post.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _bring_up(self) -> None:
        # What one that was killed could not take with it.
        for left in ("s3", "tmp", "scratch", "logs"):
            shutil.rmtree(self.folder / left, ignore_errors=True)
        made = assembly.make(self._options.template_settings(), self._say)
        self._say("starts AWS")
        self._aws = embedded.start(
            self.folder, port=self._options.port, draining_seconds=self._options.draining_seconds
        )
        self._deploy(made)
        self._say("starts Fargate")
        self._fargate = fargate.LocalFargate(self._fargate_settings())
        self._fargate.start()
        self._post.publish(self._facts(), self._answer)

    def _deploy(self, made: Path) -> None:
        self._say("deploys the template")
        try:
            self.outputs = stack.deploy(self.client, made, self._options.stack)
        except stack.StackFailed as error:
            raise CloudFailed(
                f"The template could not be deployed on the laptop. {error}\n"
                f"The log is {self.folder / 'logs' / 'aws.log'}."
            ) from error

    def _fargate_settings(self) -> fargate.Settings:
        return fargate.Settings(
            endpoint_url=self.endpoint_url,
            cluster=self.outputs["Cluster"],
            folder=self.folder,
            command=fargate.worker_command(),
            python_path=[assembly.WORKER],
            environment={
                "MAYFLY_FFMPEG": str(tools.ffmpeg_path()),
                "MAYFLY_FFPROBE": str(tools.ffprobe_path()),
                # Staged code is not written to, and compiling botocore anew costs a second.
                "PYTHONPYCACHEPREFIX": str(self.folder / "pycache"),
                **self._options.worker_environment,
            },
            pull_seconds=self._options.pull_seconds,
        )

    def _facts(self) -> standing.Facts:
        assert self._aws is not None
        return standing.Facts(
            pid=os.getpid(),
            aws_pid=self._aws.process.pid,
            endpoint_url=self.endpoint_url,
            region=embedded.REGION,
            stack=self._options.stack,
            outputs=self.outputs,
            started_at=datetime.now(UTC).isoformat(timespec="seconds"),
            logs=str(self.folder / "logs"),
            control=self._post.control,
        )

    def _answer(self, asked: dict[str, Any]) -> dict[str, Any]:
        match asked.get("command"):
            case "ps":
                return {"workers": [asdict(one) for one in self.ps()]}
            case "interrupt":
                self.interrupt(str(asked["task"]), kill=bool(asked.get("kill")))
            case "tick":
                self.tick()
            case "stop":
                self.asked_to_stop.set()
            case unknown:
                raise ValueError(f"There is no command {unknown!r}.")
        return {}


class AttachedCloud:
    """The laptop cloud that another terminal runs, with the same words."""

    def __init__(self, facts: standing.Facts) -> None:
        self.facts = facts
        self.endpoint_url = facts.endpoint_url
        self.outputs = dict(facts.outputs)
        self._clients: dict[str, Any] = {}

    @property
    def environment(self) -> dict[str, str]:
        """What an AWS CLI or SDK needs to speak to it."""
        return embedded.environment(self.endpoint_url)

    def client(self, service: str) -> Any:
        """A boto3 client of its AWS."""
        if service not in self._clients:
            self._clients[service] = embedded.client(service, self.endpoint_url)
        return self._clients[service]

    def ps(self) -> list[Worker]:
        """The tasks that have not stopped, oldest first."""
        return [Worker(**one) for one in standing.ask(self.facts, "ps")["workers"]]

    def interrupt(self, task: str, *, kill: bool = False) -> None:
        """Takes a worker's machine away. Raises CommandRefused."""
        standing.ask(self.facts, "interrupt", task=task, kill=kill)

    def tick(self) -> None:
        """The minute's tick, now."""
        standing.ask(self.facts, "tick")


def attach(folder: Path | None = None) -> AttachedCloud:
    """The running cloud of this user. Raises NothingStands."""
    return AttachedCloud(standing.find(folder))


def up(
    on_ready: Callable[[LocalCloud], None],
    folder: Path | None = None,
    options: Options | None = None,
    say: Say = lambda _: None,
) -> None:
    """Runs a cloud in the foreground until Ctrl-C, a signal, or `down` from elsewhere."""
    ending = threading.Event()
    with _signals(ending), LocalCloud.start(folder, options, say) as cloud:
        on_ready(cloud)
        while not (ending.is_set() or cloud.asked_to_stop.is_set()):
            cloud.asked_to_stop.wait(0.2)
        ending.set()  # a signal from here on would only disturb the stopping
        say("stops")


def down(folder: Path | None = None) -> None:
    """Ends the running cloud and waits until it is gone. Raises NothingStands."""
    facts = standing.find(folder)
    standing.ask(facts, "stop")
    deadline = time.monotonic() + _END_SECONDS
    while time.monotonic() < deadline:
        try:
            standing.find(folder)
        except standing.NothingStands:
            return
        time.sleep(0.05)
    raise CloudFailed(f"The laptop cloud (process {facts.pid}) did not end; see {facts.logs}.")


@contextmanager
def _signals(ending: threading.Event) -> Iterator[None]:
    """Ctrl-C, a closed terminal and `kill` all mean: end in order, also while coming up."""

    def heard(number: int, _frame: object) -> None:
        if ending.is_set():
            return
        ending.set()
        raise _Interrupted(number)

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, heard) for number in numbers}
    try:
        yield
    except _Interrupted:
        pass
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Interrupted(BaseException):
    """A signal came; like KeyboardInterrupt, nothing but `up` may catch it."""


def describe(cloud: "LocalCloud | AttachedCloud") -> dict[str, Any]:
    """The cloud as a stable JSON document, for `--json`."""
    return {
        "endpoint_url": cloud.endpoint_url,
        "region": embedded.REGION,
        "outputs": {**cloud.outputs, "Pools": json.loads(cloud.outputs["Pools"])},
        "workers": [asdict(one) for one in cloud.ps()],
    }
