"""One task from the queue to its report, with the real ffmpeg."""

import pytest

from mayfly.contract import report
from tests.worker.clips import Clips
from tests.worker.conftest import Rig

pytestmark = pytest.mark.worker


def test_a_task_becomes_a_stored_and_proven_output(rig: Rig, made: Clips) -> None:
    rig.put(rig.task(made.plain().read_bytes()))

    started, *_, encoded = rig.run_once()

    assert isinstance(started, report.Started)
    assert isinstance(encoded, report.Encoded)
    (stored,) = encoded.outputs
    assert stored.key == f"work/job-1/encode/{encoded.attempt}/video.mp4"
    assert rig.bucket.objects[stored.key][4:8] == b"ftyp"
    assert len(rig.bucket.objects[stored.key]) == stored.size_bytes
    assert (stored.media.width, stored.media.height, stored.media.frames) == (320, 180, 50)
    assert (stored.media.video_codec, stored.media.audio_codec) == ("h264", "aac")
    assert encoded.token == "t0ken-of-the-task"
    depth = rig.jobs.depth()
    assert (depth.visible, depth.in_flight) == (0, 0)


def test_a_recipe_may_ask_that_nothing_is_lost(rig: Rig, made: Clips) -> None:
    """Constant rate factor 0, which x264 refuses to make in its high profile."""
    video = {"kind": "video", "crf": 0, "speed": "ultrafast"}
    rig.put(rig.task(made.plain().read_bytes(), recipe={"outputs": [video]}))
    assert isinstance(rig.run_once()[-1], report.Encoded)
