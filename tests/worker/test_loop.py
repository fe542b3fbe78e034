"""The loop under virtual time: who is told what, and what becomes of the message."""

import pytest

from mayfly.contract import report
from mayfly.core.identity import adopted_job_id
from mayfly.perform.ports import Message, Temporary
from tests.worker.conftest import Rig, kinds, left, own
from tests.worker.doing import DONE, Doing
from worker.agent import Identity
from worker.ends import Halted, Reason, WorkFailed
from worker.order import Done, Order


class Agent:
    """An ECS agent that notes what it is asked."""

    def __init__(self, *answers: bool) -> None:
        self.asked: list[bool] = []
        self.answers = list(answers)

    def identity(self) -> Identity:
        return Identity()

    def set_protection(self, on: bool) -> bool:
        self.asked.append(on)
        return self.answers.pop(0) if self.answers else True


def test_a_task_is_begun_done_told_and_deleted(given: Rig) -> None:
    given.put(given.task(b""))
    started, encoded = given.run_once()
    assert isinstance(started, report.Started)
    assert isinstance(encoded, report.Encoded)
    assert (started.worker, started.service) == ("task-1", "service-1")
    assert encoded.outputs == DONE.outputs
    assert encoded.cpu_seconds == 2.5
    assert encoded.attempt == started.attempt
    assert left(given) == (0, 0, 0)


def test_two_tries_have_two_nonces(given: Rig) -> None:
    given.work = work = Doing()
    given.put(given.task(b""))
    given.put(given.task(b""))
    given.run_once()
    first, second = work.orders
    assert first.nonce != second.nonce


def test_bad_input_is_told_and_never_tried_again(given: Rig) -> None:
    given.work = Doing(WorkFailed("not_media", "a text"))
    given.put(given.task(b""))
    _, failed = given.run_once()
    assert isinstance(failed, report.Failed)
    assert (failed.code, failed.detail) == ("not_media", "a text")
    assert left(given) == (0, 0, 0)


def test_the_unknown_is_told_and_goes_back_later_each_time(given: Rig) -> None:
    given.work = Doing(WorkFailed("encoder_failed"))
    given.put(given.task(b""))
    for pause in (10, 20):
        assert kinds(given.run_once()) == ["Started", "Failed"]
        assert left(given) == (0, 1, 0)
        given.clock.sleep(pause - 1)
        assert left(given) == (0, 1, 0)
        given.clock.sleep(1.1)
        assert left(given) == (1, 0, 0)
    assert kinds(given.run_once()) == ["Started", "Failed"]
    given.run_once()  # one receive too many
    assert left(given) == (0, 0, 1)


def test_an_error_of_ours_is_an_unknown_failure_and_ends_nothing(
    given: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    given.work = Doing(RuntimeError("https://bucket/x?X-Amz-Signature=5ec2e7"))
    given.put(given.task(b""))
    given.put(given.task(b"", job_id="job-2"))
    said = given.run_once()
    assert [one.code for one in said if isinstance(one, report.Failed)] == ["worker_failed"] * 2
    assert "5ec2e7" not in repr(said)
    assert "5ec2e7" not in caplog.messages


def test_an_announced_interruption_is_told_and_its_message_deleted(given: Rig) -> None:
    def interrupted(order: Order) -> Done:
        given.stop.ask()
        return DONE

    given.work = Doing(interrupted)
    given.put(given.task(b""))
    given.put(given.task(b""))
    _, told = given.run_once()
    assert isinstance(told, report.Interrupted)
    assert told.reason == "spot_interruption"
    assert left(given) == (1, 0, 0)  # the other one was not even received


@pytest.mark.parametrize(
    ("theirs", "told", "stays"), [(False, ["Interrupted"], (0, 0, 0)), (True, [], (1, 0, 0))]
)
def test_a_task_received_after_the_stop_is_told_of_and_a_users_own_goes_back_at_once(
    given: Rig,
    theirs: bool,
    told: list[str],
    stays: tuple[int, int, int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Found by the simulator: SQS counts a receipt that is handed back, so a well task that Spot
    met six times at this moment was told as lost."""
    given.put(own(given) if theirs else given.task(b""))
    receive = given.jobs.receive

    def late(*, wait_seconds: int, limit: int = 1) -> list[Message]:
        messages = receive(wait_seconds=wait_seconds, limit=limit)
        given.stop.ask()
        return messages

    monkeypatch.setattr(given.jobs, "receive", late)
    given.loop().run()
    assert kinds(given.said()) == told
    assert left(given) == stays


def test_a_stop_during_the_last_report_lets_it_be_said(
    given: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = given.done.send

    def stopping(body: bytes) -> None:
        if b'"encoded"' in body:
            given.stop.ask()
        send(body)

    monkeypatch.setattr(given.done, "send", stopping)
    given.put(given.task(b""))
    assert kinds(given.run_once()) == ["Started", "Encoded"]
    assert left(given) == (0, 0, 0)


@pytest.mark.parametrize("seconds", [-5, 29])
def test_a_task_whose_grants_are_dead_is_not_begun(given: Rig, seconds: float) -> None:
    given.work = work = Doing()
    given.put(given.task(b"", grants_end_at=given.clock.now() + seconds))
    (told,) = given.run_once()
    assert isinstance(told, report.Interrupted)
    assert told.reason == "grant_expired"
    assert work.orders == []
    assert left(given) == (0, 0, 0)


def test_grants_that_die_under_way_are_no_failure(given: Rig) -> None:
    given.work = Doing(Halted(Reason.GRANT_EXPIRED))
    given.put(given.task(b""))
    _, told = given.run_once()
    assert isinstance(told, report.Interrupted)
    assert told.reason == "grant_expired"


def test_a_task_that_outlasts_its_hold_is_not_begun_again(given: Rig) -> None:
    """Found by the simulator, with a source that took thirteen hours to read: it was told as an
    interruption, so worker after worker held it for half a day, and its job had no end."""
    given.work = Doing(Halted(Reason.HELD_TOO_LONG))
    given.put(given.task(b""))
    _, failed = given.run_once()
    assert isinstance(failed, report.Failed)
    assert failed.code == "time_limit"
    assert left(given) == (0, 0, 0)


def test_a_message_that_is_somebody_elses_now_is_left_alone(given: Rig) -> None:
    given.work = Doing(Halted(Reason.LOST))
    given.put(given.task(b""))
    assert kinds(given.run_once()) == ["Started"]
    assert left(given) == (0, 1, 0)


def test_an_order_to_stop_ends_the_task_and_tells_only_what_it_cost(given: Rig) -> None:
    given.work = Doing(Halted(Reason.ORDERED))
    given.put(given.task(b""))
    told = given.run_once()
    assert kinds(told) == ["Started", "Interrupted"]
    assert getattr(told[-1], "reason", "") == "ordered"
    assert left(given) == (0, 0, 0)


@pytest.mark.parametrize(
    "body", [b"{}", b"no json", b'{"job_id": "x", "source": {"fetch": {"url": "s3cret"}}}']
)
def test_what_is_no_task_reaches_the_dead_letters(
    given: Rig, body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    given.jobs.send(body)
    assert given.run_once() == []
    assert left(given) == (0, 0, 1)
    assert "s3cret" not in caplog.text


def test_a_task_with_half_a_name_is_no_task(given: Rig) -> None:
    task = given.task(b"")
    del task["token"]
    given.put(task)
    assert given.run_once() == []
    assert left(given) == (0, 0, 1)


def test_a_users_task_is_adopted_before_it_is_begun(given: Rig) -> None:
    given.put(own(given))
    adopted, started, encoded = given.run_once()
    assert isinstance(adopted, report.Adopted)
    assert isinstance(started, report.Started)
    assert isinstance(encoded, report.Encoded)
    assert adopted.pool == "standard"
    assert adopted.source == f"http://127.0.0.1:{given.bucket.port}/bucket/mine/clip.mp4"
    assert len({one.job_id for one in (adopted, started, encoded)}) == 1
    assert len({one.token for one in (adopted, started, encoded)}) == 1
    assert encoded.outputs[0].key == ""
    assert "5ec2e7" not in repr((adopted, started, encoded))


def test_an_adopted_task_is_the_same_job_at_every_delivery(given: Rig) -> None:
    given.work = Doing(WorkFailed("encoder_failed"))
    given.put(own(given))
    first, *_ = given.run_once()
    given.clock.sleep(11)
    again, *_ = given.run_once()
    assert isinstance(first, report.Adopted)
    assert isinstance(again, report.Adopted)
    assert (first.job_id, first.token) == (again.job_id, again.token)
    assert first.attempt != again.attempt
    assert len(first.job_id) == len(adopted_job_id(b"", ""))


def test_an_interrupted_adopted_task_goes_back_since_nobody_else_knows_its_urls(
    given: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    given.work = Doing(Halted(Reason.SIGNAL))
    given.put(own(given))
    receive = given.jobs.receive
    taken: list[int] = []

    def once(*, wait_seconds: int, limit: int = 1) -> list[Message]:
        if taken:
            given.stop.ask()
            return []
        taken.append(1)
        return receive(wait_seconds=0, limit=limit)

    monkeypatch.setattr(given.jobs, "receive", once)
    given.loop().run()
    assert kinds(given.said()) == ["Adopted", "Started", "Interrupted"]
    assert left(given) == (1, 0, 0)


def test_a_users_dead_url_is_told_and_not_tried_again(given: Rig) -> None:
    given.work = Doing(Halted(Reason.GRANT_EXPIRED))
    given.put(own(given))
    failed = given.run_once()[-1]
    assert isinstance(failed, report.Failed)
    assert failed.code == "source_refused"
    assert left(given) == (0, 0, 0)


def test_protection_is_taken_before_work_and_given_back_when_there_is_none(given: Rig) -> None:
    given.agent = agent = Agent()

    def protected(_: Order) -> Done:
        assert agent.asked == [True]
        return DONE

    given.work = Doing(protected)
    given.put(given.task(b""))
    given.run_once()
    assert agent.asked == [True, False]


def test_a_refused_protection_takes_no_work(given: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    given.agent = Agent(False, False, False)
    given.put(given.task(b""))
    sleep, slept = given.clock.sleep, []

    def until_refused_thrice(seconds: float) -> None:
        slept.append(seconds)
        sleep(seconds)
        if sum(slept) > 11:
            given.stop.ask()

    monkeypatch.setattr(given.clock, "sleep", until_refused_thrice)
    given.loop().run()
    assert given.said() == []
    assert left(given) == (1, 0, 0)


def test_a_worker_whose_protection_is_not_renewed_gives_back_the_one_it_has(
    given: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pool was paused during a long task: the worker took no more work, but stayed protected
    for half a day, so ECS could not take it away and it was billed for doing nothing."""
    given.agent = agent = Agent(True, False, False, False, True)

    def for_long(_: Order) -> Done:
        given.clock.sleep(600)
        return DONE

    given.work = Doing(for_long)
    given.put(given.task(b""))
    sleep = given.clock.sleep

    def until_given_back(seconds: float) -> None:
        sleep(seconds)
        if len(agent.asked) > 4:
            given.stop.ask()

    monkeypatch.setattr(given.clock, "sleep", until_given_back)
    given.loop().run()
    # Taken; not renewed, and giving back fails once; not renewed, and given back.
    assert agent.asked == [True, True, False, True, False]


def test_a_busy_worker_asks_for_protection_once_a_minute_at_most(given: Rig) -> None:
    given.agent = agent = Agent()

    def for_a_while(_: Order) -> Done:
        given.clock.sleep(25)
        return DONE

    given.work = Doing(for_a_while)
    for _ in range(6):
        given.put(given.task(b""))
    given.run_once()
    assert agent.asked == [True, True, True, False]  # at 0, 75 and 150 s


def test_a_report_that_nobody_hears_leaves_the_message(
    given: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def deaf(body: bytes) -> None:
        raise Temporary

    monkeypatch.setattr(given.done, "send", deaf)
    given.put(given.task(b""))
    given.run_once()
    assert left(given) == (0, 1, 0)


def test_a_report_is_said_again_until_it_is_heard(
    given: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    send, deaf = given.done.send, [1, 1]

    def hard_of_hearing(body: bytes) -> None:
        if deaf:
            deaf.pop()
            raise Temporary
        send(body)

    monkeypatch.setattr(given.done, "send", hard_of_hearing)
    given.put(given.task(b""))
    assert kinds(given.run_once()) == ["Started", "Encoded"]
