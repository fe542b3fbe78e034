"""The demo as a newcomer runs it: a process of its own, their own file, and Ctrl-C."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import Film, until

pytestmark = pytest.mark.timeout(300)

ROOT = Path(__file__).resolve().parents[2]
MAYFLY = [str(Path(sys.executable).parent / "mayfly")]


def environment() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}


def test_the_demo_shows_every_stage_what_came_out_what_it_cost_and_that_nothing_is_left(
    film: Film, tmp_path: Path
) -> None:
    clip = tmp_path / "it's my (1) clip+ü.mp4"
    shutil.copy(film(seconds=3, size="640x360", seed=40), clip)
    out = tmp_path / "what came out"
    done = subprocess.run(
        [*MAYFLY, "demo", "--json", "--preset", "mp4-720p", "--out", str(out), "--", str(clip)],
        env=environment(),
        capture_output=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    told = json.loads(done.stdout)
    story = " ".join(stage["sentence"] for stage in told["stages"])
    # A message that is taken at once comes and goes between two looks, and may stay untold.
    stages = ["Uploaded", "dispatcher", "FARGATE_SPOT", "Worker", "DeleteService"]
    places = [story.index(word) for word in stages]
    assert places == sorted(places), story
    assert told["outcome"]["state"] == "succeeded"
    assert told["clean"] is True
    assert {"services", "tasks", "messages on jobs-standard"} <= set(told["left"])
    assert set(told["left"].values()) == {0}
    assert told["receipt"]["billed_seconds"] >= 60  # Fargate's least
    assert told["receipt"]["final"] is True
    (file,) = list(out.rglob("video.mp4"))
    assert file.stat().st_size == told["outcome"]["outputs"][0]["size_bytes"]


def test_ctrl_c_in_the_middle_leaves_no_process_behind(film: Film, tmp_path: Path) -> None:
    clip = film(seconds=25, size="1280x720", seed=41)
    with subprocess.Popen(
        [*MAYFLY, "demo", "--out", str(tmp_path / "out"), "--", str(clip)],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        told = []
        for line in process.stdout:
            told.append(line)
            if "has taken the task" in line:
                break
        assert living(clip), "".join(told)
        os.kill(process.pid, signal.SIGINT)
        process.stdout.read()
        assert process.wait(timeout=30) == 130
    until(lambda: not living(clip), "every process of the demo to end", 15)


def living(clip: Path) -> list[str]:
    """Processes of this tree's laptop cloud and their ffmpeg, by their command lines."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = file.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(ROOT / ".mayfly") in line or str(clip) in line:
            found.append(line)
    return found
