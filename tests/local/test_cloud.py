"""A laptop cloud comes up from the template of AWS, is found elsewhere, and leaves whole."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from local import assembly, cloud, fargate, standing
from local.cloud import LocalCloud, Options
from local.workers import Worker
from tests.local.conftest import living, stand_in_command, wait_for

pytestmark = [pytest.mark.embedded, pytest.mark.xdist_group("cloud"), pytest.mark.timeout(240)]

ROOT = Path(__file__).parents[2]
OPTIONS = Options(workers={"standard": 2})

#: `mayfly local up`, without the command line.
UP = """
import sys
from pathlib import Path
from local import cloud
cloud.up(lambda it: print(it.endpoint_url, flush=True), Path(sys.argv[1]),
         cloud.Options(workers={"standard": 2}))
"""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    folder = tmp_path_factory.mktemp("cloud")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fargate, "worker_command", stand_in_command)
        worker = {"STAND_IN_REPORT": str(folder / "report")}
        options = Options(workers={"standard": 2}, worker_environment=worker)
        with LocalCloud.start(folder, options) as started:
            yield started


def hatch(running: LocalCloud, name: str) -> Worker:
    """A service of one worker, as the dispatcher would create it; the worker."""
    pool = json.loads(running.outputs["Pools"])[0]
    running.client("ecs").create_service(
        cluster=running.outputs["Cluster"],
        serviceName=name,
        taskDefinition=pool["task_definition"],
        desiredCount=1,
        capacityProviderStrategy=[{"capacityProvider": "FARGATE_SPOT", "weight": 1}],
    )

    def look() -> list[Worker]:
        return [one for one in running.ps() if one.service == name and one.status == "RUNNING"]

    found: list[Worker] = wait_for(look)
    return found[0]


def test_the_template_of_aws_stands_on_the_laptop(running: LocalCloud) -> None:
    sqs = running.client("sqs")
    [pool] = json.loads(running.outputs["Pools"])
    assert (pool["name"], pool["workers_max"]) == ("standard", 2)
    got = sqs.get_queue_attributes(
        QueueUrl=pool["jobs_queue_url"], AttributeNames=["VisibilityTimeout", "RedrivePolicy"]
    )["Attributes"]
    assert got["VisibilityTimeout"] == "90"
    assert json.loads(got["RedrivePolicy"])["maxReceiveCount"] == 3
    for name in ("DispatcherFunction", "CompletionFunction"):
        assert running.client("lambda").get_function(FunctionName=running.outputs[name])


def test_a_worker_runs_with_the_environment_of_its_task_definition(running: LocalCloud) -> None:
    worker = hatch(running, "environment")
    assert (worker.pool, worker.capacity, worker.vcpu) == ("standard", "FARGATE_SPOT", 2.0)
    report = running.folder / "report" / worker.task
    wait_for(report.exists)
    seen = json.loads(report.read_text())["environment"]
    assert seen["MAYFLY_POOL"] == "standard"
    assert Path(seen["MAYFLY_FFMPEG"]).is_file()
    assert "127.0.0.1" in seen["MAYFLY_SOURCE_HOSTS"].split(",")
    assert seen["MAYFLY_SCRATCH"].startswith(str(running.folder))
    running.client("ecs").delete_service(
        cluster=running.outputs["Cluster"], service="environment", force=True
    )


def test_another_terminal_finds_it_and_takes_a_worker_away(running: LocalCloud) -> None:
    worker = hatch(running, "elsewhere")
    here = cloud.attach(running.folder)
    assert here.endpoint_url == running.endpoint_url
    assert here.outputs == running.outputs
    assert worker.task in [one.task for one in here.ps()]
    with pytest.raises(standing.CommandRefused, match="mayfly local ps"):
        here.interrupt("no-such-task")
    here.interrupt(worker.task[:8], kill=True)
    wait_for(lambda: worker.task not in [one.task for one in here.ps()])
    running.client("ecs").delete_service(
        cluster=running.outputs["Cluster"], service="elsewhere", force=True
    )


def test_what_is_written_down_holds_no_secret(running: LocalCloud) -> None:
    written = (running.folder / "local.json").read_text()
    assert set(json.loads(written)) == set(standing.Facts.__dataclass_fields__)
    assert "test" not in written.replace(str(running.folder), "")


def test_a_second_one_in_the_same_folder_is_refused(running: LocalCloud) -> None:
    with pytest.raises(standing.AlreadyStands, match=running.endpoint_url):
        LocalCloud.start(running.folder, OPTIONS)
    assert cloud.attach(running.folder).ps() is not None, "the first one is none the worse"


def test_a_template_is_not_written_again_while_nothing_changed(running: LocalCloud) -> None:
    said: list[str] = []
    assembly.make(OPTIONS.template_settings(), said.append)
    assert said == ["stages the code"]


def test_a_setting_that_cannot_be_is_told(tmp_path: Path) -> None:
    with pytest.raises(assembly.BuildFailed, match="pools names 'gigantic'"):
        LocalCloud.start(tmp_path, Options(workers={"gigantic": 1}))
    with pytest.raises(standing.NothingStands):
        standing.find(tmp_path)


def test_where_nothing_runs_nothing_is_found(tmp_path: Path) -> None:
    with pytest.raises(standing.NothingStands, match="mayfly local up"):
        cloud.attach(tmp_path)
    with pytest.raises(standing.NothingStands):
        cloud.down(tmp_path / "not there")


@contextmanager
def foreground(folder: Path) -> Iterator["subprocess.Popen[str]"]:
    """A cloud that another terminal runs, ready."""
    process = subprocess.Popen(
        [sys.executable, "-c", UP, str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert process.stdout is not None
    with process.stdout:
        assert process.stdout.readline().startswith("http://127.0.0.1:")
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()


def test_down_ends_it_and_nothing_is_left(tmp_path: Path) -> None:
    with foreground(tmp_path) as process:
        assert living(tmp_path)
        cloud.down(tmp_path)
        assert process.wait(5) == 0
    assert living(tmp_path) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["local.lock", "logs"]


def test_ctrl_c_ends_it_within_seconds_and_nothing_is_left(tmp_path: Path) -> None:
    with foreground(tmp_path) as process:
        process.send_signal(signal.SIGINT)
        assert process.wait(5) == 0
    assert living(tmp_path) == []
    with pytest.raises(standing.NothingStands):
        standing.find(tmp_path)


def test_killed_it_leaves_no_process_and_the_next_one_starts(tmp_path: Path) -> None:
    with foreground(tmp_path) as process:
        control = Path(standing.find(tmp_path).control).parent
        process.kill()
    wait_for(lambda: living(tmp_path) == [])
    with pytest.raises(standing.NothingStands):
        standing.find(tmp_path)
    with foreground(tmp_path):
        assert cloud.attach(tmp_path).ps() == []
        assert not control.exists()
        cloud.down(tmp_path)
