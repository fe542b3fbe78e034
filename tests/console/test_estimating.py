"""What a file would take is said by the code that would cut it and call workers for it."""

import subprocess
from pathlib import Path

import pytest

from local import tools
from mayfly.core import prediction
from tests.console.conftest import Run, document

pytestmark = pytest.mark.worker


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight seconds of small pictures."""
    path = tmp_path_factory.mktemp("film") / "a film.mp4"
    command = [
        str(tools.ffmpeg_path()), "-v", "error", "-f", "lavfi", "-i", "testsrc=s=160x90:r=25:d=8",
        "-c:v", "libx264", "-preset", "ultrafast", "-g", "25", "-threads", "1", str(path),
    ]  # fmt: skip
    subprocess.run(command, check=True)
    return path


@pytest.fixture
def heavy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A minute of work a second of film, as if it were very large."""
    ms = 60e3 / 25 * 1e6 / (160 * 90) * 2
    monkeypatch.setitem(prediction.ENCODE_MS, ("h264", "medium"), ms)


def test_a_short_file_is_one_workers_whole(run: Run, film: Path) -> None:
    found = document(run("estimate", film, "--json"))
    assert (found["chunks"], found["workers"], found["note"]) == (1, 1, None)
    assert found["work_seconds"] < 1 and found["seconds"] < 90
    assert found["source"]["frames"] == 200
    assert 0 < found["dollars"] < 0.001
    assert "in one piece" in run("estimate", film).stdout


@pytest.mark.usefixtures("heavy")
def test_a_long_one_is_cut_for_the_workers_that_finish_it_in_time(run: Run, film: Path) -> None:
    few = document(run("estimate", film, "--json", "--finish-seconds", 600))
    many = document(run("estimate", film, "--json", "--finish-seconds", 200, "--workers", 9))
    assert few["work_seconds"] == pytest.approx(480, rel=0.1)
    assert 1 < few["workers"] < many["workers"] <= 9
    assert few["chunks"] >= few["workers"]
    assert many["seconds"] < few["seconds"] <= 600
    assert many["dollars"] > few["dollars"]
    assert "cut into" in run("estimate", film).stdout


def test_what_no_worker_would_encode_is_a_wrong_call(run: Run, film: Path, clip: Path) -> None:
    refused = run("estimate", clip)
    assert refused.exit_code == 2 and "my clip.mp4 would not be encoded" in refused.stderr
    unknown = run("estimate", film, "--preset", "mp4-8k")
    assert unknown.exit_code == 2 and "mayfly presets" in unknown.stderr
