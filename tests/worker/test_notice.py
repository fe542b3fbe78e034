"""Told to leave: what fits into the notice is finished, what does not is told of in time."""

import logging
from collections.abc import Callable
from typing import Any

import pytest

from mayfly.contract import report
from mayfly.core import limits
from tests.worker.conftest import Rig, kinds, left
from tests.worker.doing import DONE, Doing
from worker.ffmpeg_words import ProgressReader
from worker.heartbeat import Progress
from worker.notice import Choice, Seen, choose
from worker.order import Done, Order

#: From SIGTERM to the moment from which on there is only time to tell of it.
NOTICE_SECONDS = limits.STOP_SECONDS - limits.LEAVE_SECONDS


def encoding(
    rig: Rig,
    *,
    takes: float,
    told_after: float,
    known_after: float = 2.0,
    stands_still_after: float = float("inf"),
    at_once: bool = False,
) -> Callable[[Order], Done]:
    """Work of so many seconds at an even pace, which is known from some second on; when its worker
    is told to leave; and when it does not move on any more."""

    def act(order: Order) -> Done:
        order.progress.stage, began = "encoding", rig.clock.monotonic()
        while (age := rig.clock.monotonic() - began) < takes or stands_still_after < takes:
            moved = min(age, stands_still_after)
            if age >= known_after:
                order.progress.fraction, order.progress.rate = moved / takes, moved / age / takes
            if age >= told_after and not rig.stop.asked:
                rig.stop.ask(at_once=at_once)
            order.halt.check()
            rig.clock.sleep(0.25)
        return DONE

    return act


class Left:
    """What became of one task whose worker was told to leave, with another one waiting."""

    def __init__(self, rig: Rig, act: Callable[[Order], Done], **task: Any) -> None:
        asked_at: list[float] = []
        ask = rig.stop.ask

        def asking(*, at_once: bool = False) -> None:
            asked_at.append(rig.clock.now())
            ask(at_once=at_once)

        rig.work = Doing(act)
        for number in (1, 2):
            rig.put(rig.task(b"", **{"job_id": f"job-{number}", **task}))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(rig.stop, "ask", asking)
            self.said = rig.run_once()
        self.last = self.said[-1]
        #: From SIGTERM to its last word.
        self.seconds = self.last.at - asked_at[0]
        assert left(rig) == (1, 0, 0), "it takes nothing more, and leaves nothing hidden"
        assert {one.job_id for one in self.said} == {"job-1"}


def test_a_chunk_that_fits_into_the_notice_is_finished(given: Rig) -> None:
    it = Left(given, encoding(given, takes=100, told_after=10))
    assert kinds(it.said) == ["Started", "Encoded"]
    assert it.seconds == pytest.approx(90, abs=1)


def test_a_chunk_that_does_not_fit_is_told_of_at_once(given: Rig) -> None:
    it = Left(given, encoding(given, takes=600, told_after=10))
    assert isinstance(it.last, report.Interrupted)
    assert it.last.reason == "spot_interruption"
    assert it.seconds < 1


@pytest.mark.parametrize("stands_still_after", [20, 50, 85, 99])
def test_a_chunk_that_stands_still_after_that_is_told_of_in_time(
    given: Rig, stands_still_after: float
) -> None:
    act = encoding(given, takes=100, told_after=10, stands_still_after=stands_still_after)
    it = Left(given, act)
    assert isinstance(it.last, report.Interrupted)
    assert it.seconds <= NOTICE_SECONDS + 0.5


def test_what_stands_still_early_is_not_waited_for(given: Rig) -> None:
    it = Left(given, encoding(given, takes=100, told_after=10, stands_still_after=20))
    assert it.seconds < NOTICE_SECONDS / 2


@pytest.mark.parametrize("stage", ["fetching", "proving", "storing"])
def test_whatever_never_ends_is_told_of_in_time(given: Rig, stage: str) -> None:
    def silent(order: Order) -> Done:
        order.progress.stage = stage
        given.clock.sleep(300)
        given.stop.ask()
        while True:
            order.halt.check()
            given.clock.sleep(0.25)

    it = Left(given, silent)
    assert isinstance(it.last, report.Interrupted)
    assert it.seconds <= NOTICE_SECONDS + 0.5


def test_what_has_hardly_begun_is_given_up(given: Rig) -> None:
    it = Left(given, encoding(given, takes=20, told_after=0.25))
    assert isinstance(it.last, report.Interrupted)
    assert it.last.busy_seconds < 0.5


def test_nobody_waits_for_longer_than_it_has_worked_to_learn_how_long_it_takes(given: Rig) -> None:
    it = Left(given, encoding(given, takes=600, told_after=10, known_after=500))
    assert isinstance(it.last, report.Interrupted)
    assert it.seconds == pytest.approx(10, abs=1.5)


def test_a_part_of_a_plan_has_time_to_show_its_pace(given: Rig) -> None:
    clock = {"time_base": [1, 1000], "origin_ticks": 0, "margin_seconds": 1.0}
    scope = {"number": 1, "start_ticks": 1000, "end_ticks": 2000, "clock": clock}
    act = encoding(given, takes=60, told_after=1, known_after=12)
    it = Left(given, act, kind="chunk", scope=scope)
    assert isinstance(it.last, report.Encoded)


def test_an_end_that_is_known_soon_after_is_waited_for(given: Rig) -> None:
    it = Left(given, encoding(given, takes=60, told_after=3, known_after=5))
    assert isinstance(it.last, report.Encoded)


def test_what_is_encoded_is_stored(given: Rig) -> None:
    def storing(order: Order) -> Done:
        order.progress.stage = "storing"
        given.stop.ask()
        given.clock.sleep(60)
        return DONE

    assert isinstance(Left(given, storing).last, report.Encoded)


def test_a_person_at_a_terminal_does_not_wait(given: Rig) -> None:
    it = Left(given, encoding(given, takes=100, told_after=10, at_once=True))
    assert isinstance(it.last, report.Interrupted)
    assert it.seconds < 1


def test_a_notice_that_is_short_is_short(given: Rig) -> None:
    given.notice_seconds = 20.0
    it = Left(given, encoding(given, takes=100, told_after=10))
    assert isinstance(it.last, report.Interrupted)
    assert it.seconds < 1


def test_a_log_line_says_what_was_chosen_and_why(
    given: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "mayfly.worker")
    Left(given, encoding(given, takes=100, told_after=50, stands_still_after=80))
    (told,) = [line for line in caplog.messages if line.startswith("Told to leave")]
    assert told.startswith("Told to leave, the work went on, for it needs about 53 s and has 110 s")
    assert "; was stopped, for it needs about" in told


def test_nothing_is_told_of_a_choice_that_nobody_made(
    given: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "mayfly.worker")
    given.put(given.task(b""))
    given.run_once()
    assert "Told to leave" not in caplog.text


# --- the decision ---------------------------------------------------------------------------------


def seen(
    *,
    worked: float,
    needs: float | None = None,
    left: float = 110,
    fraction: float = 0.5,
    told: float = 0,
    is_part: bool = False,
) -> Seen:
    """Needs so many seconds until it is stored."""
    rate = None if needs is None else (1 - fraction) / (needs - limits.CHUNK_COST_SECONDS)
    return Seen(
        worked_seconds=worked, told_seconds=told, left_seconds=left, stage="encoding",
        fraction=fraction, rate=rate, is_part=is_part,
    )  # fmt: skip


def test_a_part_that_begins_slowly_has_time_to_show_its_pace_unless_there_is_no_hope() -> None:
    """A busy machine: three frames in its first ten seconds, and all others in the next two."""
    assert choose(seen(worked=1, told=10, needs=200, left=100, is_part=True)).goes_on
    assert not choose(seen(worked=1, told=10, needs=200, left=100)).goes_on
    assert not choose(seen(worked=1, told=21, needs=200, left=89, is_part=True)).goes_on
    assert not choose(seen(worked=1, told=10, needs=400, left=100, is_part=True)).goes_on


@pytest.mark.parametrize(
    ("worked", "needs", "goes_on"),
    [
        (60, 80, True),
        (60, 140, False),
        # Just so: much is lost by stopping, or little.
        (100, 110, True),
        (5, 110, False),
        (3600, 135, True),
        (20, 95, True),
        # However much would be lost: it cannot fit.
        (3600, 150, False),
    ],
)
def test_what_might_just_fit_is_dared_for_what_it_would_lose(
    worked: float, needs: float, goes_on: bool
) -> None:
    assert choose(seen(worked=worked, needs=needs)).goes_on is goes_on


def test_the_slower_of_two_paces_counts() -> None:
    steady = seen(worked=60, needs=60)
    assert choose(steady).goes_on
    slow = Seen(
        worked_seconds=60, told_seconds=20, left_seconds=90, stage="encoding",
        fraction=0.55, rate=steady.rate, gained=0.02, gained_seconds=20,
    )  # fmt: skip
    assert not choose(slow).goes_on


def test_a_choice_says_its_reason() -> None:
    assert choose(seen(worked=0.25)) == Choice(False, "it had hardly begun")
    assert choose(seen(worked=9)) == Choice(True, "nobody knows how long it takes")
    assert choose(seen(worked=9, needs=20, left=0)) == Choice(False, "its time is over")


# --- what is known of the end ---------------------------------------------------------------------


def blocks(reader: ProgressReader, *told: tuple[int, float]) -> None:
    """Frames and seconds, as ffmpeg says them."""
    for frame, seconds in told:
        reader.line(b"frame=%d" % frame)
        reader.line(b"out_time_us=%d" % (seconds * 1e6))
        reader.line(b"progress=continue")


def test_the_way_to_the_first_frame_says_nothing_of_the_pace() -> None:
    now = [0.0]
    progress = Progress()
    reader = ProgressReader(progress, 10.0, 240, lambda: now[0])
    for now[0], frame in ((1.0, 0), (30.0, 0), (31.0, 24)):
        blocks(reader, (frame, 0.0))
        assert progress.rate is None
    now[0] = 32.0
    blocks(reader, (48, 0.0))
    assert progress.rate == pytest.approx(0.1 * 0.97)
    assert progress.fraction == pytest.approx(0.2 * 0.97)


def test_where_frames_are_not_counted_time_is() -> None:
    progress = Progress()
    blocks(ProgressReader(progress, 10.0), (0, 5.0))
    assert progress.fraction == pytest.approx(0.5 * 0.97)


def test_what_runs_after_another_begins_anew() -> None:
    progress = Progress()
    blocks(ProgressReader(progress, 10.0), (0, 5.0), (0, 6.0))
    blocks(ProgressReader(progress, 10.0), (0, 1.0))
    assert progress.fraction == pytest.approx(0.1 * 0.97)
    assert progress.rate is None
