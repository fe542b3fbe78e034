"""`mayfly rerun` and `mayfly redrive`, as people and programs see them."""

import json
from pathlib import Path
from typing import Any

import pytest

from console import rerunning as commands
from console.ends import WrongCall
from mayfly.contract import report
from mayfly.core import events
from mayfly.core.rows import JobHead
from mayfly.perform import engine, letters, rerunning
from mayfly.perform.ports import Temporary
from tests.console.conftest import Run, document
from tests.console.scene import Scene


@pytest.fixture
def job(scene: Scene, run: Run, clip: Path) -> str:
    """A job that has failed: its pool broke."""
    ident = str(run("submit", clip).stdout.strip())
    breaks(scene, ident)
    return ident


def breaks(scene: Scene, ident: str) -> None:
    world = scene.w.world
    broke = events.PoolBroke(at=world.clock.now(), detail="no image")
    engine.run(world, engine.apply(world, broke, ident).commands)
    scene.w.clock.sleep(60)


def dies(scene: Scene, body: str) -> None:
    """A request that the dispatcher could not take."""
    world = scene.w.world
    engine.run(world, letters.take_dead_request(world, body))
    scene.w.clock.sleep(1)


# --- rerun -------------------------------------------------------------------------------------


def test_a_rerun_is_a_new_job_and_its_id_is_all_that_is_printed(
    scene: Scene, run: Run, job: str
) -> None:
    result = run("rerun", job)

    again = result.stdout.strip()
    assert (result.exit_code, result.stderr) == (0, "")
    assert document(run("status", job, "--json"))["rerun_as"] == again
    assert document(run("status", again, "--json"))["run"] == 2
    assert f"run again as {again}" in run("status", job).stdout


def test_a_rerun_asked_twice_says_that_it_was_there(scene: Scene, run: Run, job: str) -> None:
    first = document(run("rerun", job, "--json"))
    second = document(run("rerun", job, "--json"))

    assert (first["joined"], second["joined"]) == (False, True)
    assert first["job_id"] == second["job_id"] != job
    assert (second["rerun_of"], second["run"], second["state"]) == (job, 2, "queued")


def test_a_rerun_that_is_waited_for_ends_as_its_job_does(
    scene: Scene, run: Run, job: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    again: list[str] = []
    monkeypatch.setattr(scene, "the_job", lambda: again[0])

    def hatches() -> None:
        (head,) = [head for head in scene.jobs(10) if head.job_id != job]
        again.append(head.job_id)
        scene.ticks()

    scene.script = [hatches, scene.starts, scene.encodes]
    result = run("rerun", job, "--wait", "--json")

    found = document(result)
    assert result.exit_code == 0
    assert (found["state"], found["outcome"]["run"]) == ("succeeded", 2)
    assert found["outcome"]["outputs"][0]["key"].endswith(f"/{found['job_id']}/video.mp4")


def test_a_rerun_that_fails_again_exits_with_1(scene: Scene, run: Run, job: str) -> None:
    def fails_again() -> None:
        (head,) = [head for head in scene.jobs(10) if head.job_id != job]
        breaks(scene, head.job_id)

    scene.script = [fails_again]

    assert run("rerun", job, "--wait").exit_code == 1


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("rerun", "nosuchjob"), "There is no job nosuchjob"),
        (("rerun", "JOB", "--pool", "large"), "no pool large; name one of: standard"),
    ],
)
def test_what_cannot_be_run_again_is_a_wrong_call(
    scene: Scene, run: Run, job: str, words: tuple[str, ...], sentence: str
) -> None:
    result = run(*(job if word == "JOB" else word for word in words), "--json")

    assert result.exit_code == 2
    assert sentence in document(result)["error"]["sentence"]
    assert document(result)["error"]["advice"]


def test_a_job_at_work_says_that_it_is(scene: Scene, run: Run, clip: Path) -> None:
    ident = str(run("submit", clip).stdout.strip())

    result = run("rerun", ident)

    assert result.exit_code == 2
    assert f"Job {ident} cannot be run again: it is still queued." in result.stderr


def test_rerunning_uses_no_power_that_only_the_lambdas_have(
    scene: Scene, run: Run, job: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[object] = []
    monkeypatch.setattr(engine, "run", lambda _world, todo: ran.extend(todo))

    assert run("rerun", job).exit_code == 0
    assert ran == []


# --- submit, after a rerun ---------------------------------------------------------------------


def test_submitting_the_same_again_joins_the_latest_run(
    scene: Scene, run: Run, job: str, clip: Path
) -> None:
    again = run("rerun", job).stdout.strip()
    scene.w.clock.sleep(1)

    found = document(run("submit", clip, "--json"))

    assert (found["job_id"], found["joined"]) == (again, True)


def test_submitting_what_was_replaced_and_put_back_gives_its_new_run(
    scene: Scene, run: Run, clip: Path
) -> None:
    first = str(run("submit", clip).stdout.strip())
    scene.starts()
    scene.says(report.Failed, code="source_replaced")
    scene.w.clock.sleep(60)

    found = document(run("submit", clip, "--json"))

    assert found["job_id"] != first
    assert (found["state"], found["joined"]) == ("queued", False)


# --- redrive -----------------------------------------------------------------------------------


def test_a_dry_run_lists_and_does_nothing(scene: Scene, run: Run, job: str) -> None:
    before = scene.w.table.snapshot()

    found = document(run("redrive", "--dry-run", "--json"))

    (line,) = found["jobs"]
    assert (line["job_id"], line["code"], line["redriven_as"]) == (job, "pool_broken", None)
    assert (found["dry_run"], found["redriven"], found["more"]) == (True, 0, False)
    assert scene.w.table.snapshot() == before
    assert "1 of 1 would be tried again" in run("redrive", "--dry-run").stdout


def test_a_redrive_runs_each_again_once(scene: Scene, run: Run, job: str) -> None:
    first = document(run("redrive", "--json"))
    second = run("redrive")

    (line,) = first["jobs"]
    assert (first["redriven"], first["left"], first["stopped"]) == (1, 0, None)
    assert document(run("status", job, "--json"))["rerun_as"] == line["redriven_as"]
    assert "Nothing failed through no fault of its input." in second.stdout


def test_a_dead_request_is_put_onto_its_queue_again(scene: Scene, run: Run, clip: Path) -> None:
    scene.w.store.put("media", "uploads/x.mp4", b"film")
    dies(scene, json.dumps({"source": "s3://media/uploads/x.mp4"}))

    found = document(run("redrive", "--json"))

    assert [line["redriven_as"] for line in found["jobs"]] == ["request"]
    assert scene.requests.depth().visible == 1
    scene.play()
    assert "queued" in {head.state.value for head in scene.jobs(10)}


def test_what_cannot_be_tried_again_is_told_beside_the_rest(
    scene: Scene, run: Run, job: str
) -> None:
    dies(scene, "not json")

    found = document(run("redrive", "--json"))
    told = run("redrive").stdout

    assert (found["redriven"], found["left"]) == (1, 1)
    (left,) = [line for line in found["jobs"] if line["why_not"]]
    assert "not remembered" in left["why_not"]
    assert "0 of 1 are tried again" in told and "not remembered" in told


def test_more_than_the_limit_is_said(scene: Scene, run: Run, job: str) -> None:
    dies(scene, "not json")

    assert document(run("redrive", "--limit", 1, "--dry-run", "--json"))["more"] is True
    assert "more than 1: ask again" in run("redrive", "--limit", 1, "--dry-run").stdout


def test_the_list_can_be_narrowed(scene: Scene, run: Run, job: str) -> None:
    def listed(*words: object) -> list[str]:
        found = document(run("redrive", "--dry-run", "--json", *words))
        return [line["job_id"] for line in found["jobs"]]

    assert listed("--code", "pool_broken", "--pool", "standard", "--since", "1h") == [job]
    assert listed("--code", "worker_lost") == []
    assert listed("--pool", "large") == []
    scene.w.clock.sleep(3600)
    assert listed("--since", "30m") == []


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--code", "nonsense"), "no failure code nonsense"),
        (("--code", "not_media"), "not_media is the input's"),
        (("--since", "yesterday"), "which is no time"),
    ],
)
def test_a_redrive_that_makes_no_sense_is_a_wrong_call(
    scene: Scene, run: Run, words: tuple[str, ...], sentence: str
) -> None:
    result = run("redrive", *words)

    assert result.exit_code == 2
    assert sentence in result.stderr


def test_a_redrive_that_is_stopped_says_what_it_has_done_and_exits_with_3(
    scene: Scene, run: Run, job: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = rerunning.redrive

    def tires(world: Any, head: JobHead, requests: Any) -> str:
        if head.job_id != job:
            raise Temporary("PutItem was put off.")
        return real(world, head, requests)

    monkeypatch.setattr(rerunning, "redrive", tires)
    dies(scene, "not json")

    found = run("redrive", "--json")
    assert found.exit_code == 3
    assert (document(found)["redriven"], document(found)["stopped"]) == (1, "PutItem was put off.")
    again = run("redrive")
    assert again.exit_code == 3 and "nothing is done twice" in again.stderr


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("90m", 1e9 - 5400),
        ("24h", 1e9 - 86400),
        ("7d", 1e9 - 604800),
        ("2001-09-09", 999993600.0),
        ("2001-09-09T03:46:40+02:00", 1e9),
    ],
)
def test_a_time_is_an_age_or_a_date(text: str, at: float) -> None:
    assert commands.moment(text, 1e9) == at


@pytest.mark.parametrize("text", ["", "7", "7w", "-1d", "soon"])
def test_anything_else_is_no_time(text: str) -> None:
    with pytest.raises(WrongCall):
        commands.moment(text, 1e9)
