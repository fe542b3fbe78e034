"""The demonstration: what it tells was seen, and nothing is left."""

from pathlib import Path
from typing import Any

import pytest
import typer

from console import narrating, reach, showing
from console.observing import Seen, left, observe
from console.voice import Voice
from mayfly.contract.settings import PoolSettings, pools_to_json
from mayfly.perform.ports import Depth
from tests.console.scene import Scene

UPLOADED = "uploads/mp4-720p/my clip.mp4"


@pytest.fixture
def demo(scene: Scene) -> showing.Run:
    return showing.Run(voice=Voice(as_json=False), at=scene.stack)


def told(run: showing.Run) -> str:
    return "\n".join(stage["sentence"] for stage in run.stages)


def test_every_stage_is_told_once_and_in_order(
    scene: Scene, demo: showing.Run, clip: Path, tmp_path: Path
) -> None:
    scene.script = scene.whole_life()

    showing.show(demo, clip, None, tmp_path, own=True)

    stages = [
        "Uploaded my clip.mp4",
        "The dispatcher has opened job",
        "is on the queue jobs-standard",
        "CreateService: mayfly-standard-",
        "ECS runs task",
        "has taken the task",
        "reported on the done queue",
        "has published the outputs",
        "drains",
        "DeleteService: mayfly-standard-",
    ]
    places = [told(demo).index(stage) for stage in stages]
    assert places == sorted(places)
    assert len(demo.stages) == len(stages)


def test_it_ends_with_the_output_its_cost_and_a_proof(
    scene: Scene,
    demo: showing.Run,
    clip: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    scene.script = scene.whole_life()

    showing.show(demo, clip, None, tmp_path, own=True)

    shown = capsys.readouterr().out
    assert (tmp_path / "video.mp4").read_bytes() == b"encoded"
    assert f"{tmp_path}/video.mp4" in shown
    assert "mp4, h264 854x480, 720 frames, aac 48000 Hz 2 ch, 30.00 s" in shown
    assert "on Fargate Spot" in shown
    assert "MediaConvert would have asked about $0.00375" in shown
    assert "  0 services\n" in shown
    assert "  0 tasks\n" in shown
    assert "  0 messages on done-dead\n" in shown


def test_a_worker_that_does_not_leave_is_told_and_fails_the_demo(
    scene: Scene, demo: showing.Run, clip: Path, tmp_path: Path
) -> None:
    scene.idle_waits_max = 10_000
    scene.script = [scene.starts, scene.encodes]  # and never drains

    with pytest.raises(typer.Exit):
        showing.show(demo, clip, None, tmp_path, own=True)

    assert "Still there after 180 s: 1 services, 1 tasks." in told(demo)


def test_in_a_shared_laptop_cloud_the_work_of_others_is_no_failure(
    scene: Scene, demo: showing.Run, clip: Path, tmp_path: Path
) -> None:
    scene.idle_waits_max = 10_000
    scene.script = [*scene.whole_life()]
    scene.w.done.send(b"{}")

    showing.show(demo, clip, None, tmp_path, own=False)

    assert "1 messages on done" in told(demo)


def test_a_failed_job_is_told_with_what_to_do_and_still_drains(
    scene: Scene,
    demo: showing.Run,
    clip: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    scene.script = [scene.starts, scene.fails, scene.drains]

    with pytest.raises(typer.Exit):
        showing.show(demo, clip, None, tmp_path, own=True)

    shown = capsys.readouterr().out
    assert "What to do: Upload a video" in shown
    assert "DeleteService" in told(demo)


def test_ctrl_c_cancels_the_job_in_somebody_elses_cloud(
    scene: Scene, demo: showing.Run, clip: Path, tmp_path: Path
) -> None:
    def ctrl_c() -> None:
        raise KeyboardInterrupt

    scene.script = [scene.starts, ctrl_c]

    with pytest.raises(KeyboardInterrupt):
        showing.show(demo, clip, None, tmp_path, own=False)

    assert scene.jobs(1)[0].state.value == "cancelled"


def test_what_is_left_counts_messages_in_every_state(scene: Scene) -> None:
    seen = Seen(
        at=0,
        job=None,
        pool=None,
        services=(),
        workers=(),
        depths={"done": Depth(visible=1, in_flight=2, delayed=3)},
    )

    assert left(seen) == {"services": 0, "tasks": 0, "messages on done": 6}


def test_a_stage_that_was_missed_is_told_from_what_it_left(
    scene: Scene, demo: showing.Run, clip: Path
) -> None:
    """Everything happened between two looks."""
    scene.upload(clip, UPLOADED, lambda _: None)
    for step in scene.whole_life():
        step()

    heard = narrating.Narrator().hear(observe(scene.stack, scene.the_job(), set()))

    assert any("opened job" in sentence for sentence in heard)
    assert any("published" in sentence for sentence in heard)
    assert not any("CreateService" in sentence for sentence in heard)


@pytest.mark.parametrize("late_calls", range(12))
def test_a_long_look_never_shows_a_worker_without_its_job(
    scene: Scene, clip: Path, monkeypatch: pytest.MonkeyPatch, late_calls: int
) -> None:
    """A job came and had its worker while the demo looked around."""
    calls = 0
    elsewhere = Scene(monkeypatch)  # the same upload is the same job
    elsewhere.upload(clip, UPLOADED, lambda _: None)

    def counted(real: Any) -> Any:
        def call(*args: Any, **named: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == late_calls + 1:
                scene.upload(clip, UPLOADED, lambda _: None)
                scene.starts()
            return real(*args, **named)

        return call

    looks = [(scene, "tasks"), (scene.w.table, "get"), (scene.w.table, "rows")]
    looks += [(scene.w.services, "tagged"), (scene.w.services, "describe")]
    looks += [(queue, "depth") for queue in scene.stack.queues.values()]
    for port, name in looks:
        monkeypatch.setattr(port, name, counted(getattr(port, name)))
    seen = observe(scene.stack, elsewhere.the_job(), set())
    assert calls > 0
    assert seen.job is not None or not (seen.workers or seen.services)
    assert seen.services or not seen.workers


class Cloud:
    """A laptop cloud that nobody has asked for anything yet."""

    def __init__(self) -> None:
        pool = PoolSettings(
            name="standard",
            jobs_queue_url="http://127.0.0.1:1/0/mayfly-jobs-standard",
            task_definition="worker:1",
            vcpu=2,
            memory_mib=4096,
            workers_max=3,
        )
        self.outputs = {
            "Table": "table",
            "Bucket": "media",
            "RequestsQueueUrl": "http://127.0.0.1:1/0/mayfly-requests",
            "DoneQueueUrl": "http://127.0.0.1:1/0/mayfly-done",
            "Cluster": "mayfly",
            "Pools": pools_to_json((pool,)),
            "DefaultPreset": "mp4-720p",
            "EventBus": "default",
        }

    def client(self, service: str) -> object:
        raise AssertionError(f"{service} is asked for before it is needed")


def test_a_stack_has_every_queue_with_its_dead_letters() -> None:
    assert list(reach.of_laptop(Cloud()).queues) == [
        "requests",
        "requests-dead",
        "jobs-standard",
        "jobs-standard-dead",
        "done",
        "done-dead",
        "events",
        "events-dead",
    ]
