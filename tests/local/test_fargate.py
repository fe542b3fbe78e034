"""The local Fargate runs one process a task, and does to it what Fargate would."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from local import fargate
from local.fargate import LocalFargate, NoSuchTask
from tests.local.conftest import Cluster, define, stand_in_settings, wait_for

pytestmark = pytest.mark.embedded


def report(tmp_path: Path, arn: str) -> dict[str, Any]:
    """What the stand-in of a task wrote."""
    path = tmp_path / "report" / arn.rpartition("/")[2]
    wait_for(path.exists)
    seen: dict[str, Any] = json.loads(path.read_text())
    return seen


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False


def one_task(cluster: Cluster, environment: dict[str, str]) -> str:
    """A service of one task with this environment, whose stand-in runs; the task."""
    cluster.task_definition = define(cluster, environment)
    cluster.create("s", 1)
    [arn] = cluster.running(1)
    return arn


def test_a_container_sees_what_a_container_on_fargate_sees(
    cluster: Cluster, agent: LocalFargate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "mine")
    monkeypatch.setenv("SECRET_OF_THE_TERMINAL", "x")
    arn = one_task(cluster, {"MAYFLY_POOL": "standard"})
    seen = report(tmp_path, arn)
    environment = seen["environment"]
    assert environment["MAYFLY_POOL"] == "standard"
    assert environment["MAYFLY_SCRATCH"] == seen["cwd"] == environment["HOME"]
    assert environment["AWS_ENDPOINT_URL"] == cluster.aws.endpoint_url
    assert environment["AWS_REGION"] == "us-east-1"
    assert not {"AWS_PROFILE", "SECRET_OF_THE_TERMINAL", "AWS_ACCESS_KEY_ID"} & set(environment)
    task = seen["task"]
    assert task["TaskARN"] == arn
    assert (task["Family"], task["ServiceName"]) == (cluster.name, "s")
    assert task["Limits"] == {"CPU": 1.0, "Memory": 2048}
    assert task["PullStartedAt"].endswith("Z")
    assert (task["DesiredStatus"], task["KnownStatus"]) == ("RUNNING", "RUNNING")
    assert seen["credentials"]["AccessKeyId"] == "test"


def test_a_worker_that_protected_itself_survives_scale_in(
    cluster: Cluster, agent: LocalFargate, tmp_path: Path
) -> None:
    arn = one_task(cluster, {"STAND_IN_PROTECT": "1"})
    seen = report(tmp_path, arn)
    protection = seen["protected"]["protection"]
    assert protection["ProtectionEnabled"] is True
    assert protection["TaskArn"] == arn
    assert protection["ExpirationDate"].endswith("Z")
    assert seen["protection"]["protection"]["ProtectionEnabled"] is True
    cluster.scale("s", 0)
    assert cluster.tasks() == [arn]
    cluster.protect(arn, enabled=False)
    wait_for(lambda: cluster.task(arn)["lastStatus"] == "STOPPED")


def test_a_refused_protection_is_told_as_a_failure(
    cluster: Cluster, tmp_path: Path, agent: LocalFargate
) -> None:
    """The scheduler scaled to one while two workers went for work."""
    cluster.task_definition = define(cluster, {"STAND_IN_PROTECT": "1"})
    cluster.create("s", 1)
    [first] = cluster.running(1)
    report(tmp_path, first)
    cluster.ecs.update_service(
        cluster=cluster.name,
        service="s",
        taskDefinition=define(cluster, {"STAND_IN_PROTECT": "1", "NEW": "1"}),
    )
    [second] = [arn for arn in cluster.running(2) if arn != first]
    assert report(tmp_path, second)["protected"] == {
        "failure": {"Arn": second, "Detail": None, "Reason": "DEPLOYMENT_BLOCKED"}
    }


def test_a_stopping_task_gets_sigterm_and_its_exit_code_is_told(
    cluster: Cluster, agent: LocalFargate, tmp_path: Path
) -> None:
    arn = one_task(cluster, {})
    scratch = Path(report(tmp_path, arn)["cwd"])
    cluster.scale("s", 0)
    wait_for(lambda: cluster.task(arn)["lastStatus"] == "STOPPED")
    assert cluster.task(arn)["containers"][0]["exitCode"] == 0
    assert not scratch.exists()


def test_a_worker_that_ignores_sigterm_is_killed_after_its_stop_timeout(
    cluster: Cluster, agent: LocalFargate, tmp_path: Path
) -> None:
    arn = one_task(cluster, {"STAND_IN_STUBBORN": "1", "STAND_IN_CHILD": "1"})
    seen = report(tmp_path, arn)
    cluster.scale("s", 0)
    wait_for(lambda: cluster.task(arn)["lastStatus"] == "STOPPED")
    stopped = cluster.task(arn)
    assert stopped["containers"][0]["exitCode"] == 128 + signal.SIGKILL
    assert (stopped["stoppedAt"] - stopped["stoppingAt"]).total_seconds() >= 1
    assert not alive(seen["pid"])
    assert not alive(seen["child"])


def test_a_worker_that_exits_is_replaced_and_leaves_no_process(
    cluster: Cluster, agent: LocalFargate, tmp_path: Path
) -> None:
    arn = one_task_that_exits(cluster)
    seen = report(tmp_path, arn)
    wait_for(lambda: cluster.task(arn)["lastStatus"] == "STOPPED")
    stopped = cluster.task(arn)
    assert (stopped["stopCode"], stopped["containers"][0]["exitCode"]) == (
        "EssentialContainerExited",
        7,
    )
    wait_for(lambda: len(cluster.tasks("STOPPED")) > 1)
    assert not alive(seen["child"])


def one_task_that_exits(cluster: Cluster) -> str:
    cluster.task_definition = define(cluster, {"STAND_IN_EXIT": "7", "STAND_IN_CHILD": "1"})
    cluster.create("s", 1)
    [arn] = cluster.tasks()
    return arn


def test_an_announced_interruption_lets_the_worker_leave_by_itself(
    cluster: Cluster, agent: LocalFargate, tmp_path: Path
) -> None:
    arn = one_task(cluster, {})
    report(tmp_path, arn)
    agent.interrupt(arn)
    wait_for(lambda: cluster.task(arn)["lastStatus"] == "STOPPED")
    stopped = cluster.task(arn)
    assert (stopped["stopCode"], stopped["containers"][0]["exitCode"]) == ("SpotInterruption", 0)
    assert cluster.running(1) != [arn], "the service gets another"


def test_an_interruption_without_warning_kills_at_once_and_shows_afterwards(
    cluster: Cluster, agent: LocalFargate, tmp_path: Path
) -> None:
    arn = one_task(cluster, {"STAND_IN_CHILD": "1"})
    seen = report(tmp_path, arn)
    agent.interrupt(arn, kill=True)
    wait_for(lambda: not alive(seen["child"]))
    wait_for(lambda: cluster.task(arn)["lastStatus"] == "STOPPED")
    stopped = cluster.task(arn)
    assert stopped["containers"][0]["exitCode"] == 128 + signal.SIGKILL
    wait_for(lambda: len(cluster.events(arn)) == 5)
    assert all(one["detail"].get("stopCode") != "SpotInterruption" for one in cluster.events(arn))


def test_a_task_that_is_not_there_cannot_be_interrupted(agent: LocalFargate) -> None:
    with pytest.raises(NoSuchTask):
        agent.interrupt("arn:aws:ecs:us-east-1:000000000000:task/c/none")
    with pytest.raises(NoSuchTask):
        agent.interrupt("arn:aws:ecs:us-east-1:000000000000:task/c/none", kill=True)


def test_a_task_that_is_stopped_before_it_starts_never_runs(
    cluster: Cluster, tmp_path: Path
) -> None:
    settings = stand_in_settings(cluster, tmp_path)
    slow = fargate.LocalFargate(
        fargate.Settings(
            **{name: getattr(settings, name) for name in settings.__dataclass_fields__}
            | {"pull_seconds": 600.0}
        )
    )
    slow.start()
    cluster.create("s", 1)
    [arn] = cluster.tasks()
    wait_for(lambda: cluster.task(arn)["lastStatus"] == "PENDING")
    cluster.scale("s", 0)
    wait_for(lambda: cluster.task(arn)["lastStatus"] == "STOPPED")
    slow.stop()
    assert not (tmp_path / "report").exists()


def test_nothing_is_left_when_the_agent_ends(cluster: Cluster, tmp_path: Path) -> None:
    agent = fargate.LocalFargate(stand_in_settings(cluster, tmp_path))
    agent.start()
    arn = one_task(cluster, {"STAND_IN_STUBBORN": "1", "STAND_IN_CHILD": "1"})
    seen = report(tmp_path, arn)
    agent.stop()
    assert not alive(seen["pid"])
    assert not alive(seen["child"])


def test_nothing_is_left_when_the_agent_is_killed(cluster: Cluster, tmp_path: Path) -> None:
    program = (
        "import sys, pathlib; from local import fargate; "
        "agent = fargate.LocalFargate(fargate.Settings("
        "endpoint_url=sys.argv[1], cluster=sys.argv[2], folder=pathlib.Path(sys.argv[3]), "
        "command=sys.argv[4:], python_path=[], "
        "environment={'STAND_IN_REPORT': sys.argv[3] + '/report'})); "
        "agent.start(); sys.stdin.read()"
    )
    command = stand_in_settings(cluster, tmp_path).command
    arguments = [cluster.aws.endpoint_url, cluster.name, str(tmp_path), *command]
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        stdin=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(root)},
    ) as agent:
        arn = one_task(cluster, {"STAND_IN_STUBBORN": "1", "STAND_IN_CHILD": "1"})
        seen = report(tmp_path, arn)
        agent.kill()
    wait_for(lambda: not alive(seen["pid"]))
    wait_for(lambda: not alive(seen["child"]))
    cluster.scale("s", 0)
