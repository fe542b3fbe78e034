"""What figures look like, and what they are compared with."""

from typing import Any

import msgspec
import pytest

from console import following, jobview, mediaconvert
from mayfly.contract.outcome import Published, Receipt, WorkDone
from mayfly.contract.report import Media
from mayfly.core.rows import JobState, TaskState
from mayfly.memory.world import memory_world
from tests.unit.given import AT, a_job, a_task
from tests.unit.splitting import begun, plan_of


def published(file: str = "video.mp4", **media: Any) -> Published:
    shape: dict[str, Any] = {
        "container": "mov,mp4",
        "video_codec": "h264",
        "width": 1280,
        "height": 720,
        "frames": 1500,
        "duration_seconds": 60.0,
    }
    seen = Media(**{**shape, **media})
    return Published(file=file, key=f"outputs/{file}", size_bytes=1, sha256="0", media=seen)


@pytest.mark.parametrize(
    ("media", "dollars"),
    [
        ({"width": 854, "height": 480}, 0.0075),
        ({"width": 480, "height": 854}, 0.0075),
        ({}, 0.015),
        ({"width": 1080, "height": 1920}, 0.015),
        ({"width": 3840, "height": 2160}, 0.03),
        ({"frames": 3000}, 0.03),
        ({"frames": 1800}, 0.015),
        ({"frames": 50, "duration_seconds": 2.0}, 0.0025),
    ],
)
def test_mediaconvert_asks_by_size_rate_and_minutes(media: dict[str, Any], dollars: float) -> None:
    assert mediaconvert.quote([published(**media)]).dollars == dollars


def test_what_has_no_comparable_price_is_named_and_not_guessed() -> None:
    sound = published("audio.m4a", video_codec=None, width=None, height=None, frames=None)
    still = published("poster.jpg", frames=1, duration_seconds=None)

    quote = mediaconvert.quote([sound, still])

    assert quote.dollars == 0
    assert quote.unpriced == ("audio.m4a", "poster.jpg")


def test_the_rest_takes_as_long_in_proportion_as_what_is_done() -> None:
    task = a_task(fraction=0.25, released_at=AT, reported_at=AT + 10)

    progress = jobview.progress_of(a_job(), [task], now=AT + 12)

    assert progress.eta_seconds == pytest.approx(28)


def test_nothing_is_foretold_before_a_worker_has_said_something() -> None:
    task = a_task(TaskState.RELEASED)

    progress = jobview.progress_of(a_job(JobState.QUEUED), [task], now=AT + 12)

    assert (progress.fraction, progress.eta_seconds) == (0.0, None)


def test_an_ended_job_is_whole() -> None:
    assert jobview.progress_of(a_job(JobState.FAILED), [], now=AT).fraction == 1.0


@pytest.mark.parametrize(
    ("amount", "words"),
    [(0.04, "0.0 s"), (9.94, "9.9 s"), (59.4, "59 s"), (185, "3 min 05 s"), (7640, "2 h 07 min")],
)
def test_times_are_read_at_a_glance(amount: float, words: str) -> None:
    assert jobview.seconds(amount) == words


def test_a_receipt_says_whether_it_is_final() -> None:
    receipt = Receipt(
        billed_seconds=60, busy_seconds=10, vcpu=2, memory_gib=4, dollars=0.00063, final=False
    )

    assert jobview.receipt_line(receipt).endswith(
        "$0.00063 on Fargate Spot so far (its worker has not stopped)"
    )
    dearer = msgspec.structs.replace(receipt, on_demand_seconds=20.0, final=True)
    assert jobview.receipt_line(dearer).endswith("on Fargate Spot, 20.0 s of it on-demand")


def test_what_was_predicted_stands_beside_what_was_measured() -> None:
    whole = WorkDone(planned_seconds=0, predicted_seconds=100, measured_seconds=130)
    assert jobview.work_lines(whole) == [
        "2 min 10 s taken where 1 min 40 s were predicted (1.30 times)"
    ]
    begun = WorkDone(planned_seconds=7200, predicted_seconds=0, measured_seconds=0)
    assert jobview.work_lines(begun) == ["2 h 00 min of work in its plan"]
    assert jobview.work_lines(None) == []
    head = a_job(plan_ms=7_200_000, done_ms=60_000, took_ms=60_000)
    assert jobview.head_lines(head, jobview.Progress(fraction=0), AT)[-1] == (
        "work     2 h 00 min of work in its plan; 1 min 00 s taken where 1 min 00 s were predicted "
        "(1.00 times)"
    )


def test_a_job_of_many_parts_is_as_far_as_its_head_counts() -> None:
    first = a_task(kind="chunk")
    running = jobview.progress_of(a_job(parts=99, open_tasks=74), [first], now=AT + 30)
    assert running.fraction == 0.25
    assert running.stage == "25 of 99 parts"
    assert running.eta_seconds == pytest.approx(90)

    joins = a_task(TaskState.RUNNING, task_id="finish", kind="finish", fraction=0.5)
    finishing = a_job(JobState.FINISHING, parts=99, open_tasks=1)
    joining = jobview.progress_of(finishing, [first, joins], now=AT + 30)
    assert joining.fraction == pytest.approx(0.995)
    assert joining.stage == "joining the parts"


def test_a_job_of_many_parts_is_looked_at_without_reading_them_all() -> None:
    w = memory_world()
    job_id = begun(w, plan_of(300)).job_id or ""
    seen = following.look(w.world, job_id)
    assert seen is not None
    assert [task.task_id for task in seen.tasks] == ["encode"]
    assert jobview.progress_of(seen.head, seen.tasks, seen.at).stage == "0 of 301 parts"
