"""Who may bring an output in pieces: only whose outputs are published, where they are joined."""

import pytest

from mayfly.contract.report import Artifact, Media, Piece
from mayfly.core import events, machine
from mayfly.core.changes import Update
from mayfly.core.rows import JobState, task_key
from tests.unit.given import a_job, a_task

MADE = Artifact(
    file="v.mp4",
    key="work/job1/another/n/v.mp4",
    size_bytes=9,
    sha256="0",
    media=Media(container="mov"),
    pieces=(Piece(size_bytes=9, sha256="0"),),
)


@pytest.mark.parametrize(
    ("kind", "taken"), [("chunk", False), ("audio", False), ("finish", True), ("encode", True)]
)
def test_what_is_read_by_a_worker_that_joins_is_one_object(kind: str, taken: bool) -> None:
    task = a_task(task_id="another", kind=kind)
    event = events.TaskEncoded(at=9.0, attempt="nonce1", artifacts=(MADE,), busy_seconds=1.0)
    decision = machine.advance(a_job(JobState.RUNNING, parts=2), task, event)
    (moved,) = (one for one in decision.changes if one.key == task_key("job1", "another"))
    assert isinstance(moved, Update)
    assert moved.set["state"] == ("done" if taken else "open")
