"""What the commands about jobs show, to people and to programs."""

import json
from pathlib import Path

import pytest

from mayfly.core import commands, events
from mayfly.core.rows import PAUSED_KEY
from mayfly.perform import engine
from tests.console.conftest import Run, document
from tests.console.scene import Scene

PROOF: dict[str, object] = {
    "chunks": 1,
    "frames": 720,
    "seams_checked": 0,
    "samples": None,
    "made_anew": [],
    "quality": [],
    "whole_because": "",
}


@pytest.fixture
def job(scene: Scene, run: Run, clip: Path) -> str:
    """A job that waits for a worker."""
    return str(run("submit", clip).stdout.strip())


def test_status_says_where_a_job_is(scene: Scene, run: Run, job: str) -> None:
    scene.starts()
    scene.w.clock.sleep(10)
    scene.progresses(0.25)()

    found = document(run("status", job, "--json"))

    assert found["state"] == "running"
    assert found["progress"] == {
        "fraction": 0.25,
        "stage": "encoding",
        "speed": 2.0,
        "eta_seconds": 30.0,
    }
    assert found["outcome"] is None
    assert "25% encoding, 2.0x, 30 s left" in run("status", job).stdout


@pytest.mark.parametrize("flags", [(), ("--json",)])
def test_nothing_shows_a_tasks_secret(
    scene: Scene, run: Run, job: str, flags: tuple[str, ...]
) -> None:
    secret = scene.token()
    scene.starts()

    shown = [run(*words, *flags).output for words in (("status", job), ("jobs",), ("queues",))]

    assert not any(secret in text for text in shown)


def test_status_of_an_ended_job_has_its_outcome(scene: Scene, run: Run, job: str) -> None:
    scene.starts()
    scene.encodes()

    found = document(run("status", job, "--json"))

    assert found["outcome"]["state"] == "succeeded"
    key = f"outputs/my clip/mp4-720p/{job}/video.mp4"
    assert found["outcome"]["outputs"][0]["key"] == key
    assert found["outcome"]["proof"] == PROOF
    assert f"{key}: mp4, h264 854x480, 720 frames" in run("status", job).stdout


@pytest.mark.parametrize("command", ["status", "watch", "cancel", "receipt"])
def test_a_job_that_is_not_known_is_a_wrong_call(scene: Scene, run: Run, command: str) -> None:
    result = run(command, "nosuchjob", "--json")

    assert result.exit_code == 2
    assert "There is no job nosuchjob" in document(result)["error"]["sentence"]
    assert "mayfly jobs" in document(result)["error"]["advice"]


def test_watch_tells_programs_each_step_in_a_line(scene: Scene, run: Run, job: str) -> None:
    scene.script = [scene.starts, scene.progresses(0.5), scene.encodes]

    result = run("watch", job, "--json")

    told = [json.loads(line) for line in result.stdout.splitlines()]
    assert result.exit_code == 0
    assert [one["state"] for one in told if one["event"] == "state"] == [
        "queued",
        "running",
        "succeeded",
    ]
    fractions = [one["fraction"] for one in told if one["event"] == "progress"]
    assert fractions == sorted(fractions)
    assert 0.5 in fractions
    assert told[-1]["event"] == "outcome"
    assert told[-1]["outcome"]["job_id"] == told[-1]["job_id"] == job
    assert told[-1]["receipt"]["busy_seconds"] == 10.0


def test_watching_a_failure_exits_with_1(scene: Scene, run: Run, job: str) -> None:
    scene.script = [scene.starts, scene.fails]

    result = run("watch", job, "--json")

    assert result.exit_code == 1
    last = json.loads(result.stdout.splitlines()[-1])
    assert last["outcome"]["failure"]["code"] == "not_media"


def test_ctrl_c_ends_watching_and_not_the_job(scene: Scene, run: Run, job: str) -> None:
    def ctrl_c() -> None:
        raise KeyboardInterrupt

    scene.script = [scene.starts, ctrl_c]

    result = run("watch", job)

    assert result.exit_code == 130
    assert document(run("status", job, "--json"))["state"] == "running"


def test_cancelling_ends_the_job_and_orders_its_worker_to_stop(
    scene: Scene, run: Run, job: str
) -> None:
    scene.starts()

    result = run("cancel", job, "--json")

    assert document(result) == {"job_id": job, "state": "cancelled"}
    control = scene.w.store.get("media", f"work/{job}/encode/control.json")
    assert control is not None
    assert json.loads(control.body)["order"] == "stop"
    assert len(scene.w.bus.published) == 1


def test_cancelling_uses_no_power_that_only_the_lambdas_have(
    scene: Scene, run: Run, job: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[object] = []
    monkeypatch.setattr(engine, "run", lambda _world, todo: ran.extend(todo))

    run("cancel", job)

    assert {type(command) for command in ran} == {commands.StopWorkers}


def test_a_cancelled_job_can_be_cancelled_again(scene: Scene, run: Run, job: str) -> None:
    run("cancel", job)

    assert run("cancel", job).exit_code == 0


def test_a_job_that_has_succeeded_cannot_be_cancelled(scene: Scene, run: Run, job: str) -> None:
    scene.starts()
    scene.encodes()

    result = run("cancel", job)

    assert result.exit_code == 2
    assert "it is succeeded" in result.stderr


def test_jobs_are_listed_with_why_they_failed(scene: Scene, run: Run, job: str) -> None:
    scene.starts()
    scene.fails()

    assert "failed (not_media)" in run("jobs").stdout
    (found,) = document(run("jobs", "--json"))["jobs"]
    assert (found["job_id"], found["failure"]["code"]) == (job, "not_media")


def test_no_jobs_yet_says_how_to_begin(scene: Scene, run: Run) -> None:
    assert "mayfly submit" in run("jobs").stdout


def test_a_receipt_is_so_far_until_the_worker_has_stopped(scene: Scene, run: Run, job: str) -> None:
    scene.starts()
    scene.encodes()
    early = document(run("receipt", job, "--json"))
    scene.drains()
    late = document(run("receipt", job, "--json"))

    assert (early["receipt"]["final"], late["receipt"]["final"]) == (False, True)
    assert late["receipt"]["billed_seconds"] == 60.0
    assert late["mediaconvert"]["dollars"] == 0.00375
    assert late["proof"] == PROOF
    assert late["work"] is None
    assert "60.0 s billed" in run("receipt", job).stdout


def test_queues_show_depth_and_the_backlog_behind_it(scene: Scene, run: Run, job: str) -> None:
    found = document(run("queues", "--json"))

    depths = {one["name"]: one["visible"] for one in found["queues"]}
    assert depths["jobs-standard"] == 1
    assert found["pools"][0]["open_jobs"] == 1
    assert found["pools"][0]["out_tasks"] == 1
    assert found["paused"] is False


def test_a_pause_stands_until_it_is_taken_off(scene: Scene, run: Run) -> None:
    assert document(run("pause", "--json")) == {"stack": "mayfly", "paused": True}
    assert scene.w.table.get(PAUSED_KEY) != [None]
    assert "Paused" in run("queues").stdout

    run("pause", "--off")

    assert scene.w.table.get(PAUSED_KEY) == [None]


def test_an_interruption_is_counted(scene: Scene, run: Run, job: str) -> None:
    scene.starts()
    engine.apply(
        scene.w.world,
        events.TaskInterrupted(at=scene.w.clock.now(), attempt="n1", reason="spot_interruption"),
        job,
        "encode",
    )

    assert "1 interruptions" in run("status", job).stdout
