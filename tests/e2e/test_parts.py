"""A film that is cut: many tasks on two workers, and one deliverable."""

import json
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from console import main
from local import standing
from local.cloud import LocalCloud, Options
from local.tools import ffprobe_path
from mayfly.contract.outcome import Outcome
from tests.e2e.conftest import Film, Stage, until
from worker.halt import Halt
from worker.prober import Prober

pytestmark = pytest.mark.timeout(240)

SECONDS, RATE = 13, 24


@pytest.fixture
def cutting(tmp_path: Path) -> Iterator[Stage]:
    """A cloud whose workers cut every source into chunks of a second."""
    options = Options(workers={"standard": 2}, context={"chunk_seconds": "1"})
    with LocalCloud.start(tmp_path / "cloud", options) as cloud:
        yield Stage(cloud)


def mayfly(*words: str) -> Any:
    """What a command says as JSON."""
    result = CliRunner().invoke(main.app, [*words, "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def times(path: Path) -> list[Fraction]:
    """When each frame of a file is shown, by its packets."""
    prober = Prober(str(ffprobe_path()))
    probe = prober.probe(path.name, folder=path.parent, halt=Halt())
    scan = prober.scan(path.name, probe, folder=path.parent, halt=Halt())
    return [tick * scan.tick for tick in scan.ticks]


def rows(stage: Stage, job_id: str) -> dict[str, Any]:
    """The job's tasks, as they are written down."""
    found = stage.cloud.client("dynamodb").query(
        TableName=stage.cloud.outputs["Table"],
        KeyConditionExpression="pk = :job AND begins_with(sk, :task)",
        ExpressionAttributeValues={":job": {"S": f"job#{job_id}"}, ":task": {"S": "task#"}},
    )
    return {item["task_id"]["S"]: item for item in found["Items"]}


def workers(stage: Stage, outcome: Outcome) -> set[str]:
    return {row["worker"]["S"] for row in rows(stage, outcome.job_id).values()}


def test_a_film_of_thirteen_chunks_is_one_deliverable_of_two_workers(
    cutting: Stage, film: Film, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standing, "home", lambda: cutting.cloud.folder)
    clip = film(seconds=SECONDS, rate=RATE, seed=60)
    key = cutting.upload(clip, "film.mp4")
    stages: list[str] = []

    def ended() -> bool:
        if seen := mayfly("jobs")["jobs"]:
            stages.append(mayfly("status", seen[0]["job_id"])["progress"]["stage"])
        return bool(cutting.outcomes(f"s3://{cutting.bucket}/{key}"))

    until(ended, "the film", 120)
    outcome = cutting.outcome(key)
    assert outcome.state == "succeeded", outcome

    (output,) = outcome.outputs
    frames = SECONDS * RATE
    assert (output.media.frames, output.media.audio_codec) == (frames, "aac")
    assert outcome.note == (
        f"Encoded in {SECONDS} chunks; each of {frames} frames is there once, every seam fits."
    )
    cutting.s3.download_file(cutting.bucket, output.key, str(tmp_path / "film.mp4"))
    assert times(tmp_path / "film.mp4") == [Fraction(number, RATE) for number in range(frames)]

    # Chunks, the sound, and what joins them; each begun once.
    assert outcome.attempts == SECONDS + 2
    (seen,) = mayfly("jobs")["jobs"]
    assert (seen["state"], seen["parts"]) == ("succeeded", SECONDS + 1)
    assert any(f"of {SECONDS + 1} parts" in stage for stage in stages), stages
    assert mayfly("status", outcome.job_id)["outcome"]["note"] == outcome.note
    assert len(workers(cutting, outcome)) == 2

    cutting.wait_until_quiet()
    receipt = mayfly("receipt", outcome.job_id)["receipt"]
    assert receipt["final"] is True
    assert receipt["billed_seconds"] >= 120  # two workers, at Fargate's least
